// The daemon: connects every edge to the core, starts them in order and stops them in order. Nothing else is decided here.
//
// D1. The daemon comes up without database and without NATS, says in /readyz what it waits for, and never gives up.
// D2. The intake listens only once a registry is in force.
// D3. Stopping: active checks, intake, calls, writers and actors, HTTP, webhooks, NATS, database; each step that takes time
//     has a deadline and a log line.
// D4. What this process started ends with it.
import { randomBytes, randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Core } from '../actors/actor-system.js';
import { Rollout } from '../actors/management/rollout.js';
import type { Readiness } from '../actors/ports/api.js';
import type { Clock } from '../actors/ports/ports.js';
import { breakerDefaults, type Config, ConfigError } from '../config/config.js';
import { lockDataDirectory } from '../embedded/postgres/socket-lock.js';
import { createMetricsPage } from '../http/routes/metrics-page.js';
import { startHttp } from '../http/server.js';
import { InspectionHub } from '../inspector/hub.js';
import { loginFileProblems } from '../nats/connection/login-files.js';
import { createEventPublisher } from '../nats/event-publisher.js';
import { Intake } from '../nats/intake/intake.js';
import { Replies } from '../nats/intake/replies.js';
import { SelfCheck } from '../nats/intake/self-check.js';
import { Requester } from '../nats/requester.js';
import { AdminService } from '../nats/services/admin.js';
import { adminVerbs } from '../nats/services/admin-verbs.js';
import { MicroService } from '../nats/services/micro.js';
import { createRandomHex } from '../nats/wire/random-hex.js';
import { createPrepareRoute } from '../nats/wire/routes.js';
import { INBOX_PREFIX, Subjects } from '../nats/wire/subjects.js';
import { guarded } from '../telemetry/guard.js';
import type { Logger } from '../telemetry/log.js';
import { createWebhooks } from '../webhooks/webhooks.js';
import { type RegistryDatabase, startDatabase } from './database.js';
import { daemonNumbers } from './metrics-source.js';
import { natsFiles, natsServerBinary, startNats } from './nats.js';

export interface Daemon {
  readonly httpUrl: string;
  readonly natsUrl: string;
  /** Of the embedded server; null where NATS_URL is given. */
  readonly natsToken: string | null;
  readonly database: RegistryDatabase;
  /** Resolves when invocations are taken. */
  readonly ready: Promise<void>;
  /** Resolves with the reason when the daemon cannot go on, such as a schema that is newer than it. */
  readonly failed: Promise<Error>;
  stop(): Promise<void>;
}

/** What a timer's callback throws ends nothing. */
const clockOf = (log: Logger): Clock => ({
  now: () => performance.now(),
  setTimeout: (fn, ms) => setTimeout(guarded(log, 'a timer', fn), ms),
  clearTimeout: (id) => clearTimeout(id as NodeJS.Timeout),
});

const packageFile = new URL('../../../package.json', import.meta.url);
const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string };

/** Rejects where this machine cannot run it: address in use, data directory in use, no nats-server. */
export async function startDaemon(config: Config, log: Logger): Promise<Daemon> {
  mkdirSync(config.data_dir, { recursive: true, mode: 0o700 });
  const started: (() => Promise<void>)[] = [];
  try {
    return await start(config, log, started);
  } catch (error) {
    for (const undo of started.reverse()) await undo();
    throw error;
  }
}

async function start(config: Config, log: Logger, started: (() => Promise<void>)[]): Promise<Daemon> {
  const startedAt = new Date().toISOString();
  const clock = clockOf(log);
  const problems = loginFileProblems(natsFiles(config));
  if (problems.length > 0) throw new ConfigError(problems);
  const natsServer = natsServerBinary(config, process.env);
  const unlock = await lockDataDirectory(config.data_dir);
  started.push(unlock);
  // Of one that was killed, or of another one whose directory was copied.
  const daemonFile = join(config.data_dir, 'daemon.json');
  rmSync(daemonFile, { force: true });
  const database = await startDatabase(config, clock, log);
  started.push(() => database.close());

  const nats = await startNats(config, natsServer, log);
  started.push(nats.stop);
  const subjects = new Subjects(config.subject_prefix);
  const randomHex = createRandomHex();
  const requester = new Requester(nats.connection, clock, log, randomHex);
  const replies = new Replies(nats.connection, clock, randomHex);
  const events = createEventPublisher(nats.connection, subjects);
  const webhooks = createWebhooks({
    urls: config.webhook_urls,
    secret: config.webhook_secret,
    kinds: config.webhook_events,
    timeoutMs: config.webhook_timeout_ms,
    clock,
    wall: Date.now,
    random: Math.random,
    log: log.child({ component: 'webhooks' }),
  });
  const rules = { ownPrefix: config.subject_prefix, allowedPrefixes: config.subject_prefixes };

  let isDraining = false;
  let listening: () => void;
  const ready = new Promise<void>((resolve) => {
    listening = () => {
      // Asked again with every update; told once.
      listening = () => undefined;
      log.info({ event: 'daemon_ready', revision: core.supervisor.revision, extensions: core.supervisor.slots.size });
      resolve();
    };
  });
  const core = new Core(
    {
      feed$: database.feed$,
      requestSnapshot: database.requestSnapshot,
      prepareRoute: createPrepareRoute(config.environment, rules),
      send: requester.send.bind(requester),
      sendCheck: requester.sendCheck.bind(requester),
      limitAttempts: requester.limit.bind(requester),
      afterRoundTrip: requester.afterRoundTrip.bind(requester),
      publish: (event) => {
        events.publish(event);
        webhooks.publish(event);
      },
      flushHealth: database.flushHealth,
      wasFlushed: database.wasFlushed,
      writeInstanceStatus: database.writeInstanceStatus,
      applyAutoChange: database.applyAutoChange,
      applyVerb: database.applyVerb,
      writeAudit: database.writeAudit,
      onApplied: (update) => {
        database.remember(update);
        rollout.noteApplied();
        // D2.
        if (isDraining) return;
        intake.start();
        admin?.start();
        selfCheck.start();
        void selfCheck.passed.then(() => listening());
      },
      clock,
      wall: Date.now,
      random: Math.random,
      newId: () => randomUUID(),
      log,
    },
    {
      rules,
      breakerDefaults: breakerDefaults(config),
      autoDisableOnCircuitOpen: config.auto_disable_on_circuit_open,
      autoEnableOnCircuitClose: config.auto_enable_on_circuit_close,
      maxInFlight: config.max_in_flight,
      maxBudgetMs: config.max_budget_ms,
      absenceGraceMs: config.absence_grace_seconds * 1000,
      environment: config.environment,
      healthBasedRouting: config.health_based_routing_enabled,
      minSuccessRate: config.health_based_routing_min_success_rate,
    },
  );
  const rollout = new Rollout({
    set: database.setRollout,
    read: database.readRollout,
    inForce: core.supervisor,
    newId: randomUUID,
    clock,
    log: log.child({ component: 'rollout' }),
  });
  const intake = new Intake(
    nats.connection,
    replies,
    subjects,
    clock,
    log.child({ component: 'intake' }),
    {
      replyPrefixes: config.reply_prefixes,
      minBudgetMs: config.min_budget_ms,
      maxBudgetMs: config.max_budget_ms,
      maxBodyBytes: config.max_body_bytes,
      context: {
        from: config.context_from,
        bodyMaxBytes: config.context_body_max_bytes,
        environment: config.environment,
      },
      takesSelfCheck: (subject, reply) => selfCheck.takes(subject, reply),
    },
    core.router.handle,
  );
  const selfCheck: SelfCheck = new SelfCheck({
    connection: nats.connection,
    subjects,
    replyPrefix: config.reply_prefixes[0] ?? '_INBOX',
    clock,
    randomHex,
    log: log.child({ component: 'nats' }),
    renew: () => intake.renew(),
  });
  // There are no tokens by which to tell who may ask: only where the token of our own server says it already.
  const admin = nats.isEmbedded
    ? new AdminService(
        nats.connection,
        replies,
        subjects,
        clock,
        log.child({ component: 'admin' }),
        config.reply_prefixes,
        adminVerbs({ health: core.view, explain: core.explain }),
      )
    : null;
  if (admin === null) log.info({ event: 'nats_admin_not_served', reason: 'not_the_embedded_server' });
  const micro = new MicroService(nats.connection, subjects, {
    id: randomBytes(11).toString('hex'),
    version,
    replyPrefixes: config.reply_prefixes,
    startedAt,
    counts: () => intake.counts(),
  });

  /** Why no call would be answered for want of NATS. */
  const natsProblem = (): string | null => {
    if (!nats.connection.connected) return 'not connected to NATS';
    if (!requester.listening) return `the server refuses the subscription of ${INBOX_PREFIX}.>`;
    if (core.supervisor.revision === null) return null;
    return intake.listening ? selfCheck.problem : `the server refuses the subscription of ${subjects.invokeAll}`;
  };
  const readiness = (): Readiness => {
    const problem = natsProblem();
    const waiting = [
      ...(problem === null ? [] : ['nats']),
      ...(core.supervisor.revision === null ? ['registry'] : []),
      ...(isDraining ? ['draining'] : []),
    ];
    return {
      ready: waiting.length === 0,
      waiting_for: waiting,
      reasons: problem === null ? [] : [problem],
      degraded: database.degraded(),
    };
  };
  const inspection = new InspectionHub({
    source: core.inspection,
    clock,
    wall: Date.now,
    log: log.child({ component: 'inspector' }),
  });
  const http = await startHttp({
    host: config.http_host,
    port: config.http_port,
    health: core.view,
    explain: core.explain,
    executeVerb: core.operator.execute,
    rollout,
    readiness,
    metrics: createMetricsPage(core.view, () =>
      daemonNumbers({
        core,
        intake,
        admin,
        replies,
        events,
        webhooks,
        readiness: readiness(),
        connected: nats.connection.connected,
      }),
    ),
    inspection: {
      targets: () => inspection.targets(),
      open: (query, socket) => inspection.open(query, socket),
    },
    log: log.child({ component: 'http' }),
  });
  started.push(() => http.close());

  core.start();
  const daemon = { pid: process.pid, http: http.url, nats: nats.url, nats_token: nats.token };
  // Moved into place, so that a reader finds all of it or nothing.
  writeFileSync(`${daemonFile}.new`, `${JSON.stringify(daemon)}\n`, { mode: 0o600 });
  renameSync(`${daemonFile}.new`, daemonFile);
  log.info({ event: 'daemon_started', version, pid: process.pid, http: http.url, data_dir: config.data_dir });

  const stop = async (): Promise<void> => {
    isDraining = true;
    core.prober.stop();
    selfCheck.stop();
    inspection.close();
    const step = stepper(clock, log, config.shutdown_timeout_seconds * 1000);
    await step('intake_drained', 0.3, Promise.all([intake.drain(), admin?.drain()]));
    await step('calls_finished', 0.8, core.router.idle());
    // Whoever still waits is told that it is our fault.
    requester.close();
    await step('core_stopped', 0.9, core.stop());
    await step('http_closed', 0.92, http.close());
    await step('webhooks_sent', 0.94, webhooks.drain());
    webhooks.close();
    micro.close();
    await step(
      'nats_closed',
      0.96,
      nats.connection
        .flush()
        .finally(() => replies.close())
        .then(nats.stop),
    );
    await step('database_closed', 1, database.close());
    rmSync(daemonFile, { force: true });
    await unlock();
    log.info({ event: 'daemon_stopped' });
  };
  let stopping: Promise<void> | null = null;
  return {
    httpUrl: http.url,
    natsUrl: nats.url,
    natsToken: nats.token,
    database,
    ready,
    failed: database.failed,
    stop: () => {
      stopping ??= stop();
      return stopping;
    },
  };
}

/** Runs the steps of a stop: each until a share of the whole time is over, and never lets one's failure end the others. */
function stepper(
  clock: Clock,
  log: Logger,
  totalMs: number,
): (name: string, share: number, work: Promise<unknown>) => Promise<void> {
  const startMs = clock.now();
  return async (name, share, work) => {
    const leftMs = Math.max(startMs + totalMs * share - clock.now(), 50);
    let timer: unknown;
    const late = new Promise<'late'>((resolve) => {
      timer = clock.setTimeout(() => resolve('late'), leftMs);
    });
    try {
      const end = await Promise.race([work.then(() => 'done' as const), late]);
      log.info({ event: 'stop_step', step: name, result: end, after_ms: Math.round(clock.now() - startMs) });
    } catch (error) {
      log.error({ event: 'stop_step', step: name, result: 'failed', error: String(error) });
    } finally {
      clock.clearTimeout(timer);
    }
  };
}

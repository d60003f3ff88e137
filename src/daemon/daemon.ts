// The daemon: starts its parts in order, connects them, and stops them in order (stop-sequence.ts). Nothing else is decided here.
//
// DAEMON-1. The daemon comes up without database and without NATS, says in /readyz what it waits for, and never gives up.
// DAEMON-2. Stopping: active checks, intake, calls, writers and actors, HTTP, webhooks, NATS, database; each step that takes time
//     has a deadline and a log line.
// DAEMON-3. What this process started ends with it.
import { mkdirSync } from 'node:fs';
import type { ActorSystem } from '../actors/actor-system.js';
import { InForce } from '../actors/management/in-force.js';
import type { Clock } from '../actors/ports/clock.js';
import { type Config, ConfigError } from '../config/config.js';
import type { RegistryUpdate } from '../domain/registry/registry-rows.js';
import { lockDataDirectory } from '../embedded/postgres/socket-lock.js';
import type { Certificate } from '../http/app/app.js';
import { InspectionHub } from '../inspector/hub.js';
import { loginFileProblems } from '../nats/connection/login-files.js';
import { guarded } from '../telemetry/guard.js';
import type { Logger } from '../telemetry/log.js';
import { LogControl } from '../telemetry/log-control.js';
import { LoopDelay } from '../telemetry/loop-delay.js';
import { createAccess, leafOf, readCertificate, reloadFiles, requireToken } from './access.js';
import { startAdminApi } from './admin-api.js';
import { removeDaemonFile, writeDaemonFile } from './daemon-file.js';
import { logLevelsOf } from './daemon-log.js';
import { type RegistryDatabase, startDatabase } from './database.js';
import { createDesks } from './desks.js';
import { createFleet, ownFacts } from './fleet.js';
import { managementOf } from './management.js';
import { daemonNumbers } from './metrics-source.js';
import { natsFiles, natsServerBinary, startNats } from './nats.js';
import { readinessOf } from './readiness.js';
import { createServices } from './services.js';
import { givenSettings, reloadSettings, type SettingsInForce } from './settings-in-force.js';
import { stopInOrder } from './stop-sequence.js';
import { createSystem } from './system.js';
import { VERSION } from './version.js';
import { startWatchdog } from './watchdog.js';
import { createWire, type Wire } from './wire.js';

interface Daemon {
  readonly httpUrl: string;
  readonly natsUrl: string;
  /** Of the embedded server; null if NATS_URL is given. */
  readonly natsToken: string | null;
  readonly database: RegistryDatabase;
  /** Resolves when invocations are answered. */
  readonly ready: Promise<void>;
  /** Resolves with the reason when the daemon cannot continue, such as a schema that is newer than it. */
  readonly failed: Promise<Error>;
  /** What SIGHUP asks for: certificates, tokens and logins are read again. What cannot be read stays as it was, and is logged. Never rejects. */
  reload(): Promise<void>;
  stop(): Promise<void>;
}

/** What a timer's callback throws ends nothing. */
export const clockOf = (log: Logger): Clock => ({
  now: () => performance.now(),
  setTimeout: (fn, ms) => setTimeout(guarded(log, 'a timer', fn), ms),
  clearTimeout: (id) => clearTimeout(id as NodeJS.Timeout),
});

/** `settings`: where those of `config` come from. `levels`: of `log`. Rejects if this machine cannot run it: address in use, data directory in use, no nats-server. */
export async function startDaemon(
  config: Config,
  log: Logger,
  settings: SettingsInForce = givenSettings(config),
  levels = new LogControl(logLevelsOf(config)),
): Promise<Daemon> {
  mkdirSync(config.data_dir, { recursive: true, mode: 0o700 });
  const started: (() => Promise<void>)[] = [];
  try {
    return await start(settings, levels, log, started);
  } catch (error) {
    for (const undo of started.reverse()) await undo();
    throw error;
  }
}

const inspectionOf = (system: ActorSystem, clock: Clock, log: Logger): InspectionHub =>
  new InspectionHub({
    source: system.inspection,
    clock,
    wall: Date.now,
    // Enough of it to distinguish daemons, and short enough to be read in an inspector.
    boot: system.board.boot.slice(0, 8),
    log: log.child({ component: 'inspector' }),
  });

function logReady({ supervisor: { revision, runtimes } }: ActorSystem, log: Logger): void {
  log.info({ event: 'daemon_ready', revision, extensions: runtimes.size });
}

function logSettings(report: Awaited<ReturnType<typeof reloadSettings>>, log: Logger): void {
  if (report.configuration_problems.length > 0) log.warn({ event: 'settings_read', ...report });
  else log.info({ event: 'settings_read', ...report });
}

/** What the actors stand on. */
async function openGround(config: Config, clock: Clock, log: Logger, started: (() => Promise<void>)[]) {
  const problems = loginFileProblems(natsFiles(config));
  if (problems.length > 0) throw new ConfigError(problems);
  const natsServer = natsServerBinary(config, process.env);
  const unlock = await lockDataDirectory(config.data_dir);
  started.push(unlock);
  // Of a daemon that was killed, or of another one whose directory was copied.
  removeDaemonFile(config.data_dir);
  const database = await startDatabase(config, clock, log);
  started.push(() => database.close());
  const { access, localToken } = createAccess(config, database.tokens, clock, log);
  access.start();
  started.push(async () => access.stop());
  await requireToken(config, access, clock, log);
  const nats = await startNats(config, natsServer, log);
  started.push(nats.stop);
  return { unlock, database, access, localToken, nats };
}

/** What stood still with this process is not held against extensions; a process that goes on standing still ends. */
function watchLoop({ hang_seconds }: Config, clock: Clock, { requester }: Wire, log: Logger) {
  const watchdog = startWatchdog(hang_seconds, log);
  const onStoodStill = (lateMs: number): void => {
    requester.stoodStill();
    log.warn({ event: 'event_loop_stalled', late_ms: Math.round(lateMs) });
  };
  const loopDelay = new LoopDelay(clock, { onTurn: watchdog.raise, onStoodStill });
  const stopWatching = async (): Promise<void> => {
    await watchdog.stop();
    loopDelay.stop();
  };
  return { loopDelay, stopWatching };
}

/** Every call gets the result of the first. */
function once<T>(work: () => T): () => T {
  let done: { readonly result: T } | null = null;
  return () => {
    done ??= { result: work() };
    return done.result;
  };
}

async function start(
  settings: SettingsInForce,
  levels: LogControl,
  log: Logger,
  started: (() => Promise<void>)[],
): Promise<Daemon> {
  const { config } = settings;
  const clock = clockOf(log);
  const { unlock, database, access, localToken, nats } = await openGround(config, clock, log, started);
  let isDraining = false;
  const wire = await createWire(config, nats.connection, clock, log);
  started.push(async () => wire.tracer?.stop());
  const fleet = createFleet(config, wire, clock, log);
  started.push(async () => fleet.stop());
  const onApplied = (update: RegistryUpdate): void => {
    database.remember(update);
    inForce.noteApplied();
    if (!isDraining) services.start();
  };
  const system: ActorSystem = createSystem(config, database, wire, fleet, onApplied, clock, log);
  const inForce = new InForce(system.supervisor, clock);
  const desks = createDesks(config, database, system, inForce, clock, log);
  const services = createServices(config, wire, system, fleet, nats.isEmbedded, access, desks, clock, log);
  const ready = services.selfCheck.passed.then(() => logReady(system, log));
  const inspection = inspectionOf(system, clock, log);
  const readiness = () =>
    readinessOf({ config, system, services, wire, fleet, database, isDraining: () => isDraining });
  const certificate = readCertificate(config);
  const { loopDelay, stopWatching } = watchLoop(config, clock, wire, log);
  started.push(stopWatching);
  const numbers = () =>
    daemonNumbers({ system, fleet, services, wire, inspection, readiness, loopDelay, database, config });
  const parts = { system, fleet, services, wire, inspection, readiness, loopDelay, levels, numbers };
  const managed = { ...parts, settings, database, audit: desks.audit, inForce, clock, log };
  const management = managementOf({ ...managed, reloadFiles: () => reload() });
  const sources = { ...parts, desks, access, management };
  const http = await startAdminApi(config, certificate, sources, log);
  started.push(() => http.close());

  system.start();
  fleet.start(() => ownFacts({ http: http.url, system, services, loopDelay }));
  const addresses = { http: http.url, http_token: localToken, nats: nats.url, nats_token: nats.token };
  const note = (now: Certificate | null): void =>
    writeDaemonFile(config.data_dir, { ...addresses, http_certificate: leafOf(now) });
  note(certificate);
  log.info({ event: 'daemon_started', version: VERSION, pid: process.pid, http: http.url, data_dir: config.data_dir });
  const running = { system, services, wire, fleet, inspection, http, access, database, stopNats: nats.stop, unlock };
  const stop = once(() => {
    isDraining = true;
    return stopInOrder(running, config, clock, log).finally(stopWatching);
  });
  const reload = async (): Promise<void> => {
    await Promise.all([reloadFiles(config, { access, http, note }, log), nats.connection.renewLogin()]);
    logSettings(await reloadSettings(settings, levels), log);
  };
  const urls = { httpUrl: http.url, natsUrl: nats.url, natsToken: nats.token };
  return { ...urls, database, ready, failed: database.failed, reload, stop };
}

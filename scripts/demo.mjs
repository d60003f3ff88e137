// `npm run demo`: in about a minute an extension stops answering, its breaker opens, callers are refused at once, it is
// disabled, heals, is probed, and is enabled again. On the embedded defaults, in a directory of its own.
//
// D1. Each step proves what it shows, in numbers that were measured here; the first that cannot ends the demo with 1.
// D2. It reads no settings and touches no other daemon's data. Nothing of it is left, however it ends.
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildDaemon } from './build.mjs';
import { SetupError } from './child-process.mjs';
import { compiled, connectTo, readConfig, withDaemon } from './daemon.mjs';
import { withoutSettings } from './environment.mjs';
import { ensureNatsServer, findNatsServer } from './nats-server.mjs';
import { controlSubject, EXTENSIONS, isAnswering, runExamples, seedExamples } from './reference-extensions.mjs';
import { fail, say } from './say.mjs';
import { prepareDataDir, ROOT, setUp } from './setup.mjs';
import { columns, number, palette, percent } from './terminal.mjs';
import { summary, Traffic } from './traffic.mjs';

const FAILING = 'pii_guard';
/** Shorter than the defaults, so that a minute is enough. */
const SETTINGS = { circuit_breaker_timeout_seconds: 15, circuit_breaker_window_seconds: 20 };
const TIMEOUT_MS = 1000;
const CALLS_PER_SECOND = 50;
const HEALTHY_MS = 8000;
const REFUSED_MS = 8000;
const HEALED_MS = 6000;
/** What is waited for comes much sooner, or not at all. */
const PATIENCE_MS = 20_000;
const POLL_MS = 20;
/** A machine that is busy with something else may cost calls; a breaker that lets failures through costs them all. */
const HEALTHY_SHARE = 0.9;
/** Lines of the log that a failed demo shows. */
const LOG_LINES = 10;
const LOG_COLUMNS = 200;

const paint = palette(process.stdout, process.env);

async function main() {
  await setUp(buildDaemon);
  const dataDir = mkdtempSync(join(tmpdir(), 'extreg-demo-'));
  process.once('exit', () => rmSync(dataDir, { recursive: true, force: true }));
  prepareDataDir(dataDir);
  // One that an `npm start` has fetched is used; what has to be fetched for this goes with it.
  const binary = findNatsServer(join(ROOT, '.extreg'), process.env) ?? (await ensureNatsServer(dataDir));
  await takeTemplate(dataDir);
  // D2.
  const kept = withoutSettings(process.env);
  for (const name of Object.keys(process.env)) if (!Object.hasOwn(kept, name)) delete process.env[name];
  process.env.NATS_SERVER_BIN = binary;
  const config = await readConfig({ flags: { ...SETTINGS, data_dir: dataDir, http_port: 0 }, env: {}, cwd: dataDir });
  const logFile = join(dataDir, 'extreg.log');
  let isThrough = false;
  await withDaemon({ config, logFile, onStop: tellStop }, async (daemon, at) => {
    try {
      await new Demo(daemon, config).run(at);
      isThrough = true;
    } catch (error) {
      if (error instanceof SetupError) throw withLog(error, logFile);
      throw error;
    }
  });
  if (!isThrough) return;
  say(`  Everything is stopped, ${dataDir} is removed.`);
  process.exit();
}

/** What an `npm start` has left to make a database from; the daemon looks whether it fits. */
async function takeTemplate(dataDir) {
  const { TEMPLATE_FILE } = await compiled('embedded/postgres/embedded-template.js');
  const kept = join(ROOT, '.extreg', TEMPLATE_FILE);
  if (existsSync(kept)) copyFileSync(kept, join(dataDir, TEMPLATE_FILE));
}

/** A signal ends it before its end: that is no success. */
async function tellStop(reason, shutDown) {
  const signal = constants.signals[reason];
  if (signal) say('\nStopping …');
  await shutDown();
  if (signal) say('Stopped before the end. Nothing is left running.');
  process.exit(signal ? 128 + signal : 1);
}

function withLog(error, logFile) {
  const lines = readFileSync(logFile, 'utf8')
    .trim()
    .split('\n')
    .slice(-LOG_LINES)
    .map((line) => line.slice(0, LOG_COLUMNS));
  return new SetupError(`${error.message}\n\nThe end of the log:\n${lines.join('\n')}`, error.exitCode);
}

class Demo {
  /** @type {{ event: string, atMs: number }[]} as they came */
  #events = [];
  #startMs = performance.now();
  /** Up to when calls were shown in a row of the table. */
  #shownMs = this.#startMs;
  #isTable = false;
  /** Ids of the rows of the audit trail that were shown, or were there before. */
  #audited = new Set();
  #breaker = 'closed';

  constructor(daemon, config) {
    this.daemon = daemon;
    this.config = config;
    this.sql = daemon.database.db.$client;
  }

  async run({ log, ends }) {
    await this.daemon.ready;
    const { natsUrl, natsToken } = this.daemon;
    await seedExamples(this.sql, { actor: 'npm run demo', reason: 'demo' });
    await this.sql`update extensions set timeout_ms = ${TIMEOUT_MS} where id = ${FAILING}`;
    const examples = runExamples(EXTENSIONS, { root: ROOT, natsUrl, natsToken, config: this.config, log });
    ends.push(() => examples.stop());
    this.connection = await connectTo(this.daemon, this.config);
    ends.unshift(() => this.connection.close());
    const callsPerSecond = CALLS_PER_SECOND;
    const prefix = this.config.subject_prefix;
    this.traffic = new Traffic(this.connection, { prefix, extensions: EXTENSIONS, callsPerSecond });
    ends.unshift(async () => this.traffic.stop());
    for (const extension of EXTENSIONS)
      verify(await isAnswering(this.connection, extension), `${extension.id} answers discovery`);
    for (const { id } of await this.#auditRows()) this.#audited.add(id);
    this.connection.subscribe(`${prefix}.event.>`, { callback: (error, message) => error ?? this.#onEvent(message) });
    await this.connection.flush();
    await this.#untilCallable();

    this.#introduce();
    this.traffic.start();
    const rows = setInterval(() => this.#row(), 1000);
    ends.unshift(async () => clearInterval(rows));
    const healthy = await this.#healthy();
    const hung = await this.#hang(healthy);
    await this.#refused(hung);
    await this.#heal(hung);
    await this.#healthyAgain();
    this.traffic.stop();
    await this.#until('every call has ended', () => this.traffic.isQuiet);
    clearInterval(rows);
    this.#conclude();
  }

  /** The registry reads new rows, and the breakers have seen nothing yet. */
  async #untilCallable() {
    for (const { id } of EXTENSIONS)
      await this.#until(`${id} is in force`, async () => (await this.#health(id)) !== null);
  }

  #introduce() {
    const { circuit_breaker_timeout_seconds: open, circuit_breaker_window_seconds: window } = SETTINGS;
    say(`\n${paint.bold('The Extension Registry: one extension hangs, and nobody waits for it')}\n`);
    say('  Embedded PostgreSQL, embedded nats-server, daemon and callers are here, the');
    say('  three extensions are processes of their own. All of it goes at the end.');
    say(`  NATS ${this.daemon.natsUrl}   HTTP ${this.daemon.httpUrl}\n`);
    say('  Shorter than the defaults, so that a minute is enough:');
    say(`    a breaker stays open   ${open} s, not 60 s`);
    say(`    it judges by the last  ${window} s, not 60 s`);
    say(`    ${FAILING} may take     ${number(TIMEOUT_MS)} ms, not 5000 ms`);
  }

  async #healthy() {
    this.#step(1, `${CALLS_PER_SECOND} calls a second to each of three healthy extensions`);
    this.#openTable();
    const fromMs = performance.now();
    await this.#pass(HEALTHY_MS);
    this.#closeTable();
    for (const { id } of EXTENSIONS) {
      const seen = this.#seen(id, fromMs);
      const { health } = await this.#health(id);
      this.#proof(
        seen.okShare >= HEALTHY_SHARE && health.circuit_breaker_state === 'closed',
        `${id}: ${seen.ok} of ${seen.calls} calls ok, ${rate(seen, fromMs)} calls/s, breaker closed`,
        `p50 ${number(seen.p50Ms)} ms, p95 ${number(seen.p95Ms)} ms; the daemon measured ${number(health.p50_latency_ms)} and ${number(health.p95_latency_ms)} ms`,
      );
    }
    return this.#seen(FAILING, fromMs);
  }

  async #hang(healthy) {
    this.#step(2, `${FAILING} hangs: it takes requests and answers none`);
    const fromMs = performance.now();
    await this.#turn({ hang_rate: 1 });
    this.#openTable();
    const opened = await this.#event('circuit_opened', fromMs);
    const disabled = await this.#event('auto_disabled', fromMs);
    // Calls that were under way when it opened take their time still.
    await this.#until('calls under way have ended', () =>
      this.traffic.calls.every(({ begunMs, endMs }) => begunMs > opened.atMs || endMs !== null),
    );
    const calls = this.#ended(FAILING, fromMs).filter(({ end }) => end === 'extension_timeout');
    const hung = { ...summary(calls), opened };
    this.#closeTable();
    this.#proof(
      hung.calls > 0 && hung.p50Ms >= TIMEOUT_MS,
      `${hung.calls} callers waited in vain, p50 ${number(hung.p50Ms)} ms instead of ${number(healthy.p50Ms)} ms`,
    );
    const { health } = await this.#health(FAILING);
    const { failures, outcomes, error_rate } = opened.evidence;
    this.#proof(
      health.circuit_breaker_state === 'open' && failures >= 5,
      `the breaker opened ${seconds(opened.atMs - fromMs)} s after it began to hang`,
      `${failures} failures of ${outcomes} outcomes (${percent(error_rate)})`,
    );
    const [row] = await this.#rowOf(FAILING);
    this.#proof(
      !row.enabled && row.auto_disabled && disabled.reason.startsWith('circuit opened'),
      `its row says enabled ${row.enabled}, auto_disabled ${row.auto_disabled}; the audit trail:`,
    );
    await this.#audit(['circuit_opened', 'disable']);
    return hung;
  }

  async #refused(hung) {
    this.#step(3, `callers of ${FAILING} are refused at once, the others notice nothing`);
    this.#openTable();
    const fromMs = performance.now();
    const reached = await this.#requestsReached();
    await this.#pass(REFUSED_MS);
    const refusal = await this.connection.request(
      `${this.config.subject_prefix}.invoke.${FAILING}`,
      JSON.stringify({ payload: 'hello' }),
      { timeout: TIMEOUT_MS },
    );
    const { code, retry_after_ms, details } = refusal.json().error;
    const seen = this.#seen(FAILING, fromMs);
    this.#closeTable();
    this.#proof(
      seen.calls > 0 && seen.refused === seen.calls && seen.p50Ms * 10 < hung.p50Ms,
      `${seen.refused} of ${seen.calls} calls refused, p50 ${number(seen.p50Ms)} ms, p95 ${number(seen.p95Ms)} ms, against ${number(hung.p50Ms)} ms`,
    );
    this.#proof(
      code === 'extension_unavailable' && details.reason === 'circuit_open' && retry_after_ms > 0,
      `a refusal: ${code}, ${details.reason}, retry_after_ms ${Math.round(retry_after_ms)}`,
    );
    this.#proof((await this.#requestsReached()) === reached, 'none of them reached the extension');
    const others = summary(this.#ended(null, fromMs).filter(({ id }) => id !== FAILING));
    this.#proof(
      others.okShare >= HEALTHY_SHARE,
      `the other two: ${others.ok} of ${others.calls} calls ok, p50 ${number(others.p50Ms)} ms`,
    );
  }

  async #heal({ opened }) {
    this.#step(4, `${FAILING} is healed; probes find out`);
    const fromMs = performance.now();
    await this.#turn({ hang_rate: 0 });
    this.#openTable();
    const halfOpened = await this.#event('circuit_half_opened', fromMs);
    const closed = await this.#event('circuit_closed', fromMs);
    await this.#event('auto_enabled', fromMs);
    const openMs = halfOpened.atMs - opened.atMs;
    this.#closeTable();
    this.#proof(
      openMs >= SETTINGS.circuit_breaker_timeout_seconds * 1000 * 0.99,
      `it was open for ${seconds(openMs)} s, and half-open for ${number(closed.atMs - halfOpened.atMs)} ms`,
    );
    const [row] = await this.#rowOf(FAILING);
    const { health } = await this.#health(FAILING);
    this.#proof(
      row.enabled && !row.auto_disabled && health.circuit_breaker_state === 'closed',
      `its row says enabled ${row.enabled}, auto_disabled ${row.auto_disabled}; the audit trail:`,
    );
    await this.#audit(['circuit_closed', 'enable']);
  }

  async #healthyAgain() {
    this.#step(5, 'as if nothing had happened');
    this.#openTable();
    const fromMs = performance.now();
    await this.#pass(HEALED_MS);
    this.#closeTable();
    for (const { id } of EXTENSIONS) {
      const seen = this.#seen(id, fromMs);
      this.#proof(
        seen.okShare >= HEALTHY_SHARE,
        `${id}: ${seen.ok} of ${seen.calls} calls ok, p50 ${number(seen.p50Ms)} ms, p95 ${number(seen.p95Ms)} ms`,
      );
    }
  }

  #conclude() {
    const { calls, ok, refused, ends } = summary(this.traffic.calls);
    const timedOut = ends.get('extension_timeout') ?? 0;
    say();
    this.#proof(
      !ends.has('unanswered'),
      `${calls} calls in ${seconds(performance.now() - this.#startMs)} s, each answered: ${ok} ok, ${refused} refused, ${timedOut} timed out`,
    );
    say();
  }

  #step(n, text) {
    say(`\n${paint.bold(`${n}  ${text}`)}\n`);
  }

  #closeTable() {
    this.#isTable = false;
    say();
  }

  /** D1. */
  #proof(holds, ...lines) {
    for (const [i, line] of lines.entries())
      say(i > 0 ? `      ${line}` : `  ${holds ? paint.green('ok') : paint.red('FAILED')}  ${line}`);
    verify(holds, lines.join('; '));
  }

  #openTable() {
    this.#isTable = true;
    this.#shownMs = performance.now();
    say(paint.dim(columns(['', FAILING, '', '', '', '', 'others'], WIDTHS)));
    say(
      paint.dim(
        columns(['time', 'calls/s', 'ok', 'refused', 'p50 ms', 'p95 ms', 'ok', 'p50 ms'], WIDTHS).concat('  breaker'),
      ),
    );
  }

  /** Calls that ended since the last row; nothing while proofs are shown. */
  #row() {
    if (!this.#isTable) return;
    const nowMs = performance.now();
    const ended = this.#endedSince(this.#shownMs);
    const spanMs = nowMs - this.#shownMs;
    this.#shownMs = nowMs;
    const failing = summary(ended.filter(({ id }) => id === FAILING));
    const others = summary(ended.filter(({ id }) => id !== FAILING));
    const text = columns(
      [
        this.#time(nowMs),
        Math.round((failing.calls * 1000) / spanMs),
        percent(failing.okShare),
        failing.refused,
        number(failing.p50Ms),
        number(failing.p95Ms),
        percent(others.okShare),
        number(others.p50Ms),
      ],
      WIDTHS,
    );
    say(`${text}  ${{ closed: paint.green, open: paint.red, half_open: paint.yellow }[this.#breaker](this.#breaker)}`);
  }

  #onEvent(message) {
    const atMs = performance.now();
    const event = { ...message.json(), atMs };
    this.#events.push(event);
    if (event.extension_id === FAILING && STATES[event.event]) this.#breaker = STATES[event.event];
    say(paint.yellow(`${this.#time(atMs)}  ${message.subject}`));
    const { evidence } = event;
    const numbers = evidence
      ? `${evidence.failures} failures of ${evidence.outcomes} in ${evidence.window_seconds} s`
      : '';
    const told = [event.reason, numbers, event.actor].filter(Boolean).join(' · ');
    say(paint.yellow(`        ${told}`));
  }

  #time(atMs) {
    return `${seconds(atMs - this.#startMs)}`.padStart(WIDTHS[0]);
  }

  /** Calls to `id` (null: to anyone) that began since and have ended. */
  #ended(id, fromMs) {
    return this.traffic.calls.filter(
      (call) => call.begunMs >= fromMs && call.endMs !== null && (id === null || call.id === id),
    );
  }

  #endedSince(fromMs) {
    return this.traffic.calls.filter(({ endMs }) => endMs !== null && endMs > fromMs);
  }

  #seen(id, fromMs) {
    return summary(this.#ended(id, fromMs));
  }

  #pass(ms) {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  async #until(what, condition, patienceMs = PATIENCE_MS) {
    const deadlineMs = performance.now() + patienceMs;
    while (!(await condition())) {
      verify(performance.now() < deadlineMs, `${what} within ${seconds(patienceMs)} s`);
      await this.#pass(POLL_MS);
    }
  }

  /** The first event of that kind about the failing extension since then. */
  async #event(kind, sinceMs) {
    const find = () =>
      this.#events.find(
        ({ event, extension_id, atMs }) => event === kind && extension_id === FAILING && atMs >= sinceMs,
      );
    await this.#until(`the event ${kind} of ${FAILING} came`, () => find() !== undefined);
    return find();
  }

  /** What GET /admin/extensions/:id/health says; null where it does not know the extension. */
  async #health(id) {
    const response = await fetch(`${this.daemon.httpUrl}/admin/extensions/${id}/health`);
    return response.ok ? response.json() : null;
  }

  #rowOf(id) {
    return this.sql`select enabled, auto_disabled from extensions where id = ${id}`;
  }

  /** Shows what the audit trail has got about the failing extension since it was read last: these actions among it. */
  async #audit(actions) {
    let rows = [];
    await this.#until(`the audit trail has ${actions.join(', ')}`, async () => {
      rows = (await this.#auditRows()).filter(({ id }) => !this.#audited.has(id));
      return actions.every((wanted) => rows.some(({ action }) => action === wanted));
    });
    for (const { id, action, changed_by, reason } of rows) {
      this.#audited.add(id);
      say(`      ${action.padEnd(20)} ${changed_by.padEnd(20)} ${reason ?? ''}`);
    }
  }

  #auditRows() {
    return this.sql`
      select id, action, changed_by, reason from extension_audit_log
      where extension_id = ${FAILING} order by changed_at, revision nulls first`;
  }

  /** Turns switches of the failing extension (examples/faults.mjs). */
  async #turn(switches) {
    const reply = await this.connection.request(controlSubject(FAILING), JSON.stringify(switches), {
      timeout: PATIENCE_MS,
    });
    say(`  ${controlSubject(FAILING)} ${JSON.stringify(switches)}`);
    const inForce = reply.json();
    verify(
      Object.entries(switches).every(([name, value]) => inForce[name] === value),
      `${FAILING} has its switches turned`,
    );
  }

  /** Requests that the failing extension has taken in its life, by its own count. */
  async #requestsReached() {
    const reply = await this.connection.request(`$SRV.STATS.${FAILING}`, '', { timeout: PATIENCE_MS });
    return reply.json().endpoints[0].num_requests;
  }
}

const WIDTHS = [6, 9, 8, 8, 7, 7, 8, 7];
const STATES = { circuit_opened: 'open', circuit_half_opened: 'half_open', circuit_closed: 'closed' };

const seconds = (ms) => (ms / 1000).toFixed(1);
const rate = ({ calls }, fromMs) => Math.round((calls * 1000) / (performance.now() - fromMs));

/** D1. */
function verify(holds, what) {
  if (!holds) throw new SetupError(`The demo failed. It should have been so: ${what}`, 1);
}

main().catch((error) => {
  fail(error);
  process.exit();
});

// This daemon on a database of the benchmark's choice, with what it writes noted; afterwards the same statements go bare, one after another, through a client of
// their own. Arguments: the NATS URL, a data directory, and a database's URL or `embedded`.
import { sql } from '#drizzle-orm';
import { loadConfig } from '../src/config/config.js';
import { startDaemon } from '../src/daemon/daemon.js';
import { silentLogger } from '../src/telemetry/log.js';
import { connectTo, DAEMON_PREFIX, EXTENSION_SUBJECT, FAILING_SUBJECT, report, serverUrl } from './client.js';

/** What the orchestrator asks. */
export type WritesQuestion =
  | { readonly note: 'begin' }
  | { readonly note: 'end' }
  /** Until so many breakers are open in row, trail and events. */
  | { readonly opened: number }
  | 'bare';

export interface Noted {
  readonly statements: number;
  /** Time in which at least one of them was on its way, ms. */
  readonly busyMs: number;
  readonly longestMs: number;
}

const [, , , dataDir, database] = process.argv;
if (dataDir === undefined || database === undefined)
  throw new Error('usage: writes-daemon.js <nats> <data dir> <database>');
const EXTENSIONS = 10_000;
const FAILING = 1000;
const POLL_MS = 5;

const isEmbedded = database === 'embedded';
const config = loadConfig({
  cwd: dataDir,
  flags: {},
  env: {
    NATS_URL: serverUrl(),
    ...(isEmbedded ? {} : { DATABASE_URL: database }),
    EXTENSION_REGISTRY_DATA_DIR: dataDir,
    EXTENSION_REGISTRY_HTTP_PORT: '0',
    EXTENSION_REGISTRY_SUBJECT_PREFIX: DAEMON_PREFIX,
    EXTENSION_REGISTRY_FAILURE_RULE: 'consecutive',
    // A machine that is too slow for all of this at a time is not what is measured.
    EXTENSION_REGISTRY_ADMISSION: 'off',
  },
});
const daemon = await startDaemon(config, silentLogger);
await daemon.ready;
const { db } = daemon.database;
await db.execute(
  sql`insert into extensions (id, type, subject) select 'idle-' || n, 'pre', ${EXTENSION_SUBJECT} from generate_series(1, ${EXTENSIONS}) as n`,
);
await db.execute(
  sql`insert into extensions (id, type, subject) select 'failing-' || n, 'pre', ${FAILING_SUBJECT} from generate_series(1, ${FAILING}) as n`,
);

interface Sent {
  readonly message: string;
  readonly startMs: number;
  endMs: number;
  readonly ended: Promise<void>;
}

/** A writer's name in a statement, as hexadecimal digits of its text (db/queries/transaction.ts). */
const digits = (text: string): string => Buffer.from(text).toString('hex');

const send = db.$client.unsafe.bind(db.$client);
let sent: Sent[] = [];
let isNoting = false;
db.$client.unsafe = ((message: string, ...more: []) => {
  const query = send(message, ...more);
  if (!isNoting || !/insert into extension_(health|version_health|audit_log)/.test(message)) return query;
  const end = (): void => {
    one.endMs = performance.now();
  };
  const one: Sent = { message, startMs: performance.now(), endMs: Number.NaN, ended: query.then(end, end) };
  sent.push(one);
  return query;
}) as typeof db.$client.unsafe;

async function noted(): Promise<Noted> {
  await Promise.all(sent.map(({ ended }) => ended));
  let busyMs = 0;
  let untilMs = 0;
  for (const { startMs, endMs } of sent) {
    busyMs += Math.max(0, endMs - Math.max(startMs, untilMs));
    untilMs = Math.max(untilMs, endMs);
  }
  return {
    statements: sent.length,
    busyMs,
    longestMs: Math.max(0, ...sent.map(({ startMs, endMs }) => endMs - startMs)),
  };
}

/** The same statements, for another writer and into a trail without their facts: they have as much to write as before. */
async function bare(): Promise<number> {
  const [writer] = (await send(
    'select writer from extension_health_writers order by written_at desc limit 1',
  )) as unknown as {
    writer: string;
  }[];
  await send(`delete from extension_audit_log where action = 'circuit_opened'`);
  const other = '00000000-0000-4000-8000-000000000001';
  const messages = sent.map(({ message }) => message.replaceAll(digits(writer?.writer ?? ''), digits(other)));
  await send(`delete from extension_health_writers where writer = '${other}'`);
  const startMs = performance.now();
  for (const message of messages) await send(message);
  return performance.now() - startMs;
}

let events = 0;
const client = await connectTo(serverUrl(), 'events');
client.subscribe(`${DAEMON_PREFIX}.event.circuit_opened.*`, {
  callback: () => {
    events += 1;
  },
});
await client.flush();

/** ms until that many are there. */
async function opened(count: number): Promise<number> {
  const startMs = performance.now();
  for (;;) {
    const [found] = (await send(
      `select (select count(*)::int from extension_health where circuit_breaker_state = 'open') as rows,
        (select count(*)::int from extension_audit_log where action = 'circuit_opened') as facts`,
    )) as unknown as { rows: number; facts: number }[];
    if (found?.rows === count && found.facts === count && events === count) return performance.now() - startMs;
    if (performance.now() - startMs > 60_000)
      throw new Error(`${found?.rows} rows, ${found?.facts} facts, ${events} events of ${count}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function answer(question: WritesQuestion): Promise<unknown> {
  if (question === 'bare') return bare();
  if ('opened' in question) return opened(question.opened);
  isNoting = question.note === 'begin';
  if (isNoting) sent = [];
  return noted();
}

process.on('message', (message) => {
  if (message !== 'cpu' && message !== 'http')
    void answer(message as WritesQuestion).then((value) => process.send?.({ value }));
});
report();

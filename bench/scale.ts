// What a registry of many extensions costs: start, memory, idle processor time, and the longest delay of a call while something else happens.
// A daemon as operators run it, on PostgreSQL; eight callers of one extension. Writes its section of bench/RESULTS.md.
// Options: --extensions N,N, --idle-seconds N, --no-write.
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import postgres from '#postgres';
import { findNatsServer } from '../src/embedded/nats/embedded-server.js';
import { startServerProcess } from '../src/embedded/nats/server-process.js';
import { startPostgres } from '../test/helpers/postgres-engine.js';
import { EXTENSION_ID, EXTENSION_SUBJECT } from './client.js';
import { machine, table, writeSection } from './results-file.js';
import { Role } from './role.js';
import type { Calls, Each } from './scale-caller.js';
import { ScaleDaemon } from './scale-daemon.js';

const { values } = parseArgs({
  options: {
    extensions: { type: 'string', default: '10000,100000' },
    'idle-seconds': { type: 'string', default: '30' },
    'no-write': { type: 'boolean', default: false },
  },
});
const counts = values.extensions.split(',').map(Number);
const BULK = 3000;
const CHANGES = 20;
const QUIET_MS = 10_000;
/** After the last step of what is measured: what follows from it delays calls, too. */
const AFTER_MS = 2000;

/** By what was measured, in the order of the table. */
type Figures = Map<string, string>;

const directory = mkdtempSync(join(tmpdir(), 'extreg-bench-'));
const binary = findNatsServer('', process.env);
if (binary === null) throw new Error('the benchmark needs a nats-server: set NATS_SERVER_BIN or install nats-server');
const loadBefore = loadavg()[0] ?? 0;
const columns: Figures[] = [];
const server = await startServerProcess({ binary, directory, port: -1, config: '' });
const natsUrl = `nats://127.0.0.1:${server.port}`;
const database = await startPostgres();
const roles: Role[] = [];
try {
  for (const role of ['extension.js', 'scale-caller.js']) roles.push(await Role.start(role, natsUrl, '-'));
  for (const count of counts) {
    const name = `scale_${count}`;
    await database.administer(`create database ${name} template migrated`);
    const { url } = database.connection(name) as { url: string };
    const sql = postgres(url, { max: 1, onnotice: () => undefined });
    try {
      columns.push(await measure(count, url, sql, roles[1] as Role));
    } finally {
      await sql.end();
    }
  }
} finally {
  for (const role of roles) role.stop();
  await database.remove();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}

async function measure(count: number, url: string, sql: postgres.Sql, caller: Role): Promise<Figures> {
  const figures: Figures = new Map();
  const note = (what: string, figure: string): void => {
    figures.set(what, figure);
    console.log(`${count}: ${what}: ${figure}`);
  };
  await sql`insert into extensions (id, type, subject) select 'idle-' || n, 'pre', ${EXTENSION_SUBJECT} from generate_series(1, ${count}) as n`;
  await sql`insert into extensions (id, type, subject) values (${EXTENSION_ID}, 'pre', ${EXTENSION_SUBJECT})`;
  await sql`vacuum analyze`;
  const daemon = await ScaleDaemon.start(mkdtempSync(join(directory, 'data-')), natsUrl, url);
  /** The longest delay of a call while `act` is under way, and in the seconds after it. */
  const delayBeside = async (what: string, act: () => Promise<unknown>): Promise<void> => {
    const watched = daemon.watch();
    await caller.ask('start');
    await act();
    await sleep(AFTER_MS);
    const { calls, p99Ms, maxMs } = await caller.ask<Calls>('stop');
    const { turnMs, gcMs } = await watched();
    const turns = `turn ${turnMs.toFixed(0)}, collection ${gcMs.toFixed(0)}`;
    note(`longest delay of a call: ${what}`, `${maxMs.toFixed(0)} ms (p99 ${p99Ms.toFixed(1)} of ${calls}; ${turns})`);
  };
  const inForce = async (total: number): Promise<void> => {
    for (;;) {
      const status = (await (await fetch(`${daemon.httpUrl}/admin/status`)).json()) as {
        extensions: { total: number };
      };
      if (status.extensions.total === total) return;
      await sleep(100);
    }
  };
  const read = async (path: string): Promise<void> => {
    for (let i = 0; i < 3; i++) await (await fetch(`${daemon.httpUrl}${path}`)).text();
  };
  try {
    note('start to ready', `${daemon.readySeconds.toFixed(1)} s (processor ${daemon.cpuSeconds.toFixed(1)} s)`);
    await sleep(QUIET_MS);
    note('resident memory', `${daemon.residentMb.toFixed(0)} MB`);
    const before = daemon.cpuSeconds;
    const idleSeconds = Number(values['idle-seconds']);
    await sleep(idleSeconds * 1000);
    note('idle processor time', `${(((daemon.cpuSeconds - before) / idleSeconds) * 100).toFixed(1)} %`);
    await delayBeside('warm-up', () => sleep(QUIET_MS));
    await delayBeside('nothing else happening', () => sleep(QUIET_MS));
    await delayBeside(`one row changed ${CHANGES} times`, async () => {
      for (let i = 0; i < CHANGES; i++) {
        await sql`update extensions set timeout_ms = ${1000 + i} where id = 'idle-7'`;
        await sleep(100);
      }
    });
    await delayBeside(`${BULK} rows inserted in one statement, until they are in force`, async () => {
      await sql`insert into extensions (id, type, subject) select 'bulk-' || n, 'pre', ${EXTENSION_SUBJECT} from generate_series(1, ${BULK}) as n`;
      await inForce(count + 1 + BULK);
    });
    await delayBeside(`${BULK} rows deleted in one statement, likewise`, async () => {
      await sql`delete from extensions where id like 'bulk-%'`;
      await inForce(count + 1);
    });
    await delayBeside('health list read three times', () => read('/admin/extensions/health'));
    await delayBeside('three scrapes', () => read('/metrics'));
    const cpuBefore = daemon.cpuSeconds;
    const { seconds, failed } = await caller.ask<Each>({ each: count });
    const processor = `processor ${(daemon.cpuSeconds - cpuBefore).toFixed(1)} s`;
    note('each called once', `${seconds.toFixed(1)} s (${processor})${failed > 0 ? `, ${failed} failed` : ''}`);
    await sleep(QUIET_MS);
    note('resident memory after that', `${daemon.residentMb.toFixed(0)} MB`);
    await delayBeside('after each was called once', () => sleep(QUIET_MS));
  } finally {
    await daemon.stop();
  }
  return figures;
}

const names = [...(columns[0]?.keys() ?? [])].filter((name) => !name.endsWith('warm-up'));
const section = `## Many extensions

Written by \`npm run bench:scale\`.

- Machine: ${machine()}; Node ${process.version}
- ${new Date().toISOString().slice(0, 10)}; PostgreSQL on the same machine; eight callers of one extension, one after another each
- Processor: time of the daemon alone, which says more than seconds if the machine does other things
- Behind a delay, ms: the longest turn of the daemon's event loop meanwhile, and the longest pause for garbage collection, which is part of a turn
- Load average of the machine before the start: ${loadBefore.toFixed(1)} (figures taken above 0.5 are of a machine that did other things, too)

${table(
  ['', ...counts.map((count) => `${count} extensions`)],
  names.map((name) => [name, ...columns.map((column) => column.get(name) ?? '')]),
)}`;
console.log(section);
if (!values['no-write']) writeSection('scale', section);

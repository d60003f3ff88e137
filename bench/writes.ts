// What the daemon writes under load, on PostgreSQL and on the embedded database: 10 000 extensions that are all called each second, and 1 000 breakers that
// open at once; each beside the same statements sent bare, one after another, in the same process afterwards. Writes its section of bench/RESULTS.md.
// Options: --seconds N, --no-write.
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { findNatsServer } from '../src/embedded/nats/embedded-server.js';
import { startServerProcess } from '../src/embedded/nats/server-process.js';
import { startPostgres } from '../test/helpers/postgres-engine.js';
import { machine, table, writeSection } from './results-file.js';
import { Role } from './role.js';
import type { Paced } from './writes-caller.js';
import type { Noted, WritesQuestion } from './writes-daemon.js';

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '10' }, 'no-write': { type: 'boolean', default: false } },
});
const seconds = Number(values.seconds);
const EXTENSIONS = 10_000;
const BREAKERS = 1000;
/** Of the default rule: as many in a row open a breaker. */
const FAILURES = 5;
/** Until the last flush is written. */
const AFTER_MS = 3000;

const directory = mkdtempSync(join(tmpdir(), 'extreg-bench-'));
const binary = findNatsServer('', process.env);
if (binary === null) throw new Error('the benchmark needs a nats-server: set NATS_SERVER_BIN or install nats-server');
const loadBefore = loadavg()[0] ?? 0;
const server = await startServerProcess({ binary, directory, port: -1, config: '' });
const natsUrl = `nats://127.0.0.1:${server.port}`;
const postgres = await startPostgres();
const helpers: Role[] = [];
const rows: string[][] = [];
try {
  for (const role of ['extension.js', 'writes-caller.js']) helpers.push(await Role.start(role, natsUrl, '-'));
  const caller = helpers[1] as Role;
  await postgres.administer('create database writes template migrated');
  const { url } = postgres.connection('writes') as { url: string };
  for (const [label, database] of [
    ['PostgreSQL', url],
    ['embedded', 'embedded'],
  ] as const) {
    const daemon = await Role.start('writes-daemon.js', natsUrl, mkdtempSync(join(directory, 'data-')), database);
    try {
      await measure(label, daemon, caller);
    } finally {
      daemon.stop();
      await daemon.exited;
    }
  }
} finally {
  for (const role of helpers) role.stop();
  await postgres.remove();
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
}

async function measure(label: string, daemon: Role, caller: Role): Promise<void> {
  const ask = async <T>(question: WritesQuestion): Promise<T> => (await daemon.ask<{ value: T }>(question)).value;
  const call = (prefix: string, count: number, rate: number, times: number): Promise<Paced> =>
    caller.ask<Paced>({ paced: { prefix, count, rate, times } });
  const note = (what: string, { statements, busyMs, longestMs }: Noted, bareMs: number, ms: number): void => {
    rows.push([
      label,
      what,
      String(statements),
      ms.toFixed(0),
      busyMs.toFixed(0),
      bareMs.toFixed(0),
      (busyMs / bareMs).toFixed(2),
      longestMs.toFixed(0),
    ]);
    console.log(rows.at(-1)?.join(' | '));
  };
  // Until it is compiled, and each extension has its row.
  await call('idle', EXTENSIONS, EXTENSIONS, 3);
  await sleep(AFTER_MS);
  await ask({ note: 'begin' });
  const startMs = performance.now();
  const { failed } = await call('idle', EXTENSIONS, EXTENSIONS, seconds);
  if (failed > 0) throw new Error(`${failed} calls failed`);
  const ms = performance.now() - startMs;
  await sleep(AFTER_MS);
  note(`${EXTENSIONS} rows a second, ${seconds} s`, await ask<Noted>({ note: 'end' }), await ask<number>('bare'), ms);

  await ask({ note: 'begin' });
  await call('failing', BREAKERS, 1e6, FAILURES);
  const openedMs = await ask<number>({ opened: BREAKERS });
  note(
    `${BREAKERS} breakers open, until row, fact and event are there`,
    await ask<Noted>({ note: 'end' }),
    await ask<number>('bare'),
    openedMs,
  );
}

const section = `## What is written under load

Written by \`npm run bench:writes\`.

- Machine: ${machine()}; Node ${process.version}
- ${new Date().toISOString().slice(0, 10)}; databases on the same machine
- Load average of the machine before the start: ${loadBefore.toFixed(1)} (figures taken above 0.5 compare little but the ratios)

${table(
  [
    'database',
    'what',
    'statements',
    'it took, ms',
    'of that with a statement on its way, ms',
    'the same statements bare, ms',
    'ratio',
    'longest statement, ms',
  ],
  rows,
)}
The calls themselves pass through the daemon meanwhile, and on this machine extension, caller, nats-server and database share its processors with it: bare, the
statements have them to themselves. The time of the breakers begins when the last of ${BREAKERS * FAILURES} failures has been answered.
`;
console.log(section);
if (!values['no-write']) writeSection('writes', section);

// What a start of `extreg` costs: processor seconds of its commands, beside what `--help` loaded when it had no bundles, in
// turns. Writes its section of bench/RESULTS.md.
// Options: --rounds N, --data-dir DIR (an embedded database to copy, in place of making one), --database-url URL, --no-write.
//
// The reference stands for `extreg --help` as it was: a Node that imports from node_modules the libraries that every command
// loaded then. They were 729 of the 776 files that it read, and 0.93 of its processor time, measured beside it. It needs no
// older version of the sources, and follows the libraries as they grow.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Command, measureCommands } from './command-cost.js';
import { median } from './median.js';
import { machine, packageVersion, table, writeSection } from './results-file.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    'data-dir': { type: 'string' },
    'database-url': { type: 'string' },
    'no-write': { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const EXTREG = fileURLToPath(new URL('../src/cli/extreg.js', import.meta.url));
const FORMERLY_LOADED = ['commander', 'pino', 'typebox', 'typebox/compile', 'typebox/value'];
const REFERENCE = 'reference: the libraries of `--help`, not bundled';
const START_MS = 60_000;

const directory = mkdtempSync(join(tmpdir(), 'extreg-start-'));
/** Of a daemon that runs; and of none. Commands look for `.extreg` in their directory. */
const [served, alone] = ['served', 'alone'].map((name) => join(directory, name)) as [string, string];
const databaseIn = (place: string): string => join(place, '.extreg', 'pgdata');

const extreg = (args: readonly string[], cwd: string, env: Readonly<Record<string, string>> = {}): Command => ({
  name: `extreg ${args.join(' ')}`,
  args: [EXTREG, ...args],
  cwd,
  env,
});

async function makeDatabases(): Promise<void> {
  for (const place of [served, alone]) mkdirSync(join(place, '.extreg'), { recursive: true, mode: 0o700 });
  if (values['data-dir'] === undefined) await measureCommands([extreg(['migrate'], alone)], 0);
  else cpSync(join(values['data-dir'], 'pgdata'), databaseIn(alone), { recursive: true });
  cpSync(databaseIn(alone), databaseIn(served), { recursive: true });
}

async function startDaemon(): Promise<ChildProcess> {
  const { PATH = '', NATS_SERVER_BIN } = process.env;
  const daemon = spawn(process.execPath, [EXTREG, 'serve', '--http-port', '0'], {
    cwd: served,
    env: { PATH, ...(NATS_SERVER_BIN ? { NATS_SERVER_BIN } : {}) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const file = join(served, '.extreg', 'daemon.json');
  const deadline = performance.now() + START_MS;
  const isReady = async () =>
    existsSync(file) && (await fetch(`${JSON.parse(readFileSync(file, 'utf8')).http}/readyz`)).ok;
  while (!(await isReady())) {
    if (daemon.exitCode !== null) throw new Error(`the daemon ended with ${daemon.exitCode}`);
    if (performance.now() > deadline) throw new Error(`the daemon was not ready after ${START_MS} ms`);
    await delay(50);
  }
  return daemon;
}

async function measureAll(): Promise<{ commands: readonly Command[]; found: Map<string, number[]> }> {
  await makeDatabases();
  const daemon = await startDaemon();
  try {
    const statement = ['sql', 'select 1'];
    const url = values['database-url'] ?? `postgres://postgres@localhost/postgres?host=${join(served, '.extreg')}`;
    const imports = FORMERLY_LOADED.map((name) => `import '${name}';`).join(' ');
    const commands: Command[] = [
      { name: REFERENCE, args: ['--input-type=module', '--eval', imports], cwd: ROOT },
      { name: 'node, an empty program', args: ['--input-type=module', '--eval', ''], cwd: ROOT },
      extreg(['--help'], alone),
      extreg(['--version'], alone),
      { ...extreg(['healht'], alone), name: 'extreg healht (wrong usage)', fails: true },
      extreg(['health'], served),
      { ...extreg(statement, alone, { DATABASE_URL: url }), name: 'extreg sql, on a database by its URL' },
      { ...extreg(statement, alone), name: 'extreg sql, opens the embedded database' },
    ];
    return { commands, found: await measureCommands(commands, rounds) };
  } finally {
    daemon.kill('SIGTERM');
    if (daemon.exitCode === null) await once(daemon, 'exit');
  }
}

const loadBefore = loadavg()[0] ?? 0;
const { commands, found } = await measureAll().finally(() => rmSync(directory, { recursive: true, force: true }));
const reference = median(found.get(REFERENCE));

const section = `## The start of a command

Written by \`npm run bench:start\`.

- Machine: ${machine()}
- Node ${process.version}, ${['typebox', 'commander', '@electric-sql/pglite'].map(packageVersion).join(', ')}
- ${rounds} rounds, the commands taking turns; medians
- Load average of the machine before the start: ${loadBefore.toFixed(1)} (figures taken above 0.5 compare little but the ratios)

${table(
  ['process', 'processor seconds', 'the lowest', '÷ reference'],
  commands.map(({ name }) => {
    const seconds = found.get(name) ?? [];
    return [
      name,
      median(seconds).toFixed(3),
      Math.min(...seconds).toFixed(3),
      (median(seconds) / reference).toFixed(2),
    ];
  }),
)}
### What is measured

- User and system time of the whole process, with all its threads and the start of Node itself.
- The reference imports from node_modules what every command loaded before libraries were bundled (docs/decisions/0020):
  ${FORMERLY_LOADED.join(', ')}. That was nearly all of \`extreg --help\`: 0.93 of it.
- \`health\` asks a daemon that runs, with an empty registry. \`sql\` runs \`select 1\`: on the database of that daemon by its URL
  (or on the one of \`--database-url\`), and on an embedded database that no process has open.

### What is not

- The time that a user waits, which on an idle machine is about as long, but for the embedded database, where threads work side by side.
- What the daemon and the database do for a command.
`;
process.stdout.write(section);
if (!values['no-write']) writeSection('start', section);

// What `npm pack` hands out, installed in a directory that knows nothing of this one, and used there by its commands.
// Whatever is installed and started here runs under the first `node` in PATH.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import test, { type ExecutionContext } from 'ava';
import type { NatsConnection } from '#@nats-io/nats-core';
import { connect } from '#@nats-io/transport-node';
import { TEMPLATE_FILE } from '../../src/embedded/postgres/embedded-template.js';
import { isDeep, ONLY_DEEP } from '../helpers/depth.js';
import { startExtension, TestServer } from '../helpers/nats-server.js';
import { onPostgres } from '../helpers/postgres.js';
import { canSeeProcesses, endOf, processesNaming } from '../helpers/processes.js';
import { unless } from '../helpers/skip.js';
import { until } from '../helpers/until.js';

const READY_MS = 60_000;
/** A dependency that declares another Node than this one fails the installation. */
const INSTALL_OPTIONS = ['--engine-strict', '--prefer-offline', '--no-audit', '--no-fund'];
/** What packing needs of a checkout, besides what goes into the package. Any other file of the checkout is left out. */
const BESIDE_THE_PACKAGE = [
  ...['bench', 'console', 'scripts', 'src', 'test'],
  ...['LICENSE', 'README.md', 'package.json', 'package-lock.json', 'tsconfig.json'],
];
/** What Python writes when an example is run. */
const CACHE = '__pycache__';
const FLOOR = '20.19';
const INSERT = "insert into extensions (id, type, subject) values ('shout', 'pre', 'demo.shout')";

/** Without links: the commands name the installed files by their real path. */
const elsewhere = mkdtempSync(join(tmpdir(), 'extreg-package-'));
const installed = join(elsewhere, 'node_modules', 'extension-registry');
test.after.always(() => rmSync(elsewhere, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as {
  version: string;
  scripts: Record<string, string>;
  engines: { node: string };
  files: string[];
  dependencies: Record<string, string>;
};
let packed: { filename: string; files: { path: string }[] };

/** Neither settings of a daemon nor what the npm that runs this suite tells its scripts. */
function environment(extra: Record<string, string> = {}): NodeJS.ProcessEnv {
  const foreign =
    /^(EXTENSION_|DATABASE_URL$|NATS_URL$|NATS_TOKEN$|PG|NODE_ENV$|NODE_V8_COVERAGE$|npm_(?!config_)|npm_config_local_prefix$)/;
  return { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name))), ...extra };
}

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(command: string, args: string[], cwd: string, extra: Record<string, string> = {}): Promise<Run> {
  const child = spawn(command, args, { cwd, env: environment(extra), stdio: ['ignore', 'pipe', 'pipe'] });
  const closed = once(child, 'close');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await closed) as [number | null];
  return { code, stdout, stderr };
}

const npx = (cwd: string, args: string[], extra: Record<string, string> = {}): Promise<Run> =>
  run('npx', ['extreg', ...args], cwd, extra);

/** What is installed is named on the command line of whatever runs from it. */
const running = () => (canSeeProcesses ? processesNaming(elsewhere) : []);

/** A directory below the installed package, as a user of it has many. */
function directory(t: ExecutionContext): string {
  const path = mkdtempSync(join(elsewhere, 'work-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));
  return path;
}

interface Serving {
  readonly child: ChildProcess;
  readonly daemon: { http: string; nats: string; nats_token: string | null };
}

/** `command` serves in `cwd`, on a port of its own; in a process group of its own, as in a terminal. */
async function serve(
  t: ExecutionContext,
  command: readonly [string, ...string[]],
  cwd: string,
  extra: Record<string, string> = {},
): Promise<Serving> {
  const [program, ...args] = command;
  const child = spawn(program, [...args, 'serve', '--http-port', '0'], {
    cwd,
    env: environment(extra),
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const log = Promise.all([text(child.stdout), text(child.stderr)]);
  t.teardown(() => {
    for (const { pid } of running()) process.kill(pid, 'SIGKILL');
  });
  const file = join(cwd, '.extreg', 'daemon.json');
  await until('the daemon started', () => existsSync(file) || endOf(child) !== null, READY_MS);
  if (endOf(child) !== null) throw new Error(`it ended with ${endOf(child)}: ${(await log).join('')}`);
  const daemon = JSON.parse(readFileSync(file, 'utf8')) as Serving['daemon'];
  await until('it is ready', async () => (await fetch(`${daemon.http}/readyz`)).ok, READY_MS);
  return { child, daemon };
}

async function answers(t: ExecutionContext, cwd: string, nc: NatsConnection, extra: Record<string, string> = {}) {
  await startExtension(nc, 'demo.shout', ({ data }) => ({ body: Buffer.from(data).toString().toUpperCase() }));
  const inserted = await npx(cwd, ['sql', INSERT], extra);
  t.is(inserted.stdout, 'INSERT 1\n', inserted.stderr);
  await until(
    'it answers',
    async () => (await npx(cwd, ['invoke', 'shout', 'hello'], extra)).stdout === 'HELLO',
    READY_MS,
  );
}

const nothingRuns = () => until('nothing of it runs', () => running().length === 0);

/**
 * A checkout like this one: while it is packed it has a template in dist/, which other tests of this one must not find. Its dist/
 * has the compiled files of the tests too, and one that has no source any more.
 */
const isNoPattern = (path: string): boolean => !path.startsWith('!');

function copyCheckout(): string {
  const checkout = mkdtempSync(join(tmpdir(), 'extreg-checkout-'));
  for (const name of [
    ...manifest.files.filter(isNoPattern).map((path) => path.split('/')[0] ?? ''),
    ...BESIDE_THE_PACKAGE,
  ])
    cpSync(name, join(checkout, name), { recursive: true });
  symlinkSync(resolve('node_modules'), join(checkout, 'node_modules'));
  writeFileSync(join(checkout, 'dist', 'src', 'left-over.js'), '');
  return checkout;
}

test.before('it is packed and installed', async (t) => {
  t.timeout(180_000);
  const checkout = copyCheckout();
  const pack = await run('npm', ['pack', '--json', '--pack-destination', elsewhere], checkout);
  const isKept = existsSync(join(checkout, 'dist', TEMPLATE_FILE));
  rmSync(checkout, { recursive: true, force: true });
  t.is(pack.code, 0, pack.stderr);
  t.false(isKept, 'the template is for the package alone');
  [packed] = JSON.parse(pack.stdout);
  writeFileSync(join(elsewhere, 'package.json'), '{}');
  const install = await run('npm', ['install', join(elsewhere, packed.filename), ...INSTALL_OPTIONS], elsewhere);
  t.is(install.code, 0, install.stderr);
});

test('package: what it brings with it is what dist/ loads by its own name; the rest is in dist/vendor', (t) => {
  const loaded = (directory: string) =>
    readdirSync(directory, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.js'))
      .flatMap((name) => [
        ...readFileSync(join(directory, name), 'utf8').matchAll(/^(?:import|export) .*from '((?:@[\w-]+\/)?[\w-]+)/gm),
      ])
      .map(([, name = '']) => name);
  const imported = loaded(join(installed, 'dist', 'src')).filter((name) => name !== 'node');
  t.deepEqual([...new Set(imported)].sort(), Object.keys(manifest.dependencies).sort());
});

test('package: nothing that is installed with it declares a Node above the floor of package.json', (t) => {
  const floor = /^>=(\d+\.\d+)$/.exec(manifest.engines.node)?.[1];
  t.is(floor, '20.19');
  const { packages } = JSON.parse(readFileSync(join(elsewhere, 'node_modules', '.package-lock.json'), 'utf8')) as {
    packages: Record<string, { engines?: { node?: string } }>;
  };
  t.deepEqual(
    Object.keys(packages).sort(),
    ['extension-registry', ...Object.keys(manifest.dependencies)].map((name) => `node_modules/${name}`).sort(),
  );
  for (const [path, { engines = {} }] of Object.entries(packages)) {
    const [, major, minor = '0'] = /^>= ?(\d+)(?:\.(\d+))?/.exec(engines.node ?? '>=0') ?? [];
    const isBelow = Number(major) < 20 || (Number(major) === 20 && Number(minor) <= 19);
    t.true(isBelow, `${path} declares ${engines.node}`);
  }
});

unless(isDeep ? null : ONLY_DEEP, test.serial)(
  'package: installs with --engine-strict and works on Node 20.19, the floor of package.json',
  async (t) => {
    t.timeout(300_000);
    const nodes = directory(t);
    writeFileSync(join(nodes, 'package.json'), '{}');
    const fetched = await run('npm', ['install', `node@${FLOOR}`, '--no-audit', '--no-fund'], nodes);
    t.is(fetched.code, 0, fetched.stderr);
    const PATH = `${join(nodes, 'node_modules', 'node', 'bin')}:${process.env.PATH}`;
    const cwd = directory(t);
    writeFileSync(join(cwd, 'package.json'), '{}');
    t.regex((await run('node', ['--version'], cwd, { PATH })).stdout, /^v20\.19\./);
    const install = await run('npm', ['install', join(elsewhere, packed.filename), ...INSTALL_OPTIONS], cwd, { PATH });
    t.is(install.code, 0, install.stderr);
    const { child, daemon } = await serve(t, ['npx', 'extreg'], cwd, { PATH });
    const nc = await connect({ servers: daemon.nats, token: daemon.nats_token ?? '', maxReconnectAttempts: -1 });
    t.teardown(() => nc.close());
    await answers(t, cwd, nc, { PATH });
    process.kill(-(child.pid ?? 0), 'SIGINT');
    await nothingRuns();
  },
);

test.serial('package: holds what runs and what is to be read, and nothing else', (t) => {
  const sources = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  t.true(sources.length > 50);
  const code = sources.flatMap((name) => ['js', 'js.map'].map((suffix) => `dist/src/${name.replace(/ts$/, suffix)}`));
  const held = packed.files.map(({ path }) => path);
  const { files: bundles } = JSON.parse(readFileSync('dist/.bundles.json', 'utf8')) as { files: string[] };
  for (const needed of ['typebox.js', 'typebox.js.map', 'yaml.cjs', 'LICENSES.txt']) t.true(bundles.includes(needed));
  t.deepEqual(
    held.filter((path) => path.includes(CACHE)),
    [],
  );
  const vendor = bundles.map((name) => `dist/vendor/${name}`);
  const { files } = JSON.parse(readFileSync('dist/.pages.json', 'utf8')) as { files: string[] };
  for (const needed of ['manifest.json', 'assets/LICENSES.txt']) t.true(files.includes(needed));
  const pages = files.map((name) => `dist/pages/${name}`);
  t.deepEqual(
    held.filter((path) => path.startsWith('dist/')).sort(),
    [...code, ...vendor, ...pages, `dist/${TEMPLATE_FILE}`].sort(),
  );
  const others = held.filter((path) => !path.startsWith('dist/') && !/^(deploy|docs|drizzle|examples)\//.test(path));
  t.deepEqual(others.sort(), [
    ...['ARCHITECTURE.md', 'CHANGELOG.md', 'LICENSE', 'README.md'],
    ...['bench/RESULTS.md', 'package.json'],
  ]);
  for (const folder of ['deploy', 'docs', 'drizzle', 'examples'])
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }))
      if (/\.\w+$/.test(name) && !name.includes(CACHE)) t.true(held.includes(`${folder}/${name}`), `${folder}/${name}`);
});

test('package: nothing runs while it is installed', (t) => {
  const scripts = Object.keys(manifest.scripts);
  t.deepEqual(
    scripts.filter((name) => /^(pre|post)?install$|^prepare$|^(pre|post)prepare$/.test(name)),
    [],
  );
});

test('package: its README links to nothing that it does not hold', (t) => {
  const links = [...readFileSync('README.md', 'utf8').matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(
    ([, path = '']) => path,
  );
  t.true(links.length > 5);
  for (const link of links) t.true(existsSync(join(installed, link)), link);
});

test.serial('package: npx extreg knows its version, in a directory below too', async (t) => {
  for (const cwd of [elsewhere, directory(t)]) t.is((await npx(cwd, ['--version'])).stdout, `${manifest.version}\n`);
});

test.serial('package: migrates and serves on the embedded database and nats-server; Ctrl-C ends it', async (t) => {
  const cwd = directory(t);
  const migrated = await npx(cwd, ['migrate']);
  t.regex(migrated.stdout, /^the schema went from version 0 to \d+\n$/, migrated.stderr);
  // A database that is made from nothing would have left a template for the next one.
  t.deepEqual(readdirSync(join(cwd, '.extreg')), ['pgdata']);
  const { child, daemon } = await serve(t, ['npx', 'extreg'], cwd);
  const { nats, nats_token } = daemon;
  const nc = await connect({ servers: nats, token: nats_token ?? '', maxReconnectAttempts: -1 });
  t.teardown(() => nc.close());
  await answers(t, cwd, nc);
  process.kill(-(child.pid ?? 0), 'SIGINT');
  await nothingRuns();
});

onPostgres(test, 'empty')(
  'package: migrates and serves on a PostgreSQL and a nats-server; SIGTERM ends it',
  async (t, database) => {
    const server = await TestServer.start();
    t.teardown(() => server.stop());
    if (database.connection.kind !== 'url') throw new Error('a PostgreSQL has an address');
    const settings = { DATABASE_URL: database.connection.url, NATS_URL: server.url };
    const cwd = directory(t);
    const migrated = await npx(cwd, ['migrate'], settings);
    t.regex(migrated.stdout, /^the schema went from version 0 to \d+\n$/, migrated.stderr);
    const { child } = await serve(t, [join(elsewhere, 'node_modules', '.bin', 'extreg')], cwd, settings);
    await answers(t, cwd, await server.connect(), settings);
    t.false(existsSync(join(cwd, '.extreg', 'pgdata')));
    const exited = once(child, 'exit');
    child.kill('SIGTERM');
    t.deepEqual(await exited, [0, null]);
    await nothingRuns();
  },
);

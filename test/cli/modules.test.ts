// MAIN-4 of main.ts: what the commands and the daemon load. Counted, not timed: V8 notes every script of a process for coverage.
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { DaemonProcess } from '../helpers/daemon-process.js';
import { copyEmbedded } from '../helpers/embedded-template.js';
import { directory, EXTREG, writeDaemonFile } from './run.js';

interface Loaded {
  /** Paths from the root of the repository. */
  readonly files: readonly string[];
  /** Packages in the bundles that were loaded; sorted. */
  readonly bundled: readonly string[];
  /** Packages of which a file was loaded from node_modules itself; sorted. */
  readonly bare: readonly string[];
  readonly stdout: string;
}

const packagesIn = (paths: readonly string[]): string[] =>
  [...new Set(paths.flatMap((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []))].sort();

const sourcesOf = (bundle: string): readonly string[] =>
  (JSON.parse(readFileSync(`${bundle}.map`, 'utf8')) as { sources: string[] }).sources;

/** What V8 wrote into `coverage`, of the process and its threads. */
function readLoaded(coverage: string, stdout = ''): Loaded {
  const urls = readdirSync(coverage).flatMap((name) => {
    const { result } = JSON.parse(readFileSync(join(coverage, name), 'utf8')) as { result: { url: string }[] };
    return result.map(({ url }) => url).filter((url) => url.startsWith('file:'));
  });
  const files = [...new Set(urls)].map((url) => relative(resolve('.'), fileURLToPath(url)));
  const bundles = files.filter((path) => path.startsWith(join('dist', 'vendor')));
  return { files, bundled: packagesIn(bundles.flatMap(sourcesOf)), bare: packagesIn(files), stdout };
}

async function load(
  t: ExecutionContext,
  args: readonly string[],
  { cwd = directory(t), node = [] as readonly string[] } = {},
): Promise<Loaded> {
  const coverage = join(directory(t), 'coverage');
  const { PATH = '' } = process.env;
  const env = { PATH, NODE_V8_COVERAGE: coverage };
  const options = { cwd, env, maxBuffer: 1024 ** 3 };
  const { stdout } = await promisify(execFile)(process.execPath, [...node, EXTREG, ...args], options).catch(
    (error: { stdout: string }) => error,
  );
  return readLoaded(coverage, stdout);
}

test('MAIN-4: the overview loads no library but commander', async (t) => {
  const { files, bundled, bare, stdout } = await load(t, ['--help']);
  t.regex(stdout, /^Usage: extreg/);
  t.deepEqual([bundled, bare], [['commander'], []]);
  t.deepEqual(
    files.filter((path) => path.includes('/cli/commands/')),
    [],
  );
  t.true(files.length <= 15, files.join('\n'));
});

for (const args of [['--version'], ['healht']])
  test(`MAIN-4: ${args} loads no command`, async (t) => {
    const { files, bundled, bare } = await load(t, args);
    t.deepEqual([bundled, bare], [['commander'], []]);
    t.true(files.length <= 15, files.join('\n'));
  });

test('MAIN-4: health loads what its settings are checked by, and nothing of the daemon', async (t) => {
  const cwd = directory(t);
  const report = { extensions: [], summary: { total: 0, enabled: 0, healthy: 0, unhealthy: 0 } };
  const server = createServer((_, response) => response.end(JSON.stringify(report))).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await new Promise((listening) => server.once('listening', listening));
  writeDaemonFile(cwd, { http: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
  const { files, bundled, bare, stdout } = await load(t, ['health', '--data-dir', '.'], { cwd });
  t.regex(stdout, /0 extensions/);
  t.deepEqual([bundled, bare], [['commander', 'typebox'], []]);
  t.true(files.length <= 50, files.join('\n'));
});

test('MAIN-4: sql loads the driver and no server, and the embedded database optimises nothing', async (t) => {
  const cwd = directory(t);
  await copyEmbedded(join(cwd, '.extreg'));
  const statement = "select current_setting('shared_buffers') as buffers";
  const node = ['--trace-wasm-compilation-times'];
  const { files, bundled, bare, stdout } = await load(t, ['sql', statement], { cwd, node });
  // V8 writes beside it.
  t.true(stdout.includes('buffers\n16MB\n(1 row)\n'));
  const compilers = new Set([...stdout.matchAll(/ using (\w+),/g)].map(([, name]) => name));
  t.deepEqual([...compilers], ['Liftoff']);

  t.deepEqual(bare, ['@electric-sql/pglite']);
  for (const name of ['commander', 'drizzle-orm', 'pino', 'postgres', 'typebox']) t.true(bundled.includes(name), name);
  for (const name of ['@nats-io/nats-core', 'fastify', 'rxjs', 'ws', 'yaml']) t.false(bundled.includes(name), name);
  t.true(files.length <= 81, files.join('\n'));
});

test('MAIN-4: the daemon loads each library once, from its bundle', async (t) => {
  const coverage = join(directory(t), 'coverage');
  const daemon = await DaemonProcess.startReady(t, { NODE_V8_COVERAGE: coverage });
  daemon.child.kill('SIGTERM');
  t.is(await daemon.exited, 0);
  const { bundled, bare } = readLoaded(coverage);
  t.deepEqual(bare, ['@electric-sql/pglite', 'murmurhash', 'xstate']);
  for (const name of ['@nats-io/nats-core', 'drizzle-orm', 'fastify', 'prom-client', 'rxjs', 'typebox', 'ws'])
    t.true(bundled.includes(name), name);
  t.false(bundled.includes('yaml'));
});

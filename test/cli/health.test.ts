import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { extensionHealth, healthSource, listen } from '../http/helpers.js';
import { directory, run, writeDaemonFile } from './run.js';

const extensions = [
  extensionHealth('normalize_text', { circuit_breaker_state: 'open', trip_reason: 'error_rate', success_rate: null }),
  { ...extensionHealth('guard'), auto_disabled: true, enabled: false },
];

test('health: a table of all extensions, found through daemon.json', async (t) => {
  const { url } = await listen(t, { health: healthSource(...extensions) });
  const cwd = directory(t);
  writeDaemonFile(cwd, { http: url });
  const { code, stdout, stderr } = await run(['health', '--data-dir', '.'], { cwd });
  t.is(stderr, '');
  t.is(code, 0);
  const lines = stdout.split('\n').map((line) => line.split(/ {2,}/));
  t.deepEqual(lines[0]?.slice(0, 6), ['ID', 'TYPE', 'VERSION', 'ENABLED', 'STATE', 'SUCCESS']);
  t.deepEqual(lines[1]?.slice(0, 7), ['guard', 'pre', 'v1', 'auto-disabled', 'closed', '95.0 %', '45.2']);
  t.deepEqual(lines[2]?.slice(0, 6), ['normalize_text', 'pre', 'v1', 'yes', 'open', '-']);
  t.deepEqual(lines[4], ['2 extensions: 1 enabled, 0 healthy, 2 unhealthy']);
});

test('health <id>: its versions and instances, and why it opened', async (t) => {
  const { url } = await listen(t, { health: healthSource(...extensions) });
  const cwd = directory(t);
  const { code, stdout } = await run(['health', 'normalize_text', '--http-port', new URL(url).port], { cwd });
  t.is(code, 0);
  t.regex(stdout, /^normalize_text {2}pre {2}yes {2}opened last for: error_rate\n/);
  t.regex(stdout, /\nv1 +yes +yes +open /);
  t.regex(stdout, /\nv2 +no +no, isolated +closed, recovering /);
  t.regex(stdout, /\ni-1 +- +100 +yes +unhealthy +40\.0 % +10\.0 +20\.0 +2025-01-27T12:00:30\.000Z\n/);
});

test('health <id>: says what it opened on', async (t) => {
  const trip_evidence = {
    failures: 3,
    outcomes: 20,
    overdue: 2,
    error_rate: 0.23,
    window_seconds: 60,
    first_failure: null,
    last_failure: null,
  };
  const opened = extensionHealth('guard', { trip_reason: 'failure_count', trip_evidence });
  const { url } = await listen(t, { health: healthSource(opened) });
  const { stdout } = await run(['health', 'guard', '--http-port', new URL(url).port], { cwd: directory(t) });
  t.regex(stdout, /opened last for: failure_count \(3 failures and 2 overdue of 22 in 60 s\)\n/);
});

test('health --json: what the API says', async (t) => {
  const source = healthSource(...extensions);
  const { url } = await listen(t, { health: source });
  const options = { cwd: directory(t), env: { EXTENSION_REGISTRY_HTTP_PORT: new URL(url).port } };
  const all = await run(['health', '--json'], options);
  t.deepEqual(JSON.parse(all.stdout), { ...source.report(), extensions: [...source.report().extensions].reverse() });
  const one = await run(['health', 'guard', '--json'], options);
  t.deepEqual(JSON.parse(one.stdout), source.one('guard'));
});

test('health: an unknown extension is an error of the API', async (t) => {
  const { url } = await listen(t);
  const { code, stderr } = await run(['health', 'none', '--http-port', new URL(url).port], { cwd: directory(t) });
  t.is(code, 1);
  t.is(stderr, "extreg: extension_not_found: no extension 'none'\n");
});

const unreachable = test.macro<[what: string, prepare: (cwd: string) => void, expected: RegExp]>({
  async exec(t, _, prepare, expected) {
    const cwd = directory(t);
    prepare(cwd);
    for (const args of [['health'], ['invoke', 'a']]) {
      const { code, stdout, stderr } = await run([...args, '--data-dir', '.'], { cwd });
      t.is(code, 69);
      t.is(stdout, '');
      t.regex(stderr, expected);
      t.is(stderr.split('\n').length, 2, 'one sentence');
    }
  },
  title: (_, what) => `X1: health and invoke: ${what} is unreachable`,
});
test(unreachable, 'no daemon', () => undefined, /^extreg: no daemon runs on .*; start one with 'extreg serve'/);
test(unreachable, 'a daemon that is gone', (cwd) => writeDaemonFile(cwd, { pid: 4_194_303 }), /no daemon runs on/);
test(
  unreachable,
  'a daemon that does not listen',
  (cwd) => writeDaemonFile(cwd, {}),
  /127\.0\.0\.1:1.*(ECONNREFUSED|refused)/,
);
test(
  unreachable,
  'a daemon.json of something else',
  (cwd) => writeFileSync(join(cwd, 'daemon.json'), '{"pid":"x"}'),
  /is not what a daemon writes/,
);
test(unreachable, 'a broken daemon.json', (cwd) => writeFileSync(join(cwd, 'daemon.json'), '{'), /cannot be read/);

test('health: something else on the port is no daemon', async (t) => {
  const server = createServer((_, response) => response.end('hello'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { code, stderr } = await run(['health', '--http-port', String(port)], { cwd: directory(t) });
  t.is(code, 69);
  t.regex(stderr, /gave no answer/);
});

import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import type { ExtensionHealth } from '../../../src/domain/health/health-schema.js';
import { breakerSettingsInForce } from '../../../src/domain/registry/policy.js';
import { DAEMON_SOCKET_NAME } from '../../../src/embedded/postgres/socket-lock.js';
import { breakerSettings } from '../../helpers/breaker-settings.js';
import { extensionHealth, healthSource, listen, partsOf } from '../../http/helpers.js';
import { directory, run, writeDaemonFile } from '../run.js';

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
    slow: 1,
    overdue: 2,
    error_rate: 0.23,
    window_seconds: 60,
    first_failure: null,
    last_failure: null,
  };
  const opened = extensionHealth('guard', { trip_reason: 'failure_count', trip_evidence });
  const { url } = await listen(t, { health: healthSource(opened) });
  const { stdout } = await run(['health', 'guard', '--http-port', new URL(url).port], { cwd: directory(t) });
  t.regex(stdout, /opened last for: failure_count \(3 failures \(1 slow\) and 2 overdue of 22 in 60 s\)\n/);
});

test('health: until when a breaker is open, and which rows are refused', async (t) => {
  const refused_rows = [
    {
      extension_id: 'guard',
      version: 'v2',
      instance_id: null,
      revision: 3,
      since: '2025-01-27T11:00:00.000Z',
      problems: ['retry must be 0..100, got 101'],
    },
    {
      extension_id: 'gone\u001b[2J',
      version: null,
      instance_id: null,
      revision: 4,
      since: '2025-01-27T11:30:00.000Z',
      problems: ['type must be one of x', 'y'],
    },
  ];
  const open = { circuit_breaker_state: 'open', circuit_breaker_open_until: '2025-01-27T12:01:00.000Z' } as const;
  const source = healthSource(extensionHealth('normalize_text', open));
  const { url } = await listen(t, {
    health: {
      ...source,
      list: async (selection) => ({ ...(await source.list(selection)), refused_rows, refused_rows_total: 7 }),
      one: (id) => partsOf({ ...(source.whole(id) as ExtensionHealth), refused_rows: refused_rows.slice(0, 1) }),
    },
  });
  const options = { cwd: directory(t), env: { EXTENSION_REGISTRY_HTTP_PORT: new URL(url).port } };
  const all = await run(['health'], options);
  t.regex(all.stdout, /\nnormalize_text .* open until 2025-01-27T12:01:00\.000Z +95\.0 %/);
  t.true(
    all.stdout.endsWith(
      [
        '1 extension: 1 enabled, 0 healthy, 1 unhealthy',
        'the daemon refuses 2 rows, and keeps to the rest:',
        '  extension guard, version v2 (since 2025-01-27T11:00:00.000Z): retry must be 0..100, got 101',
        '  extension gone\\u001b[2J (since 2025-01-27T11:30:00.000Z): type must be one of x',
        '  extension gone\\u001b[2J (since 2025-01-27T11:30:00.000Z): y',
        '  and 5 more\n',
      ].join('\n'),
    ),
    all.stdout,
  );
  const one = await run(['health', 'normalize_text'], options);
  t.regex(one.stdout, /\nv1 +yes +yes +open until 2025-01-27T12:01:00\.000Z /);
  t.regex(
    one.stdout,
    /\n\nthe daemon refuses 1 row, and keeps to the rest:\n {2}extension guard, version v2 \(since .*Z\): retry must/,
  );
  const json = await run(['health', '--json'], options);
  t.like(JSON.parse(json.stdout), { refused_rows, refused_rows_total: 7 });
});

test('health --unhealthy: those that are disabled or whose breaker is not closed; the counts are of all', async (t) => {
  const { url } = await listen(t, { health: healthSource(...extensions, extensionHealth('well')) });
  const options = { cwd: directory(t), env: { EXTENSION_REGISTRY_HTTP_PORT: new URL(url).port } };
  const { stdout } = await run(['health', '--unhealthy'], options);
  const lines = stdout.split('\n').map((line) => line.split(/ {2,}/)[0]);
  t.deepEqual(lines.slice(0, 5), [
    'ID',
    'guard',
    'normalize_text',
    '',
    '3 extensions: 2 enabled, 1 healthy, 2 unhealthy',
  ]);
  const { code, stderr } = await run(['health', 'well', '--unhealthy'], options);
  t.is(code, 64);
  t.regex(stderr, /^extreg: --unhealthy: has a meaning only without an extension\nnext: extreg health --help/);
});

test('health <id>: each breaker setting, and what decides it', async (t) => {
  const breaker_settings = breakerSettingsInForce({ breaker: { failure_threshold: 2 } }, null, breakerSettings());
  const source = healthSource(extensionHealth('guard'));
  const one = { ...(source.whole('guard') as ExtensionHealth), breaker_settings };
  const { url } = await listen(t, { health: { ...source, one: () => partsOf(one) } });
  const options = { cwd: directory(t), env: { EXTENSION_REGISTRY_HTTP_PORT: new URL(url).port } };
  const { stdout } = await run(['health', 'guard'], options);
  t.regex(stdout, /\n\nBREAKER SETTING +VALUE +FROM\n/);
  t.regex(stdout, /\nfailure_threshold +2 +policy\n/);
  t.regex(stdout, /\ncircuit_breaker_enabled +true +configuration\n/);
  t.like(JSON.parse((await run(['health', 'guard', '--json'], options)).stdout), { breaker_settings });
});

test('health --json: what the API says', async (t) => {
  const source = healthSource(...extensions);
  const { url } = await listen(t, { health: source });
  const options = { cwd: directory(t), env: { EXTENSION_REGISTRY_HTTP_PORT: new URL(url).port } };
  const all = await run(['health', '--json'], options);
  t.deepEqual(JSON.parse(all.stdout), source.report());
  const one = await run(['health', 'guard', '--json'], options);
  t.deepEqual(JSON.parse(one.stdout), source.whole('guard'));
});

test('health: an unknown extension is an error of the API', async (t) => {
  const { url } = await listen(t);
  const { code, stderr } = await run(['health', 'none', '--http-port', new URL(url).port], { cwd: directory(t) });
  t.is(code, 1);
  t.is(stderr, "extreg: extension_not_found: no extension 'none'\nnext: extreg ls lists the extensions\n");
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
      t.regex(stderr, /^[^\n]+\n(next: [^\n]+\n)?$/, 'one sentence, and what to do next');
    }
  },
  title: (_, what) => `MAIN-1: health and invoke: ${what} is unreachable`,
});
test(
  unreachable,
  'no daemon',
  () => undefined,
  /^extreg: no daemon runs on .*; start one with 'extreg serve', or name the one that runs with --data-dir or --(url|nats-url)\n$/,
);
test(unreachable, 'a daemon that is gone', (cwd) => writeDaemonFile(cwd, { pid: 4_194_303 }), /no daemon runs on/);
test(
  unreachable,
  'a daemon whose data directory was copied',
  (cwd) => {
    writeDaemonFile(cwd, {});
    rmSync(join(cwd, DAEMON_SOCKET_NAME));
  },
  /no daemon runs on/,
);
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

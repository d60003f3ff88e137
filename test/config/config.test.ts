import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import {
  breakerDefaults,
  type Config,
  ConfigError,
  type ConfigInput,
  databasePlaces,
  explainConfig,
  isLoopback,
  loadConfig,
  printableConfig,
} from '../../src/config/config.js';
import { envName, SETTING_KEYS, settingOf } from '../../src/config/schema.js';
import { EVENT_KINDS } from '../../src/domain/registry/events.js';
import { BREAKER_SETTINGS, MAX_TIMER_SECONDS } from '../../src/domain/registry/policy.js';

/** A working directory of its own, with these files. */
function directory(t: ExecutionContext, files: Record<string, string> = {}): string {
  const cwd = mkdtempSync(join(tmpdir(), 'extreg-config-'));
  t.teardown(() => rmSync(cwd, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) writeFileSync(join(cwd, name), content);
  return cwd;
}

const load = (input: Partial<ConfigInput>): Config => loadConfig({ flags: {}, env: {}, cwd: '/nonexistent', ...input });

function problemsOf(input: Partial<ConfigInput>): readonly string[] {
  try {
    load(input);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}

test('CONFIG-1: everything has its default where nothing is given', (t) => {
  const config = load({});
  for (const key of SETTING_KEYS.filter((one) => one !== 'data_dir')) t.deepEqual(config[key], settingOf(key).default);
  t.is(config.data_dir, '/nonexistent/.extreg');
});

test('CONFIG-1: a flag wins over the environment, that over the file, that over the default', (t) => {
  const cwd = directory(t, { 'extreg.config.yaml': 'extension_registry:\n  http_port: 1\n  minimum_volume: 7\n' });
  const env = { EXTENSION_REGISTRY_HTTP_PORT: '2' };
  const { config, origins } = explainConfig({ flags: { http_port: '3' }, env, cwd });
  t.is(config.http_port, 3);
  t.is(origins.http_port, 'flag --http-port');
  t.is(load({ cwd, env }).http_port, 2);
  t.is(explainConfig({ flags: {}, env, cwd }).origins.http_port, 'environment EXTENSION_REGISTRY_HTTP_PORT');
  t.is(load({ cwd }).http_port, 1);
  t.is(config.minimum_volume, 7);
  t.is(origins.minimum_volume, 'file extreg.config.yaml');
  t.is(origins.log_level, 'default');
});

test('CONFIG-1: empty means unset in every source', (t) => {
  const cwd = directory(t, {
    'extreg.config.yaml': "extension_registry:\n  http_port:\n  log_level: ''\n  reply_prefixes: []\n",
  });
  const env = { EXTENSION_REGISTRY_HTTP_PORT: '', DATABASE_URL: ' ', EXTENSION_REGISTRY_CONFIG: '' };
  t.deepEqual(load({ cwd, env, flags: { http_port: '', minimum_volume: undefined } }), {
    ...load({}),
    data_dir: join(cwd, '.extreg'),
  });
});

const file = test.macro<[name: string, content: string]>({
  exec(t, name, content) {
    t.is(load({ cwd: directory(t, { [name]: content }) }).http_port, 9000);
  },
  title: (_, name) => `the file ${name} is found in the working directory`,
});
test(file, 'extreg.config.yaml', 'extension_registry:\n  http_port: 9000');
test(file, 'extreg.config.yml', 'extension_registry: { http_port: "9000" }');
test(file, 'extreg.config.json', '{"extension_registry":{"http_port":9000}}');

test('a file that is named is used instead, by flag before environment, and must exist', (t) => {
  const cwd = directory(t, {
    'extreg.config.yaml': 'extension_registry: { http_port: 1 }',
    'a.yaml': 'extension_registry: { http_port: 2 }',
    'b.json': '{"extension_registry":{"http_port":3}}',
  });
  t.is(load({ cwd, env: { EXTENSION_REGISTRY_CONFIG: 'a.yaml' } }).http_port, 2);
  t.is(load({ cwd, env: { EXTENSION_REGISTRY_CONFIG: 'a.yaml' }, flags: { config: 'b.json' } }).http_port, 3);
  t.regex(problemsOf({ cwd, flags: { config: 'c.yaml' } })[0] ?? '', /^c\.yaml: expected a readable .*ENOENT/);
});

test('CONFIG-1: nothing can be believed on purpose: none in every source, and [] in a file', (t) => {
  const file = (text: string) =>
    directory(t, { 'extreg.config.yaml': `extension_registry:\n  context_from: ${text}\n` });
  t.deepEqual(load({ flags: { context_from: 'none' } }).context_from, []);
  t.deepEqual(load({ env: { EXTENSION_REGISTRY_CONTEXT_FROM: ' none ' } }).context_from, []);
  t.deepEqual(load({ cwd: file('none') }).context_from, []);
  t.deepEqual(load({ cwd: file('[none]') }).context_from, []);
  const { config, origins } = explainConfig({ flags: {}, env: {}, cwd: file('[]') });
  t.deepEqual(config.context_from, []);
  t.is(origins.context_from, 'file extreg.config.yaml');
  for (const empty of ['', "''"])
    t.deepEqual(load({ cwd: file(empty) }).context_from, ['subject', 'header', 'body'], 'empty means unset');
  t.deepEqual(load({ env: { EXTENSION_REGISTRY_CONTEXT_FROM: '' } }).context_from, ['subject', 'header', 'body']);
  t.deepEqual(load({ flags: { context_from: 'body, header' } }).context_from, ['body', 'header']);
});

test('an empty file and an empty section give nothing', (t) => {
  t.deepEqual(problemsOf({ cwd: directory(t, { 'extreg.config.yaml': '# nothing\n' }) }), []);
  t.deepEqual(problemsOf({ cwd: directory(t, { 'extreg.config.yaml': 'extension_registry:\n' }) }), []);
});

test('CONFIG-2: all that is wrong is reported at once, with key, origin, value and range', (t) => {
  const cwd = directory(t, {
    'extreg.config.yaml': 'extension_registry:\n  minimum_volume: 0\n  nonsense: 1\n',
  });
  const problems = problemsOf({
    cwd,
    flags: { http_port: '12abc' },
    env: {
      EXTENSION_REGISTRY_LOG_LEVEL: 'loud',
      EXTENSION_REGISTRY_HTPP_PORT: '1',
      EXTENSION_REGISTRY_OPEN_MAX_SECONDS: '10',
    },
  });
  t.deepEqual([...problems].sort(), [
    'EXTENSION_REGISTRY_HTPP_PORT: no such environment variable; did you mean EXTENSION_REGISTRY_HTTP_PORT?',
    "http_port (flag --http-port): expected an integer from 0 to 65535, got '12abc'",
    "log_level (environment EXTENSION_REGISTRY_LOG_LEVEL): expected one of trace, debug, info, warn, error, fatal, got 'loud'",
    'minimum_volume (file extreg.config.yaml): expected an integer from 1 to 1000000, got 0',
    'nonsense (file extreg.config.yaml): no such setting',
    'open_max_seconds (environment EXTENSION_REGISTRY_OPEN_MAX_SECONDS): expected at least circuit_breaker_timeout_seconds (60), got 10',
  ]);
});

test('CONFIG-2: the error counts its problems and lists each on a line', (t) => {
  const error = t.throws(() => load({ flags: { http_port: 'x' } }), { instanceOf: ConfigError });
  t.regex(error?.message ?? '', /^1 configuration problem:\n {2}http_port /);
});

const refused = test.macro<[key: string, value: unknown, expected: RegExp]>({
  exec(t, key, value, expected) {
    const problems = problemsOf({ flags: { [key]: value } });
    t.is(problems.length, 1);
    t.regex(problems[0] ?? '', expected);
  },
  title: (_, key, value) => `${key}: ${JSON.stringify(value)} is refused`,
});
test(
  refused,
  'log_levels',
  'db=loud',
  /expected <component>=<level> each, .*trace, debug, info, warn, error, fatal.*access, .*, webhooks, got 'db=loud'$/,
);
for (const value of ['12abc', '-1', '65536', '8420.5', '0x10', 'NaN', 'Infinity', '1e999', '8,420', true, [1]])
  test(refused, 'http_port', value, /expected an integer from 0 to 65535, got /);
for (const value of ['0', '-5', 'NaN', '2147484', '1 000'])
  test(refused, 'circuit_breaker_timeout_seconds', value, /expected a number from 0\.001 to 86400, got /);
for (const value of ['0', '-1', '1.5', 'Infinity'])
  test(refused, 'circuit_breaker_failure_threshold', value, /expected an integer from 1 to 1000000, got /);
for (const value of ['-0.1', '1.1', 'half'])
  test(refused, 'circuit_breaker_error_rate_threshold', value, /expected a number from 0 to 1, got /);
test(refused, 'circuit_breaker_half_open_max_requests', '0', /from 1 to 1000, got '0'/);
test(refused, 'circuit_breaker_window_seconds', '0', /from 1 to 3600, got '0'/);
test(refused, 'minimum_volume', 'NaN', /from 1 to 1000000, got 'NaN'/);
test(refused, 'half_open_successes', '0', /from 1 to 1000, got '0'/);
test(refused, 'failure_rule', 'sometimes', /expected one of window, consecutive, got 'sometimes'/);
test(refused, 'circuit_breaker_enabled', 'maybe', /expected true or false, got 'maybe'/);
test(refused, 'shutdown_timeout_seconds', String(MAX_TIMER_SECONDS + 1), /expected a number from 0\.1 to 3600/);
test(refused, 'absence_grace_seconds', '-1', /expected a number from 0 to 3600/);
test(refused, 'audit_retention_days', '-1', /expected an integer from 0 to 36500/);
test(refused, 'max_body_bytes', '0', /expected an integer from 1 to 67108864/);
test(refused, 'max_in_flight', '0', /expected an integer from 1 to 1000000/);
test(refused, 'admission', 'on', /expected one of adaptive, off, got 'on'/);
test(refused, 'admission_target_ms', '4', /expected an integer from 5 to 1000, got '4'/);
for (const value of ['a..b', 'a b', 'a.*', 'a.>', '.a', 'a.', '_INBOX', '$SYS', 'ä'])
  test(refused, 'subject_prefix', value, /expected subject tokens of letters/);
for (const value of ['a.*', 'a,b..c']) test(refused, 'subject_prefixes', value, /expected subject tokens/);
test(refused, 'reply_prefixes', '>', /expected beginnings of subjects/);
test(refused, 'context_from', 'subject,cookie', /expected some of subject, header, body, each once, or none alone/);
test(refused, 'context_from', 'header,header', /each once/);
test(refused, 'context_from', 'none,header', /none alone/);
test(refused, 'context_body_max_bytes', '1048577', /an integer from 0 to 1048576/);
for (const value of ['mysql://h/x', 'localhost:5432', 'postgres://', 'postgres:///x', 'postgres://h:99999/x'])
  test(refused, 'database_url', value, /expected postgres:\/\/user:password@host:port\/name, got /);
for (const value of ['http://h:1', 'nats://', 'nats://a b', 'nats://h:123456'])
  test(refused, 'nats_url', value, /expected nats:\/\/host:port or tls:/);
for (const value of ['a b', 'example.com:80', '::1', 'http://a', '*'])
  test(refused, 'http_hosts', value, /expected host names or addresses without ports/);
for (const value of [
  'registry.example',
  'https://a/',
  'https://a/b',
  'https://u:p@a',
  'ftp://a',
  'https://a b',
  'http://a:99999',
])
  test(refused, 'http_public_url', value, /expected http or https, a host/);
for (const value of [
  'stately.ai/inspect',
  'ftp://a/',
  'https://a:99999/',
  'https://[zz]/',
  'https://u:p@a/',
  "https://a/'x'",
  'https://a/;x',
  'https://a/ x',
  'https://a/"><script>',
])
  test(refused, 'inspector_url', value, /expected the address of a page, such as https:\/\/stately\.ai\/inspect/);
test(refused, 'http_auth', 'never', /expected one of auto, required/);
test(refused, 'db_host', 'user@host', /expected a host name, an address or the directory of a socket/);
for (const value of [
  'ftp://h/x',
  'h/x',
  'http://',
  'http://h:99999/',
  'https://a b/',
  'http://h/a,b',
  'http://h/,http://h/',
])
  test(refused, 'webhook_urls', value, /expected http or https URLs, each once/);
test(refused, 'webhook_urls', 7, /expected http or https URLs/);
for (const word of ['yes', 'no', 'on', 'OFF', '1', '0', 'TRUE', 'False', 1, 0])
  test(refused, 'circuit_breaker_enabled', word, /expected true or false, got '?\w+'?$/);
for (const word of ['yes', '1', 'TRUE'])
  test(`a boolean in the environment is true or false, not ${word}`, (t) => {
    t.deepEqual(problemsOf({ env: { EXTENSION_REGISTRY_MIGRATE: word } }), [
      `migrate (environment EXTENSION_REGISTRY_MIGRATE): expected true or false, got '${word}'`,
    ]);
  });
test('a boolean in the file is true or false; YAML 1.2 takes yes for a text', (t) => {
  const cwd = directory(t, { 'extreg.config.yaml': 'extension_registry:\n  migrate: yes\n' });
  t.deepEqual(problemsOf({ cwd }), ["migrate (file extreg.config.yaml): expected true or false, got 'yes'"]);
});
test(refused, 'nope', '1', /^--nope: no such flag$/);
test(refused, 'http_prt', '1', /^--http-prt: no such flag; did you mean --http-port\?$/);

const accepted = test.macro<[key: keyof Config, value: unknown, expected: unknown]>({
  exec(t, key, value, expected) {
    t.deepEqual(load({ flags: { [key]: value } })[key], expected);
  },
  title: (_, key, value) => `${key}: ${JSON.stringify(value)} is accepted`,
});
test(accepted, 'http_port', '0', 0);
test(accepted, 'http_port', ' 65535 ', 65535);
test(accepted, 'circuit_breaker_timeout_seconds', '.5', 0.5);
test(accepted, 'circuit_breaker_timeout_seconds', '1e1', 10);
test(accepted, 'circuit_breaker_enabled', 'false', false);
test(accepted, 'circuit_breaker_enabled', ' true ', true);
test(accepted, 'migrate', false, false);
test(accepted, 'http_host', '::1', '::1');
test(accepted, 'http_host', 'localhost', 'localhost');
test(accepted, 'http_host', '127.8.9.1', '127.8.9.1');
test(accepted, 'http_host', '0.0.0.0', '0.0.0.0');
test(accepted, 'http_public_url', 'https://registry.example:8443', 'https://registry.example:8443');
for (const value of ['https://stately.ai/inspect', 'http://127.0.0.1:8080', 'https://editor.stately.ai/?a=1&b=%20'])
  test(accepted, 'inspector_url', value, value);
test(accepted, 'http_hosts', 'registry.example,[fe80::1],10.0.0.1', ['registry.example', '[fe80::1]', '10.0.0.1']);

test('isLoopback: only addresses of this host', (t) => {
  for (const host of ['127.0.0.1', '127.8.9.1', 'localhost', '::1', '[::1]']) t.true(isLoopback(host), host);
  for (const host of ['0.0.0.0', '::', '192.168.1.1', 'example.com', '127.0.0.1.evil.com'])
    t.false(isLoopback(host), host);
});
test(accepted, 'subject_prefixes', 'a.b, c ,', ['a.b', 'c']);
test(accepted, 'reply_prefixes', ['_INBOX', '_R_.'], ['_INBOX', '_R_.']);
test(accepted, 'context_body_max_bytes', '0', 0);
test(accepted, 'webhook_urls', 'http://h, https://me:p@[::1]:8/x?t=a%2Cb', [
  'http://h',
  'https://me:p@[::1]:8/x?t=a%2Cb',
]);
test(accepted, 'subject_prefix', 'my-org.ext_reg.v2', 'my-org.ext_reg.v2');
test(accepted, 'database_url', 'postgresql://a:1,b:2/db', 'postgresql://a:1,b:2/db');
test(accepted, 'nats_url', 'nats://a:4222, tls://b/', 'nats://a:4222,tls://b');
test(accepted, 'nats_url', 'localhost', 'localhost');

test('a list in the file is a list', (t) => {
  const cwd = directory(t, { 'extreg.config.yaml': 'extension_registry:\n  subject_prefixes:\n    - a.b\n    - c\n' });
  t.deepEqual(load({ cwd }).subject_prefixes, ['a.b', 'c']);
});

test('a number in the file is refused for text, because YAML may have changed it', (t) => {
  const cwd = directory(t, { 'extreg.config.yaml': 'extension_registry:\n  db_host: db\n  db_password: 0123\n' });
  t.deepEqual(problemsOf({ cwd }), [
    "db_password (file extreg.config.yaml): expected text without control characters, got '***'; put it in quotes, so that it stays as written",
  ]);
});

const badFile = test.macro<[name: string, content: string, expected: RegExp]>({
  exec(t, name, content, expected) {
    const problems = problemsOf({ cwd: directory(t, { [name]: content }) });
    t.is(problems.length, 1);
    t.regex(problems[0] ?? '', expected);
    t.false(problems.join().includes('geheim'));
  },
  title: (_, name, content) => `${name}: ${JSON.stringify(content)} is refused`,
});
test(badFile, 'extreg.config.yaml', 'a: [geheim', /YAML that is malformed at line 1/);
test(
  badFile,
  'extreg.config.yaml',
  'extension_registry:\n  db_name: a\n  db_name: geheim\n',
  /line 3 \(DUPLICATE_KEY\)/,
);
test(badFile, 'extreg.config.json', '{"extension_registry":{"db_password":"geheim",}}', /JSON that is malformed/);
test(badFile, 'extreg.config.yaml', 'just text', /expected settings under 'extension_registry:', got 'just text'/);
test(badFile, 'extreg.config.yaml', 'extension_registry: 5', /expected settings, got 5/);
test(
  badFile,
  'extreg.config.yaml',
  'http_port: 1',
  /http_port .*: no such key; settings belong under 'extension_registry:'/,
);
test(badFile, 'extreg.config.yaml', 'extension_registy: {}', /did you mean extension_registry\?/);
test(badFile, 'extreg.config.yaml', 'extension_registry: { constructor: 1 }', /constructor .*: no such setting/);
test(badFile, 'extreg.config.json', '{"extension_registry":{"__proto__":1}}', /__proto__ .*: no such setting/);

test('CONFIG-3: two configuration files are one too many', (t) => {
  const cwd = directory(t, { 'extreg.config.yaml': '', 'extreg.config.json': '{}' });
  t.deepEqual(problemsOf({ cwd }), [
    'extreg.config.yaml and extreg.config.json: expected one configuration file, got 2',
  ]);
});

test('CONFIG-3: a variable without the prefix is none of ours', (t) => {
  t.deepEqual(problemsOf({ env: { PGHOST: 'x', EXTENSION: '1', HTTP_PORT: '1' } }), []);
});

test('alias: half_open_max_requests means circuit_breaker_half_open_max_requests', (t) => {
  const cwd = directory(t, { 'extreg.config.yaml': 'extension_registry: { half_open_max_requests: 4 }' });
  const { config, origins } = explainConfig({ flags: {}, env: {}, cwd });
  t.is(config.circuit_breaker_half_open_max_requests, 4);
  t.is(origins.circuit_breaker_half_open_max_requests, 'file extreg.config.yaml as half_open_max_requests');
  t.is(
    load({ cwd, env: { EXTENSION_REGISTRY_HALF_OPEN_MAX_REQUESTS: '6' } }).circuit_breaker_half_open_max_requests,
    6,
  );
});

test('alias: both names in one source are fine while they agree, and a problem where they differ', (t) => {
  const flags = { half_open_max_requests: '4', circuit_breaker_half_open_max_requests: '4' };
  t.is(load({ flags }).circuit_breaker_half_open_max_requests, 4);
  t.deepEqual(problemsOf({ flags: { ...flags, half_open_max_requests: '5' } }), [
    "circuit_breaker_half_open_max_requests: given twice and different: '5' by flag --half-open-max-requests, '4' by flag --circuit-breaker-half-open-max-requests",
  ]);
});

test('DATABASE_URL and NATS_URL are known by their standard and their prefixed names', (t) => {
  t.is(load({ env: { DATABASE_URL: 'postgres://h/x' } }).database_url, 'postgres://h/x');
  t.is(load({ env: { EXTENSION_REGISTRY_DATABASE_URL: 'postgres://h/y' } }).database_url, 'postgres://h/y');
  t.is(load({ env: { NATS_URL: 'nats://n:1' } }).nats_url, 'nats://n:1');
  const both = { DATABASE_URL: 'postgres://h/x', EXTENSION_REGISTRY_DATABASE_URL: 'postgres://h/y' };
  t.regex(problemsOf({ env: both })[0] ?? '', /^database_url: given twice and different/);
});

test('every setting can be given by environment and by flag', (t) => {
  for (const key of SETTING_KEYS)
    for (const input of [{ flags: { [key]: '\u0000' } }, { env: { [envName(key)]: '\u0000' } }]) {
      const problems = problemsOf(input);
      t.true(
        problems.some((problem) => problem.startsWith(`${key} (`)),
        key,
      );
      t.false(
        problems.some((problem) => problem.includes('no such')),
        key,
      );
    }
});

test('database: none is named, so it is the embedded one', (t) => {
  t.is(databasePlaces(load({})), null);
});

test('database: the parts stay parts, so that nothing in a password is misread', (t) => {
  const flags = { db_host: 'db.example', db_password: 'p@/:ss', db_name: 'my db', db_user: 'u' };
  const main = {
    kind: 'parts',
    host: 'db.example',
    port: 5432,
    database: 'my db',
    user: 'u',
    password: 'p@/:ss',
    sslMode: 'prefer',
  } as const;
  t.deepEqual(databasePlaces(load({ flags })), { main, direct: main });
});

const partsMode = test.macro<[host: string, mode: string | undefined, expected: string]>({
  exec(t, host, mode, expected) {
    t.like(databasePlaces(load({ flags: { db_host: host, db_sslmode: mode } }))?.main, { host, sslMode: expected });
  },
  title: (_, host, mode) => `database: TLS towards ${host} with db_sslmode ${mode ?? 'unset'}`,
});
test(partsMode, 'db', undefined, 'prefer');
test(partsMode, 'db', 'verify-full', 'verify-full');
test(partsMode, '127.0.0.1', undefined, 'disable');
test(partsMode, '::1', undefined, 'disable');
test(partsMode, '/var/run/postgresql', undefined, 'disable');
test(partsMode, 'localhost', 'require', 'require');

test('database: the URL wins over the parts', (t) => {
  const config = load({ env: { DATABASE_URL: 'postgres://h/x' }, flags: { db_host: 'other', db_port: '1' } });
  t.deepEqual(databasePlaces(config)?.main, { kind: 'url', url: 'postgres://h/x?sslmode=prefer' });
});

const urlMode = test.macro<[url: string, mode: string | undefined, expected: string]>({
  exec(t, url, mode, expected) {
    const places = databasePlaces(load({ flags: { database_url: url, db_sslmode: mode } }));
    t.deepEqual(places?.main, { kind: 'url', url: expected });
  },
  title: (_, url, mode) => `database: TLS towards ${url} with db_sslmode ${mode ?? 'unset'}`,
});
test(urlMode, 'postgres://h/x', undefined, 'postgres://h/x?sslmode=prefer');
test(urlMode, 'postgres://localhost/x', undefined, 'postgres://localhost/x?sslmode=disable');
test(urlMode, 'postgres://u:p@[::1]:5/x', undefined, 'postgres://u:p@[::1]:5/x?sslmode=disable');
test(urlMode, 'postgres:///x?host=/run/pg', undefined, 'postgres:///x?host=/run/pg&sslmode=disable');
test(urlMode, 'postgres://h/x', 'verify-full', 'postgres://h/x?sslmode=verify-full');
test(urlMode, 'postgres://h/x?sslmode=require', 'disable', 'postgres://h/x?sslmode=require');
test(urlMode, 'postgres://h/x?application_name=a', 'require', 'postgres://h/x?application_name=a&sslmode=require');

test('database: migrations and the feed may go around a pooler', (t) => {
  const flags = { database_url: 'postgres://pool/x', database_direct_url: 'postgres://db/x', database_pooler: 'true' };
  t.deepEqual(databasePlaces(load({ flags })), {
    main: { kind: 'url', url: 'postgres://pool/x?sslmode=prefer' },
    direct: { kind: 'url', url: 'postgres://db/x?sslmode=prefer' },
  });
});

test('CONFIG-3: a part of a database or of a NATS login needs the address it belongs to', (t) => {
  const problems = problemsOf({ flags: { db_port: '1', db_password: 'geheim', nats_token: 'geheim' } });
  t.deepEqual(problems, [
    'db_port (flag --db-port): expected a database it belongs to (database_url or db_host), got none',
    'db_password (flag --db-password): expected a database it belongs to (database_url or db_host), got none',
    'nats_token (flag --nats-token): expected nats_url beside it, got none; the embedded server makes its own token',
  ]);
});

test('CONFIG-3: a part of the webhooks needs the URLs it belongs to', (t) => {
  const flags = { webhook_secret: 'geheim', webhook_events: 'actor_failed', webhook_timeout_ms: '100' };
  t.deepEqual(problemsOf({ flags }), [
    'webhook_secret (flag --webhook-secret): expected webhook_urls beside it, got none',
    'webhook_events (flag --webhook-events): expected webhook_urls beside it, got none',
    'webhook_timeout_ms (flag --webhook-timeout-ms): expected webhook_urls beside it, got none',
  ]);
  const config = load({ flags: { ...flags, webhook_urls: 'http://h' } });
  t.deepEqual(
    [config.webhook_secret, config.webhook_events, config.webhook_timeout_ms],
    ['geheim', ['actor_failed'], 100],
  );
});

const webhookPart = test.macro<[key: string, value: unknown, expected: RegExp]>({
  exec(t, key, value, expected) {
    const problems = problemsOf({ flags: { webhook_urls: 'http://h', [key]: value } });
    t.is(problems.length, 1);
    t.regex(problems[0] ?? '', expected);
  },
  title: (_, key, value) => `webhooks: ${key} ${JSON.stringify(value)} is refused`,
});
for (const value of ['circuit_open', 'actor_failed,actor_failed', '*'])
  test(webhookPart, 'webhook_events', value, new RegExp(`expected some of ${EVENT_KINDS.join(', ')}, got '`));
for (const value of ['9', '60001', '1.5'])
  test(webhookPart, 'webhook_timeout_ms', value, /expected an integer from 10 to 60000/);
for (const value of ['whsec_', 'whsec_no base64', 'whsec_YW5v=', 'whsec_YW5vd', 'whsec_-_-_'])
  test(
    webhookPart,
    'webhook_secret',
    value,
    /expected whsec_ and the key in base64, or any other text.*, got '\*\*\*'$/,
  );
for (const value of ['whsec_YW5vdGhlcg==', 'a whsec_ in the middle', ' two\nlines '])
  test(`webhooks: webhook_secret ${JSON.stringify(value)} is taken as it is`, (t) => {
    t.is(load({ flags: { webhook_urls: 'http://h', webhook_secret: value } }).webhook_secret, value);
  });

test('NATS: user and password within the URL go to their settings', (t) => {
  const config = load({ env: { NATS_URL: 'nats://me:p%40ss@a:4222,nats://me:p%40ss@b:4222' } });
  t.is(config.nats_url, 'nats://a:4222,nats://b:4222');
  t.is(config.nats_user, 'me');
  t.is(config.nats_password, 'p@ss');
  t.is(load({ env: { NATS_URL: 'tls://t0ken@a' } }).nats_token, 't0ken');
});

const FILE = fileURLToPath(import.meta.url);

const natsLogin = test.macro<[what: string, flags: Record<string, string>, expected: RegExp]>({
  exec(t, _, flags, expected) {
    const problems = problemsOf({ flags: { nats_url: 'nats://h:1', ...flags } });
    t.is(problems.length, 1);
    t.regex(problems[0] ?? '', expected);
    t.false(problems.join().includes('geheim'));
  },
  title: (_, what) => `NATS: ${what} is refused`,
});
test(
  natsLogin,
  'two logins',
  { nats_token: 'geheim', nats_user: 'u' },
  /nats_token, nats_user: expected one login.*got 2/,
);
test(
  natsLogin,
  'a token and a file with one',
  { nats_token: 'geheim', nats_token_file: FILE },
  /nats_token, nats_token_file: expected one login.*got 2/,
);
test(
  natsLogin,
  'a password and a file with one',
  { nats_user: 'u', nats_password: 'geheim', nats_password_file: FILE },
  /nats_password, nats_password_file: expected one of them, got both/,
);
test(
  natsLogin,
  'a file with a password without a user',
  { nats_password_file: FILE },
  /nats_password_file .*expected nats_user beside it/,
);
test(natsLogin, 'a password without a user', { nats_password: 'geheim' }, /expected nats_user beside it/);
test(
  natsLogin,
  'a login beside one in the URL',
  { nats_url: 'nats://u:geheim@h', nats_token: 'geheim' },
  /expected one login/,
);
test(
  natsLogin,
  'a list with different logins',
  { nats_url: 'nats://a:geheim@h,nats://b:geheim@h' },
  /expected one login/,
);

test('a root certificate that a database URL names must be readable', (t) => {
  const url = 'postgres://h/x?sslrootcert=';
  t.deepEqual(problemsOf({ env: { DATABASE_URL: `${url}/none/ca.pem` } }), [
    "database_url (environment DATABASE_URL): sslrootcert: expected a readable file, got '/none/ca.pem': no such file",
  ]);
  t.deepEqual(problemsOf({ flags: { database_url: 'postgres://h/x', database_direct_url: `${url}/` } }), [
    "database_direct_url (flag --database-direct-url): sslrootcert: expected a readable file, got '/': not a file",
  ]);
  t.notThrows(() => load({ env: { DATABASE_URL: `${url}system` } }));
});

test('a root certificate that a database URL names is found from the working directory', (t) => {
  const cwd = directory(t, { 'c a.pem': '' });
  for (const [url, expected] of [
    ['postgres://h/x?sslrootcert=c+a.pem', `postgres://h/x?sslrootcert=${cwd}/c%20a.pem`],
    ['postgres://h/x?a=b&sslrootcert=c%20a.pem&c=d', `postgres://h/x?a=b&sslrootcert=${cwd}/c%20a.pem&c=d`],
    [`postgres://h/x?sslrootcert=${cwd}/c%20a.pem`, `postgres://h/x?sslrootcert=${cwd}/c%20a.pem`],
    ['postgres://h/x?sslrootcert=system', 'postgres://h/x?sslrootcert=system'],
  ] as const)
    for (const key of ['database_url', 'database_direct_url'] as const)
      t.is(load({ cwd, flags: { database_url: 'postgres://h/x', [key]: url } })[key], expected);
  t.deepEqual(problemsOf({ cwd, env: { DATABASE_URL: 'postgres://h/x?sslrootcert=ca.pem' } }), [
    "database_url (environment DATABASE_URL): sslrootcert: expected a readable file, got 'ca.pem': no such file",
  ]);
});

test('files must be readable, and are found from the working directory', (t) => {
  const cwd = directory(t, { cert: '', key: '', ca: '' });
  mkdirSync(join(cwd, 'folder'));
  const flags = { nats_url: 'tls://h', nats_tls_ca_file: 'ca', nats_tls_cert_file: 'cert', nats_tls_key_file: 'key' };
  t.is(load({ cwd, flags }).nats_tls_ca_file, join(cwd, 'ca'));
  t.deepEqual(problemsOf({ cwd, flags: { ...flags, nats_creds_file: 'none', nats_tls_ca_file: 'folder' } }), [
    "nats_creds_file (flag --nats-creds-file): expected a readable file, got 'none': no such file",
    "nats_tls_ca_file (flag --nats-tls-ca-file): expected a readable file, got 'folder': not a file",
  ]);
  t.regex(problemsOf({ cwd, flags: { nats_url: 'tls://h', nats_tls_key_file: 'key' } })[0] ?? '', /together, got one/);
});

test('replica_id is one token of a subject; fleet is one of three words', (t) => {
  const expected = 'expected one token of a NATS subject: 1..64 characters of A-Z a-z 0-9 _ -';
  for (const replica_id of ['a.b', 'a b', '*', 'ä', 'x'.repeat(65)])
    t.true(problemsOf({ flags: { replica_id } })[0]?.includes(expected), replica_id);
  t.is(load({ flags: { replica_id: 'web-1_A' } }).replica_id, 'web-1_A');
  t.is(load({ env: { EXTENSION_REGISTRY_FLEET: 'required' } }).fleet, 'required');
  t.true(problemsOf({ flags: { fleet: 'on' } })[0]?.includes('one of auto, off, required'));
});

test('data_dir is absolute, and no file', (t) => {
  const cwd = directory(t, { file: '' });
  t.is(load({ cwd, flags: { data_dir: 'data' } }).data_dir, join(cwd, 'data'));
  t.regex(
    problemsOf({ cwd, flags: { data_dir: 'file' } })[0] ?? '',
    /expected a directory, got 'file', which is a file/,
  );
});

test('budgets and open times must be in order', (t) => {
  t.deepEqual(problemsOf({ flags: { min_budget_ms: '500', max_budget_ms: '400' } }), [
    'max_budget_ms (flag --max-budget-ms): expected at least min_budget_ms (500), got 400',
  ]);
  t.regex(
    problemsOf({ flags: { circuit_breaker_timeout_seconds: '400' } })[0] ?? '',
    /^open_max_seconds \(default\): /,
  );
});

test('a check over two settings rests while one of them is itself wrong', (t) => {
  t.is(problemsOf({ flags: { min_budget_ms: 'x', max_budget_ms: '1' } }).length, 1);
});

test('the configuration is frozen, lists included', (t) => {
  const config = load({ flags: { subject_prefixes: 'a' } });
  t.true(Object.isFrozen(config));
  t.true(Object.isFrozen(config.subject_prefixes));
});

test('breakerDefaults: every breaker setting comes from its configuration key', (t) => {
  const defaults = breakerDefaults(
    load({ flags: { circuit_breaker_timeout_seconds: '7', failure_rule: 'consecutive' } }),
  );
  t.deepEqual(Object.keys(defaults).sort(), Object.keys(BREAKER_SETTINGS).sort());
  t.is(defaults.open_seconds, 7);
  t.is(defaults.failure_rule, 'consecutive');
});

test('CONFIG-4: no secret is shown', (t) => {
  const env = {
    DATABASE_URL: 'postgres://u:gehe@im@h/x?password=geheim',
    NATS_URL: 'nats://geheim@n:1',
  };
  const shown = printableConfig(
    load({ env, flags: { db_password: 'geheim', database_direct_url: 'postgres://a:geheim@h/' } }),
  );
  t.is(shown.database_url, 'postgres://***@h/x?password=***');
  t.is(shown.nats_token, '***');
  t.is(shown.db_password, '***');
  t.false(/gehe|im@/.test(JSON.stringify(shown)));
  t.is(printableConfig(load({})).db_password, null);
});

test('CONFIG-4: no problem quotes a secret', (t) => {
  const problems = problemsOf({
    env: {
      DATABASE_URL: 'mysql://u:geheim@h',
      EXTENSION_REGISTRY_DATABASE_URL: 'geheim',
      NATS_URL: 'ftp://u:geheim@h',
      EXTENSION_REGISTRY_DATABASE_DIRECT_URL: 'postgres//u:geheim@h',
    },
  });
  t.true(problems.length >= 3);
  t.false(problems.join().includes('geheim'));
});

const urlsShown = test.macro<[given: unknown, shown: string]>({
  exec(t, given, shown) {
    const cwd = directory(t, {
      'extreg.config.json': JSON.stringify({ extension_registry: { webhook_urls: given } }),
    });
    const env = { EXTENSION_REGISTRY_WEBHOOK_TIMEOUT_MS: '1' };
    const problem = problemsOf({ cwd }).find((one) => one.startsWith('webhook_urls'));
    const got =
      problem?.split(', got ')[1] ?? JSON.stringify(printableConfig(load({ cwd })).webhook_urls).replaceAll('"', "'");
    t.is(got, shown);
    t.false(problemsOf({ cwd, env }).join().includes('geheim'));
  },
  title: (_, given, shown) => `CONFIG-4: of webhook_urls ${JSON.stringify(given)} no more is shown than ${shown}`,
});
test(urlsShown, 'https://geheim:geheim@h:8443/geheim?t=geheim#geheim', "['https://h:8443/***']");
test(urlsShown, ['http://a/geheim', 'https://b?geheim'], "['http://a/***','https://b/***']");
test(urlsShown, 'http://a/geheim, geheim', "'***'");
test(urlsShown, 'https://u:1,geheim@h', "'***'");
test(urlsShown, 'https://geheim:p/s@h', "'***'");
test(urlsShown, 'ftp://h/geheim', "'***'");
test(urlsShown, ['http://a/geheim', 'geheim'], '["http://a/***","***"]');
test(urlsShown, 'http://a/geheim,http://a/geheim', "'http://a/***, http://a/***'");

import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import test from 'ava';
import { SETTING_KEYS } from '../../src/config/schema.js';
import { directory, run, start } from './run.js';

const COMMANDS = ['serve', 'migrate', 'check-config', 'health', 'invoke', 'explain', 'sql', 'import', 'export'];

test('extreg --version: is that of the package', async (t) => {
  const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  t.deepEqual(await run(['--version'], { cwd: directory(t) }), { code: 0, stdout: `${version}\n`, stderr: '' });
});

test('extreg --help: names every command and the exit codes', async (t) => {
  const { code, stdout } = await run(['--help'], { cwd: directory(t) });
  t.is(code, 0);
  for (const command of COMMANDS) t.regex(stdout, new RegExp(`^ {2}${command} `, 'm'));
  t.regex(stdout, /Exit codes: 0 ok/);
});

test('extreg <command> --help: every command has a description, and --json where it answers', async (t) => {
  const cwd = directory(t);
  for (const command of COMMANDS) {
    const { code, stdout } = await run([command, '--help'], { cwd });
    t.is(code, 0);
    t.regex(stdout, new RegExp(`^Usage: extreg ${command} `));
    t.is(stdout.includes('--json'), command !== 'serve', command);
  }
});

test('extreg serve --help: has a flag for every setting', async (t) => {
  const { stdout } = await run(['serve', '--help'], { cwd: directory(t) });
  for (const key of SETTING_KEYS) t.true(stdout.includes(`--${key.replaceAll('_', '-')} `), key);
  // Their descriptions stand below them, since beside them there is no room.
  for (const line of stdout.split('\n')) t.true(line.length <= 80 || !line.trim().includes(' '), line);
});

const misuse = test.macro<[args: string[], expected: RegExp]>({
  async exec(t, args, expected) {
    const { code, stdout, stderr } = await run(args, { cwd: directory(t) });
    t.is(code, 64);
    t.is(stdout, '');
    t.regex(stderr, expected);
    t.notRegex(stderr, /\n {4}at /);
  },
  title: (_, args) => `MAIN-1: extreg ${args.join(' ')} is wrong usage`,
});
test(misuse, [], /^Usage: extreg/);
test(misuse, ['helth'], /unknown command 'helth'.*\n?.*health/);
test(misuse, ['health', '--htp-port', '1'], /unknown option '--htp-port'/);
test(misuse, ['sql'], /missing required argument 'statement'/);
test(misuse, ['health', 'a', 'b'], /too many arguments/);
test(misuse, ['sql', '--jsno', 'select 1'], /unknown option '--jsno'/);
test(misuse, ['sql', 'select', '1'], /too many arguments/);
test(misuse, ['invoke', 'a', '--header', 'novalue'], /--header: expected name=value, got 'novalue'/);
test(misuse, ['invoke', 'a b'], /id: expected one subject token/);
test(misuse, ['invoke', 'a', '--tenant', 'x.y'], /tenant: expected one subject token/);
test(misuse, ['invoke', 'a', '--timeout', '1s'], /--timeout: expected whole milliseconds above 0, got '1s'/);
test(misuse, ['invoke', 'a', '--header', 'bad name=1'], /--header bad name: /);
test(misuse, ['invoke', 'a', '--tenant', 'a.b'], /tenant: .*; --header Extreg-Tenant-Id=… takes any/);
test(misuse, ['invoke', 'a', '--policy', ' '], /--policy: expected a value, got ' '/);
test(misuse, ['invoke', 'a', '--environment', ''], /--environment: expected a value, got ''/);
test(misuse, ['invoke', 'a', '--routing-key', 'a\nb'], /--routing-key: expected a value without line ends/);
test(misuse, ['invoke', 'a', '--context', 'novalue'], /--context: expected key=value, got 'novalue'/);
test(misuse, ['invoke', 'a', '--context', 'region='], /--context region: expected a value, got ''/);
test(misuse, ['invoke', 'a', '--context', 'a b=1'], /--context a b: expected a name of printable ASCII/);
test(misuse, ['invoke', 'a', '--context', 'größe=1'], /--context größe: expected a name of printable ASCII/);
test(misuse, ['invoke', 'a', '--context', 'a=1', '--context', 'a=2'], /--context a: given twice/);
test(misuse, ['invoke', 'a', '--context', 'tenant_id=a'], /--context tenant_id: expected --tenant instead/);
test(misuse, ['invoke', 'a', '--context', 'routing_key=a'], /--context routing_key: expected --routing-key instead/);
test(
  misuse,
  ['invoke', 'a', '--policy', 'p', '--header', 'Extreg-Policy-Id=q'],
  /--policy and --header Extreg-Policy-Id: expected one of them, got both/,
);
test(misuse, ['explain'], /missing required argument 'id'/);
test(misuse, ['explain', 'a', '--tenant', ' '], /--tenant: expected a value, got ' '/);
test(misuse, ['explain', 'a', '--context', 'plan'], /--context: expected key=value, got 'plan'/);
test(misuse, ['explain', 'a', '--context', 'plan='], /--context plan: expected a value, got ''/);
test(misuse, ['explain', 'a', '--context', 'policy_id=a'], /--context policy_id: expected --policy instead/);

const misconfigured = test.macro<[args: string[]]>({
  async exec(t, args) {
    const env = {
      EXTENSION_REGISTRY_HTTP_PORT: 'x',
      EXTENSION_REGISTRY_NONSENSE: '1',
      DATABASE_URL: 'mysql://u:geheim@h',
    };
    const { code, stdout, stderr } = await run(args, { cwd: directory(t), env });
    t.is(code, 78);
    t.is(stdout, '');
    t.regex(stderr, /^extreg: 3 configuration problems:\n( {2}.*\n){3}$/);
    t.regex(
      stderr,
      /http_port \(environment EXTENSION_REGISTRY_HTTP_PORT\): expected an integer from 0 to 65535, got 'x'/,
    );
    t.false(stderr.includes('geheim'));
  },
  title: (_, args) => `MAIN-1: extreg ${args.join(' ')} tells all that is wrong with the configuration`,
});
test(misconfigured, ['serve']);
test(misconfigured, ['migrate']);
test(misconfigured, ['check-config']);
test(misconfigured, ['check-config', '--print']);
test(misconfigured, ['health']);
test(misconfigured, ['invoke', 'a']);
test(misconfigured, ['explain', 'a']);
test(misconfigured, ['sql', 'select 1']);

test('check-config: a good configuration is valid', async (t) => {
  t.deepEqual(await run(['check-config'], { cwd: directory(t) }), {
    code: 0,
    stdout: 'the configuration is valid\n',
    stderr: '',
  });
});

test('check-config --json: problems go to standard output as a list', async (t) => {
  const { code, stdout, stderr } = await run(['check-config', '--json', '--http-port', 'x'], { cwd: directory(t) });
  t.is(code, 78);
  t.is(stderr, '');
  t.deepEqual(JSON.parse(stdout), {
    valid: false,
    problems: ["http_port (flag --http-port): expected an integer from 0 to 65535, got 'x'"],
  });
});

test('check-config --print: every setting with its origin, secrets masked', async (t) => {
  const cwd = directory(t);
  writeFileSync(join(cwd, 'extreg.config.yaml'), 'extension_registry:\n  db_host: db\n  db_password: geheim\n');
  const env = { EXTENSION_REGISTRY_MINIMUM_VOLUME: '9' };
  const args = ['check-config', '--print', '--no-migrate', '--circuit-breaker-enabled', 'false', '--http-port=0'];
  const { code, stdout } = await run(args, { cwd, env });
  t.is(code, 0);
  t.false(stdout.includes('geheim'));
  const lines = new Map(
    stdout
      .trimEnd()
      .split('\n')
      .map((line) => line.split(/ {2,}/))
      .map(([key, ...rest]) => [key, rest]),
  );
  t.deepEqual([...lines.keys()], ['SETTING', ...SETTING_KEYS]);
  t.deepEqual(lines.get('db_password'), ['***', 'file extreg.config.yaml']);
  t.deepEqual(lines.get('minimum_volume'), ['9', 'environment EXTENSION_REGISTRY_MINIMUM_VOLUME']);
  t.deepEqual(lines.get('migrate'), ['false', 'flag --migrate']);
  t.deepEqual(lines.get('circuit_breaker_enabled'), ['false', 'flag --circuit-breaker-enabled']);
  t.deepEqual(lines.get('http_port'), ['0', 'flag --http-port']);
  t.deepEqual(lines.get('reply_prefixes'), ['["_INBOX","_R_."]', 'default']);
});

test('check-config --print --json: the same for programs', async (t) => {
  const { stdout } = await run(['check-config', '--print', '--json', '--auto-disable-on-circuit-open'], {
    cwd: directory(t),
  });
  const { valid, settings } = JSON.parse(stdout) as { valid: boolean; settings: { key: string }[] };
  t.true(valid);
  t.deepEqual(
    settings.map(({ key }) => key),
    SETTING_KEYS,
  );
  t.deepEqual(
    settings.find(({ key }) => key === 'auto_disable_on_circuit_open'),
    { key: 'auto_disable_on_circuit_open', value: true, origin: 'flag --auto-disable-on-circuit-open' } as never,
  );
});

test('EXTREG-1: a reader that goes away is no failure', async (t) => {
  const child = start(['check-config', '--print'], { cwd: directory(t) });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.on('data', (chunk) => {
    stderr += String(chunk);
  });
  t.is(await new Promise((resolve) => child.once('close', resolve)), 0);
  t.is(stderr, '');
});

test('EXTREG-3: SIGUSR1 opens no debugger port and SIGUSR2 ends nothing, in a command that handles no signal of its own', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  t.teardown(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const child = start(['health', 'a', '--json', '--http-port', String(port)], { cwd: directory(t) });
  t.teardown(() => void child.kill('SIGKILL'));
  const [stdout, stderr] = [text(child.stdout), text(child.stderr)];
  const [, response] = (await once(server, 'request')) as [unknown, ServerResponse];
  child.kill('SIGUSR1');
  child.kill('SIGUSR2');
  const closed = once(child, 'close');
  // In the order of their numbers, and before what is sent afterwards.
  response.setHeader('content-type', 'application/json').end('{}');
  t.deepEqual(await closed, [0, null]);
  t.is(await stdout, '{}\n');
  t.is(await stderr, '');
});

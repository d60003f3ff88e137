// By which token a daemon is asked, and what its refusals make an operator do.
import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { timeoutOf } from '../../../src/cli/daemon/daemon-client.js';
import { type Asked, fakeDaemon, Problem } from '../fake-daemon.js';
import { directory, run, writeDaemonFile } from '../run.js';

const STATUS = { version: '0.1.0' };
const authorization = (asked: readonly Asked[]): (string | null)[] =>
  asked.map(({ headers }) => headers.authorization ?? null);

test('the token of daemon.json is sent, by whatever address the daemon is found', async (t) => {
  const daemon = await fakeDaemon(t, () => STATUS);
  const cwd = directory(t);
  writeDaemonFile(cwd, { http: daemon.url, http_token: 'extreg_local' });
  const env = { EXTENSION_REGISTRY_DATA_DIR: '.' };
  const { port } = new URL(daemon.url);
  for (const flags of [[], ['--url', daemon.url], ['--url', `${daemon.url}/`], ['--http-port', port]])
    t.is((await run(['status', ...flags], { cwd, env })).code, 0);
  t.deepEqual(authorization(daemon.asked), new Array(4).fill('Bearer extreg_local'));
});

test('beside the daemon its token says who it is; elsewhere the name of the user is sent', async (t) => {
  const daemon = await fakeDaemon(t, () => ({ weight: 1, was: 0, revision: 1 }));
  const cwd = directory(t);
  writeDaemonFile(cwd, { http: daemon.url, http_token: 'extreg_local' });
  t.is((await run(['undrain', 'a', 'i', '--data-dir', '.'], { cwd })).code, 0);
  t.is((await daemon.extreg('undrain', 'a', 'i')).code, 0);
  t.deepEqual(
    daemon.asked.map(({ body }) => body),
    [{}, { by: userInfo().username }],
  );
});

test('DAEMON-CLIENT-1: the token of daemon.json goes to no other address', async (t) => {
  const other = await fakeDaemon(t, () => STATUS);
  const cwd = directory(t);
  writeDaemonFile(cwd, { http: 'http://127.0.0.1:1', http_token: 'extreg_local' });
  t.is((await run(['status', '--data-dir', '.', '--url', other.url], { cwd })).code, 0);
  t.deepEqual(authorization(other.asked), [null]);
});

test('a token of the environment or a file comes before that of daemon.json; the file before the environment', async (t) => {
  const daemon = await fakeDaemon(t, () => STATUS);
  const cwd = directory(t);
  writeDaemonFile(cwd, { http: daemon.url, http_token: 'extreg_local' });
  writeFileSync(join(cwd, 'token'), 'extreg_file\n');
  const env = { EXTENSION_REGISTRY_DATA_DIR: '.', EXTENSION_REGISTRY_TOKEN: 'extreg_env' };
  t.is((await run(['status'], { cwd, env })).code, 0);
  t.is((await run(['status', '--token-file', 'token'], { cwd, env })).code, 0);
  t.is((await run(['status', '--url', daemon.url], { cwd, env: { ...env, EXTENSION_REGISTRY_TOKEN: '' } })).code, 0);
  t.deepEqual(authorization(daemon.asked), ['Bearer extreg_env', 'Bearer extreg_file', 'Bearer extreg_local']);
});

test('a token that is none, or a file that has none, is said before anything is asked', async (t) => {
  const daemon = await fakeDaemon(t, () => STATUS);
  const cwd = directory(t);
  writeFileSync(join(cwd, 'two'), 'a b\n');
  const status = (...flags: string[]) => run(['status', '--url', daemon.url, ...flags], { cwd });
  const missing = await status('--token-file', 'none');
  t.deepEqual([missing.code, /--token-file: none cannot be read: ENOENT/.test(missing.stderr)], [65, true]);
  const two = await status('--token-file', 'two');
  t.deepEqual([two.code, two.stderr], [65, 'extreg: --token-file: expected one token and nothing else in two\n']);
  const env = { EXTENSION_REGISTRY_TOKEN: 'a\u001bb' };
  const wrong = await run(['status', '--url', daemon.url], { cwd, env });
  t.is(wrong.code, 64);
  t.false(wrong.stderr.includes('\u001b'));
  t.is(daemon.asked.length, 0);
});

const refused = test.macro<[problem: Problem, next: RegExp]>({
  async exec(t, problem, next) {
    const daemon = await fakeDaemon(t, () => problem);
    const { code, stdout, stderr } = await daemon.extreg('disable', 'a', '--reason', 'x');
    t.deepEqual([code, stdout], [1, '']);
    t.is(stderr.split('\n')[0], `extreg: ${problem.code}: ${problem.detail}`);
    t.regex(stderr.split('\n').slice(1).join('\n'), next);
  },
  title: (_, { code }) => `DAEMON-CLIENT-2: ${code} ends with 1, one sentence, and what to do next`,
});
test(
  refused,
  new Problem(401, 'unauthenticated'),
  /^next: .*EXTENSION_REGISTRY_TOKEN.*--token-file.*extreg token create/,
);
test(
  refused,
  new Problem(403, 'forbidden', 'no', { needs: 'operator' }),
  /^next: use a token of the role operator: extreg token create <name> --role operator/,
);
test(
  refused,
  new Problem(429, 'too_many_requests'),
  /^next: repeat it in a minute; if a token was wrong, check it first/,
);
test(refused, new Problem(404, 'extension_not_found'), /^next: extreg ls lists/);
test(refused, new Problem(404, 'version_not_found'), /^next: extreg show a lists the versions/);
test(refused, new Problem(404, 'route_not_found'), /^next: this daemon does not know that yet/);
test(refused, new Problem(409, 'already_exists'), /^next: extreg show a shows it, extreg set a changes it/);
test(refused, new Problem(503, 'database_unavailable'), /^next: extreg status/);
test(refused, new Problem(503, 'shutting_down'), /^next: repeat it/);
test(refused, new Problem(500, 'internal_error'), /^next: the daemon's log/);
test(refused, new Problem(400, 'invalid_request'), /^next: correct it and repeat/);

test('DAEMON-CLIENT-2: the form of the first version of the API is understood as well', async (t) => {
  const daemon = await fakeDaemon(t, (_, response) => {
    response.writeHead(404).end('{"error":{"code":"extension_not_found","message":"no extension"}}');
  });
  t.regex((await daemon.extreg('health', 'a')).stderr, /^extreg: extension_not_found: no extension\nnext: /);
});

test('a text of the registry in an error does not reach the terminal as it is', async (t) => {
  const daemon = await fakeDaemon(t, () => new Problem(400, 'invalid_request', 'got \u001b[2J\u009b31m\u202e'));
  const { stderr } = await daemon.extreg('health', 'a');
  t.is(
    stderr,
    'extreg: invalid_request: got \\u001b[2J\\u009b31m\\u202e\nnext: correct it and repeat; extreg <command> --help has examples\n',
  );
});

test('DAEMON-CLIENT-4: the audit trail and changes get longer than the daemon takes for them', (t) => {
  for (const path of ['/admin/audit', '/admin/audit?limit=5', '/admin/audit?extension_id=a'])
    t.is(timeoutOf(path, {}), 30_000, path);
  for (const method of ['PUT', 'DELETE', 'POST']) t.is(timeoutOf('/admin/extensions/a', { method }), 30_000, method);
  for (const path of ['/admin/extensions/audit', '/admin/status']) t.is(timeoutOf(path, {}), 10_000, path);
});

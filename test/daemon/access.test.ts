// Access as an operator sets it up: tokens on the command line beside a daemon and without one, TLS, SIGHUP, and a start beyond loopback.
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { headers } from '#@nats-io/nats-core';
import { run, runProcess } from '../cli/run.js';
import { CERTIFICATE, KEY } from '../helpers/certificate.js';
import { DaemonProcess } from '../helpers/daemon-process.js';
import { copyEmbedded } from '../helpers/embedded-template.js';
import { until } from '../helpers/until.js';

async function dataDirectory(t: ExecutionContext): Promise<string> {
  const directory = await copyEmbedded(mkdtempSync(join(tmpdir(), 'extreg-')));
  t.teardown(() => rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));
  return directory;
}

test('ACCESS-1, ACCESS-3: the first token closes the API and the admin verbs of a running daemon; commands beside it need none', async (t) => {
  const daemon = await DaemonProcess.startReady(t);
  const extreg = (...args: string[]) => run([...args, '--data-dir', daemon.dataDir], { cwd: daemon.dataDir });
  await daemon.sql()`insert into extensions (id, type, subject) values ('a', 'pre', 'ext.a')`;
  await until('it is known', async () => (await daemon.fetch('/admin/extensions/a/health')).status === 200);

  const made = await extreg('token', 'create', 'ada', '--role', 'viewer');
  t.is(made.code, 0, made.stderr);
  const token = made.stdout.trim();
  const get = async (path: string, authorization?: string) =>
    (await fetch(daemon.url + path, { headers: authorization === undefined ? {} : { authorization } })).status;
  await until('it asks for a token', async () => (await get('/admin/extensions')) === 401);
  t.is(await get('/admin/extensions', `Bearer ${token}`), 200);
  t.is(await get('/admin/settings', `Bearer ${token}`), 403);
  t.is(await get('/livez'), 200);
  t.is(await get('/metrics'), 200);

  t.is((await extreg('health', 'a')).code, 0);
  t.is((await extreg('isolate', 'a', '--reason', 'a test')).code, 0);
  const [row] = await daemon.sql()`select changed_by from extension_audit_log where action = 'isolate'`;
  t.regex(row?.changed_by, /^local:./);

  const nats = await daemon.connect();
  const ask = async (authorization?: string) => {
    const sent = headers();
    if (authorization !== undefined) sent.set('Authorization', authorization);
    return (await nats.request('extreg.v1.admin.health', '', { headers: sent, timeout: 5000 })).string();
  };
  t.regex(await ask(), /unauthenticated/);
  t.regex(await ask(`Bearer ${token}`), /"extensions":\[/);

  // Nobody else reads what lets in.
  t.is(statSync(join(daemon.dataDir, 'daemon.json')).mode & 0o777, 0o600);
  t.is(statSync(join(daemon.dataDir, 'tokens.json')).mode & 0o777, 0o600);
  t.false(readFileSync(join(daemon.dataDir, 'tokens.json'), 'utf8').includes(token));
  t.false(JSON.stringify(daemon.log).includes(token));

  t.is((await extreg('token', 'revoke', 'ada', '--reason', 'left', '--yes')).code, 0);
  await until('it is open again', async () => (await get('/admin/extensions')) === 200);
});

test('access: beyond loopback a daemon does not start without a token, and says how to make one; with one it does', async (t) => {
  const directory = await dataDirectory(t);
  const options = { cwd: directory, env: { EXTENSION_REGISTRY_DATA_DIR: directory } };
  const refused = await runProcess(['serve', '--http-host', '0.0.0.0', '--http-port', '0'], options);
  t.is(refused.code, 78);
  t.regex(refused.stderr, /0\.0\.0\.0 is reached from other hosts.*extreg token create <name> --role admin/);

  const made = await run(['token', 'create', 'ada', '--role', 'admin'], options);
  t.is(made.code, 0, made.stderr);
  const daemon = await DaemonProcess.start(t, { EXTENSION_REGISTRY_HTTP_HOST: '0.0.0.0' }, directory);
  t.true(daemon.has('http_without_tls'));
  const url = daemon.url.replace('0.0.0.0', '127.0.0.1');
  const get = async (path: string, authorization?: string) =>
    (await fetch(url + path, { headers: authorization === undefined ? {} : { authorization } })).status;
  t.is(await get('/admin/whoami'), 401);
  t.is(await get('/metrics'), 401);
  t.is(await get('/admin/whoami', `Bearer ${made.stdout.trim()}`), 200);
});

test('access: TLS, which commands beside the daemon know by its file, and SIGHUP reads again; files that do not fit change nothing', async (t) => {
  const directory = await dataDirectory(t);
  const [cert, key] = [join(directory, 'cert.pem'), join(directory, 'key.pem')];
  writeFileSync(cert, CERTIFICATE);
  writeFileSync(key, KEY);
  const tls = { EXTENSION_REGISTRY_HTTP_TLS_CERT_FILE: cert, EXTENSION_REGISTRY_HTTP_TLS_KEY_FILE: key };
  const daemon = await DaemonProcess.start(t, { ...tls, EXTENSION_REGISTRY_HTTP_AUTH: 'required' }, directory);
  t.regex(daemon.url, /^https:/);
  const extreg = (...args: string[]) => run([...args, '--data-dir', directory], { cwd: directory, env: tls });
  await until('it answers', async () => (await extreg('health')).code === 0);
  // By its address alone, the certificate is one of nobody that is trusted.
  const foreign = await run(['health', '--url', daemon.url], {
    cwd: tmpdir(),
    env: { EXTENSION_REGISTRY_TOKEN: 'extreg_x' },
  });
  t.is(foreign.code, 69);
  t.regex(foreign.stderr, /certificate/);

  const hangUp = async (event: string): Promise<void> => {
    const before = daemon.log.filter((line) => line.event === event).length;
    daemon.child.kill('SIGHUP');
    await until(event, () => daemon.log.filter((line) => line.event === event).length > before);
  };
  writeFileSync(cert, 'nonsense');
  await hangUp('reload_failed');
  t.is((await extreg('health')).code, 0);
  writeFileSync(cert, CERTIFICATE);
  copyFileSync(key, `${key}.copy`);
  await hangUp('reloaded');
  t.is((await extreg('health')).code, 0);
});

test('console: an address with a code of one use, which gives what the command has', async (t) => {
  const daemon = await DaemonProcess.start(t, { EXTENSION_REGISTRY_HTTP_AUTH: 'required' });
  const options = { cwd: daemon.dataDir };
  const printed = await run(['console', '--print', '--role', 'viewer', '--data-dir', daemon.dataDir], options);
  t.is(printed.code, 0, printed.stderr);
  const { origin, hash } = new URL(printed.stdout.trim());
  t.is(origin, daemon.url);
  const login = () =>
    fetch(`${daemon.url}/admin/login`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ code: hash.slice('#code='.length) }),
    });
  const answer = await login();
  t.is(answer.status, 200);
  t.like(await answer.json(), { role: 'viewer' });
  t.is((await login()).status, 401);
});

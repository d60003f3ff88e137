// What `serve` cannot start with, as it says so itself and as `check-config` says before.
import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { nkeys } from '#@nats-io/nats-core';
import { openFilesProblem, tooManyOpenFiles } from '../../../src/cli/process/open-files.js';
import { lockDataDirectory } from '../../../src/embedded/postgres/socket-lock.js';
import { CERTIFICATE, KEY } from '../../helpers/certificate.js';
import { directory, EXTREG, run } from '../run.js';

const OTHER_KEY = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString();
const NATS = { NATS_URL: 'nats://127.0.0.1:1' };
const seed = Buffer.from(nkeys.createUser().getSeed()).toString();

const FILES: readonly [setting: string, content: string, expected: RegExp][] = [
  [
    'nats_nkey_seed_file',
    'SUAIBDPBAUTWCWBKIO6XHRNINK5FWJW4OHLXC3HQ2KFE4PEJUA44CNHTC6',
    /expected an nkey seed of a user/,
  ],
  ['nats_nkey_seed_file', 'secret words', /expected an nkey seed of a user/],
  ['nats_nkey_seed_file', Buffer.from(nkeys.createAccount().getSeed()).toString(), /it is no seed of a user/],
  ['nats_creds_file', seed, /expected credentials of a user, a JWT and an nkey seed/],
  ['nats_token_file', 'secret\nwords\n', /expected a token, one line: it has several lines/],
  ['nats_tls_ca_file', 'no certificate', /expected certificates in PEM: it has none/],
  [
    'nats_tls_ca_file',
    '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    /expected certificates in PEM/,
  ],
];

for (const [setting, content, expected] of FILES)
  test(`${setting} that holds ${JSON.stringify(content.slice(0, 12))}…: check-config says what it should`, async (t) => {
    const cwd = directory(t);
    writeFileSync(join(cwd, 'file'), content);
    const env = { ...NATS, [`EXTENSION_REGISTRY_${setting.toUpperCase()}`]: 'file' };
    const { code, stderr } = await run(['check-config'], { cwd, env });
    t.is(code, 78);
    t.regex(stderr, expected);
    t.false(stderr.includes(content), 'and not what it holds');
  });

test('files that are right are taken', async (t) => {
  const cwd = directory(t);
  for (const [name, content] of Object.entries({ key: KEY, cert: CERTIFICATE, seed: `${seed}\n` }))
    writeFileSync(join(cwd, name), content);
  const tls = {
    EXTENSION_REGISTRY_NATS_TLS_CA_FILE: 'cert',
    EXTENSION_REGISTRY_NATS_TLS_CERT_FILE: 'cert',
    EXTENSION_REGISTRY_NATS_TLS_KEY_FILE: 'key',
  };
  const env = { ...NATS, ...tls, EXTENSION_REGISTRY_NATS_NKEY_SEED_FILE: 'seed' };
  t.like(await run(['check-config'], { cwd, env }), { code: 0, stderr: '' });
  writeFileSync(join(cwd, 'key'), OTHER_KEY);
  t.regex((await run(['check-config'], { cwd, env })).stderr, /expected a certificate in PEM that belongs to the key/);
});

test('check-config: a nats-server that is not there, and a data directory that cannot be, are told together', async (t) => {
  const cwd = directory(t);
  writeFileSync(join(cwd, 'file'), '');
  const env = { NATS_SERVER_BIN: '/nowhere/nats-server' };
  const { code, stderr } = await run(['check-config', '--data-dir', 'file/data'], { cwd, env });
  t.is(code, 78);
  t.regex(stderr, /NATS_SERVER_BIN: expected an executable file, got '\/nowhere\/nats-server'\n/);
  t.regex(stderr, /the data directory cannot be made: .*\/file is not a directory\n/);
});

test('a data directory that is a symbolic link to nothing, or to itself, is told by check-config and by serve', async (t) => {
  const cwd = directory(t);
  symlinkSync('nowhere/data', join(cwd, 'dangling'));
  symlinkSync('loop', join(cwd, 'loop'));
  for (const dataDir of ['dangling', 'loop', join('loop', 'data')]) {
    const checked = await run(['check-config', '--data-dir', dataDir], { cwd, env: NATS });
    t.is(checked.code, 78, dataDir);
    t.regex(checked.stderr, /the data directory cannot be made: .*\/(dangling|loop) is a symbolic link to nothing\n/);
    const served = await run(['serve', '--http-port', '0', '--data-dir', dataDir], { cwd, env: NATS });
    t.is(served.code, 78, dataDir);
    t.regex(served.stderr, /^extreg: the data directory cannot be used: (ENOENT|ELOOP): .*'\n$/);
  }
});

test('check-config: a data directory whose path is too long for a socket is told', async (t) => {
  const cwd = directory(t);
  const deep = join('a'.repeat(60), 'b'.repeat(60));
  mkdirSync(join(cwd, deep), { recursive: true });
  const { code, stderr } = await run(['check-config', '--data-dir', deep], { cwd });
  t.is(code, 78);
  t.regex(stderr, /too long for a Unix socket/);
});

test('serve: a data directory that another daemon has is refused, whatever the database', async (t) => {
  const cwd = directory(t);
  const unlock = await lockDataDirectory(cwd);
  t.teardown(unlock);
  const args = ['serve', '--data-dir', '.', '--http-port', '0', '--database-url', 'postgres://127.0.0.1:1/none'];
  const { code, stderr } = await run(args, { cwd, env: NATS });
  t.is(code, 69);
  t.is(
    stderr,
    `extreg: the data directory ${cwd} is in use by another process; end that one, or choose another directory with data_dir (--data-dir)\n`,
  );
});

test('the lock of a data directory is given back, and taken over from who died with it', async (t) => {
  const cwd = directory(t);
  const unlock = await lockDataDirectory(cwd);
  await t.throwsAsync(() => lockDataDirectory(cwd), { name: 'DataDirectoryInUseError' });
  await unlock();
  const program = `import { lockDataDirectory } from ${JSON.stringify(new URL('../../../src/embedded/postgres/socket-lock.js', import.meta.url))};
    await lockDataDirectory('.'); process.kill(process.pid, 'SIGKILL');`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', program], { cwd });
  t.is(child.signal, 'SIGKILL');
  await (await lockDataDirectory(cwd))();
});

test('too few open files: serve and what opens the embedded database say so before they begin', (t) => {
  for (const command of ['serve', 'migrate']) {
    const limited = ['-c', 'ulimit -n 100 && exec "$@"', 'sh', process.execPath, EXTREG, command];
    const { status, stderr } = spawnSync('sh', limited, { cwd: directory(t), encoding: 'utf8' });
    t.is(status, 78, command);
    t.is(
      stderr,
      'extreg: this process may have 100 files open at a time and needs 256: raise the limit (ulimit -n, or LimitNOFILE= of a systemd unit)\n',
    );
  }
  t.is(openFilesProblem(256), null);
  t.is(openFilesProblem(null), null);
  t.regex(String(tooManyOpenFiles(Object.assign(new Error('EMFILE: open x'), { code: 'EMFILE' }))), /open x/);
  t.regex(String(tooManyOpenFiles(Object.assign(new Error('ENFILE: open x'), { code: 'ENFILE' }))), /^this machine/);
  t.is(tooManyOpenFiles(new Error('EMFILE')), null);
});

import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { nkeys } from '#@nats-io/nats-core';
import type { Invocation } from '../../../src/actors/ports/transport.js';
import { BrokerConnection } from '../../../src/nats/connection/connection.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { isDirect } from '../../helpers/depth.js';
import { startExtension, TestServer } from '../../helpers/nats-server.js';
import { unless } from '../../helpers/skip.js';
import { until } from '../../helpers/until.js';
import { Ends, errorOf, invoke, PREFIX, Rig, recordingLogger } from '../wire-rig.js';

const admin = { user: 'admin', pass: 'admin' };

const users = (daemonPermissions: string): string => `
authorization { users: [
  { user: "admin", password: "admin" },
  { user: "daemon", password: "s/e:c@ret", permissions: ${daemonPermissions} }
] }`;

test('requester: a subject we may not publish to ends its pending attempts, and no others', async (t) => {
  const server = await TestServer.start(users('{ publish: { deny: ["ext.secret"] }, subscribe: ">" }'));
  t.teardown(() => server.stop());
  const seen: Invocation[] = [];
  const rig = await Rig.start(server, {
    connection: { user: 'daemon', password: 's/e:c@ret' },
    handle: () => (invocation) => void seen.push(invocation),
  });
  t.teardown(() => rig.close());
  const client = await server.connect(admin);
  await startExtension(client, 'ext.hangs', () => null);
  client.publish(`${PREFIX}.invoke.a`, 'x', { reply: '_INBOX.a' });
  await until('the invocation', () => seen.length === 1);
  const route = (subject: string) =>
    rig.prepare(null, { extensionId: 'a', version: 'v1', instanceId: null, subject, config: null });
  const hanging = new Ends();
  const denied = new Ends();
  rig.requester.send(route('ext.hangs'), seen[0] as Invocation, 1, 60_000, 60_000, hanging);
  rig.requester.send(route('ext.secret'), seen[0] as Invocation, 1, 60_000, 60_000, denied);
  await until('the denial', () => denied.kinds.length === 1);
  t.deepEqual(denied.kinds, ['not_permitted']);
  t.deepEqual(hanging.kinds, []);
  t.true(rig.connection.connected);
});

test('BROKER-SUBSCRIPTION-2: without an inbox no attempt is sent; without the intake it says that it does not listen', async (t) => {
  const server = await TestServer.start(
    users('{ publish: ">", subscribe: { deny: ["_INBOX_extreg.>", "extreg.v1.invoke.>"] } }'),
  );
  t.teardown(() => server.stop());
  const { log, lines } = recordingLogger();
  const rig = await Rig.start(server, { log, connection: { user: 'daemon', password: 's/e:c@ret' } });
  t.teardown(() => rig.close());
  await until('the denial', () => !rig.intake.listening);
  const seen = new Ends();
  const invocation = { headers: {}, body: new Uint8Array(0) } as unknown as Invocation;
  rig.requester.send(rig.route, invocation, 1, 1000, 1000, seen);
  t.deepEqual(seen.kinds, ['not_permitted']);
  t.true(lines.some((line) => line.event === 'nats_permission_denied'));
});

test('BROKER-SUBSCRIPTION-2: a subscription that was denied is there after the permission was given and the server is back', async (t) => {
  const server = await TestServer.start(users('{ publish: ">", subscribe: { deny: ["extreg.v1.invoke.>"] } }'));
  t.teardown(() => server.stop());
  const rig = await Rig.start(server, { connection: { user: 'daemon', password: 's/e:c@ret' } });
  t.teardown(() => rig.close());
  await until('the denial', () => !rig.intake.listening);
  await server.kill();
  await server.restart(users('{ publish: ">", subscribe: ">" }'));
  await until('the intake', () => rig.connection.connected && rig.intake.listening);
  const client = await server.connect(admin);
  t.is(errorOf(await invoke(client, 'normalize')).message, 'attempt ended: no_responders');
});

type Settings = Partial<Parameters<typeof BrokerConnection.open>[0]>;

/** Resolves when it is connected, however often that takes on a machine that is busy. */
async function connects(url: string, settings: Settings = {}): Promise<boolean> {
  const connection = BrokerConnection.open(
    { url, name: 'test', reconnectMaxMs: 20, isDirect, ...settings },
    silentLogger,
  );
  try {
    await until('the connection', () => connection.connected);
    return true;
  } finally {
    await connection.close();
  }
}

/** Resolves when an attempt to connect has failed. */
async function isRefused(url: string, settings: Settings = {}): Promise<boolean> {
  const { log, lines } = recordingLogger();
  const connection = BrokerConnection.open({ url, name: 'test', reconnectMaxMs: 20, isDirect, ...settings }, log);
  try {
    await until('an answer', () => connection.connected || lines.some(({ event }) => event === 'nats_connect_failed'));
    return !connection.connected;
  } finally {
    await connection.close();
  }
}

test('connection: user and password as settings and within the address', async (t) => {
  const server = await TestServer.start(users('{ publish: ">", subscribe: ">" }'));
  t.teardown(() => server.stop());
  t.true(await connects(server.url, { user: 'daemon', password: 's/e:c@ret' }));
  t.true(await connects(`nats://daemon:s%2Fe%3Ac%40ret@127.0.0.1:${server.port}`));
  t.true(await connects(`127.0.0.1:1, admin:admin@127.0.0.1:${server.port}/`));
  t.true(await isRefused(server.url));
  t.true(await isRefused(server.url, { user: 'daemon', password: 'wrong' }));
});

test('connection: a token as a setting and within the address', async (t) => {
  const server = await TestServer.start('authorization { token: "t-1" }');
  t.teardown(() => server.stop());
  t.true(await connects(server.url, { token: 't-1' }));
  t.true(await connects(`nats://t-1@127.0.0.1:${server.port}`));
  t.true(await isRefused(server.url, { token: 't-2' }));
});

test('connection: an nkey seed is read from its file', async (t) => {
  const pair = nkeys.createUser();
  const server = await TestServer.start(`authorization { users: [ { nkey: "${pair.getPublicKey()}" } ] }`);
  t.teardown(() => server.stop());
  const directory = await mkdtemp(join(tmpdir(), 'extreg-nkey-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const file = join(directory, 'seed');
  writeFileSync(file, `${Buffer.from(pair.getSeed()).toString()}\n`);
  t.true(await connects(server.url, { nkeySeedFile: file }));
  t.true(await isRefused(server.url, { nkeySeedFile: join(directory, 'missing') }));
});

test('connection: secrets of the address are not logged', async (t) => {
  const { log, lines } = recordingLogger();
  const connection = BrokerConnection.open({ url: 'nats://user:hunter2@127.0.0.1:1', name: 'test' }, log);
  await until('the failure', () => lines.length > 0);
  await connection.close();
  t.false(JSON.stringify(lines).includes('hunter2'));
  t.true(JSON.stringify(lines).includes('127.0.0.1:1'));
});

const openssl = spawnSync('openssl', ['version']).status === 0;
unless(openssl ? null : 'there is no openssl here', test)(
  'connection: TLS with our own certificate authority, and not without it',
  async (t) => {
    const directory = await mkdtemp(join(tmpdir(), 'extreg-tls-'));
    t.teardown(() => rm(directory, { recursive: true }));
    const key = join(directory, 'key.pem');
    const cert = join(directory, 'cert.pem');
    const made = spawnSync('openssl', [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...[
        '-subj',
        '/CN=localhost',
        '-addext',
        'subjectAltName=IP:127.0.0.1,DNS:localhost',
        '-keyout',
        key,
        '-out',
        cert,
      ],
    ]);
    t.is(made.status, 0, made.stderr.toString());
    const server = await TestServer.start(
      `tls { cert_file: "${cert}", key_file: "${key}", ca_file: "${cert}", verify: true }`,
    );
    t.teardown(() => server.stop());
    t.true(await connects(server.url, { tlsCaFile: cert, tlsCertFile: cert, tlsKeyFile: key }));
    t.true(await isRefused(server.url, { tlsCaFile: cert }));
    t.true(await isRefused(`tls://127.0.0.1:${server.port}`));
  },
);

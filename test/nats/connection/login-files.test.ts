// Files of the login that change while the daemon runs. LOGIN-FILES of login-files.ts, LOGIN-RENEWAL of login-renewal.ts.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { BrokerConnection } from '../../../src/nats/connection/connection.js';
import type { ConnectionSettings } from '../../../src/nats/connection/connection-options.js';
import { LoginContents } from '../../../src/nats/connection/login-files.js';
import { jwtLogin, nkeyLogin, selfSigned } from '../../helpers/nats-logins.js';
import { TestServer } from '../../helpers/nats-server.js';
import { unless } from '../../helpers/skip.js';
import { until } from '../../helpers/until.js';
import { type LogLine, recordingLogger } from '../wire-rig.js';

function directoryOf(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'extreg-login-'));
  t.teardown(() => rmSync(directory, { recursive: true }));
  return directory;
}

async function serverOf(t: ExecutionContext, config: string): Promise<TestServer> {
  const server = await TestServer.start(config);
  t.teardown(() => server.stop());
  return server;
}

function open(t: ExecutionContext, server: TestServer, files: Partial<ConnectionSettings>) {
  const { log, lines } = recordingLogger();
  const connection = BrokerConnection.open({ url: server.url, name: 'test', reconnectMaxMs: 20, ...files }, log);
  t.teardown(() => connection.close());
  const count = (event: string): number => lines.filter((line) => line.event === event).length;
  const connects = (times: number) => until(`connection ${times}`, () => count('nats_connected') === times);
  return { connection, lines, count, connects };
}

const eventsOf = (lines: readonly LogLine[]): unknown[] => lines.map(({ event }) => event);

interface Login {
  /** Of the server that accepts it, and nothing else. */
  readonly config: string;
  /** What the file holds. */
  readonly content: string;
}

interface Kind {
  readonly setting: 'tokenFile' | 'passwordFile' | 'nkeySeedFile' | 'credsFile';
  readonly also?: Partial<ConnectionSettings>;
  readonly make: (which: string) => Login;
  readonly invalid: string;
}

const KINDS: readonly Kind[] = [
  {
    setting: 'tokenFile',
    make: (which) => ({ config: `authorization { token: "${which}" }`, content: `${which}\n` }),
    invalid: '\n',
  },
  {
    setting: 'passwordFile',
    also: { user: 'daemon' },
    make: (which) => ({
      config: `authorization { users: [ { user: "daemon", password: " ${which} " } ] }`,
      content: ` ${which} \r\n`,
    }),
    invalid: 'two\nlines\n',
  },
  {
    setting: 'nkeySeedFile',
    make: () => {
      const { config, seed } = nkeyLogin();
      return { config, content: seed };
    },
    invalid: 'SUA',
  },
  {
    setting: 'credsFile',
    make: () => {
      const { config, creds } = jwtLogin();
      return { config, content: creds };
    },
    invalid: '-----BEGIN NATS USER JWT-----\n',
  },
];

for (const { setting, also, make, invalid } of KINDS)
  test.serial(
    `LOGIN-FILES-1: ${setting}: a rotated one is used for the next connect, one that is invalid leaves the last in force`,
    async (t) => {
      const [first, second] = [make('first'), make('second')];
      const server = await serverOf(t, first.config);
      const file = join(directoryOf(t), 'file');
      writeFileSync(file, first.content);
      const { connection, lines, connects } = open(t, server, { ...also, [setting]: file });
      await connects(1);
      await server.kill();
      writeFileSync(file, second.content);
      await server.restart(second.config);
      await connects(2);
      t.false(eventsOf(lines).includes('nats_login_file_invalid'));
      // An editor has saved half of it, and the server is restarted meanwhile.
      writeFileSync(file, invalid);
      await server.kill();
      await server.restart();
      await connects(3);
      const problems = lines.filter(({ event }) => event === 'nats_login_file_invalid');
      t.is(problems.length, 1, 'once, however many attempts there were');
      t.like(problems[0], { keeps_previous: true });
      t.regex(String(problems[0]?.problem), new RegExp(`^${file}: expected `));
      t.true(connection.connected);
    },
  );

const isOpenssl = spawnSync('openssl', ['version']).status === 0;
unless(isOpenssl ? null : 'there is no openssl here', test.serial)(
  'LOGIN-FILES-1, LOGIN-FILES-2: certificates: rotated ones are used, one whose key is still the old one is not',
  async (t) => {
    const directory = directoryOf(t);
    const [first, second] = [selfSigned(directory, 'first'), selfSigned(directory, 'second')];
    const verifying = ({ cert, key }: typeof first) =>
      `tls { cert_file: "${cert}", key_file: "${key}", ca_file: "${cert}", verify: true }`;
    const [ca, cert, key] = ['ca.pem', 'cert.pem', 'key.pem'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ];
    const put = (from: typeof first, ...to: string[]) => {
      for (const path of to) copyFileSync(path === key ? from.key : from.cert, path);
    };
    put(first, ca, cert, key);
    const server = await serverOf(t, verifying(first));
    const { connection, lines, connects } = open(t, server, { tlsCaFile: ca, tlsCertFile: cert, tlsKeyFile: key });
    await connects(1);

    put(second, cert);
    await connection.renewLogin();
    t.like(lines.at(-2), { event: 'nats_login_read', changed: [], kept: [cert, key] });
    t.is(lines.at(-1)?.event, 'nats_login_accepted', 'the old pair still serves');
    t.true(
      lines.some(({ problem }) => String(problem).startsWith(`${cert}: expected a certificate in PEM that belong`)),
    );

    await server.kill();
    put(second, ca, cert, key);
    await server.restart(verifying(second));
    await connects(2);

    writeFileSync(ca, 'no certificate');
    await server.kill();
    await server.restart();
    await connects(3);
  },
);

unless(isOpenssl ? null : 'there is no openssl here', test.serial)(
  'CONNECTION-OPTIONS-4: a server that is named by its address is accepted with a certificate for that address, and for no other',
  async (t) => {
    const directory = directoryOf(t);
    for (const [subject, isAccepted] of [
      ['IP:127.0.0.1', true],
      ['DNS:localhost', true],
      ['IP:127.0.0.2', false],
      ['DNS:127.0.0.1.example', false],
    ] as const) {
      const { cert, key } = selfSigned(directory, 'server', subject);
      const server = await serverOf(t, `tls { cert_file: "${cert}", key_file: "${key}" }`);
      const { connection, lines } = open(t, server, { tlsCaFile: cert });
      const isRefused = () => lines.some(({ error }) => /altnames/.test(String(error)));
      await until('an answer', () => connection.connected || isRefused());
      t.is(connection.connected, isAccepted, `${subject}: ${JSON.stringify(lines)}`);
    }
  },
);

test.serial('LOGIN-FILES-2: a certificate without its key is not in force, whichever of them came first', (t) => {
  const { log } = recordingLogger();
  const directory = directoryOf(t);
  const [cert, key] = [join(directory, 'cert'), join(directory, 'key')];
  const contents = new LoginContents({ tlsCertFile: cert, tlsKeyFile: key }, log);
  t.throws(() => contents.fresh('certificate'), { message: /cert: expected a certificate in PEM .*ENOENT/ });
  t.throws(() => contents.last('certificate'));
  t.throws(() => contents.fresh('token'), { message: 'there is no file for token' });
});

test.serial(
  'LOGIN-RENEWAL-1, LOGIN-RENEWAL-2: the server is asked about a new login, and the connection is not cut',
  async (t) => {
    const users = (password: string) => `authorization { users: [ { user: "other", password: "other" },
    { user: "daemon", password: "${password}" } ] }`;
    const server = await serverOf(t, users('first'));
    const file = join(directoryOf(t), 'password');
    writeFileSync(file, 'first');
    const { connection, lines, count } = open(t, server, { user: 'daemon', passwordFile: file });
    await connection.firstConnected;
    const renewed = async (): Promise<readonly LogLine[]> => {
      const before = lines.length;
      await connection.renewLogin();
      return lines.slice(before);
    };

    t.like(await renewed(), [{ event: 'nats_login_read', changed: [], kept: [] }, { event: 'nats_login_accepted' }]);

    writeFileSync(file, 'second');
    const refused = await renewed();
    t.like(refused, [{ event: 'nats_login_read', changed: [file], kept: [] }, { event: 'nats_login_failed' }]);
    t.regex(String(refused[1]?.error), /Authorization/);
    t.false(JSON.stringify(lines).includes('second'), 'LOGIN-FILES-3');

    writeFileSync(file, '');
    const isSaid = { event: 'nats_login_file_invalid', problem: `${file}: expected a password, one line: it is empty` };
    t.like((await renewed())[0], isSaid);
    t.like((await renewed())[0], isSaid, 'an operator who asks again is answered again');

    t.is(count('nats_connected'), 1);
    t.is(count('nats_disconnected'), 0);
    t.true(connection.connected);

    // The server takes over the new password, and cuts those that have logged in with the old one.
    writeFileSync(file, 'second');
    server.reconfigure(users('second'));
    await until('the second connection', () => count('nats_connected') === 2);
    t.like(await renewed(), [{ event: 'nats_login_read', changed: [], kept: [] }, { event: 'nats_login_accepted' }]);
  },
);

test.serial('login files: without any there is nothing to renew', async (t) => {
  const server = await serverOf(t, '');
  const { connection, lines, connects } = open(t, server, {});
  await connects(1);
  const before = lines.length;
  await connection.renewLogin();
  t.is(lines.length, before);
});

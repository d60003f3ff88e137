import { type ChildProcess, fork } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { connect } from '#@nats-io/transport-node';

import { keptToken } from '../../../src/embedded/nats/embedded-address.js';
import {
  type EmbeddedServer,
  findNatsServer,
  NatsPortInUseError,
  startEmbeddedServer,
} from '../../../src/embedded/nats/embedded-server.js';

import { silentLogger } from '../../../src/telemetry/log.js';
import { processesNaming } from '../../helpers/processes.js';
import { until } from '../../helpers/until.js';
import { type LogLine, recordingLogger } from '../../nats/wire-rig.js';

type Context = { teardown(fn: () => unknown): void };

function dataDirOf(t: Context): string {
  const directory = mkdtempSync(join(tmpdir(), 'extreg-data-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const installed = findNatsServer('', process.env) as string;

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const { listener, port } = await listen();
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

async function listen(): Promise<{ listener: Server; port: number }> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  return { listener, port: (listener.address() as { port: number }).port };
}

async function started(
  t: Context,
  dataDir: string,
  preferredPort: number,
): Promise<{ server: EmbeddedServer; lines: LogLine[] }> {
  const { log, lines } = recordingLogger();
  const server = await startEmbeddedServer({ dataDir, log, binary: installed, preferredPort });
  t.teardown(() => server.stop());
  return { server, lines };
}

/** Ids of the running processes whose command line holds the text. */
const running = (text: string): number[] => processesNaming(text).map((process) => process.pid);

const pidOf = (lines: readonly LogLine[], nth: number): number =>
  lines.filter((line) => line.event === 'nats_server_started')[nth]?.pid as number;

test('EMBEDDED-SERVER-1: loopback only, with a token that stands in no command line, in a file for the owner alone', async (t) => {
  const dataDir = dataDirOf(t);
  const { server } = await started(t, dataDir, await freePort());
  t.is(server.url, `nats://127.0.0.1:${server.port}`);
  await t.throwsAsync(connect({ servers: server.url }), { message: /authorization/i });
  const client = await connect({ servers: server.url, token: server.token });
  t.is(client.info?.host, '127.0.0.1');
  await client.close();
  const config = join(dataDir, 'nats', 'nats-server.conf');
  t.is(statSync(config).mode & 0o777, 0o600);
  t.true(readFileSync(config, 'utf8').includes(server.token));
  t.is(running(dataDir).length, 2, 'the keeper and the server');
  t.deepEqual(running(server.token), []);
  await server.stop();
  t.deepEqual(running(dataDir), []);
  t.deepEqual(readdirSync(join(dataDir, 'nats')).sort(), ['nats-server.conf', 'port', 'token']);
  for (const file of ['port', 'token']) t.is(statSync(join(dataDir, 'nats', file)).mode & 0o777, 0o600);
});

test('EMBEDDED-SERVER-2: the preferred port where it is free, another one where it is taken', async (t) => {
  const port = await freePort();
  t.is((await started(t, dataDirOf(t), port)).server.port, port);
  const { listener, port: taken } = await listen();
  t.teardown(() => listener.close());
  const { server } = await started(t, dataDirOf(t), taken);
  t.not(server.port, taken);
  await (await connect({ servers: server.url, token: server.token })).close();
});

test('EMBEDDED-SERVER-2: port and token are those of the start before', async (t) => {
  const dataDir = dataDirOf(t);
  const first = await started(t, dataDir, await freePort());
  await first.server.stop();
  const { server } = await started(t, dataDir, await freePort());
  t.deepEqual([server.port, server.token], [first.server.port, first.server.token]);
});

test('EMBEDDED-SERVER-2: a kept port that another process has is an error that names the command for a new one', async (t) => {
  const dataDir = dataDirOf(t);
  const { server } = await started(t, dataDir, await freePort());
  await server.stop();
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(server.port, '127.0.0.1', resolve));
  t.teardown(() => listener.close());
  const file = join(dataDir, 'nats', 'port');
  await t.throwsAsync(started(t, dataDir, await freePort()), {
    instanceOf: NatsPortInUseError,
    message: `port ${server.port} of the embedded nats-server is in use by another process; end that process, or choose another port for good with: rm '${file}'`,
  });
  t.deepEqual(running(dataDir), [], 'nothing was left running');
  rmSync(file);
  const other = await started(t, dataDir, await freePort());
  t.not(other.server.port, server.port);
  t.is(other.server.token, server.token);
});

test('EMBEDDED-ADDRESS-1: a token that came back from a backup for everybody to read is the owner’s again', (t) => {
  const dataDir = dataDirOf(t);
  const token = keptToken(dataDir);
  const file = join(dataDir, 'nats', 'token');
  chmodSync(file, 0o644);
  t.is(keptToken(dataDir), token);
  t.is(statSync(file).mode & 0o777, 0o600);
});

test('EMBEDDED-ADDRESS-2: what is no port and no token is replaced', async (t) => {
  const dataDir = dataDirOf(t);
  mkdirSync(join(dataDir, 'nats'));
  writeFileSync(join(dataDir, 'nats', 'port'), '70000\n');
  writeFileSync(join(dataDir, 'nats', 'token'), 'short"\n');
  const port = await freePort();
  const { server } = await started(t, dataDir, port);
  t.is(server.port, port);
  t.regex(server.token, /^[\w-]{32}$/);
  t.is(readFileSync(join(dataDir, 'nats', 'port'), 'utf8'), `${port}\n`);
});

test('EMBEDDED-SERVER-3: a server that dies is back on its port, and so is one whose keeper dies', async (t) => {
  const dataDir = dataDirOf(t);
  const { server, lines } = await started(t, dataDir, await freePort());
  const client = await connect({
    servers: server.url,
    token: server.token,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 20,
  });
  t.teardown(() => client.close());
  process.kill(pidOf(lines, 0), 'SIGKILL');
  await until('the second server', () => pidOf(lines, 1) !== undefined);
  await until('the client to be back', () =>
    client.rtt().then(
      () => true,
      () => false,
    ),
  );
  t.is(lines.filter((line) => line.event === 'nats_server_started')[1]?.port, server.port);
  const keeper = running(dataDir).find((pid) => pid !== pidOf(lines, 1)) as number;
  process.kill(keeper, 'SIGKILL');
  await until('the third server', () => pidOf(lines, 2) !== undefined);
  t.is(running(dataDir).length, 2, 'nothing of the second is left');
  await server.stop();
  t.deepEqual(running(dataDir), []);
});

test('EMBEDDED-SERVER-3: stop() while a restart is under way leaves nothing', async (t) => {
  const dataDir = dataDirOf(t);
  const { server, lines } = await started(t, dataDir, await freePort());
  process.kill(pidOf(lines, 0), 'SIGKILL');
  await until('the death', () => lines.some((line) => line.event === 'nats_server_died'));
  await server.stop();
  await server.stop();
  t.deepEqual(running(dataDir), []);
});

async function parent(t: Context, dataDir: string): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(
    fileURLToPath(new URL('./parent-process.js', import.meta.url)),
    [dataDir, String(await freePort())],
    {
      detached: true,
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    },
  );
  t.teardown(() => child.kill('SIGKILL'));
  const { port } = await new Promise<{ port: number }>((resolve) =>
    child.once('message', (message) => resolve(message as { port: number })),
  );
  return { child, port };
}

test('KEEPER-1: SIGKILL of the daemon leaves neither keeper nor server', async (t) => {
  const dataDir = dataDirOf(t);
  const { child } = await parent(t, dataDir);
  t.is(running(dataDir).length, 3);
  child.kill('SIGKILL');
  await until('the end of all', () => running(dataDir).length === 0);
  t.pass();
});

test('SERVER-PROCESS-2: what a daemon and a keeper left that were killed at once ends with the next start', async (t) => {
  const dataDir = dataDirOf(t);
  const { child } = await parent(t, dataDir);
  const config = join(dataDir, 'nats', 'nats-server.conf');
  const isServer = (pid: number): boolean => running(`nats-server --config ${config}`).includes(pid);
  const keeper = running(config).find((pid) => !isServer(pid)) as number;
  const orphan = running(config).find(isServer) as number;
  child.kill('SIGSTOP');
  process.kill(keeper, 'SIGKILL');
  child.kill('SIGKILL');
  await until('the end of both', () => running(dataDir).length === 1);
  t.deepEqual(running(dataDir), [orphan]);
  const port = await freePort();
  // A minimal machine has no `ps`; what was left is ended before the first await.
  const { PATH } = process.env;
  process.env.PATH = '';
  const starting = started(t, dataDir, port);
  process.env.PATH = PATH;
  const { server } = await starting;
  t.false(running(dataDir).includes(orphan));
  t.is(running(dataDir).length, 2);
  await server.stop();
  t.deepEqual(running(dataDir), []);
});

test('KEEPER-1: a Ctrl-C in the terminal reaches the daemon and not the server', async (t) => {
  const dataDir = dataDirOf(t);
  const { child } = await parent(t, dataDir);
  const told = new Promise((resolve) => child.once('message', resolve));
  process.kill(-(child.pid as number), 'SIGINT');
  t.deepEqual(await told, { interrupted: true, connected: true });
  t.is(running(dataDir).length, 3);
  child.kill('SIGKILL');
  await until('the end of all', () => running(dataDir).length === 0);
});

test('startEmbeddedServer: a binary that is no server is told with its own words', async (t) => {
  const dataDir = dataDirOf(t);
  const binary = join(dataDir, 'nats-server');
  writeFileSync(binary, '#!/bin/sh\necho "this is no server" >&2\nexit 3\n');
  chmodSync(binary, 0o755);
  await t.throwsAsync(startEmbeddedServer({ dataDir, log: silentLogger, binary }), {
    message: /ended at once: this is no server/,
  });
  t.deepEqual(running(dataDir), []);
});

test('findNatsServer: NATS_SERVER_BIN alone where it is set, else PATH, else below the data directory', (t) => {
  const dataDir = dataDirOf(t);
  const own = (path: string): string => {
    const file = join(dataDir, path, 'nats-server');
    mkdirSync(join(dataDir, path), { recursive: true });
    writeFileSync(file, '#!/bin/sh\n', { mode: 0o755 });
    return file;
  };
  const inPath = own('bin');
  t.is(findNatsServer(dataDir, { NATS_SERVER_BIN: inPath }), inPath);
  t.is(findNatsServer(dataDir, { NATS_SERVER_BIN: join(dataDir, 'missing'), PATH: join(dataDir, 'bin') }), null);
  t.is(findNatsServer(dataDir, { NATS_SERVER_BIN: '', PATH: `:/nowhere:${join(dataDir, 'bin')}` }), inPath);
  const tool = own('tools/usr/sbin');
  const found = findNatsServer(dataDir, {});
  // A machine may have one in a directory that is looked at before.
  t.true(found === tool || (found === installed && statSync(installed).isFile()));
  t.is(findNatsServer(join(dataDir, 'none'), {}) ?? installed, installed);
});

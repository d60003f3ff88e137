// MAIN-3 of main.ts: commands in one process, one after another and side by side.
import { createHook } from 'node:async_hooks';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type WebSocket, WebSocketServer } from '#ws';
import { main } from '../../src/cli/main.js';
import { copyEmbedded } from '../helpers/embedded-template.js';
import { startExtension, TestServer } from '../helpers/nats-server.js';
import { until } from '../helpers/until.js';
import { listen } from '../http/helpers.js';
import { Captured, commandIo, directory, type RunOptions, writeDaemonFile } from './run.js';

let nats: TestServer;
test.before(async () => {
  nats = await TestServer.start('accounts { A: { users: [{ user: u, password: p }] }, B: {} }\nno_auth_user: u');
});
test.after.always(() => nats?.stop());

/** In this process, also where other commands of the tests are processes. */
async function runHere(args: readonly string[], options: RunOptions, stdout = new Captured()) {
  const stderr = new Captured();
  const io = commandIo({ ...options, stdout, stderr });
  // A stream that was read to its end, or destroyed, keeps its own.
  const listeners = () => [process, io.stdin, stdout, stderr].map((one) => (isOver(one) ? {} : listenersOf(one)));
  const before = listeners();
  const code = await main(args, io);
  return { code, stdout: stdout.text, stderr: stderr.text, listeners: [before, listeners()] as const };
}

const isOver = (emitter: object): boolean => 'destroyed' in emitter && emitter.destroyed === true;

const listenersOf = (emitter: NodeJS.EventEmitter): Record<string, number> =>
  Object.fromEntries(emitter.eventNames().map((name) => [String(name), emitter.listenerCount(name)]));

/** Timers that are armed, made since; and handles that keep the process alive. */
class Handles {
  readonly #timers = new Set<number>();
  #isWatching = true;
  readonly #hook = createHook({
    init: (id, type) => {
      if (this.#isWatching && type === 'Timeout') this.#timers.add(id);
    },
    destroy: (id) => {
      this.#timers.delete(id);
    },
  }).enable();
  readonly #before = process.getActiveResourcesInfo();

  /** Some close within the next turns of the event loop. */
  async areAsBefore(t: ExecutionContext): Promise<void> {
    this.#isWatching = false;
    const isDone = () => this.#timers.size === 0 && this.#added().length === 0;
    await until('nothing is left', isDone, 3000).catch(() => undefined);
    this.#hook.disable();
    t.is(this.#timers.size, 0, 'timers');
    t.deepEqual(this.#added(), []);
  }

  /** What an earlier test closed may have been there still. */
  #added(): string[] {
    const before = [...this.#before];
    return process.getActiveResourcesInfo().filter((kind) => {
      const at = before.indexOf(kind);
      if (at >= 0) before.splice(at, 1);
      return at < 0;
    });
  }
}

interface Case {
  readonly args: readonly string[];
  readonly env?: Record<string, string>;
  readonly input?: string;
  readonly stdout?: Captured;
}

const leavesNothing = test.macro<
  [what: string, code: number, prepare: (t: ExecutionContext, cwd: string) => Case | Promise<Case>]
>({
  async exec(t, _, code, prepare) {
    const cwd = directory(t);
    const { args, stdout, ...given } = await prepare(t, cwd);
    const handles = new Handles();
    const ran = await runHere(args, { cwd, ...given }, stdout);
    t.is(ran.code, code, ran.stderr);
    await handles.areAsBefore(t);
    t.deepEqual(ran.listeners[1], ran.listeners[0]);
  },
  title: (_, what) => `MAIN-3: no listener, timer or handle is left: ${what}`,
});
const serial = test.serial;

serial(leavesNothing, 'help', 0, () => ({ args: ['--help'] }));
serial(leavesNothing, 'wrong usage', 64, () => ({ args: ['health', '--htp-port', '1'] }));
serial(leavesNothing, 'a configuration that is wrong', 78, () => ({ args: ['health', '--http-port', 'x'] }));
serial(leavesNothing, 'serve, which needs a process of its own', 64, () => ({ args: ['serve'] }));

const port = async (t: ExecutionContext): Promise<string> => new URL((await listen(t)).url).port;
serial(leavesNothing, 'health', 0, async (t) => ({ args: ['health', '--http-port', await port(t)] }));
serial(leavesNothing, 'an error of the API', 1, async (t) => ({
  args: ['disable', 'a', '--reason', 'x', '--http-port', await port(t)],
}));
serial(leavesNothing, 'a port where nothing listens', 69, () => ({ args: ['explain', 'a', '--http-port', '1'] }));
serial(leavesNothing, 'an answer that is no JSON', 69, async (t) => {
  const server = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await until('it listens', () => server.listening);
  return { args: ['rollout', 'a', '--http-port', String((server.address() as AddressInfo).port)] };
});
serial(leavesNothing, 'an answer that breaks off', 69, async (t) => {
  const server = createTcpServer((socket) =>
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{')),
  );
  server.listen(0, '127.0.0.1');
  t.teardown(() => server.close());
  await until('it listens', () => server.listening);
  return { args: ['health', '--http-port', String((server.address() as AddressInfo).port)] };
});

/** `extreg inspect --follow` and a daemon that does this with it. */
async function followed(t: ExecutionContext, then: (viewer: WebSocket) => void): Promise<Case> {
  // Of a daemon that asks for no tickets.
  const http = createServer((_, response) => response.writeHead(404).end('{"code":"route_not_found","detail":"none"}'));
  const server = new WebSocketServer({ server: http });
  t.teardown(() => server.close());
  t.teardown(() => http.close());
  server.on('connection', then);
  http.listen(0, '127.0.0.1');
  await until('it listens', () => http.listening);
  return { args: ['inspect', '--follow', '--http-port', String((http.address() as AddressInfo).port)] };
}
serial(leavesNothing, 'inspect --follow, until the daemon stops', 0, (t) =>
  followed(t, (viewer) => viewer.close(1001)),
);
serial(leavesNothing, 'inspect --follow of an extension that is unknown', 1, (t) =>
  followed(t, (viewer) => viewer.close(4004, 'none')),
);
serial(leavesNothing, 'inspect --follow, when its reader goes away', 0, async (t) => {
  const stdout = new Captured();
  return {
    ...(await followed(t, (viewer) => {
      viewer.send('{}');
      stdout.destroy();
    })),
    stdout,
  };
});

serial(leavesNothing, 'invoke', 0, async () => {
  await startExtension(await nats.connect(), 'extreg.v1.invoke.left', ({ data }) => ({ body: data }));
  return { args: ['invoke', 'left', '-'], input: 'x', env: { NATS_URL: nats.url } };
});
serial(leavesNothing, 'invoke where no daemon is', 69, () => ({
  args: ['invoke', 'none'],
  env: { NATS_URL: nats.url },
}));
serial(leavesNothing, 'invoke that is not let in', 69, () => ({
  args: ['invoke', 'none'],
  env: { NATS_URL: nats.url.replace('//', '//u:wrong@') },
}));
serial(leavesNothing, 'invoke where no server is', 69, () => ({
  args: ['invoke', 'none'],
  env: { NATS_URL: 'nats://127.0.0.1:1' },
}));

const unreachable = { DATABASE_URL: 'postgres://u@127.0.0.1:1/x' };
for (const command of [['sql', 'select 1'], ['migrate'], ['export']])
  serial(leavesNothing, `${command[0]} of a database that does not answer`, 69, () => ({
    args: command,
    env: unreachable,
  }));
serial(leavesNothing, 'import of a file that is not valid', 65, () => ({
  args: ['import', '-'],
  input: 'format: 2\n',
  env: unreachable,
}));
async function embedded(cwd: string): Promise<Record<string, string>> {
  await copyEmbedded(join(cwd, 'data'));
  return { EXTENSION_REGISTRY_DATA_DIR: 'data' };
}
serial(leavesNothing, 'a statement that the embedded database refuses', 1, async (_, cwd) => ({
  args: ['sql', 'nonsense'],
  env: await embedded(cwd),
}));
serial(leavesNothing, 'import into the embedded database', 0, async (_, cwd) => ({
  args: ['import', '-'],
  input: 'format: 1\nextensions: {a: {type: pre, subject: x.a}}\n',
  env: await embedded(cwd),
}));

test('MAIN-3: commands side by side keep input, output, directory, environment and exit code apart', async (t) => {
  await startExtension(await nats.connect(), 'extreg.v1.invoke.beside', ({ data }) => ({ body: data }));
  const numbers = Array.from({ length: 20 }, (_, i) => i + 1);
  const ran = await Promise.all(
    numbers.flatMap((i) => {
      const cwd = directory(t);
      writeFileSync(join(cwd, 'extreg.config.yaml'), `extension_registry: {minimum_volume: ${i}}\n`);
      const env = { EXTENSION_REGISTRY_ENVIRONMENT: `e${i}`, NATS_URL: nats.url };
      return [
        runHere(['check-config', '--print', '--json'], { cwd, env }),
        runHere(['invoke', 'beside', '-'], { cwd, env, input: `body ${i}` }),
        runHere(['health', '--http-port', `${i}x`], { cwd }),
        runHere([i % 2 === 0 ? '--version' : 'nonsense'], { cwd }),
      ];
    }),
  );
  for (const i of numbers) {
    const [config, invoked, wrong, plain] = ran.slice((i - 1) * 4, i * 4);
    const { settings } = JSON.parse(config?.stdout ?? '') as { settings: { key: string; value: unknown }[] };
    const value = (key: string) => settings.find((setting) => setting.key === key)?.value;
    t.deepEqual([config?.code, value('environment'), value('minimum_volume')], [0, `e${i}`, i]);
    t.deepEqual([invoked?.code, invoked?.stdout, invoked?.stderr], [0, `body ${i}`, '']);
    t.is(wrong?.code, 78);
    t.regex(wrong?.stderr ?? '', new RegExp(`got '${i}x'\n$`));
    t.is(plain?.code, i % 2 === 0 ? 0 : 64);
  }
});

test('MAIN-3: files of arguments and settings are looked for in the directory of the command', async (t) => {
  const cwd = directory(t);
  const missing = await runHere(['import', 'none.yaml'], { cwd });
  t.is(missing.code, 65);
  t.is(
    missing.stderr,
    "extreg: none.yaml cannot be read: ENOENT: no such file or directory, open 'none.yaml'\n",
    'named as it was given',
  );
  writeDaemonFile(cwd, { http: (await listen(t)).url });
  t.is((await runHere(['health', '--data-dir', '.'], { cwd })).code, 0);
  const env = { DATABASE_URL: 'postgres://u@127.0.0.1:1/x?sslmode=verify-full&sslrootcert=ca.pem' };
  t.regex((await runHere(['check-config'], { cwd, env })).stderr, /sslrootcert: .*got 'ca.pem': no such file\n$/);
  writeFileSync(join(cwd, 'ca.pem'), '');
  t.is((await runHere(['check-config'], { cwd, env })).code, 0);
});

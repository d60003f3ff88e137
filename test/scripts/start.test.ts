// `npm start` as a person runs it: the whole thing, in a data directory of its own.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { until } from '../helpers/nats-server.js';
import { canSeeProcesses, processesWith } from '../helpers/processes.js';

const UP_MS = 60_000;
const STOP_MS = 5000;
const dataDir = mkdtempSync(join(tmpdir(), 'extreg-start-'));
test.after.always(() => rmSync(dataDir, { recursive: true, force: true }));

/** These are about processes that are left over, which only /proc can tell. */
const serial = canSeeProcesses ? test.serial : test.serial.skip;

class NpmStart {
  output = '';
  readonly #exited: Promise<unknown[]>;

  constructor(readonly npm: ChildProcess) {
    this.#exited = once(npm, 'exit');
    for (const stream of [npm.stdout, npm.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
  }

  /** Exit code and signal of npm. */
  ended(): Promise<unknown[]> {
    return this.#exited;
  }

  async isUp(): Promise<void> {
    const hasEnded = () => this.npm.exitCode !== null || this.npm.signalCode !== null;
    await until('npm start is up', () => hasEnded() || this.output.includes('Ctrl-C stops everything'), UP_MS);
    if (hasEnded()) throw new Error(`npm start ended: ${this.output}`);
  }
}

function npmStart(t: ExecutionContext, args: string[] = []): NpmStart {
  const { NODE_V8_COVERAGE: _, DATABASE_URL: __, NATS_URL: ___, ...env } = process.env;
  const npm = spawn('npm', ['start', ...args], {
    env: { ...env, EXTENSION_REGISTRY_DATA_DIR: dataDir, EXTENSION_REGISTRY_HTTP_PORT: '0' },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  t.teardown(() => {
    for (const { pid } of mine()) process.kill(pid, 'SIGKILL');
  });
  return new NpmStart(npm);
}

const mine = () => processesWith(`EXTENSION_REGISTRY_DATA_DIR=${dataDir}`);

async function nothingIsLeft(t: ExecutionContext, withinMs = STOP_MS): Promise<void> {
  await until('nothing is left running', () => mine().length === 0, withinMs).catch(() => {});
  t.deepEqual(mine(), []);
}

const daemonPid = () => (JSON.parse(readFileSync(join(dataDir, 'daemon.json'), 'utf8')) as { pid: number }).pid;
const groupOf = ({ pid = 0 }: ChildProcess) => -pid;

serial('a first start that cannot be is told in a sentence, with exit code 69', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const start = npmStart(t, ['--', '--http-port', String((taken.address() as AddressInfo).port)]);
  t.deepEqual(await start.ended(), [69, null]);
  t.regex(start.output, /The daemon could not be started: .* is in use by another process/);
  t.notRegex(start.output, /^ {4}at /m);
  await nothingIsLeft(t);
});

serial(
  'the first start that comes up shows one reply of each extension and where everything is; SIGTERM to npm alone ends it all',
  async (t) => {
    const start = npmStart(t);
    await start.isUp();
    t.regex(start.output, /"payload":"hello world"/);
    t.regex(start.output, /"status":"reject","reason":"pii_detected","details":\{"kinds":\{"email":1\}\}/);
    t.regex(start.output, /Write to \[email\] or call \[phone\]/);
    t.regex(start.output, /NATS {2}nats:\/\/127\.0\.0\.1:\d+ {3}token \S+/);
    const url = /HTTP {2}(\S+)/.exec(start.output)?.[1];
    const health = (await (await fetch(`${url}/admin/extensions/health`)).json()) as { summary: { total: number } };
    t.is(health.summary.total, 3);
    start.npm.kill('SIGTERM');
    const begun = performance.now();
    t.deepEqual(await start.ended(), [0, null]);
    t.true(performance.now() - begun < STOP_MS);
    await nothingIsLeft(t);
  },
);

serial('a second start keeps the data; Ctrl-C reaches everyone at once and ends it all', async (t) => {
  const start = npmStart(t);
  await start.isUp();
  t.regex(start.output, /"payload":"hello world"/);
  process.kill(groupOf(start.npm), 'SIGINT');
  await start.ended();
  t.regex(start.output, /Stopped\. Nothing is left running\./);
  await nothingIsLeft(t);
});

serial('an example that dies is started again; a daemon that is killed leaves nothing', async (t) => {
  const start = npmStart(t);
  await start.isUp();
  const examples = () => mine().filter(({ command }) => command.includes('mask-pii.mjs'));
  const [before] = examples();
  t.is(examples().length, 1);
  process.kill(before?.pid ?? 0, 'SIGKILL');
  await until('it runs again', () => examples().some(({ pid }) => pid !== before?.pid));
  process.kill(daemonPid(), 'SIGKILL');
  await start.ended();
  await nothingIsLeft(t);
});

serial('a terminal that is closed ends it all', async (t) => {
  const start = npmStart(t);
  await start.isUp();
  process.kill(groupOf(start.npm), 'SIGHUP');
  await start.ended();
  await nothingIsLeft(t);
});

serial('npm being killed ends it all', async (t) => {
  const start = npmStart(t);
  await start.isUp();
  start.npm.kill('SIGKILL');
  await start.ended();
  await nothingIsLeft(t);
});

serial('a setting that is wrong is told with exit code 78, and nothing is started', async (t) => {
  const start = npmStart(t, ['--', '--http-port', 'nonsense']);
  t.deepEqual(await start.ended(), [78, null]);
  t.regex(start.output, /http_port \(flag --http-port\): expected .*, got .?nonsense/);
  await nothingIsLeft(t);
});

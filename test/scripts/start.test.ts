// `npm start` as a person runs it: the whole thing, in a data directory of its own.
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { chooseNatsPort } from '../helpers/nats-port.js';
import { canSeeProcesses } from '../helpers/processes.js';
import { unless } from '../helpers/skip.js';
import { until } from '../helpers/until.js';
import { NpmProcess } from './npm-process.js';

const UP_MS = 60_000;
const STOP_MS = 5000;
const dataDir = mkdtempSync(join(tmpdir(), 'extreg-start-'));
test.before(() => chooseNatsPort(dataDir));
test.after.always(() => rmSync(dataDir, { recursive: true, force: true }));

/** These are about processes that are left over, which only /proc can tell. */
const serial = unless(canSeeProcesses ? null : 'there is no /proc here', test.serial);

const npmStart = (t: ExecutionContext, args: string[] = []): NpmProcess =>
  NpmProcess.start(t, ['start', ...args], 'EXTENSION_REGISTRY_DATA_DIR', {
    EXTENSION_REGISTRY_DATA_DIR: dataDir,
    EXTENSION_REGISTRY_HTTP_PORT: '0',
  });

const isUp = (start: NpmProcess) => start.says('Ctrl-C stops everything', UP_MS);

const daemonPid = () => (JSON.parse(readFileSync(join(dataDir, 'daemon.json'), 'utf8')) as { pid: number }).pid;

serial('a first start that cannot be is told in a sentence, with exit code 69', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.teardown(() => taken.close());
  const start = npmStart(t, ['--', '--http-port', String((taken.address() as AddressInfo).port)]);
  t.deepEqual(await start.ended(), [69, null]);
  t.regex(start.output, /The daemon could not be started: .* is in use by another process/);
  t.notRegex(start.output, /^ {4}at /m);
  await start.nothingIsLeft(t);
});

serial(
  'the first start that comes up shows one reply of each extension and where everything is; SIGTERM to npm alone ends it all',
  async (t) => {
    const start = npmStart(t);
    await isUp(start);
    t.regex(start.output, /"payload":"hello world"/);
    t.regex(start.output, /"status":"reject","reason":"pii_detected","details":\{"kinds":\{"email":1\}\}/);
    t.regex(start.output, /Write to \[email\] or call \[phone\]/);
    t.regex(start.output, /NATS {2}nats:\/\/127\.0\.0\.1:\d+ {3}token \S+/);
    const url = /HTTP {2}(\S+)/.exec(start.output)?.[1];
    const health = (await (await fetch(`${url}/admin/extensions/health`)).json()) as { summary: { total: number } };
    t.is(health.summary.total, 3);
    const log = readFileSync(join(dataDir, 'extreg.log'), 'utf8');
    t.regex(log, /"event":"embedded_database_made","template":null/);
    t.regex(log, /"event":"database_migrated","from":0,/);
    start.npm.kill('SIGTERM');
    const begun = performance.now();
    t.deepEqual(await start.ended(), [0, null]);
    t.true(performance.now() - begun < STOP_MS);
    await start.nothingIsLeft(t);
  },
);

serial('a second start keeps the data; Ctrl-C reaches everyone at once and ends it all', async (t) => {
  const start = npmStart(t);
  await isUp(start);
  t.regex(start.output, /"payload":"hello world"/);
  start.signalGroup('SIGINT');
  await start.ended();
  t.regex(start.output, /Stopped\. Nothing is left running\./);
  await start.nothingIsLeft(t);
});

serial('an example that dies is started again; a daemon that is killed leaves nothing', async (t) => {
  const start = npmStart(t);
  await isUp(start);
  const examples = () => start.processes().filter(({ command }) => command.includes('mask-pii.mjs'));
  const [before] = examples();
  t.is(examples().length, 1);
  process.kill(before?.pid ?? 0, 'SIGKILL');
  await until('it runs again', () => examples().some(({ pid }) => pid !== before?.pid));
  process.kill(daemonPid(), 'SIGKILL');
  await start.ended();
  await start.nothingIsLeft(t);
});

serial('a terminal that is closed ends it all', async (t) => {
  const start = npmStart(t);
  await isUp(start);
  start.signalGroup('SIGHUP');
  await start.ended();
  await start.nothingIsLeft(t);
});

serial('npm being killed ends it all', async (t) => {
  const start = npmStart(t);
  await isUp(start);
  start.npm.kill('SIGKILL');
  await start.ended();
  await start.nothingIsLeft(t);
});

serial('a setting that is wrong is told with exit code 78, and nothing is started', async (t) => {
  const start = npmStart(t, ['--', '--http-port', 'nonsense']);
  t.deepEqual(await start.ended(), [78, null]);
  t.regex(start.output, /http_port \(flag --http-port\): expected .*, got .?nonsense/);
  await start.nothingIsLeft(t);
});

serial('a setting without the two dashes is wrong usage, and told how it is given', async (t) => {
  const start = npmStart(t, ['--http-port', '9000']);
  t.deepEqual(await start.ended(), [64, null]);
  t.regex(start.output, /npm start -- --http-port 9000/);
  await start.nothingIsLeft(t);
});

// What systemd is notified of: SERVICE-NOTICES and NOTIFY-SHELL, with `systemd-notify` replaced by a script that writes down what it is given.
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { ServiceNotices, serviceNotices } from '../../src/daemon/service-notices.js';
import type { Logger } from '../../src/telemetry/log.js';
import { silentLogger } from '../../src/telemetry/log.js';
import { DaemonProcess } from '../helpers/daemon-process.js';
import { SimulatedClock } from '../helpers/simulated-clock.js';
import { until } from '../helpers/until.js';

const MONOTONIC = /^RELOADING=1 MONOTONIC_USEC=\d+$/;

function rig(watchdogMs: number | null = 1000) {
  const sent: string[] = [];
  const clock = new SimulatedClock();
  return { sent, clock, notices: new ServiceNotices((message) => sent.push(message), watchdogMs, clock) };
}

const READY = Promise.resolve({ ready: Promise.resolve() });

test('SERVICE-NOTICES-2: READY=1 waits for answers to invocations; signs of life follow it, and none before', async (t) => {
  const { sent, clock, notices } = rig();
  let answers = (): void => undefined;
  const ready = new Promise<void>((resolve) => {
    answers = resolve;
  });
  const following = notices.follow(Promise.resolve({ ready }));
  clock.advance(10_000);
  t.deepEqual(sent, []);
  answers();
  await following;
  clock.advance(2999);
  t.deepEqual(sent, ['READY=1', 'WATCHDOG=1', 'WATCHDOG=1', 'WATCHDOG=1']);
  // A loop that stands still fires no timer.
  clock.stall(60_000);
  t.is(sent.length, 4);
  notices.close();
  clock.advance(10_000);
  t.is(sent.length, 4);
  t.is(clock.armed, 0);
});

test('SERVICE-NOTICES-2: a daemon that cannot start, or stops before it is ready, is never ready', async (t) => {
  const { sent, clock, notices } = rig();
  await notices.follow(Promise.reject(new Error('no')));
  t.deepEqual(sent, []);
  notices.stopping();
  await notices.follow(READY);
  clock.advance(5000);
  t.deepEqual(sent, ['STOPPING=1']);
});

test('SERVICE-NOTICES-3: a reload ends with READY=1, also if it fails; before the daemon is ready nothing is sent of it', async (t) => {
  const { sent, notices } = rig(null);
  await notices.reloading(async () => undefined);
  t.deepEqual(sent, []);
  await notices.follow(READY);
  await t.throwsAsync(() => notices.reloading(() => Promise.reject(new Error('no'))));
  t.regex(sent[1] ?? '', MONOTONIC);
  t.deepEqual([sent[0], ...sent.slice(2)], ['READY=1', 'READY=1']);
});

test('SERVICE-NOTICES-4: a stop is announced once; a reload that ends later does not take it back, signs of life go on', async (t) => {
  const { sent, clock, notices } = rig();
  await notices.follow(READY);
  await notices.reloading(async () => {
    notices.stopping();
    notices.stopping();
  });
  clock.advance(1000);
  t.deepEqual(sent.slice(3), ['STOPPING=1', 'WATCHDOG=1']);
});

/** A directory for PATH with a `systemd-notify` of ours, and what that was given. */
function fakeNotify(t: ExecutionContext, script = 'echo "$*" >> "$NOTIFIED"') {
  const directory = mkdtempSync(join(tmpdir(), 'extreg-notify-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  const program = join(directory, 'systemd-notify');
  writeFileSync(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o755);
  const NOTIFIED = join(directory, 'notified');
  const env = { PATH: `${directory}:${process.env.PATH}`, NOTIFIED, NOTIFY_SOCKET: join(directory, 'socket') };
  return { env, read: () => (existsSync(NOTIFIED) ? readFileSync(NOTIFIED, 'utf8').split('\n').slice(0, -1) : []) };
}

function recorded() {
  const lines: Record<string, unknown>[] = [];
  const log = { warn: (fields: Record<string, unknown>) => lines.push(fields), child: () => log } as unknown as Logger;
  return { lines, log };
}

test('SERVICE-NOTICES-1: without NOTIFY_SOCKET nothing is started, nothing is sent and no timer is armed', async (t) => {
  const { env, read } = fakeNotify(t);
  const clock = new SimulatedClock();
  for (const NOTIFY_SOCKET of ['', undefined]) {
    const notices = serviceNotices({ ...env, NOTIFY_SOCKET, WATCHDOG_USEC: '1000000' }, clock, silentLogger);
    await notices.follow(READY);
    await notices.reloading(async () => undefined);
    notices.stopping();
  }
  t.deepEqual(clock.delays, []);
  // The first of what is sent here.
  const other = serviceNotices(env, clock, silentLogger);
  other.stopping();
  await until('it is sent', () => read().length > 0);
  t.deepEqual(read(), ['STOPPING=1']);
});

test('service notices: signs of life come at half of WATCHDOG_USEC, for this process alone', async (t) => {
  const { env } = fakeNotify(t);
  const delays = async (extra: Record<string, string>, log = silentLogger) => {
    const clock = new SimulatedClock();
    const notices = serviceNotices({ ...env, ...extra }, clock, log, 7);
    await notices.follow(READY);
    return clock.delays;
  };
  t.deepEqual(await delays({ WATCHDOG_USEC: '30000000' }), [15_000]);
  t.deepEqual(await delays({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }), [15_000]);
  t.deepEqual(await delays({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }), []);
  t.deepEqual(await delays({ WATCHDOG_USEC: '99999999999999999' }), [2 ** 31 - 1]);
  t.deepEqual(await delays({}), []);
  for (const WATCHDOG_USEC of ['soon', '-5', '0', '1e9', '1.5', '1999']) {
    const { lines, log } = recorded();
    t.deepEqual(await delays({ WATCHDOG_USEC }, log), [], WATCHDOG_USEC);
    t.regex(String(lines[0]?.error), new RegExp(`got ${WATCHDOG_USEC},`));
    t.regex(String(lines[0]?.hint), /WatchdogSec=/);
  }
});

test('NOTIFY-SHELL-3: a systemd-notify that fails, or is not there, is logged', async (t) => {
  const { env } = fakeNotify(t, 'echo no such socket >&2; exit 1');
  const { lines, log } = recorded();
  serviceNotices(env, new SimulatedClock(), log).stopping();
  await until('it is logged', () => lines.length > 0);
  t.like(lines[0], { event: 'service_notify_failed', error: 'no such socket' });
  const nowhere = recorded();
  serviceNotices({ ...env, PATH: '/nonexistent' }, new SimulatedClock(), nowhere.log).stopping();
  await until('it is logged', () => nowhere.lines.length > 0);
  t.like(nowhere.lines[0], { event: 'service_notify_failed' });
});

test('NOTIFY-SHELL-3: one that does not end keeps a bounded number of messages', async (t) => {
  const { env, read } = fakeNotify(t, 'echo $$ $PPID >> "$NOTIFIED"; exec sleep 60');
  const { lines, log } = recorded();
  const notices = serviceNotices(env, new SimulatedClock(), log);
  await notices.follow(READY);
  // Of the pipe and of ours: more than 64 KB of reloads.
  for (let i = 0; i < 4000; i++) void notices.reloading(async () => undefined);
  await until('it is logged', () => lines.length > 0);
  t.like(lines[0], { error: 'systemd-notify does not end' });
  await until('it runs', () => read().length === 1);
  const [notify, shell] = (read()[0] ?? '').split(' ').map(Number);
  for (const pid of [shell, notify]) if (pid) process.kill(pid, 'SIGKILL');
});

test('NOTIFY-SHELL-1, NOTIFY-SHELL-2: a daemon under systemd: ready, alive, reloading, stopping, by one shell that ends with it', async (t) => {
  const { env, read } = fakeNotify(t, 'echo "$PPID $*" >> "$NOTIFIED"');
  const daemon = await DaemonProcess.startReady(t, { ...env, WATCHDOG_USEC: '400000' });
  const messages = () => read().map((line) => line.replace(/^\d+ /, ''));
  const count = (message: string) => messages().filter((one) => one === message).length;
  await until('it is ready, and alive', () => count('WATCHDOG=1') > 1);
  t.is(messages()[0], 'READY=1');
  daemon.child.kill('SIGHUP');
  await until('the reload has ended', () => count('READY=1') === 2);
  const reloading = messages().findIndex((message) => MONOTONIC.test(message));
  t.true(reloading > 0 && reloading < messages().lastIndexOf('READY=1'));
  const exited = once(daemon.child, 'exit');
  daemon.child.kill('SIGTERM');
  t.deepEqual(await exited, [0, null]);
  await until('it stops', () => count('STOPPING=1') === 1);
  t.true(messages().lastIndexOf('READY=1') < messages().indexOf('STOPPING=1'));
  const shells = new Set(read().map((line) => Number(line.split(' ')[0])));
  t.is(shells.size, 1);
  await until('the shell has ended', () => [...shells].every((pid) => !isRunning(pid)));
});

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

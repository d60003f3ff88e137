// What is thrown where nobody waits for it: telemetry/guard.ts.
import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { guarded, unawaited } from '../../src/telemetry/guard.js';
import { createLogger } from '../../src/telemetry/log.js';

function logLines() {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger('info', { write: (line: string) => lines.push(JSON.parse(line)) });
  return { log, lines };
}

test('guarded: what a callback throws is logged, and the caller carries on', (t) => {
  const { log, lines } = logLines();
  const seen: number[] = [];
  const callback = guarded(log, 'counting', (n: number) => {
    seen.push(n);
    if (n === 1) throw new Error('one is too few');
  });
  callback(1);
  callback(2);
  t.deepEqual(seen, [1, 2]);
  t.is(lines.length, 1);
  t.like(lines[0], { event: 'unexpected_error', level: 'error', where: 'counting' });
  t.regex(String(lines[0]?.error), /one is too few[\s\S]*guard\.test/);
});

test('unawaited: a rejection that nobody waits for is logged', async (t) => {
  const { log, lines } = logLines();
  unawaited(log, 'writing', Promise.reject('gone'));
  unawaited(log, 'writing', Promise.resolve());
  await turn();
  t.deepEqual(
    lines.map(({ where, error }) => [where, error]),
    [['writing', 'gone']],
  );
});

const from = (path: string) => JSON.stringify(fileURLToPath(new URL(`../../src/${path}`, import.meta.url)));
const PROGRAM = `
  import { Subject } from '#rxjs';
  import { guardProcess } from ${from('telemetry/guard.js')};
  import { createLogger } from ${from('telemetry/log.js')};
  guardProcess(createLogger('info', process.stdout));
  setTimeout(() => { throw new Error('of a timer'); }, 1);
  Promise.reject(new Error('of a promise'));
  const numbers = new Subject();
  numbers.subscribe((n) => { if (n === 1) throw new Error('of a subscriber'); console.log(JSON.stringify({ alive: n })); });
  numbers.next(1);
  setTimeout(() => numbers.next(2), 20);
`;

test('guardProcess: a timer, a promise and a subscriber that fail end neither the process nor the stream', async (t) => {
  const cwd = fileURLToPath(new URL('../../..', import.meta.url));
  const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
    cwd,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = (await text(child.stdout))
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  t.deepEqual(
    lines.map((line) => line.alive ?? `${line.event} ${line.where}: ${String(line.error).split('\n')[0]}`).sort(),
    [
      2,
      'unexpected_error a callback: Error: of a timer',
      'unexpected_error a promise: Error: of a promise',
      'unexpected_error a subscriber: Error: of a subscriber',
    ].sort(),
  );
});

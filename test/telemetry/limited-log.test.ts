// Lines that a client can provoke as often as it likes.
import test from 'ava';
import { createLimitedWarn, createSampledDebug } from '../../src/telemetry/limited-log.js';
import { createLogger } from '../../src/telemetry/log.js';
import type { LogLevel } from '../../src/telemetry/log-levels.js';

function worldOf(level: LogLevel) {
  const lines: Record<string, unknown>[] = [];
  return { lines, log: createLogger(level, { write: (line) => lines.push(JSON.parse(line)) }) };
}

test('createSampledDebug: fifty lines of a second, and then how many were left out', (t) => {
  const { lines, log } = worldOf('debug');
  let nowMs = 5000;
  const debug = createSampledDebug(log, 'invocation', () => nowMs);
  for (let i = 0; i < 80; i += 1) debug(() => ({ i }));
  t.is(lines.length, 50);
  t.true(lines.every(({ suppressed }) => suppressed === undefined));
  nowMs = 5999;
  debug(() => ({ i: 80 }));
  nowMs = 6000;
  debug(() => ({ i: 81 }));
  debug(() => ({ i: 82 }));
  t.deepEqual(
    lines.slice(50).map(({ i, suppressed }) => [i, suppressed]),
    [
      [81, 31],
      [82, undefined],
    ],
  );
});

test('createSampledDebug: below its level nothing is asked and nothing is counted as left out', (t) => {
  const { lines, log } = worldOf('info');
  const debug = createSampledDebug(log, 'invocation', () => 0);
  for (let i = 0; i < 80; i += 1) debug(() => t.fail() as never);
  log.level = 'debug';
  debug(() => ({}));
  t.deepEqual([lines.length, lines[0]?.suppressed], [1, undefined]);
});

test('createLimitedWarn: one line in ten seconds, with how many were left out', (t) => {
  const { lines, log } = worldOf('info');
  let nowMs = 0;
  const warn = createLimitedWarn(log, 'nats_denied', () => nowMs);
  for (; nowMs < 10_000; nowMs += 1000) warn({ nowMs });
  warn({ nowMs });
  t.deepEqual(
    lines.map(({ nowMs, suppressed }) => [nowMs, suppressed]),
    [
      [0, 0],
      [10_000, 9],
    ],
  );
});

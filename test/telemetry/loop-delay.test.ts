// LOOP-DELAY-1 and LOOP-DELAY-2 of loop-delay.ts.
import test from 'ava';
import { LoopDelay } from '../../src/telemetry/loop-delay.js';
import { SimulatedClock } from '../helpers/simulated-clock.js';

test('LOOP-DELAY-1: what blocks the loop is seen for one to two minutes, and not after them', (t) => {
  const clock = new SimulatedClock(5000);
  const delay = new LoopDelay(clock);
  clock.advance(1000);
  t.deepEqual(delay.read(), { seconds: 1, p50_ms: 0, p99_ms: 0, max_ms: 0 });
  clock.stall(350);
  clock.advance(1000);
  const seen = delay.read();
  t.true(seen.max_ms >= 300 && seen.max_ms <= 350, `${seen.max_ms}`);
  t.true(seen.p50_ms < 1);
  clock.advance(90_000);
  t.is(delay.read().max_ms, seen.max_ms);
  t.true(delay.read().seconds > 60 && delay.read().seconds <= 120);
  clock.advance(60_000);
  t.is(delay.read().max_ms, 0);
  delay.stop();
  t.is(clock.armed, 0);
});

test('LOOP-DELAY-2: the histogram only grows, and holds each delay in its bucket', (t) => {
  const clock = new SimulatedClock(0);
  const delay = new LoopDelay(clock);
  clock.advance(500);
  t.is(delay.buckets.cumulative().at(-1), 10);
  clock.stall(2000);
  clock.advance(240_000);
  const counts = delay.buckets.cumulative();
  t.is((counts.at(-1) ?? 0) - (counts[0] ?? 0), 1);
  t.true(delay.buckets.sumSeconds > 1.9 && delay.buckets.sumSeconds <= 2);
});

test('LOOP-DELAY-3: a process that stood still tells by how much, and a shorter delay is none', (t) => {
  const clock = new SimulatedClock(0);
  const late: number[] = [];
  let turns = 0;
  const delay = new LoopDelay(clock, { onTurn: () => (turns += 1), onStoodStill: (ms) => late.push(ms) });
  clock.advance(120);
  t.is(turns, 2);
  clock.stall(500);
  clock.advance(1000);
  t.deepEqual(late, []);
  clock.stall(6000);
  clock.advance(1000);
  t.is(late.length, 1);
  t.true((late[0] ?? 0) > 5940 && (late[0] ?? 0) <= 6000, `${late[0]}`);
  delay.stop();
});

// WATCHDOG-1 and WATCHDOG-2 of watchdog.ts: what the watching thread decides.
import test from 'ava';
import { Hang, TICK_MS } from '../../src/daemon/hang.js';

const HANG_MS = 1000;

/** Ticks at these times, in ms; the count of turns at each. What each tick says. */
const ticks = (of: readonly (readonly [nowMs: number, turns: number])[]) => {
  const hang = new Hang(HANG_MS, 0);
  return of.map(([nowMs, turns]) => hang.tick(turns, nowMs));
};

test('WATCHDOG-1: no turn for so long is a hang, and a turn before is none', (t) => {
  t.deepEqual(
    ticks([
      [250, 5],
      [500, 5],
      [750, 5],
      [1000, 5],
      [1249, 5],
      [1250, 5],
    ]),
    [null, null, null, null, null, 1000],
  );
  t.deepEqual(ticks(Array.from({ length: 40 }, (_, i) => [i * TICK_MS, i])), Array(40).fill(null));
  t.deepEqual(
    ticks([
      [250, 1],
      [1000, 1],
      [1240, 2],
      [1490, 2],
      [2239, 2],
    ]),
    [null, null, null, null, null],
  );
});

test('WATCHDOG-2: a tick that is late by more than 600 ms begins anew, and one by less does not', (t) => {
  t.deepEqual(
    ticks([
      [250, 1],
      [9000, 1],
      [9250, 1],
      [9999, 1],
      [10_000, 1],
    ]),
    [null, null, null, null, 1000],
  );
  t.deepEqual(
    ticks([
      [250, 1],
      [1100, 1],
      [1350, 1],
    ]),
    [null, null, 1100],
  );
  t.deepEqual(
    ticks([
      [250, 1],
      [1101, 1],
      [1350, 1],
    ]),
    [null, null, null],
  );
});

import test from 'ava';
import { nextRestart, type Restart } from '../../../src/domain/breaker/restart-intensity.js';

/** When an actor that fails `livedMs` after each start fails, and what follows each failure. */
function failures(count: number, livedMs: number): { atMs: number; restart: Restart }[] {
  const failedAtMs: number[] = [];
  const list: { atMs: number; restart: Restart }[] = [];
  let startMs = 0;
  for (let i = 0; i < count; i++) {
    const atMs = startMs + livedMs;
    failedAtMs.push(atMs);
    const restart = nextRestart(failedAtMs);
    list.push({ atMs, restart });
    startMs = atMs + restart.delayMs;
  }
  return list;
}

test('restart intensity: delays double from 50 ms, and the sixth failure in ten seconds gives up for a minute', (t) => {
  const list = failures(6, 0).map(({ restart }) => restart);
  t.deepEqual(
    list.map(({ delayMs }) => delayMs),
    [50, 100, 200, 400, 800, 60_000],
  );
  t.deepEqual(
    list.map(({ givenUp }) => givenUp),
    [false, false, false, false, false, true],
  );
});

test('restart intensity: who was given up and fails again at once gets one try a minute, not another burst', (t) => {
  const list = failures(12, 0);
  t.true(list.slice(5).every(({ restart }) => restart.givenUp && restart.delayMs === 60_000));
});

test('restart intensity: who was given up, was tried and lived through a window starts anew', (t) => {
  const given = failures(6, 0).map(({ atMs }) => atMs);
  const lastMs = given.at(-1) as number;
  t.deepEqual(nextRestart([...given, lastMs + 60_000 + 9_999]), { delayMs: 60_000, givenUp: true });
  t.deepEqual(nextRestart([...given, lastMs + 60_000 + 10_000]), { delayMs: 50, givenUp: false });
});

test('restart intensity: an actor that lives for ten seconds is rebuilt quickly each time', (t) => {
  t.true(failures(20, 10_000).every(({ restart }) => restart.delayMs === 50 && !restart.givenUp));
});

test('restart intensity: the first failure is followed quickly, whenever it happens', (t) => {
  t.deepEqual(nextRestart([1e12]), { delayMs: 50, givenUp: false });
});

import test from 'ava';
import fc from 'fast-check';
import { DecisionWindow } from '../../../src/domain/breaker/decision-window.js';
import { evaluateTrip, isHighFailureCount, openMs, type TripReason } from '../../../src/domain/breaker/trip.js';
import type { BreakerSettings } from '../../../src/domain/registry/policy.js';
import { breakerSettings } from '../../helpers/breaker-settings.js';
import { runs } from '../../helpers/depth.js';

/** Successes first, so that the failures are in a row. */
function windowWith(failures: number, outcomes: number, nowMs = 0): DecisionWindow {
  const window = new DecisionWindow(60_000);
  for (let i = failures; i < outcomes; i++) window.recordSuccess(nowMs);
  for (let i = 0; i < failures; i++) window.recordFailure(nowMs);
  return window;
}

const verdict = test.macro<
  [id: string, failures: number, outcomes: number, settings: Partial<BreakerSettings>, expected: TripReason | null]
>({
  exec(t, _, failures, outcomes, settings, expected) {
    t.is(evaluateTrip(windowWith(failures, outcomes), breakerSettings(settings), 0), expected);
  },
  title: (_, id, failures, outcomes, settings, expected) =>
    `${id}: ${failures} failures of ${outcomes} ${expected === null ? 'open nothing' : `open by ${expected}`}, with ${JSON.stringify(settings)}`,
});

// By count.
test(verdict, 'FM 21', 0, 0, {}, null);
test(verdict, 'FM 21', 1, 1, {}, null);
test(verdict, 'T1', 4, 4, {}, null);
test(verdict, 'T1', 5, 5, {}, 'failure_count');
test(verdict, 'T1', 4, 10, {}, null);
test(verdict, 'T1', 5, 11, {}, 'failure_count');
test(verdict, 'T1', 1, 1, { failure_threshold: 1 }, 'failure_count');
// The floor, on both sides.
test(verdict, 'T1', 5, 100, {}, 'failure_count');
test(verdict, 'T1', 5, 101, {}, null);
test(verdict, 'T1', 6, 120, {}, 'failure_count');
test(verdict, 'T1', 6, 121, {}, null);
test(verdict, 'T1', 5, 10_000, { failure_rate_floor: 0 }, 'failure_count');
test(verdict, 'T1', 7, 100, { failure_rate_floor: 0.07 }, 'failure_count');
test(verdict, 'T1', 7, 101, { failure_rate_floor: 0.07 }, null);
test(verdict, 'T1', 9, 10, { failure_rate_floor: 1, error_rate_threshold: 1 }, null);
test(verdict, 'T1', 10, 10, { failure_rate_floor: 1, error_rate_threshold: 1 }, 'failure_count');
// In a row.
test(verdict, 'T2', 4, 100, { failure_rule: 'consecutive' }, null);
test(verdict, 'T2', 5, 100, { failure_rule: 'consecutive' }, 'consecutive_failures');
test(verdict, 'T2', 5, 10_000, { failure_rule: 'consecutive', failure_rate_floor: 1 }, 'consecutive_failures');
test(verdict, 'T2', 4, 5, { failure_rule: 'consecutive' }, 'error_rate');
// By rate.
test(verdict, 'FM 20, T3', 50, 100, { failure_threshold: 1000 }, null);
test(verdict, 'FM 20, T3', 51, 100, { failure_threshold: 1000 }, 'error_rate');
test(verdict, 'FM 20, T3', 2, 4, { failure_threshold: 1000 }, null);
test(verdict, 'FM 20, T3', 50, 100, {}, 'failure_count');
test(verdict, 'FM 21, T3', 4, 4, { failure_threshold: 1000 }, null);
test(verdict, 'T3', 3, 5, { failure_threshold: 1000 }, 'error_rate');
test(verdict, 'T3', 9, 9, { failure_threshold: 1000, minimum_volume: 10 }, null);
test(verdict, 'T3', 6, 10, { failure_threshold: 1000, minimum_volume: 10 }, 'error_rate');
test(verdict, 'T3', 29, 100, { failure_threshold: 1000, error_rate_threshold: 0.29 }, null);
test(verdict, 'T3', 30, 100, { failure_threshold: 1000, error_rate_threshold: 0.29 }, 'error_rate');
test(verdict, 'T3', 10, 10, { failure_threshold: 1000, error_rate_threshold: 1 }, null);
test(verdict, 'T3', 1, 5, { failure_threshold: 1000, error_rate_threshold: 0 }, 'error_rate');
test(verdict, 'T3', 0, 5, { failure_threshold: 1000, error_rate_threshold: 0 }, null);

test('TRIP-1, TRIP-3: a share that is exactly the floor opens and exactly the threshold does not, for every percentage', (t) => {
  for (let percent = 1; percent <= 99; percent++)
    for (let outcomes = 100; outcomes <= 1000; outcomes += 100) {
      const failures = (percent * outcomes) / 100;
      const window = windowWith(failures, outcomes);
      const byRate = breakerSettings({ failure_threshold: 1_000_000, error_rate_threshold: percent / 100 });
      const byCount = breakerSettings({
        failure_threshold: failures,
        failure_rate_floor: percent / 100,
        error_rate_threshold: 1,
      });
      t.is(evaluateTrip(window, byRate, 0), null, `${failures} of ${outcomes}`);
      t.is(evaluateTrip(window, byCount, 0), 'failure_count', `${failures} of ${outcomes}`);
    }
});

test('TRIP-2: failures in a row count while they are in the window; a success ends the row', (t) => {
  const settings = breakerSettings({ failure_rule: 'consecutive', failure_threshold: 3, minimum_volume: 100 });
  const window = new DecisionWindow(60_000);
  for (const atMs of [0, 1_000_000, 1_020_000]) window.recordFailure(atMs);
  t.is(evaluateTrip(window, settings, 1_020_000), null, 'FM 15: the first of them is long gone');
  window.recordFailure(1_040_000);
  t.is(evaluateTrip(window, settings, 1_040_000), 'consecutive_failures');
  window.recordSuccess(1_040_001);
  t.is(evaluateTrip(window, settings, 1_040_001), null);
  window.recordFailure(1_040_002);
  t.is(evaluateTrip(window, settings, 1_040_002), null);
});

test('TRIP-2: a row of failures opens nothing once they have all left the window', (t) => {
  const window = windowWith(9, 9);
  t.is(evaluateTrip(window, breakerSettings({ failure_rule: 'consecutive' }), 60_000), null);
});

test('FM 15: four failures, an idle hour and one more do not open', (t) => {
  const window = windowWith(4, 4);
  window.recordFailure(3_600_000);
  t.is(evaluateTrip(window, breakerSettings(), 3_600_000), null);
});

test('FM 15: a hundred old successes do not hide an outage', (t) => {
  const window = windowWith(0, 100);
  for (let i = 0; i < 5; i++) window.recordFailure(3_600_000);
  t.is(evaluateTrip(window, breakerSettings(), 3_600_000), 'failure_count');
});

test('FM 16: eighteen failures in 70 ms on a bucket boundary open', (t) => {
  const window = new DecisionWindow(60_000);
  for (let i = 0; i < 18; i++) window.recordFailure(59_965 + i * 4);
  t.is(evaluateTrip(window, breakerSettings({ failure_threshold: 10 }), 60_034), 'failure_count');
});

test('TRIP-1, TRIP-2, TRIP-3: a reason is given exactly where one of the rules in words holds, for any counts and settings', (t) => {
  const share = fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100);
  fc.assert(
    fc.property(
      fc.nat(40),
      fc.nat(40),
      fc.record({
        failure_threshold: fc.integer({ min: 1, max: 45 }),
        failure_rule: fc.constantFrom('window' as const, 'consecutive' as const),
        failure_rate_floor: share,
        error_rate_threshold: share,
        minimum_volume: fc.integer({ min: 1, max: 45 }),
      }),
      (failures, successes, changes) => {
        const settings = breakerSettings(changes);
        const outcomes = failures + successes;
        const rate = outcomes === 0 ? 0 : failures / outcomes;
        const enough = failures > 0 && failures >= settings.failure_threshold;
        const byCount = enough && (settings.failure_rule === 'consecutive' || rate >= settings.failure_rate_floor);
        const byRate = outcomes >= settings.minimum_volume && failures > 0 && rate > settings.error_rate_threshold;
        const window = windowWith(failures, outcomes);
        const got = evaluateTrip(window, settings, 0);
        t.is(got !== null, byCount || byRate);
        t.is(got === 'error_rate', byRate && !byCount);
        t.is(isHighFailureCount(window, settings, 0), settings.failure_rule === 'window' && enough && got === null);
      },
    ),
    { numRuns: runs(2000) },
  );
});

const highCount = test.macro<
  [failures: number, outcomes: number, settings: Partial<BreakerSettings>, expected: boolean]
>({
  exec(t, failures, outcomes, settings, expected) {
    t.is(isHighFailureCount(windowWith(failures, outcomes), breakerSettings(settings), 0), expected);
  },
  title: (_, failures, outcomes, settings, expected) =>
    `isHighFailureCount: ${expected} for ${failures} failures of ${outcomes}, with ${JSON.stringify(settings)}`,
});
test(highCount, 4, 200, {}, false);
test(highCount, 5, 101, {}, true);
test(highCount, 5, 100, {}, false);
test(highCount, 0, 0, {}, false);
test(highCount, 5, 101, { failure_rule: 'consecutive' }, false);

const openTime = test.macro<[trips: number, random: number, settings: Partial<BreakerSettings>, expectedMs: number]>({
  exec(t, trips, random, settings, expectedMs) {
    t.is(openMs(trips, breakerSettings(settings), random), expectedMs);
  },
  title: (_, trips, random, settings, expectedMs) =>
    `openMs: ${expectedMs} ms at trip ${trips} in a row with random ${random} and ${JSON.stringify(settings)}`,
});
test(openTime, 1, 0, {}, 60_000);
test(openTime, 2, 0, {}, 120_000);
test(openTime, 3, 0, {}, 240_000);
test(openTime, 4, 0, {}, 300_000);
test(openTime, 5, 0, {}, 300_000);
test(openTime, 1_000_000, 0, {}, 300_000);
test(openTime, 0, 0, {}, 60_000);
test(openTime, -3, 0, {}, 60_000);
test(openTime, Number.NaN, 0, {}, 60_000);
test(openTime, Number.POSITIVE_INFINITY, 0, {}, 300_000);
test(openTime, 1, 0.5, {}, 63_000);
test(openTime, 9, 1, {}, 330_000);
test(openTime, 1, 0, { open_seconds: 0.001 }, 1);
test(openTime, 9, 0, { open_seconds: 600 }, 600_000);
test(openTime, 40, 1, { open_seconds: 86_400, open_max_seconds: 86_400 }, 95_040_000.00000001);

test('openMs: jitter is only added and at most 10 %, it never falls with the trips, and a timer can wait for it', (t) => {
  const seconds = fc.oneof(fc.constantFrom(0.001, 86_400), fc.double({ min: 0.001, max: 86_400, noNaN: true }));
  fc.assert(
    fc.property(
      fc.nat(100),
      fc.double({ min: 0, max: 1, noNaN: true }),
      seconds,
      seconds,
      (trips, random, open, max) => {
        const settings = breakerSettings({ open_seconds: open, open_max_seconds: max });
        const plain = openMs(trips, settings, 0);
        const jittered = openMs(trips, settings, random);
        t.true(plain >= open * 1000 && plain <= Math.max(open, max) * 1000);
        t.true(jittered >= plain && jittered <= plain * 1.1000001);
        t.true(openMs(trips + 1, settings, 0) >= plain);
        t.true(jittered < 2 ** 31 - 1);
      },
    ),
    { numRuns: runs(1000) },
  );
});

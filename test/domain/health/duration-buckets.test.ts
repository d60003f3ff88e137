import test from 'ava';
import fc from 'fast-check';
import { DURATION_BOUNDS_SECONDS, DurationBuckets } from '../../../src/domain/health/duration-buckets.js';

test('bounds: ascend without repetition', (t) => {
  t.deepEqual(
    [...DURATION_BOUNDS_SECONDS],
    [...new Set(DURATION_BOUNDS_SECONDS)].sort((a, b) => a - b),
  );
});

test('cumulative: all zeros before the first duration, one per bound and one for all', (t) => {
  t.deepEqual(new DurationBuckets().cumulative(), Array(DURATION_BOUNDS_SECONDS.length + 1).fill(0));
});

test('record: a duration counts under every bound it does not exceed, for any durations', (t) => {
  const durationMs = fc.oneof(
    fc.constantFrom(0, 60_001, 1e9, ...DURATION_BOUNDS_SECONDS.map((seconds) => seconds * 1000)),
    fc.double({ min: 0, max: 120_000, noNaN: true }),
  );
  fc.assert(
    fc.property(fc.array(durationMs, { maxLength: 100 }), (durations) => {
      const buckets = new DurationBuckets();
      for (const ms of durations) buckets.record(ms);
      const expected = DURATION_BOUNDS_SECONDS.map((bound) => durations.filter((ms) => ms / 1000 <= bound).length);
      t.deepEqual(buckets.cumulative(), [...expected, durations.length]);
      const sum = durations.reduce((total, ms) => total + ms / 1000, 0);
      t.true(Math.abs(buckets.sumSeconds - sum) <= sum * 1e-9);
    }),
  );
});

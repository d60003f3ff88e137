import test from 'ava';
import fc from 'fast-check';
import { BUCKETS, DecisionWindow } from '../../src/domain/decision-window.js';

interface Arrival {
  readonly ok: boolean;
  readonly atMs: number;
}

/** W1 in words: everything that arrived, counted one by one. */
class CountedWindow {
  readonly #arrivals: Arrival[] = [];
  readonly #bucketMs: number;

  constructor(windowMs: number) {
    this.#bucketMs = windowMs / BUCKETS;
  }

  record(arrival: Arrival): void {
    this.#arrivals.push(arrival);
  }

  read(nowMs: number) {
    const bucket = (ms: number) => Math.floor(ms / this.#bucketMs);
    const live = this.#arrivals.filter((a) => bucket(nowMs) - bucket(a.atMs) < BUCKETS);
    const failures = live.filter((a) => !a.ok);
    return {
      failures: failures.length,
      outcomes: live.length,
      errorRate: live.length === 0 ? null : failures.length / live.length,
      firstFailureMs: failures[0]?.atMs ?? null,
      lastFailureMs: failures.at(-1)?.atMs ?? null,
      consecutive: this.#arrivals.length - 1 - this.#arrivals.findLastIndex((a) => a.ok),
    };
  }
}

const readingOf = (window: DecisionWindow, nowMs: number) => ({
  failures: window.failures(nowMs),
  outcomes: window.outcomes(nowMs),
  errorRate: window.errorRate(nowMs),
  firstFailureMs: window.firstFailureMs(nowMs),
  lastFailureMs: window.lastFailureMs(nowMs),
  consecutive: window.consecutiveFailures,
});

const record = (window: DecisionWindow, ok: boolean, nowMs: number): void =>
  ok ? window.recordSuccess(nowMs) : window.recordFailure(nowMs);

/** A window after arrivals with gaps that are shares of its length. */
function windowAfter(length: number, list: readonly { readonly ok: boolean; readonly gap: number }[]) {
  const window = new DecisionWindow(length);
  let nowMs = 0;
  for (const { ok, gap } of list) {
    nowMs += gap * length;
    record(window, ok, nowMs);
  }
  return { window, nowMs };
}

const windowMs = fc.integer({ min: 1, max: 3600 }).map((seconds) => seconds * 1000);
/** A gap as a share of the window: bursts, steps of exactly one bucket, and idle times beyond it. */
const gap = fc.oneof(
  fc.constantFrom(0, 1 / BUCKETS, 11 / BUCKETS, 1, 13 / BUCKETS, 30),
  fc.double({ min: 0, max: 0.2, noNaN: true }),
  fc.double({ min: 0, max: 3, noNaN: true }),
);
const arrivals = fc.array(fc.record({ ok: fc.boolean(), gap }), { maxLength: 60 });

test('W1, W2: totals, rate and evidence equal a count one by one, for any arrivals, gaps and window', (t) => {
  fc.assert(
    fc.property(windowMs, fc.nat(1e9), arrivals, (length, startMs, list) => {
      const window = new DecisionWindow(length);
      const counted = new CountedWindow(length);
      let nowMs = startMs;
      for (const { ok, gap } of list) {
        nowMs += gap * length;
        t.deepEqual(readingOf(window, nowMs), counted.read(nowMs));
        record(window, ok, nowMs);
        counted.record({ ok, atMs: nowMs });
        t.deepEqual(readingOf(window, nowMs), counted.read(nowMs));
      }
    }),
    { numRuns: 500 },
  );
});

const lifetime = test.macro<[recordedAtMs: number, nowMs: number, counts: boolean]>({
  exec(t, recordedAtMs, nowMs, counts) {
    const window = new DecisionWindow(60_000);
    window.recordFailure(recordedAtMs);
    t.is(window.failures(nowMs), counts ? 1 : 0);
    t.is(window.lastFailureMs(nowMs), counts ? recordedAtMs : null);
    t.is(window.firstFailureMs(nowMs), counts ? recordedAtMs : null);
  },
  title: (_, recordedAtMs, nowMs, counts) =>
    `W1, FM 17: a failure at ${recordedAtMs} ${counts ? 'still counts' : 'counts no more'} at ${nowMs}, in a window of 60000`,
});

test(lifetime, 0, 0, true);
test(lifetime, 0, 59_999.999, true);
test(lifetime, 0, 60_000, false);
test(lifetime, 4_999, 59_999, true);
test(lifetime, 4_999, 60_000, false);
test(lifetime, 5_000, 60_000, true);
test(lifetime, 5_000, 64_999, true);
test(lifetime, 5_000, 65_000, false);
test(lifetime, 5_000, 1e12, false);

test('W1: nothing ever counts longer than the window, for any length and moment', (t) => {
  fc.assert(
    fc.property(windowMs, fc.double({ min: 0, max: 1e9, noNaN: true }), (length, atMs) => {
      const window = new DecisionWindow(length);
      window.recordFailure(atMs);
      t.is(window.failures(atMs + length), 0);
    }),
    { numRuns: 1000 },
  );
});

test('W1: an outcome counts for at least the window less one bucket, for any length and moment', (t) => {
  fc.assert(
    fc.property(windowMs, fc.double({ min: 0, max: 1e9, noNaN: true }), (length, atMs) => {
      const window = new DecisionWindow(length);
      window.recordFailure(atMs);
      t.is(window.failures(atMs + (length * (BUCKETS - 1)) / BUCKETS - 0.001), 1);
    }),
    { numRuns: 1000 },
  );
});

test('FM 15: after an idle gap longer than the window nothing old counts, neither failures nor successes', (t) => {
  const window = new DecisionWindow(10_000);
  for (let i = 0; i < 4; i++) window.recordFailure(i);
  for (let i = 0; i < 100; i++) window.recordSuccess(i);
  window.recordFailure(3_600_000);
  t.is(window.failures(3_600_000), 1);
  t.is(window.outcomes(3_600_000), 1);
  t.is(window.firstFailureMs(3_600_000), 3_600_000);
});

test('FM 16: failures on both sides of a bucket boundary count together', (t) => {
  const window = new DecisionWindow(60_000);
  for (let i = 0; i < 18; i++) window.recordFailure(4_965 + i * 4);
  t.is(window.failures(5_035), 18);
});

test('FM 17: a stall of several buckets drops exactly the buckets that are over', (t) => {
  const window = new DecisionWindow(12_000);
  for (let second = 0; second < 12; second++) window.recordFailure(second * 1000);
  t.is(window.failures(11_999), 12);
  t.is(window.failures(15_500), 8);
  t.is(window.firstFailureMs(15_500), 4_000);
});

test('W2, FM 18: a time that goes back counts as the newest seen and revives nothing', (t) => {
  const window = new DecisionWindow(60_000);
  window.recordFailure(1_000);
  window.recordFailure(100_000);
  t.is(window.failures(2_000), 1);
  window.recordSuccess(2_000);
  t.is(window.outcomes(100_000), 2);
  t.is(window.outcomes(159_999), 2);
  t.is(window.outcomes(160_000), 0);
});

test('clear: empties counts, evidence and the row of failures, and the next outcome counts alone', (t) => {
  const window = new DecisionWindow(60_000);
  for (let i = 0; i < 5; i++) window.recordFailure(i * 5000);
  window.clear();
  t.deepEqual(readingOf(window, 25_000), {
    failures: 0,
    outcomes: 0,
    errorRate: null,
    firstFailureMs: null,
    lastFailureMs: null,
    consecutive: 0,
  });
  window.recordFailure(26_000);
  t.is(window.failures(26_000), 1);
  t.is(window.consecutiveFailures, 1);
});

test('windowMs: is exactly what was asked for, for every length a setting may have', (t) => {
  for (let seconds = 1; seconds <= 3600; seconds++) t.is(new DecisionWindow(seconds * 1000).windowMs, seconds * 1000);
});

test('resize: to the same length changes nothing, for any arrivals', (t) => {
  fc.assert(
    fc.property(windowMs, arrivals, (length, list) => {
      const { window, nowMs } = windowAfter(length, list);
      const before = readingOf(window, nowMs);
      window.resize(length, nowMs);
      t.deepEqual(readingOf(window, nowMs), before);
    }),
  );
});

test('resize: invents nothing, keeps nothing longer than the longest window since, and goes on in order', (t) => {
  const step = fc.record({ ok: fc.boolean(), gap, resizeTo: fc.option(windowMs, { freq: 4 }) });
  fc.assert(
    fc.property(windowMs, fc.array(step, { maxLength: 60 }), (length, steps) => {
      const window = new DecisionWindow(length);
      const recorded: Arrival[] = [];
      let nowMs = 0;
      for (const { ok, gap, resizeTo } of steps) {
        nowMs += gap * window.windowMs;
        if (resizeTo !== null) {
          const before = readingOf(window, nowMs);
          window.resize(resizeTo, nowMs);
          const after = readingOf(window, nowMs);
          t.is(window.windowMs, resizeTo);
          t.true(after.failures <= before.failures && after.outcomes <= before.outcomes);
          t.is(after.consecutive, before.consecutive);
        }
        record(window, ok, nowMs);
        recorded.push({ ok, atMs: nowMs });

        const reading = readingOf(window, nowMs);
        const young = recorded.filter((a) => nowMs - a.atMs < window.windowMs);
        t.true(reading.outcomes >= 1 && reading.outcomes <= young.length);
        t.true(reading.failures <= young.filter((a) => !a.ok).length);
        t.is(reading.failures > 0, reading.firstFailureMs !== null);
        t.is(reading.failures > 0, reading.lastFailureMs !== null);
        t.true((reading.firstFailureMs ?? 0) <= (reading.lastFailureMs ?? 0));
      }
      // A hair more than the window: the sum of two floating-point times may fall short of it.
      t.is(window.outcomes(nowMs + window.windowMs * (1 + 1e-9) + 1e-6), 0);
    }),
    { numRuns: 500 },
  );
});

test('resize: to a window longer by a bucket or more keeps everything that still counted', (t) => {
  fc.assert(
    fc.property(windowMs, fc.double({ min: 1.1, max: 20, noNaN: true }), arrivals, (length, factor, list) => {
      const { window, nowMs } = windowAfter(length, list);
      const before = readingOf(window, nowMs);
      window.resize(length * factor, nowMs);
      t.is(window.failures(nowMs), before.failures);
      t.is(window.outcomes(nowMs), before.outcomes);
    }),
  );
});

test('W2: resize with a time that goes back keeps the newest time seen', (t) => {
  const window = new DecisionWindow(60_000);
  window.recordFailure(100_000);
  window.resize(30_000, 40_000);
  t.is(window.failures(100_000), 1);
  t.is(window.failures(130_000), 0);
});

test('W3, FM 25: ten million outcomes in one bucket are counted without loss', (t) => {
  const window = new DecisionWindow(60_000);
  for (let i = 0; i < 10_000_000; i++) window.recordSuccess(1);
  window.recordFailure(1);
  t.is(window.outcomes(1), 10_000_001);
  t.is(window.errorRate(1), 1 / 10_000_001);
});

test('toJSON: shows totals and the row of failures', (t) => {
  const window = new DecisionWindow(60_000);
  window.recordSuccess(1);
  window.recordFailure(2);
  window.recordFailure(3);
  t.is(JSON.stringify(window), '{"successes":1,"failures":2,"consecutive_failures":2,"overdue":0}');
});

test('W4: overdue attempts are held beside the outcomes; those in a row end with a success, all of them with the generation', (t) => {
  const window = new DecisionWindow(60_000);
  window.recordFailure(0);
  window.setOverdue(5, 3);
  t.is(window.failures(0), 1);
  t.is(window.outcomes(0), 1);
  t.deepEqual([window.overdue, window.overdueInRow], [5, 3]);
  window.endOverdue();
  window.endOverdue();
  window.endOverdue();
  t.deepEqual([window.overdue, window.overdueInRow], [2, 2]);
  window.recordSuccess(1);
  t.deepEqual([window.overdue, window.overdueInRow], [2, 0]);
  window.clear();
  t.is(window.overdue, 0);
});

test('subtract: what is left is what the others did, for any arrivals, gaps and window', (t) => {
  const outcome = fc.record({
    gapMs: fc.integer({ min: 0, max: 20_000 }),
    isPart: fc.boolean(),
    isSuccess: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 120 }),
      fc.array(outcome, { maxLength: 60 }),
      fc.integer({ min: 0, max: 90_000 }),
      (seconds, outcomes, laterMs) => {
        const windows = { all: new DecisionWindow(seconds * 1000), part: new DecisionWindow(seconds * 1000) };
        const others = new DecisionWindow(seconds * 1000);
        let nowMs = 0;
        let row = { number: -1, ofPart: 0 };
        for (const { gapMs, isPart, isSuccess } of outcomes) {
          nowMs += gapMs;
          for (const window of [windows.all, isPart ? windows.part : others]) {
            if (isSuccess) window.recordSuccess(nowMs);
            else window.recordFailure(nowMs);
          }
          if (isSuccess || !isPart) continue;
          if (row.number !== windows.all.row) row = { number: windows.all.row, ofPart: 0 };
          row.ofPart++;
        }
        nowMs += laterMs;
        const before = windows.all.consecutiveFailures;
        const inRow = row.number === windows.all.row ? row.ofPart : 0;
        windows.all.subtract(windows.part, inRow, nowMs);
        t.is(windows.all.failures(nowMs), others.failures(nowMs));
        t.is(windows.all.outcomes(nowMs), others.outcomes(nowMs));
        t.is(windows.all.consecutiveFailures, before - inRow);
        t.true(windows.all.consecutiveFailures >= 0);
      },
    ),
    { numRuns: 1000 },
  );
});

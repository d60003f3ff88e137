import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { BUCKETS, DecisionWindow } from '../../../src/domain/breaker/decision-window.js';

interface Arrival {
  readonly ok: boolean;
  readonly atMs: number;
  readonly bucket: number;
}

/** DECISION-WINDOW-1 and DECISION-WINDOW-2 in words: everything that arrived, counted one by one. */
class CountedWindow {
  #arrivals: Arrival[] = [];
  #windowMs: number;
  #newestMs = 0;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  record(ok: boolean, nowMs: number): void {
    this.#see(nowMs);
    this.#arrivals.push({ ok, atMs: this.#newestMs, bucket: this.#bucket });
  }

  clear(): void {
    this.#arrivals = [];
  }

  /** What still counts moves to the bucket in which the start of its old one lies. */
  resize(windowMs: number, nowMs: number): void {
    const live = this.#live(nowMs);
    this.#arrivals = this.#arrivals.map((a) => {
      const startMs = (a.bucket * this.#windowMs) / BUCKETS;
      return { ...a, bucket: live.includes(a) ? Math.floor((startMs * BUCKETS) / windowMs) : Number.NEGATIVE_INFINITY };
    });
    this.#windowMs = windowMs;
  }

  read(nowMs: number) {
    const live = this.#live(nowMs);
    const failures = live.filter((a) => !a.ok);
    return {
      failures: failures.length,
      outcomes: live.length,
      errorRate: live.length === 0 ? null : failures.length / live.length,
      firstFailureMs: failures[0]?.atMs ?? null,
      lastFailureMs: failures.at(-1)?.atMs ?? null,
      // Also those that count no more.
      consecutive: this.#arrivals.length - 1 - this.#arrivals.findLastIndex((a) => a.ok),
    };
  }

  get #bucket(): number {
    return Math.floor((this.#newestMs * BUCKETS) / this.#windowMs);
  }

  #live(nowMs: number): Arrival[] {
    this.#see(nowMs);
    return this.#arrivals.filter((a) => this.#bucket - a.bucket < BUCKETS);
  }

  #see(nowMs: number): void {
    this.#newestMs = Math.max(this.#newestMs, nowMs);
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

type Step =
  | { readonly does: 'record'; readonly ok: boolean; readonly gap: number }
  | { readonly does: 'read' | 'clear'; readonly gap: number }
  | { readonly does: 'resize'; readonly windowMs: number; readonly gap: number };

/** Time that passes before a step; below 0 the step comes with a time that is over. */
const move = fc.oneof({ weight: 5, arbitrary: gap }, { weight: 1, arbitrary: gap.map((share) => -share) });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ does: fc.constant('record' as const), ok: fc.boolean(), gap: move }) },
  { weight: 3, arbitrary: fc.record({ does: fc.constant('read' as const), gap: move }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('clear' as const), gap: move }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('resize' as const), windowMs, gap: move }) },
);

/** Takes the same steps with a window and with a count one by one, and compares what they say after each. */
function followsCount(t: ExecutionContext, length: number, startMs: number, steps: readonly Step[], unitMs: number) {
  const window = new DecisionWindow(length);
  const counted = new CountedWindow(length);
  let newestMs = startMs;
  for (const taken of steps) {
    const passedMs = taken.gap * window.windowMs;
    const nowMs = Math.max(newestMs + (unitMs === 0 ? passedMs : Math.round(passedMs / unitMs) * unitMs), 0);
    newestMs = Math.max(newestMs, nowMs);
    if (taken.does === 'record') {
      record(window, taken.ok, nowMs);
      counted.record(taken.ok, nowMs);
    } else if (taken.does === 'resize') {
      window.resize(taken.windowMs, nowMs);
      counted.resize(taken.windowMs, nowMs);
    } else if (taken.does === 'clear') {
      window.clear();
      counted.clear();
    }
    t.deepEqual(readingOf(window, nowMs), counted.read(nowMs));
  }
}

test('DECISION-WINDOW-1, DECISION-WINDOW-2: totals, rate and evidence equal a count one by one, for any arrivals, gaps, lengths and times gone back', (t) => {
  const startMs = fc.double({ min: 0, max: 1e9, noNaN: true });
  const steps = fc.array(step, { maxLength: 60 });
  fc.assert(
    fc.property(windowMs, startMs, steps, (...given) => followsCount(t, ...given, 0)),
    { numRuns: 1000 },
  );
});

test('DECISION-WINDOW-1, DECISION-WINDOW-2, FM 17: so they do where arrivals fall on the very moments at which buckets begin', (t) => {
  const seconds = fc.integer({ min: 1, max: 48 }).map((s) => s * 1000);
  const steps = fc.array(step, { maxLength: 60 });
  fc.assert(
    fc.property(seconds, fc.nat(1e6), steps, (length, second, list) =>
      followsCount(t, length, second * 1000, list, 250),
    ),
    { numRuns: 1000 },
  );
});

test('DECISION-WINDOW-1, FM 17: a bucket begins exactly at its multiple of the length, for every length a setting may have', (t) => {
  for (let seconds = 1; seconds <= 3600; seconds++) {
    const bucketMs = (seconds * 1000) / BUCKETS;
    for (let bucket = 0; bucket < 300; bucket++) {
      const startMs = (bucket * seconds * 1000) / BUCKETS;
      if (!Number.isInteger(startMs)) continue;
      const window = new DecisionWindow(seconds * 1000);
      window.recordFailure(startMs);
      const last = window.failures(startMs + seconds * 1000 - Math.min(bucketMs, 1) / 2);
      const after = window.failures(startMs + seconds * 1000);
      if (last !== 1 || after !== 0) t.fail(`${seconds} s, bucket ${bucket}: ${last}, then ${after}`);
    }
  }
  t.pass();
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
    `DECISION-WINDOW-1, FM 17: a failure at ${recordedAtMs} ${counts ? 'still counts' : 'counts no more'} at ${nowMs}, in a window of 60000`,
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

test('DECISION-WINDOW-1: nothing ever counts longer than the window, for any length and moment', (t) => {
  fc.assert(
    fc.property(windowMs, fc.double({ min: 0, max: 1e9, noNaN: true }), (length, atMs) => {
      const window = new DecisionWindow(length);
      window.recordFailure(atMs);
      t.is(window.failures(atMs + length), 0);
    }),
    { numRuns: 1000 },
  );
});

test('DECISION-WINDOW-1: an outcome counts for at least the window less one bucket, for any length and moment', (t) => {
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

test('DECISION-WINDOW-2, FM 18: a time that goes back counts as the newest seen and revives nothing', (t) => {
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
      const recorded: { readonly ok: boolean; readonly atMs: number }[] = [];
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

test('DECISION-WINDOW-2: resize with a time that goes back keeps the newest time seen', (t) => {
  const window = new DecisionWindow(60_000);
  window.recordFailure(100_000);
  window.resize(30_000, 40_000);
  t.is(window.failures(100_000), 1);
  t.is(window.failures(130_000), 0);
});

test('subtract: leaves what the others did, now and later, for any arrivals', (t) => {
  const shared = fc.array(fc.record({ ok: fc.boolean(), gap, isPart: fc.boolean() }), { maxLength: 60 });
  fc.assert(
    fc.property(windowMs, shared, gap, gap, (length, list, wait, later) => {
      const [whole, part, others] = [
        new DecisionWindow(length),
        new DecisionWindow(length),
        new DecisionWindow(length),
      ];
      let nowMs = 0;
      for (const { ok, gap, isPart } of list) {
        nowMs += gap * length;
        for (const window of [whole, isPart ? part : others]) record(window, ok, nowMs);
      }
      nowMs += wait * length;
      whole.subtract(part, 0, nowMs);
      for (const atMs of [nowMs, nowMs + later * length]) {
        t.is(whole.outcomes(atMs), others.outcomes(atMs));
        t.is(whole.failures(atMs), others.failures(atMs));
      }
    }),
    { numRuns: 500 },
  );
});

test('DECISION-WINDOW-3, FM 25: ten million outcomes in one bucket are counted without loss', (t) => {
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

test('DECISION-WINDOW-4: overdue attempts are held beside the outcomes; those in a row end with a success, all of them with the generation', (t) => {
  const window = new DecisionWindow(60_000);
  window.recordFailure(0);
  window.setOverdue(5, 3);
  t.is(window.failures(0), 1);
  t.is(window.outcomes(0), 1);
  t.deepEqual([window.overdue, window.overdueInRow], [5, 3]);
  window.endOverdue(false);
  t.deepEqual([window.overdue, window.overdueInRow], [4, 3]);
  window.endOverdue(true);
  window.endOverdue(false);
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

test('DECISION-WINDOW-5: slow successes are failures, and counted beside them as an own window of them would', (t) => {
  const move = fc.record({
    kind: fc.constantFrom('ok', 'slow', 'failed', 'resize', 'clear'),
    ms: fc.nat(20_000),
    seconds: fc.integer({ min: 1, max: 100 }),
  });
  fc.assert(
    fc.property(fc.array(move, { maxLength: 80 }), (moves) => {
      const [both, slowOnly] = [new DecisionWindow(60_000), new DecisionWindow(60_000)];
      let nowMs = 0;
      for (const { kind, ms, seconds } of moves) {
        nowMs += ms;
        if (kind === 'ok') both.recordSuccess(nowMs);
        else if (kind === 'failed') both.recordFailure(nowMs);
        else if (kind === 'slow') {
          both.recordSlow(nowMs);
          slowOnly.recordFailure(nowMs);
        } else
          for (const one of [both, slowOnly])
            if (kind === 'clear') one.clear();
            else one.resize(seconds * 1000, nowMs);
        t.is(both.slow(nowMs), slowOnly.failures(nowMs));
        t.true(both.slow(nowMs) <= both.failures(nowMs));
      }
      const part = new DecisionWindow(both.windowMs);
      part.recordSlow(nowMs);
      both.recordSlow(nowMs);
      const before = both.slow(nowMs);
      both.subtract(part, 1, nowMs);
      t.is(both.slow(nowMs), before - 1);
    }),
    { numRuns: 100 },
  );
});

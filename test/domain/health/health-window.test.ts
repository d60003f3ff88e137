import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { HEALTH_WINDOW_MS, HealthWindow } from '../../../src/domain/health/health-window.js';
import { runs } from '../../helpers/depth.js';
import { seededRandom } from '../../helpers/seeded-random.js';

const SLICE_MS = HEALTH_WINDOW_MS / 6;

interface Attempt {
  readonly ok: boolean;
  readonly ms: number;
  readonly slice: number;
}

const EMPTY = {
  successes: 0,
  failures: 0,
  successRate: null,
  avgMs: null,
  p50Ms: null,
  p95Ms: null,
  p99Ms: null,
  samples: 0,
  sumMs: 0,
  windowStartMs: null,
};

/** HEALTH-WINDOW-1 and HEALTH-WINDOW-3 in words: every attempt, counted one by one. */
class CountedWindow {
  #attempts: Attempt[] = [];
  #newest = 0;

  record(ok: boolean, ms: number, nowMs: number): void {
    this.#see(nowMs);
    this.#attempts.push({ ok, ms: ms > 0 ? ms : 0, slice: this.#newest });
  }

  clear(): void {
    this.#attempts = [];
  }

  live(nowMs: number): Attempt[] {
    this.#see(nowMs);
    return this.#attempts.filter(({ slice }) => this.#newest - slice < 6);
  }

  #see(nowMs: number): void {
    this.#newest = Math.max(this.#newest, Math.floor(nowMs / SLICE_MS));
  }
}

function assertReads(t: ExecutionContext, window: HealthWindow, nowMs: number, live: readonly Attempt[]): void {
  const successes = live.filter(({ ok }) => ok).length;
  const failures = live.length - successes;
  const sumMs = live.reduce((sum, { ms }) => sum + ms, 0);
  const sorted = live.map(({ ms }) => ms).sort((a, b) => a - b);
  const reading = window.read(nowMs);
  t.deepEqual(window.counts(nowMs), { successes, failures });
  t.like(reading, { successes, failures, samples: live.length });
  t.true(Math.abs(reading.sumMs - sumMs) <= sumMs * 1e-9);
  if (live.length === 0) {
    t.deepEqual(reading, EMPTY);
    t.is(window.byteLength, 0);
    return;
  }
  t.is(reading.successRate, successes / live.length);
  t.true(Math.abs((reading.avgMs as number) - sumMs / live.length) <= sumMs * 1e-9);
  t.is(reading.windowStartMs, Math.min(...live.map(({ slice }) => slice)) * SLICE_MS);
  for (const [got, quantile] of [
    [reading.p50Ms, 0.5],
    [reading.p95Ms, 0.95],
    [reading.p99Ms, 0.99],
  ] as const) {
    const exact = sorted[Math.max(1, Math.ceil(quantile * sorted.length)) - 1] as number;
    t.true(Math.abs((got as number) - exact) <= Math.max(exact * 0.016, 0.0005));
  }
}

const gapMs = fc.oneof(
  fc.constantFrom(0, SLICE_MS, HEALTH_WINDOW_MS - SLICE_MS, HEALTH_WINDOW_MS, HEALTH_WINDOW_MS * 7),
  fc.double({ min: 0, max: 20_000, noNaN: true }),
  fc.double({ min: 0, max: HEALTH_WINDOW_MS * 1.5, noNaN: true }),
);
const step = fc.record({
  does: fc.oneof(
    { weight: 20, arbitrary: fc.constant('record' as const) },
    { weight: 4, arbitrary: fc.constant('read' as const) },
    { weight: 1, arbitrary: fc.constant('clear' as const) },
  ),
  ok: fc.boolean(),
  ms: fc.oneof(
    { weight: 9, arbitrary: fc.double({ min: 0.1, max: 120_000, noNaN: true }) },
    { weight: 1, arbitrary: fc.constantFrom(0, -1, Number.NaN) },
  ),
  // Below 0 it comes with a time that is over.
  gapMs: fc.oneof({ weight: 5, arbitrary: gapMs }, { weight: 1, arbitrary: gapMs.map((ms) => -ms) }),
});

const anySteps = test.macro<[what: string, startMs: fc.Arbitrary<number>, roundMs: number]>({
  exec(t, _, start, roundMs) {
    fc.assert(
      fc.property(start, fc.array(step, { maxLength: 60 }), (startMs, steps) => {
        const window = new HealthWindow();
        const counted = new CountedWindow();
        let newestMs = startMs;
        for (const { does, ok, ms, gapMs } of steps) {
          const passedMs = roundMs === 0 ? gapMs : Math.round(gapMs / roundMs) * roundMs;
          const nowMs = Math.max(newestMs + passedMs, 0);
          newestMs = Math.max(newestMs, nowMs);
          if (does === 'record') {
            window.record(ok, ms, nowMs);
            counted.record(ok, ms, nowMs);
          } else if (does === 'clear') {
            window.clear();
            counted.clear();
          }
          assertReads(t, window, nowMs, counted.live(nowMs));
        }
      }),
      { numRuns: runs(500) },
    );
  },
  title: (_, what) =>
    `HEALTH-WINDOW-1, HEALTH-WINDOW-3: counts, rate, mean and percentiles equal those of the attempts one by one, for any arrivals and gaps, ${what}`,
});
test(anySteps, 'at any moment', fc.double({ min: 0, max: 1e9, noNaN: true }), 0);
test(
  anySteps,
  'at the moments at which slices begin (FM 17)',
  fc.nat(20_000).map((slice) => slice * SLICE_MS),
  SLICE_MS / 2,
);

test('read: says null for every number that has no meaning without calls', (t) => {
  t.deepEqual(new HealthWindow().read(0), EMPTY);
  t.deepEqual(new HealthWindow().read(1e12), EMPTY);
});

test('FM 15, FM 26: after the window nothing of it is left', (t) => {
  const window = new HealthWindow();
  window.record(false, 10, 1000);
  t.is(window.read(HEALTH_WINDOW_MS - 1).samples, 1);
  t.deepEqual(window.read(HEALTH_WINDOW_MS), EMPTY);
});

const lifetime = test.macro<[recordedAtMs: number, nowMs: number, counts: boolean]>({
  exec(t, recordedAtMs, nowMs, counts) {
    const window = new HealthWindow();
    window.record(false, 10, recordedAtMs);
    t.is(window.read(nowMs).samples, counts ? 1 : 0);
    t.is(window.counts(nowMs).failures, counts ? 1 : 0);
  },
  title: (_, recordedAtMs, nowMs, counts) =>
    `HEALTH-WINDOW-3, FM 17: an attempt at ${recordedAtMs} ${counts ? 'still counts' : 'counts no more'} at ${nowMs}`,
});
test(lifetime, 0, 299_999.999, true);
test(lifetime, 0, 300_000, false);
test(lifetime, 49_999, 299_999, true);
test(lifetime, 49_999, 300_000, false);
test(lifetime, 50_000, 349_999, true);
test(lifetime, 50_000, 350_000, false);
test(lifetime, 50_000, 1e12, false);

test('HEALTH-WINDOW-3, FM 18: an attempt with a time that is over goes to the newest slice, and takes nothing from it', (t) => {
  const window = new HealthWindow();
  for (let i = 0; i < 10; i++) window.record(true, 10, HEALTH_WINDOW_MS + 1);
  window.record(false, 10, 1);
  t.like(window.read(HEALTH_WINDOW_MS + 1), { successes: 10, failures: 1, windowStartMs: HEALTH_WINDOW_MS });
  t.is(window.read(1).samples, 11, 'nor does a reading turn the time back');
  t.is(window.read(2 * HEALTH_WINDOW_MS - 1).samples, 11);
  t.is(window.read(2 * HEALTH_WINDOW_MS).samples, 0);
});

test('HEALTH-WINDOW-2: a target without calls takes nothing, a busy one little, and gives it back after a window without', (t) => {
  const window = new HealthWindow();
  t.is(window.byteLength, 0);
  const random = seededRandom(1);
  // A day at ten a second: six octaves of latencies, and a timeout now and then.
  for (let nowMs = 0; nowMs < 86_400_000; nowMs += 100)
    window.record(true, random() < 0.001 ? 5000 : 2.048 * 2 ** (6 * random()), nowMs);
  t.true(window.byteLength > 0 && window.byteLength < 1500);
  t.is(window.read(86_400_000 + HEALTH_WINDOW_MS).samples, 0);
  t.is(window.byteLength, 0);
});

test('HEALTH-WINDOW-1: latencies of failures count like those of successes', (t) => {
  const window = new HealthWindow();
  window.record(true, 10, 0);
  window.record(false, 30, 0);
  t.is(window.read(0).avgMs, 20);
  t.is(window.read(0).samples, 2);
});

test('clear: leaves nothing', (t) => {
  const window = new HealthWindow();
  window.record(true, 10, 0);
  window.record(false, 10, SLICE_MS);
  window.clear();
  t.deepEqual(window.read(SLICE_MS), EMPTY);
  window.record(true, 4, SLICE_MS);
  t.is(window.read(SLICE_MS).avgMs, 4);
});

const oddLatency = test.macro<[latencyMs: number]>({
  exec(t, latencyMs) {
    const window = new HealthWindow();
    window.record(true, 8, 0);
    window.record(true, latencyMs, 0);
    const reading = window.read(0);
    t.is(reading.samples, 2);
    t.is(reading.sumMs, 8);
    t.is(reading.avgMs, 4);
    t.true(Number.isFinite(reading.p99Ms));
  },
  title: (_, latencyMs) => `FM 25: a latency of ${latencyMs} ms counts as 0 and spoils no mean`,
});
test(oddLatency, Number.NaN);
test(oddLatency, -3);
test(oddLatency, Number.NEGATIVE_INFINITY);
test(oddLatency, 0);

test('two windows that are read in turn do not see each other', (t) => {
  const slow = new HealthWindow();
  const fast = new HealthWindow();
  for (let i = 0; i < 10; i++) {
    slow.record(true, 1000, 0);
    fast.record(true, 1, 0);
  }
  const before = slow.read(0);
  fast.read(0);
  t.deepEqual(slow.read(0), before);
  t.true((fast.read(0).p99Ms as number) < 2);
});

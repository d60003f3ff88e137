import test from 'ava';
import fc from 'fast-check';
import { HEALTH_WINDOW_MS, HealthWindow } from '../../src/domain/health-window.js';

const SLICE_MS = HEALTH_WINDOW_MS / 6;

interface Attempt {
  readonly ok: boolean;
  readonly ms: number;
  readonly atMs: number;
}

const attempts = fc.array(
  fc.record({
    ok: fc.boolean(),
    ms: fc.double({ min: 0.1, max: 120_000, noNaN: true }),
    gapMs: fc.oneof(
      fc.constantFrom(0, SLICE_MS, HEALTH_WINDOW_MS - SLICE_MS, HEALTH_WINDOW_MS, HEALTH_WINDOW_MS * 7),
      fc.double({ min: 0, max: 20_000, noNaN: true }),
      fc.double({ min: 0, max: HEALTH_WINDOW_MS * 1.5, noNaN: true }),
    ),
  }),
  { maxLength: 60 },
);

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

test('V1: counts, rate, mean and percentiles equal those of the attempts themselves, for any arrivals and gaps', (t) => {
  const slice = (ms: number) => Math.floor(ms / SLICE_MS);
  fc.assert(
    fc.property(fc.nat(1e9), attempts, (startMs, list) => {
      const window = new HealthWindow();
      const all: Attempt[] = [];
      let nowMs = startMs;
      for (const { ok, ms, gapMs } of list) {
        nowMs += gapMs;
        window.record(ok, ms, nowMs);
        all.push({ ok, ms, atMs: nowMs });

        const live = all.filter((a) => slice(nowMs) - slice(a.atMs) < 6);
        const successes = live.filter((a) => a.ok).length;
        const sumMs = live.reduce((sum, a) => sum + a.ms, 0);
        const sorted = live.map((a) => a.ms).sort((a, b) => a - b);
        const reading = window.read(nowMs);
        t.is(reading.successes, successes);
        t.is(reading.failures, live.length - successes);
        t.is(reading.samples, live.length);
        t.is(reading.successRate, successes / live.length);
        t.true(Math.abs(reading.sumMs - sumMs) <= sumMs * 1e-9);
        t.true(Math.abs((reading.avgMs as number) - sumMs / live.length) <= sumMs * 1e-9);
        t.is(reading.windowStartMs, slice(Math.min(...live.map((a) => a.atMs))) * SLICE_MS);
        for (const [got, quantile] of [
          [reading.p50Ms, 0.5],
          [reading.p95Ms, 0.95],
          [reading.p99Ms, 0.99],
        ] as const) {
          const exact = sorted[Math.max(1, Math.ceil(quantile * sorted.length)) - 1] as number;
          t.true(Math.abs((got as number) - exact) <= exact * 0.02);
        }
        t.deepEqual(window.counts(nowMs), { successes, failures: live.length - successes });
      }
    }),
    { numRuns: 200 },
  );
});

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

test('V1: latencies of failures count like those of successes', (t) => {
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

import test from 'ava';
import fc from 'fast-check';
import { COUNTERS, counterOf, latencyOf, percentiles } from '../../src/domain/latency-histogram.js';

const QUANTILES = [0.5, 0.9, 0.95, 0.99, 1];

const countsOf = (latencies: readonly number[]): Uint32Array => {
  const counts = new Uint32Array(COUNTERS);
  for (const ms of latencies) counts[counterOf(ms)] = (counts[counterOf(ms)] as number) + 1;
  return counts;
};

/** Nearest rank over the latencies themselves. */
const exactPercentile = (latencies: readonly number[], quantile: number): number =>
  latencies.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(quantile * latencies.length)) - 1] as number;

const relativeError = (got: number, exact: number): number => Math.abs(got - exact) / exact;

const logUniform = (minMs: number, maxMs: number) =>
  fc
    .double({ min: Math.log(minMs), max: Math.log(maxMs), noNaN: true })
    .map((x) => Math.min(Math.max(Math.exp(x), minMs), maxMs));

const distribution = test.macro<[name: string, latency: fc.Arbitrary<number>]>({
  exec(t, _, latency) {
    fc.assert(
      fc.property(fc.array(latency, { minLength: 1, maxLength: 200 }), (latencies) => {
        const got = percentiles(countsOf(latencies), latencies.length, QUANTILES);
        QUANTILES.forEach((quantile, i) => {
          t.true(relativeError(got[i] as number, exactPercentile(latencies, quantile)) <= 0.02);
        });
      }),
      { numRuns: 200 },
    );
  },
  title: (_, name) => `histogram: percentiles are within 2 % of the exact ones, for ${name}`,
});

test(distribution, 'latencies spread over 0.1 ms to 120 s', logUniform(0.1, 120_000));
test(distribution, 'latencies that are even from 1 to 50 ms', fc.double({ min: 1, max: 50, noNaN: true }));
test(
  distribution,
  'fast calls with slow outliers',
  fc.oneof({ weight: 19, arbitrary: logUniform(0.1, 2) }, { weight: 1, arbitrary: logUniform(1000, 120_000) }),
);
test(distribution, 'a single latency over and over', fc.constantFrom(0.1, 1, 4.999, 5000));
test(distribution, 'timeouts at the same moment', logUniform(4999, 5001));
test(
  distribution,
  'whole powers of two of a microsecond',
  fc.integer({ min: 7, max: 26 }).map((bits) => 2 ** bits / 1000),
);

test('counterOf, latencyOf: each counter stands for a range whose middle is within 2 %, over 0.1 ms to 120 s', (t) => {
  fc.assert(
    fc.property(logUniform(0.1, 120_000), (ms) => {
      t.true(relativeError(latencyOf(counterOf(ms)), ms) <= 0.02);
    }),
    { numRuns: 5000 },
  );
});

test('counterOf: a longer latency never has a lower counter', (t) => {
  fc.assert(
    fc.property(logUniform(0.001, 200_000), logUniform(0.001, 200_000), (a, b) => {
      t.true(counterOf(Math.min(a, b)) <= counterOf(Math.max(a, b)));
    }),
    { numRuns: 2000 },
  );
});

test('latencyOf: falls into its own counter and rises with it, for every counter', (t) => {
  for (let counter = 0; counter < COUNTERS; counter++) {
    t.is(counterOf(latencyOf(counter)), counter);
    if (counter > 0) t.true(latencyOf(counter) > latencyOf(counter - 1));
  }
});

const odd = test.macro<[latencyMs: number, counter: number]>({
  exec(t, latencyMs, counter) {
    t.is(counterOf(latencyMs), counter);
  },
  title: (_, latencyMs, counter) => `FM 25: a latency of ${latencyMs} ms counts under counter ${counter}`,
});
test(odd, 0, 0);
test(odd, -5, 0);
test(odd, Number.NaN, 0);
test(odd, Number.NEGATIVE_INFINITY, 0);
test(odd, 0.0004, 0);
test(odd, 0.001, 1);
test(odd, 134_217.727, COUNTERS - 1);
test(odd, 134_218, COUNTERS - 1);
test(odd, Number.MAX_VALUE, COUNTERS - 1);
test(odd, Number.POSITIVE_INFINITY, COUNTERS - 1);

test('H1: merging two histograms by adding gives the percentiles of both together', (t) => {
  const latencies = fc.array(logUniform(0.01, 120_000), { maxLength: 100 });
  fc.assert(
    fc.property(latencies, latencies, (a, b) => {
      const merged = countsOf(a).map((count, i) => count + (countsOf(b)[i] as number));
      t.deepEqual(merged, countsOf([...a, ...b]));
      t.deepEqual(
        percentiles(merged, a.length + b.length, QUANTILES),
        percentiles(countsOf([...a, ...b]), a.length + b.length, QUANTILES),
      );
    }),
    { numRuns: 200 },
  );
});

test('percentiles: all null without a sample', (t) => {
  t.deepEqual(percentiles(new Uint32Array(COUNTERS), 0, [0.5, 0.99]), [null, null]);
});

test('percentiles: one sample is every percentile', (t) => {
  const [p0, p50, p100] = percentiles(countsOf([7]), 1, [0, 0.5, 1]);
  t.is(p0, latencyOf(counterOf(7)));
  t.is(p50, p0 as number);
  t.is(p100, p0 as number);
});

test('percentiles: never fall from one quantile to the next', (t) => {
  fc.assert(
    fc.property(fc.array(logUniform(0.01, 120_000), { minLength: 1, maxLength: 50 }), (latencies) => {
      const got = percentiles(countsOf(latencies), latencies.length, QUANTILES) as number[];
      t.deepEqual(
        got,
        got.toSorted((a, b) => a - b),
      );
    }),
  );
});

test('H2, FM 56: memory is a fixed number of counters, under 4 KiB', (t) => {
  t.true(COUNTERS * Uint32Array.BYTES_PER_ELEMENT < 4096);
});

import test from 'ava';
import fc from 'fast-check';
import { build } from 'hdr-histogram-js';
import { LatencyHistogram } from '../../../src/domain/health/latency-histogram.js';
import { runs } from '../../helpers/depth.js';
import { seededRandom } from '../../helpers/seeded-random.js';

const QUANTILES = [0.5, 0.9, 0.95, 0.99, 1];
const EVERY_PERCENT = Array.from({ length: 101 }, (_, i) => i / 100);
/** What the file promises from 32 µs on. */
const ERROR = 0.016;

const histogramOf = (latencies: Iterable<number>): LatencyHistogram => {
  const histogram = new LatencyHistogram();
  for (const ms of latencies) histogram.record(ms);
  return histogram;
};

/** What a single latency is read as, in ms. */
const readingOf = (ms: number): number => histogramOf([ms]).percentiles([0.5])[0] as number;

/** Nearest rank over the latencies themselves, which ascend. */
const exactPercentile = (sorted: ArrayLike<number>, quantile: number): number =>
  sorted[Math.max(1, Math.ceil(quantile * sorted.length)) - 1] as number;

const relativeError = (got: number, exact: number): number => Math.abs(got - exact) / exact;

const logUniform = (minMs: number, maxMs: number) =>
  fc
    .double({ min: Math.log(minMs), max: Math.log(maxMs), noNaN: true })
    .map((x) => Math.min(Math.max(Math.exp(x), minMs), maxMs));

// Error

const anySample = test.macro<[name: string, latency: fc.Arbitrary<number>]>({
  exec(t, _, latency) {
    fc.assert(
      fc.property(fc.array(latency, { minLength: 1, maxLength: 200 }), (latencies) => {
        const got = histogramOf(latencies).percentiles(QUANTILES);
        const sorted = latencies.toSorted((a, b) => a - b);
        QUANTILES.forEach((quantile, i) => {
          t.true(relativeError(got[i] as number, exactPercentile(sorted, quantile)) <= ERROR);
        });
      }),
      { numRuns: runs(500) },
    );
  },
  title: (_, name) => `percentiles: are within 1.6 % of the exact ones for any sample, of ${name}`,
});
test(anySample, 'latencies spread over 0.1 ms to 120 s', logUniform(0.1, 120_000));
test(
  anySample,
  'fast calls with slow outliers',
  fc.oneof({ weight: 19, arbitrary: logUniform(0.1, 2) }, { weight: 1, arbitrary: logUniform(1000, 120_000) }),
);
test(anySample, 'timeouts at the same moment', logUniform(4999, 5001));
test(
  anySample,
  'whole powers of two of a microsecond',
  fc.integer({ min: 7, max: 26 }).map((bits) => 2 ** bits / 1000),
);

type Random = () => number;
const normal = (random: Random): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
const lognormal = (random: Random, medianMs: number, sigma: number): number =>
  medianMs * Math.exp(sigma * normal(random));

/** What HdrHistogram says, which counts whole microseconds, right to three digits. */
function secondOpinion(latencies: Float64Array, quantiles: readonly number[]): number[] {
  const histogram = build({ highestTrackableValue: 2 ** 28, numberOfSignificantValueDigits: 3 });
  for (const ms of latencies) histogram.recordValue(Math.trunc(ms * 1000));
  return quantiles.map((quantile) => histogram.getValueAtPercentile(quantile * 100) / 1000);
}

const distribution = test.macro<[name: string, sample: (random: Random) => number]>({
  exec(t, _, sample) {
    const quantiles = [0.5, 0.95, 0.99];
    for (const size of [1, 20, 1000, 100_000]) {
      const random = seededRandom(size);
      const latencies = Float64Array.from({ length: size }, () => Math.min(Math.max(sample(random), 0.1), 120_000));
      const sorted = latencies.toSorted();
      const second = secondOpinion(latencies, quantiles);
      for (const [i, got] of histogramOf(latencies).percentiles(quantiles).entries()) {
        t.true(relativeError(got as number, exactPercentile(sorted, quantiles[i] as number)) <= ERROR);
        t.true(relativeError(got as number, second[i] as number) <= ERROR + 0.001);
      }
    }
  },
  title: (_, name) => `percentiles: p50, p95 and p99 are within 1.6 % of the exact ones and of HdrHistogram's, ${name}`,
});
test(distribution, 'uniform from 0.1 ms to 120 s', (random) => 0.1 + 119_999.9 * random());
test(distribution, 'lognormal', (random) => lognormal(random, 20, 1));
test(distribution, 'bimodal, with timeouts', (random) => (random() < 0.03 ? 5000 : lognormal(random, 8, 0.5)));
test(distribution, 'constant', () => 7.77);
test(distribution, 'with a heavy tail (Pareto)', (random) => 2 / (1 - random()) ** (1 / 1.1));
test(distribution, 'exponential', (random) => -30 * Math.log(1 - random()));
test(distribution, 'hundreds of microseconds', (random) => 0.1 + 0.9 * random());

test('percentiles: a single latency is read within 1.6 % over 0.1 ms to 120 s', (t) => {
  fc.assert(
    fc.property(logUniform(0.1, 120_000), (ms) => {
      t.true(relativeError(readingOf(ms), ms) <= ERROR);
    }),
    { numRuns: runs(5000) },
  );
});

test('percentiles: a latency under 32 µs is read within half a microsecond', (t) => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 0.032, noNaN: true }), (ms) => {
      t.true(Math.abs(readingOf(ms) - ms) <= 0.0005 + 1e-12);
    }),
  );
});

test('percentiles: a longer latency never reads as a shorter one', (t) => {
  fc.assert(
    fc.property(logUniform(0.001, 200_000), logUniform(0.001, 200_000), (a, b) => {
      t.true(readingOf(Math.min(a, b)) <= readingOf(Math.max(a, b)));
    }),
    { numRuns: runs(2000) },
  );
});

const odd = test.macro<[latencyMs: number, like: number]>({
  exec(t, latencyMs, like) {
    t.is(readingOf(latencyMs), readingOf(like));
  },
  title: (_, latencyMs, like) => `FM 25: a latency of ${latencyMs} ms counts like one of ${like} ms`,
});
test(odd, -5, 0);
test(odd, Number.NaN, 0);
test(odd, Number.NEGATIVE_INFINITY, 0);
test(odd, 0.0004, 0);
test(odd, 134_218, 134_217.727);
test(odd, Number.MAX_VALUE, 134_217.727);
test(odd, Number.POSITIVE_INFINITY, 134_217.727);

test('percentiles: all null without a count, also after a clear', (t) => {
  const histogram = new LatencyHistogram();
  t.deepEqual(histogram.percentiles([0.5, 0.99]), [null, null]);
  histogram.record(3);
  histogram.clear(0);
  t.deepEqual(histogram.percentiles([0.5, 0.99]), [null, null]);
});

test('percentiles: one sample is every percentile', (t) => {
  const [p0, p50, p100] = histogramOf([7]).percentiles([0, 0.5, 1]);
  t.is(p0, readingOf(7));
  t.is(p50, readingOf(7));
  t.is(p100, readingOf(7));
});

test('percentiles: never fall from one quantile to the next', (t) => {
  fc.assert(
    fc.property(fc.array(logUniform(0.01, 120_000), { minLength: 1, maxLength: 50 }), (latencies) => {
      const got = histogramOf(latencies).percentiles(EVERY_PERCENT) as number[];
      t.deepEqual(
        got,
        got.toSorted((a, b) => a - b),
      );
    }),
  );
});

// LATENCY-HISTOGRAM-1

const latencies = fc.array(logUniform(0.001, 120_000), { maxLength: 100 });

test('LATENCY-HISTOGRAM-1: adding one histogram to another equals recording both in one', (t) => {
  fc.assert(
    fc.property(latencies, latencies, (a, b) => {
      const merged = histogramOf(a);
      merged.add(histogramOf(b));
      t.deepEqual(merged.percentiles(EVERY_PERCENT), histogramOf([...a, ...b]).percentiles(EVERY_PERCENT));
    }),
    { numRuns: runs(500) },
  );
});

test('LATENCY-HISTOGRAM-1: rows read as one histogram of all, keep apart when added, and one is cleared without the others', (t) => {
  const inRows = fc.array(fc.record({ ms: logUniform(0.001, 120_000), row: fc.nat(2) }), { maxLength: 100 });
  fc.assert(
    fc.property(inRows, inRows, fc.nat(2), (a, b, cleared) => {
      const [rows, added] = [new LatencyHistogram(3), new LatencyHistogram(3)];
      for (const { ms, row } of a) rows.record(ms, row);
      for (const { ms, row } of b) added.record(ms, row);
      rows.add(added);
      const all = [...a, ...b];
      const readingOfAll = (list: typeof all) => histogramOf(list.map(({ ms }) => ms)).percentiles(EVERY_PERCENT);
      t.deepEqual(rows.percentiles(EVERY_PERCENT), readingOfAll(all));
      rows.clear(cleared);
      t.deepEqual(rows.percentiles(EVERY_PERCENT), readingOfAll(all.filter(({ row }) => row !== cleared)));
    }),
    { numRuns: runs(500) },
  );
});

// LATENCY-HISTOGRAM-2, LATENCY-HISTOGRAM-3

const manyEvents = test.macro<[bits: number]>({
  exec(t, bits) {
    // 2^bits - 1 of each, so that the next one is the first that a counter of so many bits could not hold.
    const histogram = histogramOf([1, 1000]);
    for (let bit = 1; bit < bits; bit++) {
      histogram.add(histogram);
      histogram.record(1);
      histogram.record(1000);
    }
    const copy = new LatencyHistogram();
    copy.add(histogram);
    t.deepEqual(copy.percentiles(EVERY_PERCENT), histogram.percentiles(EVERY_PERCENT));
    // Were a single count lost or doubled, the middle would lie elsewhere.
    for (let i = 0; i < 3; i++) {
      t.deepEqual(histogram.percentiles([0.5]), [readingOf(1)]);
      histogram.record(1000);
      t.deepEqual(histogram.percentiles([0.5]), [readingOf(1000)]);
      histogram.record(1);
    }
    t.deepEqual(histogram.percentiles([0, 1]), [readingOf(1), readingOf(1000)]);
  },
  title: (_, bits) =>
    `LATENCY-HISTOGRAM-3, FM 25: 2^${bits} events in one counter and more are counted to the last one`,
});
test(manyEvents, 8);
test(manyEvents, 16);
test(manyEvents, 30);
test(manyEvents, 32);
test(manyEvents, 40);

test('LATENCY-HISTOGRAM-3: nothing is held before the first latency, then 32 bytes for each octave and row', (t) => {
  const histogram = new LatencyHistogram(6);
  t.is(histogram.byteLength, 0);
  for (const ms of [1.1, 2.1, 4.3, 8.4, 5000]) {
    histogram.record(ms, 0);
    histogram.record(ms, 5);
  }
  t.is(histogram.byteLength, 5 * 32 * 6);
});

test('LATENCY-HISTOGRAM-2, LATENCY-HISTOGRAM-3, FM 56: memory does not grow with traffic, beyond the digits of the counts', (t) => {
  const histogram = new LatencyHistogram();
  const random = seededRandom(1);
  const sizes = [1e4, 1e5, 1e6].map((events) => {
    for (let i = 0; i < events; i++) histogram.record(1.024 * 2 ** (6 * random()));
    return histogram.byteLength;
  });
  t.deepEqual(sizes, [6 * 32 * 1, 6 * 32 * 2, 6 * 32 * 2]);
  const whole = new LatencyHistogram();
  for (let us = 0; us < 2 ** 28; us += Math.max(1, us >>> 6)) whole.record(us / 1000);
  t.true(whole.byteLength < 1024);
});

import test from 'ava';
import fc from 'fast-check';
import { BucketRing } from '../../src/domain/bucket-ring.js';
import { runs } from '../helpers/depth.js';

interface Counted {
  readonly bucket: number;
  readonly series: number;
}

const SERIES = 2;

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ what: fc.constant('add' as const), series: fc.nat(SERIES - 1), gap: fc.nat(3) }),
  },
  { weight: 2, arbitrary: fc.record({ what: fc.constant('move' as const), gap: fc.integer({ min: -30, max: 30 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant('addTo' as const), series: fc.nat(SERIES - 1), age: fc.nat() }),
  },
  { weight: 1, arbitrary: fc.constant({ what: 'clear' as const }) },
);

test('BUCKET-RING-1: totals and buckets equal a count one by one, for any sizes, additions and gaps', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 13 }),
      fc.nat(1e9),
      fc.array(step, { maxLength: 80 }),
      (size, start, steps) => {
        const ring = new BucketRing(size, SERIES);
        let newest = start;
        let counted: Counted[] = [];
        ring.moveTo(newest);
        for (const one of steps) {
          if (one.what === 'clear') {
            ring.clear();
            counted = [];
          } else if (one.what === 'addTo') {
            const bucket = newest - (one.age % Math.min(size, newest + 1));
            ring.addTo(bucket, one.series, 3);
            for (let i = 0; i < 3; i++) counted.push({ bucket, series: one.series });
          } else {
            ring.moveTo(newest + one.gap);
            newest = Math.max(newest, newest + one.gap);
            if (one.what === 'add') {
              ring.add(one.series);
              counted.push({ bucket: newest, series: one.series });
            }
          }
          t.is(ring.newest, newest);
          for (let series = 0; series < SERIES; series++) {
            const live = counted.filter((c) => c.series === series && newest - c.bucket < size);
            t.is(ring.total(series), live.length);
            for (let bucket = Math.max(newest - size + 1, 0); bucket <= newest; bucket++)
              t.is(ring.count(series, bucket), live.filter((c) => c.bucket === bucket).length);
          }
        }
      },
    ),
    { numRuns: runs(400) },
  );
});

test('subtract: leaves what the part did not hold, in each bucket', (t) => {
  const [whole, part] = [new BucketRing(4, SERIES), new BucketRing(4, SERIES)];
  for (const bucket of [7, 8, 9]) {
    for (const ring of [whole, part]) {
      ring.moveTo(bucket);
      ring.add(1);
    }
    whole.add(0);
    whole.add(1);
  }
  whole.subtract(part);
  t.deepEqual([whole.total(0), whole.total(1)], [3, 3]);
  t.deepEqual(
    [7, 8, 9].map((bucket) => [whole.count(0, bucket), whole.count(1, bucket)]),
    [
      [1, 1],
      [1, 1],
      [1, 1],
    ],
  );
  t.deepEqual([part.total(0), part.total(1)], [0, 3]);
});

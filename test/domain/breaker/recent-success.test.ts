import test from 'ava';
import fc from 'fast-check';
import { RecentSuccess } from '../../../src/domain/breaker/recent-success.js';

const rateAfter = (outcomes: string, nowMs = 0): number => {
  const recent = new RecentSuccess();
  for (const outcome of outcomes) recent.record(outcome === '+', nowMs);
  return recent.rate(nowMs);
};

test('RecentSuccess: 1 without outcomes, and with successes alone', (t) => {
  t.is(rateAfter(''), 1);
  t.is(rateAfter('+++'), 1);
});

test('RecentSuccess: a failure takes a fifth of what there is, a success gives back a fifth of what is missing', (t) => {
  t.is(rateAfter('-'), 0.8);
  t.true(Math.abs(rateAfter('--') - 0.64) < 1e-12);
  t.true(Math.abs(rateAfter('--+') - 0.712) < 1e-12);
});

test('RecentSuccess: after 30 s a shortfall is 1/e of what it was, whether or not it was asked meanwhile', (t) => {
  const recent = new RecentSuccess();
  recent.record(false, 1000);
  recent.record(false, 1000);
  t.true(Math.abs(recent.rate(31_000) - (1 - 0.36 / Math.E)) < 1e-12);
  t.true(Math.abs(recent.rate(31_000) - (1 - 0.36 / Math.E)) < 1e-12, 'reading changes nothing');
  t.true(recent.rate(18_000) < 0.8);
  t.true(recent.rate(19_000) > 0.8);
});

test('RecentSuccess: an outcome adds to what time has left', (t) => {
  const recent = new RecentSuccess();
  recent.record(false, 0);
  recent.record(false, 0);
  recent.record(false, 30_000);
  t.true(Math.abs(recent.rate(30_000) - 0.8 * (1 - 0.36 / Math.E)) < 1e-12);
});

test('RecentSuccess: enough successes make it 1 again to the last digit', (t) => {
  t.is(rateAfter(`-----${'+'.repeat(80)}`), 1);
});

test('RecentSuccess: after a failure time alone brings it back to 0.9, and time after a success to 1', (t) => {
  const recent = new RecentSuccess();
  recent.record(false, 0);
  t.is(recent.rate(2_000_000), 0.9);
  recent.record(true, 2_000_000);
  t.true(Math.abs(recent.rate(2_000_000) - 0.92) < 1e-12);
  t.is(recent.rate(4_000_000), 1);
});

test('RecentSuccess: forgets', (t) => {
  const recent = new RecentSuccess();
  recent.record(false, 0);
  recent.clear();
  t.is(recent.rate(0), 1);
  recent.record(false, 0);
  t.is(recent.rate(0), 0.8);
});

test('RecentSuccess: stays within 0 and 1, and time alone never lowers it, whatever the clock does', (t) => {
  const step = fc.record({ isSuccess: fc.boolean(), gapMs: fc.integer({ min: -1000, max: 60_000 }) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const recent = new RecentSuccess();
      let nowMs = 0;
      for (const { isSuccess, gapMs } of steps) {
        nowMs += gapMs;
        recent.record(isSuccess, nowMs);
        const rate = recent.rate(nowMs);
        t.true(rate >= 0 && rate <= 1);
        t.true(recent.rate(nowMs + 1000) >= rate);
        t.true(recent.rate(nowMs - 1000) <= 1);
      }
    }),
  );
});

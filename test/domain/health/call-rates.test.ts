// CALL-RATES-1, CALL-RATES-2 of call-rates.ts.
import test from 'ava';
import { CallRates, NO_CALLS, RATE_SLOT_MS } from '../../../src/domain/health/call-rates.js';

const of = (calls: number, failed = 0, refused = 0) => ({ calls, failed, refused });

test('CALL-RATES-2: an even stream of calls has the same rate at every moment', (t) => {
  const rates = new CallRates();
  const totalsAt = (ms: number) => of(ms / 10, ms / 100, ms / 50);
  for (let slot = 1; slot < 6; slot++) {
    t.true(rates.sample(totalsAt(slot * RATE_SLOT_MS), slot));
    for (const passedMs of [0, 1, 2500, 9999]) {
      const { calls, failed, refused } = rates.read(totalsAt(slot * RATE_SLOT_MS + passedMs), slot, passedMs);
      t.is(Math.round(calls), 100, `${slot} ${passedMs}`);
      t.is(Math.round(failed), 10);
      t.is(Math.round(refused), 20);
    }
  }
});

test('CALL-RATES-2: a burst is over ten seconds, and gone after twenty', (t) => {
  const rates = new CallRates();
  t.false(rates.sample(NO_CALLS, 1));
  const burst = of(50);
  t.is(rates.read(burst, 1, 5000).calls, 5);
  t.true(rates.sample(burst, 2));
  t.is(rates.read(burst, 2, 0).calls, 5);
  t.is(rates.read(burst, 2, 4000).calls, 3);
  t.is(rates.read(burst, 2, 10_000).calls, 0);
  t.false(rates.sample(burst, 3));
  t.is(rates.read(burst, 3, 0).calls, 0);
});

test('CALL-RATES-1: an extension that was idle, and so was not sampled, has the rate of its new calls alone', (t) => {
  const rates = new CallRates();
  rates.sample(of(50), 2);
  rates.sample(of(50), 3);
  t.is(rates.read(of(70), 400, 9000).calls, 2);
  t.true(rates.sample(of(70), 401));
  t.is(rates.read(of(70), 401, 5000).calls, 1);
});

import test from 'ava';
import fc from 'fast-check';
import { RetryBudget, retryDelayMs } from '../../../src/domain/routing/retry-budget.js';
import { runs } from '../../helpers/depth.js';

const step = fc.record({
  what: fc.constantFrom('call' as const, 'retry' as const),
  times: fc.integer({ min: 1, max: 30 }),
  gapMs: fc.oneof(
    fc.constantFrom(0, 999, 1000, 9000, 9999, 10_000, 1e7),
    fc.double({ min: 0, max: 2000, noNaN: true }),
  ),
});

test('RETRY-BUDGET-1: a retry is granted exactly while those of the last ten seconds are under their share or the reserve', (t) => {
  fc.assert(
    fc.property(fc.nat(1e9), fc.array(step, { maxLength: 60 }), (startMs, steps) => {
      const budget = new RetryBudget();
      const calls: number[] = [];
      const retries: number[] = [];
      let nowMs = startMs;
      const second = (ms: number) => Math.floor(ms / 1000);
      const recent = (times: readonly number[]) => times.filter((at) => second(nowMs) - second(at) < 10).length;
      for (const { what, times, gapMs } of steps) {
        nowMs += gapMs;
        for (let i = 0; i < times; i++) {
          if (what === 'call') {
            budget.countCall(nowMs);
            calls.push(nowMs);
            continue;
          }
          const allowed = recent(retries) < Math.max(3, recent(calls) * 0.2);
          t.is(budget.tryTake(nowMs), allowed);
          if (allowed) retries.push(nowMs);
        }
      }
    }),
    { numRuns: runs(500) },
  );
});

test('RETRY-BUDGET-1, FM 33: an outage of steady traffic is multiplied by at most 1.2 and the reserve', (t) => {
  const budget = new RetryBudget();
  let granted = 0;
  for (let call = 0; call < 60_000; call++) {
    const nowMs = call * 2;
    budget.countCall(nowMs);
    for (let retry = 0; retry < 3; retry++) if (budget.tryTake(nowMs)) granted++;
  }
  t.true(granted <= 60_000 * 0.2 + 3, `${granted} retries`);
  t.true(granted >= 60_000 * 0.19, `${granted} retries`);
});

test('RETRY-BUDGET-1: without traffic there are three retries in ten seconds and no more', (t) => {
  const budget = new RetryBudget();
  t.deepEqual(
    [0, 100, 200, 300, 9_999].map((nowMs) => budget.tryTake(nowMs)),
    [true, true, true, false, false],
  );
  t.true(budget.tryTake(10_000));
});

test('RETRY-BUDGET-1: idle years give no more than the reserve', (t) => {
  const budget = new RetryBudget();
  for (let i = 0; i < 1000; i++) budget.countCall(0);
  const taken = Array.from({ length: 10 }, () => budget.tryTake(1e11)).filter(Boolean);
  t.is(taken.length, 3);
});

const wait = test.macro<[retry: number, random: number, expectedMs: number]>({
  exec(t, retry, random, expectedMs) {
    t.is(retryDelayMs(retry, random), expectedMs);
  },
  title: (_, retry, random, expectedMs) => `retryDelayMs: ${expectedMs} ms before retry ${retry} with random ${random}`,
});
test(wait, 1, 1, 25);
test(wait, 1, 0, 0);
test(wait, 2, 1, 50);
test(wait, 3, 0.5, 50);
test(wait, 6, 1, 800);
test(wait, 7, 1, 1000);
test(wait, 100, 1, 1000);

import test from 'ava';
import fc from 'fast-check';
import { DecisionWindow } from '../../../src/domain/breaker/decision-window.js';
import { type EndpointStats, ejectionMs, ejectionReason, mayEject } from '../../../src/domain/breaker/ejection.js';
import { runs } from '../../helpers/depth.js';

const NOW_MS = 100_000;

interface Did {
  readonly successes?: number;
  readonly failures?: number;
  readonly overdue?: number;
  readonly inRow?: number;
  readonly rowSentMs?: number;
  readonly lastSuccessMs?: number;
}

function conduct({
  successes = 0,
  failures = 0,
  overdue = 0,
  inRow = 0,
  rowSentMs = 90_000,
  lastSuccessMs = Number.NEGATIVE_INFINITY,
}: Did): EndpointStats {
  const window = new DecisionWindow(60_000);
  for (let i = 0; i < successes; i++) window.recordSuccess(NOW_MS);
  for (let i = 0; i < failures; i++) window.recordFailure(NOW_MS);
  window.setOverdue(overdue, overdue);
  return { window, failuresInRow: inRow, rowSentMs, lastSuccessMs };
}

const verdict = test.macro<[id: string, why: string, own: Did, siblings: Did[], expected: string | null]>({
  exec(t, _, __, own, siblings, expected) {
    t.is(ejectionReason(conduct(own), siblings.map(conduct), NOW_MS), expected as never);
  },
  title: (_, id, why, __, ___, expected) => `${id}: ${why}: ${expected ?? 'stays'}`,
});

const WORKS: Did = { successes: 3, lastSuccessMs: 95_000 };
test(
  verdict,
  'E1',
  'three failures in a row while a sibling succeeded',
  { failures: 3, inRow: 3 },
  [WORKS],
  'failures_in_a_row',
);
test(verdict, 'E1', 'two failures in a row', { failures: 2, inRow: 2 }, [WORKS], null);
test(
  verdict,
  'E1',
  'three failures, not in a row',
  { successes: 9, failures: 3, inRow: 2 },
  [{ ...WORKS, successes: 9 }],
  null,
);
test(
  verdict,
  'E1',
  'a success as the row began',
  { failures: 3, inRow: 3 },
  [{ ...WORKS, lastSuccessMs: 90_000 }],
  'failures_in_a_row',
);
test(
  verdict,
  'E1',
  'a success just before the row began',
  { failures: 3, inRow: 3 },
  [{ ...WORKS, lastSuccessMs: 89_999 }],
  null,
);
test(
  verdict,
  'EJECTION-1, FM 24',
  'two failures and an overdue attempt',
  { failures: 2, inRow: 2, overdue: 1 },
  [WORKS],
  'failures_in_a_row',
);
test(verdict, 'EJECTION-1, FM 24', 'three overdue attempts', { overdue: 3 }, [WORKS], 'failures_in_a_row');
test(
  verdict,
  'E1',
  'one of several siblings is enough',
  { failures: 3, inRow: 3 },
  [{ failures: 9, inRow: 9 }, WORKS],
  'failures_in_a_row',
);
test(verdict, 'E3', 'no sibling', { failures: 50, inRow: 50 }, [], null);
test(verdict, 'E3', 'siblings that fail too', { failures: 50, inRow: 50 }, [{ failures: 50, inRow: 50 }], null);
test(verdict, 'E3', 'a sibling without calls', { failures: 50, inRow: 50 }, [{}], null);

const GOOD: Did = { successes: 10, lastSuccessMs: 80_000 };
test(
  verdict,
  'E2',
  'a rate 0.31 below',
  { successes: 69, failures: 31 },
  [{ ...GOOD, successes: 100 }],
  'success_rate',
);
test(verdict, 'E2', 'a rate exactly 0.3 below', { successes: 70, failures: 30 }, [{ ...GOOD, successes: 100 }], null);
test(
  verdict,
  'E2',
  'exactly 0.3 below, where the difference is rounded up',
  { successes: 6, failures: 4 },
  [{ ...GOOD, successes: 9, failures: 1 }],
  null,
);
test(verdict, 'E2', 'nine outcomes', { successes: 3, failures: 6 }, [GOOD], null);
test(verdict, 'E2', 'ten outcomes', { successes: 3, failures: 7 }, [GOOD], 'success_rate');
test(
  verdict,
  'E2',
  'eight outcomes and two overdue',
  { successes: 6, failures: 2, overdue: 2 },
  [GOOD],
  'success_rate',
);
test(verdict, 'E2', 'siblings are judged together', { successes: 5, failures: 5 }, [GOOD, { failures: 10 }], null);
test(verdict, 'E2', 'no success of a sibling', { failures: 10, successes: 0 }, [{ failures: 10 }], null);
test(verdict, 'E2', 'better than its siblings', { successes: 10 }, [{ successes: 1, failures: 9 }], null);

test('EJECTION-4, FM 40: at most half are out, rounded down', (t) => {
  const most = (endpoints: number) => {
    let out = 0;
    while (mayEject(endpoints, out)) out++;
    return out;
  };
  t.deepEqual([0, 1, 2, 3, 4, 5, 10, 11].map(most), [0, 0, 1, 1, 2, 2, 5, 5]);
  t.false(mayEject(2, 2), 'who was reported may make it more; then nobody else goes');
});

test('EJECTION-5: the time out doubles from the first up to ten times that', (t) => {
  t.deepEqual(
    [1, 2, 3, 4, 5, 6, 1000].map((n) => ejectionMs(n, 30)),
    [30_000, 60_000, 120_000, 240_000, 300_000, 300_000, 300_000],
  );
  t.is(ejectionMs(1, 0.001), 1);
});

const did = fc.record({
  successes: fc.nat(30),
  failures: fc.nat(30),
  overdue: fc.nat(5),
  inRow: fc.nat(5),
  rowSentMs: fc.integer({ min: 90_000, max: 100_000 }),
  lastSuccessMs: fc.integer({ min: 85_000, max: 100_000 }),
});

test('EJECTION-1, EJECTION-2, EJECTION-3: a reason is given exactly where one of the rules in words holds, for any conduct', (t) => {
  fc.assert(
    fc.property(did, fc.array(did, { maxLength: 4 }), (own, siblings) => {
      const isRow = own.inRow + own.overdue >= 3 && siblings.some((s) => s.lastSuccessMs >= own.rowSentMs);
      const sum = (of: (s: typeof own) => number) => siblings.reduce((total, s) => total + of(s), 0);
      const outcomes = own.successes + own.failures + own.overdue;
      const theirs = sum((s) => s.successes + s.failures + s.overdue);
      // Compared as whole numbers: a/b - c/d > 3/10.
      const isRate =
        outcomes >= 10 &&
        sum((s) => s.successes) > 0 &&
        10 * (sum((s) => s.successes) * outcomes - own.successes * theirs) > 3 * outcomes * theirs;
      const expected = isRow ? 'failures_in_a_row' : isRate ? 'success_rate' : null;
      t.is(ejectionReason(conduct(own), siblings.map(conduct), NOW_MS), expected);
    }),
    { numRuns: runs(2000) },
  );
});

// ROUND-ROBIN-1 and ROUND-ROBIN-2: turns by weight, and where they begin.
import test from 'ava';
import fc from 'fast-check';
import { chiSquare, criticalAt } from '../../helpers/chi-square.js';
import {
  countOf,
  draw,
  instance,
  label,
  pick,
  picks,
  poolOf,
  poolWith,
  weighted,
} from '../../helpers/instance-pools.js';
import { seededRandom } from '../../helpers/seeded-random.js';

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

const weightLists = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 6 });

test('ROUND-ROBIN-1, FM 42: over any full cycle each member gets exactly its weight, wherever the cycle begins', (t) => {
  fc.assert(
    fc.property(weightLists, fc.nat(300), (weights, offset) => {
      const total = weights.reduce((a, b) => a + b, 0);
      const cycle = total / weights.reduce(gcd);
      const pool = poolOf(...weights.map((weight, i) => instance(`i${i}`, { weight })));
      picks(pool, offset);
      const list = picks(pool, cycle);
      weights.forEach((weight, i) => {
        t.is(countOf(list, `i${i}`), (weight * cycle) / total);
      });
    }),
    { numRuns: 200 },
  );
});

test('ROUND-ROBIN-1, FM 42: 100 to 50 gives 100 and 50 of any 150 consecutive calls', (t) => {
  const pool = poolOf(instance('a', { weight: 100 }), instance('b', { weight: 50 }));
  const list = picks(pool, 1000);
  for (let from = 0; from + 150 <= list.length; from++) {
    t.is(countOf(list.slice(from, from + 150), 'a'), 100);
    t.is(countOf(list.slice(from, from + 150), 'b'), 50);
  }
});

test('ROUND-ROBIN-1, FM 42: nobody is ever a whole call ahead of its share with two members, nor a cycle behind with more', (t) => {
  fc.assert(
    fc.property(weightLists, (weights) => {
      const total = weights.reduce((a, b) => a + b, 0);
      const pool = poolOf(...weights.map((weight, i) => instance(`i${i}`, { weight })));
      const counts = weights.map(() => 0);
      const slack = Math.max(1, weights.length - 1);
      for (let call = 1; call <= 300; call++) {
        const i = Number(pick(pool)?.slice(1));
        counts[i] = (counts[i] as number) + 1;
        weights.forEach((weight, j) => {
          const share = (call * weight) / total;
          t.true(Math.abs((counts[j] as number) - share) <= slack + 1e-9);
        });
      }
    }),
    { numRuns: 100 },
  );
});

const order = test.macro<[weights: Record<string, number>, expected: string]>({
  exec(t, weights, expected) {
    const pool = poolOf(...Object.entries(weights).map(([id, weight]) => instance(id, { weight })));
    t.is(picks(pool, expected.length).join(''), expected);
  },
  title: (_, weights, expected) =>
    `ROUND-ROBIN-1: ${JSON.stringify(weights)} are picked as ${expected}, without clumps`,
});
test(order, { a: 5, b: 1, c: 1 }, 'aabacaaaabacaa');
test(order, { a: 1, b: 1, c: 1 }, 'abcabc');
test(order, { c: 1, b: 1, a: 1 }, 'abcabc');
test(order, { a: 50, b: 50 }, 'abab');
test(order, { a: 2, b: 1 }, 'abaaba');
test(order, { a: 7 }, 'aaa');

test('ROUND-ROBIN-1: the order of the rows does not matter', (t) => {
  const instances = [instance('a', { weight: 3 }), instance('b', { weight: 2 }), instance('c', { weight: 1 })];
  t.deepEqual(picks(poolOf(...instances), 12), picks(poolOf(...instances.toReversed()), 12));
});

test('ROUND-ROBIN-1: weights hold over a hundred thousand picks with rests and avoided subjects in between, once those are over', (t) => {
  const pool = poolOf(instance('a', { weight: 100 }), instance('b', { weight: 1 }), instance('c', { weight: 49 }));
  for (let i = 0; i < 1000; i++) {
    const member = pool.pick(draw({ avoid: i % 3 === 0 ? ['ext.a'] : [] }));
    if (member && i % 7 === 0) member.seat.restUntilMs = 1;
  }
  const list = picks(pool, 150 * 700, 10);
  t.true(Math.abs(countOf(list, 'a') - 70_000) <= 2);
  t.true(Math.abs(countOf(list, 'b') - 700) <= 2);
  t.true(Math.abs(countOf(list, 'c') - 34_300) <= 2);
});

test('ROUND-ROBIN-1, FM 42: of two members, and of equal ones, none waits longer or shorter than its weight says', (t) => {
  const check = (weights: readonly number[], random: () => number): void => {
    const total = weights.reduce((a, b) => a + b);
    const list = picks(poolWith('weighted_round_robin', weighted(weights), random), 3 * total);
    weights.forEach((weight, i) => {
      const at = list.flatMap((id, call) => (id === `i${i}` ? [call] : []));
      const gaps = new Set(at.slice(1).map((call, k) => call - (at[k] as number)));
      const wanted = [Math.floor(total / weight), Math.ceil(total / weight)];
      t.deepEqual(
        [...gaps].filter((gap) => !wanted.includes(gap)),
        [],
        `${weights}`,
      );
    });
  };
  const random = seededRandom(1);
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 100 }), (a, b) => check([a, b], random)),
  );
  for (let n = 1; n <= 12; n++) check(Array(n).fill(7), random);
});

test('ROUND-ROBIN-1, FM 42: of any members none waits for twice as many calls as its weight says', (t) => {
  const random = seededRandom(2);
  fc.assert(
    fc.property(weightLists, (weights) => {
      const total = weights.reduce((a, b) => a + b, 0);
      const last = weights.map(() => Number.NaN);
      picks(poolWith('weighted_round_robin', weighted(weights), random), 600).forEach((id, call) => {
        const i = Number(id?.slice(1));
        t.false((call - (last[i] as number)) * (weights[i] as number) >= 2 * total, `${weights}`);
        last[i] = call;
      });
    }),
    { numRuns: 50 },
  );
});

/** The first picks of so many pools that were made at once. */
const firstPicks = (weights: readonly number[], pools: number): (string | null)[] => {
  const random = seededRandom(pools);
  return Array.from({ length: pools }, () => pick(poolWith('weighted_round_robin', weighted(weights), random)));
};

for (const weights of [[1, 1], [100, 50], [5, 1, 1], [3, 2, 1], [100, 100, 100], [90, 10], Array(50).fill(100)])
  test(`ROUND-ROBIN-2, FM 42, FM 43: whom pools pick first is shared as ${label(weights)}, so that rebuilding them changes no share`, (t) => {
    const list = firstPicks(weights, 5000);
    const total = weights.reduce((a, b) => a + b);
    const counts = weights.map((_, i) => countOf(list, `i${i}`));
    const expected = weights.map((weight) => (5000 * weight) / total);
    t.true(chiSquare(counts, expected) < criticalAt(weights.length - 1));
  });

test('ROUND-ROBIN-2, FM 43: twenty replicas do not pick in lock-step, at no call of a cycle', (t) => {
  const random = seededRandom(43);
  for (const weights of [[100, 100], [100, 50], [100, 100, 100], [50, 40, 30, 20, 10], Array(30).fill(100)]) {
    const total = weights.reduce((a, b) => a + b);
    const cycle = total / weights.reduce(gcd);
    const replicas = Array.from({ length: 20 }, () =>
      picks(poolWith('weighted_round_robin', weighted(weights), random), cycle),
    );
    for (let call = 0; call < cycle; call++) {
      const at = replicas.map((list) => list[call] as string);
      const most = Math.max(...weights.map((_, i) => countOf(at, `i${i}`)));
      t.true(most < 20, `${weights}: all of them at call ${call}`);
    }
    t.true(new Set(replicas.map(String)).size > 1);
  }
});

test('ROUND-ROBIN-2: wherever a pool begins, ROUND-ROBIN-1 holds from its first pick on', (t) => {
  const random = seededRandom(5);
  fc.assert(
    fc.property(weightLists, (weights) => {
      const total = weights.reduce((a, b) => a + b, 0);
      const cycle = total / weights.reduce(gcd);
      const list = picks(poolWith('weighted_round_robin', weighted(weights), random), 2 * cycle);
      for (const from of [0, 1, Math.floor(cycle / 2), cycle])
        weights.forEach((weight, i) => {
          t.is(countOf(list.slice(from, from + cycle), `i${i}`), (weight * cycle) / total);
        });
    }),
    { numRuns: 100 },
  );
});

test('ROUND-ROBIN-2: a thousand instances begin somewhere else each time, at a bounded price', (t) => {
  const random = seededRandom(1000);
  let reads = 0;
  const counted = weighted(Array(1000).fill(100)).map((one) => ({
    ...one,
    get weight() {
      reads++;
      return 100;
    },
  }));
  const firsts = Array.from({ length: 20 }, () => pick(poolWith('weighted_round_robin', counted, random)));
  t.true(new Set(firsts).size >= 18);
  // Fifty turns are all that the price allows: it is the order of ties that spreads them over all.
  t.true(firsts.filter((id) => Number(id?.slice(1)) >= 500).length >= 4);
  t.true(reads / 20 > 10_000, 'it is counted');
  t.true(reads / 20 < 200_000, `${reads / 20} reads for a pool and its first pick`);
  const pool = poolWith('weighted_round_robin', counted, random);
  t.is(new Set(picks(pool, 1000)).size, 1000, 'each has its turn in a cycle');
});

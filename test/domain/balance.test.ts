import test from 'ava';
import fc from 'fast-check';
import { InstancePool, type Seat } from '../../src/domain/balance.js';
import type { Instance } from '../../src/domain/extension.js';

const instance = (id: string, changes: Partial<Instance> = {}): Instance => ({
  id,
  subject: `ext.${id}`,
  weight: 100,
  enabled: true,
  healthStatus: 'healthy',
  version: null,
  revision: 1,
  ...changes,
});

class Place implements Seat {
  isInRotation = true;
  restUntilMs = Number.NEGATIVE_INFINITY;
}
type Pool = InstancePool<Place, string>;

/** Instances that are unhealthy are out of rotation. */
const poolOf = (...instances: Instance[]): Pool => {
  const places = new Map<string, Place>();
  const seat = ({ subject, healthStatus }: Instance): Place => {
    const place = places.get(subject) ?? new Place();
    place.isInRotation = healthStatus !== 'unhealthy';
    places.set(subject, place);
    return place;
  };
  return new InstancePool(instances, seat, (i) => i.id);
};

const pick = (pool: Pool, nowMs = 0, avoid: string[] = [], mayPanic = true): string | null =>
  pool.pick(nowMs, avoid, mayPanic)?.value ?? null;

const picks = (pool: Pool, count: number, nowMs = 0, avoid: string[] = []): (string | null)[] =>
  Array.from({ length: count }, () => pick(pool, nowMs, avoid));

const countOf = (list: readonly (string | null)[], id: string): number => list.filter((one) => one === id).length;

const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

const weightLists = fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 6 });

test('B1, FM 42: over any full cycle each member gets exactly its weight, wherever the cycle begins', (t) => {
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

test('B1, FM 42: 100 to 50 gives 100 and 50 of any 150 consecutive calls', (t) => {
  const pool = poolOf(instance('a', { weight: 100 }), instance('b', { weight: 50 }));
  const list = picks(pool, 1000);
  for (let from = 0; from + 150 <= list.length; from++) {
    t.is(countOf(list.slice(from, from + 150), 'a'), 100);
    t.is(countOf(list.slice(from, from + 150), 'b'), 50);
  }
});

test('B1, FM 42: nobody is ever a whole call ahead of its share with two members, nor a cycle behind with more', (t) => {
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
  title: (_, weights, expected) => `B1: ${JSON.stringify(weights)} are picked as ${expected}, without clumps`,
});
test(order, { a: 5, b: 1, c: 1 }, 'aabacaaaabacaa');
test(order, { a: 1, b: 1, c: 1 }, 'abcabc');
test(order, { c: 1, b: 1, a: 1 }, 'abcabc');
test(order, { a: 50, b: 50 }, 'abab');
test(order, { a: 2, b: 1 }, 'abaaba');
test(order, { a: 7 }, 'aaa');

test('B1: the order of the rows does not matter', (t) => {
  const instances = [instance('a', { weight: 3 }), instance('b', { weight: 2 }), instance('c', { weight: 1 })];
  t.deepEqual(picks(poolOf(...instances), 12), picks(poolOf(...instances.toReversed()), 12));
});

interface Case {
  readonly when: string;
  readonly instances: readonly Instance[];
  readonly used: readonly string[];
}

const members = test.macro<[Case]>({
  exec(t, { instances, used }) {
    const pool = poolOf(...instances);
    const list = picks(pool, 20);
    t.deepEqual([...new Set(list)].filter((id) => id !== null).sort(), [...used]);
    if (used.length === 0) t.true(list.every((id) => id === null));
  },
  title: (_, { when, used }) => `B2: ${used.length === 0 ? 'nobody' : used.join(' and ')} is used, ${when}`,
});
test(members, { when: 'where there is no instance', instances: [], used: [] });
test(members, {
  when: 'where one drains with weight 0',
  instances: [instance('a'), instance('b', { weight: 0 })],
  used: ['a'],
});
test(members, { when: 'where all have weight 0', instances: [instance('a', { weight: 0 })], used: [] });
test(members, {
  when: 'where one is disabled',
  instances: [instance('a', { enabled: false }), instance('b')],
  used: ['b'],
});
test(members, {
  when: 'where one is reported unhealthy',
  instances: [instance('a', { healthStatus: 'unhealthy' }), instance('b')],
  used: ['b'],
});
test(members, {
  when: 'where the others are degraded and unknown',
  instances: [
    instance('a', { healthStatus: 'unhealthy' }),
    instance('b', { healthStatus: 'degraded' }),
    instance('c', { healthStatus: 'unknown' }),
  ],
  used: ['b', 'c'],
});
test(members, {
  when: 'where all are unhealthy (FM 36: panic, spread over all)',
  instances: [instance('a', { healthStatus: 'unhealthy' }), instance('b', { healthStatus: 'unhealthy' })],
  used: ['a', 'b'],
});
test(members, {
  when: 'where all that are healthy drain or are off (FM 41: panic leaves those out)',
  instances: [
    instance('a', { weight: 0 }),
    instance('b', { enabled: false }),
    instance('c', { healthStatus: 'unhealthy' }),
    instance('d', { weight: 0, healthStatus: 'unhealthy' }),
    instance('e', { enabled: false, healthStatus: 'unhealthy' }),
  ],
  used: ['c'],
});

test('B2: without panic nobody is picked where all are out, and one that is out never before one that is in', (t) => {
  const out = poolOf(instance('a', { healthStatus: 'unhealthy' }), instance('b', { healthStatus: 'unhealthy' }));
  t.is(pick(out, 0, [], false), null);
  t.is(pick(poolOf(instance('a', { healthStatus: 'unhealthy' })), 0, [], false), null);
  const half = poolOf(instance('a', { healthStatus: 'unhealthy' }), instance('b'));
  t.is(pick(half, 0, ['ext.b'], false), null);
  t.is(pick(half, 0, ['ext.b'], true), 'a', 'where the others were tried in vain, it will do');
  t.deepEqual(picks(half, 5), ['b', 'b', 'b', 'b', 'b']);
});

test('on: finds a member by its seat, among those with weight', (t) => {
  const pool = poolOf(instance('a', { weight: 0 }), instance('b'));
  const seat = pool.pick(0, [], false)?.seat as Place;
  t.is(pool.on(seat)?.value, 'b');
  t.is(pool.on(new Place()), null);
});

test('B3, FM 35: who asked for rest is passed over until then, and keeps its share afterwards', (t) => {
  const pool = poolOf(instance('a'), instance('b'));
  const first = pool.pick(0, [], false);
  t.is(first?.value, 'a');
  if (first) first.seat.restUntilMs = 1000;
  t.deepEqual(picks(pool, 3, 999), ['b', 'b', 'b']);
  const after = picks(pool, 20, 1000);
  t.true(Math.abs(countOf(after, 'a') - countOf(after, 'b')) <= 2);
  t.is(countOf(picks(pool, 20, 1000), 'a'), 10);
});

test('B3: where all of them rest, all of them are used', (t) => {
  const pool = poolOf(instance('a'), instance('b'));
  for (let i = 0; i < 2; i++) {
    const member = pool.pick(0, [], false);
    if (member) member.seat.restUntilMs = 60_000;
  }
  t.deepEqual(picks(pool, 4, 1).sort(), ['a', 'a', 'b', 'b']);
});

test('B3: a rest does not take the only member away', (t) => {
  const pool = poolOf(instance('a'));
  const only = pool.pick(0, [], false);
  if (only) only.seat.restUntilMs = 60_000;
  t.is(pick(pool, 1), 'a');
});

test('pick: subjects already tried in vain are avoided, and nobody is picked where all of them were', (t) => {
  const pool = poolOf(instance('a'), instance('b'), instance('c', { subject: 'ext.a' }));
  t.deepEqual(picks(pool, 3, 0, ['ext.a']), ['b', 'b', 'b']);
  t.is(pick(pool, 0, ['ext.a', 'ext.b']), null);
  t.is(pick(poolOf(instance('a')), 0, ['ext.a']), null);
  t.is(pick(poolOf(instance('a')), 0, ['ext.b']), 'a');
});

test('pick: rest is no reason to take one that was tried in vain', (t) => {
  const pool = poolOf(instance('a'), instance('b'));
  const a = pool.pick(0, [], false);
  if (a) a.seat.restUntilMs = 60_000;
  t.is(pick(pool, 1, ['ext.b']), 'a');
  t.is(pick(pool, 1, ['ext.a']), 'b');
});

test('B1: weights hold over a hundred thousand picks with rests and avoided subjects in between, once those are over', (t) => {
  const pool = poolOf(instance('a', { weight: 100 }), instance('b', { weight: 1 }), instance('c', { weight: 49 }));
  for (let i = 0; i < 1000; i++) {
    const member = pool.pick(0, i % 3 === 0 ? ['ext.a'] : [], false);
    if (member && i % 7 === 0) member.seat.restUntilMs = 1;
  }
  const list = picks(pool, 150 * 700, 10);
  t.true(Math.abs(countOf(list, 'a') - 70_000) <= 2);
  t.true(Math.abs(countOf(list, 'b') - 700) <= 2);
  t.true(Math.abs(countOf(list, 'c') - 34_300) <= 2);
});

import test from 'ava';
import type { Instance } from '../../../src/domain/registry/extension.js';
import { BALANCERS } from '../../../src/domain/registry/policy.js';
import type { Draw } from '../../../src/domain/routing/pool-member.js';
import { hashOf } from '../../../src/domain/routing/rendezvous.js';
import { chiSquare, criticalAt } from '../../helpers/chi-square.js';
import {
  countOf,
  draw,
  instance,
  label,
  memberOf,
  Place,
  type Pool,
  pick,
  picks,
  poolOf,
  poolWith,
  weighted,
} from '../../helpers/instance-pools.js';
import { seededRandom } from '../../helpers/seeded-random.js';

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
  title: (_, { when, used }) => `POOL-MEMBER-1: ${used.length === 0 ? 'nobody' : used.join(' and ')} is used, ${when}`,
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

test('POOL-MEMBER-1: without panic nobody is picked where all are out, and one that is out never before one that is in', (t) => {
  const out = poolOf(instance('a', { healthStatus: 'unhealthy' }), instance('b', { healthStatus: 'unhealthy' }));
  t.is(pick(out, 0, [], false), null);
  t.is(pick(poolOf(instance('a', { healthStatus: 'unhealthy' })), 0, [], false), null);
  const half = poolOf(instance('a', { healthStatus: 'unhealthy' }), instance('b'));
  t.is(pick(half, 0, ['ext.b'], false), null);
  t.is(pick(half, 0, ['ext.b'], true), 'a', 'where the others were tried in vain, it will do');
  t.deepEqual(picks(half, 5), ['b', 'b', 'b', 'b', 'b']);
});

test('on: finds the first member by id that has this seat, wherever the turns begin', (t) => {
  const shared = ['c', 'b', 'a', 'd'].map((id) => instance(id, { subject: 'ext.x' }));
  for (let seed = 0; seed < 10; seed++) {
    const pool = poolWith('weighted_round_robin', shared, seededRandom(seed));
    t.is(pool.on(memberOf(pool)?.seat as Place)?.value, 'a');
  }
});

test('on: finds a member by its seat, among those with weight', (t) => {
  const pool = poolOf(instance('a', { weight: 0 }), instance('b'));
  const seat = memberOf(pool)?.seat as Place;
  t.is(pool.on(seat)?.value, 'b');
  t.is(pool.on(new Place()), null);
});

test('POOL-MEMBER-2, FM 35: who asked for rest is passed over until then, and keeps its share afterwards', (t) => {
  const pool = poolOf(instance('a'), instance('b'));
  const first = memberOf(pool);
  t.is(first?.value, 'a');
  if (first) first.seat.restUntilMs = 1000;
  t.deepEqual(picks(pool, 3, 999), ['b', 'b', 'b']);
  const after = picks(pool, 20, 1000);
  t.true(Math.abs(countOf(after, 'a') - countOf(after, 'b')) <= 2);
  t.is(countOf(picks(pool, 20, 1000), 'a'), 10);
});

test('POOL-MEMBER-2: where all of them rest, all of them are used', (t) => {
  const pool = poolOf(instance('a'), instance('b'));
  for (let i = 0; i < 2; i++) {
    const member = memberOf(pool);
    if (member) member.seat.restUntilMs = 60_000;
  }
  t.deepEqual(picks(pool, 4, 1).sort(), ['a', 'a', 'b', 'b']);
});

test('POOL-MEMBER-2: a rest does not take the only member away', (t) => {
  const pool = poolOf(instance('a'));
  const only = memberOf(pool);
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
  const a = memberOf(pool);
  if (a) a.seat.restUntilMs = 60_000;
  t.is(pick(pool, 1, ['ext.b']), 'a');
  t.is(pick(pool, 1, ['ext.a']), 'b');
});

const WEIGHT_SETS: readonly (readonly number[])[] = [
  [100, 50],
  [100, 100, 100],
  [100, 1],
  [5, 1, 1, 0],
  [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  Array(50).fill(100),
];
for (const balancer of BALANCERS)
  for (const weights of WEIGHT_SETS)
    test(`FM 42: ${balancer} shares a hundred thousand picks as ${label(weights)}`, (t) => {
      const random = seededRandom(weights.length);
      const pool = poolWith(balancer, weighted(weights), random);
      const counts = weights.map(() => 0);
      const one = { ...draw({ random }), keyHash: 0 };
      for (let i = 0; i < 100_000; i++) {
        one.keyHash = hashOf(`tenant-${i}`);
        (counts[Number(pool.pick(one)?.value.slice(1))] as number)++;
      }
      const total = weights.reduce((a, b) => a + b);
      const expected = weights.map((weight) => (100_000 * weight) / total);
      t.true(chiSquare(counts, expected) < criticalAt(weights.filter((weight) => weight > 0).length - 1));
    });

const STANDINGS: readonly { when: string; instances: Instance[]; used: string[]; panic: string[] }[] = [
  { when: 'none is there', instances: [], used: [], panic: [] },
  { when: 'there is one', instances: [instance('a')], used: ['a'], panic: ['a'] },
  { when: 'the only one drains', instances: [instance('a', { weight: 0 })], used: [], panic: [] },
  { when: 'all weights are 0', instances: weighted([0, 0, 0]), used: [], panic: [] },
  { when: 'one of three drains', instances: weighted([100, 0, 50]), used: ['i0', 'i2'], panic: ['i0', 'i2'] },
  {
    when: 'one is ejected',
    instances: [instance('a', { healthStatus: 'unhealthy' }), instance('b'), instance('c')],
    used: ['b', 'c'],
    panic: ['b', 'c'],
  },
  {
    when: 'all are ejected',
    instances: ['a', 'b', 'c'].map((id) => instance(id, { healthStatus: 'unhealthy' })),
    used: [],
    panic: ['a', 'b', 'c'],
  },
  {
    when: 'the only one is ejected',
    instances: [instance('a', { healthStatus: 'unhealthy' })],
    used: [],
    panic: ['a'],
  },
  {
    when: 'one is disabled and one ejected',
    instances: [instance('a', { enabled: false }), instance('b', { healthStatus: 'unhealthy' }), instance('c')],
    used: ['c'],
    panic: ['c'],
  },
];

/** Whom a hundred picks with as many keys take. */
const takers = (pool: Pool, changes: Partial<Draw> = {}): string[] => {
  const random = seededRandom(9);
  const list = Array.from({ length: 100 }, (_, i) => pool.pick(draw({ keyHash: hashOf(`${i}`), random, ...changes })));
  return [...new Set(list.flatMap((member) => (member === null ? [] : [member.value])))].sort();
};

for (const balancer of BALANCERS) {
  for (const { when, instances, used, panic } of STANDINGS)
    test(`POOL-MEMBER-1: ${balancer} uses ${used.join(' and ') || 'nobody'} where ${when}, in panic ${panic.join(' and ') || 'nobody'}`, (t) => {
      t.deepEqual(takers(poolWith(balancer, instances)), used);
      t.deepEqual(takers(poolWith(balancer, instances), { mayPanic: true }), panic);
    });

  test(`POOL-MEMBER-2: ${balancer} passes over who rests, unless all of them do`, (t) => {
    const pool = poolWith(balancer, [instance('a'), instance('b'), instance('c')]);
    const rest = (id: string, restUntilMs: number): void => {
      const seat = pool.pick(draw({ avoid: ['ext.a', 'ext.b', 'ext.c'].filter((one) => one !== `ext.${id}`) }))?.seat;
      if (seat) seat.restUntilMs = restUntilMs;
    };
    rest('a', 1000);
    t.deepEqual(takers(pool, { nowMs: 999 }), ['b', 'c']);
    t.deepEqual(takers(pool, { nowMs: 1000 }), ['a', 'b', 'c']);
    rest('b', 1000);
    rest('c', 1000);
    t.deepEqual(takers(pool, { nowMs: 999 }), ['a', 'b', 'c']);
    t.deepEqual(takers(pool, { nowMs: 999, avoid: ['ext.b'] }), ['a', 'c']);
  });

  test(`POOL-MEMBER-1, POOL-MEMBER-2: ${balancer} takes one that rests before one that is ejected, and neither where it was tried in vain`, (t) => {
    const pool = poolWith(balancer, [
      instance('a', { healthStatus: 'unhealthy' }),
      instance('b'),
      instance('c', { subject: 'ext.b' }),
    ]);
    const b = pool.pick(draw())?.seat;
    if (b) b.restUntilMs = 1000;
    t.deepEqual(takers(pool, { mayPanic: true }), ['b', 'c']);
    t.deepEqual(takers(pool, { mayPanic: true, avoid: ['ext.b'] }), ['a']);
    t.deepEqual(takers(pool, { avoid: ['ext.b'] }), []);
    t.deepEqual(takers(pool, { mayPanic: true, avoid: ['ext.a', 'ext.b'] }), []);
  });

  test(`fork: picks as the pool of ${balancer} does from then on, and takes no turn of it`, (t) => {
    const make = () => poolWith(balancer, weighted([5, 3, 2]), seededRandom(3));
    const pick23 = (pool: Pool) => {
      const random = seededRandom(4);
      return Array.from({ length: 23 }, (_, i) => pool.pick(draw({ keyHash: hashOf(`${i}`), random }))?.value);
    };
    const [undisturbed, pool] = [make(), make()];
    t.deepEqual(pick23(pool), pick23(undisturbed));
    const fork = pool.fork();
    t.is(fork.size, 3);
    const next = pick23(fork);
    t.deepEqual(pick23(pool.fork()), next);
    pick23(fork);
    t.deepEqual(pick23(pool), pick23(undisturbed));
    // It sees what becomes of the members.
    const member = fork.pick(draw({ keyHash: 1 }));
    if (member) member.seat.isInRotation = false;
    t.false(takers(pool).includes(member?.value as string));
  });
}

test('standings: every member with weight by id, whatever its state, and none of them loses a turn', (t) => {
  const instances = [
    instance('c'),
    instance('a', { healthStatus: 'unhealthy' }),
    instance('d', { weight: 0 }),
    instance('b'),
    instance('e', { enabled: false }),
  ];
  const pool = poolWith('weighted_round_robin', instances, seededRandom(1));
  const b = pool.pick(draw({ avoid: ['ext.c'] }))?.seat;
  if (b) b.restUntilMs = 500;
  const standing = (nowMs: number) =>
    pool.standings(nowMs).map(({ instance, isInRotation, isResting }) => [instance.id, isInRotation, isResting]);
  const turns = picks(pool.fork(), 6, 500);
  t.deepEqual(standing(499), [
    ['a', false, false],
    ['b', true, true],
    ['c', true, false],
  ]);
  t.deepEqual(standing(500)[1], ['b', true, false]);
  t.deepEqual(picks(pool, 6, 500), turns);
});

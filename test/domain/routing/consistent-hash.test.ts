// CONSISTENT-HASH-1: which instance has a key, and what moves when they come and go.
import test from 'ava';
import fc from 'fast-check';
import type { Instance } from '../../../src/domain/registry/extension.js';
import { hashOf } from '../../../src/domain/routing/rendezvous.js';
import { runs } from '../../helpers/depth.js';
import { draw, instance, type Pool, picks, poolWith, weighted } from '../../helpers/instance-pools.js';
import { seededRandom } from '../../helpers/seeded-random.js';

const KEYS = Array.from({ length: 10_000 }, (_, i) => hashOf(`tenant-${i}`));
const random = seededRandom(44);

const poolOf = (instances: readonly Instance[]): Pool => poolWith('consistent_hash', instances, random);

/** Who has each of the keys. */
const owners = (pool: Pool, nowMs = 0, avoid: string[] = []): (string | null)[] =>
  KEYS.map((keyHash) => pool.pick(draw({ nowMs, avoid, keyHash }))?.value ?? null);

/** Every key that has another owner: from whom, to whom. */
const moves = (before: readonly (string | null)[], after: readonly (string | null)[]) =>
  before.flatMap((from, i) => (after[i] === from ? [] : [{ from, to: after[i] as string | null }]));

test('CONSISTENT-HASH-1, FM 44: one more or one less of 2 to 50 instances moves at most its share and 2 % of the keys, to or from it alone', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 2, max: 50 }), fc.nat(49), (n, which) => {
      const all = weighted(Array(n).fill(100));
      const odd = `i${which % n}`;
      const whole = owners(poolOf(all));
      const less = owners(poolOf(all.filter(({ id }) => id !== odd)));
      const changes = moves(less, whole);
      t.true(changes.length > 0 && changes.length <= KEYS.length * (1 / n + 0.02));
      t.true(changes.every(({ to }) => to === odd));
      t.is(moves(whole, less).length, changes.length);
    }),
    {
      numRuns: runs(15),
      examples: [
        [2, 0],
        [50, 7],
      ],
    },
  );
});

test('CONSISTENT-HASH-1, FM 44: neither the order of the rows nor the replica matters, and one replica is as far as another', (t) => {
  const all = weighted([100, 50, 25, 100, 1, 60]);
  const whole = owners(poolOf(all));
  t.deepEqual(owners(poolOf(all.toReversed())), whole);
  t.deepEqual(owners(poolOf(all)), whole);
  const pool = poolOf(all);
  t.deepEqual([owners(pool), owners(pool)], [whole, whole], 'picks leave no trace');
});

test('CONSISTENT-HASH-1: more weight only adds keys to an instance, less only takes some from it', (t) => {
  const before = owners(poolOf(weighted([50, 50, 50])));
  const more = moves(before, owners(poolOf(weighted([80, 50, 50]))));
  t.true(more.length > 500 && more.every(({ to }) => to === 'i0'));
  const less = moves(before, owners(poolOf(weighted([20, 50, 50]))));
  t.true(less.length > 500 && less.every(({ from }) => from === 'i0'));
  const drained = moves(before, owners(poolOf(weighted([0, 50, 50]))));
  t.is(drained.length, before.filter((id) => id === 'i0').length);
  t.true(drained.every(({ from }) => from === 'i0'));
});

const AWAY: Readonly<Record<string, (pool: Pool) => (string | null)[]>> = {
  'is ejected': (pool) => {
    const seat = pool.pick(draw({ avoid: ['ext.i0', 'ext.i2'], keyHash: 0 }))?.seat;
    if (seat) seat.isInRotation = false;
    return owners(pool);
  },
  'asked for rest': (pool) => {
    const seat = pool.pick(draw({ avoid: ['ext.i0', 'ext.i2'], keyHash: 0 }))?.seat;
    if (seat) seat.restUntilMs = 1000;
    return owners(pool, 999);
  },
  'was tried in vain': (pool) => owners(pool, 0, ['ext.i1']),
};

for (const [how, whileAway] of Object.entries(AWAY))
  test(`CONSISTENT-HASH-1, FM 44: the keys of one that ${how} go to the others, in proportion, and no other key moves; then they come back`, (t) => {
    const pool = poolOf(weighted([100, 100, 100]));
    const before = owners(pool);
    const changes = moves(before, whileAway(pool));
    t.is(changes.length, before.filter((id) => id === 'i1').length);
    t.true(changes.every(({ from }) => from === 'i1'));
    const toFirst = changes.filter(({ to }) => to === 'i0').length / changes.length;
    t.true(Math.abs(toFirst - 0.5) < 0.05);
    for (const { instance: one } of pool.standings(0)) {
      const avoid = ['ext.i0', 'ext.i1', 'ext.i2'].filter((subject) => subject !== one.subject);
      const seat = pool.pick(draw({ avoid, mayPanic: true, keyHash: 0 }))?.seat;
      if (seat) seat.isInRotation = true;
    }
    t.deepEqual(owners(pool, 1000), before);
  });

test('CONSISTENT-HASH-1: instances with one subject have the keys of their weights together', (t) => {
  const shared = [instance('i0', { subject: 'ext.x' }), instance('i1', { subject: 'ext.x' }), instance('i2')];
  const list = owners(poolOf(shared));
  t.deepEqual(list, owners(poolOf(weighted([100, 100, 100]))));
});

test('consistent_hash: without a key it is round-robin, whatever was picked by key meanwhile', (t) => {
  const weights = [5, 1, 1];
  const pool = poolWith('consistent_hash', weighted(weights));
  const turns = poolWith('weighted_round_robin', weighted(weights));
  const list = Array.from({ length: 14 }, (_, i) => {
    pool.pick(draw({ keyHash: KEYS[i] as number }));
    return pool.pick(draw())?.value ?? null;
  });
  t.deepEqual(list, picks(turns, 14));
});

test('consistent_hash: a key hash of 0 is a key', (t) => {
  const pool = poolOf(weighted([1, 1, 1]));
  t.is(new Set(Array.from({ length: 9 }, () => pool.pick(draw({ keyHash: 0 }))?.value)).size, 1);
});

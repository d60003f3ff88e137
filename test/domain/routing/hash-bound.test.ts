// CONSISTENT-HASH-2: consistent hashing with a bound on what a hot key puts on one instance.
import test from 'ava';
import fc from 'fast-check';
import type { Instance } from '../../../src/domain/registry/extension.js';
import type { PoolMember } from '../../../src/domain/routing/pool-member.js';
import { hashOf } from '../../../src/domain/routing/rendezvous.js';
import { propertyRuns } from '../../helpers/hostile-text.js';
import { draw, instance, type Place, type Pool, poolWith, weighted } from '../../helpers/instance-pools.js';

type Picked = PoolMember<Place, string>;

const KEYS = Array.from({ length: 500 }, (_, i) => hashOf(`tenant-${i}`));
const HOT = KEYS[0] as number;

const poolOf = (instances: readonly Instance[]): Pool => poolWith('consistent_hash', instances);

/** A call by that key begins; null: nobody takes it. */
function begin(pool: Pool, keyHash: number, balanceFactor: number): Picked | null {
  const member = pool.pick(draw({ keyHash, balanceFactor }));
  if (member !== null) member.seat.inFlight++;
  return member;
}

test('CONSISTENT-HASH-2: whatever keys come and calls end, no call gives an instance more than the factor of its share, rounded up', (t) => {
  const step = fc.oneof(fc.constant('end' as const), fc.constantFrom(...KEYS.slice(0, 5)));
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 100 }), { minLength: 1, maxLength: 8 }),
      fc.integer({ min: 101, max: 1000 }),
      fc.array(step, { maxLength: 120 }),
      (weights, factor, steps) => {
        const pool = poolOf(weighted(weights));
        const total = weights.reduce((a, b) => a + b);
        const inFlight: Picked[] = [];
        for (const what of steps) {
          if (what === 'end') {
            const ended = inFlight.shift();
            if (ended !== undefined) ended.seat.inFlight--;
            continue;
          }
          const member = begin(pool, what, factor);
          if (member === null) return false;
          inFlight.push(member);
          const share = (BigInt(factor) * BigInt(member.instance.weight) * BigInt(inFlight.length)) / BigInt(total);
          const isWhole = (factor * member.instance.weight * inFlight.length) % (100 * total) === 0;
          const most = Math.floor(Number(share) / 100) + (isWhole ? 0 : 1);
          // A pool of one has nobody else.
          if (weights.length > 1 && member.seat.inFlight > most) return false;
        }
        return true;
      },
    ),
    { numRuns: propertyRuns(150, 10_000) },
  );
  t.pass();
});

test('CONSISTENT-HASH-2: a hot key spreads only as far as it has to, always to the same next instance, and comes back', (t) => {
  const pool = poolOf(weighted([100, 100, 100, 100]));
  const home = pool.pick(draw({ keyHash: HOT }))?.value;
  const taken = Array.from({ length: 100 }, () => begin(pool, HOT, 150)) as Picked[];
  const counts = new Map<string, number>();
  for (const { value } of taken) counts.set(value, (counts.get(value) ?? 0) + 1);
  t.deepEqual(
    [...counts.values()].toSorted((a, b) => b - a),
    [38, 38, 24],
  );
  t.is(
    [...counts].toSorted(([, a], [, b]) => b - a).some(([id]) => id === home),
    true,
  );
  t.is(taken[0]?.value, home);
  for (const { seat } of taken) seat.inFlight--;
  t.is(begin(pool, HOT, 150)?.value, home, 'the pressure is gone');
});

test('CONSISTENT-HASH-2: keys whose instance is not full stay with it', (t) => {
  const pool = poolOf(weighted([100, 100, 100, 100]));
  const before = KEYS.map((keyHash) => pool.pick(draw({ keyHash }))?.value);
  const given = draw({ keyHash: HOT, balanceFactor: 150 });
  for (let i = 0; i < 50 || pool.full(given).size === 0; i++) begin(pool, HOT, 150);
  const full = pool.full(given);
  t.true(full.size > 0 && full.size < 4);
  const after = KEYS.map((keyHash) => pool.pick(draw({ keyHash, balanceFactor: 150 }))?.value);
  t.true(after.some((id, i) => id !== before[i]));
  after.forEach((id, i) => {
    if (!full.has(before[i] as string)) t.is(id, before[i]);
    else t.false(full.has(id as string));
  });
});

test('CONSISTENT-HASH-2: 0, which is the default, is no bound', (t) => {
  for (const balanceFactor of [0, undefined]) {
    const pool = poolOf(weighted([100, 100]));
    const given = draw({ keyHash: HOT, ...(balanceFactor === undefined ? {} : { balanceFactor }) });
    const picks = Array.from({ length: 50 }, () => {
      const member = pool.pick(given);
      if (member !== null) member.seat.inFlight++;
      return member?.value;
    });
    t.is(new Set(picks).size, 1);
    t.is(pool.full(given).size, 0);
  }
});

test('CONSISTENT-HASH-2: who is out, withheld, resting or to be avoided has no share, and what is in flight to it does not count', (t) => {
  const pool = poolOf([
    ...weighted([100, 100]),
    instance('out', { healthStatus: 'unhealthy' }),
    instance('w', { subject: 'ext.i0' }),
  ]);
  const out = pool.on(pool.pick(draw({ avoid: ['ext.i0', 'ext.i1'], mayPanic: true }))?.seat as Place);
  const seat = pool.pick(draw({ avoid: ['ext.i1', 'ext.out'] }))?.seat as Place & { withheld?: ReadonlySet<string> };
  seat.withheld = new Set(['w']);
  if (out !== null) out.seat.inFlight = 1000;
  const taken = Array.from({ length: 30 }, () => begin(pool, HOT, 101)?.value);
  t.deepEqual(
    ['i0', 'i1', 'out', 'w'].map((id) => taken.filter((one) => one === id).length),
    taken[0] === 'i0' ? [16, 14, 0, 0] : [14, 16, 0, 0],
  );
  t.is(pool.pick(draw({ keyHash: HOT, balanceFactor: 101, avoid: ['ext.i0'] }))?.value, 'i1');
});

test('CONSISTENT-HASH-2: without a key the calls take turns, bound or not', (t) => {
  const pool = poolOf(weighted([100, 100]));
  const list = Array.from({ length: 10 }, () => pool.pick(draw({ balanceFactor: 101 })));
  t.is(list.filter((member) => member?.value === 'i0').length, 5);
});

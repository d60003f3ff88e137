// LEAST-INFLIGHT-1: the less loaded of two, and who fails fast.
import test from 'ava';
import type { Instance } from '../../../src/domain/registry/extension.js';
import { hashOf } from '../../../src/domain/routing/rendezvous.js';
import { chiSquare, criticalAt } from '../../helpers/chi-square.js';
import { draw, instance, type Place, type Pool, poolWith, weighted } from '../../helpers/instance-pools.js';
import { seededRandom } from '../../helpers/seeded-random.js';

interface Behaviour {
  /** Of a call that begins at that time. */
  fails(atMs: number, random: () => number): boolean;
  readonly successMs: number;
  readonly failureMs: number;
}

const WORKS: Behaviour = { fails: () => false, successMs: 50, failureMs: 1 };
const FAILS_FAST: Behaviour = { ...WORKS, fails: () => true };
const failsUntil = (ms: number): Behaviour => ({ ...WORKS, fails: (atMs) => atMs < ms });
const failsAtTimes = (share: number): Behaviour => ({ ...WORKS, fails: (_, random) => random() < share });
const slow = (behaviour: Behaviour, factor: number): Behaviour => ({
  ...behaviour,
  successMs: behaviour.successMs * factor,
});

/** Calls at an even rate to `i0`, `i1`, …, each as it behaves. Returns who took those that began from `fromMs` on. */
function run(
  weights: readonly number[],
  behaviours: readonly Behaviour[],
  perSecond: number,
  untilMs: number,
  fromMs = 0,
) {
  const random = seededRandom(45);
  const pool = poolWith('least_inflight', weighted(weights), random);
  const counts = weights.map(() => 0);
  const out: { seat: Place; fails: boolean; endMs: number }[] = [];
  let highest = 0;
  for (let call = 0; call < (untilMs / 1000) * perSecond; call++) {
    const nowMs = (call * 1000) / perSecond;
    out.sort((a, b) => a.endMs - b.endMs);
    while (out[0] !== undefined && out[0].endMs <= nowMs) {
      const { seat, fails, endMs } = out.shift() as (typeof out)[number];
      seat.inFlight--;
      seat.recent.record(!fails, endMs);
    }
    const member = pool.pick(draw({ nowMs, random }));
    if (member === null) continue;
    const i = Number(member.value.slice(1));
    const { fails, successMs, failureMs } = behaviours[i] as Behaviour;
    const isFailure = fails(nowMs, random);
    member.seat.inFlight++;
    highest = Math.max(highest, member.seat.inFlight / member.instance.weight);
    out.push({ seat: member.seat, fails: isFailure, endMs: nowMs + (isFailure ? failureMs : successMs) });
    if (nowMs >= fromMs) (counts[i] as number)++;
  }
  const total = counts.reduce((a, b) => a + b);
  return { shares: counts.map((count) => count / total), highest };
}

const others = (n: number, behaviour = WORKS): Behaviour[] => Array(n - 1).fill(behaviour);
const shareOf = (weights: readonly number[]): number => (weights[0] as number) / weights.reduce((a, b) => a + b);

const POOLS: readonly (readonly number[])[] = [[1, 1], [100, 50], [1, 100], [1, 1, 1], Array(10).fill(1)];

for (const weights of POOLS)
  for (const perSecond of [2, 20, 1000])
    test(`LEAST-INFLIGHT-1, FM 45: ${perSecond} calls a second, weights ${weights.join(':')}: the first fails in 1 ms and gets next to nothing`, (t) => {
      const { shares } = run(weights, [FAILS_FAST, ...others(weights.length)], perSecond, 60_000);
      t.true((shares[0] as number) <= shareOf(weights) + 2 / (60 * perSecond));
      // Tried again and again, so never nothing.
      if (shareOf(weights) * perSecond > 1) t.true((shares[0] as number) > 0);
      t.true((shares[0] as number) < 0.25 * shareOf(weights) + 4 / (60 * perSecond), `${shares[0]}`);
    });

for (const perSecond of [0.01, 0.1, 1])
  test(`LEAST-INFLIGHT-1, FM 45: also where calls are rare and long, ${perSecond} a second of 300 s, who fails fast has its weight's share at most`, (t) => {
    const patient = slow(WORKS, 6000);
    for (const weights of [
      [1, 1],
      [1, 1, 1],
    ]) {
      const { shares } = run(weights, [FAILS_FAST, ...others(weights.length, patient)], perSecond, 2000e3 / perSecond);
      t.true((shares[0] as number) <= shareOf(weights) + 0.03, `${weights}: ${shares[0]}`);
    }
  });

for (const weights of POOLS)
  test(`LEAST-INFLIGHT-1, FM 45: weights ${weights.join(':')}: who has recovered is back at its share within half a minute`, (t) => {
    const { shares } = run(weights, [failsUntil(20_000), ...others(weights.length)], 500, 110_000, 50_000);
    t.true(Math.abs((shares[0] as number) / shareOf(weights) - 1) < 0.2, `${shares[0]}`);
  });

test('LEAST-INFLIGHT-1: who fails now and then keeps its share: one in a hundred moves nobody', (t) => {
  for (const perSecond of [5, 500]) {
    const { shares } = run([1, 1], [failsAtTimes(0.01), WORKS], perSecond, 200_000);
    t.true((shares[0] as number) > 0.45 && (shares[0] as number) < 0.51, `${perSecond}: ${shares[0]}`);
  }
});

test('LEAST-INFLIGHT-1: who fails every second call gets little, and something', (t) => {
  const { shares } = run([1, 1, 1], [failsAtTimes(0.5), WORKS, WORKS], 500, 60_000);
  t.true((shares[0] as number) < 0.1 && (shares[0] as number) > 0, `${shares[0]}`);
});

test('LEAST-INFLIGHT-1: where all of them fail alike, none is left out', (t) => {
  const { shares } = run([2, 1], [FAILS_FAST, FAILS_FAST], 20, 60_000);
  t.true((shares[0] as number) > 0.45 && (shares[0] as number) < 0.7, `${shares[0]}`);
});

test('least_inflight: who takes ten times as long gets a tenth of the calls of its equal', (t) => {
  const { shares } = run([1, 1], [slow(WORKS, 10), WORKS], 1000, 30_000);
  t.true(Math.abs((shares[0] as number) - 1 / 11) < 0.02, `${shares[0]}`);
});

test('least_inflight: in flight, members are filled in proportion to their weights', (t) => {
  const { shares } = run([3, 1], [WORKS, WORKS], 2000, 20_000);
  t.true(Math.abs((shares[0] as number) - 0.75) < 0.02, `${shares[0]}`);
});

test('least_inflight: two choices keep the fullest far lower than chance alone', (t) => {
  const equal = Array(50).fill(1);
  // 100 calls are out at a time, two for each; chance alone fills one with eight or so.
  t.true(run(equal, Array(50).fill(WORKS), 2000, 20_000).highest <= 5);
});

/** Seats by instance, to be changed by hand. */
function seats(pool: Pool, instances: readonly Instance[]): Map<string, Place> {
  return new Map(
    instances.map(({ id, subject }) => {
      const avoid = instances.map((one) => one.subject).filter((one) => one !== subject);
      return [id, pool.pick(draw({ avoid, mayPanic: true }))?.seat as Place];
    }),
  );
}

/** Shares of ten thousand picks with nothing else going on. */
function still(pool: Pool, nowMs = 0): Map<string, number> {
  const random = seededRandom(3);
  const counts = new Map<string, number>();
  for (let i = 0; i < 10_000; i++) {
    const id = pool.pick(draw({ nowMs, random, keyHash: hashOf(`${i}`) }))?.value as string;
    counts.set(id, (counts.get(id) ?? 0) + 1);
  }
  return counts;
}

test('least_inflight: instances with one subject are one when their load is compared, and keep their weights', (t) => {
  const instances = [
    instance('a', { subject: 'ext.x', weight: 60 }),
    instance('b', { subject: 'ext.x', weight: 20 }),
    instance('c', { weight: 20 }),
  ];
  const pool = poolWith('least_inflight', instances);
  const all = seats(pool, instances);
  const fits = (wanted: Record<string, number>) => {
    const counts = still(pool);
    const ids = Object.keys(wanted);
    t.is([...counts.keys()].filter((id) => !ids.includes(id)).length, 0);
    return (
      chiSquare(
        ids.map((id) => counts.get(id) ?? 0),
        Object.values(wanted),
      ) < criticalAt(ids.length - 1 || 1)
    );
  };
  t.is(all.get('a'), all.get('b'));
  const [x, c] = [all.get('a') as Place, all.get('c') as Place];
  t.true(fits({ a: 6000, b: 2000, c: 2000 }), 'idle');
  x.inFlight = 8;
  c.inFlight = 2;
  t.true(fits({ a: 6000, b: 2000, c: 2000 }), 'as full for their weights');
  x.inFlight = 11;
  t.true(fits({ a: 6000, b: 2000, c: 2000 }), 'with one more, c would be the busier one');
  x.inFlight = 12;
  t.true(fits({ c: 10_000 }));
  x.inFlight = 7;
  t.true(fits({ a: 7500, b: 2500 }));
});

test('least_inflight: two different ones are drawn, so that of two the fuller one gets nothing', (t) => {
  const instances = weighted([100, 1]);
  const pool = poolWith('least_inflight', instances);
  const all = seats(pool, instances);
  (all.get('i0') as Place).inFlight = 101;
  t.deepEqual([...still(pool).keys()], ['i1']);
});

test('LEAST-INFLIGHT-1: failures bear on the load: between 0.8 and 1 they count as calls in flight that there would be', (t) => {
  const instances = weighted([1, 1]);
  const pool = poolWith('least_inflight', instances);
  const all = seats(pool, instances);
  const [a, b] = [all.get('i0') as Place, all.get('i1') as Place];
  a.recent.record(false, 0);
  const rate = a.successRate(10_000);
  t.true(rate > 0.8 && rate < 0.95);
  a.inFlight = 95;
  b.inFlight = 100;
  t.deepEqual([...still(pool, 10_000).keys()], ['i1'], '95 of one that fails are more than 100');
  a.inFlight = 80;
  t.is(still(pool, 10_000).size, 2, 'what was drawn for it stays with it, and no more');
  t.is(still(pool, 1e6).size, 2, 'time alone does not make it better');
  for (let i = 0; i < 10; i++) a.recent.record(true, 1e6);
  t.deepEqual([...still(pool, 1e6).keys()], ['i0'], 'successes do');
});

test('least_inflight: where nearly all are passed over, the weights of those that are left decide all the same', (t) => {
  const out = Array.from({ length: 20 }, (_, i) => instance(`out${i}`, { healthStatus: 'unhealthy' }));
  const counts = still(poolWith('least_inflight', [...out, ...weighted([30, 10])]));
  t.true(chiSquare([counts.get('i0') ?? 0, counts.get('i1') ?? 0], [7500, 2500]) < criticalAt(1));
});

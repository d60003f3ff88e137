// Pools of instances for tests of balancers, each with one place for each subject, and what a pick of them needs.

import { RecentSuccess } from '../../src/domain/breaker/recent-success.js';
import type { Instance } from '../../src/domain/registry/extension.js';
import type { Balancer } from '../../src/domain/registry/policy.js';
import { InstancePool } from '../../src/domain/routing/instance-pool.js';
import type { Draw, PoolMember, PoolSeat } from '../../src/domain/routing/pool-member.js';

export const instance = (id: string, changes: Partial<Instance> = {}): Instance => ({
  id,
  subject: `ext.${id}`,
  weight: 100,
  enabled: true,
  healthStatus: 'healthy',
  version: null,
  revision: 1,
  ...changes,
});

export class Place implements PoolSeat {
  isInRotation = true;
  restUntilMs = Number.NEGATIVE_INFINITY;
  inFlight = 0;
  readonly recent = new RecentSuccess();
  successRate(nowMs: number): number {
    return this.recent.rate(nowMs);
  }
}

export type Pool = InstancePool<Place, string>;

export const first = (): number => 0;

/** Instances that are unhealthy are out of rotation; a pick gives the instance's id. */
export function poolWith(balancer: Balancer, instances: readonly Instance[], random: () => number = first): Pool {
  const places = new Map<string, Place>();
  const seat = ({ subject, healthStatus }: Instance): Place => {
    const place = places.get(subject) ?? new Place();
    place.isInRotation = healthStatus !== 'unhealthy';
    places.set(subject, place);
    return place;
  };
  return new InstancePool(instances, balancer, seat, (i) => i.id, random);
}

/** Round-robin from the beginning of its cycle. */
export const poolOf = (...instances: Instance[]): Pool => poolWith('weighted_round_robin', instances);

/** `i0`, `i1`, … with these weights. */
export const weighted = (weights: readonly number[]): Instance[] =>
  weights.map((weight, i) => instance(`i${i}`, { weight }));

export const draw = (changes: Partial<Draw> = {}): Draw => ({
  nowMs: 0,
  avoid: [],
  mayPanic: false,
  keyHash: null,
  random: first,
  ...changes,
});

export const memberOf = (pool: Pool): PoolMember<Place, string> | null => pool.pick(draw());

export const pick = (pool: Pool, nowMs = 0, avoid: string[] = [], mayPanic = true): string | null =>
  pool.pick(draw({ nowMs, avoid, mayPanic }))?.value ?? null;

export const picks = (pool: Pool, count: number, nowMs = 0, avoid: string[] = []): (string | null)[] =>
  Array.from({ length: count }, () => pick(pool, nowMs, avoid));

export const countOf = (list: readonly (string | null)[], id: string): number =>
  list.filter((one) => one === id).length;

/** Weights as a title shows them. */
export const label = (weights: readonly number[]): string =>
  weights.length > 10 ? `${weights.length} equal ones` : weights.join(':');

// weighted_round_robin: smooth weighted round-robin, after nginx ngx_http_upstream_round_robin.c.
//
// ROUND-ROBIN-1. Over any full cycle with unchanged members each member gets exactly its weight's share, spread evenly.
// ROUND-ROBIN-2. Each pool begins at a random point of its cycle, so that replicas, which all see a change at the same time, do
//     not pick in lock-step.
import { isFree, type PoolMember, type PoolSeat } from './pool-member.js';

/** Visits of members that a pool may spend on finding the point where it begins: about a tenth of a millisecond. */
const MAX_VISITS = 50_000;

const NONE: readonly string[] = [];

/** The next in turn among the free members; null: none is free. Ties go to the first of `members`. */
export function nextInTurn<T extends PoolSeat, V>(
  members: readonly PoolMember<T, V>[],
  avoid: readonly string[],
  restedMs: number,
  isPanic: boolean,
): PoolMember<T, V> | null {
  let best: PoolMember<T, V> | null = null;
  let total = 0;
  for (const member of members) {
    if (!isFree(member, avoid, restedMs, isPanic)) continue;
    const { weight } = member.instance;
    member.current += weight;
    total += weight;
    if (best === null || member.current > best.current) best = member;
  }
  if (best !== null) best.current -= total;
  return best;
}

/**
 * ROUND-ROBIN-2. `point`: 0..1 of the cycle, as far as MAX_VISITS reach; pools too large for that are spread by the order of
 * their ties. The turns taken are those of the cycle, so that ROUND-ROBIN-1 holds from here as from its beginning.
 */
export function turnTo<T extends PoolSeat, V>(members: readonly PoolMember<T, V>[], point: number): void {
  const weights = members.map(({ instance }) => instance.weight);
  if (weights.length < 2) return;
  const cycle = weights.reduce((a, b) => a + b) / weights.reduce(greatestCommonDivisor);
  const turns = Math.floor(point * Math.min(cycle, MAX_VISITS / weights.length));
  for (let i = 0; i < turns; i++) nextInTurn(members, NONE, Number.POSITIVE_INFINITY, true);
}

const greatestCommonDivisor = (a: number, b: number): number => (b === 0 ? a : greatestCommonDivisor(b, a % b));

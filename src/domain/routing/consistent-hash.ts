// consistent_hash: weighted rendezvous on the call's key (rendezvous.ts), with an optional bound on the load of one member.
//
// CONSISTENT-HASH-1. While a member is skipped its keys are spread over the others, and no other key moves.
// CONSISTENT-HASH-2. With a balance factor, no member gets a call by which it would have more in flight than that factor of its weight's
//     share of all calls in flight, rounded up. Some member always has less. (After Mirrokni, Thorup and Zadimoghaddam,
//     consistent hashing with bounded loads.)
import { byId, type Draw, isFree, type PoolMember, type PoolSeat } from './pool-member.js';
import { scoreFrom } from './rendezvous.js';

/** The free member with the greatest score for this key; null: none is free. */
export function byKey<T extends PoolSeat, V>(
  members: readonly PoolMember<T, V>[],
  keyHash: number,
  { avoid, balanceFactor = 0 }: Draw,
  restedMs: number,
  isPanic: boolean,
): PoolMember<T, V> | null {
  let best: PoolMember<T, V> | null = null;
  let bestScore = 0;
  const key = keyHash | 0;
  const load = balanceFactor > 0 ? loadOf(members, avoid, restedMs, isPanic) : null;
  for (const member of members) {
    if (!isFree(member, avoid, restedMs, isPanic)) continue;
    if (load !== null && isFull(member, load, balanceFactor)) continue;
    const score = scoreFrom(bestScore, key, member.hash, member.instance.weight);
    // Ties must not depend on the members' order, which differs between replicas.
    if (score > bestScore || (score === bestScore && best !== null && byId(member.instance, best.instance) < 0)) {
      best = member;
      bestScore = score;
    }
  }
  return best;
}

/** CONSISTENT-HASH-2: ids of the members in rotation that get no call by a key at present. */
export function fullMembers<T extends PoolSeat, V>(
  members: readonly PoolMember<T, V>[],
  { nowMs, avoid, balanceFactor = 0 }: Draw,
): ReadonlySet<string> {
  if (balanceFactor === 0) return new Set();
  const load = loadOf(members, avoid, nowMs, false);
  const free = members.filter((member) => isFree(member, avoid, nowMs, false));
  return new Set(free.filter((member) => isFull(member, load, balanceFactor)).map(({ instance }) => instance.id));
}

/** Of the free members, by their seats. */
interface Load<T> {
  readonly weights: ReadonlyMap<T, number>;
  /** Sums over all of them. */
  readonly weight: number;
  readonly inFlight: number;
}

function loadOf<T extends PoolSeat, V>(
  members: readonly PoolMember<T, V>[],
  avoid: readonly string[],
  restedMs: number,
  isPanic: boolean,
): Load<T> {
  const weights = new Map<T, number>();
  for (const member of members) {
    if (!isFree(member, avoid, restedMs, isPanic)) continue;
    weights.set(member.seat, (weights.get(member.seat) ?? 0) + member.instance.weight);
  }
  let weight = 0;
  let inFlight = 0;
  for (const [seat, own] of weights) {
    weight += own;
    inFlight += seat.inFlight;
  }
  return { weights, weight, inFlight };
}

/** Integers throughout, so that an exact integer is not rounded up. */
function isFull<T extends PoolSeat, V>(
  { seat }: PoolMember<T, V>,
  { weights, weight, inFlight }: Load<T>,
  factor: number,
): boolean {
  const own = weights.get(seat) ?? 0;
  return seat.inFlight >= Math.ceil((factor * own * (inFlight + 1)) / (100 * weight));
}

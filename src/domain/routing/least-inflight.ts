// least_inflight: power of two choices (Mitzenmacher): of two members drawn by weight, the one less busy for its weight.
//
// LEAST-INFLIGHT-1. A member gains no calls by being idle because it fails fast. One that fails gets its weight's share at most.
import { type Draw, isFree, type PoolMember, type PoolSeat } from './pool-member.js';

/** Below this share of the other's success rate a member yields to it: the minimum success rate of health-based routing. */
const FAILING = 0.8;
/** From this share on it may get what was drawn for the other: more than time alone gives back to one that failed. */
const SOUND = 0.95;
/** Draws of a member that may turn out not to be free, before the free ones are enumerated. */
const BLIND_TRIES = 4;

/** Where each member ends, their weights laid side by side: what `lessLoaded` draws from. */
export function boundsOf<T extends PoolSeat, V>(members: readonly PoolMember<T, V>[]): number[] {
  let end = 0;
  return members.map(({ instance }) => {
    end += instance.weight;
    return end;
  });
}

/** null: none is free. `bounds`: `boundsOf(members)`; there is at least one member. */
export function lessLoaded<T extends PoolSeat, V>(
  members: readonly PoolMember<T, V>[],
  bounds: readonly number[],
  draw: Draw,
  restedMs: number,
  isPanic: boolean,
): PoolMember<T, V> | null {
  const drawn = drawnByWeight(members, bounds, draw, restedMs, isPanic, null);
  if (drawn === null) return null;
  const rival = drawnByWeight(members, bounds, draw, restedMs, isPanic, drawn.seat);
  return rival !== null && yieldsTo(drawn, rival, draw.nowMs) ? rival : drawn;
}

/** One of the free members outside the seat `except`, at random by weight; null: none is free. */
function drawnByWeight<T extends PoolSeat, V>(
  members: readonly PoolMember<T, V>[],
  bounds: readonly number[],
  { avoid, random }: Draw,
  restedMs: number,
  isPanic: boolean,
  except: T | null,
): PoolMember<T, V> | null {
  // Among all of them, as long as that finds one that is free: the shares of these are the same.
  const all = bounds.at(-1) as number;
  for (let tries = 0; tries < BLIND_TRIES; tries++) {
    const member = members[indexAt(bounds, random() * all)] as PoolMember<T, V>;
    if (member.seat !== except && isFree(member, avoid, restedMs, isPanic)) return member;
  }
  let free = 0;
  for (const member of members)
    if (member.seat !== except && isFree(member, avoid, restedMs, isPanic)) free += member.instance.weight;
  let left = random() * free;
  let last: PoolMember<T, V> | null = null;
  for (const member of members) {
    if (member.seat === except || !isFree(member, avoid, restedMs, isPanic)) continue;
    last = member;
    left -= member.instance.weight;
    if (left < 0) break;
  }
  return last;
}

/** Index of the member whose stretch holds that point of the line. */
function indexAt(bounds: readonly number[], point: number): number {
  let low = 0;
  let high = bounds.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((bounds[middle] as number) > point) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * LEAST-INFLIGHT-1. Calls in flight say how busy a member is only if they succeed: one whose calls fail immediately has none. Divided
 * by its weight and its success rate they say how busy it would be. The rival gets the call if it is then no busier than the one drawn
 * is now: idle ones get what is drawn for them, so that their weights alone decide.
 */
function yieldsTo<T extends PoolSeat, V>(drawn: PoolMember<T, V>, rival: PoolMember<T, V>, nowMs: number): boolean {
  const rate = drawn.seat.successRate(nowMs);
  const rivalRate = rival.seat.successRate(nowMs);
  if (rivalRate < SOUND * rate) return false;
  if (rate < FAILING * rivalRate) return true;
  return (rival.seat.inFlight + 1) * drawn.seatWeight * rate <= drawn.seat.inFlight * rival.seatWeight * rivalRate;
}

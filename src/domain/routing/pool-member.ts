// What the balancers choose from: the members of a pool, the endpoint behind each, and whether a call may go there now.
//
// POOL-MEMBER-1. Weight 0 and disabled members get no calls. Members out of rotation get none while others are usable; whether they
//     do when none is (panic policy `any_enabled`) is the caller's decision.
// POOL-MEMBER-2. A member that asked for rest (429 with Retry-After) is skipped until then, unless all of them did.
import type { Instance } from '../registry/extension.js';

/** What instances share that are one endpoint. */
export interface PoolSeat {
  readonly isInRotation: boolean;
  /** Ids of the instances that share it and get no calls because an operator reports them unhealthy; absent: none. */
  readonly withheld?: Pick<ReadonlySet<string>, 'has'>;
  /** Monotonic ms until which it asked not to be called (POOL-MEMBER-2). */
  readonly restUntilMs: number;
  /** Attempts in flight to it. */
  readonly inFlight: number;
  /** Share of its recent attempts that succeeded, 0..1; 1 if nothing is known. */
  successRate(nowMs: number): number;
}

export interface PoolMember<T extends PoolSeat, V> {
  readonly instance: Instance;
  readonly seat: T;
  readonly value: V;
  /** Of the instance's id: what its score for a key is computed from. */
  readonly hash: number;
  /** Sum over the usable members of its seat. */
  readonly seatWeight: number;
  /** Smooth round-robin's running weight. */
  current: number;
}

/** What one pick depends on. It is not kept: a caller may use one for all its picks. */
export interface Draw {
  readonly nowMs: number;
  /** Subjects that this call tried in vain. */
  readonly avoid: readonly string[];
  /** If none is left in rotation, ejected ones are used (POOL-MEMBER-1). */
  readonly mayPanic: boolean;
  /** `hashOf` the call's routing key; null: it has none. */
  readonly keyHash: number | null;
  /** CONSISTENT-HASH-2: per cent, above 100; 0 or absent: no bound. */
  readonly balanceFactor?: number;
  /** 0..1, 1 excluded. */
  readonly random: () => number;
}

/** An order of instances that is the same on every replica. Ids are unique. */
export const byId = (a: Instance, b: Instance): number => (a.id < b.id ? -1 : 1);

export const isWithheld = ({ seat, instance }: { readonly seat: PoolSeat; readonly instance: Instance }): boolean =>
  seat.withheld?.has(instance.id) ?? false;

/** It gets calls while others do. */
export const isIn = <T extends PoolSeat, V>(member: PoolMember<T, V>): boolean =>
  member.seat.isInRotation && !isWithheld(member);

/** It may be picked now. `restedMs`: a rest that ends by then is over; `isPanic`: members out of rotation too. */
export function isFree<T extends PoolSeat, V>(
  member: PoolMember<T, V>,
  avoid: readonly string[],
  restedMs: number,
  isPanic: boolean,
): boolean {
  if (member.seat.restUntilMs > restedMs || !(isPanic || isIn(member))) return false;
  return avoid.length === 0 || !avoid.includes(member.instance.subject);
}

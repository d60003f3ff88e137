// The instances of a version as one pool: which of them a call goes to, by the balancer of the extension's policy.
//
// How each balancer picks: round-robin.ts, least-inflight.ts, consistent-hash.ts. Which members they may pick: pool-member.ts.
import type { Instance } from '../registry/extension.js';
import type { Balancer } from '../registry/policy.js';
import { done, type Steps, sorting } from '../steps.js';
import { byKey, fullMembers } from './consistent-hash.js';
import { boundsOf, lessLoaded } from './least-inflight.js';
import { byId, type Draw, isIn, isWithheld, type PoolMember, type PoolSeat } from './pool-member.js';
import { hashOf } from './rendezvous.js';
import { nextInTurn, turnTo } from './round-robin.js';

/** State of a member, independent of any pick. */
interface Standing {
  readonly instance: Instance;
  readonly isInRotation: boolean;
  readonly isResting: boolean;
}

export class InstancePool<T extends PoolSeat, V> {
  readonly #balancer: Balancer;
  /** In the order of round-robin's ties. */
  #members: readonly PoolMember<T, V>[] = [];
  /** By seat, the first by id; made when it is first asked for. */
  #firstOn: ReadonlyMap<T, PoolMember<T, V>> | null = null;
  /** `boundsOf` them. */
  #bounds: readonly number[] = [];

  /**
   * `instances`: those that serve one version, in any order; `value`: what a pick returns beside the instance;
   * `random`: 0..1, decides where the pool begins (ROUND-ROBIN-2) and is not kept.
   */
  constructor(
    instances: readonly Instance[],
    balancer: Balancer,
    seat: (instance: Instance) => T,
    value: (instance: Instance) => V,
    random: () => number,
  ) {
    this.#balancer = balancer;
    done(this.#filling(instances, seat, value, random));
  }

  /** As the constructor, in steps. */
  static *making<T extends PoolSeat, V>(
    instances: readonly Instance[],
    balancer: Balancer,
    seat: (instance: Instance) => T,
    value: (instance: Instance) => V,
    random: () => number,
  ): Steps<InstancePool<T, V>> {
    const pool = new InstancePool<T, V>([], balancer, seat, value, random);
    yield* pool.#filling(instances, seat, value, random);
    return pool;
  }

  *#filling(
    instances: readonly Instance[],
    seat: (instance: Instance) => T,
    value: (instance: Instance) => V,
    random: () => number,
  ): Steps<void> {
    const usable = yield* sorting(
      instances.filter((i) => i.enabled && i.weight > 0),
      byId,
    );
    const weights = new Map<T, number>();
    for (const instance of usable) {
      weights.set(seat(instance), (weights.get(seat(instance)) ?? 0) + instance.weight);
      yield;
    }
    const members: PoolMember<T, V>[] = [];
    for (const instance of shuffled(usable, random)) {
      members.push({
        instance,
        seat: seat(instance),
        value: value(instance),
        // A small integer, which the compiler keeps unboxed.
        hash: hashOf(`instance ${instance.id}`) | 0,
        seatWeight: weights.get(seat(instance)) as number,
        current: 0,
      });
      yield;
    }
    this.#members = members;
    this.#bounds = boundsOf(members);
    if (members.length > 0 && this.#balancer !== 'least_inflight') turnTo(members, random());
  }

  get size(): number {
    return this.#members.length;
  }

  /** True: some member has a subject that is none of these. */
  hasOutside(subjects: readonly string[]): boolean {
    return this.#members.some(({ instance }) => !subjects.includes(instance.subject));
  }

  /** The first by id of the members with this seat, those not withheld before the others; null: none has it. */
  on(seat: T): PoolMember<T, V> | null {
    if (this.#firstOn === null) {
      const first = new Map<T, PoolMember<T, V>>();
      for (const member of this.#members) {
        const known = first.get(member.seat);
        if (known === undefined || byId(member.instance, known.instance) < 0) first.set(member.seat, member);
      }
      this.#firstOn = first;
    }
    const first = this.#firstOn.get(seat) ?? null;
    if (first === null || !isWithheld(first)) return first;
    return this.#members.filter((member) => member.seat === seat && !isWithheld(member)).sort(firstById)[0] ?? first;
  }

  /** Every member with weight, by id. */
  standings(nowMs: number): Standing[] {
    return this.#members
      .map((member) => ({
        instance: member.instance,
        isInRotation: isIn(member),
        isResting: member.seat.restUntilMs > nowMs,
      }))
      .toSorted((a, b) => byId(a.instance, b.instance));
  }

  /** A copy that picks as this pool does from now on, and whose picks take no turns of this one. */
  fork(): InstancePool<T, V> {
    const fork = new InstancePool<T, V>([], this.#balancer, unasked, unasked, () => 0);
    fork.#members = this.#members.map((member) => ({ ...member }));
    fork.#bounds = boundsOf(fork.#members);
    return fork;
  }

  /** null: no usable member outside `avoid`. */
  pick(draw: Draw): PoolMember<T, V> | null {
    const { nowMs, avoid, mayPanic } = draw;
    if (this.#members.length < 2) {
      const only = this.#members[0];
      if (only === undefined) return null;
      return avoid.includes(only.instance.subject) || !(isIn(only) || mayPanic) ? null : only;
    }
    const found = this.#among(draw, nowMs, false) ?? this.#among(draw, Number.POSITIVE_INFINITY, false);
    return found === null && mayPanic ? this.#among(draw, Number.POSITIVE_INFINITY, true) : found;
  }

  /** CONSISTENT-HASH-2: ids of the members in rotation that get no call by a key at present. */
  full(draw: Draw): ReadonlySet<string> {
    return this.#balancer === 'consistent_hash' ? fullMembers(this.#members, draw) : new Set();
  }

  /** Among the members whose rest is over at `restedMs`. */
  #among(draw: Draw, restedMs: number, isPanic: boolean): PoolMember<T, V> | null {
    switch (this.#balancer) {
      case 'weighted_round_robin':
        return nextInTurn(this.#members, draw.avoid, restedMs, isPanic);
      case 'least_inflight':
        return lessLoaded(this.#members, this.#bounds, draw, restedMs, isPanic);
      case 'consistent_hash':
        return draw.keyHash === null
          ? nextInTurn(this.#members, draw.avoid, restedMs, isPanic)
          : byKey(this.#members, draw.keyHash, draw, restedMs, isPanic);
      default:
        return this.#balancer satisfies never;
    }
  }
}

const firstById = (a: { readonly instance: Instance }, b: { readonly instance: Instance }): number =>
  byId(a.instance, b.instance);

/** Fisher and Yates; unchanged if `random` gives 0. */
function shuffled<I>(list: readonly I[], random: () => number): I[] {
  const result = [...list];
  for (let i = result.length - 1; i > 0; i--) {
    const j = i - Math.floor(random() * (i + 1));
    [result[i], result[j]] = [result[j] as I, result[i] as I];
  }
  return result;
}

const unasked = (): never => {
  throw new Error('a pool without instances asks for nothing');
};

// Which instance of a version takes a call: smooth weighted round-robin, after nginx ngx_http_upstream_round_robin.c.
//
// B1. Over any full cycle with unchanged members each member gets exactly its weight's share, spread evenly.
// B2. Weight 0 and disabled members get nothing. Members out of rotation get nothing while others are usable; whether they
//     do where none is (panic policy `any_enabled`) is for the caller to say.
// B3. A member that asked for rest (429 with Retry-After) is passed over until then, unless all of them did.
import type { Instance } from './extension.js';

/** What instances share that are one to whoever watches over them. */
export interface Seat {
  readonly isInRotation: boolean;
  /** Monotonic ms until which it asked not to be called (B3). */
  readonly restUntilMs: number;
}

export interface Member<T extends Seat, V> {
  readonly instance: Instance;
  readonly seat: T;
  readonly value: V;
  /** Smooth round-robin's running weight. */
  current: number;
}

export class InstancePool<T extends Seat, V> {
  readonly #members: Member<T, V>[];

  /** `instances`: those that serve one version, in any order; `value`: what the caller wants to get back with a pick. */
  constructor(instances: readonly Instance[], seat: (instance: Instance) => T, value: (instance: Instance) => V) {
    this.#members = instances
      .filter((i) => i.enabled && i.weight > 0)
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .map((instance) => ({ instance, seat: seat(instance), value: value(instance), current: 0 }));
  }

  get size(): number {
    return this.#members.length;
  }

  /** True: some member has a subject that is none of these. */
  hasOutside(subjects: readonly string[]): boolean {
    return this.#members.some(({ instance }) => !subjects.includes(instance.subject));
  }

  /** Some member with this seat; null: none has it. */
  on(seat: T): Member<T, V> | null {
    return this.#members.find((member) => member.seat === seat) ?? null;
  }

  /**
   * null: no usable member outside `avoid`, subjects already tried in vain by this call. Ties go to the first by id.
   * `mayPanic`: where none is left in rotation, those that are out will do.
   */
  pick(nowMs: number, avoid: readonly string[], mayPanic: boolean): Member<T, V> | null {
    if (this.#members.length === 1) {
      const only = this.#members[0] as Member<T, V>;
      return avoid.includes(only.instance.subject) || !(only.seat.isInRotation || mayPanic) ? null : only;
    }
    const rested = this.#pickAmong(nowMs, avoid, false) ?? this.#pickAmong(Number.POSITIVE_INFINITY, avoid, false);
    return rested === null && mayPanic ? this.#pickAmong(Number.POSITIVE_INFINITY, avoid, true) : rested;
  }

  #pickAmong(nowMs: number, avoid: readonly string[], isPanic: boolean): Member<T, V> | null {
    let best: Member<T, V> | null = null;
    let total = 0;
    for (const member of this.#members) {
      const { seat, instance } = member;
      if (seat.restUntilMs > nowMs || !(seat.isInRotation || isPanic) || avoid.includes(instance.subject)) continue;
      member.current += instance.weight;
      total += instance.weight;
      if (best === null || member.current > best.current) best = member;
    }
    if (best !== null) best.current -= total;
    return best;
  }
}

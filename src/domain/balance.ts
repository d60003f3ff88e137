// Which instance of a version takes a call: smooth weighted round-robin, after nginx ngx_http_upstream_round_robin.c.
//
// B1. Over any full cycle with unchanged members each member gets exactly its weight's share, spread evenly.
// B2. Weight 0 and disabled members get nothing. Members reported unhealthy get nothing while others are usable;
//     where none is healthy, every enabled member with weight is used (panic policy `any_enabled`).
// B3. A member that asked for rest (429 with Retry-After) is passed over until then, unless all of them did.
import type { Instance } from './extension.js';

export interface Member<T> {
  readonly instance: Instance;
  readonly value: T;
  /** Monotonic ms until which it asked not to be called (B3). */
  restUntilMs: number;
  /** Smooth round-robin's running weight. */
  current: number;
}

export class InstancePool<T> {
  readonly #members: Member<T>[];

  /** `instances`: those that serve one version, in any order; `value`: what the caller wants to get back with a pick. */
  constructor(instances: readonly Instance[], value: (instance: Instance) => T) {
    const enabled = instances.filter((i) => i.enabled && i.weight > 0);
    const healthy = enabled.filter((i) => i.healthStatus !== 'unhealthy');
    this.#members = (healthy.length > 0 ? healthy : enabled)
      .toSorted((a, b) => (a.id < b.id ? -1 : 1))
      .map((instance) => ({ instance, value: value(instance), restUntilMs: Number.NEGATIVE_INFINITY, current: 0 }));
  }

  get size(): number {
    return this.#members.length;
  }

  /** null: no usable member outside `avoid`, subjects already tried in vain by this call. Ties go to the first by id. */
  pick(nowMs: number, avoid: readonly string[] = []): Member<T> | null {
    if (this.#members.length === 1) {
      const only = this.#members[0] as Member<T>;
      return avoid.includes(only.instance.subject) ? null : only;
    }
    return this.#pickAmong(nowMs, avoid) ?? this.#pickAmong(Number.POSITIVE_INFINITY, avoid);
  }

  #pickAmong(nowMs: number, avoid: readonly string[]): Member<T> | null {
    let best: Member<T> | null = null;
    let total = 0;
    for (const member of this.#members) {
      if (member.restUntilMs > nowMs || avoid.includes(member.instance.subject)) continue;
      member.current += member.instance.weight;
      total += member.instance.weight;
      if (best === null || member.current > best.current) best = member;
    }
    if (best !== null) best.current -= total;
    return best;
  }
}

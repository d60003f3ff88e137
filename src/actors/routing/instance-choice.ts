// Which instance of a version an attempt goes to.

import type { ExtensionPolicy } from '../../domain/registry/policy.js';
import type { InstancePool } from '../../domain/routing/instance-pool.js';
import type { Draw, PoolMember } from '../../domain/routing/pool-member.js';
import { hashOf } from '../../domain/routing/rendezvous.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import type { Service } from '../extension/service.js';
import type { Invocation, Route } from '../ports/transport.js';
import type { Endpoint } from '../target/endpoint.js';

type Pool = InstancePool<Endpoint, Route>;
type Chosen = PoolMember<Endpoint, Route>;

/** Subjects that this call has been to in vain; null: none. */
export interface Tried {
  /** No responders: no attempt goes there again. */
  readonly absent: readonly string[] | null;
  /** An attempt failed: others come first. */
  readonly failed: readonly string[] | null;
}

export const NOTHING_TRIED: Tried = { absent: null, failed: null };
const NO_SUBJECTS: readonly string[] = [];

interface InstanceChoice {
  /** null: the version has no instances, its subject's queue group is the pool. */
  readonly member: Chosen | null;
  /** It is out of rotation, and its time to be tried has come. */
  readonly isTrial: boolean;
}

const NO_INSTANCES: InstanceChoice = { member: null, isTrial: false };

/** Or why there is none. `pool`: the service's, or a fork of it. */
export function chooseInstance(
  { target, ownRoute }: Service,
  pool: Pool | null,
  serving: ExtensionRuntime,
  tried: Tried,
  invocation: Pick<Invocation, 'context'>,
  random: () => number,
  nowMs: number,
): InstanceChoice | 'no_instance' | 'no_responders' {
  if (pool === null) return tried.absent?.includes(ownRoute.subject) ? 'no_responders' : NO_INSTANCES;
  const due = target.rotation.dueForReadmission(nowMs);
  const trial = due === null || wasTried(due.subject, tried) ? null : pool.on(due);
  if (trial !== null) return { member: trial, isTrial: true };
  const member = pick(pool, serving, tried, invocation, random, nowMs);
  if (member !== null) return { member, isTrial: false };
  return tried.absent === null ? 'no_instance' : 'no_responders';
}

/** Instances that failed for this call, and those out of rotation, are picked only if no other is left. */
function pick(
  pool: Pool,
  { extension: { policy } }: ExtensionRuntime,
  { absent, failed }: Tried,
  invocation: Pick<Invocation, 'context'>,
  random: () => number,
  nowMs: number,
): Chosen | null {
  const draw = drawOf(policy, invocation, absent ?? NO_SUBJECTS, random, nowMs);
  if (failed === null) return pool.pick(draw);
  return pool.pick({ ...draw, avoid: [...failed, ...draw.avoid], mayPanic: false }) ?? pool.pick(draw);
}

/** What a pick depends on; `avoid`: subjects that the call tried in vain. */
export function drawOf(
  policy: ExtensionPolicy,
  { context }: Pick<Invocation, 'context'>,
  avoid: readonly string[],
  random: () => number,
  nowMs: number,
): Draw {
  const key = policy.balancer === 'consistent_hash' ? context.get('routing_key') : undefined;
  return {
    nowMs,
    avoid,
    mayPanic: policy.panic !== 'fail',
    keyHash: typeof key === 'string' ? hashOf(key) : null,
    balanceFactor: policy.hash_balance_factor ?? 0,
    random,
  };
}

const wasTried = (subject: string, { absent, failed }: Tried): boolean =>
  (absent?.includes(subject) || failed?.includes(subject)) ?? false;

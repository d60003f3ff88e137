// Which instance of a version an attempt goes to.
import type { InstancePool, Member } from '../domain/balance.js';
import { hashOf } from '../domain/rendezvous.js';
import type { Context } from '../domain/routing-rules.js';
import type { Endpoint } from './endpoint.js';
import type { Route } from './ports.js';
import type { Slot } from './slot.js';
import type { Target } from './target.js';

type Pool = InstancePool<Endpoint, Route>;

/** Subjects that this call has been to in vain; null: none. */
export interface Tried {
  /** Nobody was listening: no attempt goes there again. */
  readonly absent: readonly string[] | null;
  /** An attempt failed: others come first. */
  readonly failed: readonly string[] | null;
}

export const NOTHING_TRIED: Tried = { absent: null, failed: null };
const NOBODY: readonly string[] = [];

/** One that is out of rotation and whose time to be tried has come; null: none. */
export function trialInstance(
  pool: Pool,
  target: Target,
  { absent, failed }: Tried,
  nowMs: number,
): Member<Endpoint, Route> | null {
  const due = target.rotation.dueForReadmission(nowMs);
  if (due === null || absent?.includes(due.subject) || failed?.includes(due.subject)) return null;
  return pool.on(due);
}

/** Before those that failed, and before those out of rotation, comes everybody else. null: nobody is left. */
export function pickInstance(
  pool: Pool,
  { extension: { policy } }: Slot,
  { absent, failed }: Tried,
  context: Context,
  random: () => number,
  nowMs: number,
): Member<Endpoint, Route> | null {
  const key = policy.balancer === 'consistent_hash' ? context.get('routing_key') : undefined;
  const draw = {
    nowMs,
    avoid: absent ?? NOBODY,
    mayPanic: policy.panic !== 'fail',
    keyHash: key === undefined ? null : hashOf(key),
    random,
  };
  if (failed === null) return pool.pick(draw);
  return pool.pick({ ...draw, avoid: [...failed, ...draw.avoid], mayPanic: false }) ?? pool.pick(draw);
}

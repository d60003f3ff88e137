// The nouns of the registry, in their valid form: every field of these can be relied on.
// (Rows as a database gives them, unchecked, are in registry-rows.ts; registry-validation.ts turns the one into the other.)
import type { ExtensionPolicy } from './policy.js';
import type { RolloutSlots } from './rollout-slots.js';

export const EXTENSION_TYPES = ['pre', 'validator', 'post', 'provider'] as const;
type ExtensionType = (typeof EXTENSION_TYPES)[number];

export const HEALTH_STATUSES = ['healthy', 'degraded', 'unhealthy', 'unknown'] as const;
export type HealthStatus = (typeof HEALTH_STATUSES)[number];

/** What an operator has set over the breaker's own decision; null: the breaker decides. */
export type BreakerOverride = 'isolated' | 'forced_closed';

export type JsonObject = Readonly<Record<string, unknown>>;

/** What distinguishes a row from another one of the same name. */
interface Identified {
  /** Differs if the row was deleted and inserted again; null or absent if not known. */
  readonly uid?: string | null;
}

/** One place that answers for a version. Instances with the same subject are one queue group to NATS. */
export interface Instance extends Identified {
  readonly id: string;
  readonly subject: string;
  /** Share of the calls, 0..100; 0 drains. */
  readonly weight: number;
  readonly enabled: boolean;
  readonly healthStatus: HealthStatus;
  /** Id of the report of an operator that it is; null: a daemon measured it; absent: not known. */
  readonly reportId?: string | null;
  /** Of its row; what a daemon measures of it makes none. */
  readonly revision: number;
  /** The version this instance serves; null: every version with the same subject, else the extension's own version. */
  readonly version: string | null;
}

export interface Version extends Identified {
  /** Name of the version, 1..32 characters. */
  readonly version: string;
  readonly subject: string;
  /** An attempt that takes longer has failed; 1..86 400 000 ms. */
  readonly timeoutMs: number;
  /** Extra attempts after the first, 0..100. */
  readonly retry: number;
  readonly config: JsonObject;
  /** All keys must match (AND); a list means any of. Empty: no rule. */
  readonly routingRules: JsonObject;
  readonly rolloutPercent: number | null;
  readonly rolloutKey: string | null;
  readonly enabled: boolean;
  /** Beside that of the extension. */
  readonly breakerOverride: BreakerOverride | null;
  /** How often an operator reset it: a daemon that sees the number grow resets its own breaker. */
  readonly breakerResets: number;
  /** Id of the audit row by which an operator last enabled or reset it; null without one. */
  readonly putBackId: string | null;
  /** Revision of the version's own row. */
  readonly revision: number;
}

export interface Extension extends Identified {
  readonly id: string;
  readonly type: ExtensionType;
  readonly subject: string;
  readonly timeoutMs: number;
  readonly retry: number;
  readonly enabled: boolean;
  /** True: the daemon disabled it because its breaker opened. Never true for an operator's decision. */
  readonly autoDisabled: boolean;
  readonly breakerOverride: BreakerOverride | null;
  /** How often an operator reset it: a daemon that sees the number grow resets its own breakers. */
  readonly breakerResets: number;
  /** Id of the audit row of the last switch, if an operator enabled or reset it by that; else null. */
  readonly putBackId: string | null;
  /** Who last enabled or disabled it, as the audit trail has it; null if never. */
  readonly switchedBy: string | null;
  /** Name of the version that the extension's own row stands for. */
  readonly version: string;
  /** The extension's own configuration, delivered to it; nothing of it is read here. */
  readonly config: JsonObject;
  readonly policy: ExtensionPolicy;
  /** Differs if the policy was removed and set again; null or absent without one, or if not known. */
  readonly policyUid?: string | null;
  /** Revision of the extension's own row; pending changes are applied only to the revision they were decided on. */
  readonly revision: number;
  readonly versions: readonly Version[];
  /** Which keys each version of the rollout has. */
  readonly rolloutSlots: RolloutSlots;
  readonly instances: readonly Instance[];
}

/** False: the row was deleted and inserted again, so that nothing of the earlier one concerns the later one. */
export function isSameRow(a: { readonly uid?: string | null }, b: { readonly uid?: string | null }): boolean {
  return a.uid == null || b.uid == null || a.uid === b.uid;
}

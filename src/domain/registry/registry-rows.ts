// What the registry's tables hold about one extension, as read and unchecked: the input of registry-validation.ts.
// Column names keep their spelling. Whatever can be written to a column is `unknown` if the database does not check it.

/** What distinguishes a row from another one. A snapshot that an older daemon wrote lacks all of it. */
interface RowIdentity {
  /** Set by the database when the row was inserted: a row that was deleted and inserted again has another. */
  readonly uid?: string | null;
  /** What could not be read of it, each as a problem; such a column is null here. */
  readonly faults?: readonly string[];
}

export interface ExtensionRow extends RowIdentity {
  readonly id: string;
  readonly type: string;
  readonly subject: string;
  readonly timeout_ms: number | null;
  readonly retry: number | null;
  readonly enabled: boolean | null;
  readonly version: string | null;
  readonly config: unknown;
  /** The operator's own: nothing here depends on it, so the feed does not read it. */
  readonly metadata?: unknown;
  readonly policy: unknown;
  readonly auto_disabled: boolean;
  readonly breaker_override: string | null;
  readonly breaker_resets: number;
  /** `changed_by` of the newest audit row of this extension with action `enable`, `disable` or `reset`; null without one. */
  readonly switched_by: string | null;
  /** If that row is an operator's `enable` or `reset`. */
  readonly put_back: PutBack | null;
  readonly revision: number;
  /** Differs if the policy was removed and set again; null without a policy, or if it is older than this column. */
  readonly policy_uid?: string | null;
}

export interface VersionRow extends RowIdentity {
  readonly id: string;
  readonly version: string;
  readonly subject: string;
  readonly timeout_ms: number | null;
  readonly retry: number | null;
  readonly config: unknown;
  readonly routing_rules: unknown;
  readonly rollout_percent: number | null;
  readonly rollout_key: string | null;
  readonly enabled: boolean | null;
  readonly breaker_override: string | null;
  readonly breaker_resets: number;
  /** By the newest audit row of this version with action `version_enable` or `version_reset`. */
  readonly put_back: PutBack | null;
  readonly revision: number;
}

export interface InstanceRow extends RowIdentity {
  readonly extension_id: string;
  readonly instance_id: string;
  readonly subject: string;
  readonly weight: number | null;
  readonly enabled: boolean | null;
  readonly health_status: string | null;
  /** Id of the report that `health_status` is; null: a daemon measured it; absent in an old file. */
  readonly health_report?: string | null;
  readonly version: string | null;
  readonly revision: number;
}

/** An operator enabled or reset a breaker: what was stored of it before no longer counts. */
export interface PutBack {
  /** Of the audit row. */
  readonly id: string;
  readonly to: 'closed' | 'half_open';
  /** Milliseconds since, by the database's clock. */
  readonly ago_ms: number;
}

/** Breaker facts of one target as stored. Points in time come as ages against the database's clock, so clocks need not agree. */
export interface BreakerFactsRow {
  readonly state: string | null;
  /** Milliseconds since it opened, by the database's clock; null when it is not known. */
  readonly opened_ago_ms: number | null;
  /** Milliseconds until it may half-open, by the database's clock; negative when over; null when not known. */
  readonly open_remaining_ms: number | null;
  /** Milliseconds since a daemon wrote the row, by the database's clock; absent or null: not known. */
  readonly written_ago_ms?: number | null;
  readonly trips: number;
  readonly epoch: number;
  /** Lifetime counts. */
  readonly success_count: number;
  readonly failure_count: number;
  /** ISO 8601; null if not known. */
  readonly last_success: string | null;
  readonly last_failure: string | null;
}

/** Facts of the extension's published target; `version` names it, null if the row is older than that column. */
export type PublishedFactsRow = BreakerFactsRow & { readonly version: string | null };

/** Thresholds that an operator set in `extension_health`; null if the column holds the predecessor's default or nothing. */
export interface ThresholdColumns {
  readonly failure_threshold: number | null;
  readonly error_rate_threshold: number | null;
  readonly window_seconds: number | null;
  readonly half_open_max_requests: number | null;
}

/** Column defaults of the predecessor's `extension_health`: a column that holds one was set by no operator. */
export const PREDECESSOR_THRESHOLDS: { readonly [K in keyof ThresholdColumns]: number } = {
  failure_threshold: 5,
  error_rate_threshold: 0.5,
  window_seconds: 60,
  half_open_max_requests: 3,
};

/** Everything the registry holds about one extension. */
export interface RegistryEntry {
  readonly extension: ExtensionRow;
  readonly versions: readonly VersionRow[];
  readonly instances: readonly InstanceRow[];
  /** Facts of the extension's published target (`extension_health`); null without a row. */
  readonly facts: PublishedFactsRow | null;
  /** What `extension_rollouts` has allotted to the versions of the rollout, unchecked; null without a row, absent in an old file. */
  readonly rolloutSlots?: unknown;
  /** Facts of the other targets by version name (`extension_version_health`). */
  readonly versionFacts: Readonly<Record<string, BreakerFactsRow>>;
  readonly thresholds: ThresholdColumns | null;
  /** Columns that hold the predecessor's default, and so count as not set; absent: none. */
  readonly defaultThresholds?: readonly (keyof ThresholdColumns)[];
}

/** A reader's position in a registry's history. */
export interface RegistryPosition {
  readonly revision: number;
  /** Random, of this revision. */
  readonly token: string;
  /** Random, of the database's history as a whole. */
  readonly history: string;
  /** Which row of which table it was read from; null if it was not read from a database. */
  readonly source: string | null;
}

/** An extension whose rows the database could not hand over. It exists. */
export interface UnreadableEntry {
  readonly id: string;
  readonly error: string;
}

/** What every update has. `position` is null if not known: a snapshot that an older daemon wrote. */
interface UpdateBase {
  readonly revision: number;
  readonly position?: RegistryPosition | null;
  readonly entries: readonly RegistryEntry[];
  readonly unreadable?: readonly UnreadableEntry[];
}

/**
 * What the feed emits. `snapshot`: the whole registry as of `revision`, so an extension that is missing was removed;
 * `historyChange` is why it does not continue the updates before it; null or absent: it does.
 * `changes`: only what changed after the last update; `removedIds` no longer exist.
 */
export type RegistryUpdate =
  | (UpdateBase & {
      readonly kind: 'snapshot';
      readonly historyChange?: string | null;
      /** Number of the last request for a snapshot before it was read; absent: later than any. */
      readonly request?: number;
    })
  | (UpdateBase & { readonly kind: 'changes'; readonly removedIds: readonly string[] });

// What the actors need of the registry's database: the feed, what they write, and what it answers. Types alone.
//
// Long: types alone, with what each port promises.

import type { Observable } from '#rxjs';
import type { HistoryMark } from '../../domain/health/history-answer.js';
import type { BreakerOverride, HealthStatus, JsonObject } from '../../domain/registry/extension.js';
import type { RegistryUpdate } from '../../domain/registry/registry-rows.js';
import type { Verb } from '../../domain/registry/verbs.js';
import type { Named, RowChange, StoredRow } from '../../domain/registry-file/registry-file-diff.js';

export type BreakerStateName = 'closed' | 'open' | 'half_open';

/** What of one target is pending for the database. Counts are added to the row's; points in time travel as ages. */
export interface HealthFlushRow {
  readonly extension_id: string;
  /** Of the rows that it was measured for; null or absent if not known. */
  readonly extension_uid?: string | null;
  readonly version_uid?: string | null;
  readonly version: string;
  /** True: the extension's default target, kept in `extension_health`; else in `extension_version_health`. */
  readonly published: boolean;
  readonly success_delta: number;
  readonly failure_delta: number;
  readonly last_success_ago_ms: number | null;
  readonly last_failure_ago_ms: number | null;
  readonly last_latency_ms: number | null;
  readonly avg_latency_ms: number | null;
  readonly p50_latency_ms: number | null;
  readonly p95_latency_ms: number | null;
  readonly p99_latency_ms: number | null;
  readonly latency_samples: number;
  readonly latency_sum: number;
  readonly latency_window_ago_ms: number | null;
  readonly circuit_breaker_state: BreakerStateName;
  readonly opened_ago_ms: number | null;
  readonly open_remaining_ms: number | null;
  readonly trips: number;
  readonly epoch: number;
  readonly half_open_requests_count: number;
  readonly auto_disabled: boolean;
}

interface FlushedRow {
  readonly extension_id: string;
  readonly version: string;
  readonly error: string;
}

export interface FlushResult {
  /** Rows that failed alone too; they are dropped, not retried for ever. */
  readonly dropped: readonly FlushedRow[];
  /** Rows that another transaction holds; not written, to be flushed again. */
  readonly held: readonly FlushedRow[];
}

/** `number`: of this process, growing with each, from 1. Writes all rows in one transaction; rejects if nothing was written, or if the answer was lost: then ask `WasFlushed`. */
export type FlushHealth = (number: number, rows: readonly HealthFlushRow[]) => Promise<FlushResult>;

/** The result of that flush; null: it was not written, and will not be. Rejects if that cannot be determined now. */
export type WasFlushed = (number: number) => Promise<FlushResult | null>;

/** What an instance's row is to say of it. */
export interface InstanceStatusRow {
  readonly extension_id: string;
  readonly instance_id: string;
  /** Of the row that it was measured for; null or absent if not known. */
  readonly uid?: string | null;
  readonly health_status: HealthStatus;
  /** Id of the newest report on it that was taken into account: another one is not overwritten. Absent: any is. */
  readonly seen_report?: string;
  /** Since its last attempt settled. */
  readonly checked_ago_ms: number;
}

/**
 * Writes all rows in one statement, whatever else happened to them; rejects if the database cannot be reached. Returns those
 * that were not written because another transaction holds them.
 */
export type WriteInstanceStatus = (
  rows: readonly InstanceStatusRow[],
) => Promise<readonly { readonly extension_id: string; readonly instance_id: string; readonly error: string }[]>;

/** The auto-manager's change of `extensions`: applied only while the row still has `revision`, and is the same row. */
export interface AutoChange {
  /** A UUID, which its audit row gets: sent twice, it is done once. */
  readonly id: string;
  /** Set: it is no longer wanted; only look up whether it was done. */
  readonly isOnlyAsked?: true;
  readonly extension_id: string;
  /** null or absent: not known. */
  readonly uid?: string | null;
  readonly change: 'auto_disable' | 'auto_enable';
  readonly revision: number;
  readonly reason: string;
}

/**
 * `applied` with the row's new revision, now or when it was sent before; else the row was changed since it was decided.
 * Rejects while the database is away; if an answer was lost, it may have been applied. A HeldError: another transaction holds the row.
 */
export type ApplyAutoChange = (
  change: AutoChange,
) => Promise<{ readonly applied: true; readonly revision: number } | { readonly applied: false }>;

/** An operator's verb for an extension or a version of it, as it is written. */
export interface VerbCommand {
  /** A UUID, which its audit row gets: sent twice, it is done once. */
  readonly id: string;
  readonly extension_id: string;
  /** null: the whole extension. */
  readonly version: string | null;
  readonly verb: Verb;
  /** `admin`, `admin:<name>` */
  readonly actor: string;
  /** null: none was given; so it is in the trail. */
  readonly reason: string | null;
  /** null: it is decided now. Else it was decided earlier, and counts only if no other operator has decided since. */
  readonly decidedEarlier: {
    /** Revision of the registry that the operator had seen. */
    readonly revision: number;
    /** Ids of verbs that went before it from the same place: they are no other operator's. */
    readonly after: readonly string[];
  } | null;
}

/** The switches of the row that a verb wrote. */
export interface WrittenRow {
  readonly enabled: boolean;
  readonly autoDisabled: boolean;
  readonly breakerOverride: BreakerOverride | null;
  readonly breakerResets: number;
  /** Of the row, not of the registry. */
  readonly revision: number;
}

export type VerbResult =
  /** `version` null: the extension's own row was written. Of a version, `autoDisabled` is its extension's. */
  | { readonly kind: 'applied'; readonly version: string | null; readonly row: WrittenRow }
  /** Another decision was made since; nothing was written. */
  | { readonly kind: 'void'; readonly action: string; readonly by: string | null }
  | { readonly kind: 'extension_not_found' }
  /** `isOwnRow`: it is what the extension's own row stands for, beside version rows. */
  | { readonly kind: 'version_not_found'; readonly isOwnRow: boolean };

/**
 * `remainingMs`: how long the caller still waits; when that is over, nothing is written any more. Rejects while the database
 * is away, or another transaction holds the row for too long; if an answer was lost, it may have been written.
 */
export type ApplyVerb = (command: VerbCommand, remainingMs: () => number) => Promise<VerbResult>;

/** The rollout percentage that an operator gives a version. */
export interface RolloutCommand {
  /** A UUID, which its audit row gets: sent twice, it is done once. */
  readonly id: string;
  readonly extension_id: string;
  readonly version: string;
  /** 0..100 with at most two digits after the point; null: taken out of the rollout. */
  readonly percent: number | null;
  /** `admin`, `admin:<name>` */
  readonly actor: string;
  readonly reason: string;
}

/** `revision` is that of the registry, which has the percentage from there on. */
export type RolloutResult =
  | { readonly kind: 'written'; readonly was: number | null; readonly revision: number }
  /** It was there already. */
  | { readonly kind: 'unchanged'; readonly revision: number }
  | { readonly kind: 'extension_not_found' | 'version_has_rules' }
  /** `isOwnRow`: it is what the extension's own row stands for. */
  | { readonly kind: 'version_not_found'; readonly isOwnRow: boolean }
  /** `others`: the enabled versions in the rollout beside it. */
  | {
      readonly kind: 'rollout_over_100' | 'rollout_keys_differ';
      readonly key: string | null;
      readonly others: readonly { readonly version: string; readonly percent: number; readonly key: string | null }[];
    };

/** Like ApplyVerb: `remainingMs` says how long the caller still waits; rejects while the database is away. */
export type SetRollout = (command: RolloutCommand, remainingMs: () => number) => Promise<RolloutResult>;

/** A change of a version's rollout percentage, as the audit trail has it. */
export interface RolloutChange {
  readonly version: string;
  /** `version_rollout`; `version_update` and others if it was changed otherwise. */
  readonly action: string;
  readonly from: number | null;
  readonly to: number | null;
  readonly by: string | null;
  /** ISO 8601. */
  readonly at: string;
  readonly reason: string | null;
  readonly revision: number;
}

/** What the rows of an extension say of its rollout. */
export interface RolloutRows {
  /** Of the registry, when they were read. */
  readonly revision: number;
  /** In order of their names. */
  readonly versions: readonly {
    readonly version: string;
    readonly enabled: boolean;
    readonly has_rules: boolean;
    readonly rollout_percent: number | null;
    readonly rollout_key: string | null;
  }[];
  /** Newest first. */
  readonly history: readonly RolloutChange[];
}

/** null: no such extension. Rejects while the database is away. */
export type ReadRollout = (extensionId: string, historyLimit: number) => Promise<RolloutRows | null>;

/** Every row of one extension, and what its own row says beside what a registry file has. */
export interface StoredRows {
  readonly rows: readonly StoredRow[];
  readonly own: {
    readonly enabled: boolean;
    readonly auto_disabled: boolean;
    readonly created_by: string | null;
    readonly updated_by: string | null;
    /** ISO 8601, UTC. */
    readonly created_at: string | null;
    readonly updated_at: string | null;
  };
}

/** null: no such extension. */
export type ReadRows = (extensionId: string) => Promise<StoredRows | null>;

/** The extensions that have a fallback, with their type and policy alone. */
export type ReadFallbackRows = () => Promise<readonly StoredRow[]>;

/** Who brought a row to this revision of its own, and when (ISO 8601); null: the trail does not say. */
export type ReadRowChange = (
  row: Named,
  revision: number,
) => Promise<{ readonly changed_by: string | null; readonly changed_at: string } | null>;

/** `conflict`: the row is not in the revision of the change any more, or is there already; nothing is written. `revision`: of the registry. */
export type WriteRow = (
  change: RowChange,
  who: { readonly actor: string; readonly reason: string },
) => Promise<{ readonly kind: 'written'; readonly revision: number } | { readonly kind: 'conflict' }>;

/** A fact for the audit trail that is no change of the registry (a trip, a rejected row). */
export interface AuditFact {
  /** A UUID: written twice, it is there once. */
  readonly id: string;
  readonly extension_id: string;
  readonly action: string;
  readonly new_values: JsonObject;
  readonly changed_by: string;
  readonly reason: string | null;
  /** Epoch milliseconds when it happened. */
  readonly at_ms: number;
}

/** Rejects while the database is away; nothing was written then, or the answer was lost, and they can be written again. */
export type WriteAudit = (facts: readonly AuditFact[]) => Promise<void>;

/** What the audit trail has of one extension from a time on (epoch ms), the newest `limit`, oldest first. Rejects while the database is away. */
export type ReadMarks = (extensionId: string, sinceMs: number, limit: number) => Promise<readonly HistoryMark[]>;

/** Cold; it never errors: it retries. The first update is a snapshot. */
export type RegistryFeed = Observable<RegistryUpdate>;

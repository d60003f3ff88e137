// What the daemon publishes when something happened: the body of `<prefix>.event.<kind>.<extension_id>`.
import type { JsonObject } from './extension.js';

export const EVENT_KINDS = [
  'circuit_opened',
  'circuit_half_opened',
  'circuit_closed',
  'circuit_would_open',
  'high_failure_count',
  'high_failure_rate',
  'auto_disabled',
  'auto_enabled',
  'version_opened',
  'instance_ejected',
  'instance_returned',
  'registry_row_rejected',
  'registry_history_changed',
  'mass_removal_held',
  'mass_failure',
  'mass_failure_ended',
  'overload',
  'overload_ended',
  'actor_failed',
  'verb_void',
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

/** The numbers a verdict rests on: from the decision window, for `high_failure_rate` from the health window. */
export interface Evidence {
  readonly failures: number;
  readonly outcomes: number;
  /** Failures that are successes slower than `slow_call_ms`. */
  readonly slow: number;
  /** Attempts in flight for too long in view of its latencies; each counts as one that failed. */
  readonly overdue: number;
  /** (failures + overdue) / (outcomes + overdue), 0..1; null without any. */
  readonly error_rate: number | null;
  readonly window_seconds: number;
  /** ISO 8601, wall clock; null without a failure in the window; the health window knows no first one. */
  readonly first_failure: string | null;
  readonly last_failure: string | null;
}

export interface RegistryEvent {
  readonly event: EventKind;
  /** `_` for what concerns no single extension. */
  readonly extension_id: string;
  readonly version?: string;
  readonly instance_id?: string;
  /** ISO 8601, wall clock. */
  readonly at: string;
  readonly revision?: number;
  readonly reason?: string;
  readonly evidence?: Evidence;
  readonly health?: JsonObject;
  /** Who did it: `system:breaker`, `system:auto-manager`, an operator's name, `db:<user>`. */
  readonly actor: string;
}

// What the actors offer to the metrics page, as types.
import type { Outcome } from '../../domain/breaker/outcome.js';
import type { TripReason } from '../../domain/breaker/trip.js';
import type { Counters } from '../../domain/health/counters.js';
import type { DurationBuckets } from '../../domain/health/duration-buckets.js';
import type { BreakerOverride } from '../../domain/registry/extension.js';
import type { Why } from '../../domain/routing/routing-table.js';

/** One extension's numbers for the metrics page; counters only grow while the process lives. */
export interface ExtensionSample {
  readonly extension_id: string;
  /** 0 closed, 1 open, 2 half-open; isolated counts as 1, forced closed as 0. */
  readonly state: 0 | 1 | 2;
  /** These three count for all versions, deleted ones included. */
  readonly failures_total: number;
  /** Times a breaker closed after having been open. */
  readonly recoveries_total: number;
  /** Times one opened, re-opening from half-open included. */
  readonly trips_total: number;
  /** The same by version; none if there is only one. */
  readonly version_counts: readonly ({ readonly version: string } & Readonly<Counters>)[];
  /** Health window; null without calls. */
  readonly success_rate: number | null;
  readonly avg_latency_ms: number | null;
  readonly auto_disabled: boolean;
  readonly in_flight: number;
  /** Epoch seconds; null without one. */
  readonly last_failure_timestamp_seconds: number | null;
  /** Of the default version. */
  readonly override: BreakerOverride | null;
  /** Why the default version's breaker opened last; null: not in this process. */
  readonly last_trip: { readonly reason: TripReason; readonly failures: number } | null;
  /** Probes of the default version in flight. */
  readonly probes: number;
  /** Attempts in the health window. */
  readonly outcomes: number;
  /** Of the health window, by quantile; none without calls. */
  readonly latency_seconds: readonly (readonly [quantile: '0.5' | '0.95' | '0.99', seconds: number])[];
  /** Invocations answered, by result: `ok`, or the error code they were refused with. */
  readonly invocations: Iterable<readonly [string, DurationBuckets]>;
  /** Of each version and outcome that there was. */
  readonly attempts: readonly {
    readonly version: string;
    readonly outcome: 'success' | 'failure';
    readonly durations: DurationBuckets;
  }[];
  /** null before the first invocation. */
  readonly calls: {
    readonly permits_refused: number;
    readonly retries: number;
    readonly retries_denied: number;
    readonly retry_budget: number;
  } | null;
  /** null without instances. */
  readonly instances: { readonly ejections: number; readonly ejected: number } | null;
  /** Active checks that got a permit and have ended, by outcome. */
  readonly health_checks: Iterable<readonly [Outcome, number]>;
  /** Calls that an extension of `policy.fallback` took in its place, by that one's id. */
  readonly fallbacks: Iterable<readonly [string, number]>;
  /** Calls by the version that took them and what made it take them. */
  readonly routed: readonly { readonly version: string; readonly by: Why; readonly calls: number }[];
  /** State of every target that is not the default one, by version. */
  readonly versions: readonly { readonly version: string; readonly state: 0 | 1 | 2 }[];
}

export interface MetricsSource {
  extensions(): Iterable<ExtensionSample>;
  /** extension_health_auto_disabled_total. */
  autoDisabledTotal(): number;
}

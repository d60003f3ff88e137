// The table of metrics that each extension has; that of the daemon is in metrics.ts, with the rules that hold for both.
import type { Metric } from './metrics.js';

/** One series (or one per further label) for each extension. */
export const EXTENSION_METRICS = {
  extension_circuit_breaker_state: {
    type: 'gauge',
    help: "Breaker of the extension's default version: 0 closed, 1 open (or isolated), 2 half-open.",
    labels: ['extension_id'],
  },
  extension_version_circuit_breaker_state: {
    type: 'gauge',
    help: 'Breaker of every other version: 0 closed, 1 open (or isolated), 2 half-open.',
    labels: ['extension_id', 'version'],
  },
  extension_circuit_breaker_failures_total: {
    type: 'counter',
    help: 'Attempts that counted as failures, of all versions.',
    labels: ['extension_id'],
  },
  extension_circuit_breaker_trips_total: {
    type: 'counter',
    help: 'Times a breaker opened, re-opening from half-open included, of all versions.',
    labels: ['extension_id'],
  },
  extension_circuit_breaker_recoveries_total: {
    type: 'counter',
    help: 'Times a breaker closed after having been open, of all versions.',
    labels: ['extension_id'],
  },
  extension_version_circuit_breaker_failures_total: {
    type: 'counter',
    help: 'Attempts that counted as failures, by version, for extensions with several.',
    labels: ['extension_id', 'version'],
  },
  extension_version_circuit_breaker_trips_total: {
    type: 'counter',
    help: 'Times the breaker of a version opened, for extensions with several.',
    labels: ['extension_id', 'version'],
  },
  extension_version_circuit_breaker_recoveries_total: {
    type: 'counter',
    help: 'Times the breaker of a version closed after having been open, for extensions with several.',
    labels: ['extension_id', 'version'],
  },
  extension_health_success_rate: {
    type: 'gauge',
    help: 'Share of successful attempts in the health window (5 minutes), 0 to 1; NaN without any.',
    labels: ['extension_id'],
  },
  extension_health_avg_latency_ms: {
    type: 'gauge',
    help: 'Mean latency in the health window, in milliseconds; NaN without any attempt.',
    labels: ['extension_id'],
  },
  extension_auto_disabled: {
    type: 'gauge',
    help: '1 while the extension is disabled automatically.',
    labels: ['extension_id'],
  },
  extension_in_flight: { type: 'gauge', help: 'Calls in flight.', labels: ['extension_id'] },
  extension_last_failure_timestamp_seconds: {
    type: 'gauge',
    help: 'When an attempt failed last, in Unix time; NaN if none is known.',
    labels: ['extension_id'],
  },
  extension_invocations_total: {
    type: 'counter',
    help: 'Invocations answered, by result: ok, or the code of the error.',
    labels: ['extension_id', 'result'],
  },
  extension_invocation_duration_seconds: {
    type: 'histogram',
    help: 'Whole time of an invocation in the daemon, retries included, by result; refusals are in it. No series before the first.',
    labels: ['extension_id', 'result'],
  },
  extension_version_calls_total: {
    type: 'counter',
    help: 'Calls of a version, by what routed them there: rules, rollout, default, stand_in, fallback.',
    labels: ['extension_id', 'version', 'by'],
  },
  extension_fallbacks_total: {
    type: 'counter',
    help: 'Calls of an extension that another one served as its fallback (policy.fallback).',
    labels: ['extension_id', 'fallback'],
  },
  extension_health_checks_total: {
    type: 'counter',
    help: 'Active checks that got a permit and have ended, by result: success, failure, neutral.',
    labels: ['extension_id', 'result'],
  },
  extension_attempt_duration_seconds: {
    type: 'histogram',
    help: 'Time of one attempt, by its outcome (success, failure): judge the latency of an extension by it. No series before the first.',
    labels: ['extension_id', 'version', 'outcome'],
  },
  extension_circuit_breaker_last_trip_failures: {
    type: 'gauge',
    help: 'Failures, overdue attempts included, for which the breaker of the default version opened last, and why; no series before.',
    labels: ['extension_id', 'reason'],
  },
  extension_breaker_override: {
    type: 'gauge',
    help: '1 while an operator overrides the breaker of the default version: isolated, forced_closed.',
    labels: ['extension_id', 'override'],
  },
  extension_half_open_permits_in_use: {
    type: 'gauge',
    help: 'Probes in flight of the default version; no series while its breaker is closed.',
    labels: ['extension_id'],
  },
  extension_permits_refused_total: {
    type: 'counter',
    help: 'Attempts that got no permit or no instance, of all versions; no series before the first invocation.',
    labels: ['extension_id'],
  },
  extension_health_outcomes: {
    type: 'gauge',
    help: 'Attempts in the health window (5 minutes) that succeeded or failed.',
    labels: ['extension_id'],
  },
  extension_health_latency_seconds: {
    type: 'summary',
    help: 'Latency of the attempts in the health window: 50th, 95th and 99th percentile; no series without any.',
    labels: ['extension_id'],
  },
  extension_retries_total: {
    type: 'counter',
    help: 'Retries that were scheduled; no series before the first invocation.',
    labels: ['extension_id'],
  },
  extension_retries_denied_total: {
    type: 'counter',
    help: 'Retries that the retry budget did not grant; no series before the first invocation.',
    labels: ['extension_id'],
  },
  extension_retry_budget_available: {
    type: 'gauge',
    help: 'Retries that the budget would grant now; no series before the first invocation.',
    labels: ['extension_id'],
  },
  extension_ejections_total: {
    type: 'counter',
    help: 'Times an instance left rotation; no series without instances.',
    labels: ['extension_id'],
  },
  extension_ejected_instances: {
    type: 'gauge',
    help: 'Subjects of instances that are out of rotation; no series without instances.',
    labels: ['extension_id'],
  },
} as const satisfies Record<string, Metric>;

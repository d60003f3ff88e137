// The one table of metrics: writers of samples take name, type and labels from here, and docs/metrics.md is
// compared with it by a test.
//
// METRICS-1. Names of the specification keep their spelling; new ones are in base units (seconds, bytes, ratios).
// METRICS-2. Labels are bounded: ids and versions of the registry and fixed words, never a tenant, a request or a subject.
// METRICS-3. A counter only grows while the process lives.

export interface Metric {
  readonly type: 'gauge' | 'counter' | 'histogram';
  readonly help: string;
  readonly labels: readonly string[];
}

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
    help: 'Whole time of an invocation in the daemon, retries included; no series before the first.',
    labels: ['extension_id'],
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
} as const satisfies Record<string, Metric>;

/** Of the daemon as a whole. */
export const DAEMON_METRICS = {
  extension_health_auto_disabled_total: {
    type: 'counter',
    help: 'Times an extension was disabled automatically.',
    labels: [],
  },
  extension_registry_ready: { type: 'gauge', help: '1 while /readyz is 200.', labels: [] },
  extension_registry_nats_connected: { type: 'gauge', help: '1 while connected to NATS.', labels: [] },
  extension_registry_database_connected: { type: 'gauge', help: '1 while the database answers.', labels: [] },
  extension_registry_revision: { type: 'gauge', help: 'Revision of the registry that is in force.', labels: [] },
  extension_registry_history_changes_total: {
    type: 'counter',
    help: 'Times the registry did not continue the revision in force: restored, replaced, or its number rewritten.',
    labels: [],
  },
  extension_registry_extensions: {
    type: 'gauge',
    help: 'Extensions by state: total, enabled, healthy, unhealthy.',
    labels: ['state'],
  },
  extension_registry_avg_success_rate: {
    type: 'gauge',
    help: 'Mean success rate of the extensions with calls, 0 to 1, as of the last minute; NaN without any.',
    labels: [],
  },
  extension_registry_avg_latency_seconds: {
    type: 'gauge',
    help: 'Mean of their mean latencies, as of the last minute; NaN without any.',
    labels: [],
  },
  extension_registry_avg_p95_latency_seconds: {
    type: 'gauge',
    help: 'Mean of their 95th percentiles, as of the last minute; NaN without any.',
    labels: [],
  },
  extension_registry_mass_failure: {
    type: 'gauge',
    help: '1 during a mass failure: so many extensions fail that none is disabled automatically.',
    labels: [],
  },
  extension_registry_overloaded: {
    type: 'gauge',
    help: '1 from the first call that admission refuses until ten seconds after the last one.',
    labels: [],
  },
  extension_registry_admission_refused_total: {
    type: 'counter',
    help: 'Calls refused by admission, because more arrived than the daemon could serve.',
    labels: [],
  },
  extension_registry_admission_refused_ratio: {
    type: 'gauge',
    help: 'Share of the calls of the last second that admission refused, 0 to 1.',
    labels: [],
  },
  extension_registry_queue_delay_seconds: {
    type: 'gauge',
    help: 'How long a call waits for the daemon, as measured within the last second; 0 without calls, NaN with `admission` off.',
    labels: [],
  },
  extension_registry_in_flight: { type: 'gauge', help: 'Calls in flight, of all extensions.', labels: [] },
  extension_registry_requests_total: {
    type: 'counter',
    help: 'Requests accepted: each gets one answer.',
    labels: [],
  },
  extension_registry_errors_total: {
    type: 'counter',
    help: 'Answers that were errors of the daemon, by code, calls of unknown extensions included.',
    labels: ['code'],
  },
  extension_registry_requests_not_accepted_total: {
    type: 'counter',
    help: 'Requests that got no answer, because their reply subject is missing or not allowed.',
    labels: [],
  },
  extension_registry_replies_owed: {
    type: 'gauge',
    help: 'Replies that wait for the connection to NATS to be restored.',
    labels: [],
  },
  extension_registry_replies_dropped_total: {
    type: 'counter',
    help: 'Replies that could not be sent before their deadline.',
    labels: [],
  },
  extension_registry_events_dropped_total: {
    type: 'counter',
    help: 'Events that were not published, because there was no connection.',
    labels: [],
  },
  extension_registry_webhooks_waiting: {
    type: 'gauge',
    help: 'Notices waiting for their turn at a receiver.',
    labels: [],
  },
  extension_registry_webhooks_delivered_total: {
    type: 'counter',
    help: 'Notices that a receiver answered with 2xx.',
    labels: [],
  },
  extension_registry_webhooks_failed_total: {
    type: 'counter',
    help: 'Notices that failed: refused by their receiver, or not delivered by the last retry.',
    labels: [],
  },
  extension_registry_webhooks_dropped_total: {
    type: 'counter',
    help: 'Notices lost because too many waited for a receiver, or because the daemon ended.',
    labels: [],
  },
  extension_registry_auto_changes_owed: {
    type: 'gauge',
    help: 'Automatic disables and enables waiting to be written.',
    labels: [],
  },
  extension_registry_verbs_owed: {
    type: 'gauge',
    help: "Operators' verbs that are in force and waiting to be written.",
    labels: [],
  },
  extension_registry_audit_facts_owed: {
    type: 'gauge',
    help: 'Audit records waiting to be written.',
    labels: [],
  },
  extension_registry_audit_facts_dropped_total: {
    type: 'counter',
    help: 'Audit records that were dropped, because too many were pending.',
    labels: [],
  },
  extension_registry_health_rows_dropped_total: {
    type: 'counter',
    help: 'Rows of measured health that the database refused.',
    labels: [],
  },
  extension_registry_loop_delay_seconds: {
    type: 'histogram',
    help: 'By how much a timer of 50 ms came late: how long whatever arrives waits for the event loop.',
    labels: [],
  },
} as const satisfies Record<string, Metric>;

type DaemonMetrics = typeof DAEMON_METRICS;

/** Of durations, in the buckets of duration-buckets.ts. */
export interface HistogramNumbers {
  /** A count per bound and the total last. */
  readonly cumulative: readonly number[];
  readonly sumSeconds: number;
}

type NumbersOf<M extends Metric> = M['type'] extends 'histogram'
  ? HistogramNumbers
  : M['labels'] extends readonly []
    ? number
    : Readonly<Record<string, number>>;

/** A value for every metric of the daemon; by the label's value if it has one. */
export type DaemonNumbers = {
  readonly [K in Exclude<keyof DaemonMetrics, 'extension_health_auto_disabled_total'>]: NumbersOf<DaemonMetrics[K]>;
};

// The table of metrics of the daemon, beside that of extensions (extension-metrics.ts): writers of samples take name, type and
// labels from here, and docs/metrics.md is compared with both by a test.
//
// METRICS-1. Names of the specification keep their spelling; new ones are in base units (seconds, bytes, ratios).
// METRICS-2. Labels are bounded: ids and versions of the registry and fixed words, never a tenant, a request or a subject.
// METRICS-3. A counter only grows while the process lives.

export interface Metric {
  readonly type: 'gauge' | 'counter' | 'histogram' | 'summary';
  readonly help: string;
  readonly labels: readonly string[];
}

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
  extension_registry_fleet_replicas: {
    type: 'gauge',
    help: 'Replicas of the fleet that are live as this one hears it, itself included; 1: it is alone.',
    labels: [],
  },
  extension_registry_fleet_messages_dropped_total: {
    type: 'counter',
    help: 'Messages on the subjects of the fleet that were no heartbeats, or of more replicas than are counted.',
    labels: [],
  },
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
  extension_registry_min_success_rate: {
    type: 'gauge',
    help: 'The setting `health_based_routing_min_success_rate`, 0 to 1: rules compare with it.',
    labels: [],
  },
  extension_registry_lag_seconds: {
    type: 'gauge',
    help: 'Time since the registry was last compared with the database; NaN before the first time.',
    labels: [],
  },
  extension_registry_health_flush_lag_seconds: {
    type: 'gauge',
    help: 'Time since a flush of health counters began that wrote all that was pending; about a second while the database answers.',
    labels: [],
  },
  extension_registry_health_flush_pending: {
    type: 'gauge',
    help: 'Extensions of which the next flush may write something.',
    labels: [],
  },
  extension_registry_event_streams: {
    type: 'gauge',
    help: 'Open event streams of the admin API.',
    labels: [],
  },
  extension_registry_inspector_viewers: {
    type: 'gauge',
    help: 'Connected viewers of live statecharts.',
    labels: [],
  },
  extension_registry_metrics_series: {
    type: 'gauge',
    help: 'Series of extensions on this page.',
    labels: [],
  },
  extension_registry_metrics_series_dropped_total: {
    type: 'counter',
    help: 'Series left out of all pages so far, because of `metrics_series_max`.',
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

/** What the page counts itself, or has from the extensions. */
type OfThePage =
  | 'extension_health_auto_disabled_total'
  | 'extension_registry_metrics_series'
  | 'extension_registry_metrics_series_dropped_total';

/** A value for every other metric of the daemon; by the label's value if it has one. */
export type DaemonNumbers = {
  readonly [K in Exclude<keyof DaemonMetrics, OfThePage>]: NumbersOf<DaemonMetrics[K]>;
};

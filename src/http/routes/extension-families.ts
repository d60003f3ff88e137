// How one extension's series of each family of the metrics page are written.
import type { ExtensionSample } from '../../actors/ports/metrics.js';
import { DURATION_BOUNDS_SECONDS, type DurationBuckets } from '../../domain/health/duration-buckets.js';
import { EXTENSION_METRICS } from '../../telemetry/extension-metrics.js';
import type { Metric } from '../../telemetry/metrics.js';
import { histogramLines, labelSet, sampleLine } from '../../telemetry/metrics-text.js';

type ExtensionMetric = keyof typeof EXTENSION_METRICS;
/** `id`: the label set of the extension alone, made once for all families. */
type Write = (sample: ExtensionSample, id: string) => string;
/** The values of the labels after `extension_id`, and the number. */
type Line = readonly [...labels: string[], value: number];

/** One line for each of what `read` returns. */
const lines =
  (name: ExtensionMetric, read: (sample: ExtensionSample) => Iterable<Line>, names?: readonly string[]): Write =>
  (sample) => {
    const labelNames = names ?? EXTENSION_METRICS[name].labels;
    let text = '';
    for (const line of read(sample)) {
      const labels = [sample.extension_id, ...(line.slice(0, -1) as string[])];
      text += sampleLine(name, labelSet(labelNames, labels), line.at(-1) as number);
    }
    return text;
  };

/** One line. */
const single =
  (name: ExtensionMetric, read: (sample: ExtensionSample) => number): Write =>
  (sample, id) =>
    sampleLine(name, id, read(sample));

/** One line, or none for undefined. */
const optional =
  (name: ExtensionMetric, read: (sample: ExtensionSample) => number | undefined): Write =>
  (sample, id) => {
    const value = read(sample);
    return value === undefined ? '' : sampleLine(name, id, value);
  };

function histogram(name: ExtensionMetric, values: readonly string[], durations: DurationBuckets): string {
  const labels = labelSet(EXTENSION_METRICS[name].labels, values);
  return histogramLines(name, labels, DURATION_BOUNDS_SECONDS, durations.cumulative(), durations.sumSeconds);
}

const perVersion = (name: ExtensionMetric, read: (one: ExtensionSample['version_counts'][number]) => number): Write =>
  lines(name, (s) => s.version_counts.map((one) => [one.version, read(one)] as const));

const OVERRIDES = ['isolated', 'forced_closed'] as const;

const NAMED: Readonly<Record<ExtensionMetric, (name: ExtensionMetric) => Write>> = {
  extension_circuit_breaker_state: (name) => single(name, (s) => s.state),
  extension_version_circuit_breaker_state: (name) =>
    lines(name, (s) => s.versions.map(({ version, state }) => [version, state] as const)),
  extension_circuit_breaker_failures_total: (name) => single(name, (s) => s.failures_total),
  extension_circuit_breaker_trips_total: (name) => single(name, (s) => s.trips_total),
  extension_circuit_breaker_recoveries_total: (name) => single(name, (s) => s.recoveries_total),
  extension_version_circuit_breaker_failures_total: (name) => perVersion(name, (one) => one.failures),
  extension_version_circuit_breaker_trips_total: (name) => perVersion(name, (one) => one.trips),
  extension_version_circuit_breaker_recoveries_total: (name) => perVersion(name, (one) => one.recoveries),
  extension_health_success_rate: (name) => single(name, (s) => s.success_rate ?? Number.NaN),
  extension_health_avg_latency_ms: (name) => single(name, (s) => s.avg_latency_ms ?? Number.NaN),
  extension_auto_disabled: (name) => single(name, (s) => (s.auto_disabled ? 1 : 0)),
  extension_in_flight: (name) => single(name, (s) => s.in_flight),
  extension_last_failure_timestamp_seconds: (name) =>
    single(name, (s) => s.last_failure_timestamp_seconds ?? Number.NaN),
  extension_invocations_total: (name) =>
    lines(name, (s) => Array.from(s.invocations, ([result, { count }]) => [result, count] as const)),
  extension_invocation_duration_seconds: (name) => (s) =>
    Array.from(s.invocations, ([result, durations]) => histogram(name, [s.extension_id, result], durations)).join(''),
  extension_version_calls_total: (name) =>
    lines(name, (s) => s.routed.map(({ version, by, calls }) => [version, by, calls] as const)),
  extension_fallbacks_total: (name) => lines(name, (s) => s.fallbacks),
  extension_health_checks_total: (name) => lines(name, (s) => s.health_checks),
  extension_attempt_duration_seconds: (name) => (s) =>
    Array.from(s.attempts, ({ version, outcome, durations }) =>
      histogram(name, [s.extension_id, version, outcome], durations),
    ).join(''),
  extension_circuit_breaker_last_trip_failures: (name) =>
    lines(name, ({ last_trip: trip }) => (trip === null ? [] : [[trip.reason, trip.failures]])),
  extension_breaker_override: (name) =>
    lines(name, (s) => OVERRIDES.map((override) => [override, s.override === override ? 1 : 0] as const)),
  extension_half_open_permits_in_use: (name) => optional(name, (s) => (s.state === 0 ? undefined : s.probes)),
  extension_permits_refused_total: (name) => optional(name, (s) => s.calls?.permits_refused),
  extension_health_outcomes: (name) => single(name, (s) => s.outcomes),
  extension_health_latency_seconds: (name) => lines(name, (s) => s.latency_seconds, ['extension_id', 'quantile']),
  extension_retries_total: (name) => optional(name, (s) => s.calls?.retries),
  extension_retries_denied_total: (name) => optional(name, (s) => s.calls?.retries_denied),
  extension_retry_budget_available: (name) => optional(name, (s) => s.calls?.retry_budget),
  extension_ejections_total: (name) => optional(name, (s) => s.instances?.ejections),
  extension_ejected_instances: (name) => optional(name, (s) => s.instances?.ejected),
};

/** In the order of the page. */
export const FAMILY_NAMES = Object.keys(NAMED) as ExtensionMetric[];
const WRITERS = FAMILY_NAMES.map((name) => NAMED[name](name));

/** Lists of a sample that are as long as the extension has versions; what is written of them has the label `version`. */
const LISTS = ['attempts', 'routed', 'version_counts', 'versions'] as const satisfies (keyof ExtensionSample)[];
/** Entries of each list in one part: some 60 KB of text. */
const ENTRIES_AT_A_TIME = 20;
/** Families that are written of them. */
const writesLists = FAMILY_NAMES.map((name) => (EXTENSION_METRICS[name] as Metric).labels.includes('version'));

/** The series of one extension in parts, each with a text for each of FAMILY_NAMES; '' where it has none. Nearly all have one part. */
export function* partsOf(sample: ExtensionSample): Generator<string[]> {
  const longest = Math.max(...LISTS.map((list) => sample[list].length));
  const id = labelSet(['extension_id'], [sample.extension_id]);
  if (longest <= ENTRIES_AT_A_TIME) {
    yield WRITERS.map((write) => write(sample, id));
    return;
  }
  for (let from = 0; from < longest; from += ENTRIES_AT_A_TIME) {
    const part = slice(sample, from);
    // What is not of these lists is in the first part.
    yield WRITERS.map((write, i) => (from === 0 || writesLists[i] === true ? write(part, id) : ''));
  }
}

function slice(sample: ExtensionSample, from: number): ExtensionSample {
  const lists = LISTS.map((list) => [list, sample[list].slice(from, from + ENTRIES_AT_A_TIME)]);
  return { ...sample, ...(Object.fromEntries(lists) as Pick<ExtensionSample, (typeof LISTS)[number]>) };
}

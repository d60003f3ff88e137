// `/metrics`: every series of telemetry/metrics.ts, in chunks.
//
// METRICS-PAGE-1. However many extensions there are, the event loop is never held for longer than one chunk.
// METRICS-PAGE-2. The series of one family stand together, as the format demands; a scrape is one reading of every extension.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { ExtensionSample, MetricsSource } from '../../actors/ports/api.js';
import { DURATION_BOUNDS_SECONDS } from '../../domain/health/duration-buckets.js';
import {
  DAEMON_METRICS,
  type DaemonNumbers,
  EXTENSION_METRICS,
  type HistogramNumbers,
  type Metric,
} from '../../telemetry/metrics.js';
import { familyHeader, histogramLines, labelSet, sampleLine } from '../../telemetry/metrics-text.js';
import { observeProcess } from '../../telemetry/process-metrics.js';

/** One scrape: the text of the page, piece by piece. */
export type MetricsPage = () => AsyncIterable<string>;

const EXTENSIONS_PER_CHUNK = 500;
/** Reading one costs ten times what writing a line of it does. */
const READ_AT_A_TIME = 50;

export function createMetricsPage(source: MetricsSource, daemon: () => DaemonNumbers): MetricsPage {
  const processMetrics = observeProcess();
  return async function* page() {
    yield daemonText({ ...daemon(), extension_health_auto_disabled_total: source.autoDisabledTotal() });
    const samples = await readSamples(source);
    for (const [name, write] of Object.entries(WRITERS)) {
      yield familyHeader(name, EXTENSION_METRICS[name as ExtensionMetric]);
      for (let start = 0; start < samples.length; start += EXTENSIONS_PER_CHUNK) {
        let text = '';
        for (const sample of samples.slice(start, start + EXTENSIONS_PER_CHUNK)) text += write(sample);
        if (text !== '') yield text;
        await nextTurn();
      }
    }
    yield await processMetrics();
  };
}

async function readSamples(source: MetricsSource): Promise<ExtensionSample[]> {
  const samples: ExtensionSample[] = [];
  for (const sample of source.extensions()) {
    samples.push(sample);
    if (samples.length % READ_AT_A_TIME === 0) await nextTurn();
  }
  return samples;
}

type DaemonNumber = number | Readonly<Record<string, number>> | HistogramNumbers;

function daemonText(numbers: Readonly<Record<keyof typeof DAEMON_METRICS, DaemonNumber>>) {
  let text = '';
  for (const [name, metric] of Object.entries(DAEMON_METRICS) as [keyof typeof DAEMON_METRICS, Metric][]) {
    const value = numbers[name];
    text += familyHeader(name, metric);
    if (typeof value === 'number') text += sampleLine(name, '', value);
    else if (isHistogram(value))
      text += histogramLines(name, '', DURATION_BOUNDS_SECONDS, value.cumulative, value.sumSeconds);
    else
      for (const [label, one] of Object.entries(value)) text += sampleLine(name, labelSet(metric.labels, [label]), one);
  }
  return text;
}

const isHistogram = (value: DaemonNumber): value is HistogramNumbers =>
  typeof value === 'object' && Array.isArray(value.cumulative);

type ExtensionMetric = keyof typeof EXTENSION_METRICS;

const single =
  (name: ExtensionMetric, read: (sample: ExtensionSample) => number) =>
  (sample: ExtensionSample): string =>
    sampleLine(name, labelSet(['extension_id'], [sample.extension_id]), read(sample));

const perResult =
  (name: ExtensionMetric, read: (sample: ExtensionSample) => Iterable<readonly [string, number]>) =>
  (sample: ExtensionSample): string => {
    let text = '';
    for (const [result, count] of read(sample))
      text += sampleLine(name, labelSet(['extension_id', 'result'], [sample.extension_id, result]), count);
    return text;
  };

const perVersion =
  (name: ExtensionMetric, read: (one: ExtensionSample['version_counts'][number]) => number) =>
  ({ extension_id, version_counts }: ExtensionSample): string =>
    version_counts
      .map((one) => sampleLine(name, labelSet(['extension_id', 'version'], [extension_id, one.version]), read(one)))
      .join('');

/** How one extension's series of each family are written. */
const WRITERS: Readonly<Record<ExtensionMetric, (sample: ExtensionSample) => string>> = {
  extension_circuit_breaker_state: single('extension_circuit_breaker_state', (s) => s.state),
  extension_version_circuit_breaker_state: (s) =>
    s.versions
      .map(({ version, state }) =>
        sampleLine(
          'extension_version_circuit_breaker_state',
          labelSet(EXTENSION_METRICS.extension_version_circuit_breaker_state.labels, [s.extension_id, version]),
          state,
        ),
      )
      .join(''),
  extension_circuit_breaker_failures_total: single('extension_circuit_breaker_failures_total', (s) => s.failures_total),
  extension_circuit_breaker_trips_total: single('extension_circuit_breaker_trips_total', (s) => s.trips_total),
  extension_circuit_breaker_recoveries_total: single(
    'extension_circuit_breaker_recoveries_total',
    (s) => s.recoveries_total,
  ),
  extension_version_circuit_breaker_failures_total: perVersion(
    'extension_version_circuit_breaker_failures_total',
    (one) => one.failures,
  ),
  extension_version_circuit_breaker_trips_total: perVersion(
    'extension_version_circuit_breaker_trips_total',
    (one) => one.trips,
  ),
  extension_version_circuit_breaker_recoveries_total: perVersion(
    'extension_version_circuit_breaker_recoveries_total',
    (one) => one.recoveries,
  ),
  extension_health_success_rate: single('extension_health_success_rate', (s) => s.success_rate ?? Number.NaN),
  extension_health_avg_latency_ms: single('extension_health_avg_latency_ms', (s) => s.avg_latency_ms ?? Number.NaN),
  extension_auto_disabled: single('extension_auto_disabled', (s) => (s.auto_disabled ? 1 : 0)),
  extension_in_flight: single('extension_in_flight', (s) => s.in_flight),
  extension_last_failure_timestamp_seconds: single(
    'extension_last_failure_timestamp_seconds',
    (s) => s.last_failure_timestamp_seconds ?? Number.NaN,
  ),
  extension_invocations_total: perResult('extension_invocations_total', (s) => s.invocations),
  extension_invocation_duration_seconds: (s) =>
    (s.duration_buckets.at(-1) ?? 0) === 0
      ? ''
      : histogramLines(
          'extension_invocation_duration_seconds',
          labelSet(['extension_id'], [s.extension_id]),
          DURATION_BOUNDS_SECONDS,
          s.duration_buckets,
          s.duration_sum_seconds,
        ),
  extension_version_calls_total: (s) =>
    s.routed
      .map(({ version, by, calls }) =>
        sampleLine(
          'extension_version_calls_total',
          labelSet(EXTENSION_METRICS.extension_version_calls_total.labels, [s.extension_id, version, by]),
          calls,
        ),
      )
      .join(''),
  extension_fallbacks_total: (s) =>
    [...s.fallbacks]
      .map(([fallback, calls]) =>
        sampleLine(
          'extension_fallbacks_total',
          labelSet(EXTENSION_METRICS.extension_fallbacks_total.labels, [s.extension_id, fallback]),
          calls,
        ),
      )
      .join(''),
  extension_health_checks_total: perResult('extension_health_checks_total', (s) => s.health_checks),
};

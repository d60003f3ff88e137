// Reads one extension's numbers for the metrics page. Some of what it returns are the live counters: of an extension of many versions they
// are read some turns later than the rest, and may have grown by then.
import type { HealthWindow } from '../../domain/health/health-window.js';
import { overrideOf } from '../../domain/registry/verbs.js';
import { WHYS } from '../../domain/routing/routing-table.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import type { ExtensionSample } from '../ports/metrics.js';
import type { Target } from '../target/target.js';

const STATE_NUMBERS = { closed: 0, open: 1, half_open: 2 } as const;

/** `nowMs` monotonic, `wallMs` the same moment in Unix time. */
export function sampleOf(runtime: ExtensionRuntime, nowMs: number, wallMs: number): ExtensionSample {
  const { stats, extension } = runtime;
  const target = runtime.defaultService?.target ?? null;
  const sum = stats.versions.sum();
  const lastFailureMs = target?.last.failureMs ?? null;
  return {
    extension_id: runtime.id,
    state: target === null ? 0 : STATE_NUMBERS[target.publishedState],
    override: target === null ? extension.breakerOverride : overrideOf(extension, target.version),
    last_trip: lastTripOf(target),
    probes: target?.probes ?? 0,
    failures_total: sum.failures,
    recoveries_total: sum.recoveries,
    trips_total: sum.trips,
    ...windowOf(target?.health.read(nowMs) ?? null),
    auto_disabled: extension.autoDisabled,
    in_flight: runtime.inFlight,
    last_failure_timestamp_seconds: lastFailureMs === null ? null : (wallMs - (nowMs - lastFailureMs)) / 1000,
    invocations: stats.results,
    calls: stats.results.size === 0 ? null : callsOf(runtime, nowMs),
    instances: extension.instances.length === 0 ? null : { ejections: stats.ejections, ejected: ejectedOf(runtime) },
    health_checks: stats.checks,
    fallbacks: stats.fallbacks,
    routed: [...stats.calls].flatMap(([version, counts]) =>
      WHYS.filter((by) => counts[by] > 0).map((by) => ({ version, by, calls: counts[by] })),
    ),
    ...versionsOf(runtime, target),
  };
}

function lastTripOf(target: Target | null): ExtensionSample['last_trip'] {
  const trip = target?.lastTrip ?? null;
  return trip === null ? null : { reason: trip.reason, failures: trip.evidence.failures + trip.evidence.overdue };
}

function windowOf(
  reading: ReturnType<HealthWindow['read']> | null,
): Pick<ExtensionSample, 'success_rate' | 'avg_latency_ms' | 'outcomes' | 'latency_seconds'> {
  if (reading === null || reading.samples === 0)
    return { success_rate: null, avg_latency_ms: null, outcomes: 0, latency_seconds: [] };
  const { successRate, avgMs, samples, p50Ms, p95Ms, p99Ms } = reading;
  return {
    success_rate: successRate,
    avg_latency_ms: avgMs,
    outcomes: samples,
    latency_seconds: [
      ['0.5', (p50Ms ?? Number.NaN) / 1000],
      ['0.95', (p95Ms ?? Number.NaN) / 1000],
      ['0.99', (p99Ms ?? Number.NaN) / 1000],
    ],
  };
}

function callsOf({ stats, retryBudget, retryPolicy }: ExtensionRuntime, nowMs: number): ExtensionSample['calls'] {
  return {
    permits_refused: stats.refusals,
    retries: stats.retries.granted,
    retries_denied: stats.retries.denied,
    retry_budget: retryBudget.available(nowMs, retryPolicy),
  };
}

function ejectedOf(runtime: ExtensionRuntime): number {
  let ejected = 0;
  for (const { target } of runtime.services) ejected += target.rotation.outCount;
  return ejected;
}

function versionsOf(
  { stats, services }: ExtensionRuntime,
  published: Target | null,
): Pick<ExtensionSample, 'version_counts' | 'versions' | 'attempts'> {
  const all = [...stats.versions.all];
  return {
    // Of a single version they would say the same once more.
    version_counts:
      all.length < 2 ? [] : all.map(({ version, counters }) => ({ version: version.version, ...counters })),
    versions: [...services]
      .filter((service) => service.target !== published)
      .map(({ version, target }) => ({ version: version.version, state: STATE_NUMBERS[target.publishedState] })),
    attempts: all.flatMap(({ version, attempts }) =>
      [...attempts].map(([outcome, durations]) => ({ version: version.version, outcome, durations })),
    ),
  };
}

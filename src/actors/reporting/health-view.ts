// Reads the runtimes for the health API and the metrics page. Reading takes no permit and changes no state.

import { MAX_REFUSED_ROWS } from '../../domain/health/health-report.js';
import type {
  ExtensionHealth,
  ExtensionRowHealth,
  InstanceHealth,
  RefusedRow,
  TargetHealth,
} from '../../domain/health/health-schema.js';
import { objectParts } from '../../domain/json-parts.js';
import type { Instance } from '../../domain/registry/extension.js';
import { type Refusal, refusedRow } from '../../domain/registry/refused-row.js';
import { overrideOf } from '../../domain/registry/verbs.js';
import { defaultVersion } from '../../domain/registry/version-choice.js';
import { publicEvidence } from '../events/notices.js';
import { PinnedTimes } from '../events/pinned-times.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import { statusOf, worstOf } from '../extension/instance-status.js';
import type { Clock, WallClock } from '../ports/clock.js';
import type { ExtensionSample, MetricsSource } from '../ports/metrics.js';
import type { Endpoint } from '../target/endpoint.js';
import type { Target } from '../target/target.js';
import { sampleOf } from './extension-sample.js';

/** Hundredths, as the columns of the registry have them; null stays null. */
const round = (value: number | null): number | null => (value === null ? null : Math.round(value * 100) / 100);

export class HealthView implements MetricsSource {
  readonly #times: PinnedTimes;

  constructor(
    private readonly deps: {
      readonly runtimes: ReadonlyMap<string, ExtensionRuntime>;
      readonly clock: Clock;
      readonly wall: WallClock;
      readonly autoDisabledTotal: () => number;
      readonly refusedRows: (extensionId?: string) => Iterable<Refusal>;
      /** Under it an instance is degraded. */
      readonly minSuccessRate: number;
      /** Calls that are refused, per second over ten seconds. */
      readonly refusedPerSecond: (runtime: ExtensionRuntime) => number;
    },
  ) {
    this.#times = new PinnedTimes(deps.clock, deps.wall);
  }

  /** The first `limit` rows that are not in force, and how many there are. */
  refusedRows(limit: number): { readonly rows: readonly RefusedRow[]; readonly total: number } {
    const refused = [...this.deps.refusedRows()];
    return { rows: refused.slice(0, limit).map(refusedRow), total: refused.length };
  }

  one(extensionId: string): ExtensionHealth | null {
    const runtime = this.deps.runtimes.get(extensionId);
    if (runtime === undefined) return null;
    return {
      ...this.#head(runtime),
      versions: [...this.#versions(runtime)],
      instances: [...this.#instances(runtime)],
    };
  }

  /** The JSON of one(). Versions and instances are read with their part, since there may be thousands. */
  parts(extensionId: string): Generator<string> | null {
    const runtime = this.deps.runtimes.get(extensionId);
    if (runtime === undefined) return null;
    return objectParts(this.#head(runtime), {
      versions: this.#versions(runtime),
      instances: this.#instances(runtime),
    });
  }

  #head(runtime: ExtensionRuntime): Omit<ExtensionHealth, 'versions' | 'instances'> {
    const facts = runtime.defaultService?.target.facts();
    const isOpen = facts?.state === 'open' && facts.openRemainingMs > 0;
    return {
      ...this.extension(runtime),
      opened_for_ms: round(facts?.openedAgoMs ?? null),
      open_remaining_ms: isOpen ? round(facts.openRemainingMs) : null,
      refused_per_second: round(this.deps.refusedPerSecond(runtime)) ?? 0,
      breaker_settings: runtime.breakerSettings,
      refused_rows: [...this.deps.refusedRows(runtime.id)].slice(0, MAX_REFUSED_ROWS).map(refusedRow),
    };
  }

  *#versions(runtime: ExtensionRuntime): Generator<ExtensionHealth['versions'][number]> {
    const { extension, defaultService: published } = runtime;
    for (const service of [...runtime.services])
      yield {
        version: service.version.version,
        enabled: true,
        default: service === published,
        override: overrideOf(extension, service.version.version),
        ...this.target(runtime, service.target),
      };
    // Nothing runs of these, and an operator who enables one should see its override.
    for (const { version, enabled } of extension.versions)
      if (!enabled && runtime.service(version) === null)
        yield {
          version,
          enabled: false,
          default: false,
          override: overrideOf(extension, version),
          ...NO_TARGET,
          ...lifetimeCounts(runtime, version),
        };
  }

  *#instances(runtime: ExtensionRuntime): Generator<InstanceHealth> {
    for (const instance of runtime.extension.instances) yield this.#instance(runtime, instance);
  }

  #instance(runtime: ExtensionRuntime, instance: Instance): InstanceHealth {
    const nowMs = this.deps.clock.now();
    const serving = runtime.servicesOf(instance);
    const endpoints = serving.map(({ target }) => target.rotation.at(instance.subject));
    const out = endpoints.filter((endpoint) => !endpoint.isInRotation);
    const reading = endpoints[0]?.health.read(nowMs);
    return {
      id: instance.id,
      version: serving.length === 1 ? (serving[0]?.version.version ?? null) : null,
      weight: instance.weight,
      enabled: instance.enabled,
      health_status: this.instanceStatus(runtime, instance),
      ejected_until: this.#ejectedUntil(out),
      success_rate: reading?.successRate ?? null,
      avg_latency_ms: round(reading?.avgMs ?? null),
      p50_latency_ms: round(reading?.p50Ms ?? null),
      p95_latency_ms: round(reading?.p95Ms ?? null),
      p99_latency_ms: round(reading?.p99Ms ?? null),
      latency_samples: reading?.samples ?? 0,
    };
  }

  instanceStatus(runtime: ExtensionRuntime, instance: Instance): InstanceHealth['health_status'] {
    const { clock, minSuccessRate } = this.deps;
    const nowMs = clock.now();
    const endpoints = runtime.servicesOf(instance).map(({ target }) => target.rotation.at(instance.subject));
    const status = worstOf(endpoints.map((endpoint) => statusOf(endpoint, instance.id, minSuccessRate, nowMs)));
    // If nothing is known here yet, the row may know more.
    return status === 'unknown' ? runtime.instanceStatuses.inRow(instance) : status;
  }

  #ejectedUntil(out: readonly Endpoint[]): string | null {
    const [last] = out.toSorted((a, b) => b.ejectedUntilMs - a.ejectedUntilMs);
    return last === undefined ? null : this.#times.at(last, 'ejected_until', last.ejectedUntilMs);
  }

  /** Health of one target; also what an event carries. */
  target(runtime: ExtensionRuntime, target: Target): TargetHealth {
    const { clock, wall } = this.deps;
    const nowMs = clock.now();
    const reading = target.health.read(nowMs);
    const facts = target.facts();
    const stored = runtime.stored.get(target.version);
    const { success_count, failure_count } = lifetimeCounts(runtime, target.version);
    const isOpen = facts.state === 'open';
    const at = (what: string, monotonicMs: number | null) => this.#times.at(target, what, monotonicMs);
    return {
      success_rate: reading.successRate,
      avg_latency_ms: round(reading.avgMs),
      p50_latency_ms: round(reading.p50Ms),
      p95_latency_ms: round(reading.p95Ms),
      p99_latency_ms: round(reading.p99Ms),
      last_latency_ms: round(target.last.latencyMs),
      latency_samples: reading.samples,
      success_count,
      failure_count,
      last_success: at('last_success', target.last.successMs) ?? stored?.last_success ?? null,
      last_failure: at('last_failure', target.last.failureMs) ?? stored?.last_failure ?? null,
      circuit_breaker_state: facts.state,
      circuit_breaker_opened_at: at('opened_at', facts.openedAgoMs === null ? null : nowMs - facts.openedAgoMs),
      circuit_breaker_open_until:
        isOpen && facts.openRemainingMs > 0 ? at('open_until', nowMs + facts.openRemainingMs) : null,
      circuit_breaker_trips: facts.trips,
      trip_reason: target.lastTrip?.reason ?? null,
      trip_evidence: target.lastTrip === null ? null : publicEvidence(target.lastTrip.evidence, clock, wall),
      half_open_requests_count: target.probes,
      recovering: target.mode === 'recovering',
    };
  }

  *extensions(): Iterable<ExtensionSample> {
    const { clock, wall, runtimes } = this.deps;
    for (const runtime of runtimes.values()) yield sampleOf(runtime, clock.now(), wall());
  }

  autoDisabledTotal(): number {
    return this.deps.autoDisabledTotal();
  }

  extension(runtime: ExtensionRuntime): ExtensionRowHealth {
    const { extension } = runtime;
    const target = runtime.defaultService?.target;
    return {
      id: runtime.id,
      type: extension.type,
      enabled: extension.enabled,
      auto_disabled: extension.autoDisabled,
      override: extension.breakerOverride,
      version: defaultVersion(extension)?.version ?? extension.version,
      health: target === undefined ? NO_TARGET : this.target(runtime, target),
    };
  }
}

/** Of a version, before this process and since; also of one that is disabled. */
function lifetimeCounts({ stats, stored }: ExtensionRuntime, version: string) {
  const known = stats.versions.get(version);
  const row = stored.get(version);
  return {
    success_count: known === null ? (row?.success_count ?? 0) : known.before.successes + known.counters.successes,
    failure_count: known === null ? (row?.failure_count ?? 0) : known.before.failures + known.counters.failures,
  };
}

/** Every version is disabled: nothing is measured. */
const NO_TARGET: TargetHealth = {
  success_rate: null,
  avg_latency_ms: null,
  p50_latency_ms: null,
  p95_latency_ms: null,
  p99_latency_ms: null,
  last_latency_ms: null,
  latency_samples: 0,
  success_count: 0,
  failure_count: 0,
  last_success: null,
  last_failure: null,
  circuit_breaker_state: 'closed',
  circuit_breaker_opened_at: null,
  circuit_breaker_open_until: null,
  circuit_breaker_trips: 0,
  trip_reason: null,
  trip_evidence: null,
  half_open_requests_count: 0,
  recovering: false,
};

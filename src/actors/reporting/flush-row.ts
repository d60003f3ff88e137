// The row of a health flush: what of a target is not in the database yet.
import type { Counters } from '../../domain/health/counters.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import type { Service } from '../extension/service.js';
import type { HealthFlushRow } from '../ports/storage.js';

/** What the row of a target holds already. */
export interface Flushed {
  epoch: number;
  /** Of an open breaker: other settings may have shortened it. */
  openUntilMs: number;
  /** Whether the row says so; null: this process has not written it yet. */
  autoDisabled: boolean | null;
  /** HEALTH-WRITER-4. When the window that the row shows is over, monotonic; null: it shows none. */
  windowOverMs: number | null;
}

/** How much of its counts. */
export type Counted = Pick<Counters, 'successes' | 'failures'>;

/** What of the target is pending; null: nothing changed since the last flush. */
export function flushRow(
  runtime: ExtensionRuntime,
  { target, version }: Service,
  hasEnded: boolean,
  before: Flushed & Counted,
  nowMs: number,
): HealthFlushRow | null {
  const successes = target.counters.successes - before.successes;
  const failures = target.counters.failures - before.failures;
  const facts = target.facts();
  const { autoDisabled } = runtime.extension;
  const isCopyTrue = before.autoDisabled === null || before.autoDisabled === autoDisabled;
  const { defaultService, publishedVersion } = runtime;
  const published = hasEnded
    ? defaultService === null && publishedVersion === version.version
    : defaultService?.target === target;
  // Another version is the default now: its facts take the place of this one's in the published row, or the other way round.
  const isInPlace = publishedVersion === null || published === (publishedVersion === version.version);
  const isSameTime = target.mode !== 'open' || target.openUntilMs === before.openUntilMs;
  const isSame = facts.epoch === before.epoch && isSameTime;
  const isOver = before.windowOverMs !== null && nowMs >= before.windowOverMs;
  if (successes + failures === 0 && (hasEnded || (isSame && isCopyTrue && isInPlace && !isOver))) return null;
  const reading = target.health.read(nowMs);
  const ago = (atMs: number | null): number | null => (atMs === null ? null : nowMs - atMs);
  return {
    extension_id: runtime.id,
    extension_uid: runtime.extension.uid ?? null,
    version_uid: version.uid ?? null,
    version: version.version,
    published,
    success_delta: successes,
    failure_delta: failures,
    last_success_ago_ms: ago(target.last.successMs),
    last_failure_ago_ms: ago(target.last.failureMs),
    last_latency_ms: target.last.latencyMs,
    avg_latency_ms: reading.avgMs,
    p50_latency_ms: reading.p50Ms,
    p95_latency_ms: reading.p95Ms,
    p99_latency_ms: reading.p99Ms,
    latency_samples: reading.samples,
    latency_sum: Math.round(reading.sumMs),
    latency_window_ago_ms: ago(reading.windowStartMs),
    circuit_breaker_state: facts.state,
    opened_ago_ms: facts.openedAgoMs,
    open_remaining_ms: facts.state === 'open' ? facts.openRemainingMs : null,
    trips: facts.trips,
    epoch: facts.epoch,
    half_open_requests_count: target.probes,
    auto_disabled: autoDisabled,
  };
}

// The shape of `GET /admin/extensions/health`: the first seed's, with the second seed's fields. Pure.
import type { Evidence } from '../registry/events.js';
import type { BreakerOverride, ExtensionType, HealthStatus } from '../registry/extension.js';
import type { SettingInForce } from '../registry/policy.js';

export interface TargetHealth {
  /** success / (success + failure) in the health window, 0..1; null without calls. */
  readonly success_rate: number | null;
  readonly avg_latency_ms: number | null;
  readonly p50_latency_ms: number | null;
  readonly p95_latency_ms: number | null;
  readonly p99_latency_ms: number | null;
  readonly last_latency_ms: number | null;
  /** Samples in the health window (5 minutes). */
  readonly latency_samples: number;
  /** Lifetime counts: the stored row's plus what this process saw. */
  readonly success_count: number;
  readonly failure_count: number;
  /** ISO 8601; null where none is known. */
  readonly last_success: string | null;
  readonly last_failure: string | null;
  readonly circuit_breaker_state: 'closed' | 'open' | 'half_open';
  readonly circuit_breaker_opened_at: string | null;
  readonly circuit_breaker_open_until: string | null;
  readonly circuit_breaker_trips: number;
  /** Why it opened last, and on what; null where it never did in this process, or since a reset. */
  readonly trip_reason: string | null;
  readonly trip_evidence: Evidence | null;
  readonly half_open_requests_count: number;
  /** It has just closed, and lets calls in only as they succeed. */
  readonly recovering: boolean;
}

interface VersionHealth extends TargetHealth {
  readonly version: string;
  readonly enabled: boolean;
  readonly default: boolean;
  /** In force over its breaker: its own or its extension's. */
  readonly override: BreakerOverride | null;
}

export interface InstanceHealth {
  readonly id: string;
  readonly version: string | null;
  readonly weight: number;
  readonly enabled: boolean;
  readonly health_status: HealthStatus;
  /** When it may be tried again, ISO 8601; null while it is in rotation. */
  readonly ejected_until: string | null;
  /** Of its health window, as the other numbers; instances that share a subject share them. Null without calls. */
  readonly success_rate: number | null;
  readonly avg_latency_ms: number | null;
  readonly p50_latency_ms: number | null;
  readonly p95_latency_ms: number | null;
  readonly p99_latency_ms: number | null;
  readonly latency_samples: number;
}

/** A row that is not in force as it is: what it said before stays, or nothing where it never was valid. */
export interface RefusedRow {
  readonly extension_id: string;
  /** Of the version or instance; both null: the extension's own row, or columns elsewhere that belong to it. */
  readonly version: string | null;
  readonly instance_id: string | null;
  readonly revision: number;
  readonly problems: readonly string[];
}

/** Refused rows that a report names. */
export const MAX_REFUSED_ROWS = 1000;

export interface ExtensionHealth {
  readonly id: string;
  readonly type: ExtensionType;
  readonly enabled: boolean;
  readonly auto_disabled: boolean;
  readonly override: BreakerOverride | null;
  /** Name of the default version, whose target's health this is. */
  readonly version: string;
  readonly health: TargetHealth;
  /** Only in the view of one extension, like the rest. Each setting of `policy.breaker`, and what decides it. */
  readonly breaker_settings?: Readonly<Record<string, SettingInForce>>;
  readonly refused_rows?: readonly RefusedRow[];
  readonly versions?: readonly VersionHealth[];
  readonly instances?: readonly InstanceHealth[];
}

export interface HealthCounts {
  readonly total: number;
  readonly enabled: number;
  /** Enabled and its breaker closed. */
  readonly healthy: number;
  readonly unhealthy: number;
}

export interface HealthSummary extends HealthCounts {
  /** Means over the extensions with calls in the window; null where none had any. */
  readonly avg_success_rate: number | null;
  readonly avg_latency_ms: number | null;
  readonly avg_p95_latency_ms: number | null;
}

export interface HealthReport {
  readonly extensions: readonly ExtensionHealth[];
  readonly summary: HealthSummary;
  /** Of all extensions, those without a valid row of their own included; the first MAX_REFUSED_ROWS. */
  readonly refused_rows?: readonly RefusedRow[];
  /** How many there are. */
  readonly refused_rows_total?: number;
}

const mean = (values: readonly (number | null)[]): number | null => {
  const known = values.filter((v) => v !== null);
  return known.length === 0 ? null : known.reduce((sum, v) => sum + v, 0) / known.length;
};

export const isHealthy = (enabled: boolean, state: TargetHealth['circuit_breaker_state']): boolean =>
  enabled && state === 'closed';

export function summarize(extensions: readonly ExtensionHealth[]): HealthSummary {
  const healthy = extensions.filter((e) => isHealthy(e.enabled, e.health.circuit_breaker_state)).length;
  return {
    total: extensions.length,
    enabled: extensions.filter((e) => e.enabled).length,
    healthy,
    unhealthy: extensions.length - healthy,
    avg_success_rate: mean(extensions.map((e) => e.health.success_rate)),
    avg_latency_ms: mean(extensions.map((e) => e.health.avg_latency_ms)),
    avg_p95_latency_ms: mean(extensions.map((e) => e.health.p95_latency_ms)),
  };
}

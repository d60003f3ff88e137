// The summary of `GET /admin/extensions/health`. The shapes are those of health-schema.ts.
import type { ExtensionRowHealth, HealthSummary, TargetHealth } from './health-schema.js';

/** Refused rows that a report names. */
export const MAX_REFUSED_ROWS = 1000;

export type HealthCounts = Pick<HealthSummary, 'total' | 'enabled' | 'healthy' | 'unhealthy'>;

const mean = (values: readonly (number | null)[]): number | null => {
  const known = values.filter((v) => v !== null);
  return known.length === 0 ? null : known.reduce((sum, v) => sum + v, 0) / known.length;
};

export const isHealthy = (enabled: boolean, state: TargetHealth['circuit_breaker_state']): boolean =>
  enabled && state === 'closed';

export function summarize(extensions: readonly ExtensionRowHealth[]): HealthSummary {
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

// The summary of `GET /admin/extensions/health`. The shapes are those of health-schema.ts.
import type { HealthSummary, TargetHealth } from './health-schema.js';

/** Refused rows that a report names. */
export const MAX_REFUSED_ROWS = 1000;

/** Mean of what is known; null without any. */
class Mean {
  #sum = 0;
  #count = 0;

  add(value: number | null): void {
    if (value === null) return;
    this.#sum += value;
    this.#count++;
  }

  get value(): number | null {
    return this.#count === 0 ? null : this.#sum / this.#count;
  }
}

export const isHealthy = (enabled: boolean, state: TargetHealth['circuit_breaker_state']): boolean =>
  enabled && state === 'closed';

/** What a summary reads of one extension. */
export interface Summarized {
  readonly enabled: boolean;
  readonly health: Pick<TargetHealth, 'circuit_breaker_state' | 'success_rate' | 'avg_latency_ms' | 'p95_latency_ms'>;
}

/** A summary that is made one extension after another. */
export class SummaryInProgress {
  #total = 0;
  #enabled = 0;
  #healthy = 0;
  readonly #successRate = new Mean();
  readonly #avg = new Mean();
  readonly #p95 = new Mean();

  add({ enabled, health }: Summarized): void {
    this.#total++;
    if (enabled) this.#enabled++;
    if (isHealthy(enabled, health.circuit_breaker_state)) this.#healthy++;
    this.#successRate.add(health.success_rate);
    this.#avg.add(health.avg_latency_ms);
    this.#p95.add(health.p95_latency_ms);
  }

  get summary(): HealthSummary {
    return {
      total: this.#total,
      enabled: this.#enabled,
      healthy: this.#healthy,
      unhealthy: this.#total - this.#healthy,
      avg_success_rate: this.#successRate.value,
      avg_latency_ms: this.#avg.value,
      avg_p95_latency_ms: this.#p95.value,
    };
  }
}

// The summary of all extensions, kept as rows of the board come, change and go.
import type { HealthSummary } from '../../domain/health/health-schema.js';
import type { BoardRow } from './board-row.js';

/** Mean of what is known, summed in whole units so that nothing of a value that is taken out stays. */
class RunningMean {
  #sum = 0;
  #count = 0;

  constructor(private readonly unitsPerOne: number) {}

  add(value: number | null, sign: 1 | -1): void {
    if (value === null) return;
    this.#sum += sign * Math.round(value * this.unitsPerOne);
    this.#count += sign;
  }

  get value(): number | null {
    return this.#count === 0 ? null : Math.round(this.#sum / this.#count) / this.unitsPerOne;
  }
}

export class BoardSummary {
  #total = 0;
  #enabled = 0;
  #healthy = 0;
  readonly #successRate = new RunningMean(10_000);
  readonly #avg = new RunningMean(100);
  readonly #p95 = new RunningMean(100);

  add(row: BoardRow): void {
    row.countedAs = !row.enabled ? 'disabled' : row.isHealthy ? 'healthy' : 'unhealthy';
    this.#count(row, 1);
  }

  remove(row: BoardRow): void {
    if (row.countedAs !== null) this.#count(row, -1);
    row.countedAs = null;
  }

  get value(): HealthSummary {
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

  #count(row: BoardRow, sign: 1 | -1): void {
    this.#total += sign;
    if (row.countedAs !== 'disabled') this.#enabled += sign;
    if (row.countedAs === 'healthy') this.#healthy += sign;
    this.#successRate.add(row.successRate, sign);
    this.#avg.add(row.avgMs, sign);
    this.#p95.add(row.p95, sign);
  }
}

// Which attempts of one target are overdue: in flight for more than twice the p99 of its health window.
//
// OVERDUE-1. Each scan counts them anew: those of the present generation that count for their target. One that settles is no
//     longer counted, so the count is never more than the last scan found.
// OVERDUE-2. None is overdue if that time is not known from at least MIN_SAMPLES, or reaches the timeout; and none within MIN_MS: a
//     shorter pause of the extension is no hang, however fast it is otherwise.
// OVERDUE-3. The time until NATS or this process last stood still is not counted: an attempt that was in flight then has its full time from there on.
import type { DecisionWindow } from '../../domain/breaker/decision-window.js';
import type { HealthWindow } from '../../domain/health/health-window.js';
import type { Endpoint } from './endpoint.js';
import type { Attempt, InFlight } from './in-flight.js';

const MIN_MS = 1000;
const P99S = 2;
const MIN_SAMPLES = 20;
/** Percentiles move slowly, and reading them costs what the histogram is long. */
const P99_KEPT_MS = 5000;

export class OverdueScan {
  #scan = 0;
  #afterMs = Number.POSITIVE_INFINITY;
  #readMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly inFlight: InFlight,
    private readonly window: DecisionWindow,
    private readonly health: HealthWindow,
  ) {}

  /** OVERDUE-1. `lastSuccessMs`: what was sent after it lengthens a row of failures. */
  take(
    endpoints: Iterable<Endpoint>,
    generation: number,
    timeoutMs: number,
    lastSuccessMs: number,
    stalledUntilMs: number,
    nowMs: number,
  ): void {
    this.#scan++;
    for (const endpoint of endpoints) endpoint.window.setOverdue(0, 0);
    const afterMs = this.#after(timeoutMs, nowMs);
    let count = 0;
    let inRow = 0;
    for (let attempt = this.inFlight.oldest; attempt !== null; attempt = attempt.newer) {
      if (nowMs - Math.max(attempt.startedMs, stalledUntilMs) <= afterMs) break;
      if (attempt.isReadmission || !isOfTarget(attempt, generation)) continue;
      attempt.overdueScan = this.#scan;
      const isInRow = attempt.startedMs >= lastSuccessMs;
      attempt.isOverdueInRow = isInRow;
      count++;
      if (isInRow) inRow++;
      attempt.endpoint?.countOverdue(attempt.startedMs, isInRow);
    }
    this.window.setOverdue(count, inRow);
  }

  /** The attempt has ended. */
  end(attempt: Attempt, generation: number): void {
    if (attempt.overdueScan !== this.#scan || !isOfTarget(attempt, generation)) return;
    this.window.endOverdue(attempt.isOverdueInRow);
    attempt.endpoint?.window.endOverdue(attempt.isOverdueInRow);
  }

  /** OVERDUE-2. */
  #after(timeoutMs: number, nowMs: number): number {
    if (nowMs - this.#readMs >= P99_KEPT_MS) {
      this.#readMs = nowMs;
      const { samples, p99Ms } = this.health.read(nowMs);
      this.#afterMs = samples < MIN_SAMPLES ? Number.POSITIVE_INFINITY : Math.max(P99S * (p99Ms ?? 0), MIN_MS);
    }
    return this.#afterMs < timeoutMs ? this.#afterMs : Number.POSITIVE_INFINITY;
  }
}

/** Of the present generation, and not sent to an endpoint that has been ejected since. */
const isOfTarget = ({ permit, endpoint, term }: Attempt, generation: number): boolean =>
  permit === generation && (endpoint === null || endpoint.term === term);

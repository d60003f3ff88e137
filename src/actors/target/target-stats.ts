// What is known of one target's attempts, independent of its breaker: the health window, counts, what happened last, and
// whether anything responds.
import { DecisionWindow } from '../../domain/breaker/decision-window.js';
import { AttemptDurations } from '../../domain/health/attempt-durations.js';
import type { CallCounts } from '../../domain/health/call-rates.js';
import type { Counters } from '../../domain/health/counters.js';
import { HEALTH_WINDOW_MS, HealthWindow } from '../../domain/health/health-window.js';
import { type Failure, RecentFailures } from '../../domain/health/recent-failures.js';
import type { Endpoint } from './endpoint.js';

/** One call in so many; see isTrialDue. */
const TRIAL_EVERY = 10;

export class TargetStats {
  readonly health = new HealthWindow();
  /**
   * What health-based routing evaluates: attempts since its breaker last half-opened or closed, and admitted since. Earlier ones
   * had their consequence when it opened.
   */
  readonly routing = new DecisionWindow(HEALTH_WINDOW_MS);
  /** Monotonic; null: none so far. */
  readonly last: { successMs: number | null; failureMs: number | null; latencyMs: number | null } = {
    successMs: null,
    failureMs: null,
    latencyMs: null,
  };
  /** Of the subscribers of the version's own subject, if it has no instances; see Endpoint. */
  readonly #presence: Pick<Endpoint, 'absentSinceMs'> = { absentSinceMs: null };
  /** The last ones; null: none so far. */
  failures: RecentFailures | null = null;
  #passedOver = 0;
  /** Calls that asked it for a permit, or for an instance, and got none. */
  refused = 0;
  /** Successes and failures of its version before it. */
  readonly #before: Pick<Counters, 'successes' | 'failures'>;

  /** Both of its version, which may have had another target before. */
  constructor(
    readonly counters: Counters,
    private readonly attempts = new AttemptDurations(),
  ) {
    this.#before = { successes: counters.successes, failures: counters.failures };
  }

  noteFailure(failure: Failure): void {
    this.failures ??= new RecentFailures();
    this.failures.add(failure);
  }

  /** Since it is there: attempts that succeeded or failed, those that failed, and calls that it refused. */
  get callCounts(): CallCounts {
    const failed = this.counters.failures - this.#before.failures;
    return { calls: this.counters.successes - this.#before.successes + failed, failed, refused: this.refused };
  }

  record(success: boolean, latencyMs: number, nowMs: number): void {
    this.health.record(success, latencyMs, nowMs);
    this.attempts.record(success, latencyMs);
    this.last.latencyMs = latencyMs;
    if (success) {
      this.counters.successes++;
      this.last.successMs = nowMs;
    } else {
      this.counters.failures++;
      this.last.failureMs = nowMs;
    }
  }

  /** An attempt that was admitted in the present generation. */
  recordForRouting(success: boolean, nowMs: number): void {
    if (success) this.routing.recordSuccess(nowMs);
    else this.routing.recordFailure(nowMs);
  }

  /** Of `routing`. */
  routingCounts(nowMs: number): { readonly successes: number; readonly failures: number } {
    const failures = this.routing.failures(nowMs);
    return { successes: this.routing.outcomes(nowMs) - failures, failures };
  }

  /** Time since its last outcome; null: it had none in this process. */
  outcomeAgoMs(nowMs: number): number | null {
    const { successMs, failureMs } = this.last;
    return successMs === null && failureMs === null ? null : nowMs - Math.max(successMs ?? 0, failureMs ?? 0);
  }

  /** An extension received an attempt, whatever its result. */
  notePresence(endpoint: Endpoint | null): void {
    (endpoint ?? this.#presence).absentSinceMs = null;
  }

  /**
   * No responders there. True: the target has succeeded within its window and had responders until less than `graceMs`
   * ago, so that this is a restart.
   */
  noteAbsence(endpoint: Endpoint | null, windowMs: number, graceMs: number, nowMs: number): boolean {
    const place = endpoint ?? this.#presence;
    place.absentSinceMs ??= nowMs;
    const { successMs } = this.last;
    return successMs !== null && nowMs - successMs <= windowMs && nowMs - place.absentSinceMs < graceMs;
  }

  /** True for one of ten calls: a version that is skipped for its success rate still gets those. */
  isTrialDue(): boolean {
    this.#passedOver = (this.#passedOver + 1) % TRIAL_EVERY;
    return this.#passedOver === 0;
  }
}

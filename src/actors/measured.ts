// What is known of one target's attempts, whatever its breaker makes of them: the health window, counts since the process began,
// what happened last, and who listens.
import { HealthWindow } from '../domain/health-window.js';
import type { Endpoint } from './endpoint.js';

/** One call in so many; see isTrialDue. */
const TRIAL_EVERY = 10;

export class Measured {
  readonly health = new HealthWindow();
  readonly counters = { successes: 0, failures: 0, trips: 0, recoveries: 0 };
  /** Monotonic; null where there was none. */
  readonly last: { successMs: number | null; failureMs: number | null; latencyMs: number | null } = {
    successMs: null,
    failureMs: null,
    latencyMs: null,
  };
  /** Of whoever listens on the version's own subject, where there are no instances; see Endpoint. */
  readonly #presence: Pick<Endpoint, 'absentSinceMs'> = { absentSinceMs: null };
  #passedOver = 0;

  record(success: boolean, latencyMs: number, nowMs: number): void {
    this.health.record(success, latencyMs, nowMs);
    this.last.latencyMs = latencyMs;
    if (success) {
      this.counters.successes++;
      this.last.successMs = nowMs;
    } else {
      this.counters.failures++;
      this.last.failureMs = nowMs;
    }
  }

  /** Time since its last outcome; null: it had none in this process. */
  outcomeAgoMs(nowMs: number): number | null {
    const { successMs, failureMs } = this.last;
    return successMs === null && failureMs === null ? null : nowMs - Math.max(successMs ?? 0, failureMs ?? 0);
  }

  /** Somebody received an attempt, whatever became of it. */
  notePresence(endpoint: Endpoint | null): void {
    (endpoint ?? this.#presence).absentSinceMs = null;
  }

  /**
   * Nobody listens there. True: the target has succeeded within its window and somebody was there until less than `graceMs`
   * ago, so that this is a restart.
   */
  noteAbsence(endpoint: Endpoint | null, windowMs: number, graceMs: number, nowMs: number): boolean {
    const place = endpoint ?? this.#presence;
    place.absentSinceMs ??= nowMs;
    const { successMs } = this.last;
    return successMs !== null && nowMs - successMs <= windowMs && nowMs - place.absentSinceMs < graceMs;
  }

  /** True for one of ten calls: a version that is passed over for its success rate still gets those. */
  isTrialDue(): boolean {
    this.#passedOver = (this.#passedOver + 1) % TRIAL_EVERY;
    return this.#passedOver === 0;
  }
}

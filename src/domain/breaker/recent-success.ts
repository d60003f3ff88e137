// The recent success rate of an instance, for comparing it with another: an exponentially weighted
// average over outcomes, as failure accrual in Finagle has it, that rises towards 1 as time passes, so that an instance
// that fails is tried again. It needs no timer.

/**
 * What one outcome weighs. Two failures in a row take a rate of 1 under the 0.8 at which an instance counts as failing
 * (least-inflight.ts); one does not, so that a single one moves no calls.
 */
const OUTCOME_WEIGHT = 0.2;
/**
 * After so long without outcomes a shortfall is 1/e of what it was; 30 s as for an ejection. One that fails whenever it is
 * tried reaches 0.8 again after 18 s.
 */
const MEMORY_MS = 30_000;
/** The highest rate that time alone restores: enough to be tried, too low to be preferred to others before a success. */
const UNPROVEN = 0.9;
/** A shortfall below this is 0. */
const NEGLIGIBLE = 1e-6;

export class RecentSuccess {
  /** 1 less the rate, at that time. */
  #shortfall = 0;
  #atMs = Number.NEGATIVE_INFINITY;
  #hasFailedLast = false;

  record(isSuccess: boolean, nowMs: number): void {
    if (isSuccess && this.#shortfall === 0) return;
    const kept = (1 - OUTCOME_WEIGHT) * (1 - this.rate(nowMs));
    this.#shortfall = isSuccess ? kept : kept + OUTCOME_WEIGHT;
    if (this.#shortfall < NEGLIGIBLE) this.#shortfall = 0;
    this.#hasFailedLast = !isSuccess;
    this.#atMs = Math.max(nowMs, this.#atMs);
  }

  /** 0..1; 1 without outcomes. */
  rate(nowMs: number): number {
    if (this.#shortfall === 0) return 1;
    const rate = 1 - this.#shortfall * Math.exp(Math.min(this.#atMs - nowMs, 0) / MEMORY_MS);
    return this.#hasFailedLast ? Math.min(rate, UNPROVEN) : rate;
  }

  clear(): void {
    this.#shortfall = 0;
  }
}

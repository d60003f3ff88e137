// Counts of durations under fixed upper bounds, as a Prometheus histogram wants them: aggregable over replicas.

/** Upper bounds in seconds, ascending; what is longer counts under +Inf. */
export const DURATION_BOUNDS_SECONDS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
] as const;

/** Of all that have recorded nothing. */
const NONE = new Float64Array(DURATION_BOUNDS_SECONDS.length + 1);

export class DurationBuckets {
  #counts = NONE;
  sumSeconds = 0;
  /** Of all that were recorded. */
  count = 0;

  record(durationMs: number): void {
    const seconds = durationMs / 1000;
    let i = 0;
    while (i < DURATION_BOUNDS_SECONDS.length && seconds > (DURATION_BOUNDS_SECONDS[i] as number)) i++;
    if (this.#counts === NONE) this.#counts = new Float64Array(NONE.length);
    this.#counts[i] = (this.#counts[i] as number) + 1;
    this.sumSeconds += seconds;
    this.count++;
  }

  /** Cumulative counts, one per bound and the total last. */
  cumulative(): number[] {
    let sum = 0;
    return Array.from(this.#counts, (count) => {
      sum += count;
      return sum;
    });
  }
}

// How long the attempts of one version took, by outcome; those that failed apart, since they are often faster or slower than the rest.
import { DurationBuckets } from './duration-buckets.js';

export class AttemptDurations {
  /** null: none so far, as with most versions. */
  #success: DurationBuckets | null = null;
  #failure: DurationBuckets | null = null;

  record(success: boolean, durationMs: number): void {
    if (success) {
      this.#success ??= new DurationBuckets();
      this.#success.record(durationMs);
    } else {
      this.#failure ??= new DurationBuckets();
      this.#failure.record(durationMs);
    }
  }

  /** Of each outcome that there was. */
  *[Symbol.iterator](): IterableIterator<readonly ['success' | 'failure', DurationBuckets]> {
    if (this.#success !== null) yield ['success', this.#success];
    if (this.#failure !== null) yield ['failure', this.#failure];
  }
}

// Counts over a sliding window of time, in a ring of buckets. Its owner says which bucket a time falls into.
//
// BUCKET-RING-1. What was counted in bucket n is part of the totals exactly while newest - n < size. The newest bucket only moves on.
// BUCKET-RING-2. Memory is fixed, counting takes constant time, and moving on takes at most one visit per bucket.

export class BucketRing {
  readonly #size: number;
  readonly #series: number;
  /** Bucket by bucket, in each the counts of all series. */
  readonly #counts: Uint32Array;
  readonly #totals: Uint32Array;
  #newest = 0;
  /** Where the counts of the newest bucket begin. */
  #offset = 0;

  /** `size`: in buckets; `series`: how many counts each bucket has. They are named by their numbers, from 0. */
  constructor(size: number, series: number) {
    this.#size = size;
    this.#series = series;
    this.#counts = new Uint32Array(size * series);
    this.#totals = new Uint32Array(series);
  }

  /** Number of the newest bucket since the clock's zero. */
  get newest(): number {
    return this.#newest;
  }

  total(series: number): number {
    return this.#totals[series] as number;
  }

  /** Of a bucket that is no older than the ring is long. */
  count(series: number, bucket: number): number {
    return this.#counts[this.#offsetOf(bucket) + series] as number;
  }

  /** Drops what is too old once `bucket` is the newest one; an older one than that changes nothing. */
  moveTo(bucket: number): void {
    if (bucket > this.#newest) this.#moveOn(bucket);
  }

  /** Counts one in the newest bucket. */
  add(series: number): void {
    const i = this.#offset + series;
    this.#counts[i] = (this.#counts[i] as number) + 1;
    this.#totals[series] = (this.#totals[series] as number) + 1;
  }

  /** `bucket`: no older than the ring is long, and not newer than the newest. */
  addTo(bucket: number, series: number, count: number): void {
    const i = this.#offsetOf(bucket) + series;
    this.#counts[i] = (this.#counts[i] as number) + count;
    this.#totals[series] = (this.#totals[series] as number) + count;
  }

  /** Removes what `part` holds: a ring of the same size and series with the same newest bucket, of which this one holds everything. */
  subtract(part: BucketRing): void {
    for (const [i, count] of part.#counts.entries()) this.#counts[i] = (this.#counts[i] as number) - count;
    for (const [i, total] of part.#totals.entries()) this.#totals[i] = (this.#totals[i] as number) - total;
  }

  clear(): void {
    this.#counts.fill(0);
    this.#totals.fill(0);
  }

  #offsetOf(bucket: number): number {
    return (bucket % this.#size) * this.#series;
  }

  #moveOn(bucket: number): void {
    const steps = Math.min(bucket - this.#newest, this.#size);
    for (let step = 1; step <= steps; step++) {
      const offset = this.#offsetOf(bucket - steps + step);
      for (let series = 0; series < this.#series; series++) {
        this.#totals[series] = (this.#totals[series] as number) - (this.#counts[offset + series] as number);
        this.#counts[offset + series] = 0;
      }
    }
    this.#newest = bucket;
    this.#offset = this.#offsetOf(bucket);
  }
}

// Counts over a sliding window of time, in a ring of buckets. Its owner says which bucket a time falls into.
//
// BUCKET-RING-1. What was counted in bucket n is part of the totals exactly while newest - n < size. The newest bucket only moves on.
// BUCKET-RING-2. Memory is fixed, counting takes constant time, and moving on takes at most one visit per bucket.
// BUCKET-RING-3. A ring in which nothing was counted since it was made or cleared holds no counts: all such rings share the same zeros.

const ZEROS = new Uint32Array(256);

export class BucketRing {
  readonly #size: number;
  readonly #series: number;
  /** Bucket by bucket, in each the counts of all series; behind them the totals. BUCKET-RING-3. */
  #counts = ZEROS;
  #newest = 0;
  /** Where the counts of the newest bucket begin. */
  #offset = 0;

  /** `size`: in buckets; `series`: how many counts each bucket has. They are named by their numbers, from 0. Together at most 256 counts. */
  constructor(size: number, series: number) {
    this.#size = size;
    this.#series = series;
    if ((size + 1) * series > ZEROS.length) throw new RangeError(`a ring has at most ${ZEROS.length} counts`);
  }

  /** Number of the newest bucket since the clock's zero. */
  get newest(): number {
    return this.#newest;
  }

  total(series: number): number {
    return this.#counts[this.#size * this.#series + series] as number;
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
    this.#count(this.#offset + series, series, 1);
  }

  /** `bucket`: no older than the ring is long, and not newer than the newest. */
  addTo(bucket: number, series: number, count: number): void {
    this.#count(this.#offsetOf(bucket) + series, series, count);
  }

  /** Removes what `part` holds: a ring of the same size and series with the same newest bucket, of which this one holds everything. */
  subtract(part: BucketRing): void {
    if (part.#counts === ZEROS || this.#counts === ZEROS) return;
    for (const [i, count] of part.#counts.entries()) this.#counts[i] = (this.#counts[i] as number) - count;
  }

  clear(): void {
    this.#counts = ZEROS;
  }

  #count(i: number, series: number, count: number): void {
    if (this.#counts === ZEROS) this.#counts = new Uint32Array((this.#size + 1) * this.#series);
    const total = this.#size * this.#series + series;
    this.#counts[i] = (this.#counts[i] as number) + count;
    this.#counts[total] = (this.#counts[total] as number) + count;
  }

  #offsetOf(bucket: number): number {
    return (bucket % this.#size) * this.#series;
  }

  #moveOn(bucket: number): void {
    const steps = this.#counts === ZEROS ? 0 : Math.min(bucket - this.#newest, this.#size);
    const totals = this.#size * this.#series;
    for (let step = 1; step <= steps; step++) {
      const offset = this.#offsetOf(bucket - steps + step);
      for (let series = 0; series < this.#series; series++) {
        this.#counts[totals + series] =
          (this.#counts[totals + series] as number) - (this.#counts[offset + series] as number);
        this.#counts[offset + series] = 0;
      }
    }
    this.#newest = bucket;
    this.#offset = this.#offsetOf(bucket);
  }
}

// Log-linear counts of latencies: 32 steps per power of two, so that any percentile is within 1.6 % of the truth from
// 32 µs to 134 s (below: within half a microsecond). After HdrHistogram's bucket layout (hdrhistogram.org). The counts
// lie in rows, so that a sliding window can let go of one slice and keep the others.
//
// LATENCY-HISTOGRAM-1. All rows of all histograms count the same ranges, so counts merge by addition; every reading merges the rows.
// LATENCY-HISTOGRAM-2. Recording is constant time; reading costs the number of counters, whatever the traffic was.
// LATENCY-HISTOGRAM-3. Only octaves that were seen have counters, as narrow as their counts allow; they widen before one overflows, so
//     that counts are exact up to 2^53.

const STEP_BITS = 5;
/** Counters of an octave, which is what lies between a latency and its double. */
const STEPS = 1 << STEP_BITS;
/** Longest latency that is distinguished, in µs: about 134 s. */
const MAX_US = 2 ** 27 - 1;
const COUNTERS = counterOf(Number.POSITIVE_INFINITY) + 1;

type Counters = Uint8Array | Uint16Array | Uint32Array | Float64Array;

/** Number of the counter for a latency in ms. Below 0 and NaN count as 0, above the range as the longest. */
function counterOf(latencyMs: number): number {
  const us = latencyMs > 0 ? Math.min(latencyMs * 1000, MAX_US) | 0 : 0;
  if (us < 2 * STEPS) return us;
  const shift = 31 - Math.clz32(us) - STEP_BITS;
  return (shift << STEP_BITS) + (us >>> shift);
}

/** Middle of a counter's range in ms. */
function latencyOf(counter: number): number {
  if (counter < 2 * STEPS) return (counter + 0.5) / 1000;
  const shift = (counter >>> STEP_BITS) - 1;
  const low = (counter - (shift << STEP_BITS)) * 2 ** shift;
  return (low + 2 ** shift / 2) / 1000;
}

export class LatencyHistogram {
  readonly #rows: number;
  /** Position of an octave's counters in #counters, in blocks of STEPS × rows; -1: it has none. */
  readonly #blocks = new Int8Array(COUNTERS / STEPS).fill(-1);
  /** By block, then by step, then by row. */
  #counters: Counters = new Uint8Array(0);
  #total = 0;

  constructor(rows = 1) {
    this.#rows = rows;
  }

  /** Bytes that its counters take. */
  get byteLength(): number {
    return this.#counters.byteLength;
  }

  record(latencyMs: number, row = 0): void {
    this.#count(counterOf(latencyMs), row, 1);
  }

  /** Adds what another one with as many rows has counted, row by row (LATENCY-HISTOGRAM-1). */
  add(other: LatencyHistogram): void {
    for (let counter = 0; counter < COUNTERS; counter++)
      for (let row = 0; row < this.#rows; row++) {
        const count = other.#counters[other.#indexOf(counter, row)] ?? 0;
        if (count > 0) this.#count(counter, row, count);
      }
  }

  clear(row: number): void {
    for (let i = row; i < this.#counters.length; i += this.#rows) {
      this.#total -= this.#counters[i] as number;
      this.#counters[i] = 0;
    }
  }

  /** Percentiles over all rows by nearest rank, in ms, for ascending `quantiles` (0..1); all null without a count. */
  percentiles(quantiles: readonly number[]): (number | null)[] {
    if (this.#total === 0) return quantiles.map(() => null);
    const found: number[] = [];
    let seen = 0;
    let counter = -1;
    for (const quantile of quantiles) {
      const rank = Math.max(1, Math.ceil(quantile * this.#total));
      while (seen < rank && counter < COUNTERS - 1) {
        counter++;
        // Most targets have seen an octave or two: the others are skipped whole.
        if ((this.#blocks[counter >>> STEP_BITS] as number) < 0) counter |= STEPS - 1;
        else seen += this.#sumOfRows(counter);
      }
      found.push(latencyOf(counter));
    }
    return found;
  }

  /** Of a counter whose octave has counters. */
  #sumOfRows(counter: number): number {
    const first = this.#indexOf(counter, 0);
    let sum = 0;
    for (let i = first; i < first + this.#rows; i++) sum += this.#counters[i] as number;
    return sum;
  }

  /** Below 0 if the counter's octave has none. */
  #indexOf(counter: number, row: number): number {
    const block = this.#blocks[counter >>> STEP_BITS] as number;
    return ((block << STEP_BITS) + (counter & (STEPS - 1))) * this.#rows + row;
  }

  #count(counter: number, row: number, times: number): void {
    if ((this.#blocks[counter >>> STEP_BITS] as number) < 0) this.#addBlock(counter >>> STEP_BITS);
    const counters = this.#counters;
    const i = this.#indexOf(counter, row);
    const count = (counters[i] as number) + times;
    counters[i] = count;
    // A counter returns another number if it cannot hold this one.
    if (counters[i] !== count) this.#widen(i, count);
    this.#total += times;
  }

  #addBlock(octave: number): void {
    const old = this.#counters;
    const size = STEPS * this.#rows;
    this.#blocks[octave] = old.length / size;
    const SameWidth = old.constructor as new (length: number) => Counters;
    this.#counters = new SameWidth(old.length + size);
    this.#counters.set(old);
  }

  /** So that counter `i` can hold `count`. */
  #widen(i: number, count: number): void {
    do {
      const old = this.#counters;
      const Wider = old instanceof Uint8Array ? Uint16Array : old instanceof Uint16Array ? Uint32Array : Float64Array;
      this.#counters = new Wider(old);
      this.#counters[i] = count;
    } while (this.#counters[i] !== count);
  }
}

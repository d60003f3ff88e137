// What a target has done in the last five minutes, across breaker generations: counts and latencies for the health API,
// metrics and health-based routing. It decides nothing about the breaker.
//
// HEALTH-WINDOW-1. Every settled attempt that is no neutral one is recorded, whatever its generation. Latency is that of both kinds.
// HEALTH-WINDOW-2. Memory is bounded, and taken when it is first needed: a target that never had a call holds none, and one that had
//     none for a whole window frees it when it is next read.
// HEALTH-WINDOW-3. An attempt recorded at t counts at `now` exactly while floor(now / slice) - floor(t / slice) < SLICES. Time only
//     moves on: a time before the newest one seen counts as the newest.
//
// It is no BucketRing: its slices hold sums of latencies, rows of the histogram go with them, and an idle target must hold none.
import { LatencyHistogram } from './latency-histogram.js';

export const HEALTH_WINDOW_MS = 300_000;
const SLICES = 6;
/** What a window holds changes at each multiple of this, and with each attempt. */
export const HEALTH_SLICE_MS = HEALTH_WINDOW_MS / SLICES;

interface HealthReading {
  readonly successes: number;
  readonly failures: number;
  /** successes / (successes + failures), 0..1; null without outcomes. */
  readonly successRate: number | null;
  /** Latencies in ms; null without samples. */
  readonly avgMs: number | null;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  readonly samples: number;
  readonly sumMs: number;
  /** Start of the oldest slice that holds anything, monotonic ms; null without one. */
  readonly windowStartMs: number | null;
}

interface Slice {
  /** Number of the slice since the clock's zero; its row in the histogram is number % SLICES. */
  readonly number: number;
  successes: number;
  failures: number;
  sumMs: number;
}

const QUANTILES = [0.5, 0.95, 0.99] as const;

export class HealthWindow {
  /** Those that hold something, oldest first. */
  readonly #slices: Slice[] = [];
  #latencies: LatencyHistogram | null = null;
  /** Number of the newest slice seen. */
  #newest = 0;

  /** Bytes that the counters of its latencies take. */
  get byteLength(): number {
    return this.#latencies?.byteLength ?? 0;
  }

  record(success: boolean, latencyMs: number, nowMs: number): void {
    this.#advance(nowMs);
    let slice = this.#slices.at(-1);
    if (slice?.number !== this.#newest) {
      slice = { number: this.#newest, successes: 0, failures: 0, sumMs: 0 };
      this.#slices.push(slice);
    }
    if (success) slice.successes++;
    else slice.failures++;
    // Below 0 and NaN count as 0, as they do in the histogram.
    slice.sumMs += latencyMs > 0 ? latencyMs : 0;
    this.#latencies ??= new LatencyHistogram(SLICES);
    this.#latencies.record(latencyMs, this.#newest % SLICES);
  }

  /** Outcomes and successes only: cheap enough for a decision per call. */
  counts(nowMs: number): { successes: number; failures: number } {
    this.#advance(nowMs);
    let successes = 0;
    let failures = 0;
    for (const slice of this.#slices) {
      successes += slice.successes;
      failures += slice.failures;
    }
    return { successes, failures };
  }

  read(nowMs: number): HealthReading {
    const { successes, failures } = this.counts(nowMs);
    const samples = successes + failures;
    const sumMs = this.#slices.reduce((sum, slice) => sum + slice.sumMs, 0);
    const [p50Ms = null, p95Ms = null, p99Ms = null] = this.#latencies?.percentiles(QUANTILES) ?? [];
    const oldest = this.#slices[0];
    return {
      successes,
      failures,
      successRate: samples === 0 ? null : successes / samples,
      avgMs: samples === 0 ? null : sumMs / samples,
      p50Ms,
      p95Ms,
      p99Ms,
      samples,
      sumMs,
      windowStartMs: oldest === undefined ? null : oldest.number * HEALTH_SLICE_MS,
    };
  }

  /** When it will hold nothing, if nothing more is recorded, monotonic ms; null: it holds nothing. */
  get overMs(): number | null {
    const newest = this.#slices.at(-1);
    return newest === undefined ? null : (newest.number + SLICES) * HEALTH_SLICE_MS;
  }

  clear(): void {
    this.#slices.length = 0;
    this.#latencies = null;
  }

  /** Drops the slices that are too old. */
  #advance(nowMs: number): void {
    const number = Math.floor(nowMs / HEALTH_SLICE_MS);
    if (!(number > this.#newest)) return;
    this.#newest = number;
    for (let oldest = this.#slices[0]; oldest !== undefined; oldest = this.#slices[0]) {
      if (number - oldest.number < SLICES) return;
      this.#latencies?.clear(oldest.number % SLICES);
      this.#slices.shift();
    }
    this.#latencies = null;
  }
}

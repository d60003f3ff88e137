// What a target has done in the last five minutes, across breaker generations: counts and latencies for the health API,
// metrics and health-based routing. It decides nothing about the breaker.
//
// V1. Every settled attempt that is no neutral one is recorded, whatever its generation. Latency is that of both kinds.
// V2. A slice's histogram is allocated when it is first needed: a target that never had a call holds none.
import { COUNTERS, counterOf, percentiles } from './latency-histogram.js';

export const HEALTH_WINDOW_MS = 300_000;
const SLICES = 6;
const SLICE_MS = HEALTH_WINDOW_MS / SLICES;

export interface HealthReading {
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
  /** Number of the slice since the clock's zero; the ring index is number % SLICES. */
  number: number;
  successes: number;
  failures: number;
  sumMs: number;
  counts: Uint32Array | null;
}

/** Merging needs room; one for all, since a reading never yields. */
const merged = new Uint32Array(COUNTERS);
const QUANTILES = [0.5, 0.95, 0.99] as const;

export class HealthWindow {
  readonly #slices: Slice[] = Array.from({ length: SLICES }, () => ({
    number: -1,
    successes: 0,
    failures: 0,
    sumMs: 0,
    counts: null,
  }));

  record(success: boolean, latencyMs: number, nowMs: number): void {
    const slice = this.#sliceFor(nowMs);
    if (success) slice.successes++;
    else slice.failures++;
    // Below 0 and NaN count as 0, as they do in the histogram.
    slice.sumMs += latencyMs > 0 ? latencyMs : 0;
    slice.counts ??= new Uint32Array(COUNTERS);
    const counter = counterOf(latencyMs);
    slice.counts[counter] = (slice.counts[counter] as number) + 1;
  }

  /** Outcomes and successes only: cheap enough for a decision per call. */
  counts(nowMs: number): { successes: number; failures: number } {
    const oldest = Math.floor(nowMs / SLICE_MS) - SLICES;
    let successes = 0;
    let failures = 0;
    for (const slice of this.#slices) {
      if (slice.number <= oldest) continue;
      successes += slice.successes;
      failures += slice.failures;
    }
    return { successes, failures };
  }

  read(nowMs: number): HealthReading {
    const { successes, failures } = this.counts(nowMs);
    const samples = successes + failures;
    const oldest = Math.floor(nowMs / SLICE_MS) - SLICES;
    let sumMs = 0;
    let start: number | null = null;
    merged.fill(0);
    for (const slice of this.#slices) {
      if (slice.number <= oldest || slice.counts === null || slice.successes + slice.failures === 0) continue;
      sumMs += slice.sumMs;
      start = Math.min(start ?? Number.POSITIVE_INFINITY, slice.number * SLICE_MS);
      for (let i = 0; i < COUNTERS; i++) merged[i] = (merged[i] as number) + (slice.counts[i] as number);
    }
    const [p50Ms = null, p95Ms = null, p99Ms = null] = percentiles(merged, samples, QUANTILES);
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
      windowStartMs: start,
    };
  }

  clear(): void {
    for (const slice of this.#slices) reset(slice, -1);
  }

  #sliceFor(nowMs: number): Slice {
    const number = Math.floor(nowMs / SLICE_MS);
    const slice = this.#slices[number % SLICES] as Slice;
    if (slice.number !== number) reset(slice, number);
    return slice;
  }
}

function reset(slice: Slice, number: number): void {
  slice.number = number;
  slice.successes = 0;
  slice.failures = 0;
  slice.sumMs = 0;
  slice.counts?.fill(0);
}

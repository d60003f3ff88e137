// How late the event loop is: by how much a timer of EVERY_MS comes late, which is what anything that arrives at that moment waits.
//
// LOOP-DELAY-1. A reading covers one to two minutes: the last whole minute and the present one; less only at the start. Of the two the worse is
//     shown.
// LOOP-DELAY-2. The histogram counts all since the process began.
// LOOP-DELAY-3. A process that stood still, be it stopped or busy, reports so before it reads what arrived meanwhile, unless it stood still
//     while it read.
import { DurationBuckets } from '../domain/health/duration-buckets.js';
import { LatencyHistogram } from '../domain/health/latency-histogram.js';

/** Each wake of an idle process costs some 100 us: 20 in a second are a quarter of a per cent of a processor. */
const EVERY_MS = 50;
const PERIOD_MS = 60_000;
/** LOOP-DELAY-3. */
const STOOD_STILL_MS = 500;

interface LoopClock {
  now(): number;
  setTimeout(fn: () => void, ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

/** Milliseconds. */
interface Delays {
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly max_ms: number;
}

interface LoopDelayReading extends Delays {
  /** Of the time that it covers. */
  readonly seconds: number;
}

/** Neither must throw. */
interface LoopListener {
  /** Every EVERY_MS, while the event loop turns. */
  readonly onTurn?: () => void;
  /** LOOP-DELAY-3. */
  readonly onStoodStill?: (lateMs: number) => void;
}

export class LoopDelay {
  /** LOOP-DELAY-2. */
  readonly buckets = new DurationBuckets();
  readonly #clock: LoopClock;
  #timer: unknown;
  #dueMs: number;
  #sinceMs: number;
  #latencies = new LatencyHistogram();
  #maxMs = 0;
  #before: Delays | null = null;

  constructor(
    clock: LoopClock,
    private readonly listener: LoopListener = {},
  ) {
    this.#clock = clock;
    this.#sinceMs = clock.now();
    this.#dueMs = this.#sinceMs + EVERY_MS;
    this.#wait();
  }

  /** LOOP-DELAY-1. */
  read(): LoopDelayReading {
    const now = this.#delays();
    const { p50_ms, p99_ms, max_ms } = this.#before ?? now;
    const seconds = Math.round((this.#clock.now() - this.#sinceMs) / 1000);
    return {
      seconds: seconds + (this.#before === null ? 0 : PERIOD_MS / 1000),
      p50_ms: Math.max(p50_ms, now.p50_ms),
      p99_ms: Math.max(p99_ms, now.p99_ms),
      max_ms: Math.max(max_ms, now.max_ms),
    };
  }

  stop(): void {
    this.#clock.clearTimeout(this.#timer);
  }

  #wait(): void {
    this.#timer = this.#clock.setTimeout(this.#onTimer, EVERY_MS);
  }

  readonly #onTimer = (): void => {
    const nowMs = this.#clock.now();
    // Timers count whole milliseconds, and may come early by less than one.
    const lateMs = Math.max(nowMs - this.#dueMs, 0);
    this.buckets.record(lateMs);
    this.#latencies.record(lateMs);
    this.#maxMs = Math.max(this.#maxMs, lateMs);
    if (nowMs - this.#sinceMs >= PERIOD_MS) this.#beginPeriod(nowMs);
    this.#dueMs = nowMs + EVERY_MS;
    this.#wait();
    this.listener.onTurn?.();
    if (lateMs >= STOOD_STILL_MS) this.listener.onStoodStill?.(lateMs);
  };

  #delays(): Delays {
    const [p50, p99] = this.#latencies.percentiles([0.5, 0.99]);
    return { p50_ms: rounded(p50 ?? 0), p99_ms: rounded(p99 ?? 0), max_ms: rounded(this.#maxMs) };
  }

  #beginPeriod(nowMs: number): void {
    this.#before = this.#delays();
    this.#sinceMs = nowMs;
    this.#latencies = new LatencyHistogram();
    this.#maxMs = 0;
  }
}

/** To a hundredth of a millisecond. */
const rounded = (ms: number): number => Math.round(ms * 100) / 100;

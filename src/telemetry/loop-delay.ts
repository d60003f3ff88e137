// How late the event loop is: by how much a timer of RESOLUTION_MS comes late, over the last minutes.
//
// LOOP-DELAY-1. A reading covers one to two minutes: the last whole minute and the present one; less only at the start. Of the two the worse is
//     shown.
import { monitorEventLoopDelay } from 'node:perf_hooks';

const RESOLUTION_MS = 20;
const PERIOD_MS = 60_000;

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

export class LoopDelay {
  readonly #histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #timer: NodeJS.Timeout;
  #before: Delays | null = null;
  #sinceMs = performance.now();

  constructor() {
    this.#histogram.enable();
    this.#timer = setInterval(() => this.#nextPeriod(), PERIOD_MS).unref();
  }

  /** LOOP-DELAY-1. */
  read(): LoopDelayReading {
    const now = this.#delays();
    const { p50_ms, p99_ms, max_ms } = this.#before ?? now;
    const seconds = Math.round((performance.now() - this.#sinceMs) / 1000);
    return {
      seconds: seconds + (this.#before === null ? 0 : PERIOD_MS / 1000),
      p50_ms: Math.max(p50_ms, now.p50_ms),
      p99_ms: Math.max(p99_ms, now.p99_ms),
      max_ms: Math.max(max_ms, now.max_ms),
    };
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#histogram.disable();
  }

  #delays(): Delays {
    const { max } = this.#histogram;
    const percentile = (of: number) => lateness(this.#histogram.percentile(of));
    return { p50_ms: percentile(50), p99_ms: percentile(99), max_ms: lateness(max) };
  }

  #nextPeriod(): void {
    this.#before = this.#delays();
    this.#sinceMs = performance.now();
    this.#histogram.reset();
  }
}

/** The histogram holds the whole time from one timer to the next, in nanoseconds. To a hundredth of a millisecond. */
const lateness = (nanoseconds: number): number =>
  Math.round(Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS) * 100) / 100;

// A monotonic clock with timers on the same time line, moved by the test alone.
//
// K1. `advance` fires every timer at the moment it is due, in order of time and then of arming, also those armed meanwhile.
// K2. `stall` moves the time and fires nothing, as a blocked process does; the timers are late from then on.
// K3. `fireEarly` fires the next timer before its time, as timers that count from a stale loop time do.
// K4. Each reading takes `readingMs`, as on a machine that is busy with something else in between.
import type { Clock } from '../../src/actors/ports/clock.js';

/** A real timer fires at once where its delay is not a number within these bounds. */
export const isSafeDelay = (ms: number): boolean => ms >= 0 && ms <= 2 ** 31 - 1;

interface Timer {
  readonly id: number;
  readonly atMs: number;
  readonly fn: (...args: unknown[]) => void;
}

export class SimulatedClock implements Clock {
  /** Every delay that a timer was armed with, oldest first. */
  readonly delays: number[] = [];
  readingMs = 0;
  readonly #timers = new Map<number, Timer>();
  #nowMs: number;
  #lastId = 0;

  constructor(startMs = 0) {
    this.#nowMs = startMs;
  }

  /** Timers that are armed. */
  get armed(): number {
    return this.#timers.size;
  }

  // Properties and not methods, so that they can be handed on without their object.
  readonly now = (): number => {
    this.#nowMs += this.readingMs;
    return this.#nowMs;
  };

  readonly setTimeout = (fn: (...args: unknown[]) => void, ms: number): number => {
    this.delays.push(ms);
    const id = ++this.#lastId;
    this.#timers.set(id, { id, atMs: this.#nowMs + (isSafeDelay(ms) ? ms : 0), fn });
    return id;
  };

  readonly clearTimeout = (id: unknown): void => {
    this.#timers.delete(id as number);
  };

  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let timer = this.#next(); timer !== null && timer.atMs <= untilMs; timer = this.#next()) {
      // A timer that is late does not turn the time back.
      this.#nowMs = Math.max(this.#nowMs, timer.atMs);
      this.#fire(timer);
    }
    this.#nowMs = Math.max(this.#nowMs, untilMs);
  }

  stall(ms: number): void {
    this.#nowMs += ms;
  }

  /** False: there is no timer. */
  fireEarly(): boolean {
    const timer = this.#next();
    if (timer !== null) this.#fire(timer);
    return timer !== null;
  }

  #fire(timer: Timer): void {
    this.#timers.delete(timer.id);
    timer.fn();
  }

  #next(): Timer | null {
    let next: Timer | null = null;
    for (const timer of this.#timers.values()) if (next === null || timer.atMs < next.atMs) next = timer;
    return next;
  }
}

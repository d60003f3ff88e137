// The clock of a replayed breaker: it stands where the replay puts it, and fires the timers on the way, each at its own time.
import type { Clock } from '../ports/clock.js';

interface Timer {
  readonly atMs: number;
  readonly fn: () => void;
}

export class ReplayClock implements Clock {
  readonly #timers = new Set<Timer>();

  constructor(private nowMs: number) {}

  readonly now = (): number => this.nowMs;

  readonly setTimeout = (fn: () => void, ms: number): Timer => {
    const timer = { atMs: this.nowMs + ms, fn };
    this.#timers.add(timer);
    return timer;
  };

  readonly clearTimeout = (timer: unknown): void => {
    this.#timers.delete(timer as Timer);
  };

  /** Fires at most one timer that is due by `untilMs`; false: none was, and it is `untilMs` now. A breaker has two timers at most. */
  step(untilMs: number): boolean {
    let next: Timer | null = null;
    for (const timer of this.#timers) if (next === null || timer.atMs < next.atMs) next = timer;
    const isDue = next !== null && next.atMs <= untilMs;
    this.nowMs = Math.max(this.nowMs, isDue ? (next as Timer).atMs : untilMs);
    if (!isDue) return false;
    this.#timers.delete(next as Timer);
    (next as Timer).fn();
    return true;
  }
}

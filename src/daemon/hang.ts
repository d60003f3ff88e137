// Whether the thread that is watched hangs, as the watching one sees it at each of its ticks.

export const TICK_MS = 250;
/** A tick that is later by more than this: the watching thread stood still, too. */
const LATE_MS = 600;

export class Hang {
  #turns = -1;
  #turnedMs: number;
  #tickedMs: number;

  /** `nowMs`: monotonic. */
  constructor(
    private readonly hangMs: number,
    nowMs: number,
  ) {
    this.#turnedMs = nowMs;
    this.#tickedMs = nowMs;
  }

  /** `turns`: how often the event loop has turned so far. Milliseconds without a turn, if they are too many; null if not. */
  tick(turns: number, nowMs: number): number | null {
    const isLate = nowMs - this.#tickedMs > TICK_MS + LATE_MS;
    this.#tickedMs = nowMs;
    // WATCHDOG-2.
    if (turns !== this.#turns || isLate) {
      this.#turns = turns;
      this.#turnedMs = nowMs;
      return null;
    }
    const silentMs = nowMs - this.#turnedMs;
    return silentMs < this.hangMs ? null : silentMs;
  }
}

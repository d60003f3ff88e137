// Wall times of what happened on the monotonic clock, the same each time they are read.
//
// PINNED-TIMES-1. Made anew from a monotonic time, a wall time differs by a millisecond from read to read, and by more once the wall clock was
//     set: what is shown would look changed. So it is made once, and stays until the monotonic time is another one.
import type { Clock, WallClock } from '../ports/clock.js';
import { isoAt } from './notices.js';

/** Two readings of one moment, ms apart at most. */
const SAME_MS = 0.5;

interface Pinned {
  readonly monotonicMs: number;
  readonly iso: string;
}

export class PinnedTimes {
  readonly #times = new WeakMap<object, Map<string, Pinned>>();

  constructor(
    private readonly clock: Clock,
    private readonly wall: WallClock,
  ) {}

  /** ISO 8601; null stays null. `of` and `what`: whose time it is, and which. */
  at(of: object, what: string, monotonicMs: number | null): string | null {
    if (monotonicMs === null) return null;
    let times = this.#times.get(of);
    if (times === undefined) {
      times = new Map();
      this.#times.set(of, times);
    }
    const known = times.get(what);
    if (known !== undefined && Math.abs(known.monotonicMs - monotonicMs) < SAME_MS) return known.iso;
    const iso = isoAt(monotonicMs, this.clock, this.wall) as string;
    times.set(what, { monotonicMs, iso });
    return iso;
  }
}

// Times of the monotonic clock as epoch milliseconds, for viewers on other machines.
//
// EPOCH-TIMES-1. One monotonic time is always the same epoch time: the distance of the two clocks is kept, and measured again only after the wall
//     clock was set. Measured at each read it differs by a millisecond from read to read, and what is shown would look changed.
// EPOCH-TIMES-2. A time that is not finite is null: it never comes, or never was.
import type { Clock, WallClock } from '../actors/ports/clock.js';

/** By how much the clocks have to disagree before the wall clock counts as set, ms. */
const SET_MS = 1000;

export class EpochTimes {
  #distanceMs = Number.NaN;

  constructor(
    private readonly clock: Pick<Clock, 'now'>,
    private readonly wall: WallClock,
  ) {}

  /** `monotonicMs`: a time of the clock. Whole epoch milliseconds, or null (EPOCH-TIMES-2). */
  readonly at = (monotonicMs: number): number | null => {
    if (!Number.isFinite(monotonicMs)) return null;
    const measured = this.wall() - this.clock.now();
    // Also at first: NaN is never near.
    if (!(Math.abs(measured - this.#distanceMs) < SET_MS)) this.#distanceMs = measured;
    return Math.round(monotonicMs + this.#distanceMs);
  };
}

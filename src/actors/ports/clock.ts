// Time as the actors need it. Types alone.

/** Monotonic time in milliseconds with fractions, and timers on the same time line. A simulated one drives the tests. */
export interface Clock {
  now(): number;
  setTimeout(fn: (...args: unknown[]) => void, ms: number): unknown;
  clearTimeout(id: unknown): void;
}

/** Wall clock, epoch milliseconds: only for rows, events and logs, never for a decision. */
export type WallClock = () => number;

// Transport (filled in by nats/)

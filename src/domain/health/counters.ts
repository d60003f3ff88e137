// What a version, or an extension, has done, counted.

export interface Counters {
  successes: number;
  failures: number;
  /** Times its breaker opened, re-opening from half-open included. */
  trips: number;
  /** Times it closed after having been open. */
  recoveries: number;
}

export const newCounters = (): Counters => ({ successes: 0, failures: 0, trips: 0, recoveries: 0 });

export function addCounters(sum: Counters, { successes, failures, trips, recoveries }: Counters): void {
  sum.successes += successes;
  sum.failures += failures;
  sum.trips += trips;
  sum.recoveries += recoveries;
}

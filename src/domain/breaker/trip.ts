// When a breaker opens, and on what evidence. Pure: it reads a decision window and settings, and says why or null.
//
// TRIP-1. Count rule `window`: failures >= failure_threshold, while failures / outcomes >= failure_rate_floor.
// TRIP-2. Count rule `consecutive`: failures in a row, those still in the window, >= failure_threshold; no floor.
// TRIP-3. Rate rule, beside either: failures / outcomes > error_rate_threshold (strictly), from minimum_volume outcomes on.
// TRIP-4. A success never opens: callers evaluate at failures and at ticks only.
// TRIP-5. In all of them an overdue attempt counts as a failed one: (failures + overdue) of (outcomes + overdue), so that a
//     hang is seen before its timeouts.

import type { BreakerSettings } from '../registry/policy.js';
import type { DecisionWindow } from './decision-window.js';

export type TripReason =
  | 'failure_count'
  | 'consecutive_failures'
  | 'error_rate'
  /** A probe failed while half-open. */
  | 'probe_failed'
  /** A probe did not settle before its lease was over. */
  | 'lease_over';

export function evaluateTrip(window: DecisionWindow, settings: BreakerSettings, nowMs: number): TripReason | null {
  const failures = window.failures(nowMs) + window.overdue;
  if (failures === 0) return null;
  const outcomes = window.outcomes(nowMs) + window.overdue;
  // A quotient, not a product: 29 of 100 is 0.29 to the last bit, while 0.29 * 100 is less than 29.
  const rate = failures / outcomes;
  if (settings.failure_rule === 'consecutive') {
    // Failures in a row are the newest outcomes, so those of them in the window are the fewer of the two counts.
    const inRow = window.consecutiveFailures + window.overdueInRow;
    if (Math.min(inRow, failures) >= settings.failure_threshold) return 'consecutive_failures';
  } else if (failures >= settings.failure_threshold && rate >= settings.failure_rate_floor) {
    return 'failure_count';
  }
  if (outcomes >= settings.minimum_volume && rate > settings.error_rate_threshold) return 'error_rate';
  return null;
}

/** The count is reached but the floor holds it back: worth an event, not a trip. */
export function isHighFailureCount(window: DecisionWindow, settings: BreakerSettings, nowMs: number): boolean {
  return (
    settings.failure_rule === 'window' &&
    window.failures(nowMs) + window.overdue >= settings.failure_threshold &&
    evaluateTrip(window, settings, nowMs) === null
  );
}

/**
 * How long it stays open, in ms: open_seconds, doubled per trip in a row (`trips` counts from 1) up to open_max_seconds;
 * then jitter is added, never taken away: 0..10 % by `random` (0..1).
 */
export function openMs(trips: number, settings: BreakerSettings, random: number): number {
  const longest = Math.max(settings.open_seconds, settings.open_max_seconds);
  const doublings = trips > 1 ? Math.min(trips - 1, 30) : 0;
  const seconds = Math.min(settings.open_seconds * 2 ** doublings, longest);
  return seconds * 1000 * (1 + 0.1 * random);
}

/** The new end of a time that ends at `untilMs`, once the settings in force give `ms` from now: sooner, or unchanged. */
export const endsBy = (untilMs: number, nowMs: number, ms: number): number => Math.min(untilMs, nowMs + ms);

// When one endpoint of a target (the instances that share a subject) is taken out of rotation, and for how long. Pure.
//
// EJECTION-1. By row: EJECT_ROW failures in a row, overdue attempts among them, since the first of which was sent a sibling succeeded.
// EJECTION-2. By rate: from RATE_VOLUME outcomes in the window on, a success rate more than RATE_GAP below its siblings' together.
// EJECTION-3. No sibling success, no ejection: then the target fails as a whole and its breaker decides.
// EJECTION-4. At most half of a target's endpoints are ejected, rounded down: 0 of 1, 1 of 2, 1 of 3.
// EJECTION-5. The time out of rotation doubles with each ejection in a row, up to LONGEST times the first.
import type { DecisionWindow } from './decision-window.js';

export type EjectionReason = 'failures_in_a_row' | 'success_rate' | 'reported_unhealthy';

/** Recent results of one endpoint, as far as an ejection depends on them. */
export interface EndpointStats {
  /** Its outcomes of the target's present generation, overdue attempts beside them. */
  readonly window: DecisionWindow;
  /** Failures since its last success. */
  readonly failuresInRow: number;
  /** When the first attempt of that row was sent; meaningful only within a row. Monotonic ms, as all times here. */
  readonly rowSentMs: number;
  /** -Infinity before the first. */
  readonly lastSuccessMs: number;
}

const EJECT_ROW = 3;
const RATE_VOLUME = 10;
/** A hair above, because a difference of two quotients is rounded: 0.9 - 0.6 is more than 0.3. */
const RATE_GAP = 0.3 + 1e-9;
const LONGEST = 10;

/** `siblings`: the other endpoints of its target that are in rotation. */
export function ejectionReason(
  own: EndpointStats,
  siblings: Iterable<EndpointStats>,
  nowMs: number,
): Exclude<EjectionReason, 'reported_unhealthy'> | null {
  return mayHaveReason(own, nowMs) ? reasonAmong(own, sumOf(siblings, nowMs), nowMs) : null;
}

/** False: it did too little for a verdict, whatever its siblings did. */
export function mayHaveReason({ failuresInRow, window }: EndpointStats, nowMs: number): boolean {
  return failuresInRow + window.overdue >= EJECT_ROW || window.outcomes(nowMs) + window.overdue >= RATE_VOLUME;
}

/** What several endpoints did together. */
export interface EndpointStatsSum {
  readonly successes: number;
  readonly outcomes: number;
  /** Of those with the latest success, and of the others. */
  readonly lastSuccessMs: number;
  readonly nextSuccessMs: number;
}

export function sumOf(endpoints: Iterable<EndpointStats>, nowMs: number): EndpointStatsSum {
  let successes = 0;
  let outcomes = 0;
  let lastSuccessMs = Number.NEGATIVE_INFINITY;
  let nextSuccessMs = Number.NEGATIVE_INFINITY;
  for (const endpoint of endpoints) {
    const total = endpoint.window.outcomes(nowMs);
    successes += total - endpoint.window.failures(nowMs);
    outcomes += total + endpoint.window.overdue;
    if (endpoint.lastSuccessMs > lastSuccessMs) {
      nextSuccessMs = lastSuccessMs;
      lastSuccessMs = endpoint.lastSuccessMs;
    } else if (endpoint.lastSuccessMs > nextSuccessMs) nextSuccessMs = endpoint.lastSuccessMs;
  }
  return { successes, outcomes, lastSuccessMs, nextSuccessMs };
}

/** The same sum without one of its endpoints. */
export function without(sum: EndpointStatsSum, own: EndpointStats, nowMs: number): EndpointStatsSum {
  const total = own.window.outcomes(nowMs);
  return {
    successes: sum.successes - (total - own.window.failures(nowMs)),
    outcomes: sum.outcomes - (total + own.window.overdue),
    lastSuccessMs: own.lastSuccessMs === sum.lastSuccessMs ? sum.nextSuccessMs : sum.lastSuccessMs,
    nextSuccessMs: sum.nextSuccessMs,
  };
}

/** `siblings`: the sum of the other endpoints of its target that are in rotation. */
export function reasonAmong(
  own: EndpointStats,
  siblings: EndpointStatsSum,
  nowMs: number,
): Exclude<EjectionReason, 'reported_unhealthy'> | null {
  const isRow = own.failuresInRow + own.window.overdue >= EJECT_ROW;
  if (isRow && siblings.lastSuccessMs >= own.rowSentMs) return 'failures_in_a_row';
  const outcomes = own.window.outcomes(nowMs) + own.window.overdue;
  if (outcomes < RATE_VOLUME || siblings.successes === 0) return null;
  const successes = own.window.outcomes(nowMs) - own.window.failures(nowMs);
  return siblings.successes / siblings.outcomes - successes / outcomes > RATE_GAP ? 'success_rate' : null;
}

/** EJECTION-4: whether one more of `endpoints` may be ejected while `out` are. */
export const mayEject = (endpoints: number, out: number): boolean => out < Math.floor(endpoints / 2);

/** EJECTION-5: `ejections` in a row, from 1; `firstSeconds` is `ejection_seconds`. */
export const ejectionMs = (ejections: number, firstSeconds: number): number =>
  firstSeconds * 1000 * Math.min(2 ** Math.min(ejections - 1, 30), LONGEST);

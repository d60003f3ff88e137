// When so many extensions fail at the same time that the cause is probably ours, or that of the network between.
//
// MASS-FAILURE-1. It is one while more than half, and at least MIN_FAILING, of the extensions with traffic fail.
// MASS-FAILURE-2. With traffic is an extension with an outcome in the time of the health window; and one that is on and open, whose
//     callers are refused and so leave none. One that was switched off is not: nothing more would be written about it.
// MASS-FAILURE-3. What fails is open or half-open: extensions that opened together half-open together, and have not recovered by it.
//     What a person isolated does not.
import { HEALTH_WINDOW_MS } from './health-window.js';

/** Of an extension's default target. */
interface TrafficCounts {
  readonly state: 'closed' | 'open' | 'half_open';
  readonly isIsolated: boolean;
  readonly enabled: boolean;
  /** Since its last outcome; null: it had none. */
  readonly outcomeAgoMs: number | null;
}

/** null: no traffic, so it does not count. */
export type TrafficState = 'failing' | 'working' | null;

export const MIN_FAILING = 5;

export function trafficStateOf({ state, isIsolated, enabled, outcomeAgoMs }: TrafficCounts): TrafficState {
  const isFailing = state !== 'closed' && !isIsolated;
  if (outcomeAgoMs !== null && outcomeAgoMs < HEALTH_WINDOW_MS) return isFailing ? 'failing' : 'working';
  return isFailing && state === 'open' && enabled ? 'failing' : null;
}

export const isMassFailure = (failing: number, withTraffic: number): boolean =>
  failing >= MIN_FAILING && failing > withTraffic / 2;

// When so many extensions fail at the same time that the cause is probably the daemon or the network.
//
// MASS-FAILURE-1. It is one while more than half, and at least MIN_FAILING, of the extensions with traffic fail.
// MASS-FAILURE-2. An extension has traffic if it has an outcome within the health window, or if it is enabled and open: its callers are
//     refused and leave no outcome. A disabled one has none: nothing more would be written about it.
// MASS-FAILURE-3. An extension fails while it is open or half-open: extensions that opened together half-open together, and have not
//     recovered by that. One that an operator isolated does not count as failing.
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

const MIN_FAILING = 5;

export function trafficStateOf({ state, isIsolated, enabled, outcomeAgoMs }: TrafficCounts): TrafficState {
  const isFailing = state !== 'closed' && !isIsolated;
  if (outcomeAgoMs !== null && outcomeAgoMs < HEALTH_WINDOW_MS) return isFailing ? 'failing' : 'working';
  return isFailing && state === 'open' && enabled ? 'failing' : null;
}

export const isMassFailure = (failing: number, withTraffic: number): boolean =>
  failing >= MIN_FAILING && failing > withTraffic / 2;

// The numbers that a breaker's verdict rests on, as its decision window has them.
import type { DecisionWindow } from './decision-window.js';

export interface TripEvidence {
  readonly failures: number;
  readonly outcomes: number;
  readonly errorRate: number | null;
  readonly windowMs: number;
  readonly firstFailureMs: number | null;
  readonly lastFailureMs: number | null;
}

export function evidenceOf(window: DecisionWindow, nowMs: number): TripEvidence {
  return {
    failures: window.failures(nowMs),
    outcomes: window.outcomes(nowMs),
    errorRate: window.errorRate(nowMs),
    windowMs: window.windowMs,
    firstFailureMs: window.firstFailureMs(nowMs),
    lastFailureMs: window.lastFailureMs(nowMs),
  };
}

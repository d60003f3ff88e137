// The numbers that a breaker's verdict rests on, as its decision window has them.
import type { DecisionWindow } from './decision-window.js';

export interface TripEvidence {
  readonly failures: number;
  readonly outcomes: number;
  /** Failures that are successes slower than slow_call_ms. */
  readonly slow: number;
  /** Attempts in flight that are overdue, which count as failed. */
  readonly overdue: number;
  /** (failures + overdue) / (outcomes + overdue), 0..1; null without any. */
  readonly errorRate: number | null;
  readonly windowMs: number;
  readonly firstFailureMs: number | null;
  readonly lastFailureMs: number | null;
}

export function evidenceOf(window: DecisionWindow, nowMs: number): TripEvidence {
  const failures = window.failures(nowMs);
  const outcomes = window.outcomes(nowMs);
  const { overdue } = window;
  return {
    failures,
    outcomes,
    slow: window.slow(nowMs),
    overdue,
    errorRate: outcomes + overdue === 0 ? null : (failures + overdue) / (outcomes + overdue),
    windowMs: window.windowMs,
    firstFailureMs: window.firstFailureMs(nowMs),
    lastFailureMs: window.lastFailureMs(nowMs),
  };
}

// One endpoint of a target: the instances that share a subject, among which NATS picks. What is known of it, what it did
// lately and whether it is in rotation; outlier-detector.ts decides.

import { DecisionWindow } from '../../domain/breaker/decision-window.js';
import type { EndpointStats } from '../../domain/breaker/ejection.js';
import { RecentSuccess } from '../../domain/breaker/recent-success.js';
import { HealthWindow } from '../../domain/health/health-window.js';
import { LazySet } from '../../domain/lazy-map.js';
import type { PoolSeat } from '../../domain/routing/pool-member.js';

export class Endpoint implements EndpointStats, PoolSeat {
  readonly subject: string;
  readonly window: DecisionWindow;
  /** Every settled attempt of the last five minutes. */
  readonly health = new HealthWindow();
  /** For the balancer alone: every settled attempt, and each refusal for being busy. */
  readonly recent = new RecentSuccess();
  /** Attempts in flight to it, of any term, generation and purpose. */
  inFlight = 0;
  isInRotation = true;
  readonly withheld = new LazySet<string>();
  /** It asked not to be called until then (429 with Retry-After). Monotonic ms, as all times here. */
  restUntilMs = Number.NEGATIVE_INFINITY;
  /** Rises when it leaves rotation or returns: an attempt of an earlier term no longer counts for its target. */
  term = 0;

  /** Its name in its target's record; 0 until then. */
  recordNumber = 0;

  failuresInRow = 0;
  rowSentMs = 0;
  lastSuccessMs = Number.NEGATIVE_INFINITY;
  /** Its failures in the target's present row of failures, which `targetRow` names. */
  failuresInTargetRow = 0;
  targetRow = -1;
  /** No responders since then; null: there are some, as far as is known. */
  absentSinceMs: number | null = null;

  /** When it may be tried; meaningful only while it is out of rotation. */
  ejectedUntilMs = 0;
  /** In a row, for the doubling. */
  ejections = 0;
  returnedMs = Number.NEGATIVE_INFINITY;
  /** It is out of rotation because an operator reported it, and nothing was measured here since. */
  isReported = false;
  /** The attempt that tries it is in flight. */
  isTried = false;
  /** When its last attempt settled; null before the first. */
  settledMs: number | null = null;

  constructor(subject: string, windowMs: number) {
    this.subject = subject;
    this.window = new DecisionWindow(windowMs);
  }

  successRate(nowMs: number): number {
    return this.recent.rate(nowMs);
  }

  succeeded(nowMs: number): void {
    this.failuresInRow = 0;
    this.lastSuccessMs = nowMs;
  }

  /** `targetRow`: the target's row of failures that it belongs to. */
  failed(sentMs: number, targetRow: number): void {
    if (this.failuresInRow === 0) this.rowSentMs = sentMs;
    this.failuresInRow++;
    if (this.targetRow !== targetRow) this.failuresInTargetRow = 0;
    this.targetRow = targetRow;
    this.failuresInTargetRow++;
  }

  /** One more attempt in flight is overdue; called for the oldest first. */
  countOverdue(sentMs: number, isInRow: boolean): void {
    if (this.failuresInRow === 0 && this.window.overdue === 0) this.rowSentMs = sentMs;
    this.window.setOverdue(this.window.overdue + 1, this.window.overdueInRow + (isInRow ? 1 : 0));
  }
}

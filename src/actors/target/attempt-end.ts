// What the end of an attempt means for the target it was sent to, no matter what sent it: a call or an active check.
import { classify, type Outcome } from '../../domain/breaker/outcome.js';
import type { Failure } from '../../domain/health/recent-failures.js';
import type { AttemptEnd, Reply } from '../ports/transport.js';
import type { Attempt } from './in-flight.js';
import type { Target } from './target.js';

/** Settles it. `reply` is null unless `end` is 'reply'. */
export function endAttempt(
  target: Target,
  attempt: Attempt,
  end: AttemptEnd,
  reply: Reply | null,
  absenceGraceMs: number,
  nowMs: number,
): Outcome {
  const { endpoint, startedMs } = attempt;
  const withinGrace = end === 'no_responders' && target.isWithinAbsenceGrace(endpoint, absenceGraceMs, nowMs);
  if (end === 'reply' || end === 'timeout') target.stats.notePresence(endpoint);
  const code = reply === null ? 0 : reply.serviceErrorCode;
  const outcome = classify(end, code, withinGrace);
  target.settle(attempt, outcome, nowMs - startedMs, nowMs);
  if (code === 429 && endpoint !== null) {
    // It refuses immediately, and would look idle to a balancer.
    endpoint.recent.record(false, nowMs);
    if (reply?.retryAfterMs) endpoint.restUntilMs = nowMs + reply.retryAfterMs;
  }
  return outcome;
}

/** What is kept of an attempt whose outcome is a failure. `number`: of its call, from 1; null: an active check. */
export function failureOf(
  { instanceId, startedMs }: Attempt,
  end: AttemptEnd,
  reply: Reply | null,
  number: number | null,
  nowMs: number,
  atMs: number,
): Failure {
  return {
    atMs,
    kind: end === 'reply' ? 'error' : end === 'timeout' ? 'timeout' : 'no_responders',
    code: reply?.serviceErrorCode ?? null,
    message: reply?.serviceError ?? null,
    instanceId,
    attempt: number,
    durationMs: nowMs - startedMs,
  };
}

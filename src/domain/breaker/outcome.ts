// What an attempt's end means for the target it was sent to: success, failure or neutral (is not counted).
//
// OUTCOME-1. Timeout, no responders, a service error of 500 or more: failure. A reply or a service error below 500: success.
// OUTCOME-2. 429, our own disconnect, a subject we may not publish to, oversize: neutral.
// OUTCOME-3. No responders is neutral while the target is within its absence grace (a rolling restart), never in half-open.
// OUTCOME-4. What was refused before it was sent has no outcome.

export type Outcome = 'success' | 'failure' | 'neutral';

/** How an attempt can end on the wire; see AttemptEnd in actors/ports/transport.ts, which this mirrors. */
type End = 'reply' | 'timeout' | 'no_responders' | 'disconnected' | 'not_permitted' | 'too_large';

export function classify(end: End, serviceErrorCode: number, withinAbsenceGrace: boolean): Outcome {
  switch (end) {
    case 'reply':
      if (serviceErrorCode === 429) return 'neutral';
      return serviceErrorCode >= 500 ? 'failure' : 'success';
    case 'timeout':
      return 'failure';
    case 'no_responders':
      return withinAbsenceGrace ? 'neutral' : 'failure';
    case 'disconnected':
    case 'not_permitted':
    case 'too_large':
      return 'neutral';
    default:
      return end satisfies never;
  }
}

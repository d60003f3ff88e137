// When a success rate is too low to be called healthy. One rule for all users.
//
// SUCCESS-RATE-1. A rate is judged from MIN_OUTCOMES on, and is low strictly under the minimum.

const MIN_OUTCOMES = 10;

/** `minSuccessRate`: 0..1. `unknown`: too few outcomes to say. */
export function judgeSuccessRate(
  { successes, failures }: { readonly successes: number; readonly failures: number },
  minSuccessRate: number,
): 'low' | 'fine' | 'unknown' {
  const outcomes = successes + failures;
  if (outcomes < MIN_OUTCOMES) return 'unknown';
  return successes / outcomes < minSuccessRate ? 'low' : 'fine';
}

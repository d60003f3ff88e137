// Why a breaker opened, in numbers: `5 failures (2 slow) and 1 overdue of 77 in 60 s`.

export interface Evidence {
  readonly failures: number;
  /** Absent in what was written before there were any. */
  readonly slow?: number;
  readonly overdue: number;
  readonly outcomes: number;
  readonly window_seconds: number;
}

export function failuresText({ failures, slow = 0, overdue, outcomes, window_seconds: seconds }: Evidence): string {
  const late = slow === 0 ? '' : ` (${slow} slow)`;
  const hung = overdue === 0 ? '' : ` and ${overdue} overdue`;
  return `${failures} ${failures === 1 ? 'failure' : 'failures'}${late}${hung} of ${outcomes + overdue} in ${seconds} s`;
}

// Why a breaker opened, in numbers: `5 failures and 1 overdue of 77 in 60 s`.

export interface Evidence {
  readonly failures: number;
  readonly overdue: number;
  readonly outcomes: number;
  readonly window_seconds: number;
}

export function failuresText({ failures, overdue, outcomes, window_seconds: seconds }: Evidence): string {
  const hung = overdue === 0 ? '' : ` and ${overdue} overdue`;
  return `${failures} ${failures === 1 ? 'failure' : 'failures'}${hung} of ${outcomes + overdue} in ${seconds} s`;
}

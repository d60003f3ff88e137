// The one table of what can go wrong with an invocation. docs/errors.md is compared with it by a test.

/** Whether the same call may be made again: `maybe_executed` = the extension may have done the work already. */
export type Retryable = 'no' | 'yes' | 'maybe_executed';

export const ERROR_TABLE = {
  invalid_request: { status: 400, retryable: 'no', when: 'bad subject token, header, envelope or budget' },
  unauthenticated: { status: 401, retryable: 'no', when: 'an admin verb without an access token that is valid' },
  extension_not_found: { status: 404, retryable: 'no', when: 'no such extension' },
  payload_too_large: {
    status: 413,
    retryable: 'no',
    when: "above the configured limit or the server's, including the daemon's headers",
  },
  overloaded: {
    status: 429,
    retryable: 'yes',
    when: '`max_in_flight` of the extension or the daemon; or, with `details.reason` `admission`, more calls arrive than the daemon can serve',
  },
  internal_error: { status: 500, retryable: 'maybe_executed', when: 'a fault of the daemon; its log has the cause' },
  extension_error: { status: 502, retryable: 'maybe_executed', when: 'a service error of 500 or more, after retries' },
  extension_unavailable: {
    status: 503,
    retryable: 'yes',
    when: 'nothing was sent, or no further attempt (then maybe executed); `details.reason` says why, and whether to try again',
  },
  not_connected: {
    status: 503,
    retryable: 'maybe_executed',
    when: 'the daemon is disconnected from NATS, or stopping',
  },
  database_unavailable: {
    status: 503,
    retryable: 'yes',
    when: 'an admin verb needs the database, which is away',
  },
  extension_timeout: {
    status: 504,
    retryable: 'maybe_executed',
    when: 'the last attempt took longer than its `timeout_ms`',
  },
  deadline_exceeded: { status: 504, retryable: 'maybe_executed', when: "the caller's budget ran out" },
} as const satisfies Record<string, { status: number; retryable: Retryable; when: string }>;

export type ErrorCode = keyof typeof ERROR_TABLE;

/** `details.reason` of `extension_unavailable`. */
export const UNAVAILABLE_REASONS = {
  circuit_open: 'its breaker is open; `retry_after_ms` says for how long',
  half_open_full: 'half-open and all of its permits are in use',
  recovering: 'it has just closed, and as many calls are in flight as its slow start allows so far',
  isolated: 'an operator isolated it',
  disabled: 'an operator disabled it',
  auto_disabled: 'disabled automatically, and `auto_enable_on_circuit_close` is off',
  no_version: 'no version matches the call: rules exclude it, and there is no default version',
  no_instance: 'it has instances and none of them is usable',
  no_responders: 'no extension listens on its subject',
  row_invalid: 'its row in the registry is not valid; `extreg migrate --dry-run` says why',
  actor_failed: 'its actor failed too often; it is retried every minute',
} as const;

export type UnavailableReason = keyof typeof UNAVAILABLE_REASONS;

/** Reasons that last until an operator changes something: the same call again would be refused again. */
export const LASTING_REASONS: ReadonlySet<UnavailableReason> = new Set<UnavailableReason>([
  'isolated',
  'disabled',
  'auto_disabled',
  'no_version',
  'row_invalid',
]);

/** A failure that this daemon made, on its way to the caller. */
export interface InvocationError {
  readonly code: ErrorCode;
  /** A sentence for the operator or caller: what was expected and what was got. */
  readonly message: string;
  readonly retryAfterMs?: number;
  readonly details?: Readonly<Record<string, unknown>>;
  /** Overrides the table if more is known about the case, such as a deadline that ran out before anything was sent. */
  readonly retryable?: Retryable;
}

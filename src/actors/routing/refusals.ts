// The error that a caller gets if its call gets no answer of the extension.
import { type InvocationError, LASTING_REASONS, type UnavailableReason } from '../../domain/registry/errors.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import type { Service } from '../extension/service.js';
import type { AttemptEnd, Reply } from '../ports/transport.js';
import {
  type Admission,
  REFUSED_ACTOR_FAILED,
  REFUSED_HALF_OPEN_FULL,
  REFUSED_ISOLATED,
  REFUSED_OPEN,
  REFUSED_RECOVERING,
} from '../target/admission.js';

/** `limit`: the `max_in_flight` that is reached; `of`: the extension or the daemon. */
export const overloaded = (of: string, limit: number): InvocationError => ({
  code: 'overloaded',
  message: `too many calls in flight for ${of} (max_in_flight: ${limit})`,
});

/** As many calls of it are in flight as this replica admits. */
export function extensionFull({ id, extension, inFlightLimit, replicas }: ExtensionRuntime): InvocationError {
  const { max_in_flight: limit = inFlightLimit } = extension.policy;
  if (replicas === 1) return overloaded(id, limit);
  const share = `${inFlightLimit} here, the share of one of ${replicas} replicas`;
  return { code: 'overloaded', message: `too many calls in flight for ${id} (max_in_flight: ${limit}; ${share})` };
}

/** Why an extension has no place for a call of another one; null: it has, or the call is its own. */
export function placeRefusal(serving: ExtensionRuntime, called: ExtensionRuntime): InvocationError | null {
  return serving !== called && serving.inFlight >= serving.inFlightLimit ? extensionFull(serving) : null;
}

export function unavailable(reason: UnavailableReason, extensionId: string, retryAfterMs?: number): InvocationError {
  return {
    code: 'extension_unavailable',
    message: `${extensionId} cannot be called: ${reason}`,
    details: { reason },
    ...(LASTING_REASONS.has(reason) ? { retryable: 'no' as const } : {}),
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

export const deadlineExceeded = (budgetMs: number, attempts: number): InvocationError => ({
  code: 'deadline_exceeded',
  message: `the budget of ${budgetMs} ms ran out after ${attempts} attempt(s)`,
});

/** Why a target gives no permit, and in how many milliseconds asking again may help, if known. */
export function refusalOf(
  refusal: Admission,
  { target, version }: Service,
  nowMs: number,
): { readonly reason: UnavailableReason; readonly retryAfterMs?: number } {
  switch (refusal) {
    case REFUSED_OPEN:
      return { reason: 'circuit_open', retryAfterMs: Math.ceil(target.openRemainingMs(nowMs)) };
    case REFUSED_HALF_OPEN_FULL:
      return { reason: 'half_open_full', retryAfterMs: version.timeoutMs };
    case REFUSED_RECOVERING:
      return { reason: 'recovering', retryAfterMs: version.timeoutMs };
    case REFUSED_ISOLATED:
      return { reason: 'isolated' };
    case REFUSED_ACTOR_FAILED:
      return { reason: 'actor_failed' };
    default:
      throw new RangeError(`no refusal has the number ${refusal}`);
  }
}

/** What the end of the last attempt is to the caller. `attempts`: how many were sent, this one included. */
export function errorOfEnd(
  end: Exclude<AttemptEnd, 'no_responders'>,
  reply: Reply | null,
  id: string,
  timeoutMs: number,
  subject: string,
  attempts: number,
): InvocationError {
  switch (end) {
    case 'reply':
      return {
        code: 'extension_error',
        message: `${id} answered with service error ${reply?.serviceErrorCode} in ${attempts} attempt(s)`,
        details: { extension_code: reply?.serviceErrorCode, extension_error: reply?.serviceError },
      };
    case 'timeout':
      return {
        code: 'extension_timeout',
        message: `${id} did not answer within ${timeoutMs} ms in ${attempts} attempt(s)`,
      };
    case 'disconnected':
      return { code: 'not_connected', message: 'the daemon lost its connection to NATS while the call was in flight' };
    case 'not_permitted':
      return {
        code: 'not_connected',
        message: `NATS does not let the daemon publish to ${subject}`,
        details: { reason: 'not_permitted' },
        retryable: 'no',
      };
    case 'too_large':
      return {
        code: 'payload_too_large',
        message: "body and headers together are over the NATS server's limit",
        details: { direction: 'request' },
      };
    default:
      return end satisfies never;
  }
}

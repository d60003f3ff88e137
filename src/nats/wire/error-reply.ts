// The form a failure of ours has on the wire: three headers and a JSON body.
//
// ERROR-REPLY-1. `Extreg-Error` is only ever written here: an extension cannot send it, so that a caller can distinguish our errors from the extension's.
import { ERROR_TABLE, type InvocationError, type Retryable } from '../../domain/registry/errors.js';
import { headerValue, STATUS_LINE } from './headers.js';

const MAX_HEADER_MESSAGE_LENGTH = 512;

/** Body of an error, `{"error": …}`. */
export interface WireError {
  readonly code: string;
  readonly message: string;
  readonly extension_id: string;
  /**
   * True: the same call may be made again. False: it may not, or it is not known to be safe because the extension may have
   * done the work already; `details.maybe_executed` is true then, and a caller whose calls are idempotent may repeat them.
   */
  readonly retryable: boolean;
  /** When to try again, whole milliseconds from now. */
  readonly retry_after_ms?: number;
  readonly details?: Readonly<Record<string, unknown>>;
}

export function errorBlock(error: InvocationError): string {
  const message = headerValue(error.message.slice(0, MAX_HEADER_MESSAGE_LENGTH));
  return `${STATUS_LINE}Extreg-Error: ${error.code}\r\nNats-Service-Error-Code: ${ERROR_TABLE[error.code].status}\r\nNats-Service-Error: ${message}\r\n\r\n`;
}

export const errorBody = (error: InvocationError, extensionId: string): Buffer =>
  Buffer.from(JSON.stringify({ error: wireError(error, extensionId) }));

export function wireError(error: InvocationError, extensionId: string): WireError {
  const retryable: Retryable = error.retryable ?? ERROR_TABLE[error.code].retryable;
  const details = retryable === 'maybe_executed' ? { ...error.details, maybe_executed: true } : error.details;
  return {
    code: error.code,
    message: error.message,
    extension_id: extensionId,
    retryable: retryable === 'yes',
    ...(error.retryAfterMs === undefined ? {} : { retry_after_ms: Math.ceil(error.retryAfterMs) }),
    ...(details === undefined ? {} : { details }),
  };
}

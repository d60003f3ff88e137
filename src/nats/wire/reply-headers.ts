// What of an extension's header block reaches the caller, and what it says to the daemon. HEADERS-1 to HEADERS-3 of headers.ts.
import type { WallClock } from '../../actors/ports/clock.js';
import { parseRetryAfter } from '../../domain/routing/retry-after.js';
import { bytesOf, type HeaderBlock, startsAt, startsAtIgnoringCase } from './header-block.js';
import { HeaderLines } from './header-lines.js';
import { decodeValue } from './headers.js';

const MAX_SERVICE_ERROR_LENGTH = 512;

const NATS = bytesOf('nats-');
const OURS = bytesOf('extreg-');
const ERROR_CODE = bytesOf('Nats-Service-Error-Code');
const ERROR = bytesOf('Nats-Service-Error');
const TRACE_PARENT = bytesOf('traceparent');
const TRACE_STATE = bytesOf('tracestate');
const RETRY_AFTER = bytesOf('retry-after');

/** What an extension's header block says, and what of it the caller gets. */
export interface ReplyHeaders {
  /** Lines for the caller, each with its CRLF. */
  readonly forwarded: string;
  /** As Reply.serviceErrorCode, Reply.serviceError and Reply.retryAfterMs of the ports. */
  readonly serviceErrorCode: number;
  readonly serviceError: string;
  readonly retryAfterMs: number | null;
}

export const NO_REPLY_HEADERS: ReplyHeaders = {
  forwarded: '',
  serviceErrorCode: 0,
  serviceError: '',
  retryAfterMs: null,
};

/** HEADERS-2 for a reply: an extension that sends such a block has failed. */
const MALFORMED_REPLY: ReplyHeaders = {
  forwarded: '',
  serviceErrorCode: 500,
  serviceError: 'the reply has a malformed header block',
  retryAfterMs: null,
};

/**
 * Reads an extension's block, HEADERS-1 to HEADERS-3. Context is never returned to the caller, also not `traceparent` and `tracestate`
 * of an extension that returns all that it was sent.
 */
export function readReplyHeaders(block: HeaderBlock, wall: WallClock = Date.now): ReplyHeaders {
  if (block.length === 0) return NO_REPLY_HEADERS;
  const { bytes } = block;
  const lines = new HeaderLines(block);
  let code: string | null = null;
  let serviceError: string | null = null;
  let retryAfterMs: number | null = null;
  while (lines.next()) {
    const { start, colon } = lines;
    let keep = true;
    const isNamed = (name: Uint8Array): boolean => colon - start === name.length && startsAt(bytes, start, name);
    switch ((bytes[start] as number) | 32) {
      case 110: // n
        if (!startsAtIgnoringCase(bytes, start, NATS)) break;
        if (isNamed(ERROR_CODE)) code ??= lines.value();
        else if (isNamed(ERROR)) serviceError ??= lines.value();
        else keep = false;
        break;
      case 101: // e
        keep = !startsAtIgnoringCase(bytes, start, OURS);
        break;
      case 116: // t
        keep = !isNamed(TRACE_PARENT) && !isNamed(TRACE_STATE);
        break;
      case 114: // r
        // HTTP's, where letter case says nothing; of several the first that is valid.
        if (lines.hasName(RETRY_AFTER)) retryAfterMs ??= parseRetryAfter(lines.value(), wall());
        break;
    }
    if (!keep) lines.leaveOut();
  }
  if (lines.malformed !== null) return MALFORMED_REPLY;
  return {
    forwarded: lines.kept,
    serviceErrorCode: serviceErrorCode(code, serviceError),
    serviceError: serviceError === null ? '' : decodeValue(serviceError).slice(0, MAX_SERVICE_ERROR_LENGTH),
    retryAfterMs,
  };
}

/** 0 without either header; 500 if there is a service error and no code that is a positive number. */
function serviceErrorCode(code: string | null, serviceError: string | null): number {
  if (code === null) return serviceError === null ? 0 : 500;
  return /^[0-9]{1,9}$/.test(code) && Number(code) > 0 ? Number(code) : 500;
}

/** NATS' own answer to a request without responders: no body, status 503, no service error. A responder can forge it. */
export function saysNoResponders(block: HeaderBlock, bodyLength: number): boolean {
  if (bodyLength > 0) return false;
  const { text } = block;
  return text.startsWith('NATS/1.0 503') && text.indexOf('\r\nNats-Service-Error') === -1;
}

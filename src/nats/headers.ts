// The header codec: what of a caller's headers reaches the extension, and what of an extension's reaches the caller.
// Header blocks are handled as text in which each character is one byte (latin1), so every value survives byte for byte.
//
// K1. What passes, passes byte for byte and in order; only whole lines are left out.
// K2. A block that is not `NATS/1.0`, CRLF-ended lines `name: value` and an empty line is malformed and goes nowhere:
//     a blank in a name would end the reader of an extension on nats.js, a bare LF would smuggle a header into one on Go.
// K3. `Nats-*` and `Extreg-*` in any letter case pass neither way, but for the context headers of a caller, spelled exactly,
//     and the two service-error headers of an extension.
// K4. A context header given twice is refused: two readers could believe different ones.
import type { Msg } from '@nats-io/nats-core';
import type { MsgImpl } from '@nats-io/nats-core/internal';

export const STATUS_LINE = 'NATS/1.0\r\n';
const VERSION = 'NATS/1.0';
const MAX_SERVICE_ERROR_LENGTH = 512;
const MAX_RETRY_AFTER_SECONDS = 60;

const CR = 13;
const LF = 10;
const SPACE = 32;
const TAB = 9;

/** 1 for the characters a header name may hold: printable ASCII but the colon. */
const NAME_CHARACTER = new Uint8Array(256);
for (let code = 33; code <= 126; code += 1) NAME_CHARACTER[code] = code === 58 ? 0 : 1;

/** A message's header block as it came over the wire, one character per byte; '' without headers. Never throws. */
export function headerText(message: Msg): string {
  // The public getter decodes as UTF-8 (lossy) and throws on hostile names, so this reads the raw bytes; a contract test
  // holds the pinned version to it.
  const { _msg: frame, _rdata: bytes } = message as MsgImpl;
  if (frame.hdr <= 0) return '';
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return buffer.toString('latin1', 0, frame.hdr);
}

/** A text of ours as the characters its UTF-8 bytes have in a header block; line ends become blanks. */
export function headerValue(text: string): string {
  return Buffer.from(text, 'utf8')
    .toString('latin1')
    .replace(/[\r\n]/g, ' ');
}

/** The text of a value that came in a header block: its bytes as UTF-8, or one character per byte where they are not. */
function decodeValue(raw: string): string {
  for (let i = 0; i < raw.length; i += 1) {
    if (raw.charCodeAt(i) < 128) continue;
    const decoded = Buffer.from(raw, 'latin1').toString('utf8');
    return decoded.includes('\ufffd') ? raw : decoded;
  }
  return raw;
}

function trimmedValue(text: string, colon: number, lineEnd: number): string {
  let start = colon + 1;
  let end = lineEnd;
  while (start < end && (text.charCodeAt(start) === SPACE || text.charCodeAt(start) === TAB)) start += 1;
  while (end > start && (text.charCodeAt(end - 1) === SPACE || text.charCodeAt(end - 1) === TAB)) end -= 1;
  return text.slice(start, end);
}

const needles = new Map<string, string>();
const MAX_NEEDLES = 1000;

function needleOf(name: string): string {
  let needle = needles.get(name);
  if (needle === undefined) {
    needle = `\r\n${name}:`;
    if (needles.size < MAX_NEEDLES) needles.set(name, needle);
  }
  return needle;
}

/** First value of a header in a well-formed block, its name exactly as spelled; null where it is absent. */
export function headerIn(text: string, name: string): string | null {
  if (text === '') return null;
  const at = text.indexOf(needleOf(name));
  if (at === -1) return null;
  const colon = at + 2 + name.length;
  return decodeValue(trimmedValue(text, colon, text.indexOf('\r', colon)));
}

/** Index of the first header line, or -1 where the first line is not one of a header block. A status after the version is allowed. */
function afterStatusLine(text: string): number {
  if (!text.startsWith(VERSION)) return -1;
  const lineEnd = text.indexOf('\r\n', VERSION.length);
  if (lineEnd === -1 || text.indexOf('\n', VERSION.length) !== lineEnd + 1) return -1;
  if (lineEnd > VERSION.length && text.charCodeAt(VERSION.length) !== SPACE) return -1;
  return lineEnd + 2;
}

/** Index of the colon of the line that begins at `start`, or -1 where its name is empty or holds what no name may (K2). */
function colonOf(text: string, start: number): number {
  const colon = text.indexOf(':', start);
  if (colon <= start) return -1;
  for (let i = start; i < colon; i += 1) if (NAME_CHARACTER[text.charCodeAt(i)] !== 1) return -1;
  return colon;
}

/** Index of the CR that ends the line, or -1 where the line holds a bare CR or LF or has no end (K2). */
function lineEndOf(text: string, colon: number): number {
  const lineEnd = text.indexOf('\r', colon);
  return lineEnd !== -1 && text.indexOf('\n', colon) === lineEnd + 1 ? lineEnd : -1;
}

/** Whether the name that begins at `start` begins with `lower`, in any letter case. */
function startsWithIgnoringCase(text: string, start: number, lower: string): boolean {
  for (let i = 0; i < lower.length; i += 1) {
    const code = text.charCodeAt(start + i);
    if ((code >= 65 && code <= 90 ? code | 32 : code) !== lower.charCodeAt(i)) return false;
  }
  return true;
}

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const TRACE_ID_END = 36;
const PARENT_ID_END = 52;

/** What a caller's header block says to the daemon, and what of it the extension is to get. */
export interface CallerHeaders {
  /** Why the block is refused; null where it is not. */
  readonly problem: string | null;
  /** Lines for the extension, each with its CRLF. */
  readonly forwarded: string;
  /** `Extreg-Timeout-Ms` as given; null without one. */
  readonly timeoutMs: string | null;
  /** `Extreg-Hops` as given; null without one. */
  readonly hops: string | null;
  /** A valid traceparent in two pieces, between which a child's span id belongs; both '' without one. */
  readonly traceBefore: string;
  readonly traceAfter: string;
}

export const NO_HEADERS: CallerHeaders = {
  problem: null,
  forwarded: '',
  timeoutMs: null,
  hops: null,
  traceBefore: '',
  traceAfter: '',
};

const refused = (problem: string): CallerHeaders => ({ ...NO_HEADERS, problem });
const givenTwice = (name: string): CallerHeaders => refused(`header ${name} must be given once, got it twice`);

const TENANT = 1;
const ENVIRONMENT = 2;
const TIMEOUT = 4;
const HOPS = 8;
const TRACE = 16;
/** What stands behind `Extreg-` in the headers that are read or passed on. */
const NAME_BITS: ReadonlyMap<string, number> = new Map([
  ['Tenant-Id', TENANT],
  ['Environment', ENVIRONMENT],
  ['Timeout-Ms', TIMEOUT],
  ['Hops', HOPS],
  ['Policy-Id', 32],
  ['Routing-Key', 64],
]);

/**
 * Reads a caller's block, K1 to K4. `replaced` names context headers that the daemon sets itself for this call
 * (the tenant of the subject, the configured environment): the caller's line is left out.
 */
export function readCallerHeaders(
  text: string,
  replaced: { readonly tenant: boolean; readonly environment: boolean },
): CallerHeaders {
  if (text === '') return NO_HEADERS;
  const first = afterStatusLine(text);
  const end = text.length - 2;
  if (first === -1 || end < first) return refused('header block is malformed: it must begin with a line NATS/1.0');
  let forwarded = '';
  let keepFrom = first;
  let timeoutMs: string | null = null;
  let hops: string | null = null;
  let traceBefore = '';
  let traceAfter = '';
  let seenBits = 0;
  let seenOthers: Set<string> | null = null;
  let start = first;
  while (start < end) {
    const colon = colonOf(text, start);
    const lineEnd = colon === -1 ? -1 : lineEndOf(text, colon);
    if (lineEnd === -1)
      return refused(
        'header block is malformed: each line must be `name: value`, the name printable ASCII without blanks',
      );
    let keep = true;
    switch (text.charCodeAt(start) | 32) {
      case 110: // n
        keep = !startsWithIgnoringCase(text, start, 'nats-');
        break;
      case 101: // e
        if (!startsWithIgnoringCase(text, start, 'extreg-')) break;
        keep = false;
        if (text.startsWith('Extreg-', start)) {
          const name = text.slice(start + 7, colon);
          const bit = NAME_BITS.get(name) ?? 0;
          if (bit === 0) {
            if (!name.startsWith('Ctx-')) break;
            seenOthers ??= new Set();
            if (seenOthers.has(name)) return givenTwice(`Extreg-${name}`);
            seenOthers.add(name);
            keep = true;
            break;
          }
          if ((seenBits & bit) !== 0) return givenTwice(`Extreg-${name}`);
          seenBits |= bit;
          if (bit === TIMEOUT) timeoutMs = trimmedValue(text, colon, lineEnd);
          else if (bit === HOPS) hops = trimmedValue(text, colon, lineEnd);
          else keep = !((replaced.tenant && bit === TENANT) || (replaced.environment && bit === ENVIRONMENT));
        }
        break;
      case 116: {
        // t
        if (colon - start !== 11 || !text.startsWith('traceparent', start)) break;
        if ((seenBits & TRACE) !== 0) return givenTwice('traceparent');
        seenBits |= TRACE;
        const value = trimmedValue(text, colon, lineEnd);
        if (!TRACEPARENT.test(value)) break;
        traceBefore = `traceparent: ${value.slice(0, TRACE_ID_END)}`;
        traceAfter = `${value.slice(PARENT_ID_END)}\r\n`;
        keep = false;
        break;
      }
    }
    const next = lineEnd + 2;
    if (!keep) {
      if (start > keepFrom) forwarded += text.slice(keepFrom, start);
      keepFrom = next;
    }
    start = next;
  }
  if (start !== end || text.charCodeAt(end) !== CR || text.charCodeAt(end + 1) !== LF)
    return refused('header block is malformed: it must end with an empty line');
  if (keepFrom < end) forwarded = forwarded === '' ? text.slice(keepFrom, end) : forwarded + text.slice(keepFrom, end);
  return { problem: null, forwarded, timeoutMs, hops, traceBefore, traceAfter };
}

/** What an extension's header block says, and what of it the caller is to get. */
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

/** K2 for a reply: an extension that sends such a block has failed. */
const MALFORMED_REPLY: ReplyHeaders = {
  forwarded: '',
  serviceErrorCode: 500,
  serviceError: 'the reply has a malformed header block',
  retryAfterMs: null,
};

/**
 * Reads an extension's block, K1 to K3. Context never goes back to the caller, also not `traceparent` and `tracestate`
 * of an extension that returns all that it was sent.
 */
export function readReplyHeaders(text: string): ReplyHeaders {
  if (text === '') return NO_REPLY_HEADERS;
  const first = afterStatusLine(text);
  const end = text.length - 2;
  if (first === -1 || end < first) return MALFORMED_REPLY;
  let forwarded = '';
  let keepFrom = first;
  let code: string | null = null;
  let serviceError: string | null = null;
  let retryAfterMs: number | null = null;
  let start = first;
  while (start < end) {
    const colon = colonOf(text, start);
    const lineEnd = colon === -1 ? -1 : lineEndOf(text, colon);
    if (lineEnd === -1) return MALFORMED_REPLY;
    let keep = true;
    const length = colon - start;
    switch (text.charCodeAt(start) | 32) {
      case 110: // n
        if (!startsWithIgnoringCase(text, start, 'nats-')) break;
        if (length === 23 && text.startsWith('Nats-Service-Error-Code', start))
          code ??= trimmedValue(text, colon, lineEnd);
        else if (length === 18 && text.startsWith('Nats-Service-Error', start))
          serviceError ??= trimmedValue(text, colon, lineEnd);
        else keep = false;
        break;
      case 101: // e
        keep = !startsWithIgnoringCase(text, start, 'extreg-');
        break;
      case 116: // t
        keep = !(
          (length === 11 && text.startsWith('traceparent', start)) ||
          (length === 10 && text.startsWith('tracestate', start))
        );
        break;
      case 114: // r
        if (length === 11 && text.startsWith('Retry-After', start))
          retryAfterMs = parseRetryAfter(trimmedValue(text, colon, lineEnd));
        break;
    }
    const next = lineEnd + 2;
    if (!keep) {
      if (start > keepFrom) forwarded += text.slice(keepFrom, start);
      keepFrom = next;
    }
    start = next;
  }
  if (start !== end || text.charCodeAt(end) !== CR || text.charCodeAt(end + 1) !== LF) return MALFORMED_REPLY;
  if (keepFrom < end) forwarded = forwarded === '' ? text.slice(keepFrom, end) : forwarded + text.slice(keepFrom, end);
  return {
    forwarded,
    serviceErrorCode: serviceErrorCode(code, serviceError),
    serviceError: serviceError === null ? '' : decodeValue(serviceError).slice(0, MAX_SERVICE_ERROR_LENGTH),
    retryAfterMs,
  };
}

/** 0 without either header; 500 where there is a service error and no code that is a positive number. */
function serviceErrorCode(code: string | null, serviceError: string | null): number {
  if (code === null) return serviceError === null ? 0 : 500;
  return /^[0-9]{1,9}$/.test(code) && Number(code) > 0 ? Number(code) : 500;
}

/** Seconds, with a fraction allowed, at most 60; null for a date and for what is no number. */
function parseRetryAfter(value: string): number | null {
  if (!/^[0-9]{1,12}(\.[0-9]{1,9})?$/.test(value)) return null;
  return Math.min(Number(value), MAX_RETRY_AFTER_SECONDS) * 1000;
}

/** NATS' own answer to a request that nobody listens for: no body, status 503, no service error. A responder can forge it. */
export function saysNoResponders(text: string, bodyLength: number): boolean {
  return bodyLength === 0 && text.startsWith('NATS/1.0 503') && text.indexOf('\r\nNats-Service-Error') === -1;
}

const thousandths: readonly string[] = Array.from({ length: 1000 }, (_, i) => `.${String(i).padStart(3, '0')}`);

/** Milliseconds with three decimals: `1.234`. */
export function formatMs(ms: number): string {
  const micros = Math.max(0, Math.round(ms * 1000));
  const whole = Math.floor(micros / 1000);
  return whole + (thousandths[micros - whole * 1000] as string);
}

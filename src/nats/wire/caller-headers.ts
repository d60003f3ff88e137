// What of a caller's header block reaches the extension, and what it says to the daemon. HEADERS-1 to HEADERS-3 of headers.ts.
//
// CALLER-HEADERS-1. A context header given twice is refused: two readers could believe different ones.
// CALLER-HEADERS-2. A header that cannot set a key of the context is not forwarded as if it had: `Extreg-Ctx-tenant_id` and similar ones
//     are left out, and so is what the daemon does not accept.
// CALLER-HEADERS-3. A call has at most a hundred context keys of its own: more than rules ask for, and one call must not delay others.
import { bytesOf, type HeaderBlock, startsAt, startsAtIgnoringCase } from './header-block.js';
import { HeaderLines } from './header-lines.js';
import { decodeValue, headerIn, type SoughtHeader, TENANT_HEADER } from './headers.js';

const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const TRACE_ID_END = 36;
const PARENT_ID_END = 52;

/** What a caller's header block says to the daemon, and what of it the extension gets. */
export interface CallerHeaders {
  /** Why the block is refused; null if it is not. */
  readonly problem: string | null;
  /** Lines for the extension, each with its CRLF. */
  readonly forwarded: string;
  /** `Extreg-Timeout-Ms` as given; null without one. */
  readonly timeoutMs: string | null;
  /** `Extreg-Hops` as given; null without one. */
  readonly hops: string | null;
  /** Where the value of `Extreg-Tenant-Id` is in the block's bytes; both 0 without one. */
  readonly tenantStart: number;
  readonly tenantEnd: number;
  /** False: the block has no other context header. */
  readonly hasOtherContext: boolean;
  /** A valid traceparent in three pieces, the second of which a child's span id takes the place of; all '' without one. */
  readonly traceBefore: string;
  readonly traceParentId: string;
  readonly traceAfter: string;
}

export const NO_HEADERS: CallerHeaders = {
  problem: null,
  forwarded: '',
  timeoutMs: null,
  hops: null,
  tenantStart: 0,
  tenantEnd: 0,
  hasOtherContext: false,
  traceBefore: '',
  traceParentId: '',
  traceAfter: '',
};

const refused = (problem: string): CallerHeaders => ({ ...NO_HEADERS, problem });
const givenTwice = (name: string): CallerHeaders => refused(`header ${name} must be given once, got it twice`);

const TENANT = 1;
const ENVIRONMENT = 2;
const TIMEOUT = 4;
const HOPS = 8;
const TRACE = 16;
const POLICY = 32;
const ROUTING_KEY = 64;
const OTHER_CONTEXT = ENVIRONMENT | POLICY | ROUTING_KEY;
/** What stands behind `Extreg-` in the headers that are read or passed on. */
const NAMES = (
  [
    ['Tenant-Id', TENANT],
    ['Environment', ENVIRONMENT],
    ['Timeout-Ms', TIMEOUT],
    ['Hops', HOPS],
    ['Policy-Id', POLICY],
    ['Routing-Key', ROUTING_KEY],
  ] as const
).map(([name, bit]) => ({ name: bytesOf(name), bit }));

/** 0: none of them. */
function bitOf(bytes: Uint8Array, start: number, end: number): number {
  for (const { name, bit } of NAMES) if (name.length === end - start && startsAt(bytes, start, name)) return bit;
  return 0;
}

const NATS = bytesOf('nats-');
const OURS_IN_ANY_CASE = bytesOf('extreg-');
const OURS = bytesOf('Extreg-');
const CONTEXT = bytesOf('Ctx-');
const TRACE_NAME = bytesOf('traceparent');

/** CALLER-HEADERS-3. */
const MAX_CONTEXT_HEADERS = 100;
const TOO_MANY = refused(`a call takes at most ${MAX_CONTEXT_HEADERS} headers Extreg-Ctx-…, got more`);

/** CALLER-HEADERS-2. Names behind `Extreg-` that no context travels in. */
const NO_CONTEXT_NAMES: ReadonlySet<string> = new Set([
  'Ctx-tenant_id',
  'Ctx-policy_id',
  'Ctx-environment',
  'Ctx-routing_key',
]);

/** Which context headers of a caller do not pass: those that the daemon sets itself for this call, or does not accept. */
export interface LeftOut {
  readonly tenant: boolean;
  readonly environment: boolean;
  /** Policy, routing key and every `Extreg-Ctx-…`. */
  readonly others: boolean;
}

const MALFORMED = {
  status_line: refused('header block is malformed: it must begin with a line NATS/1.0'),
  line: refused('header block is malformed: each line must be `name: value`, the name printable ASCII without blanks'),
  end: refused('header block is malformed: it must end with an empty line'),
} as const;

/** The value of a context header in a block, as text; null without it. `headers`: what was read of the block. */
export function claimedHeader(headers: CallerHeaders, block: HeaderBlock, header: SoughtHeader): string | null {
  const { tenantStart, tenantEnd, hasOtherContext } = headers;
  if (header === TENANT_HEADER) return tenantEnd === 0 ? null : decodeValue(block.slice(tenantStart, tenantEnd));
  return hasOtherContext ? headerIn(block.text, header) : null;
}

/** Reads a caller's block, HEADERS-1 to CALLER-HEADERS-2. */
// Long: one walk over the lines; its variables are what has been found so far.
export function readCallerHeaders(block: HeaderBlock, leftOut: LeftOut): CallerHeaders {
  if (block.length === 0) return NO_HEADERS;
  const { bytes } = block;
  const lines = new HeaderLines(block);
  let timeoutMs: string | null = null;
  let hops: string | null = null;
  let tenantStart = 0;
  let tenantEnd = 0;
  let traceBefore = '';
  let traceParentId = '';
  let traceAfter = '';
  let seenBits = 0;
  let seenOthers: Set<string> | null = null;
  while (lines.next()) {
    const { start, colon } = lines;
    let keep = true;
    switch ((bytes[start] as number) | 32) {
      case 110: // n
        keep = !startsAtIgnoringCase(bytes, start, NATS);
        break;
      case 101: // e
        if (!startsAtIgnoringCase(bytes, start, OURS_IN_ANY_CASE)) break;
        keep = false;
        if (startsAt(bytes, start, OURS)) {
          const nameStart = start + OURS.length;
          const bit = bitOf(bytes, nameStart, colon);
          if (bit === 0) {
            if (!startsAt(bytes, nameStart, CONTEXT)) break;
            const name = block.slice(nameStart, colon);
            seenOthers ??= new Set();
            if (seenOthers.has(name)) return givenTwice(`Extreg-${name}`);
            if (seenOthers.size === MAX_CONTEXT_HEADERS) return TOO_MANY;
            seenOthers.add(name);
            keep = !leftOut.others && !NO_CONTEXT_NAMES.has(name);
            break;
          }
          if ((seenBits & bit) !== 0) return givenTwice(lines.name());
          seenBits |= bit;
          if (bit === TIMEOUT) timeoutMs = lines.value();
          else if (bit === HOPS) hops = lines.value();
          else if (bit === TENANT) {
            tenantStart = lines.valueStart;
            tenantEnd = lines.valueEnd;
            keep = !leftOut.tenant;
          } else keep = !(bit === ENVIRONMENT ? leftOut.environment : leftOut.others);
        }
        break;
      case 116: {
        // t
        if (colon - start !== TRACE_NAME.length || !startsAt(bytes, start, TRACE_NAME)) break;
        if ((seenBits & TRACE) !== 0) return givenTwice('traceparent');
        seenBits |= TRACE;
        const value = lines.value();
        if (!TRACEPARENT.test(value)) break;
        traceBefore = `traceparent: ${value.slice(0, TRACE_ID_END)}`;
        traceParentId = value.slice(TRACE_ID_END, PARENT_ID_END);
        traceAfter = `${value.slice(PARENT_ID_END)}\r\n`;
        keep = false;
        break;
      }
    }
    if (!keep) lines.leaveOut();
  }
  if (lines.malformed !== null) return MALFORMED[lines.malformed];
  const hasOtherContext = seenOthers !== null || (seenBits & OTHER_CONTEXT) !== 0;
  const { kept: forwarded } = lines;
  return {
    problem: null,
    forwarded,
    timeoutMs,
    hops,
    tenantStart,
    tenantEnd,
    hasOtherContext,
    traceBefore,
    traceParentId,
    traceAfter,
  };
}

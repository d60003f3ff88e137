// Names and values of headers. A block and its lines: header-block.ts and header-lines.ts; which of them pass: caller-headers.ts and reply-headers.ts.
//
// HEADERS-1. What passes, passes byte for byte and in order; only whole lines are left out.
// HEADERS-2. A block that is not `NATS/1.0`, CRLF-ended lines `name: value` and an empty line is malformed and goes nowhere:
//     a blank in a name would end the reader of an extension on nats.js, a bare LF would smuggle a header into one on Go.
// HEADERS-3. `Nats-*` and `Extreg-*` in any letter case pass neither way, but for the context headers of a caller, spelled exactly,
//     and the two service-error headers of an extension.

export const STATUS_LINE = 'NATS/1.0\r\n';

const SPACE = 32;
const TAB = 9;

/** 1 for the characters a header name may hold: printable ASCII but the colon. */
export const NAME_CHARACTER = new Uint8Array(256);
for (let code = 33; code <= 126; code += 1) NAME_CHARACTER[code] = code === 58 ? 0 : 1;

export function isHeaderName(name: string): boolean {
  for (let i = 0; i < name.length; i += 1) if (NAME_CHARACTER[name.charCodeAt(i)] !== 1) return false;
  return name !== '';
}

/** A text of ours as the characters its UTF-8 bytes have in a header block; line ends become blanks. */
export function headerValue(text: string): string {
  return Buffer.from(text, 'utf8')
    .toString('latin1')
    .replace(/[\r\n]/g, ' ');
}

/** The text of a value that came in a header block: its bytes as UTF-8, or one character per byte if they are not valid UTF-8. */
export function decodeValue(raw: string): string {
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

/** A header to search for: made once per name, because building its needle costs as much as the search. */
export interface SoughtHeader {
  readonly name: string;
  readonly needle: string;
}

export const soughtHeader = (name: string): SoughtHeader => ({ name, needle: `\r\n${name}:` });

export const TENANT_HEADER = soughtHeader('Extreg-Tenant-Id');

/** First value of a header in a well-formed block, its name exactly as spelled; null if it is absent. */
export function headerIn(text: string, { needle }: SoughtHeader): string | null {
  if (text === '') return null;
  const at = text.indexOf(needle);
  if (at === -1) return null;
  const colon = at + needle.length - 1;
  return decodeValue(trimmedValue(text, colon, text.indexOf('\r', colon)));
}

const thousandths: readonly string[] = Array.from({ length: 1000 }, (_, i) => `.${String(i).padStart(3, '0')}`);

/** Milliseconds with three decimals: `1.234`. */
export function formatMs(ms: number): string {
  const micros = Math.max(0, Math.round(ms * 1000));
  const whole = Math.floor(micros / 1000);
  return whole + (thousandths[micros - whole * 1000] as string);
}

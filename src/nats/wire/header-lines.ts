// Walks over the lines of a header block and keeps all of them but those that the reader leaves out. HEADERS-1 and HEADERS-2 of headers.ts.
import { bytesOf, type HeaderBlock, startsAt, startsAtIgnoringCase } from './header-block.js';
import { NAME_CHARACTER } from './headers.js';

const VERSION = bytesOf('NATS/1.0');
const TAB = 9;
const LF = 10;
const CR = 13;
const SPACE = 32;
const COLON = 58;

export class HeaderLines {
  /** Positions of the present line in the block's bytes: its start, its colon, and the CR that ends it. */
  start = 0;
  colon = 0;
  lineEnd = 0;
  /** HEADERS-2: what ended the walk; null: the end of a well-formed block, or none yet. */
  malformed: 'status_line' | 'line' | 'end' | null = null;
  /** Of the empty line that ends the block. */
  readonly #end: number;
  #next: number;
  #keepFrom: number;
  #kept = '';

  constructor(private readonly block: HeaderBlock) {
    const first = afterStatusLine(block);
    this.#end = block.end - 2;
    this.#next = first;
    this.#keepFrom = first;
    if (first === -1 || this.#end < first) this.malformed = 'status_line';
  }

  /** True: the present line is the next one; false: the block is over, well-formed or not. */
  next(): boolean {
    if (this.malformed !== null) return false;
    const { bytes, end } = this.block;
    const start = this.#next;
    if (start >= this.#end) {
      if (!endsWithEmptyLine(bytes, start, end)) this.malformed = 'end';
      return false;
    }
    const colon = colonOf(bytes, start, end);
    const lineEnd = colon === -1 ? -1 : lineEndOf(bytes, colon + 1, end);
    if (lineEnd === -1) {
      this.malformed = 'line';
      return false;
    }
    this.start = start;
    this.colon = colon;
    this.lineEnd = lineEnd;
    this.#next = lineEnd + 2;
    return true;
  }

  /** Of the present line, in whatever letter case. */
  hasName(lower: Uint8Array): boolean {
    const { start, colon, block } = this;
    return colon - start === lower.length && startsAtIgnoringCase(block.bytes, start, lower);
  }

  /** Of the present line. */
  name(): string {
    return this.block.slice(this.start, this.colon);
  }

  /** Of the present line, without blanks around it. */
  value(): string {
    return this.block.slice(this.valueStart, this.valueEnd);
  }

  get valueStart(): number {
    let start = this.colon + 1;
    while (start < this.lineEnd && isBlank(this.block.bytes[start])) start += 1;
    return start;
  }

  /** Not before `valueStart`. */
  get valueEnd(): number {
    let end = this.lineEnd;
    while (end > this.colon + 1 && isBlank(this.block.bytes[end - 1])) end -= 1;
    return Math.max(end, this.valueStart);
  }

  /** The present line is not kept. */
  leaveOut(): void {
    if (this.start > this.#keepFrom) this.#kept += this.block.slice(this.#keepFrom, this.start);
    this.#keepFrom = this.#next;
  }

  /** The lines that were kept, each with its CRLF. To be read when all were walked over. */
  get kept(): string {
    if (this.#keepFrom >= this.#end) return this.#kept;
    const rest = this.block.slice(this.#keepFrom, this.#end);
    return this.#kept === '' ? rest : this.#kept + rest;
  }
}

/** First value of the header with this name, given in lower case, in any letter case; '' without one, or if the block is malformed before it. */
export function headerIgnoringCase(block: HeaderBlock, lower: Uint8Array): string {
  const lines = new HeaderLines(block);
  while (lines.next()) if (lines.hasName(lower)) return lines.value();
  return '';
}

const isBlank = (byte: number | undefined): boolean => byte === SPACE || byte === TAB;

/** Index of the first header line, or -1 if the first line is not one of a header block. A status after the version is allowed. */
function afterStatusLine({ bytes, start, end }: HeaderBlock): number {
  if (!startsAt(bytes, start, VERSION)) return -1;
  const versionEnd = start + VERSION.length;
  const lineEnd = lineEndOf(bytes, versionEnd, end);
  return lineEnd === -1 || (lineEnd > versionEnd && bytes[versionEnd] !== SPACE) ? -1 : lineEnd + 2;
}

/** Index of the colon of the line that begins at `start`, or -1 if its name is empty or holds what no name may (HEADERS-2). */
function colonOf(bytes: Uint8Array, start: number, end: number): number {
  let at = start;
  while (at < end && NAME_CHARACTER[bytes[at] as number] === 1) at += 1;
  return at > start && at < end && bytes[at] === COLON ? at : -1;
}

/** Index of the CR that ends the line, or -1 if what follows holds a bare CR or LF or has no end (HEADERS-2). */
function lineEndOf(bytes: Uint8Array, start: number, end: number): number {
  for (let at = start; at < end - 1; at += 1) {
    const byte = bytes[at] as number;
    if (byte > CR) continue;
    if (byte === CR) return bytes[at + 1] === LF ? at : -1;
    if (byte === LF) return -1;
  }
  return -1;
}

/** Whether the block ends at `start` with its empty line. */
function endsWithEmptyLine(bytes: Uint8Array, start: number, end: number): boolean {
  return start === end - 2 && bytes[start] === CR && bytes[start + 1] === LF;
}

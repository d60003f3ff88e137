// Walks over the lines of a header block and keeps all of them but those that the reader leaves out. HEADERS-1 and HEADERS-2 of headers.ts.
import { NAME_CHARACTER, trimmedValue } from './headers.js';

const VERSION = 'NATS/1.0';
const CR = 13;
const LF = 10;
const SPACE = 32;

export class HeaderLines {
  /** Positions in the present line: its start, its colon, and the CR that ends it. */
  start = 0;
  colon = 0;
  lineEnd = 0;
  /** HEADERS-2: what ended the walk; null: the end of a well-formed block, or none yet. */
  malformed: 'status_line' | 'line' | 'end' | null = null;
  readonly #end: number;
  #next: number;
  #keepFrom: number;
  #kept = '';

  /** `text`: a whole block, one character per byte. */
  constructor(readonly text: string) {
    const first = afterStatusLine(text);
    this.#end = text.length - 2;
    this.#next = first;
    this.#keepFrom = first;
    if (first === -1 || this.#end < first) this.malformed = 'status_line';
  }

  /** True: the present line is the next one; false: the block is over, well-formed or not. */
  next(): boolean {
    if (this.malformed !== null) return false;
    const { text } = this;
    const start = this.#next;
    if (start >= this.#end) {
      if (!endsWithEmptyLine(text, start)) this.malformed = 'end';
      return false;
    }
    const colon = colonOf(text, start);
    const lineEnd = colon === -1 ? -1 : lineEndOf(text, colon);
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

  /** Of the present line, without blanks around it. */
  value(): string {
    return trimmedValue(this.text, this.colon, this.lineEnd);
  }

  /** The present line is not kept. */
  leaveOut(): void {
    if (this.start > this.#keepFrom) this.#kept += this.text.slice(this.#keepFrom, this.start);
    this.#keepFrom = this.#next;
  }

  /** The lines that were kept, each with its CRLF. To be read when all were walked over. */
  get kept(): string {
    if (this.#keepFrom >= this.#end) return this.#kept;
    const rest = this.text.slice(this.#keepFrom, this.#end);
    return this.#kept === '' ? rest : this.#kept + rest;
  }
}

/** Index of the first header line, or -1 if the first line is not one of a header block. A status after the version is allowed. */
function afterStatusLine(text: string): number {
  if (!text.startsWith(VERSION)) return -1;
  const lineEnd = text.indexOf('\r\n', VERSION.length);
  if (lineEnd === -1 || text.indexOf('\n', VERSION.length) !== lineEnd + 1) return -1;
  if (lineEnd > VERSION.length && text.charCodeAt(VERSION.length) !== SPACE) return -1;
  return lineEnd + 2;
}

/** Index of the colon of the line that begins at `start`, or -1 if its name is empty or holds what no name may (HEADERS-2). */
function colonOf(text: string, start: number): number {
  const colon = text.indexOf(':', start);
  if (colon <= start) return -1;
  for (let i = start; i < colon; i += 1) if (NAME_CHARACTER[text.charCodeAt(i)] !== 1) return -1;
  return colon;
}

/** Index of the CR that ends the line, or -1 if the line holds a bare CR or LF or has no end (HEADERS-2). */
function lineEndOf(text: string, colon: number): number {
  const lineEnd = text.indexOf('\r', colon);
  return lineEnd !== -1 && text.indexOf('\n', colon) === lineEnd + 1 ? lineEnd : -1;
}

/** Whether the block ends at `start` with its empty line. */
function endsWithEmptyLine(text: string, start: number): boolean {
  return start === text.length - 2 && text.charCodeAt(start) === CR && text.charCodeAt(start + 1) === LF;
}

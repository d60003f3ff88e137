// Reads the server's messages out of the bytes of a connection. The parser of nats.js takes every byte of a message's first line through
// a state machine, then decodes subject, reply and sizes apart; this reads the line in one loop.
//
// FRAME-READER-1. Only what the server writes in its usual form, to a subscription that is known here, is read here. All other bytes go to the
//     parser of nats.js, unchanged and in order, and that parser decides what is an error.
// FRAME-READER-2. While the parser of nats.js is within a frame, all bytes are its own.
// FRAME-READER-3. However the bytes are cut into chunks, the same messages come out, in time linear in the bytes.
import { HeaderBlock } from './header-block.js';
import { decodeValue } from './headers.js';
import type { BrokerMessage } from './message.js';

/** The parser of nats.js. */
export interface LibraryParser {
  readonly isBetweenFrames: boolean;
  /** Throws if the bytes are no NATS protocol. */
  parse(bytes: Uint8Array): void;
}

/** Must not throw. */
export type OnMessage = (message: BrokerMessage) => void;

const CR = 13;
const LF = 10;
const SPACE = 32;
const ZERO = 48;
const UPPER_G = 71;
const UPPER_H = 72;
const UPPER_M = 77;
const UPPER_S = 83;
/** Of the bytes of a line, which of them it has. */
const NOT_ASCII = 1;
const NOT_PLAIN = 2;
const KINDS = new Uint8Array(256);
KINDS.fill(NOT_ASCII, 128);
for (const byte of [42, 62, 127]) KINDS[byte] = NOT_PLAIN;
/** No message is that long: the largest `max_payload` of a server is 64 MiB. */
const MAX_DIGITS = 8;
const MAX_SPACES = 4;

/** What the first line of a message is. */
const SPLIT = 0;
const UNUSUAL = -1;

export class FrameReader {
  /** A frame of which the beginning is here; null: the next chunk begins with a frame, or belongs to the parser of nats.js. */
  #frame: Buffer | null = null;
  #filled = 0;
  /** Where the blanks of the line read last are, and its numbers. */
  readonly #spaces = new Int32Array(MAX_SPACES);
  #sid = 0;
  #hasReply = false;
  #seenKinds = 0;
  #headerBytes = 0;
  #totalBytes = 0;

  /** `listeners`: of the subscriptions that are read here, by their number; they may change at any time. */
  constructor(
    private readonly library: LibraryParser,
    private readonly listeners: ReadonlyMap<number, OnMessage>,
  ) {}

  /** Throws what the parser of nats.js throws: the connection is of no further use then. */
  read(chunk: Buffer): void {
    let at = 0;
    if (this.#frame !== null) {
      at = chunk.copy(this.#frame, this.#filled);
      this.#filled += at;
      if (this.#filled < this.#frame.length) return;
      const frame = this.#frame;
      this.#frame = null;
      this.#take(frame, 0);
    }
    while (at < chunk.length) {
      if (!this.library.isBetweenFrames) return this.library.parse(chunk.subarray(at));
      at += this.#take(chunk, at);
    }
  }

  /** Hands on what begins at `at`, and says how many bytes that were. */
  #take(bytes: Buffer, at: number): number {
    const first = bytes[at];
    const hasHeaders = first === UPPER_H;
    const lineEnd = hasHeaders || first === UPPER_M ? this.#readLine(bytes, at, hasHeaders) : UNUSUAL;
    if (lineEnd <= 0) return this.#toLibrary(bytes, at, lineEnd === SPLIT ? bytes.length : bytes.indexOf(LF, at) + 1);
    const end = lineEnd + 4 + this.#totalBytes;
    if (end > bytes.length) return this.#keep(bytes, at, end - at);
    const listener = this.listeners.get(this.#sid);
    if (listener === undefined || bytes[end - 2] !== CR || bytes[end - 1] !== LF)
      return this.#toLibrary(bytes, at, end);
    listener(this.#message(bytes, at, lineEnd));
    return end - at;
  }

  /** `end`: 0 is that of all bytes. */
  #toLibrary(bytes: Buffer, at: number, end: number): number {
    const length = (end === 0 ? bytes.length : end) - at;
    this.library.parse(bytes.subarray(at, at + length));
    return length;
  }

  #keep(bytes: Buffer, at: number, frameBytes: number): number {
    // Not of Node's pool: a body would pin other frames' bytes.
    this.#frame = Buffer.allocUnsafeSlow(frameBytes);
    this.#filled = bytes.copy(this.#frame, 0, at);
    return this.#filled;
  }

  /** Index of the CR that ends `MSG <subject> <sid> [reply] <size>` or `HMSG … <header size> <size>`; SPLIT, or UNUSUAL. */
  #readLine(bytes: Buffer, at: number, hasHeaders: boolean): number {
    const start = at + (hasHeaders ? 5 : 4);
    if (start >= bytes.length) return SPLIT;
    if (bytes[start - 4] !== UPPER_M || bytes[start - 3] !== UPPER_S) return UNUSUAL;
    if (bytes[start - 2] !== UPPER_G || bytes[start - 1] !== SPACE) return UNUSUAL;
    const spaces = this.#spaces;
    let count = 0;
    let seenKinds = 0;
    let i = start;
    for (; i < bytes.length; i += 1) {
      const byte = bytes[i] as number;
      seenKinds |= KINDS[byte] as number;
      if (byte > SPACE) continue;
      if (byte !== SPACE) break;
      if (count === MAX_SPACES) return UNUSUAL;
      spaces[count] = i;
      count += 1;
    }
    if (i + 1 >= bytes.length) return SPLIT;
    if (bytes[i] !== CR || bytes[i + 1] !== LF) return UNUSUAL;
    const fields = hasHeaders ? count - 1 : count;
    if (fields < 2 || fields > 3) return UNUSUAL;
    this.#seenKinds = seenKinds;
    this.#hasReply = fields === 3;
    const last = spaces[count - 1] as number;
    this.#sid = numberIn(bytes, (spaces[0] as number) + 1, spaces[1] as number);
    this.#totalBytes = numberIn(bytes, last + 1, i);
    this.#headerBytes = hasHeaders ? numberIn(bytes, (spaces[count - 2] as number) + 1, last) : 0;
    const isUsual = this.#sid !== -1 && this.#headerBytes !== -1 && this.#headerBytes <= this.#totalBytes;
    return isUsual ? i : UNUSUAL;
  }

  /** Of the frame whose line was read last. */
  #message(bytes: Buffer, at: number, lineEnd: number): BrokerMessage {
    const headerStart = lineEnd + 2;
    const bodyStart = headerStart + this.#headerBytes;
    const spaces = this.#spaces;
    const subjectEnd = spaces[0] as number;
    const replyStart = (spaces[1] as number) + 1;
    // Subject and reply in one piece: a slice of a text costs less than a text.
    const start = at + (this.#headerBytes > 0 ? 5 : 4);
    const end = this.#hasReply ? (spaces[2] as number) : subjectEnd;
    const line = bytes.toString('latin1', start, end);
    const subject = line.slice(0, subjectEnd - start);
    return {
      subject: (this.#seenKinds & NOT_ASCII) === 0 ? subject : decodeValue(subject),
      reply: this.#hasReply ? line.slice(replyStart - start) : '',
      isPlain: this.#seenKinds === 0,
      block: this.#headerBytes === 0 ? HeaderBlock.NONE : new HeaderBlock(bytes, headerStart, bodyStart),
      body: new Uint8Array(bytes.buffer, bytes.byteOffset + bodyStart, this.#totalBytes - this.#headerBytes),
    };
  }
}

/** The number that the bytes from `start` to `end` write; -1 if they write none, or one that is too large. */
function numberIn(bytes: Buffer, start: number, end: number): number {
  if (end <= start || end - start > MAX_DIGITS) return -1;
  let number = 0;
  for (let i = start; i < end; i += 1) {
    const digit = (bytes[i] as number) - ZERO;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}

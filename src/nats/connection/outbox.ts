// What is published within one turn of the event loop, written into one buffer and sent in one piece.
// The client's own publish() encodes, checks and copies every message in four pieces, which costs more than all else that
// the daemon does with it; this writes the same bytes (a contract test compares them).
//
// OUTBOX-1. Messages leave in the order in which they were put.
// OUTBOX-2. A buffer that was handed over is never written to again.

/** Sends these bytes, one piece after another. The array is used again. */
type SendPieces = (pieces: readonly Uint8Array[]) => void;

const CHUNK_BYTES = 65_536;
/** A message larger than this is passed on separately, its body not copied. */
const MAX_COPIED_BYTES = 16_384;
/** What waits for the end of the turn is at most this much. */
const MAX_WAITING_BYTES = 262_144;
const CR = 13;
const LF = 10;
const CRLF = Buffer.from('\r\n');

export class Outbox {
  readonly #flushLater = (): void => this.flush();
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #start = 0;
  #end = 0;
  /** What leaves before the chunk's. */
  readonly #pieces: Uint8Array[] = [];
  #waitingBytes = 0;
  #isScheduled = false;

  constructor(private readonly send: SendPieces) {}

  /** All arguments are text of one byte per character; `reply` and `block` may be ''. Sizes and subjects were checked. */
  put(subject: string, reply: string, block: string, body: Uint8Array): void {
    const to = reply === '' ? subject : `${subject} ${reply}`;
    const text =
      block === ''
        ? `PUB ${to} ${body.length}\r\n`
        : `HPUB ${to} ${block.length} ${block.length + body.length}\r\n${block}`;
    const size = text.length + body.length + CRLF.length;
    if (size > MAX_COPIED_BYTES) this.#putUncopied(text, body);
    else this.#putCopied(text, body, size);
    this.#waitingBytes += size;
    if (this.#waitingBytes >= MAX_WAITING_BYTES) this.flush();
    else if (!this.#isScheduled) {
      this.#isScheduled = true;
      queueMicrotask(this.#flushLater);
    }
  }

  #putCopied(text: string, body: Uint8Array, size: number): void {
    if (this.#end + size > CHUNK_BYTES) {
      this.#closePiece();
      this.#chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
      this.#start = 0;
      this.#end = 0;
    }
    const chunk = this.#chunk;
    let at = this.#end + chunk.write(text, this.#end, 'latin1');
    chunk.set(body, at);
    at += body.length;
    chunk[at] = CR;
    chunk[at + 1] = LF;
    this.#end = at + 2;
  }

  #putUncopied(text: string, body: Uint8Array): void {
    this.#closePiece();
    this.#pieces.push(Buffer.from(text, 'latin1'), body, CRLF);
  }

  #closePiece(): void {
    if (this.#start === this.#end) return;
    this.#pieces.push(this.#chunk.subarray(this.#start, this.#end));
    this.#start = this.#end;
  }

  /** Hands over what was put so far. */
  flush(): void {
    this.#isScheduled = false;
    this.#closePiece();
    if (this.#pieces.length > 0) this.send(this.#pieces);
    this.#pieces.length = 0;
    this.#waitingBytes = 0;
  }

  /** Forgets what was put and not handed over yet. */
  clear(): void {
    this.#start = this.#end;
    this.#pieces.length = 0;
    this.#waitingBytes = 0;
  }
}

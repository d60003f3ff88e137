// What is published within one turn of the event loop, written into one buffer and handed to nats.js in one piece.
// The client's own publish() encodes, checks and copies every message in four pieces, which costs more than all else that
// the daemon does with it; this writes the same bytes (a contract test compares them) through the same outbound queue.
//
// OUTBOX-1. Messages leave in the order in which they were put.
// OUTBOX-2. A buffer that was handed over is never written to again.
import type { NatsConnection } from '#@nats-io/nats-core';
import type { NatsConnectionImpl } from '#@nats-io/nats-core/internal';

const CHUNK_BYTES = 65_536;
/** A message larger than this is passed on separately, its body not copied. */
const MAX_COPIED_BYTES = 16_384;
const CR = 13;
const LF = 10;
const CRLF = Buffer.from('\r\n');

export class Outbox {
  readonly #protocol: NatsConnectionImpl['protocol'];
  readonly #flushLater = (): void => this.flush();
  #chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  #start = 0;
  #end = 0;

  constructor(nc: NatsConnection) {
    this.#protocol = (nc as NatsConnectionImpl).protocol;
    if (typeof this.#protocol?.sendCommand !== 'function')
      throw new Error('this release of nats-core is not supported');
  }

  /** All arguments are text of one byte per character; `reply` and `block` may be ''. Sizes and subjects were checked. */
  put(subject: string, reply: string, block: string, body: Uint8Array): void {
    const to = reply === '' ? subject : `${subject} ${reply}`;
    const text =
      block === ''
        ? `PUB ${to} ${body.length}\r\n`
        : `HPUB ${to} ${block.length} ${block.length + body.length}\r\n${block}`;
    const size = text.length + body.length + CRLF.length;
    if (size > MAX_COPIED_BYTES) {
      this.flush();
      this.#protocol.sendCommand(Buffer.from(text, 'latin1'), body, CRLF);
      return;
    }
    if (this.#end + size > CHUNK_BYTES) {
      this.flush();
      this.#chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES);
      this.#start = 0;
      this.#end = 0;
    }
    if (this.#start === this.#end) queueMicrotask(this.#flushLater);
    const chunk = this.#chunk;
    let at = this.#end + chunk.write(text, this.#end, 'latin1');
    chunk.set(body, at);
    at += body.length;
    chunk[at] = CR;
    chunk[at + 1] = LF;
    this.#end = at + 2;
  }

  /** Hands over what was put so far. */
  flush(): void {
    if (this.#start === this.#end) return;
    const piece = this.#chunk.subarray(this.#start, this.#end);
    this.#start = this.#end;
    this.#protocol.sendCommand(piece);
  }

  /** Forgets what was put and not handed over yet. */
  clear(): void {
    this.#start = this.#end;
  }
}

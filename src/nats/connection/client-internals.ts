// The one place that reaches into a client of nats.js, whose release is pinned: contract tests hold that release to what is assumed here.
//
// CLIENT-INTERNALS-1. Connecting, authentication, reconnects, subscriptions, pings and everything rare stay with the client. What is read and
//     written past it is what it would read and write itself, on its own socket.
// CLIENT-INTERNALS-2. Nothing that was read before is left behind when reading is taken over, and no byte is read twice.
import type { Msg, NatsConnection } from '#@nats-io/nats-core';
import type { MsgImpl, NatsConnectionImpl } from '#@nats-io/nats-core/internal';
import type { LibraryParser } from '../wire/frame-reader.js';
import { HeaderBlock } from '../wire/header-block.js';
import { decodeValue } from '../wire/headers.js';
import type { BrokerMessage } from '../wire/message.js';

/** Of the parser, between two frames. */
const OP_START = 0;

/** What is private in the client, as far as it is used. */
interface Protocol {
  readonly parser: { readonly state: number; parse(bytes: Uint8Array): void };
  readonly outbound: { size(): number };
  readonly transport: Transport;
  sendCommand(piece: Uint8Array, ...more: Uint8Array[]): void;
  flushPending(): void;
}

interface Transport {
  readonly socket?: Socket;
  readonly isClosed: boolean;
  /** Chunks that were read and not parsed. */
  readonly yields: readonly Uint8Array[];
  discard(): void;
  disconnect(): void;
}

interface Socket {
  write(bytes: Uint8Array): boolean;
  cork(): void;
  uncork(): void;
  on(event: 'data', listener: (chunk: Buffer) => void): void;
  removeAllListeners(event: 'data'): void;
}

const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A message as the client gives it. */
export function messageOf(message: Msg): BrokerMessage {
  // The public getters decode as UTF-8 (lossy) and throw on hostile header names, so this reads the raw bytes.
  const { _msg: frame, _rdata: bytes } = message as MsgImpl;
  const text = (of: Uint8Array | undefined): string => (of === undefined ? '' : bufferOf(of).toString('latin1'));
  const hasHeaders = frame.hdr > 0;
  return {
    subject: decodeValue(text(frame.subject)),
    reply: text(frame.reply),
    isPlain: false,
    block: hasHeaders ? new HeaderBlock(bufferOf(bytes), 0, frame.hdr) : HeaderBlock.NONE,
    body: hasHeaders ? bytes.subarray(frame.hdr) : bytes,
  };
}

export class ClientInternals implements LibraryParser {
  readonly #protocol: Protocol;
  /** The socket that was taken over last. */
  #taken: Socket | null = null;

  constructor(nc: NatsConnection) {
    this.#protocol = (nc as NatsConnectionImpl).protocol as unknown as Protocol;
    if (typeof this.#protocol?.sendCommand !== 'function')
      throw new Error('this release of nats-core is not supported');
  }

  get isBetweenFrames(): boolean {
    return this.#protocol.parser.state === OP_START;
  }

  parse(bytes: Uint8Array): void {
    this.#protocol.parser.parse(bytes);
  }

  /** Writes through the client, which keeps it while it reconnects. */
  send(pieces: readonly Uint8Array[]): void {
    const [first, ...more] = pieces;
    if (first !== undefined) this.#protocol.sendCommand(first, ...more);
  }

  /** Writes to the socket, behind what the client has to send. Without a socket nothing is sent, as by the client itself. */
  write(pieces: readonly Uint8Array[]): void {
    const protocol = this.#protocol;
    if (protocol.outbound.size() > 0) protocol.flushPending();
    const { socket, isClosed } = protocol.transport;
    if (socket === undefined || isClosed) return;
    // An error of the socket comes as its event, and the client connects anew.
    if (pieces.length > 1) socket.cork();
    for (const piece of pieces) socket.write(piece);
    if (pieces.length > 1) socket.uncork();
  }

  /**
   * CLIENT-INTERNALS-2. What arrives on the present socket goes to `listener` in place of the client. `later`: the client has not parsed
   * all that it has read; to be called at the beginning of a turn of the event loop, when it usually has.
   */
  takeOver(listener: (chunk: Buffer) => void): 'taken_over' | 'later' | 'no_socket' {
    const { socket, isClosed, yields } = this.#protocol.transport;
    if (socket === undefined || isClosed) return 'no_socket';
    // A second reader would begin in the middle of what the first holds.
    if (socket === this.#taken) return 'taken_over';
    if (yields.length > 0) return 'later';
    this.#taken = socket;
    socket.removeAllListeners('data');
    socket.on('data', listener);
    return 'taken_over';
  }

  /** Ends the present socket at once, without waiting for what is written. */
  discard(): void {
    this.#protocol.transport.discard();
  }

  /** Ends the present socket; the client connects anew. */
  disconnect(): void {
    this.#protocol.transport.disconnect();
  }
}

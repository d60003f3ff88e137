// The largest message that the server accepts (max_payload). A reload of the server's configuration can change it without
// notifying any client, and the server closes the connection of a client that sends more, with every call in flight on it.
//
// PAYLOAD-LIMIT-1. When a message above SMALL_MESSAGE_BYTES is sent, the known limit is at most LIMIT_FRESH_MS old.
// PAYLOAD-LIMIT-2. If the server cannot be asked, no message is held back: the last known limit stays in force.

import type { NatsConnection } from '#@nats-io/nats-core';
import { SingleFlight } from '../../telemetry/single-flight.js';

/** Bytes. No operator is expected to set a lower limit while calls are in flight: smaller messages are sent without asking. */
export const SMALL_MESSAGE_BYTES = 8192;
export const LIMIT_FRESH_MS = 250;
const DEFAULT_MAX_PAYLOAD = 1_048_576;

/** Opens a second connection to the server of the first, without retries. */
type ConnectAgain = () => Promise<NatsConnection>;

/** A short answer with its headers. */
const LEAST_BYTES = 256;

interface Info {
  readonly max_payload: number;
  readonly headers?: boolean;
}

export class PayloadLimit {
  #bytes = DEFAULT_MAX_PAYLOAD;
  /** The INFO that `#bytes` was taken from last. */
  #info: Info | undefined;
  #askedMs = Number.NEGATIVE_INFINITY;
  readonly #asking = new SingleFlight(() => this.#ask());

  constructor(
    private readonly nowMs: () => number,
    /** The latest INFO of the connection itself: the server sends one at the connect, and when an account's limit changes. */
    private readonly latestInfo: () => Info | undefined,
    private readonly connectAgain: ConnectAgain,
  ) {}

  /** In bytes, headers included. */
  get bytes(): number {
    const info = this.latestInfo();
    if (info !== undefined && info !== this.#info) {
      this.#info = info;
      this.#bytes = info.max_payload;
    }
    return this.#bytes;
  }

  /** Whether the server takes a message of a header block, 0 = none, and a body of so many bytes. It closes the connection for one that it does not. */
  allows(blockBytes: number, bodyBytes: number): boolean {
    return blockBytes + bodyBytes <= this.bytes && (blockBytes === 0 || this.#takesHeaders);
  }

  /** Why no answer can be sent through the server, as it describes itself; null: nothing is known against it. */
  get unfit(): string | null {
    if (!this.#takesHeaders) return 'the server does not support headers (no_header_support)';
    if (this.bytes >= LEAST_BYTES) return null;
    return `the server's max_payload is ${this.bytes} bytes; answers with their headers need ${LEAST_BYTES}`;
  }

  get #takesHeaders(): boolean {
    return this.latestInfo()?.headers !== false;
  }

  /** PAYLOAD-LIMIT-1. Whether a message of this size can be compared with the limit now. */
  isKnownFor(size: number): boolean {
    if (size <= SMALL_MESSAGE_BYTES) return true;
    const ageMs = this.nowMs() - this.#askedMs;
    // Refreshed before it expires, so that a stream of large messages never waits.
    if (ageMs > LIMIT_FRESH_MS / 2) void this.ask();
    return ageMs < LIMIT_FRESH_MS;
  }

  /** PAYLOAD-LIMIT-2. Asks the server; concurrent callers share one answer. Never rejects. */
  ask(): Promise<void> {
    return this.#asking.run();
  }

  async #ask(): Promise<void> {
    const before = this.latestInfo();
    try {
      const nc = await this.connectAgain();
      const bytes = nc.info?.max_payload;
      await nc.close();
      // An INFO that the connection got meanwhile is newer than the answer; one that was not read so far is not.
      if (bytes !== undefined && this.latestInfo() === before) {
        this.#info = before;
        this.#bytes = bytes;
      }
    } catch {
      // PAYLOAD-LIMIT-2.
    }
    this.#askedMs = this.nowMs();
  }
}

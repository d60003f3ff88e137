// The largest message that the server takes. A reload of the server's configuration can change it, and tells no client: the
// server ends the connection of whoever sends more, and with it every call in flight.
//
// PL1. Before a message is sent that a lower limit could refuse, the limit is not older than LIMIT_FRESH_MS.
// PL2. A limit that cannot be asked for holds no message back: the last one known stays in force.
import type { NatsConnection } from '#@nats-io/nats-core';

/** Nobody sets a limit below this while calls are in flight: what is smaller is sent without asking. */
export const SMALL_MESSAGE_BYTES = 8192;
export const LIMIT_FRESH_MS = 250;
const DEFAULT_MAX_PAYLOAD = 1_048_576;

/** Opens a second connection to the server of the first, without retries. */
export type ConnectAgain = () => Promise<NatsConnection>;

export class PayloadLimit {
  /** In bytes, headers included. */
  bytes = DEFAULT_MAX_PAYLOAD;
  /** What the server said last on the connection itself, as it says when an account's limit changes. */
  #info: unknown = null;
  #askedMs = Number.NEGATIVE_INFINITY;
  #asking: Promise<void> | null = null;

  constructor(
    private readonly nowMs: () => number,
    private readonly connectAgain: ConnectAgain,
  ) {}

  /** What the connection's own server information says, whenever that is another object than before. */
  take(info: { readonly max_payload: number } | undefined): void {
    if (info === undefined || info === this.#info) return;
    this.#info = info;
    this.bytes = info.max_payload;
  }

  /** PL1. Whether a message of this size can be compared with the limit now. */
  isKnownFor(size: number): boolean {
    if (size <= SMALL_MESSAGE_BYTES) return true;
    const ageMs = this.nowMs() - this.#askedMs;
    // So that a stream of large messages never waits.
    if (ageMs > LIMIT_FRESH_MS / 2) void this.ask();
    return ageMs < LIMIT_FRESH_MS;
  }

  /** PL2. Asks the server; who asks meanwhile shares the answer. Never rejects. */
  ask(): Promise<void> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #ask(): Promise<void> {
    const before = this.#info;
    try {
      const nc = await this.connectAgain();
      const bytes = nc.info?.max_payload;
      await nc.close();
      // The connection may be another one by now, which knows better.
      if (bytes !== undefined && this.#info === before) this.bytes = bytes;
    } catch {
      // PL2.
    }
    this.#askedMs = this.nowMs();
  }
}

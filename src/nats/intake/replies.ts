// Answers on their way to callers, and those that are pending while NATS is away.
//
// REPLIES-1. A pending answer is kept until it has been taken, or its deadline, whichever is first; what is kept is bounded in
//     number and bytes, and beyond that the newest is dropped and counted.
// REPLIES-2. After a reconnect the caller may not be back yet: a pending answer is sent with a request for a receipt, and if the
//     server says that there are no responders, it is kept and tried again.
import type { Clock } from '../../actors/ports/clock.js';
import type { BrokerSubscription } from '../connection/broker-subscription.js';
import type { BrokerConnection } from '../connection/connection.js';
import type { BrokerMessage } from '../wire/message.js';
import type { RandomHex } from '../wire/random-hex.js';
import { saysNoResponders } from '../wire/reply-headers.js';
import { INBOX_PREFIX } from '../wire/subjects.js';

const MAX_PENDING = 10_000;
const MAX_PENDING_BYTES = 32 * 1024 * 1024;
const RETRY_MS = 250;
const ID_DIGITS = 12;

interface PendingReply {
  readonly subject: string;
  readonly block: string;
  readonly body: Uint8Array;
  readonly deadlineMs: number;
  /** True between sending it and the next check: no error of the server means that it arrived. */
  sent: boolean;
}

interface ReplyCounts {
  /** Waiting now. */
  readonly pending: number;
  /** Given up: too many, past their deadline, or not fit to be published. */
  readonly dropped: number;
}

export class Replies {
  readonly #pending = new Map<number, PendingReply>();
  readonly #receipts: BrokerSubscription;
  readonly #receiptBase: string;
  #bytes = 0;
  #dropped = 0;
  #nextId = 1;
  #timer: unknown = null;

  constructor(
    private readonly connection: BrokerConnection,
    private readonly clock: Clock,
    randomHex: RandomHex,
  ) {
    this.#receiptBase = `${INBOX_PREFIX}.${randomHex(ID_DIGITS)}.`;
    this.#receipts = connection.subscribe(`${this.#receiptBase}*`, null, (message) => this.#receipt(message));
    connection.onState((state) => {
      if (state === 'connected') this.#resend();
    });
  }

  /** Sends an answer now, or keeps it. The caller has checked its size. */
  send(subject: string, block: string, body: Uint8Array, deadlineMs: number): void {
    if (this.connection.publish(subject, '', block, body)) return;
    // Refused although connected: it would be refused again.
    if (this.connection.connected) {
      this.#dropped += 1;
      return;
    }
    const size = block.length + body.length;
    if (this.#pending.size >= MAX_PENDING || this.#bytes + size > MAX_PENDING_BYTES) this.#dropExpired();
    if (this.clock.now() >= deadlineMs || this.#pending.size >= MAX_PENDING || this.#bytes + size > MAX_PENDING_BYTES) {
      this.#dropped += 1;
      return;
    }
    // A copy: the original is a view that would hold a whole socket buffer.
    const reply = { subject, block, body: Uint8Array.from(body), deadlineMs, sent: false };
    this.#pending.set(this.#nextId, reply);
    this.#nextId += 1;
    this.#bytes += size;
  }

  counts(): ReplyCounts {
    return { pending: this.#pending.size, dropped: this.#dropped };
  }

  /** Drops what is pending. */
  close(): void {
    if (this.#timer !== null) this.clock.clearTimeout(this.#timer);
    this.#timer = null;
    this.#dropped += this.#pending.size;
    this.#pending.clear();
    this.#bytes = 0;
    this.#receipts.unsubscribe();
  }

  #resend(): void {
    if (!this.connection.connected) return;
    this.#dropExpired();
    for (const [id, reply] of this.#pending) {
      if (reply.sent) this.#forget(id, reply);
      else reply.sent = this.connection.publish(reply.subject, this.#receiptBase + id, reply.block, reply.body);
    }
    if (this.#timer !== null || this.#pending.size === 0) return;
    this.#timer = this.clock.setTimeout(() => {
      this.#timer = null;
      this.#resend();
    }, RETRY_MS);
  }

  /** REPLIES-2. */
  #receipt({ subject, block, body }: BrokerMessage): void {
    const reply = this.#pending.get(Number(subject.slice(this.#receiptBase.length)));
    if (reply !== undefined && saysNoResponders(block, body.length)) reply.sent = false;
  }

  #dropExpired(): void {
    const now = this.clock.now();
    for (const [id, reply] of this.#pending) {
      if (reply.deadlineMs > now) continue;
      if (!reply.sent) this.#dropped += 1;
      this.#forget(id, reply);
    }
  }

  #forget(id: number, reply: PendingReply): void {
    this.#pending.delete(id);
    this.#bytes -= reply.block.length + reply.body.length;
  }
}

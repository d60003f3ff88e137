// The requester: sends attempts and active checks to extensions and reports how each of them ended.
//
// REQUESTER-1. Every attempt ends exactly once; a late or second reply to it, or to what had its entry before, is dropped and counted.
// REQUESTER-2. While disconnected, and at the moment of a disconnect, attempts end as 'disconnected': no breaker is charged for us.
// REQUESTER-3. A timeout counts once a round trip to the server that began after it was due is complete: until then the reply
//     may be in the buffer. While the server does not answer, the attempt stays in flight until it does, or the connection is lost.
// REQUESTER-4. No subscription callback ends in a throw, whatever a listener does.
// REQUESTER-5. An attempt's reply subject cannot be guessed, so no extension can answer for another.
// REQUESTER-6. An entry's timer is not cleared with its attempt but left to fire: most attempts start no timer at all.
// REQUESTER-7. An attempt that was in flight while the server or this process stood still gets its time once more, and only once: request or
//     reply may have stood still with it (also in our own send buffer, in front of the round trip), and an extension that answers when
//     they go on has not failed.
// REQUESTER-8. A version's shorter timeout holds for what is in flight to it, from then on; nothing is ever lengthened by one.
// REQUESTER-9. A message that the server might not take any more is sent, or a reply passed on, when the limit of the server is known.
//
// Long: the pending table and everything that ends an entry of it.
import type { Clock } from '../actors/ports/clock.js';
import type { AttemptEnd, AttemptListener, OutgoingCall, Reply, Route } from '../actors/ports/transport.js';
import { stackOf } from '../telemetry/error-text.js';
import type { Logger } from '../telemetry/log.js';
import type { BrokerSubscription } from './connection/broker-subscription.js';
import type { BrokerConnection } from './connection/connection.js';
import { SMALL_MESSAGE_BYTES } from './connection/payload-limit.js';
import { ExtensionReply } from './wire/extension-reply.js';
import type { BrokerMessage } from './wire/message.js';
import type { RandomHex } from './wire/random-hex.js';
import { NO_REPLY_HEADERS, readReplyHeaders, saysNoResponders } from './wire/reply-headers.js';
import { INBOX_PREFIX } from './wire/subjects.js';

/** REQUESTER-7. A round trip that is over this late, or as late as the attempt's own time is long, says that something stood still. */
const STALL_MS = 500;
/** More than the headers of a reply need. */
const ADDED_HEADER_BYTES = 1024;
const INBOX_DIGITS = 12;
/** 48 bits: a guess, or a late reply to a reused entry, has a chance of 1 in 3e14. */
const CHECK_DIGITS = 12;
const HYPHEN = 45;
const ZERO = 48;

/** One entry of the pending table; reused for attempt after attempt. */
class PendingRequest {
  listener: AttemptListener | null = null;
  route: Route | null = null;
  /** An active check. */
  isCheck = false;
  check = '';
  timeoutMs = 0;
  dueMs = 0;
  /** REQUESTER-7. */
  stall: 'none' | 'seen' | 'made_good' = 'none';
  timer: unknown = null;
  timerAtMs = 0;
  readonly onTimer: () => void;
  readonly prefix: string;

  constructor(
    readonly index: number,
    onTimer: (entry: PendingRequest) => void,
  ) {
    this.onTimer = () => onTimer(this);
    this.prefix = `${index}-`;
  }
}

interface RequesterCounts {
  /** Attempts waiting for their end. */
  readonly pending: number;
  /** Replies without a pending request, forged ones included. */
  readonly strayReplies: number;
}

export class Requester {
  readonly #entries: PendingRequest[] = [];
  readonly #free: PendingRequest[] = [];
  readonly #inbox: BrokerSubscription;
  readonly #base: string;
  #strayReplies = 0;
  /** As AfterRoundTrip passes it. */
  #stalledUntilMs = Number.NEGATIVE_INFINITY;
  #isClosed = false;

  constructor(
    private readonly connection: BrokerConnection,
    private readonly clock: Clock,
    private readonly log: Logger,
    private readonly randomHex: RandomHex,
  ) {
    this.#base = `${INBOX_PREFIX}.${randomHex(INBOX_DIGITS)}.`;
    this.#inbox = connection.subscribe(`${this.#base}*`, null, (message) => this.#reply(message));
    connection.onState((state) => {
      if (state === 'disconnected') this.#endAll('disconnected', null);
    });
    connection.onStall(() => this.stoodStill());
    connection.onPublishDenied((subject) => this.#endAll('not_permitted', subject));
  }

  /** SendAttempt of the ports. */
  send(
    route: Route,
    call: OutgoingCall,
    attempt: number,
    timeoutMs: number,
    remainingMs: number,
    listener: AttemptListener,
  ): void {
    const block = route.requestBlock(call, attempt, remainingMs, this.randomHex);
    // A first attempt is sent in the turn in which its invocation arrived.
    const sentMs = attempt === 1 ? call.arrivedMs : this.clock.now();
    this.#publish(route, block, call.body, false, sentMs, timeoutMs, listener);
  }

  /** SendCheck of the ports. */
  sendCheck(route: Route, body: Uint8Array, timeoutMs: number, listener: AttemptListener): void {
    this.#publish(route, route.checkBlock(timeoutMs), body, true, this.clock.now(), timeoutMs, listener);
  }

  #publish(
    route: Route,
    block: string,
    body: Uint8Array,
    isCheck: boolean,
    sentMs: number,
    timeoutMs: number,
    listener: AttemptListener,
  ): void {
    if (this.#isClosed || !this.connection.connected) return this.#notify(listener, 'disconnected', null);
    // Without an inbox of ours a reply could not arrive.
    if (!route.sendable || this.#inbox.denied) return this.#notify(listener, 'not_permitted', null);
    const size = block.length + body.length;
    if (!this.connection.isLimitKnownFor(size)) {
      // REQUESTER-9. Its time goes on meanwhile; if that is over, nothing was sent, and no extension is charged for it.
      const again = (): void => {
        if (this.clock.now() >= sentMs + timeoutMs) this.#notify(listener, 'disconnected', null);
        else this.#publish(route, block, body, isCheck, sentMs, timeoutMs, listener);
      };
      return void this.connection.learnLimit().then(again);
    }
    if (size > this.connection.maxPayload) return this.#notify(listener, 'too_large', null);
    const entry = this.#free.pop() ?? this.#grow();
    const check = this.randomHex(CHECK_DIGITS);
    entry.check = check;
    if (!this.connection.publish(route.subject, this.#base + entry.prefix + check, block, body)) {
      this.#free.push(entry);
      return this.#notify(listener, 'disconnected', null);
    }
    entry.listener = listener;
    entry.route = route;
    entry.isCheck = isCheck;
    entry.timeoutMs = timeoutMs;
    entry.stall = 'none';
    entry.dueMs = sentMs + timeoutMs;
    // Only a large message has waited.
    const leftMs = size > SMALL_MESSAGE_BYTES ? Math.max(1, sentMs + timeoutMs - this.clock.now()) : timeoutMs;
    this.#armBy(entry, sentMs + timeoutMs, leftMs);
  }

  /** LimitAttempts of the ports. */
  limit(extensionId: string, version: string, isCheck: boolean, timeoutMs: number): void {
    const dueMs = this.clock.now() + timeoutMs;
    for (const entry of this.#entries) {
      const { route } = entry;
      if (entry.listener === null || entry.isCheck !== isCheck || entry.dueMs <= dueMs) continue;
      if (route?.extensionId !== extensionId || route.version !== version) continue;
      entry.timeoutMs = timeoutMs;
      entry.dueMs = dueMs;
      this.#armBy(entry, dueMs, timeoutMs);
    }
  }

  /** AfterRoundTrip of the ports. */
  afterRoundTrip(then: (stalledUntilMs: number) => void): void {
    const askedMs = this.clock.now();
    void this.connection.roundTrip().then(() => {
      const nowMs = this.clock.now();
      if (nowMs - askedMs >= STALL_MS) this.#stalledUntilMs = nowMs;
      then(this.#stalledUntilMs);
    });
  }

  /** StalledUntil of the ports. */
  get stalledUntilMs(): number {
    return this.#stalledUntilMs;
  }

  /** REQUESTER-7. The server or this process stood still until now. */
  stoodStill(): void {
    this.#stalledUntilMs = this.clock.now();
    for (const entry of this.#entries) if (entry.stall === 'none') entry.stall = 'seen';
  }

  /** False: the server does not let us listen for replies, so that no call can be answered. */
  get listening(): boolean {
    return !this.#inbox.denied;
  }

  counts(): RequesterCounts {
    return { pending: this.#entries.length - this.#free.length, strayReplies: this.#strayReplies };
  }

  /** Ends what is pending, and whatever is sent from now on, as 'disconnected', and listens no more. */
  close(): void {
    this.#isClosed = true;
    this.#inbox.unsubscribe();
    this.#endAll('disconnected', null);
    for (const entry of this.#entries) {
      if (entry.timer !== null) this.clock.clearTimeout(entry.timer);
      entry.timer = null;
    }
  }

  #grow(): PendingRequest {
    const entry = new PendingRequest(this.#entries.length, (fired) => this.#timerFired(fired));
    this.#entries.push(entry);
    return entry;
  }

  /** Its timer fires at `dueMs`, `ms` from now, or before. */
  #armBy(entry: PendingRequest, dueMs: number, ms: number): void {
    if (entry.timer !== null) {
      if (entry.timerAtMs <= dueMs) return;
      this.clock.clearTimeout(entry.timer);
    }
    this.#arm(entry, ms);
  }

  #arm(entry: PendingRequest, ms: number): void {
    entry.timerAtMs = this.clock.now() + ms;
    entry.timer = this.clock.setTimeout(entry.onTimer, ms);
  }

  /** REQUESTER-6: the entry may be idle by now, or hold a later attempt. */
  #timerFired(entry: PendingRequest): void {
    entry.timer = null;
    if (entry.listener === null) return;
    const leftMs = entry.dueMs - this.clock.now();
    if (leftMs > 0) return this.#arm(entry, Math.max(1, Math.ceil(leftMs)));
    const { check } = entry;
    void this.connection.roundTrip().then((completed) => {
      if (entry.listener === null || entry.check !== check) return;
      if (!completed) this.#end(entry, 'disconnected', null);
      else this.#due(entry);
    });
  }

  #due(entry: PendingRequest): void {
    // By the round trip, or because the timer came late.
    const lateMs = this.clock.now() - entry.dueMs;
    const stoodStill = entry.stall === 'seen' || lateMs >= Math.min(STALL_MS, entry.timeoutMs);
    if (!stoodStill || entry.stall === 'made_good') return this.#end(entry, 'timeout', null);
    entry.stall = 'made_good';
    entry.listener?.attemptDelayed?.();
    entry.dueMs = this.clock.now() + entry.timeoutMs;
    this.#arm(entry, entry.timeoutMs);
  }

  #reply({ subject, block, body }: BrokerMessage): void {
    const entry = this.#entryOf(subject);
    if (entry === null) {
      this.#strayReplies += 1;
      return;
    }
    if (block.length === 0) return this.#replied(entry, 0, new ExtensionReply(NO_REPLY_HEADERS, body));
    if (saysNoResponders(block, body.length)) return this.#end(entry, 'no_responders', null);
    this.#replied(entry, block.length, new ExtensionReply(readReplyHeaders(block), body));
  }

  /** REQUESTER-9: what the caller gets is larger by the headers of the daemon. */
  #replied(entry: PendingRequest, headerBytes: number, reply: ExtensionReply): void {
    if (this.connection.isLimitKnownFor(headerBytes + reply.body.length + ADDED_HEADER_BYTES))
      return this.#end(entry, 'reply', reply);
    const listener = this.#release(entry);
    void this.connection.learnLimit().then(() => this.#notify(listener, 'reply', reply));
  }

  /** The entry whose attempt this subject answers; null if none waits for it (REQUESTER-1, REQUESTER-5). */
  #entryOf(subject: string): PendingRequest | null {
    let at = this.#base.length;
    let index = 0;
    for (let code = subject.charCodeAt(at); at < subject.length && code !== HYPHEN; code = subject.charCodeAt(at)) {
      index = index * 10 + (code - ZERO);
      at += 1;
    }
    const entry = this.#entries[index];
    if (entry === undefined || entry.listener === null || subject.length - at - 1 !== CHECK_DIGITS) return null;
    return subject.endsWith(entry.check) ? entry : null;
  }

  /** `subject` null: all of them. */
  #endAll(end: AttemptEnd, subject: string | null): void {
    const ended = this.#entries.filter(
      (entry) => entry.listener !== null && (subject === null || entry.route?.subject === subject),
    );
    const checks = ended.map((entry) => entry.check);
    // A listener may start further attempts, also in an entry that has just been freed.
    ended.forEach((entry, i) => {
      if (entry.listener !== null && entry.check === checks[i]) this.#end(entry, end, null);
    });
  }

  #end(entry: PendingRequest, end: AttemptEnd, reply: Reply | null): void {
    this.#notify(this.#release(entry), end, reply);
  }

  /** REQUESTER-1: the listener of the attempt, which no longer waits for an end. */
  #release(entry: PendingRequest): AttemptListener {
    const listener = entry.listener as AttemptListener;
    entry.listener = null;
    entry.route = null;
    this.#free.push(entry);
    return listener;
  }

  #notify(listener: AttemptListener, end: AttemptEnd, reply: Reply | null): void {
    try {
      listener.attemptEnded(end, reply);
    } catch (error) {
      this.log.error({ event: 'attempt_listener_failed', end, error: stackOf(error) });
    }
  }
}

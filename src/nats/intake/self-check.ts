// Whether a call would be answered: the daemon sends itself a message, which must arrive through its own subscription, and
// publishes a reply. The result is what /readyz reports of NATS.
//
// SELF-CHECK-1. Only a message that this daemon receives itself counts. NATS picks one daemon of the queue group for each message, so the
//      message is sent again until this one gets it; the others ignore it.
// SELF-CHECK-2. One check every five seconds, and one after each connect.
//      A message that only looks like one is a call, and is answered as a call.
// SELF-CHECK-3. A daemon without the permission to publish the message is judged by the other permission errors of the server, and does
//      not try again on this connection.
// SELF-CHECK-4. A server through which no answer can be sent, because it takes no headers or hardly any bytes, is reported in any case.
import type { Clock } from '../../actors/ports/clock.js';
import type { Logger } from '../../telemetry/log.js';
import type { BrokerConnection } from '../connection/connection.js';
import type { RandomHex } from '../wire/random-hex.js';
import type { Subjects } from '../wire/subjects.js';

const EVERY_MS = 5000;
/** In a queue group of 64 daemons, all tries miss a daemon that is subscribed in one of about 200 000 checks. */
const MAX_TRIES = 768;
const ID_DIGITS = 16;
const NOT_YET = 'no message of its own has arrived yet';

interface SelfCheckDeps {
  readonly connection: BrokerConnection;
  readonly subjects: Subjects;
  /** The first of `reply_prefixes`, with which the reply subjects of callers begin. */
  readonly replyPrefix: string;
  readonly clock: Clock;
  readonly randomHex: RandomHex;
  readonly log: Logger;
  /** Subscribes the intake again: its subscription did not get the message. */
  readonly renew: () => void;
}

export class SelfCheck {
  /** Why no call would be answered; null: the last check passed, or none can be made (SELF-CHECK-3). */
  problem: string | null = NOT_YET;
  /** Resolves when `problem` is null for the first time. */
  readonly passed: Promise<void>;
  readonly #deps: SelfCheckDeps;
  readonly #id: string;
  readonly #subject: string;
  readonly #replyTo: string;
  #pass: () => void = () => undefined;
  #timer: unknown = null;
  #isChecking = false;
  #isStopped = false;
  #hasArrived = false;
  #isPublishDenied = false;
  #isReplyDenied = false;

  constructor(deps: SelfCheckDeps) {
    const { connection, subjects, replyPrefix, randomHex } = deps;
    this.#deps = deps;
    this.#id = randomHex(ID_DIGITS);
    this.#subject = subjects.selfCheck(this.#id);
    this.#replyTo = `${replyPrefix}${replyPrefix.endsWith('.') ? '' : '.'}${subjects.selfCheckReply(this.#id)}`;
    this.passed = new Promise((resolve) => {
      this.#pass = resolve;
    });
    connection.onState((state) => {
      if (state === 'disconnected') this.problem = NOT_YET;
      else this.#isPublishDenied = false;
      if (state === 'connected' && this.#timer !== null && !this.#isStopped) this.#begin();
    });
    connection.onPublishDenied((subject) => {
      if (subject === this.#subject) this.#isPublishDenied = true;
      if (subject === this.#replyTo) this.#isReplyDenied = true;
    });
  }

  /** To be called once the intake is subscribed. */
  start(): void {
    if (this.#timer === null && !this.#isStopped) this.#begin();
  }

  stop(): void {
    this.#isStopped = true;
    this.#deps.clock.clearTimeout(this.#timer);
  }

  /** For the intake. True: the message is a daemon's check and no call. */
  takes(subject: string, reply: string): boolean {
    if (!this.#deps.subjects.isSelfCheck(subject, reply)) return false;
    if (subject === this.#subject && reply === this.#replyTo && !this.#hasArrived) {
      this.#hasArrived = true;
      this.#deps.connection.publish(this.#replyTo, '', '', Buffer.alloc(0));
    }
    return true;
  }

  #begin(): void {
    const { clock } = this.#deps;
    clock.clearTimeout(this.#timer);
    this.#timer = clock.setTimeout(() => this.#begin(), EVERY_MS);
    if (!this.#isChecking && !this.#isPublishDenied) void this.#check();
  }

  async #check(): Promise<void> {
    const { connection } = this.#deps;
    this.#isChecking = true;
    this.#hasArrived = false;
    this.#isReplyDenied = false;
    let isLost = false;
    for (let tries = 0; tries < MAX_TRIES && !this.#hasArrived && !this.#isPublishDenied && !isLost; tries++) {
      connection.publish(this.#subject, this.#replyTo, '', Buffer.alloc(0));
      isLost = !(await this.#roundTrip());
    }
    // A permission error for the reply arrives after the message itself.
    if (!isLost) isLost = !(await this.#roundTrip());
    this.#isChecking = false;
    if (this.#isStopped) return;
    if (!isLost) this.#conclude();
    // The connection may be up again already.
    else if (connection.connected) await this.#check();
  }

  #conclude(): void {
    const { connection, log, renew } = this.#deps;
    const before = this.problem;
    this.problem = connection.unfit ?? this.#refusal();
    if (this.problem !== null && this.problem !== before)
      log.error({ event: 'nats_self_check_failed', reason: this.problem });
    if (this.problem === null && before !== null)
      log.info({ event: 'nats_self_check_passed', tried: !this.#isPublishDenied });
    if (this.problem === null) this.#pass();
    if (!this.#hasArrived && !this.#isPublishDenied) renew();
  }

  #refusal(): string | null {
    if (this.#isReplyDenied) return `the server does not permit replies: publishing to ${this.#replyTo} was refused`;
    if (this.#hasArrived || this.#isPublishDenied) return null;
    return `no message arrives through the subscription of ${this.#deps.subjects.invokeAll}: the server has refused it, or a limit of it`;
  }

  /** True: every permission error for what was published before has been seen. False: the connection was lost. */
  async #roundTrip(): Promise<boolean> {
    const isAnswered = await this.#deps.connection.roundTrip();
    // The client reports a permission error some microtasks after the PONG that follows it.
    await new Promise((resolve) => setImmediate(resolve));
    return isAnswered;
  }
}

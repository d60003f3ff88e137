// Whether a call would be answered: a message of this daemon's own, through its own subscription and with its own permission to
// reply. What /readyz says of NATS.
//
// SC1. Only this daemon's own answer counts. NATS picks one daemon of the queue group for each message, so the message is sent
//      again until this one gets it; the others take no notice.
// SC2. At most one check in five seconds, and one after each connect.
//      What only looks like such a message is a call, and is answered like one.
// SC3. A daemon that may not publish the message is judged by what the server said that it refuses, and does not try again on this
//      connection.
import type { Clock } from '../actors/ports.js';
import type { Logger } from '../telemetry/log.js';
import type { BrokerConnection } from './connection.js';
import type { RandomHex } from './random-hex.js';
import type { Subjects } from './subjects.js';

const EVERY_MS = 5000;
/** In a group of 64 daemons one that is subscribed is missed by all of them once in 200 000 checks. */
const MAX_TRIES = 768;
const ID_DIGITS = 16;
const NOT_YET = 'no message of its own has arrived yet';

export interface SelfCheckDeps {
  readonly connection: BrokerConnection;
  readonly subjects: Subjects;
  /** Beginning of a reply subject as callers use it. */
  readonly replyPrefix: string;
  readonly clock: Clock;
  readonly randomHex: RandomHex;
  readonly log: Logger;
  /** The subscription of the intake did not get its message: it is asked for again. */
  readonly renew: () => void;
}

export class SelfCheck {
  /** Why no call would be answered; null: one was, or it cannot be tried (SC3). */
  problem: string | null = NOT_YET;
  /** Resolves when it is null for the first time. */
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

  /** Begins, when the intake listens. */
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
    // What the server says of the reply comes after the message itself.
    if (!isLost) isLost = !(await this.#roundTrip());
    this.#isChecking = false;
    if (this.#isStopped) return;
    if (!isLost) this.#conclude();
    // It may be back already.
    else if (connection.connected) await this.#check();
  }

  #conclude(): void {
    const { subjects, log, renew } = this.#deps;
    const before = this.problem;
    this.problem = this.#isReplyDenied
      ? `the server does not permit replies: publishing to ${this.#replyTo} was refused`
      : this.#hasArrived || this.#isPublishDenied
        ? null
        : `no message arrives through the subscription of ${subjects.invokeAll}: the server has refused it, or a limit of it`;
    if (this.problem !== null && this.problem !== before)
      log.error({ event: 'nats_self_check_failed', reason: this.problem });
    if (this.problem === null && before !== null)
      log.info({ event: 'nats_self_check_passed', tried: !this.#isPublishDenied });
    if (this.problem === null) this.#pass();
    if (!this.#hasArrived && !this.#isPublishDenied) renew();
  }

  /** False: the connection was lost. What the server refused so far is known. */
  async #roundTrip(): Promise<boolean> {
    const isAnswered = await this.#deps.connection.roundTrip();
    // The client tells of an error some microtasks after the answer that follows it.
    await new Promise((resolve) => setImmediate(resolve));
    return isAnswered;
  }
}

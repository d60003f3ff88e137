// One receiver of notices: what waits for it, in order, and the tries that each delivery gets.
//
// WEBHOOK-RECEIVER-1. One request at a time, in the order of the events: a receiver that is slow or dead delays only its own.
// WEBHOOK-RECEIVER-2. At most MAX_WAITING deliveries wait; the oldest gives way to the newest.
// WEBHOOK-RECEIVER-3. A delivery is tried once, and again after each of RETRY_CEILINGS_MS if another try may succeed.
// WEBHOOK-RECEIVER-4. Each delivery is counted once: delivered, failed or dropped. Once closed, no timer and no request is left.
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../actors/ports/clock.js';
import { createLimitedWarn, type LimitedWarn } from '../telemetry/limited-log.js';
import type { Logger } from '../telemetry/log.js';
import type { Delivery, Post, PostEnd } from './webhook-request.js';

export const MAX_WAITING = 1000;

/** Exponential, with full jitter: a retry waits between nothing and this, or as long as the receiver asks for. */
export const RETRY_CEILINGS_MS = [1000, 4000, 16_000];

export interface WebhookCounts {
  readonly delivered: number;
  /** Given up after the last try, or refused. */
  readonly failed: number;
  /** Never delivered for want of room or of time. */
  readonly dropped: number;
  /** Not being sent yet. */
  readonly waiting: number;
}

export class WebhookReceiver {
  readonly #waiting: Delivery[] = [];
  readonly #warnFailed: LimitedWarn;
  readonly #warnDropped: LimitedWarn;
  #delivered = 0;
  #failed = 0;
  #dropped = 0;
  #underWay: Delivery | null = null;
  #isRunning = false;
  #isClosed = false;
  #idle: Promise<void> = Promise.resolve();
  /** Ends the present try or pause. */
  #interrupt: () => void = () => undefined;

  /** `log` names the receiver. */
  constructor(
    private readonly post: Post,
    private readonly timeoutMs: number,
    private readonly clock: Clock,
    private readonly random: () => number,
    private readonly log: Logger,
  ) {
    this.#warnFailed = createLimitedWarn(log, 'webhook_failed', clock.now);
    this.#warnDropped = createLimitedWarn(log, 'webhook_dropped', clock.now);
  }

  add(delivery: Delivery): void {
    if (this.#isClosed) {
      this.#dropped += 1;
      return;
    }
    // WEBHOOK-RECEIVER-2.
    if (this.#waiting.length === MAX_WAITING) this.#dropOldest();
    this.#waiting.push(delivery);
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#idle = this.#run();
  }

  counts(): WebhookCounts {
    return {
      delivered: this.#delivered,
      failed: this.#failed,
      dropped: this.#dropped,
      waiting: this.#waiting.length,
    };
  }

  /** Resolves when nothing waits and nothing is being sent. */
  idle(): Promise<void> {
    return this.#idle;
  }

  /** WEBHOOK-RECEIVER-4. Drops what is left. */
  close(): void {
    this.#isClosed = true;
    const left = this.#waiting.splice(0).length + (this.#underWay === null ? 0 : 1);
    this.#interrupt();
    if (left === 0) return;
    this.#dropped += left;
    this.log.warn({ event: 'webhook_dropped', reason: 'stopped', deliveries: left });
  }

  async #run(): Promise<void> {
    // To begin a request takes a fraction of a millisecond, which is not for the step of the actor that published.
    await nextTurn();
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      this.#underWay = next;
      await this.#deliver(next);
      this.#underWay = null;
    }
    this.#isRunning = false;
  }

  async #deliver(delivery: Delivery): Promise<void> {
    for (let tries = 1; ; tries += 1) {
      const result = await this.#try(delivery);
      if (this.#isClosed) return;
      const ceilingMs = RETRY_CEILINGS_MS[tries - 1];
      if (result.end !== 'unavailable' || ceilingMs === undefined) return this.#settle(delivery, result, tries);
      // A receiver may ask for more time, never for less: three tries within a moment would lose the notice.
      const pauseMs = Math.max(result.retryAfterMs ?? 0, this.random() * ceilingMs);
      this.log.debug({
        event: 'webhook_try_failed',
        ...idsOf(delivery),
        reason: result.reason,
        tries,
        pause_ms: Math.round(pauseMs),
      });
      await this.#pause(pauseMs);
      if (this.#isClosed) return;
    }
  }

  async #try(delivery: Delivery): Promise<PostEnd> {
    const abort = new AbortController();
    const timer = this.clock.setTimeout(() => abort.abort('timeout'), this.timeoutMs);
    this.#interrupt = () => abort.abort('closed');
    const result = await this.post(delivery, abort.signal);
    this.clock.clearTimeout(timer);
    return result;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.clock.setTimeout(() => resolve(), ms);
      this.#interrupt = () => {
        this.clock.clearTimeout(timer);
        resolve();
      };
    });
  }

  #settle(delivery: Delivery, result: PostEnd, tries: number): void {
    if (result.end === 'delivered') {
      this.#delivered += 1;
      this.log.debug({ event: 'webhook_delivered', ...idsOf(delivery), tries });
    } else {
      this.#failed += 1;
      this.#warnFailed({ ...idsOf(delivery), reason: result.reason, tries });
    }
  }

  #dropOldest(): void {
    const oldest = this.#waiting.shift();
    this.#dropped += 1;
    if (oldest !== undefined) this.#warnDropped({ ...idsOf(oldest), reason: 'queue_full' });
  }
}

const idsOf = ({ id, kind, extensionId }: Delivery) => ({
  delivery_id: id,
  event_kind: kind,
  extension_id: extensionId,
});

// One subscription over all lives of the connection.
//
// BROKER-SUBSCRIPTION-1. Its callback is guarded: a throw in one silently ends the reader of the whole connection.
// BROKER-SUBSCRIPTION-2. If the server denied it, it is requested again, and is logged as denied until it is granted.

import type { Subscription } from '#@nats-io/nats-core';
import { within } from '../../telemetry/deadline.js';
import type { OnMessage } from '../wire/frame-reader.js';
import type { BrokerMessage } from '../wire/message.js';
import type { BrokerClient } from './broker-client.js';

/** What a subscription needs of its connection. */
export interface SubscriptionHost {
  /** Attaches it again, if there is a connection. */
  reattach(subscription: BrokerSubscription): void;
  forget(subscription: BrokerSubscription): void;
  subscriptionFailed(error: unknown, subject: string): void;
}

const DENIED_RETRY_MS = 5000;
const DRAIN_DEADLINE_MS = 2000;

export class BrokerSubscription {
  /** BROKER-SUBSCRIPTION-2. */
  denied = false;
  #current: Subscription | null = null;
  #wanted = true;
  /** Nothing more is handed over, also not what was read with the message before. */
  #isOver = false;
  #retry: NodeJS.Timeout | null = null;

  constructor(
    readonly subject: string,
    private readonly queue: string | null,
    private readonly callback: OnMessage,
    private readonly host: SubscriptionHost,
  ) {}

  /** Requests it from the server; without effect if it was requested already. `fresh`: the client is a new one. */
  attach(client: BrokerClient, fresh: boolean): void {
    if (!this.#wanted || (this.#current !== null && !fresh)) return;
    const wasDenied = this.denied;
    const sub = client.subscribe(this.subject, this.queue, this.#deliver, (error) => {
      if (this.#current === sub) this.#failed(error);
    });
    this.#current = sub;
    // The server says no before it answers the flush.
    if (wasDenied)
      client.nc.flush().then(
        () => {
          if (this.#current === sub) this.denied = false;
        },
        () => undefined,
      );
  }

  readonly #deliver = (message: BrokerMessage): void => {
    if (this.#isOver) return;
    try {
      this.callback(message);
    } catch (thrown) {
      this.host.subscriptionFailed(thrown, this.subject);
    }
  };

  /** Asks the server again, which may have refused it without saying which one it refused. */
  renew(): void {
    const sub = this.#current;
    this.#current = null;
    if (sub !== null && !sub.isClosed()) sub.unsubscribe();
    this.host.reattach(this);
  }

  #failed(error: Error): void {
    this.#current = null;
    this.denied = true;
    this.host.subscriptionFailed(error, this.subject);
    this.#retry ??= setTimeout(() => {
      this.#retry = null;
      this.host.reattach(this);
    }, DENIED_RETRY_MS).unref();
  }

  /** No further messages; resolves when those on their way have been handed over, or after two seconds. */
  async drain(): Promise<void> {
    this.#stop();
    const sub = this.#current;
    this.#current = null;
    if (sub === null || sub.isClosed()) return;
    const drained = sub.drain().catch(() => undefined);
    await within(DRAIN_DEADLINE_MS, drained, null);
    if (!sub.isClosed()) sub.unsubscribe();
  }

  unsubscribe(): void {
    this.#isOver = true;
    this.#stop();
    const sub = this.#current;
    this.#current = null;
    if (sub !== null && !sub.isClosed()) sub.unsubscribe();
  }

  #stop(): void {
    this.#wanted = false;
    this.host.forget(this);
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
  }
}

// Notices to administrators: every event of a chosen kind, as JSON, to every receiver.
//
// WEBHOOKS-1. publish() takes no longer than it takes to write the JSON, and never throws: what happens to it later is no
//      matter of the core.
// WEBHOOKS-2. Of a receiver's URL only the host is ever logged: path and query often hold a token.

import { randomUUID } from 'node:crypto';
import type { Clock, WallClock } from '../actors/ports/clock.js';
import type { PublishEvent } from '../actors/ports/transport.js';
import type { EventKind } from '../domain/registry/events.js';
import { within } from '../telemetry/deadline.js';
import type { Logger } from '../telemetry/log.js';
import { type WebhookCounts, WebhookReceiver } from './webhook-receiver.js';
import { createPost } from './webhook-request.js';

export interface WebhookOptions {
  /** http and https URLs, checked. */
  readonly urls: readonly string[];
  /** null: requests are not signed. */
  readonly secret: string | null;
  readonly kinds: readonly EventKind[];
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly wall: WallClock;
  /** 0 up to 1: the jitter of retries. */
  readonly random: () => number;
  readonly log: Logger;
}

export interface Webhooks {
  readonly publish: PublishEvent;
  /** Of all receivers together. */
  counts(): WebhookCounts;
  /** Resolves when everything is sent, at the latest after DRAIN_MS. */
  drain(): Promise<void>;
  /** Ends immediately what is being sent, and drops what waits. */
  close(): void;
}

const DRAIN_MS = 2000;

export function createWebhooks(options: WebhookOptions): Webhooks {
  const { secret, timeoutMs, clock, wall, random, log } = options;
  const kinds: ReadonlySet<EventKind> = new Set(options.kinds);
  const receivers = options.urls.map((url, index) => {
    // WEBHOOKS-2. The number in the list distinguishes two of one host.
    const named = log.child({ receiver: new URL(url).host, receiver_number: index + 1 });
    return new WebhookReceiver(createPost(url, secret, wall), timeoutMs, clock, random, named);
  });
  return {
    publish(event) {
      if (receivers.length === 0 || !kinds.has(event.event)) return;
      const body = Buffer.from(JSON.stringify(event));
      for (const receiver of receivers)
        receiver.add({ id: randomUUID(), kind: event.event, extensionId: event.extension_id, body });
    },
    counts() {
      const total = { delivered: 0, failed: 0, dropped: 0, waiting: 0 };
      for (const receiver of receivers) {
        const { delivered, failed, dropped, waiting } = receiver.counts();
        total.delivered += delivered;
        total.failed += failed;
        total.dropped += dropped;
        total.waiting += waiting;
      }
      return total;
    },
    async drain() {
      await within(DRAIN_MS, Promise.all(receivers.map((receiver) => receiver.idle())), null, clock);
    },
    close() {
      for (const receiver of receivers) receiver.close();
    },
  };
}

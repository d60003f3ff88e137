// What the daemon sends with: requests to extensions, replies to callers, events and webhooks, over one connection.
import type { Clock } from '../actors/ports/clock.js';
import type { PublishEvent } from '../actors/ports/transport.js';
import type { Config } from '../config/config.js';
import type { BrokerConnection } from '../nats/connection/connection.js';
import { createEventPublisher } from '../nats/event-publisher.js';
import { Replies } from '../nats/intake/replies.js';
import { Requester } from '../nats/requester.js';
import { traceCalls } from '../nats/tracing/traced-calls.js';
import { createRandomHex } from '../nats/wire/random-hex.js';
import { Subjects } from '../nats/wire/subjects.js';
import type { Logger } from '../telemetry/log.js';
import { openTracer } from '../telemetry/traces/tracer.js';
import { createWebhooks } from '../webhooks/webhooks.js';
import { VERSION } from './version.js';

export type Wire = Awaited<ReturnType<typeof createWire>>;

export async function createWire(config: Config, connection: BrokerConnection, clock: Clock, log: Logger) {
  const tracer = await openTracer(process.env, VERSION, log.child({ component: 'traces' }));
  const randomHex = createRandomHex();
  const subjects = new Subjects(config.subject_prefix);
  // In this order: replies need their inbox before the first request is sent.
  const requester = new Requester(connection, clock, log, randomHex);
  const calls = traceCalls(tracer, requester.send.bind(requester));
  const replies = new Replies(connection, clock, randomHex);
  const events = createEventPublisher(connection, subjects);
  const webhooks = createWebhooks({
    urls: config.webhook_urls,
    secret: config.webhook_secret,
    kinds: config.webhook_events,
    timeoutMs: config.webhook_timeout_ms,
    clock,
    wall: Date.now,
    random: Math.random,
    log: log.child({ component: 'webhooks' }),
  });
  const publish: PublishEvent = (event) => {
    events.publish(event);
    webhooks.publish(event);
  };
  return { connection, tracer, subjects, randomHex, requester, calls, replies, events, webhooks, publish };
}

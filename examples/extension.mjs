// An extension as a NATS micro service (ADR-32): connection, discovery, errors, statistics, orderly end.
//
// E1. Every request gets exactly one reply: what `handle` returns, or a service error. (A switch may suppress it.)
// E2. Nothing thrown reaches the client library: an exception in a subscription callback would stop its reader.
// E3. A health check without a body is answered without `handle`; the switches hold for it too, or it would say nothing.
// E4. SIGTERM and SIGINT drain: no new requests, those begun are answered, then the connection closes.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, headers } from '@nats-io/transport-node';
import { readEnvelope, ServiceError } from './envelope.mjs';
import { createFaults } from './faults.mjs';

const DRAIN_MS = 4000;
/**
 * Serves requests until a signal ends it.
 * @param {object} extension
 * @param {string} extension.name `[A-Za-z0-9_-]+`: name of the service
 * @param {string} extension.version semantic version of this code
 * @param {string} extension.description
 * @param {string} extension.subject used where EXTENSION_SUBJECT names no other
 * @param {(envelope: import('./envelope.mjs').Envelope) => unknown} extension.handle returns the reply's body, also as a promise; may throw a ServiceError
 */
export async function serveExtension({ name, version, description, subject: ownSubject, handle }) {
  const subject = process.env.EXTENSION_SUBJECT || ownSubject;
  const queue = process.env.EXTENSION_QUEUE || 'q';
  const faults = createFaults(process.env);
  const id = randomUUID();
  const started = new Date().toISOString();
  const stats = { requests: 0, errors: 0, lastError: '', nanoseconds: 0 };
  let inFlight = 0;
  /** @type {import('@nats-io/transport-node').Subscription[]} */
  const subscriptions = [];
  /** @type {import('@nats-io/transport-node').NatsConnection | undefined} */
  let connection;

  endOnSignals(async () => {
    await Promise.all(subscriptions.map((subscription) => subscription.drain()));
    const deadline = Date.now() + DRAIN_MS;
    while (inFlight > 0 && Date.now() < deadline) await sleep(10);
    await connection?.drain();
  });
  connection = await connect({ ...login(process.env), name, maxReconnectAttempts: -1, waitOnFirstConnect: true });

  const serve = (pattern, answer, options = {}) =>
    subscriptions.push(
      connection.subscribe(pattern, {
        ...options,
        callback: (error, message) => {
          if (error) return;
          Promise.resolve()
            .then(() => answer(message))
            .catch((reason) => console.error(`${name}: could not answer on ${pattern}: ${reason.message}`));
        },
      }),
    );

  serve(subject, onRequest, { queue });

  async function onRequest(message) {
    const begun = process.hrtime.bigint();
    inFlight += 1;
    try {
      await faults.beforeReply();
      send(message, isBareCheck(message) ? { status: 'ok' } : await handle(readEnvelope(message.string())));
    } catch (error) {
      if (error === faults.NO_REPLY) return;
      sendError(message, error instanceof ServiceError ? error : new ServiceError(500, 'internal error'));
      if (!(error instanceof ServiceError)) console.error(`${name}: ${error.stack}`);
    } finally {
      inFlight -= 1;
      stats.requests += 1;
      stats.nanoseconds += Number(process.hrtime.bigint() - begun);
    }
  }

  function sendError(message, { code, message: description }) {
    stats.errors += 1;
    stats.lastError = `${code}:${description}`;
    const head = headers();
    head.set('Nats-Service-Error-Code', String(code));
    head.set('Nats-Service-Error', description);
    send(message, { error: { code, message: description } }, head);
  }

  const identity = { name, id, version, metadata: {} };
  const endpoint = { name, subject, queue_group: queue, metadata: {} };
  const discovery = {
    PING: () => ({ type: 'io.nats.micro.v1.ping_response', ...identity }),
    INFO: () => ({ type: 'io.nats.micro.v1.info_response', ...identity, description, endpoints: [endpoint] }),
    STATS: () => ({
      type: 'io.nats.micro.v1.stats_response',
      ...identity,
      started,
      endpoints: [
        {
          ...endpoint,
          num_requests: stats.requests,
          num_errors: stats.errors,
          last_error: stats.lastError,
          processing_time: stats.nanoseconds,
          average_processing_time: stats.requests > 0 ? Math.round(stats.nanoseconds / stats.requests) : 0,
          data: faults.current(),
        },
      ],
    }),
  };
  for (const [verb, answer] of Object.entries(discovery))
    for (const scope of ['', `.${name}`, `.${name}.${id}`])
      serve(`$SRV.${verb}${scope}`, (message) => send(message, answer()));

  if (process.env.EXTENSION_CONTROL_SUBJECT)
    serve(process.env.EXTENSION_CONTROL_SUBJECT, (message) => {
      try {
        send(message, faults.change(message.string()));
      } catch (error) {
        sendError(message, new ServiceError(400, error.message));
      }
    });

  await connection.flush();
  console.log(`${name} ${version} answers on ${subject} (queue group ${queue})`);
}

/** The registry asks whether this is well, and says no more. A check with a body is a request like any other. */
function isBareCheck(message) {
  return message.data.length === 0 && message.headers?.get('Extreg-Probe') === '1';
}

function send(message, body, head) {
  if (message.reply) message.respond(JSON.stringify(body), head ? { headers: head } : undefined);
}

/** NATS_URL with NATS_TOKEN, or with user and password (or a token) inside the URL. */
function login(env) {
  const servers = (env.NATS_URL || 'nats://127.0.0.1:4222').split(',').map((server) => server.trim());
  const inside = /^(?:[a-z]+:\/\/)?(.*)@/.exec(servers[0] ?? '')?.[1];
  const plain = servers.map((server) => server.replace(/^([a-z]+:\/\/)?.*@/, '$1'));
  if (env.NATS_TOKEN) return { servers: plain, token: env.NATS_TOKEN };
  if (inside === undefined) return { servers: plain };
  const [user, pass] = inside.split(/:(.*)/).map(decodeURIComponent);
  return pass === undefined ? { servers: plain, token: user } : { servers: plain, user, pass };
}

/** Ends the process once `drain` is through: at a signal, or with EXTENSION_END_WITH_STDIN at the end of stdin. */
function endOnSignals(drain) {
  let ending = false;
  const end = async () => {
    if (ending) return;
    ending = true;
    setTimeout(() => process.exit(1), DRAIN_MS + 1000).unref();
    try {
      await drain();
      process.exit(0);
    } catch {
      process.exit(1);
    }
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  if (process.env.EXTENSION_END_WITH_STDIN === '1') process.stdin.on('end', end).on('error', end).resume();
}

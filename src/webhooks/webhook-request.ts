// One request to one receiver of notices: what is sent, how it is signed, and what the answer means.
//
// WEBHOOK-REQUEST-1. The signature covers id, timestamp and the bytes of the body, as Standard Webhooks has it, and is made anew for each
//     try: none of them can be changed on the way, and what was recorded cannot be sent again later.
// WEBHOOK-REQUEST-2. A receiver can neither send us elsewhere nor keep us busy: a redirect is not followed, and of an answer no more
//     than its head is read.
import { createHmac } from 'node:crypto';
import { type ClientRequest, type IncomingMessage, Agent as PlainAgent, request as sendPlain } from 'node:http';
import { request as sendTls, Agent as TlsAgent } from 'node:https';
import { unescape as decode } from 'node:querystring';
import type { WallClock } from '../actors/ports/clock.js';
import type { EventKind } from '../domain/registry/events.js';
import { parseRetryAfter } from '../domain/routing/retry-after.js';

export interface Delivery {
  /** The same for every try, so that a receiver recognises a repetition. */
  readonly id: string;
  readonly kind: EventKind;
  readonly extensionId: string;
  /** The event as JSON. */
  readonly body: Buffer;
}

export type PostEnd =
  | { readonly end: 'delivered' }
  /** Another try would end the same way. */
  | { readonly end: 'refused'; readonly reason: string }
  /** `retryAfterMs`: what the receiver asked for, 0..60 000; null if it asked for nothing. */
  | { readonly end: 'unavailable'; readonly reason: string; readonly retryAfterMs: number | null };

/** Never rejects. A signal that aborts gives its reason, a text. */
export type Post = (delivery: Delivery, signal: AbortSignal) => Promise<PostEnd>;

/** Notices are rare: an idle connection would be closed by the other side just when the next notice is sent. */
const CONNECTION_PER_REQUEST = { keepAlive: false } as const;

/**
 * `url`: a user and password within it go into the Authorization header. node:http and not fetch, which does not notice
 * that a proxy without a backend closes the connection as soon as it is there, and waits for its timeout instead.
 */
export function createPost(url: string, secret: string | null, wall: WallClock): Post {
  const target = new URL(url);
  const login = `${decode(target.username)}:${decode(target.password)}`;
  target.username = '';
  target.password = '';
  const { send, agent } =
    target.protocol === 'https:'
      ? { send: sendTls, agent: new TlsAgent(CONNECTION_PER_REQUEST) }
      : { send: sendPlain, agent: new PlainAgent(CONNECTION_PER_REQUEST) };
  const key = secret === null ? null : keyOf(secret);
  const fixed = {
    'content-type': 'application/json',
    'user-agent': 'extension-registry',
    ...(login === ':' ? {} : { authorization: `Basic ${Buffer.from(login).toString('base64')}` }),
  };
  return ({ id, kind, body }, signal) => {
    const timestamp = String(Math.floor(wall() / 1000));
    const headers = {
      ...fixed,
      'content-length': body.length,
      'extreg-event': kind,
      'webhook-id': id,
      'webhook-timestamp': timestamp,
      ...(key === null ? {} : { 'webhook-signature': signatureOf(key, id, timestamp, body) }),
      // Deprecated, removed with the next release: for receivers that check `extreg-signature`.
      'extreg-delivery': id,
      'extreg-timestamp': timestamp,
      ...(key === null ? {} : { 'extreg-signature': formerSignatureOf(key, timestamp, body) }),
    };
    return new Promise((resolve) => {
      let request: ClientRequest;
      try {
        request = send(target, { method: 'POST', agent, headers, signal });
      } catch (error) {
        // Such as ciphers that this OpenSSL does not have: a receiver whose request rejects would send no other.
        resolve(unavailable(reasonOf(error as Error)));
        return;
      }
      request.once('response', (response) => {
        resolve(meaningOf(response, wall()));
        // WEBHOOK-REQUEST-2.
        response.destroy();
      });
      request.on('error', (error) => resolve(unavailable(reasonOf(error))));
      request.once('close', () => resolve(unavailable('no answer')));
      request.end(body);
    });
  };
}

const ENCODED_KEY = 'whsec_';

/** `whsec_` and the key in base64, which the settings have checked; or any text, whose UTF-8 bytes are the key. */
export function keyOf(secret: string): Buffer {
  return secret.startsWith(ENCODED_KEY)
    ? Buffer.from(secret.slice(ENCODED_KEY.length), 'base64')
    : Buffer.from(secret, 'utf8');
}

/** WEBHOOK-REQUEST-1. */
export function signatureOf(key: Buffer, id: string, timestamp: string, body: Uint8Array): string {
  return `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.`).update(body).digest('base64')}`;
}

/** Deprecated, of `extreg-signature`: the timestamp and the body are signed, in hexadecimal digits. */
export function formerSignatureOf(key: Buffer, timestamp: string, body: Uint8Array): string {
  return `v1=${createHmac('sha256', key).update(`${timestamp}.`).update(body).digest('hex')}`;
}

function meaningOf({ statusCode = 0, headers }: IncomingMessage, nowMs: number): PostEnd {
  if (statusCode >= 200 && statusCode < 300) return { end: 'delivered' };
  const reason = `status ${statusCode}`;
  if (statusCode !== 408 && statusCode !== 429 && statusCode < 500) return { end: 'refused', reason };
  return unavailable(reason, parseRetryAfter(headers['retry-after'] ?? '', nowMs));
}

const unavailable = (reason: string, retryAfterMs: number | null = null): PostEnd => ({
  end: 'unavailable',
  reason,
  retryAfterMs,
});

/** `ECONNREFUSED`, a sentence, or why it was aborted. None of them quotes the URL. */
function reasonOf({ cause, code, message }: NodeJS.ErrnoException): string {
  return typeof cause === 'string' ? cause : (code ?? message);
}

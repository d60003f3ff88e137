// The admin verbs on NATS, `<prefix>.admin.<verb>`: takes requests, asks the verb, sends the one answer.
//
// ADMIN-1. A request that can be answered is answered exactly once, whatever is in it and whatever the result of its verb.
// ADMIN-2. Without a reply subject, or with one we do not publish to, there is nothing to answer: counted, and not executed.
// ADMIN-3. A verb is asked only what it takes: a JSON object of at most 64 KiB without foreign fields.
// ADMIN-4. A token is asked for as over HTTP, in the header `Authorization: Bearer …`. On a server that is not the daemon's own, verbs are
//     served only while tokens are asked for: any of its clients could ask otherwise.
import { setImmediate } from 'node:timers/promises';
import type { Admit } from '../../actors/ports/access.js';
import type { Clock } from '../../actors/ports/clock.js';
import type { Role } from '../../domain/access/principal.js';
import { isJsonMap, type Json, type JsonMap, JsonSyntaxError, parseExactJson } from '../../domain/exact-json.js';
import { jsonParts } from '../../domain/json-parts.js';
import { quoted } from '../../domain/quoted.js';
import type { InvocationError } from '../../domain/registry/errors.js';
import { stackOf } from '../../telemetry/error-text.js';
import { unawaited } from '../../telemetry/guard.js';
import { createLimitedWarn, type LimitedWarn } from '../../telemetry/limited-log.js';
import type { Logger } from '../../telemetry/log.js';
import type { BrokerSubscription } from '../connection/broker-subscription.js';
import type { BrokerConnection } from '../connection/connection.js';
import type { Replies } from '../intake/replies.js';
import { errorBlock, errorBody } from '../wire/error-reply.js';
import { bytesOf } from '../wire/header-block.js';
import { headerIgnoringCase } from '../wire/header-lines.js';
import type { BrokerMessage } from '../wire/message.js';
import { acceptsReplyTo, QUEUE_GROUP, type Subjects } from '../wire/subjects.js';

/** What a verb says: a value for JSON, or why there is none. */
export type AdminAnswer =
  | { readonly kind: 'answer'; readonly value: object }
  /** `{"<name>":[<items>],<rest>}`; `items` are JSON texts. */
  | { readonly kind: 'list'; readonly name: string; readonly items: readonly string[]; readonly rest: object }
  /** An object as JSON, in parts that are made when they are asked for. */
  | { readonly kind: 'parts'; readonly parts: Iterable<string> }
  /** `extensionId`: '' if the request names none. */
  | { readonly kind: 'refused'; readonly error: InvocationError; readonly extensionId: string };

export interface AdminVerb {
  /** Names of what it takes. */
  readonly fields: readonly string[];
  /** `role`: of who asks. */
  answer(request: JsonMap, role: Role): AdminAnswer | Promise<AdminAnswer>;
}

interface AdminDeps {
  readonly connection: BrokerConnection;
  readonly replies: Replies;
  readonly subjects: Subjects;
  readonly clock: Clock;
  readonly log: Logger;
  readonly replyPrefixes: readonly string[];
  readonly verbs: ReadonlyMap<string, AdminVerb>;
  readonly admit: Admit;
  readonly isTokenRequired: () => boolean;
  /** The embedded one, whose token protects it. */
  readonly isOwnServer: boolean;
}

const AUTHORIZATION = bytesOf('authorization');
const MAX_BODY_BYTES = 65_536;
const MAX_DEPTH = 16;
/** An answer that is pending while NATS is away is kept so long. */
const OWED_MS = 10_000;

const utf8 = new TextDecoder('utf-8', { fatal: true });

export class AdminService {
  #notAccepted = 0;
  /** Requests whose answer takes longer than a turn of the event loop. */
  readonly #pending = new Set<Promise<void>>();
  #subscription: BrokerSubscription | null = null;
  #isWanted = false;
  readonly #warnNotAccepted: LimitedWarn;

  constructor(private readonly deps: AdminDeps) {
    const { log, clock } = deps;
    this.#warnNotAccepted = createLimitedWarn(log, 'admin_request_not_accepted', () => clock.now());
  }

  /** Begins to take requests, if it may (ADMIN-4); asked again when that may have changed. */
  start(): void {
    const { isOwnServer, isTokenRequired, connection, subjects, log } = this.deps;
    const isFirst = !this.#isWanted;
    this.#isWanted = true;
    if (this.#subscription !== null) return;
    if (!isOwnServer && !isTokenRequired()) {
      if (isFirst) log.info({ event: 'nats_admin_not_served', reason: 'no_access_token' });
      return;
    }
    this.#subscription = connection.subscribe(subjects.adminAll, QUEUE_GROUP, (message) => this.#take(message));
  }

  /** ADMIN-4. Tokens are asked for from now on, or are not any more. */
  accessChanged(): void {
    if (!this.#isWanted) return;
    const { isOwnServer, isTokenRequired, log } = this.deps;
    if (isOwnServer || isTokenRequired()) return this.start();
    const ended = this.#subscription;
    if (ended === null) return;
    this.#subscription = null;
    log.info({ event: 'nats_admin_not_served', reason: 'no_access_token' });
    unawaited(log, 'ending the admin verbs', ended.drain());
  }

  /** Takes no further requests; resolves when those on their way have their answers. */
  async drain(): Promise<void> {
    this.#isWanted = false;
    await this.#subscription?.drain();
    await Promise.all(this.#pending);
  }

  /** ADMIN-2. */
  get notAccepted(): number {
    return this.#notAccepted;
  }

  #take(message: BrokerMessage): void {
    const { subject, reply } = message;
    const { subjects, clock, replies } = this.deps;
    if (!acceptsReplyTo(reply, this.deps.replyPrefixes)) {
      this.#notAccepted += 1;
      this.#warnNotAccepted({ subject, reply });
      return;
    }
    const verb = subjects.adminVerb(subject);
    const deadlineMs = clock.now() + OWED_MS;
    const send = ({ block, body }: AnswerMessage): void => replies.send(reply, block, body, deadlineMs);
    const answer = this.#answer(verb, message);
    if (!(answer instanceof Promise)) return send(answer);
    const pending: Promise<void> = answer.then(send).finally(() => this.#pending.delete(pending));
    this.#pending.add(pending);
  }

  /** ADMIN-1. */
  #answer(verb: string, message: BrokerMessage): AnswerMessage | Promise<AnswerMessage> {
    const failed = (error: unknown): AnswerMessage => {
      this.deps.log.error({ event: 'admin_request_failed', verb, error: stackOf(error) });
      return refusalMessage(FAILED);
    };
    try {
      const answer = this.#ask(verb, message);
      const made = answer instanceof Promise ? answer.then((value) => this.#messageOf(value)) : this.#messageOf(answer);
      return made instanceof Promise ? made.catch(failed) : made;
    } catch (error) {
      return failed(error);
    }
  }

  #messageOf(answer: AdminAnswer): AnswerMessage | Promise<AnswerMessage> {
    if (answer.kind === 'refused') return refusalMessage(answer);
    if (answer.kind !== 'answer') return this.#madeInTurns(answer);
    return this.#sized(JSON.stringify(answer.value));
  }

  /** A long answer, a part in each turn of the event loop. */
  async #madeInTurns(answer: Exclude<AdminAnswer, { kind: 'refused' | 'answer' }>): Promise<AnswerMessage> {
    const { maxPayload } = this.deps.connection;
    // An answer that is too large is not made to its end.
    const least = answer.kind === 'list' ? answer.items.reduce((sum, item) => sum + item.length + 1, 0) : 0;
    if (least > maxPayload) return refusalMessage(tooLarge(maxPayload, least));
    let text = '';
    for (const part of partsOf(answer)) {
      text += part;
      if (text.length > maxPayload) break;
      await setImmediate();
    }
    return this.#sized(text);
  }

  #sized(text: string): AnswerMessage {
    const { maxPayload } = this.deps.connection;
    const body = Buffer.from(text);
    return body.length <= maxPayload ? { block: '', body } : refusalMessage(tooLarge(maxPayload, body.length));
  }

  /** ADMIN-3. */
  #ask(name: string, { block, body }: BrokerMessage): AdminAnswer | Promise<AdminAnswer> {
    const role = this.#roleOf(headerIgnoringCase(block, AUTHORIZATION));
    if (typeof role !== 'string') return role;
    const verb = this.deps.verbs.get(name);
    if (verb === undefined)
      return invalid(`the verb must be one of ${[...this.deps.verbs.keys()].join(', ')}, got ${quoted(name)}`);
    if (body.length > MAX_BODY_BYTES)
      return invalid(`the request must be at most ${MAX_BODY_BYTES} bytes, got ${body.length}`);
    const read = readJson(body);
    if ('problem' in read) return invalid(`the request must be JSON: ${read.problem}`);
    if (!isJsonMap(read.json)) return invalid(`the request must be a JSON object, got ${kindOf(read.json)}`);
    const foreign = Object.keys(read.json).filter((field) => !verb.fields.includes(field));
    if (foreign.length > 0)
      return invalid(`the request has no field ${quoted(foreign[0] ?? '')}; it takes ${verb.fields.join(', ')}`);
    return verb.answer(read.json, role);
  }

  /** ADMIN-4. Every verb reads, so that any role allows it. */
  #roleOf(authorization: string): Role | Refusal {
    const { admit, isOwnServer } = this.deps;
    const admission = admit(authorization === '' ? undefined : authorization, 'nats');
    if (admission.kind === 'admitted' && (isOwnServer || admission.principal.kind !== 'open'))
      return admission.principal.role;
    const code = admission.kind === 'database_unavailable' ? admission.kind : 'unauthenticated';
    const message =
      admission.kind === 'admitted' ? 'a token is needed: Authorization: Bearer <token>' : admission.message;
    return { kind: 'refused', error: { code, message }, extensionId: '' };
  }
}

function partsOf(answer: Exclude<AdminAnswer, { kind: 'refused' | 'answer' }>): Iterable<string> {
  return answer.kind === 'list' ? jsonParts(answer.name, answer.items, answer.rest) : answer.parts;
}

type Refusal = Extract<AdminAnswer, { kind: 'refused' }>;

interface AnswerMessage {
  readonly block: string;
  readonly body: Uint8Array;
}

const refusalMessage = ({ error, extensionId }: Refusal): AnswerMessage => ({
  block: errorBlock(error),
  body: errorBody(error, extensionId),
});

/** `extensionId`: if it is known. */
export const invalid = (message: string, extensionId = ''): Refusal => ({
  kind: 'refused',
  error: { code: 'invalid_request', message },
  extensionId,
});

/** What stands there, for a sentence that says what was expected. */
export function kindOf(json: Json | undefined): string {
  if (json === undefined) return 'nothing';
  if (json === null || typeof json === 'boolean') return String(json);
  if (typeof json === 'string') return 'a text';
  if (Array.isArray(json)) return 'a list';
  return isJsonMap(json) ? 'an object' : 'a number';
}

/** For a reading verb that has nothing to say without fields, an empty body is an empty object. */
function readJson(data: Uint8Array): { readonly json: Json } | { readonly problem: string } {
  if (data.length === 0) return { json: {} };
  let text: string;
  try {
    text = utf8.decode(data);
  } catch {
    return { problem: 'it is not UTF-8' };
  }
  try {
    return { json: parseExactJson(text, MAX_DEPTH) };
  } catch (error) {
    if (error instanceof JsonSyntaxError) return { problem: error.message.slice(0, 300) };
    throw error;
  }
}

const FAILED: Refusal = {
  kind: 'refused',
  error: {
    code: 'internal_error',
    message: 'a fault of the daemon; see its log',
    // These verbs only read.
    retryable: 'yes',
  },
  extensionId: '',
};

const tooLarge = (limit: number, got: number): Refusal => ({
  kind: 'refused',
  error: {
    code: 'payload_too_large',
    message: `the answer must be at most ${limit} bytes, got ${got}; the admin API answers it over HTTP`,
    details: { direction: 'reply', limit_bytes: limit, got_bytes: got },
  },
  extensionId: '',
});

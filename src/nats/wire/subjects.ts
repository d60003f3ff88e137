// Every subject of the wire contract: nothing else in the project builds or takes apart one.
//
// SUBJECTS-1. An extension id is one token of [A-Za-z0-9_:-], 1..255 characters; whatever else stands there is refused, never guessed.
// SUBJECTS-2. A reply goes only to a subject under an accepted prefix, without wildcards, and never into our own inbox:
//     it is published with our rights, not with the caller's.
import { isExtensionId } from '../../domain/registry/subject-rules.js';

/** Queue group of the intake: one replica takes each invocation. */
export const QUEUE_GROUP = 'extreg';

/** First tokens of the daemon's own inboxes; a permission on `_INBOX_extreg.>` excludes other clients. */
export const INBOX_PREFIX = '_INBOX_extreg';

/** NATS micro's fixed prefix (ADR-32). */
const MICRO_PREFIX = '$SRV';

const MAX_TENANT_LENGTH = 255;
/** A longer one could exceed the server's control line, which would cost us the connection. */
const MAX_REPLY_LENGTH = 512;
/** 1 for printable ASCII but the wildcards. */
const REPLY_CHARACTER = new Uint8Array(128);
for (let code = 33; code <= 126; code += 1) REPLY_CHARACTER[code] = code === 42 || code === 62 ? 0 : 1;
/** No control characters, no blanks of any script, no wildcards. */
const PLAIN_TENANT = /^[^*>\p{C}\p{Z}]+$/u;

/** Major version of what replicas say to each other: another one has subjects of its own, so that both can be served at a time. */
const FLEET_MAJOR = 'f1';

const SELF_CHECK_ID = /^[0-9a-f]{16}$/;

type InvokeAddress =
  | { readonly ok: true; readonly extensionId: string; readonly tenantId: string | null }
  | { readonly ok: false; readonly extensionId: string; readonly problem: string };

export class Subjects {
  /** Takes `…invoke.<id>`, `…invoke.<id>.<tenant>`, and what is too deep, so that it is answered and not lost. */
  readonly invokeAll: string;
  /** Takes `…admin.<verb>`, and what is too deep. */
  readonly adminAll: string;
  readonly #invokeStart: number;
  readonly #adminStart: number;
  readonly #eventPrefix: string;
  readonly #selfCheckPrefix: string;

  constructor(
    /** First tokens of the wire contract, such as `extreg.v1`. */
    readonly prefix: string,
  ) {
    this.invokeAll = `${prefix}.invoke.>`;
    this.#invokeStart = `${prefix}.invoke.`.length;
    this.adminAll = `${prefix}.admin.>`;
    this.#adminStart = `${prefix}.admin.`.length;
    this.#eventPrefix = `${prefix}.event.`;
    this.#selfCheckPrefix = `${prefix}.invoke.$ready.`;
  }

  /** SUBJECTS-1. The subject is one that `invokeAll` matched. */
  parseInvoke(subject: string): InvokeAddress {
    const dot = subject.indexOf('.', this.#invokeStart);
    const extensionId = dot === -1 ? subject.slice(this.#invokeStart) : subject.slice(this.#invokeStart, dot);
    if (!isExtensionId(extensionId))
      return {
        ok: false,
        extensionId,
        problem: `extension id must be 1..255 of A-Z a-z 0-9 _ : -, got ${JSON.stringify(extensionId.slice(0, 80))}`,
      };
    if (dot === -1) return { ok: true, extensionId, tenantId: null };
    const tenantId = subject.slice(dot + 1);
    if (tenantId.indexOf('.') !== -1)
      return {
        ok: false,
        extensionId,
        problem: `subject must end after the tenant, got ${JSON.stringify(subject.slice(0, 300))}`,
      };
    const problem = tenantProblem(tenantId);
    return problem === null ? { ok: true, extensionId, tenantId } : { ok: false, extensionId, problem };
  }

  /** A daemon's message to itself through `invokeAll`, on a subject that no extension can have; `id`: 16 hexadecimal digits. */
  selfCheck(id: string): string {
    return this.#selfCheckPrefix + id;
  }

  /** The end of its reply subject; what is before is the daemon's to choose. */
  selfCheckReply(id: string): string {
    return `extreg_ready.${id}`;
  }

  /** True: a daemon's, of whatever reply prefix. A caller's request to such a subject has another reply subject. */
  isSelfCheck(subject: string, reply: string): boolean {
    if (!subject.startsWith(this.#selfCheckPrefix)) return false;
    const id = subject.slice(this.#selfCheckPrefix.length);
    return SELF_CHECK_ID.test(id) && reply.endsWith(`.${this.selfCheckReply(id)}`);
  }

  /** The subject is one that `adminAll` matched; one with too many tokens is no verb. */
  adminVerb(subject: string): string {
    return subject.slice(this.#adminStart);
  }

  /** What replicas say to each other; `all`: whatever they say. */
  fleet(what: 'hb' | 'hello' | 'bye' | 'all'): string {
    return `${this.prefix}.fleet.${what === 'all' ? '>' : `${FLEET_MAJOR}.${what}`}`;
  }

  /** An id that is no subject token stands as `_`; the event's body names it in full. */
  event(kind: string, extensionId: string): string {
    return `${this.#eventPrefix}${kind}.${isExtensionId(extensionId) ? extensionId : '_'}`;
  }
}

/** What is wrong with a tenant as the last token of a subject; null: nothing. */
export function tenantProblem(tenantId: string): string | null {
  if (tenantId.length <= MAX_TENANT_LENGTH && PLAIN_TENANT.test(tenantId) && !tenantId.includes('.')) return null;
  return `tenant token must be 1..${MAX_TENANT_LENGTH} characters without blanks and wildcards, got ${JSON.stringify(tenantId.slice(0, 80))}`;
}

/**
 * SUBJECTS-2. Whether a caller's reply subject may be published to. A prefix is compared as text: `_INBOX` takes `_INBOX_abc.x` too. `isPlain`: it is
 * known to be printable ASCII without wildcards.
 */
export function acceptsReplyTo(reply: string, prefixes: readonly string[], isPlain = false): boolean {
  if (reply.startsWith(INBOX_PREFIX) && (reply.length === INBOX_PREFIX.length || reply[INBOX_PREFIX.length] === '.'))
    return false;
  if (reply.length > MAX_REPLY_LENGTH || !startsWithOneOf(reply, prefixes)) return false;
  if (isPlain) return true;
  for (let i = 0; i < reply.length; i += 1) if (REPLY_CHARACTER[reply.charCodeAt(i)] !== 1) return false;
  return true;
}

function startsWithOneOf(text: string, prefixes: readonly string[]): boolean {
  for (let i = 0; i < prefixes.length; i += 1) if (text.startsWith(prefixes[i] as string)) return true;
  return false;
}

/** The three subjects on which a micro service answers one verb: all services, by name, by name and id. */
export function microSubjects(verb: 'PING' | 'INFO' | 'STATS', name: string, id: string): readonly string[] {
  return [`${MICRO_PREFIX}.${verb}`, `${MICRO_PREFIX}.${verb}.${name}`, `${MICRO_PREFIX}.${verb}.${name}.${id}`];
}

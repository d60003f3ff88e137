// Every subject of the wire contract: nothing else in the project builds or takes apart one.
//
// J1. An extension id is one token of [A-Za-z0-9_:-], 1..255 characters; whatever else stands there is refused, never guessed.
// J2. A reply goes only to a subject under an accepted prefix, without wildcards, and never into our own inbox:
//     it is published with our rights, not with the caller's.
import { isExtensionId } from '../domain/subject-rules.js';

/** Queue group of the intake: one replica takes each invocation. */
export const QUEUE_GROUP = 'extreg';

/** First tokens of the daemon's own inboxes; a permission on `_INBOX_extreg.>` keeps others out of them. */
export const INBOX_PREFIX = '_INBOX_extreg';

/** NATS micro's fixed prefix (ADR-32). */
const MICRO_PREFIX = '$SRV';

const MAX_TENANT_LENGTH = 255;
/** Printable ASCII without wildcards. A longer one could exceed the server's control line, which would cost us the connection. */
const PLAIN_REPLY = /^[\x21-\x29\x2b-\x3d\x3f-\x7e]{1,512}$/;
/** No control characters, no blanks of any script, no wildcards. */
const PLAIN_TENANT = /^[^*>\p{C}\p{Z}]+$/u;

export type InvokeAddress =
  | { readonly ok: true; readonly extensionId: string; readonly tenantId: string | null }
  | { readonly ok: false; readonly extensionId: string; readonly problem: string };

export class Subjects {
  /** Takes `…invoke.<id>`, `…invoke.<id>.<tenant>`, and what is too deep, so that it is answered and not lost. */
  readonly invokeAll: string;
  readonly #invokeStart: number;
  readonly #eventPrefix: string;

  constructor(
    /** First tokens of the wire contract, such as `extreg.v1`. */
    readonly prefix: string,
  ) {
    this.invokeAll = `${prefix}.invoke.>`;
    this.#invokeStart = `${prefix}.invoke.`.length;
    this.#eventPrefix = `${prefix}.event.`;
  }

  /** J1. The subject is one that `invokeAll` matched. */
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
    if (tenantId.length > MAX_TENANT_LENGTH || !PLAIN_TENANT.test(tenantId))
      return {
        ok: false,
        extensionId,
        problem: `tenant token must be 1..${MAX_TENANT_LENGTH} characters without blanks and wildcards, got ${JSON.stringify(tenantId.slice(0, 80))}`,
      };
    return { ok: true, extensionId, tenantId };
  }

  /** An id that is no subject token stands as `_`; the event's body names it in full. */
  event(kind: string, extensionId: string): string {
    return `${this.#eventPrefix}${kind}.${isExtensionId(extensionId) ? extensionId : '_'}`;
  }
}

/** J2. Whether a caller's reply subject may be published to. A prefix is compared as text: `_INBOX` takes `_INBOX_abc.x` too. */
export function acceptsReplyTo(reply: string, prefixes: readonly string[]): boolean {
  if (reply.startsWith(INBOX_PREFIX) && (reply.length === INBOX_PREFIX.length || reply[INBOX_PREFIX.length] === '.'))
    return false;
  if (!PLAIN_REPLY.test(reply)) return false;
  for (const prefix of prefixes) if (reply.startsWith(prefix)) return true;
  return false;
}

/** The three subjects on which a micro service answers one verb: everybody, by name, by name and id. */
export function microSubjects(verb: 'PING' | 'INFO' | 'STATS', name: string, id: string): readonly string[] {
  return [`${MICRO_PREFIX}.${verb}`, `${MICRO_PREFIX}.${verb}.${name}`, `${MICRO_PREFIX}.${verb}.${name}.${id}`];
}

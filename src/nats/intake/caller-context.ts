// The context of an invocation: which of the values that a caller claims are accepted.
//
// CALLER-CONTEXT-1. A value comes only from a source in `context_from`, and of several from the first one there. An empty or
//     blank value is none.
// CALLER-CONTEXT-2. Nothing is read before it is needed, and the body only for keys to which nothing before it gives a value.
// CALLER-CONTEXT-3. An environment in the daemon's configuration has precedence over every source.
// CALLER-CONTEXT-4. No context header gives the extension another value than the one that routing used. A key that routing did not ask for was
//     not looked up in the body (CALLER-CONTEXT-2): its header passes as it came, even if a body with precedence says otherwise.
// CALLER-CONTEXT-5. If a body that could answer is too large to be read, or names a key twice, the call is refused: nothing is
//     guessed. Only the routing key of `consistent_hash` is none then, as if none was given: any instance can serve.
import type { InvocationError } from '../../domain/registry/errors.js';
import type { Context, ContextAnswer } from '../../domain/routing/routing-rules.js';
import type { CallerHeaders, LeftOut } from '../wire/caller-headers.js';
import type { HeaderBlock } from '../wire/header-block.js';
import { headerIn, isHeaderName, type SoughtHeader, soughtHeader, TENANT_HEADER } from '../wire/headers.js';
import type { BodyContext } from './context-body.js';

export const CONTEXT_SOURCES = ['subject', 'header', 'body'] as const;
export type ContextSource = (typeof CONTEXT_SOURCES)[number];

export interface ContextSettings {
  /** CALLER-CONTEXT-1. Each at most once; empty: nothing is accepted. */
  readonly from: readonly ContextSource[];
  /** A larger body is not read; 0: none is. */
  readonly bodyMaxBytes: number;
  /** CALLER-CONTEXT-3. null: not configured. */
  readonly environment: string | null;
}

/** What an invocation claims, as it came. */
export interface Claims {
  /** The tenant token of the subject; null without one. */
  readonly tenantId: string | null;
  /** Value of a context header, as text; null without it. */
  claimed(header: SoughtHeader): string | null;
  readonly body: Uint8Array;
  /** Of the same body; asked only if it may be read. */
  readonly bodyContext: BodyContext;
}

/** What the extension is to get of this call. */
export interface ForwardedContext {
  /** Value of a context header; null if it gets none. */
  forwarded(header: SoughtHeader): string | null;
}

const TENANT_KEY = 'tenant_id';
const ENVIRONMENT_KEY = 'environment';

const headerOfKey = new Map<string, SoughtHeader | null>([
  [TENANT_KEY, TENANT_HEADER],
  ['policy_id', soughtHeader('Extreg-Policy-Id')],
  [ENVIRONMENT_KEY, soughtHeader('Extreg-Environment')],
  ['routing_key', soughtHeader('Extreg-Routing-Key')],
]);
const MAX_HEADERS = 1000;

/** The header that a key travels in; null if no header can have its name. */
export function contextHeader(key: string): SoughtHeader | null {
  const known = headerOfKey.get(key);
  if (known !== undefined) return known;
  const header = isHeaderName(key) ? soughtHeader(`Extreg-Ctx-${key}`) : null;
  // The keys are those of the registry's rules, so they are few; whatever they are, they do not pile up.
  if (headerOfKey.size < MAX_HEADERS) headerOfKey.set(key, header);
  return header;
}

const isGiven = (value: string | null): value is string => value !== null && value.trim() !== '';

export class ContextReader {
  /** Context headers of a caller that the extension does not get if it gets the subject's tenant, and if not. */
  readonly leftOutWithTenant: LeftOut;
  readonly leftOut: LeftOut;
  readonly #from: readonly ContextSource[];
  readonly #bodyMaxBytes: number;
  readonly #environment: string | null;
  readonly #headerRank: number;
  readonly #subjectRank: number;
  readonly #bodyRank: number;
  /** The body has precedence over a further source. */
  readonly #bodyOutranks: boolean;

  constructor({ from, bodyMaxBytes, environment }: ContextSettings) {
    this.#from = bodyMaxBytes === 0 ? from.filter((source) => source !== 'body') : from;
    this.#bodyMaxBytes = bodyMaxBytes;
    this.#environment = environment;
    const rank = (source: ContextSource): number => {
      const at = this.#from.indexOf(source);
      return at === -1 ? Number.POSITIVE_INFINITY : at;
    };
    this.#subjectRank = rank('subject');
    this.#headerRank = rank('header');
    this.#bodyRank = rank('body');
    this.#bodyOutranks = this.#bodyRank < this.#from.length - 1;
    const others = !from.includes('header');
    this.leftOut = { tenant: others, environment: others || environment !== null, others };
    this.leftOutWithTenant = { ...this.leftOut, tenant: true };
  }

  /** CALLER-CONTEXT-4. Whether an extension gets the tenant of the subject: it is accepted, and no header has precedence. */
  forwardsSubject({ text }: HeaderBlock): boolean {
    if (this.#subjectRank === Number.POSITIVE_INFINITY) return false;
    return this.#subjectRank < this.#headerRank || !isGiven(headerIn(text, TENANT_HEADER));
  }

  /** CALLER-CONTEXT-1 to CALLER-CONTEXT-3. */
  read(key: string, claims: Claims): ContextAnswer {
    if (this.#environment !== null && key === ENVIRONMENT_KEY) return this.#environment;
    for (const source of this.#from) {
      const answer = this.#ask(source, key, claims);
      if (answer !== undefined) return answer;
    }
    return undefined;
  }

  #ask(source: ContextSource, key: string, claims: Claims): ContextAnswer {
    switch (source) {
      case 'subject':
        return key === TENANT_KEY ? (claims.tenantId ?? undefined) : undefined;
      case 'header': {
        const header = contextHeader(key);
        const value = header === null ? null : claims.claimed(header);
        return isGiven(value) ? value : undefined;
      }
      case 'body':
        return this.#askBody(key, claims);
      default:
        return source satisfies never;
    }
  }

  /**
   * CALLER-CONTEXT-4. The context header that gives the extension another value of `key` than `value`: a body with precedence
   * can contradict it.
   */
  contradicted(key: string, value: string, extension: ForwardedContext): SoughtHeader | null {
    if (!this.#bodyOutranks) return null;
    const header = contextHeader(key);
    const sent = header === null ? null : extension.forwarded(header);
    return sent === null || sent === value ? null : header;
  }

  #askBody(key: string, { body, bodyContext }: Claims): ContextAnswer {
    if (!bodyContext.isObject) return undefined;
    if (body.length > this.#bodyMaxBytes) return this.#contextNeeded(key, body.length);
    const answer = bodyContext.get(key);
    if (answer === null) return undefined;
    if (typeof answer === 'string') return answer;
    const { twice } = answer;
    return {
      code: 'invalid_request',
      message: `routing needs ${twice}: the body must give it once, got it twice`,
      details: { reason: 'context_given_twice', member: twice },
    };
  }

  /** CALLER-CONTEXT-5. Only a source with precedence over the body could have answered in its place. */
  #contextNeeded(key: string, gotBytes: number): InvocationError {
    const header = this.#headerRank < this.#bodyRank ? contextHeader(key) : null;
    const isTenantInSubject = this.#subjectRank < this.#bodyRank && header === null && key === TENANT_KEY;
    const ways = [
      ...(header === null ? [] : [`header ${header.name}`]),
      ...(isTenantInSubject ? ['the tenant in the subject'] : []),
      `a body of at most ${this.#bodyMaxBytes} bytes`,
    ];
    return {
      code: 'invalid_request',
      message: `routing needs ${key}: expected ${ways.join(', or ')}, got a body of ${gotBytes} bytes`,
      details: {
        reason: 'context_needed',
        headers: header === null ? [] : [header.name],
        limit_bytes: this.#bodyMaxBytes,
        got_bytes: gotBytes,
      },
    };
  }
}

/** The source of one call's context. */
export interface Asked {
  answer(key: string): ContextAnswer;
}

/** The context of one call, read on demand and once for each key. */
export class ReadContext implements Context {
  /** null: not needed so far. */
  #answers: Map<string, ContextAnswer> | null = null;

  constructor(private readonly asked: Asked) {}

  get(key: string): ContextAnswer {
    this.#answers ??= new Map();
    if (this.#answers.has(key)) return this.#answers.get(key);
    const answer = this.asked.answer(key);
    this.#answers.set(key, answer);
    return answer;
  }
}

/** What the extension gets once a body had precedence over this header. (Its lines were checked by HeaderLines already, and are no whole block.) */
export function withoutHeader(headers: CallerHeaders, { name }: SoughtHeader): CallerHeaders {
  const lines = headers.forwarded.split(/(?<=\r\n)/);
  return { ...headers, forwarded: lines.filter((line) => !line.startsWith(`${name}:`)).join('') };
}

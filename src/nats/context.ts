// The context of an invocation: which of the values that a caller claims are believed.
//
// X1. A value comes only from a source in `context_from`, and of several from the one that stands first there. An empty or
//     blank value is none.
// X2. Nothing is read before somebody asks, and the body only for keys to which nothing before it gives a value.
// X3. An environment in the daemon's configuration stands over every source.
// X4. No context header tells the extension anything else than what routing used.
// X5. Where a body that could answer is too large to be looked into, or says it twice, the call is refused: nothing is
//     guessed.
import type { CallContext } from '../actors/ports.js';
import type { InvocationError } from '../domain/errors.js';
import type { CallerHeaders, LeftOut } from './caller-headers.js';
import { type BodyContext, isJsonObject } from './context-body.js';
import { headerIn, isHeaderName } from './headers.js';

export const CONTEXT_SOURCES = ['subject', 'header', 'body'] as const;
export type ContextSource = (typeof CONTEXT_SOURCES)[number];

export interface ContextSettings {
  /** X1. Each at most once; empty: nothing is believed. */
  readonly from: readonly ContextSource[];
  /** A larger body is not looked into; 0: none is. */
  readonly bodyMaxBytes: number;
  /** X3. null: not configured. */
  readonly environment: string | null;
}

/** What an invocation claims, as it came. */
export interface Claims {
  /** The tenant token of the subject; null without one. */
  readonly tenantId: string | null;
  /** A well-formed header block; '' without headers. */
  readonly text: string;
  readonly body: Uint8Array;
  /** Of the same body; asked only where it may be looked into. */
  readonly bodyContext: BodyContext;
}

export type ContextValues = ReadonlyMap<string, string>;

const TENANT_KEY = 'tenant_id';
export const TENANT_HEADER = 'Extreg-Tenant-Id';

const NAMED_HEADERS: ReadonlyMap<string, string> = new Map([
  [TENANT_KEY, TENANT_HEADER],
  ['policy_id', 'Extreg-Policy-Id'],
  ['environment', 'Extreg-Environment'],
  ['routing_key', 'Extreg-Routing-Key'],
]);

const otherHeaders = new Map<string, string | null>();
const MAX_OTHER_HEADERS = 1000;

/** The header that a key travels in; null where no header can have its name. */
export function contextHeader(key: string): string | null {
  const known = NAMED_HEADERS.get(key) ?? otherHeaders.get(key);
  if (known !== undefined) return known;
  const header = isHeaderName(key) ? `Extreg-Ctx-${key}` : null;
  // The keys are those of the registry's rules, so they are few; whatever they are, they do not pile up.
  if (otherHeaders.size < MAX_OTHER_HEADERS) otherHeaders.set(key, header);
  return header;
}

const isGiven = (value: string | null): value is string => value !== null && value.trim() !== '';

export class ContextReader {
  /** Context headers of a caller that the extension does not get where it is told the subject's tenant, and where not. */
  readonly leftOutWithTenant: LeftOut;
  readonly leftOut: LeftOut;
  readonly #from: readonly ContextSource[];
  readonly #bodyMaxBytes: number;
  readonly #environment: string | null;
  readonly #headerRank: number;
  readonly #subjectRank: number;
  readonly #bodyRank: number;
  /** A source is believed after the body. */
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

  /** X4. Whether an extension is told a tenant in the subject: it is believed, and no header is believed before it. */
  tellsSubject(text: string): boolean {
    if (this.#subjectRank === Number.POSITIVE_INFINITY) return false;
    return this.#subjectRank < this.#headerRank || !isGiven(headerIn(text, TENANT_HEADER));
  }

  /** A value for each of `keys` that a source gives one; an error where that cannot be known. */
  read(keys: readonly string[], claims: Claims): ContextValues | InvocationError {
    const values = new Map<string, string>();
    if (this.#environment !== null && keys.includes('environment')) values.set('environment', this.#environment);
    for (const source of this.#from) {
      const missing = keys.filter((key) => !values.has(key));
      if (missing.length === 0) break;
      switch (source) {
        case 'subject':
          if (claims.tenantId !== null && missing.includes(TENANT_KEY)) values.set(TENANT_KEY, claims.tenantId);
          break;
        case 'header':
          readHeaders(missing, claims.text, values);
          break;
        case 'body': {
          const error = this.#readBody(missing, claims, values);
          if (error !== null) return error;
          break;
        }
        default:
          source satisfies never;
      }
    }
    return values;
  }

  /**
   * X4. The context headers that `told` the extension something else than `context` says: a body that is believed before
   * them can contradict them.
   */
  contradicted(context: ContextValues, told: (header: string) => string | null): readonly string[] {
    if (!this.#bodyOutranks) return [];
    return [...context].flatMap(([key, value]) => {
      const header = contextHeader(key);
      const said = header === null ? null : told(header);
      return header === null || said === null || said === value ? [] : [header];
    });
  }

  #readBody(
    keys: readonly string[],
    { body, bodyContext }: Claims,
    values: Map<string, string>,
  ): InvocationError | null {
    if (!isJsonObject(body)) return null;
    if (body.length > this.#bodyMaxBytes) return this.#contextNeeded(keys, body.length);
    const twice = bodyContext.read(keys, values);
    return twice === null
      ? null
      : {
          code: 'invalid_request',
          message: `routing needs ${twice}: the body must give it once, got it twice`,
          details: { reason: 'context_given_twice', member: twice },
        };
  }

  /** X5. Only a source that is believed before the body could have answered in its place. */
  #contextNeeded(keys: readonly string[], gotBytes: number): InvocationError {
    const headers = this.#headerRank < this.#bodyRank ? keys.flatMap((key) => contextHeader(key) ?? []) : [];
    const isTenantInSubject =
      this.#subjectRank < this.#bodyRank && !headers.includes(TENANT_HEADER) && keys.includes(TENANT_KEY);
    const ways = [
      ...(headers.length === 0 ? [] : [`${headers.length === 1 ? 'header' : 'headers'} ${headers.join(', ')}`]),
      ...(isTenantInSubject ? ['the tenant in the subject'] : []),
      `a body of at most ${this.#bodyMaxBytes} bytes`,
    ];
    return {
      code: 'invalid_request',
      message: `routing needs ${keys.join(', ')}: expected ${ways.join(', or ')}, got a body of ${gotBytes} bytes`,
      details: { reason: 'context_needed', headers, limit_bytes: this.#bodyMaxBytes, got_bytes: gotBytes },
    };
  }
}

/** The context of one call, read as it is asked for: what nobody asks for is not looked for. */
export class ReadContext implements CallContext {
  problem: InvocationError | null = null;
  readonly #values = new Map<string, string | undefined>();

  constructor(private readonly read: (keys: readonly string[]) => ContextValues | InvocationError) {}

  get(key: string): string | undefined {
    if (this.#values.has(key)) return this.#values.get(key);
    const answer = this.read([key]);
    if ('code' in answer) this.problem ??= answer;
    const value = 'code' in answer ? undefined : answer.get(key);
    this.#values.set(key, value);
    return value;
  }
}

function readHeaders(keys: readonly string[], text: string, values: Map<string, string>): void {
  if (text === '') return;
  for (const key of keys) {
    const header = contextHeader(key);
    const value = header === null ? null : headerIn(text, header);
    if (isGiven(value)) values.set(key, value);
  }
}

/** What the extension gets once a body was believed over these headers. */
export function withoutHeaders(headers: CallerHeaders, names: readonly string[]): CallerHeaders {
  const lines = headers.forwarded.split(/(?<=\r\n)/);
  return { ...headers, forwarded: lines.filter((line) => !names.some((name) => line.startsWith(`${name}:`))).join('') };
}

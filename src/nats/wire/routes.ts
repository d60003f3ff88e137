// Prepared routes: what the header blocks to one instance, and back from it, have in common, made once, for the first call.
//
// ROUTES-1. A route's texts never change; a change of the registry makes another route.
// ROUTES-2. A route whose subject no row may name (its own prefix, wildcards, too long) is never published to.
import type { CallerMessage, PrepareRoute, Route, RouteSpec } from '../../actors/ports/transport.js';
import { type SubjectRules, subjectProblem } from '../../domain/registry/subject-rules.js';
import { formatMs, headerValue, STATUS_LINE } from './headers.js';
import type { RandomHex } from './random-hex.js';

const SPAN_ID_DIGITS = 16;

/** JSON that fits into a header: ASCII, without line ends. */
const headerJson = (value: unknown): string =>
  JSON.stringify(value).replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Many routes have one configuration: it is written once, and its text is shared. */
const configLines = new WeakMap<object, string>();

function configLine(config: RouteSpec['config']): string {
  if (config === null) return '';
  let line = configLines.get(config);
  if (line === undefined) {
    line = `Extreg-Config: ${headerJson(config)}\r\n`;
    configLines.set(config, line);
  }
  return line;
}

/** What blocks begin with. */
interface Heads {
  readonly request: string;
  readonly firstAttempt: string;
  readonly reply: string;
}

function headsOf({ extensionId, version: name, instanceId, config }: RouteSpec, environment: string): Heads {
  const version = `Extreg-Version: ${headerValue(name)}\r\n`;
  const instance = instanceId === null ? '' : `Extreg-Instance-Id: ${headerValue(instanceId)}\r\n`;
  const request = `${STATUS_LINE}Extreg-Extension-Id: ${headerValue(extensionId)}\r\n${version}${instance}${configLine(config)}${environment}`;
  return {
    request,
    firstAttempt: `${request}Extreg-Attempt: 1\r\nExtreg-Hops: 1\r\nExtreg-Timeout-Ms: `,
    reply: `${STATUS_LINE}${version}${instance}Extreg-Attempts: `,
  };
}

class PreparedRoute implements Route {
  readonly subject: string;
  readonly extensionId: string;
  readonly version: string;
  /** ROUTES-2. */
  readonly sendable: boolean;
  readonly #spec: RouteSpec;
  /** `Extreg-Environment`, or ''. */
  readonly #environment: string;
  /** Made for the first call: most extensions of a large registry have none for long. */
  #made: Heads | null = null;
  /** The block of the last call that had no headers; most such calls have the same time left. */
  #plainMs = -1;
  #plainBlock = '';

  constructor(spec: RouteSpec, environment: string, rules: SubjectRules) {
    this.subject = spec.subject;
    this.extensionId = spec.extensionId;
    this.version = spec.version;
    this.sendable = subjectProblem(spec.subject, rules) === null;
    this.#spec = spec;
    this.#environment = environment;
  }

  get #heads(): Heads {
    this.#made ??= headsOf(this.#spec, this.#environment);
    return this.#made;
  }

  requestBlock(
    { headers, tenantHeader: tenant, hops }: CallerMessage,
    attempt: number,
    remainingMs: number,
    randomHex: RandomHex,
  ): string {
    const leftMs = Math.max(1, Math.floor(remainingMs));
    if (attempt === 1 && hops === 1 && tenant === '' && headers.forwarded === '' && headers.traceBefore === '') {
      if (leftMs !== this.#plainMs) {
        this.#plainBlock = `${this.#heads.firstAttempt}${leftMs}\r\n\r\n`;
        this.#plainMs = leftMs;
      }
      return this.#plainBlock;
    }
    let text =
      attempt === 1 && hops === 1
        ? `${this.#heads.firstAttempt}${leftMs}\r\n`
        : `${this.#heads.request}Extreg-Attempt: ${attempt}\r\nExtreg-Hops: ${hops}\r\nExtreg-Timeout-Ms: ${leftMs}\r\n`;
    if (tenant !== '') text += `Extreg-Tenant-Id: ${tenant}\r\n`;
    if (headers.traceBefore !== '') text += headers.traceBefore + randomHex(SPAN_ID_DIGITS) + headers.traceAfter;
    return `${text}${headers.forwarded}\r\n`;
  }

  checkBlock(timeoutMs: number): string {
    return `${this.#heads.firstAttempt}${timeoutMs}\r\nExtreg-Probe: 1\r\n\r\n`;
  }

  replyBlock(calledId: string, forwarded: string, attempts: number, durationMs: number): string {
    const fallback = calledId === this.extensionId ? '' : `Extreg-Fallback: ${headerValue(this.extensionId)}\r\n`;
    return `${this.#heads.reply}${attempts}\r\nExtreg-Duration-Ms: ${formatMs(durationMs)}\r\n${fallback}${forwarded}\r\n`;
  }
}

/** `environment`: the daemon's own, delivered in place of the caller's claim; null if none is configured. */
export function createPrepareRoute(environment: string | null, rules: SubjectRules): PrepareRoute {
  const line = environment === null ? '' : `Extreg-Environment: ${headerValue(environment)}\r\n`;
  return (spec) => new PreparedRoute(spec, line, rules);
}

// The fastify application without its routes: limits, which requests are allowed, and the one form of every error.
//
// APP-1. Whatever is wrong with a request, the answer is a problem document with a stable code; none carries a stack or an inner message.
// APP-2. A path that exists answers a wrong method with 405 and Allow.
// APP-3. Every route names the role that it needs; one that does not is a fault that ends the start.
import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from '#fastify';
import type { TSchema } from '#typebox';
import type { Admit } from '../../actors/ports/access.js';
import { allows, OPEN_PRINCIPAL, type Principal, type Role } from '../../domain/access/principal.js';
import { withoutExactNumbers } from '../../domain/exact-json.js';
import { stackOf } from '../../telemetry/error-text.js';
import { createSampledDebug } from '../../telemetry/limited-log.js';
import type { Logger } from '../../telemetry/log.js';
import { HTTP_ERRORS, type HttpErrorCode } from './http-errors.js';
import { bodyParser } from './json-body.js';
import { HttpProblem, PROBLEM_JSON, problemOf, sendProblem } from './problem.js';
import { queryValidator } from './query-string.js';
import { type Openness, refuseForeign, type Site } from './same-site.js';
import { refuseBody, strictly } from './strict-body.js';

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

declare module 'fastify' {
  interface FastifyContextConfig extends Openness {
    /** Whose requests the route answers; `none`: those of every caller. */
    readonly role?: Role | 'none';
    /** For the documentation: the body, where the route reads it itself. */
    readonly body?: TSchema;
    /** For the documentation: answers that are sent as texts, by status. */
    readonly described?: object;
    /** Its content types; `application/json` unless given. */
    readonly bodyTypes?: readonly string[];
  }
  interface FastifyRequest {
    principal: Principal;
  }
}

const MAX_BODY_BYTES = 1_048_576;
const SLOW_CLIENT_MS = 30_000;
const MAX_HEADER_BYTES = 16_384;
const COMMON_HEADERS = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

interface AppOptions {
  readonly site: Site;
  readonly admit: Admit;
  readonly log: Logger;
  /** How long a client may take to send or to read something; 30 s unless given. */
  readonly slowMs?: number | undefined;
  readonly tls?: Certificate | undefined;
}

/** PEM. */
export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

export function createApp({ site, admit, log, slowMs = SLOW_CLIENT_MS, tls }: AppOptions): App {
  const app = fastify({
    ...limitsOf(slowMs, tls),
    genReqId: ({ headers }) => requestIdOf(headers['x-request-id']),
    clientErrorHandler: answerUnreadable,
    frameworkErrors: (error, request, reply) =>
      sendProblem(
        reply.headers(COMMON_HEADERS).header('x-request-id', request.id),
        new HttpProblem(codeOf(error), error.message),
      ),
  }).withTypeProvider<TypeBoxTypeProvider>();

  // APP-1. Node would answer without a body, or hang up. An expectation may be ignored (RFC 9110, 10.1.1); nothing is tunnelled.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.server.on('connect', (_request, socket) => answerUnreadable(new Error('CONNECT'), socket));

  // STRICT-BODY-1, QUERY-STRING-2: fastify's own validator would convert.
  app.setValidatorCompiler(({ schema, httpPart }) =>
    httpPart === 'querystring' ? queryValidator(schema as TSchema) : strictly(schema as TSchema),
  );

  // A form of another site may send text without asking first (CORS); JSON it may not.
  app.removeContentTypeParser(['application/json', 'text/plain']);
  // JSON-BODY-1: fastify's own parser would choose.
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, bodyParser(withoutExactNumbers));
  const methodsByPath = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method, config }) => {
    // APP-3.
    if (config?.role === undefined) throw new Error(`the route ${[method].flat().join(', ')} ${url} names no role`);
    const methods = methodsByPath.get(url) ?? new Set();
    for (const one of [method].flat()) methods.add(one);
    methodsByPath.set(url, methods);
  });
  app.decorateRequest('principal');
  app.addHook('onRequest', async (request, reply) => {
    reply.headers(COMMON_HEADERS).header('x-request-id', request.id);
    // Before the body is read: what is wrong with it does not matter then.
    const foreign = refuseForeign(request.headers, site, request.routeOptions.config);
    if (foreign !== null) throw foreign;
    if (request.is404) throw refusedUnrouted(request.url, request.method, methodsByPath, reply);
    request.principal = await admitted(request, reply, admit);
  });
  // STRICT-BODY-3.
  app.addHook('preValidation', async ({ body, routeOptions: { schema, config } }) => {
    if (schema?.body === undefined && config.body === undefined) refuseBody(body);
  });
  logRequests(app, log);
  return app;
}

/** A client that trickles its request, or does not read the answer, holds a socket no longer than `slowMs`. */
function limitsOf(slowMs: number, tls: Certificate | undefined) {
  const server = {
    maxHeaderSize: MAX_HEADER_BYTES,
    requireHostHeader: false,
    // By default Node checks only every 30 s, and not at bodies if the time for headers (60 s by default) is longer.
    headersTimeout: slowMs,
    connectionsCheckingInterval: Math.ceil(slowMs / 30),
  };
  const secured = tls === undefined ? { http: server } : { https: { ...server, ...tls, handshakeTimeout: slowMs } };
  return {
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: slowMs,
    connectionTimeout: slowMs,
    forceCloseConnections: 'idle',
    routerOptions: { maxParamLength: 1024 },
    // One type for both: what differs is below the requests.
    ...(secured as { http: typeof server }),
  } as const;
}

/** Throws what refuses it. */
async function admitted(request: FastifyRequest, reply: FastifyReply, admit: Admit): Promise<Principal> {
  const { role } = request.routeOptions.config;
  // APP-3. Never undefined: such a route ends the start.
  if (role === undefined) throw new Error(`the route ${request.routeOptions.url} names no role`);
  if (role === 'none') return OPEN_PRINCIPAL;
  const admission = admit(request.headers.authorization, request.ip);
  if (admission.kind !== 'admitted') {
    const { kind, message, delayMs } = admission;
    if (delayMs > 0) await setTimeout(delayMs);
    if (kind === 'unauthenticated') reply.header('www-authenticate', 'Bearer');
    throw new HttpProblem(kind, message);
  }
  const { principal } = admission;
  if (allows(principal.role, role)) return principal;
  const message = `the role ${role} is needed here, and the token '${principal.name}' has the role ${principal.role}`;
  throw new HttpProblem('forbidden', message, { needs: role });
}

/** The client's own id of its request, if it fits into a log line as it is. */
const requestIdOf = (given: string | string[] | undefined): string =>
  typeof given === 'string' && /^[A-Za-z0-9._:-]{1,64}$/.test(given) ? given : randomUUID();

/** Every request at debug level, and what failed in a route. */
function logRequests(app: App, log: Logger): void {
  const debug = createSampledDebug(log, 'http_request', () => performance.now());
  app.addHook('onResponse', (request, reply, done) => {
    debug(() => ({
      request_id: request.id,
      method: request.method,
      route: request.routeOptions.url ?? null,
      status: reply.statusCode,
      duration_ms: Math.round(reply.elapsedTime * 1000) / 1000,
    }));
    done();
  });
  app.setErrorHandler((error: FastifyError | HttpProblem, request, reply) => {
    if (error instanceof HttpProblem) return sendProblem(reply, error);
    const code = codeOf(error);
    if (code === 'internal_error')
      log.error({
        event: 'http_request_failed',
        request_id: request.id,
        route: request.routeOptions.url ?? null,
        error: stackOf(error),
      });
    return sendProblem(reply, new HttpProblem(code, messageOf(error, code, request)));
  });
}

function messageOf(error: FastifyError, code: HttpErrorCode, { id, headers }: FastifyRequest): string {
  if (code === 'internal_error') return `a fault of the daemon; see its log, request ${id}`;
  if (error.statusCode === 415)
    return `content-type must be application/json, got ${headers['content-type'] ?? 'none'}`;
  return error.message;
}

/** APP-2. */
function refusedUnrouted(
  url: string,
  method: string,
  methodsByPath: ReadonlyMap<string, ReadonlySet<string>>,
  reply: FastifyReply,
): HttpProblem {
  const path = url.split('?', 1)[0] ?? '';
  const pattern = [...methodsByPath.keys()].find((candidate) => matches(candidate, path));
  if (pattern === undefined) return new HttpProblem('route_not_found', `no such path: ${path}`);
  const allowed = [...(methodsByPath.get(pattern) ?? [])].sort().join(', ');
  reply.header('allow', allowed);
  return new HttpProblem('method_not_allowed', `expected ${allowed}, got ${method}`);
}

function codeOf(error: FastifyError): HttpErrorCode {
  switch (error.statusCode ?? 500) {
    case 408:
      return 'request_timeout';
    case 413:
      return 'payload_too_large';
    case 414:
      return 'uri_too_long';
    case 415:
      return 'unsupported_media_type';
    case 503:
      return 'shutting_down';
    default:
      return (error.statusCode ?? 500) < 500 ? 'invalid_request' : 'internal_error';
  }
}

const matches = (pattern: string, path: string): boolean => {
  // A pattern like `/ui/*` stands for any number of parts.
  if (pattern.endsWith('/*')) return path.startsWith(pattern.slice(0, -1));
  const expected = pattern.split('/');
  const got = path.split('/');
  return expected.length === got.length && expected.every((part, i) => part.startsWith(':') || part === got[i]);
};

/** What never became a request: malformed HTTP, headers beyond the limit, a request that did not arrive, a tunnel. */
function answerUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const code: HttpErrorCode =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'headers_too_large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'request_timeout'
        : 'invalid_request';
  const { status, when } = HTTP_ERRORS[code];
  const body = JSON.stringify(problemOf(new HttpProblem(code, when)));
  socket.end(
    `HTTP/1.1 ${status} ${code}\r\ncontent-type: ${PROBLEM_JSON}; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n${body}`,
  );
}

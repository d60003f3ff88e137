// The fastify application without its routes: limits, which requests are allowed, and the one form of every error.
//
// APP-1. Whatever is wrong with a request, the answer is JSON with a stable code; none carries a stack or an inner message.
// APP-2. A path that exists answers a wrong method with 405 and Allow.
import type { Duplex } from 'node:stream';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from '#fastify';
import type { TSchema } from '#typebox';
import type { Logger } from '../../telemetry/log.js';
import { errorBody, HTTP_ERRORS, type HttpErrorCode } from './http-errors.js';
import { queryValidator } from './query-string.js';
import { type Refusal, refuseForeign } from './same-site.js';
import { strictly } from './strict-body.js';

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

const MAX_BODY_BYTES = 1_048_576;
const SLOW_CLIENT_MS = 30_000;
const MAX_HEADER_BYTES = 16_384;
const COMMON_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

/** `listening`: the address as in a URL, IPv6 in brackets. `slowMs`: how long a client may take to send or to read something. */
export function createApp(listening: string, log: Logger, slowMs = SLOW_CLIENT_MS): App {
  const app = fastify({
    bodyLimit: MAX_BODY_BYTES,
    // A client that trickles its request, or does not read the answer, holds a socket no longer than this.
    requestTimeout: slowMs,
    connectionTimeout: slowMs,
    forceCloseConnections: 'idle',
    http: {
      maxHeaderSize: MAX_HEADER_BYTES,
      requireHostHeader: false,
      // By default Node checks only every 30 s, and not at bodies if the time for headers (60 s by default) is longer.
      headersTimeout: slowMs,
      connectionsCheckingInterval: Math.ceil(slowMs / 30),
    },
    routerOptions: { maxParamLength: 1024 },
    clientErrorHandler: answerUnreadable,
    frameworkErrors: (error, _request, reply) => sendError(reply, codeOf(error), error.message),
  }).withTypeProvider<TypeBoxTypeProvider>();

  // APP-1. Node would answer without a body, or hang up. An expectation may be ignored (RFC 9110, 10.1.1); nothing is tunnelled.
  app.server.on('checkExpectation', (request, response) => app.server.emit('request', request, response));
  app.server.on('connect', (_request, socket) => answerUnreadable(new Error('CONNECT'), socket));

  // STRICT-BODY-1, QUERY-STRING-2: fastify's own validator would convert.
  app.setValidatorCompiler(({ schema, httpPart }) =>
    httpPart === 'querystring' ? queryValidator(schema as TSchema) : strictly(schema as TSchema),
  );

  // A form of another site may send text without asking first (CORS); JSON it may not.
  app.removeContentTypeParser('text/plain');
  const methodsByPath = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = methodsByPath.get(url) ?? new Set();
    for (const one of [method].flat()) methods.add(one);
    methodsByPath.set(url, methods);
  });
  app.addHook('onRequest', (request, reply, done) => {
    reply.headers(COMMON_HEADERS);
    const refusal =
      refuseForeign(request.headers.host, request.headers.origin, listening) ??
      (request.is404 ? refuseUnrouted(request.url, request.method, methodsByPath, reply) : null);
    // Before the body is read: what is wrong with it does not matter then.
    if (refusal) sendError(reply, refusal.code, refusal.message);
    else done();
  });
  logRequests(app, log);
  return app;
}

/** Every request at debug level, and what failed in a route. */
function logRequests(app: App, log: Logger): void {
  app.addHook('onResponse', (request, reply, done) => {
    log.debug({
      event: 'http_request',
      method: request.method,
      route: request.routeOptions.url ?? null,
      status: reply.statusCode,
      duration_ms: reply.elapsedTime,
    });
    done();
  });
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const code = codeOf(error);
    if (code === 'internal_error')
      log.error({ event: 'http_request_failed', route: request.routeOptions.url ?? null, err: error });
    return sendError(reply, code, messageOf(error, code, request.headers['content-type']));
  });
}

function messageOf(error: FastifyError, code: HttpErrorCode, contentType: string | undefined): string {
  if (code === 'internal_error') return 'a fault of the daemon; see its log';
  if (error.statusCode === 415) return `content-type must be application/json, got ${contentType ?? 'none'}`;
  return error.message;
}

function sendError(reply: FastifyReply, code: HttpErrorCode, message: string): FastifyReply {
  return reply
    .headers(COMMON_HEADERS)
    .code(HTTP_ERRORS[code].status)
    .send(errorBody(code, message.length > 300 ? `${message.slice(0, 300)}…` : message));
}

/** APP-2. */
function refuseUnrouted(
  url: string,
  method: string,
  methodsByPath: ReadonlyMap<string, ReadonlySet<string>>,
  reply: FastifyReply,
): Refusal {
  const path = url.split('?', 1)[0] ?? '';
  const pattern = [...methodsByPath.keys()].find((candidate) => matches(candidate, path));
  if (pattern === undefined) return { code: 'route_not_found', message: `no such path: ${path}` };
  const allowed = [...(methodsByPath.get(pattern) ?? [])].sort().join(', ');
  reply.header('allow', allowed);
  return { code: 'method_not_allowed', message: `expected ${allowed}, got ${method}` };
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
  const body = JSON.stringify(errorBody(code, when));
  socket.end(
    `HTTP/1.1 ${status} ${code}\r\ncontent-type: application/json; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\ncache-control: no-store\r\nconnection: close\r\n\r\n${body}`,
  );
}

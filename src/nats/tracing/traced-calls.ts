// Calls with spans: a server span for each invocation, a client span for each of its attempts, and the W3C context both ways.
// Wrapped around the router and the requester only where traces are configured: without, no call knows of it.
//
// TRACED-CALLS-1. The extension's parent is the span of its attempt, also where that is not sampled; `tracestate` passes as it came.
//     Where the caller's trace context is none, the trace begins here, and what the caller sent of one does not pass beside it.
// TRACED-CALLS-2. An attempt that outlives its call (CALL-2) has a span that does, too.
// TRACED-CALLS-3. No body, no tenant and no header is in a span: who may read traces need not be who may read calls.
// TRACED-CALLS-4. A span ends once, also where router or requester throws: then its error is `internal_error`, as the caller's is.
import type {
  AttemptEnd,
  AttemptFacts,
  AttemptListener,
  HandleInvocation,
  Invocation,
  NoteAttempt,
  OutgoingCall,
  Reply,
  Route,
  SendAttempt,
} from '../../actors/ports/transport.js';
import type { ErrorCode, InvocationError } from '../../domain/registry/errors.js';
import type { ParentTrace, Span, SpanFacts, Tracer } from '../../telemetry/traces/tracer.js';
import { headerIn, soughtHeader } from '../wire/headers.js';

/** TRACED-CALLS-4. */
const FAULT: ErrorCode = 'internal_error';
const TRACE_STATE = soughtHeader('tracestate');

/** What is put between intake and router, router and requester. */
interface TracedCalls {
  around(handle: HandleInvocation): HandleInvocation;
  send: SendAttempt;
  /** null: without traces. */
  readonly note: NoteAttempt | null;
}

/** `tracer` null: calls pass as they are. */
export function traceCalls(tracer: Tracer | null, send: SendAttempt): TracedCalls {
  if (tracer === null) return { around: (handle) => handle, send, note: null };
  return {
    around: (handle) => (invocation) => {
      const { extensionId, hops } = invocation;
      const facts = { 'messaging.system': 'nats', 'extreg.extension_id': extensionId, 'extreg.hops': hops };
      const span = tracer.begin(`invoke ${extensionId}`, parentOf(invocation), facts);
      if (span === null) return handle(invocation);
      const traced = new TracedInvocation(invocation, span);
      try {
        handle(traced);
      } catch (error) {
        // What the intake answers then passes by the span.
        traced.fail();
        throw error;
      }
    },
    send: (route, call, attempt, timeoutMs, remainingMs, listener) => {
      if (!(call instanceof TracedInvocation)) return send(route, call, attempt, timeoutMs, remainingMs, listener);
      const span = call.beginAttempt(route, attempt, timeoutMs);
      const traced = new TracedAttempt(listener, span);
      try {
        send(route, call.outgoing(span), attempt, timeoutMs, remainingMs, traced);
      } catch (error) {
        traced.fail();
        throw error;
      }
    },
    note: (call, facts) => {
      if (call instanceof TracedInvocation) call.facts = facts;
    },
  };
}

function parentOf({ headers }: Invocation): ParentTrace | null {
  const { traceBefore, traceParentId, traceAfter, forwarded } = headers;
  if (traceBefore === '') return null;
  // `traceparent: 00-<trace id>-` and `-<flags>`, both checked by the intake.
  return {
    traceId: traceBefore.slice(-33, -1),
    spanId: traceParentId,
    isSampled: (Number.parseInt(traceAfter.slice(1, 3), 16) & 1) === 1,
    state: headerIn(`\r\n${forwarded}`, TRACE_STATE),
  };
}

class TracedInvocation implements Invocation {
  readonly extensionId: string;
  readonly arrivedMs: number;
  readonly budgetMs: number | null;
  readonly body: Uint8Array;
  readonly hops: number;
  /** Of the last attempt. */
  facts: AttemptFacts | null = null;
  #isEnded = false;

  constructor(
    private readonly call: Invocation,
    private readonly span: Span,
  ) {
    this.extensionId = call.extensionId;
    this.arrivedMs = call.arrivedMs;
    this.budgetMs = call.budgetMs;
    this.body = call.body;
    this.hops = call.hops;
  }

  get headers() {
    return this.call.headers;
  }

  get tenantHeader() {
    return this.call.tenantHeader;
  }

  get context() {
    return this.call.context;
  }

  beginAttempt(route: Route, attempt: number, timeoutMs: number): Span {
    const facts = this.span.isRecorded ? attemptFacts(route, attempt, timeoutMs, this.facts) : {};
    return this.span.child(`attempt ${route.extensionId}`, facts);
  }

  /** TRACED-CALLS-1. What the requester sends: read now, since reading the context may leave headers out. */
  outgoing(attempt: Span): OutgoingCall {
    const { headers, tenantHeader, hops, body, arrivedMs } = this;
    const passed = headers.traceBefore === '' ? headers.forwarded.replace(TRACE_LINES, '') : headers.forwarded;
    const forwarded = `traceparent: ${attempt.traceparent}\r\n${passed}`;
    return { headers: { ...NO_TRACE, forwarded }, tenantHeader, hops, body, arrivedMs };
  }

  succeed(route: Route, reply: Reply, attempts: number, durationMs: number, deadlineMs: number): ErrorCode | null {
    const replaced = this.call.succeed(route, reply, attempts, durationMs, deadlineMs);
    const { extensionId, version } = route;
    this.#end(replaced ?? 'ok', replaced, { ...this.#served(extensionId, version), 'extreg.attempts': attempts });
    return replaced;
  }

  refuse(error: InvocationError, deadlineMs?: number): void {
    this.call.refuse(error, deadlineMs);
    const { reason } = error.details ?? {};
    this.#end(error.code, error.code, typeof reason === 'string' ? { 'extreg.reason': reason } : {});
  }

  /** TRACED-CALLS-4. The router threw; without effect on a span that has ended. */
  fail(): void {
    this.#end(FAULT, FAULT, {});
  }

  #served(extensionId: string, version: string): SpanFacts {
    const instance = this.facts?.instanceId ?? null;
    return {
      'extreg.served_by': extensionId,
      'extreg.version': version,
      ...(instance === null ? {} : { 'extreg.instance_id': instance }),
    };
  }

  #end(result: string, error: string | null, facts: SpanFacts): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.span.set({ 'extreg.result': result, ...facts });
    this.span.end(error);
  }
}

/** Of an invalid context: an extension would find two, and might follow the wrong one. */
const TRACE_LINES = /^trace(?:parent|state):[^\r]*\r\n/gm;

const NO_TRACE = { traceBefore: '', traceParentId: '', traceAfter: '' };

function attemptFacts(route: Route, attempt: number, timeoutMs: number, facts: AttemptFacts | null): SpanFacts {
  return {
    'messaging.system': 'nats',
    'messaging.destination.name': route.subject,
    'extreg.extension_id': route.extensionId,
    'extreg.version': route.version,
    'extreg.attempt': attempt,
    'extreg.timeout_ms': timeoutMs,
    ...(facts === null
      ? {}
      : {
          'extreg.breaker.state': facts.breakerState,
          'extreg.breaker.probe': facts.isProbe,
          'extreg.routing.by': facts.chosenBy,
          'extreg.routing.trial': facts.isTrial,
        }),
    ...(facts === null || facts.instanceId === null ? {} : { 'extreg.instance_id': facts.instanceId }),
  };
}

class TracedAttempt implements AttemptListener {
  #isEnded = false;

  constructor(
    private readonly listener: AttemptListener,
    private readonly span: Span,
  ) {}

  attemptEnded(end: AttemptEnd, reply: Reply | null): void {
    const code = reply === null ? 0 : reply.serviceErrorCode;
    const error = end !== 'reply' ? end : code >= 500 ? `service error ${code}` : null;
    this.#end({ 'extreg.end': end, ...(code === 0 ? {} : { 'extreg.service_error_code': code }) }, error);
    this.listener.attemptEnded(end, reply);
  }

  /** TRACED-CALLS-4. The requester threw. */
  fail(): void {
    this.#end({}, FAULT);
  }

  #end(facts: SpanFacts, error: string | null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.span.set(facts);
    this.span.end(error);
  }

  attemptDelayed(): void {
    this.span.event('extreg.timeout_extended');
    this.listener.attemptDelayed?.();
  }
}

// What the actors need of the edge that carries calls: requests to extensions, replies to callers, events. Types alone.
import type { ErrorCode, InvocationError } from '../../domain/registry/errors.js';
import type { RegistryEvent } from '../../domain/registry/events.js';
import type { JsonObject } from '../../domain/registry/extension.js';
import type { Context } from '../../domain/routing/routing-rules.js';
import type { BreakerStateName } from './storage.js';

/** Headers of a caller that an extension gets: whole lines, each with its CRLF; '' without any. */
interface ForwardedHeaders {
  readonly forwarded: string;
  /** `traceparent` up to the id of the daemon's span, the id that the caller has there, and what follows it; '' without one. */
  readonly traceBefore: string;
  readonly traceParentId: string;
  readonly traceAfter: string;
}

/** What a caller sent, as far as an extension gets it. */
export interface CallerMessage {
  readonly headers: ForwardedHeaders;
  /** The tenant of the subject, as a header value; '' if the extension does not get it. */
  readonly tenantHeader: string;
  /** Daemons that the call has passed, this one included. */
  readonly hops: number;
  readonly body: Uint8Array;
}

/** A call as it is sent to an extension. */
export interface OutgoingCall extends CallerMessage {
  /** Monotonic. */
  readonly arrivedMs: number;
}

/** What the messages to one instance of one version have in common, and the replies from it; made once per registry change. */
export interface Route {
  readonly subject: string;
  readonly extensionId: string;
  readonly version: string;
  /** False: no row may name its subject, and nothing is published to it. */
  readonly sendable: boolean;
  /** The header block of one attempt. `randomHex`: so many digits. */
  requestBlock(
    message: CallerMessage,
    attempt: number,
    remainingMs: number,
    randomHex: (digits: number) => string,
  ): string;
  /** The header block of an active check, which is a first attempt but for one line. */
  checkBlock(timeoutMs: number): string;
  /** The header block of the answer to the caller; `calledId` is the extension that it called. */
  replyBlock(calledId: string, forwarded: string, attempts: number, durationMs: number): string;
}

export interface RouteSpec {
  readonly extensionId: string;
  readonly version: string;
  /** null: the version has no instance rows; its subject's queue group is the pool. */
  readonly instanceId: string | null;
  readonly subject: string;
  /** `Extreg-Config`, delivered if not null; one whose JSON is over 8 KiB is not delivered. */
  readonly config: JsonObject | null;
}

export type PrepareRoute = (spec: RouteSpec) => Route;

/** The reply of an extension. */
export interface Reply {
  readonly body: Uint8Array;
  /** Its headers that the caller gets: whole lines; '' without any. */
  readonly forwardedHeaders: string;
  /** `Nats-Service-Error-Code`; 0 without a service error, 500 if the code is missing or not a number. */
  readonly serviceErrorCode: number;
  /** `Nats-Service-Error`, at most 512 characters; '' without. */
  readonly serviceError: string;
  /** `Retry-After` in ms, 0..60 000; null without. */
  readonly retryAfterMs: number | null;
}

/** How an attempt ended, as the wire saw it. */
export type AttemptEnd =
  | 'reply'
  | 'timeout'
  | 'no_responders'
  /** Our own connection was lost, or draining ended it. */
  | 'disconnected'
  /** The server does not let us publish to the extension's subject. */
  | 'not_permitted'
  /** Body and headers together are over the server's limit; nothing was sent. */
  | 'too_large';

export interface AttemptListener {
  /** Exactly once per attempt, possibly before `send` returns. `reply` is null unless `end` is 'reply'. Must not throw. */
  attemptEnded(end: AttemptEnd, reply: Reply | null): void;
  /** NATS stood still, so it may end later than its timeout. At most once, before the end; must not throw. */
  attemptDelayed?(): void;
}

/**
 * Sends one attempt: the caller's body and headers with ours, and waits `timeoutMs` for the reply.
 * `remainingMs`: what is left of the caller's budget, sent to the extension. `attempt` counts from 1.
 */
export type SendAttempt = (
  route: Route,
  call: OutgoingCall,
  attempt: number,
  timeoutMs: number,
  remainingMs: number,
  listener: AttemptListener,
) => void;

/** What decided about one attempt. */
export interface AttemptFacts {
  /** As the breaker was asked. */
  readonly breakerState: BreakerStateName;
  readonly isProbe: boolean;
  /** Why its version: one of WHYS, or `retry`. */
  readonly chosenBy: string;
  /** It shows whether an instance out of rotation serves again. */
  readonly isTrial: boolean;
  /** null: the version has no instance rows. */
  readonly instanceId: string | null;
}

/** Called right before each attempt is sent; must not throw. */
export type NoteAttempt = (call: OutgoingCall, facts: AttemptFacts) => void;

/**
 * Sends an active check: headers as of a first attempt, with `Extreg-Probe: 1`; `body` may be empty. It ends like an attempt.
 */
export type SendCheck = (route: Route, body: Uint8Array, timeoutMs: number, listener: AttemptListener) => void;

/**
 * What is in flight to this version, calls or (`isCheck`) active checks, ends as timed out at most `timeoutMs` from now, and no
 * later than it would have.
 */
export type LimitAttempts = (extensionId: string, version: string, isCheck: boolean, timeoutMs: number) => void;

/**
 * Runs `then` once, when everything that NATS had for us by now has been taken in: after a stall of our own, replies are in
 * the buffer. While NATS does not answer it waits; without a connection nothing is on its way, and it runs immediately.
 * `stalledUntilMs`: until when NATS or this process stood still last, monotonic; -Infinity if neither did. What was in flight then may have
 * stood still with it. How many wait at a time is up to the caller. `then` must not throw.
 */
export type AfterRoundTrip = (then: (stalledUntilMs: number) => void) => void;

/** As AfterRoundTrip passes it, without a round trip: as far as it is known by now. */
export type StalledUntil = () => number;

/** One call of a caller, accepted by the intake. Exactly one of `succeed` and `refuse` is called, once. */
export interface Invocation extends OutgoingCall {
  readonly extensionId: string;
  /** `Extreg-Timeout-Ms`; null if the caller named none. Checked: min_budget_ms..max_budget_ms. */
  readonly budgetMs: number | null;
  /** The caller's context, as far as the intake accepts it; read on demand. */
  readonly context: Context;
  /**
   * Forwards the extension's reply. `deadlineMs`: when the caller stops waiting, monotonic; a reply that is pending for longer is
   * dropped. Returns null, or the code of the error that was sent instead.
   */
  succeed(route: Route, reply: Reply, attempts: number, durationMs: number, deadlineMs: number): ErrorCode | null;
  /** `deadlineMs`: as of `succeed`; absent: the longest time that this caller may wait. */
  refuse(error: InvocationError, deadlineMs?: number): void;
}

/** Takes an invocation from the intake; must not throw. */
export type HandleInvocation = (invocation: Invocation) => void;

/** Takes an event and returns immediately. What cannot be sent is dropped and counted; the log has it in any case. */
export type PublishEvent = (event: RegistryEvent) => void;

// Database (filled in by db/)

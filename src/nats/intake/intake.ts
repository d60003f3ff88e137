// The intake: takes invocations from NATS, hands them to the router, and sends the one answer each of them gets.
//
// INTAKE-1. Every accepted invocation is answered exactly once; a second answer is dropped and logged as a bug.
// INTAKE-2. Without a reply subject, or with one we do not publish to, there is nothing to answer: counted, not accepted.
// INTAKE-3. Nothing is parsed but the subject and the headers, and a body that routing has to ask (context.ts); it passes untouched.
// INTAKE-4. What is refused here reaches neither the router nor an extension.
// INTAKE-5. What admission refuses is answered before its headers or body are read. Checks of the daemon's own, and calls of this process (local-call.ts), which
//     do not wait where others do and are an operator's means to look at an overload, are not asked for.
//
// Long: the invocation of a caller and its intake read and settle each other.
import type { Clock } from '../../actors/ports/clock.js';
import type { HandleInvocation, Invocation, Reply, Route } from '../../actors/ports/transport.js';
import { quoted } from '../../domain/quoted.js';
import type { ErrorCode, InvocationError } from '../../domain/registry/errors.js';
import type { Context, ContextAnswer } from '../../domain/routing/routing-rules.js';
import { stackOf } from '../../telemetry/error-text.js';
import { createLimitedWarn, type LimitedWarn } from '../../telemetry/limited-log.js';
import type { Logger } from '../../telemetry/log.js';
import type { BrokerSubscription } from '../connection/broker-subscription.js';
import type { BrokerConnection } from '../connection/connection.js';
import { type CallerHeaders, claimedHeader, NO_HEADERS, readCallerHeaders } from '../wire/caller-headers.js';
import { errorBlock, errorBody, wireError } from '../wire/error-reply.js';
import type { HeaderBlock } from '../wire/header-block.js';
import { headerIn, headerValue, type SoughtHeader, TENANT_HEADER } from '../wire/headers.js';
import type { BrokerMessage } from '../wire/message.js';
import { acceptsReplyTo, QUEUE_GROUP, type Subjects, tenantProblem } from '../wire/subjects.js';
import {
  type Asked,
  type Claims,
  ContextReader,
  type ContextSettings,
  type ForwardedContext,
  ReadContext,
  withoutHeader,
} from './caller-context.js';
import { BodyContext } from './context-body.js';
import type { IntakeAdmission } from './intake-admission.js';
import type { LocalAnswer, TakeLocalCall } from './local-call.js';
import type { Replies } from './replies.js';

/** A call that has passed more daemons than this is a loop. */
const MAX_HOPS = 3;

export interface IntakeSettings {
  /** Prefixes of the reply subjects that are published to. */
  readonly replyPrefixes: readonly string[];
  readonly minBudgetMs: number;
  readonly maxBudgetMs: number;
  /** Largest body accepted, in bytes; null: what the server takes. */
  readonly maxBodyBytes: number | null;
  readonly context: ContextSettings;
  /** True: this is no call but a daemon's message to itself, and is settled with that. */
  readonly takesSelfCheck: (subject: string, reply: string) => boolean;
  /** Absent: no call is refused because too many arrive. */
  readonly admission?: Pick<IntakeAdmission, 'refuses' | 'refusal' | 'stop'>;
}

export interface IntakeCounts {
  /** Invocations that got, or will get, an answer. */
  readonly accepted: number;
  /** INTAKE-2. */
  readonly notAccepted: number;
  /** Accepted and not answered yet. */
  readonly inFlight: number;
  /** Answers that were errors of ours, by code. */
  readonly refused: ReadonlyMap<ErrorCode, number>;
  /** Sum over all answers of the time from arrival to answer. */
  readonly processingMs: number;
}

class IntakeInvocation implements Invocation, Claims, Asked, ForwardedContext {
  budgetMs: number | null = null;
  hops = 1;
  headers: CallerHeaders = NO_HEADERS;
  answered = false;
  #context: ReadContext | null = null;
  #bodyContext: BodyContext | null = null;
  /** The tenant of the subject as a header value; '' if the extension does not get it. */
  tenantHeader = '';

  constructor(
    private readonly intake: Intake,
    readonly replyTo: string,
    readonly extensionId: string,
    readonly tenantId: string | null,
    readonly arrivedMs: number,
    readonly block: HeaderBlock,
    readonly body: Uint8Array,
    /** null: a message, which is answered to `replyTo`. */
    readonly local: LocalAnswer | null = null,
  ) {}

  get bodyContext(): BodyContext {
    this.#bodyContext ??= new BodyContext(this.body);
    return this.#bodyContext;
  }

  get context(): Context {
    this.#context ??= new ReadContext(this);
    return this.#context;
  }

  /** For its context. */
  answer(key: string): ContextAnswer {
    return this.intake.context(this, key);
  }

  claimed(header: SoughtHeader): string | null {
    return claimedHeader(this.headers, this.block, header);
  }

  forwarded(header: SoughtHeader): string | null {
    if (header === TENANT_HEADER && this.tenantHeader !== '') return this.tenantId;
    return headerIn(`\r\n${this.headers.forwarded}`, header);
  }

  succeed(route: Route, reply: Reply, attempts: number, durationMs: number, deadlineMs: number): ErrorCode | null {
    return this.intake.succeed(this, route, reply, attempts, durationMs, deadlineMs);
  }

  refuse(error: InvocationError, deadlineMs?: number): void {
    this.intake.refuse(this, error, deadlineMs);
  }
}

export class Intake {
  #accepted = 0;
  #answered = 0;
  #notAccepted = 0;
  #processingMs = 0;
  readonly #refused = new Map<ErrorCode, number>();
  #subscription: BrokerSubscription | null = null;
  #isDraining = false;
  readonly #warnNotAccepted: LimitedWarn;
  readonly #warnLoop: LimitedWarn;
  readonly #context: ContextReader;

  constructor(
    private readonly connection: BrokerConnection,
    private readonly replies: Replies,
    private readonly subjects: Subjects,
    private readonly clock: Clock,
    private readonly log: Logger,
    private readonly settings: IntakeSettings,
    private readonly handle: HandleInvocation,
  ) {
    const nowMs = (): number => clock.now();
    this.#warnNotAccepted = createLimitedWarn(log, 'invocation_not_accepted', nowMs);
    this.#warnLoop = createLimitedWarn(log, 'invocation_loop', nowMs);
    this.#context = new ContextReader(settings.context);
  }

  /** Begins to take invocations. */
  start(): void {
    this.#subscription ??= this.connection.subscribe(this.subjects.invokeAll, QUEUE_GROUP, (message) =>
      this.#take(message),
    );
  }

  /** Subscribes anew, if the server seems not to have the subscription. */
  renew(): void {
    this.#subscription?.renew();
  }

  /** Takes no further invocations; resolves when those on their way have been handed to the router. */
  async drain(): Promise<void> {
    this.#isDraining = true;
    await this.#subscription?.drain();
    this.settings.admission?.stop();
  }

  /** False: the server does not let us listen, so no invocation can arrive. */
  get listening(): boolean {
    return this.#subscription !== null && !this.#subscription.denied;
  }

  counts(): IntakeCounts {
    return {
      accepted: this.#accepted,
      notAccepted: this.#notAccepted,
      inFlight: this.#accepted - this.#answered,
      refused: this.#refused,
      processingMs: this.#processingMs,
    };
  }

  #take({ subject, reply, isPlain, block, body }: BrokerMessage): void {
    const now = this.clock.now();
    const address = this.subjects.parseInvoke(subject);
    if (!address.ok && this.settings.takesSelfCheck(subject, reply)) return;
    if (!acceptsReplyTo(reply, this.settings.replyPrefixes, isPlain)) {
      this.#notAccepted += 1;
      this.#warnNotAccepted({ subject, reply });
      return;
    }
    this.#accepted += 1;
    const { admission } = this.settings;
    // INTAKE-5.
    const refusal = admission?.refuses(now) === true ? admission.refusal : null;
    const invocation = new IntakeInvocation(
      this,
      reply,
      address.extensionId,
      address.ok ? address.tenantId : null,
      now,
      block,
      body,
    );
    if (refusal === null) this.#hand(invocation, address.ok ? null : address.problem);
    else this.refuse(invocation, refusal);
  }

  /** A call of this process: it is read, counted and answered like a message. */
  readonly takeLocal: TakeLocalCall = (extensionId, tenant, block, body, answer) => {
    if (this.#subscription === null || this.#isDraining) return false;
    this.#accepted += 1;
    const arrivedMs = this.clock.now();
    const problem = tenant === null ? null : tenantProblem(tenant);
    this.#hand(new IntakeInvocation(this, '', extensionId, tenant, arrivedMs, block, body, answer), problem);
    return true;
  };

  /** `problem`: with its address. */
  #hand(invocation: IntakeInvocation, problem: string | null): void {
    const refusal = problem === null ? this.#read(invocation) : invalid(problem);
    if (refusal !== null) {
      this.refuse(invocation, refusal);
      return;
    }
    try {
      this.handle(invocation);
    } catch (error) {
      this.log.error({
        event: 'invocation_handler_failed',
        extension_id: invocation.extensionId,
        error: stackOf(error),
      });
      if (!invocation.answered)
        this.refuse(invocation, {
          code: 'internal_error',
          message: 'a fault of the daemon; see its log',
        });
    }
  }

  /** INTAKE-4. The error for the caller, or null: the invocation is fit for the router. */
  #read(invocation: IntakeInvocation): InvocationError | null {
    const { maxBodyBytes, minBudgetMs, maxBudgetMs } = this.settings;
    if (maxBodyBytes !== null && invocation.body.length > maxBodyBytes)
      return {
        code: 'payload_too_large',
        message: `body must be at most ${maxBodyBytes} bytes, got ${invocation.body.length}`,
        details: { direction: 'request', limit_bytes: maxBodyBytes, got_bytes: invocation.body.length },
      };
    const { block, tenantId } = invocation;
    if (tenantId !== null && this.#context.forwardsSubject(block)) invocation.tenantHeader = headerValue(tenantId);
    if (block.length === 0) return null;
    const headers = readCallerHeaders(
      block,
      invocation.tenantHeader === '' ? this.#context.leftOut : this.#context.leftOutWithTenant,
    );
    if (headers.problem !== null) return invalid(headers.problem);
    invocation.headers = headers;
    if (headers.hops !== null) {
      if (!/^[0-9]{1,9}$/.test(headers.hops))
        return invalid(`header Extreg-Hops must be a whole number, got ${quoted(headers.hops)}`);
      const hops = Number(headers.hops);
      if (hops > MAX_HOPS) {
        this.#warnLoop({ extension_id: invocation.extensionId, hops });
        return {
          code: 'invalid_request',
          message: `header Extreg-Hops must be at most ${MAX_HOPS}, got ${hops}: the call goes round in a loop`,
          details: { reason: 'loop', hops },
        };
      }
      invocation.hops = hops + 1;
    }
    if (headers.timeoutMs !== null) {
      const budgetMs = /^[0-9]{1,9}$/.test(headers.timeoutMs) ? Number(headers.timeoutMs) : Number.NaN;
      if (!(budgetMs >= minBudgetMs && budgetMs <= maxBudgetMs))
        return {
          code: 'invalid_request',
          message: `header Extreg-Timeout-Ms must be a whole number of ${minBudgetMs}..${maxBudgetMs}, got ${quoted(headers.timeoutMs)}`,
          details: { header: 'Extreg-Timeout-Ms', minimum: minBudgetMs, maximum: maxBudgetMs },
        };
      invocation.budgetMs = budgetMs;
    }
    return null;
  }

  /** For IntakeInvocation. */
  context(invocation: IntakeInvocation, key: string): ContextAnswer {
    const answer = this.#context.read(key, invocation);
    if (typeof answer !== 'string') return answer;
    const contradicted = this.#context.contradicted(key, answer, invocation);
    if (contradicted !== null) {
      invocation.headers = withoutHeader(invocation.headers, contradicted);
      if (contradicted === TENANT_HEADER) invocation.tenantHeader = '';
    }
    return answer;
  }

  /** For IntakeInvocation. */
  succeed(
    invocation: IntakeInvocation,
    route: Route,
    reply: Reply,
    attempts: number,
    durationMs: number,
    deadlineMs: number,
  ): ErrorCode | null {
    if (invocation.local !== null) {
      if (this.#settle(invocation, durationMs)) invocation.local.succeeded(route, reply, attempts, durationMs);
      return null;
    }
    const block = route.replyBlock(invocation.extensionId, reply.forwardedHeaders, attempts, durationMs);
    const size = block.length + reply.body.length;
    if (size > this.connection.maxPayload) {
      this.refuse(
        invocation,
        {
          code: 'payload_too_large',
          message: `reply with headers must be at most ${this.connection.maxPayload} bytes, got ${size}`,
          details: { direction: 'reply', limit_bytes: this.connection.maxPayload, got_bytes: size },
        },
        deadlineMs,
      );
      return 'payload_too_large';
    }
    if (!this.#settle(invocation, durationMs)) return null;
    this.replies.send(invocation.replyTo, block, reply.body, deadlineMs);
    return null;
  }

  /** For IntakeInvocation. */
  refuse(invocation: IntakeInvocation, error: InvocationError, deadlineMs = this.#latest(invocation)): void {
    // Before it counts as answered: details that are no JSON throw here.
    const body = errorBody(error, invocation.extensionId);
    const durationMs = this.clock.now() - invocation.arrivedMs;
    if (!this.#settle(invocation, durationMs)) return;
    this.#refused.set(error.code, (this.#refused.get(error.code) ?? 0) + 1);
    if (invocation.local !== null)
      return invocation.local.refused(wireError(error, invocation.extensionId), durationMs);
    this.replies.send(invocation.replyTo, errorBlock(error), body, deadlineMs);
  }

  #latest({ arrivedMs, budgetMs }: IntakeInvocation): number {
    return arrivedMs + (budgetMs ?? this.settings.maxBudgetMs);
  }

  /** INTAKE-1. False: it was answered before. */
  #settle(invocation: IntakeInvocation, durationMs: number): boolean {
    if (invocation.answered) {
      this.log.error({ event: 'invocation_answered_twice', extension_id: invocation.extensionId });
      return false;
    }
    invocation.answered = true;
    this.#answered += 1;
    this.#processingMs += durationMs;
    return true;
  }
}

const invalid = (message: string): InvocationError => ({ code: 'invalid_request', message });

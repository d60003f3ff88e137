// One invocation from admission to its one reply: attempts, retries, deadline.
//
// R1. Between admission and the request there is no await and no I/O but the publish itself.
// R2. The caller gets exactly one answer, at the latest when its budget ends. An attempt that is still out then goes on
//     unseen: it keeps its permit and its place until it ends, for an extension is judged by its own timeout.
// R3. Each attempt asks for its own permit and is settled once, against the target it was sent to.
// R4. Where nobody received an attempt, or it was the trial of an instance out of rotation and failed, it moves to another
//     instance at once and outside `retry`.

import type { InstancePool, Member } from '../domain/balance.js';
import type { InvocationError, UnavailableReason } from '../domain/errors.js';
import { retryDelayMs } from '../domain/retry-budget.js';
import { endAttempt } from './attempt-end.js';
import type { Endpoint } from './endpoint.js';
import { Attempt } from './in-flight.js';
import type { AttemptEnd, AttemptListener, Clock, Invocation, Reply, Route, SendAttempt } from './ports.js';
import type { Service, Slot } from './slot.js';
import {
  type Admission,
  REFUSED_ACTOR_FAILED,
  REFUSED_HALF_OPEN_FULL,
  REFUSED_ISOLATED,
  REFUSED_OPEN,
  REFUSED_RECOVERING,
} from './target.js';

export interface CallDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly send: SendAttempt;
  readonly absenceGraceMs: number;
  /** A bug of ours ended a call; its caller has an answer all the same. */
  readonly onError: (extensionId: string, error: unknown) => void;
  /** The call holds no place any more. */
  readonly onFinished: (call: Call) => void;
  /** The caller has its reply; `result` is `ok` or the error code. */
  readonly onAnswered: (slot: Slot, result: string, durationMs: number) => void;
}

/** A budget that is less than this shorter than the timeout is shorter by rounding alone: then the timeout ends the call. */
const SHORTER_MS = 0.5;
const NOBODY: readonly string[] = [];

export class Call implements AttemptListener {
  readonly slot: Slot;
  readonly #deps: CallDeps;
  readonly #invocation: Invocation;
  #service: Service;
  readonly #attempt = new Attempt();
  /** Sent so far. */
  #attempts = 0;
  #retries = 0;
  #route: Route;
  /** Subjects where nobody was listening: no attempt goes there again; null: none yet. */
  #absent: readonly string[] | null = null;
  /** Subjects where an attempt failed: a retry prefers others; null: none yet. */
  #failed: readonly string[] | null = null;
  #isOut = false;
  #isAnswered = false;
  #deadlineTimer: unknown = null;
  #retryTimer: unknown = null;

  constructor(deps: CallDeps, slot: Slot, service: Service, invocation: Invocation) {
    this.#deps = deps;
    this.slot = slot;
    this.#service = service;
    this.#invocation = invocation;
    this.#route = service.ownRoute;
  }

  begin(): void {
    try {
      this.#begin();
    } catch (error) {
      this.#abort(error);
    }
  }

  #begin(): void {
    if (this.#service.version.retry > 0) this.slot.retryBudget.countCall(this.#invocation.arrivedMs);
    this.#send(this.#invocation.arrivedMs);
  }

  attemptEnded(end: AttemptEnd, reply: Reply | null): void {
    try {
      this.#attemptEnded(end, reply);
    } catch (error) {
      this.#abort(error);
    }
  }

  /** R2: its timeout is no longer what ends the caller's wait. */
  attemptDelayed(): void {
    if (this.#isAnswered || this.#deadlineTimer !== null) return;
    const { clock } = this.#deps;
    const leftMs = Math.max(this.#invocation.deadlineMs - clock.now(), 0);
    this.#deadlineTimer = clock.setTimeout(this.#onDeadline, leftMs);
  }

  #attemptEnded(end: AttemptEnd, reply: Reply | null): void {
    if (!this.#isOut) return;
    const nowMs = this.#deps.clock.now();
    const { isReadmission } = this.#attempt;
    this.#isOut = false;
    const outcome = endAttempt(this.#service.target, this.#attempt, end, reply, this.#deps.absenceGraceMs, nowMs);
    const code = reply === null ? 0 : reply.serviceErrorCode;
    if (this.#isAnswered) return this.#finish();
    if (reply !== null && code < 500) return this.#succeed(reply, nowMs);
    if (end === 'no_responders' && this.#moveFrom('absent', nowMs)) return;
    if (isReadmission && outcome === 'failure' && this.#moveFrom('failed', nowMs)) return;
    if ((end === 'timeout' || code >= 500) && this.#scheduleRetry(nowMs)) return;
    this.#refuse(this.#errorOf(end, reply), nowMs);
  }

  #send(nowMs: number): void {
    const { version, target, pool, ownRoute } = this.#service;
    const permit = target.tryAdmit(nowMs);
    if (permit < 0) return this.#refuse(this.#refusalOf(permit, nowMs), nowMs);
    let endpoint: Endpoint | null = null;
    let isReadmission = false;
    if (pool === null) {
      this.#route = ownRoute;
    } else {
      const due = target.rotation.dueForReadmission(nowMs);
      const trial = due === null || this.#wasTried(due.subject) ? null : pool.on(due);
      const member = trial ?? this.#pick(pool, nowMs);
      if (member === null) {
        target.giveBack(permit, nowMs);
        return this.#refuse(this.#unavailable(this.#absent === null ? 'no_instance' : 'no_responders'), nowMs);
      }
      isReadmission = trial !== null;
      endpoint = member.seat;
      this.#route = member.value;
    }
    target.begin(this.#attempt, permit, endpoint, isReadmission, nowMs);
    this.#attempts++;
    this.#isOut = true;
    const remainingMs = this.#invocation.deadlineMs - nowMs;
    if (remainingMs <= version.timeoutMs - SHORTER_MS && this.#deadlineTimer === null)
      this.#deadlineTimer = this.#deps.clock.setTimeout(this.#onDeadline, remainingMs);
    this.#deps.send(this.#route, this.#invocation, this.#attempts, version.timeoutMs, remainingMs, this);
  }

  /** Before those that failed, and before those out of rotation, comes everybody else. */
  #pick(pool: InstancePool<Endpoint, Route>, nowMs: number): Member<Endpoint, Route> | null {
    const absent = this.#absent ?? NOBODY;
    if (this.#failed === null) return pool.pick(nowMs, absent, true);
    return pool.pick(nowMs, [...this.#failed, ...absent], false) ?? pool.pick(nowMs, absent, true);
  }

  #wasTried(subject: string): boolean {
    return (this.#absent?.includes(subject) || this.#failed?.includes(subject)) ?? false;
  }

  /** R4. False: there is nowhere to go, or no time. */
  #moveFrom(why: 'absent' | 'failed', nowMs: number): boolean {
    const { subject } = this.#route;
    if (why === 'absent') this.#absent = [...(this.#absent ?? NOBODY), subject];
    else this.#failed = [...(this.#failed ?? NOBODY), subject];
    if (!this.#renewService()) return false;
    const { pool } = this.#service;
    const left = (pool?.size ?? 0) - (this.#absent ?? NOBODY).length - (why === 'failed' ? 1 : 0);
    if (left <= 0 || nowMs >= this.#invocation.deadlineMs || this.slot.gate !== null) return false;
    this.#send(nowMs);
    return true;
  }

  /** True: another attempt follows, inside the caller's budget and the extension's retry budget. */
  #scheduleRetry(nowMs: number): boolean {
    if (this.#retries >= this.#service.version.retry) return false;
    const delayMs = retryDelayMs(this.#retries + 1, this.#deps.random());
    if (nowMs + delayMs >= this.#invocation.deadlineMs || !this.slot.retryBudget.tryTake(nowMs)) return false;
    this.#retries++;
    this.#failed = [...(this.#failed ?? NOBODY), this.#route.subject];
    this.#retryTimer = this.#deps.clock.setTimeout(this.#onRetry, delayMs);
    return true;
  }

  readonly #onRetry = (): void => {
    this.#retryTimer = null;
    const nowMs = this.#deps.clock.now();
    const { gate } = this.slot;
    try {
      // A person may have switched it off since the call was admitted.
      if (gate !== null) this.#refuse(this.#unavailable(gate), nowMs);
      else if (!this.#renewService()) this.#refuse(this.#unavailable('disabled'), nowMs);
      else this.#send(nowMs);
    } catch (error) {
      this.#abort(error);
    }
  };

  readonly #onDeadline = (): void => {
    this.#deadlineTimer = null;
    const budgetMs = Math.round(this.#invocation.deadlineMs - this.#invocation.arrivedMs);
    const error: InvocationError = {
      code: 'deadline_exceeded',
      message: `the budget of ${budgetMs} ms ran out after ${this.#attempts} attempt(s)`,
    };
    this.#refuse(error, this.#deps.clock.now());
  };

  #succeed(reply: Reply, nowMs: number): void {
    const durationMs = nowMs - this.#invocation.arrivedMs;
    const replaced = this.#invocation.succeed(this.#route, reply, this.#attempts, durationMs);
    this.#answered(replaced ?? 'ok', durationMs);
  }

  #refuse(error: InvocationError, nowMs: number): void {
    this.#invocation.refuse(error);
    this.#answered(error.code, nowMs - this.#invocation.arrivedMs);
  }

  #answered(result: string, durationMs: number): void {
    this.#isAnswered = true;
    if (this.#deadlineTimer !== null) this.#deps.clock.clearTimeout(this.#deadlineTimer);
    if (this.#retryTimer !== null) this.#deps.clock.clearTimeout(this.#retryTimer);
    this.#deps.onAnswered(this.slot, result, durationMs);
    if (!this.#isOut) this.#finish();
  }

  #finish(): void {
    this.#deps.onFinished(this);
  }

  /** The version may have been switched off since, and its instances may be others. False: it is gone. */
  #renewService(): boolean {
    const service = this.slot.service(this.#service.version.version);
    if (service === null) return false;
    this.#service = service;
    return true;
  }

  /** R2 and R3 hold also where this code is wrong. */
  #abort(error: unknown): void {
    const nowMs = this.#deps.clock.now();
    this.#deps.onError(this.slot.id, error);
    if (this.#isOut) this.#service.target.settle(this.#attempt, 'neutral', 0, nowMs);
    this.#isOut = false;
    if (this.#isAnswered) return this.#finish();
    this.#refuse({ code: 'not_connected', message: 'the daemon failed to handle this call; see its log' }, nowMs);
  }

  #refusalOf(permit: Admission, nowMs: number): InvocationError {
    const { target } = this.#service;
    switch (permit) {
      case REFUSED_OPEN:
        return this.#unavailable('circuit_open', Math.ceil(target.openRemainingMs(nowMs)));
      case REFUSED_HALF_OPEN_FULL:
        return this.#unavailable('half_open_full', this.#service.version.timeoutMs);
      case REFUSED_RECOVERING:
        return this.#unavailable('recovering', this.#service.version.timeoutMs);
      case REFUSED_ISOLATED:
        return this.#unavailable('isolated');
      case REFUSED_ACTOR_FAILED:
        return this.#unavailable('actor_failed');
      default:
        throw new RangeError(`no refusal has the number ${permit}`);
    }
  }

  /** Nothing is sent any more; what was sent before and failed may have been executed all the same. */
  #unavailable(reason: UnavailableReason, retryAfterMs?: number): InvocationError {
    const error = unavailable(reason, this.slot.id, retryAfterMs);
    return this.#failed === null ? error : { ...error, retryable: 'maybe_executed' };
  }

  #errorOf(end: AttemptEnd, reply: Reply | null): InvocationError {
    const { timeoutMs } = this.#service.version;
    const id = this.slot.id;
    switch (end) {
      case 'reply':
        return {
          code: 'extension_error',
          message: `${id} answered with service error ${reply?.serviceErrorCode} in ${this.#attempts} attempt(s)`,
          details: { extension_code: reply?.serviceErrorCode, extension_error: reply?.serviceError },
        };
      case 'timeout':
        return {
          code: 'extension_timeout',
          message: `${id} did not answer within ${timeoutMs} ms in ${this.#attempts} attempt(s)`,
        };
      case 'no_responders':
        return this.#unavailable('no_responders');
      case 'disconnected':
        return { code: 'not_connected', message: 'the daemon lost its connection to NATS while the call was out' };
      case 'not_permitted':
        return {
          code: 'not_connected',
          message: `NATS does not let the daemon publish to ${this.#route.subject}`,
          details: { reason: 'not_permitted' },
          retryable: 'no',
        };
      case 'too_large':
        return {
          code: 'payload_too_large',
          message: "body and headers together are over the NATS server's limit",
          details: { direction: 'request' },
        };
      default:
        return end satisfies never;
    }
  }
}

export function unavailable(reason: UnavailableReason, extensionId: string, retryAfterMs?: number): InvocationError {
  return {
    code: 'extension_unavailable',
    message: `${extensionId} cannot be called: ${reason}`,
    details: { reason },
    ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
  };
}

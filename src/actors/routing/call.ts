// One invocation from admission to its one reply: candidates, attempts, retries, deadline.
//
// CALL-1. Between admission and the request there is no await and no I/O but the publish itself.
// CALL-2. The caller gets exactly one answer, at the latest when its budget ends. An attempt that is still in flight then
//     continues unseen: it keeps its permit and its place until it ends, since an extension is judged by its own timeout.
// CALL-3. Each attempt asks for its own permit and is settled once, against the target it was sent to.
// CALL-4. If no extension received an attempt, or it was the trial of an instance out of rotation and failed, it moves to another
//     instance immediately, outside `retry`.
// CALL-5. While no extension has received anything of it, it moves to the next candidate; retries stay with the version that had it first.
// CALL-6. A call that is served by another extension holds a place of that extension too.
//
// Long: the life of one call, from its first attempt to its answer, is one state machine.
import type { InvocationError, UnavailableReason } from '../../domain/registry/errors.js';
import { longestMs, retryDelayMs } from '../../domain/routing/retry-budget.js';
import type { Choice, Why } from '../../domain/routing/routing-table.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import type { Service } from '../extension/service.js';
import type { Clock, WallClock } from '../ports/clock.js';
import type {
  AttemptEnd,
  AttemptListener,
  Invocation,
  NoteAttempt,
  Reply,
  Route,
  SendAttempt,
} from '../ports/transport.js';
import { endAttempt, failureOf } from '../target/attempt-end.js';
import { Attempt } from '../target/in-flight.js';
import type { Target } from '../target/target.js';
import { type CandidateDeps, type Candidates, isDeprioritised, otherCandidates } from './candidates.js';
import { ConcurrencySlot } from './concurrency-slot.js';
import { chooseInstance, NOTHING_TRIED, type Tried } from './instance-choice.js';
import { deadlineExceeded, errorOfEnd, placeRefusal, refusalOf, unavailable } from './refusals.js';

/** What a call begins with. */
export interface Decided {
  /** Of the extension that was called. */
  readonly runtime: ExtensionRuntime;
  readonly choice: Choice;
  /** The version chosen. */
  readonly service: Service;
}

export interface CallDeps {
  readonly clock: Clock;
  readonly wall: WallClock;
  readonly candidates: CandidateDeps;
  readonly send: SendAttempt;
  /** null: without traces. */
  readonly noteAttempt: NoteAttempt | null;
  readonly absenceGraceMs: number;
  readonly maxBudgetMs: number;
  /** A bug of ours ended a call; its caller has been answered nevertheless. */
  readonly onError: (extensionId: string, error: unknown) => void;
  /** The call holds no place any more. */
  readonly onFinished: (call: Call) => void;
  /** The caller has its reply; `result` is `ok` or the error code. */
  readonly onAnswered: (runtime: ExtensionRuntime, result: string, durationMs: number, invocation: Invocation) => void;
}

/** A budget that is less than this shorter than the timeout is shorter by rounding alone: then the timeout ends the call. */
const SHORTER_MS = 0.5;
const NO_SUBJECTS: readonly string[] = [];
const isTrial = (target: Target): boolean => target.stats.isTrialDue();
const ignore = (): void => undefined;

export class Call implements AttemptListener {
  /** Of the extension that was called. */
  readonly runtime: ExtensionRuntime;
  readonly #deps: CallDeps;
  readonly #invocation: Invocation;
  readonly #choice: Choice;
  /** Other candidates were asked before the version chosen. */
  #isDeprioritised = false;
  /** The candidates that are left; null: none was needed so far. */
  #others: Candidates | null = null;
  /** Whose version serves it. */
  #serving: ExtensionRuntime;
  #service: Service;
  /** CALL-6. */
  readonly #place: ConcurrencySlot;
  /** Why the version chosen did not take it, or the first that was asked in its place. */
  #refusal: InvocationError | null = null;
  /** Of the candidate that has it, until the extension received it. */
  #why: Why | null = null;
  readonly #attempt = new Attempt();
  /** When the caller stops waiting, monotonic; undefined until a candidate has it. */
  #deadlineMs: number | undefined;
  /** Sent so far. */
  #attempts = 0;
  #retries = 0;
  #route: Route;
  #tried: Tried = NOTHING_TRIED;
  #isInFlight = false;
  #isAnswered = false;
  #deadlineTimer: unknown = null;
  #retryTimer: unknown = null;

  constructor(deps: CallDeps, { runtime, choice, service }: Decided, invocation: Invocation) {
    this.#deps = deps;
    this.runtime = runtime;
    this.#choice = choice;
    this.#serving = runtime;
    this.#place = new ConcurrencySlot(runtime);
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
    const { candidates } = this.#deps;
    const { arrivedMs } = this.#invocation;
    const { runtime } = this;
    const asking = { nowMs: arrivedMs, isTrial };
    this.#isDeprioritised = isDeprioritised(runtime, this.#choice, this.#service, candidates, asking);
    const isFirst = runtime.gate === null && !this.#isDeprioritised;
    if (isFirst && this.#ask(runtime, this.#service, this.#choice.by, arrivedMs)) return;
    if (this.#askOthers(arrivedMs)) return;
    const own = runtime.gate === null ? this.#refusal : null;
    if (own === null) runtime.countRefusal();
    this.#refuse(own ?? unavailable(runtime.gate ?? 'no_version', runtime.id), arrivedMs);
  }

  attemptEnded(end: AttemptEnd, reply: Reply | null): void {
    try {
      this.#attemptEnded(end, reply);
    } catch (error) {
      this.#abort(error);
    }
  }

  /** CALL-2: its timeout is no longer what ends the caller's wait. */
  attemptDelayed(): void {
    if (this.#isAnswered || this.#deadlineTimer !== null) return;
    const { clock } = this.#deps;
    const leftMs = Math.max(this.#deadline - clock.now(), 0);
    this.#deadlineTimer = clock.setTimeout(this.#onDeadline, leftMs);
  }

  #attemptEnded(end: AttemptEnd, reply: Reply | null): void {
    if (!this.#isInFlight) return;
    const nowMs = this.#deps.clock.now();
    const { isReadmission } = this.#attempt;
    this.#isInFlight = false;
    const outcome = endAttempt(this.#service.target, this.#attempt, end, reply, this.#deps.absenceGraceMs, nowMs);
    const code = reply === null ? 0 : reply.serviceErrorCode;
    if (outcome === 'failure')
      this.#service.target.stats.noteFailure(
        failureOf(this.#attempt, end, reply, this.#attempts, nowMs, this.#deps.wall()),
      );
    if (this.#why !== null && (end === 'reply' || end === 'timeout')) this.#countReceived(this.#why);
    if (this.#isAnswered) return this.#finish();
    if (reply !== null && code < 500) return this.#succeed(reply, nowMs);
    if (end === 'no_responders' && (this.#moveFrom('absent', nowMs) || this.#moveOn(nowMs))) return;
    if (isReadmission && outcome === 'failure' && this.#moveFrom('failed', nowMs)) return;
    if ((end === 'timeout' || code >= 500) && this.#scheduleRetry(nowMs)) return;
    this.#refuse(this.#errorOf(end, reply), nowMs);
  }

  /** CALL-5. True: one of them has it now. */
  #askOthers(nowMs: number): boolean {
    const { context } = this.#invocation;
    this.#others ??= otherCandidates(this.runtime, this.#choice, this.#isDeprioritised, this.#deps.candidates, {
      context,
      nowMs,
      isTrial,
      onSkipped: ignore,
    });
    for (let next = this.#others.next(); !next.done; next = this.#others.next())
      if (this.#ask(next.value.runtime, next.value.service, next.value.why, nowMs)) return true;
    return false;
  }

  /** True: a first attempt to this candidate is in flight, or has ended already. */
  #ask(serving: ExtensionRuntime, service: Service, why: Why, nowMs: number): boolean {
    const place = this.#place.isOf(serving) ? null : placeRefusal(serving, this.runtime);
    if (place !== null) {
      this.#refusal ??= place;
      return false;
    }
    this.#serving = serving;
    this.#service = service;
    const refusal = this.#trySend(nowMs, why);
    if (this.#refusal === null || why === this.#choice.by) this.#refusal = refusal;
    return refusal === null;
  }

  #send(nowMs: number): void {
    const refusal = this.#trySend(nowMs, null);
    if (refusal !== null) this.#refuse(refusal, nowMs);
  }

  /** null: sent. `why`: what made the version a candidate, if this is its first attempt of this call. */
  #trySend(nowMs: number, why: Why | null): InvocationError | null {
    const { version, target, pool, ownRoute } = this.#service;
    const { random } = this.#deps.candidates;
    const permit = target.tryAdmit(nowMs);
    if (permit < 0) {
      this.#countRefusal(target);
      const { reason, retryAfterMs } = refusalOf(permit, this.#service, nowMs);
      return this.#unavailable(reason, retryAfterMs);
    }
    const chosen = chooseInstance(this.#service, pool, this.#serving, this.#tried, this.#invocation, random, nowMs);
    if (typeof chosen === 'string') {
      this.#countRefusal(target);
      target.returnPermit(permit, nowMs);
      return this.#unavailable(chosen);
    }
    this.#route = chosen.member?.value ?? ownRoute;
    const endpoint = chosen.member?.seat ?? null;
    this.#attempt.instanceId = chosen.member?.instance.id ?? null;
    if (this.#deps.noteAttempt !== null) this.#noteAttempt(this.#deps.noteAttempt, why, chosen.isTrial);
    if (why !== null) this.#taken(why);
    target.begin(this.#attempt, permit, endpoint, chosen.isTrial, nowMs);
    this.#attempts++;
    this.#isInFlight = true;
    const remainingMs = this.#deadline - nowMs;
    if (remainingMs <= version.timeoutMs - SHORTER_MS && this.#deadlineTimer === null)
      this.#deadlineTimer = this.#deps.clock.setTimeout(this.#onDeadline, remainingMs);
    this.#deps.send(this.#route, this.#invocation, this.#attempts, version.timeoutMs, remainingMs, this);
    return null;
  }

  #noteAttempt(note: NoteAttempt, why: Why | null, isTrial: boolean): void {
    const { publishedState: breakerState, mode } = this.#service.target;
    const { instanceId } = this.#attempt;
    note(this.#invocation, {
      breakerState,
      isProbe: mode === 'halfOpen',
      chosenBy: why ?? 'retry',
      isTrial,
      instanceId,
    });
  }

  #countRefusal(target: Target): void {
    target.stats.refused++;
    this.#serving.stats.refusals++;
  }

  /** Before its first attempt to a candidate. */
  #taken(why: Why): void {
    const { version } = this.#service;
    const serving = this.#serving;
    const invocation = this.#invocation;
    this.#why = why;
    const budgetMs = invocation.budgetMs ?? Math.min(longestMs(version), this.#deps.maxBudgetMs);
    this.#deadlineMs = invocation.arrivedMs + budgetMs;
    // The timeout of the candidate before is not that of this one.
    if (this.#deadlineTimer !== null) this.#deps.clock.clearTimeout(this.#deadlineTimer);
    this.#deadlineTimer = null;
    if (version.retry > 0) serving.retryBudget.countCall(invocation.arrivedMs);
    this.#place.take(serving);
  }

  /** The extension received it, once per call: for the counts of calls by version. */
  #countReceived(why: Why): void {
    this.#why = null;
    this.#serving.stats.countCall(this.#service.version.version, why);
    if (this.#serving !== this.runtime) this.runtime.stats.countFallback(this.#serving.id);
  }

  /** CALL-4. False: there is nowhere to go, or no time. */
  #moveFrom(why: 'absent' | 'failed', nowMs: number): boolean {
    const { subject } = this.#route;
    this.#note(why, subject);
    if (nowMs >= this.#deadline || this.#gate !== null || this.#renewService() !== null) return false;
    const absent = this.#tried.absent ?? NO_SUBJECTS;
    const { pool } = this.#service;
    const others = pool?.hasOutside(why === 'failed' ? [...absent, subject] : absent);
    return others === true && this.#trySend(nowMs, null) === null;
  }

  /** CALL-5, after an attempt that no extension received. */
  #moveOn(nowMs: number): boolean {
    if (this.#tried.failed !== null || this.#gate === 'disabled' || nowMs >= this.#deadline) return false;
    const serving = this.#serving;
    const service = this.#service;
    if (this.#askOthers(nowMs)) return true;
    this.#serving = serving;
    this.#service = service;
    return false;
  }

  /** True: another attempt follows, inside the caller's budget and the extension's retry budget. */
  #scheduleRetry(nowMs: number): boolean {
    if (this.#retries >= this.#service.version.retry) return false;
    const delayMs = retryDelayMs(this.#retries + 1, this.#deps.candidates.random());
    const { retryBudget, retryPolicy, stats } = this.#serving;
    if (nowMs + delayMs >= this.#deadline) return false;
    const isGranted = retryBudget.tryTake(nowMs, retryPolicy);
    stats.countRetry(isGranted);
    if (!isGranted) return false;
    this.#retries++;
    this.#note('failed', this.#route.subject);
    this.#retryTimer = this.#deps.clock.setTimeout(this.#onRetry, delayMs);
    return true;
  }

  #note(what: keyof Tried, subject: string): void {
    this.#tried = { ...this.#tried, [what]: [...(this.#tried[what] ?? NO_SUBJECTS), subject] };
  }

  readonly #onRetry = (): void => {
    this.#retryTimer = null;
    const nowMs = this.#deps.clock.now();
    try {
      // An operator may have disabled it since the call was admitted.
      const reason = this.#gate ?? this.#renewService();
      if (reason !== null) this.#refuse(this.#unavailable(reason), nowMs);
      else this.#send(nowMs);
    } catch (error) {
      this.#abort(error);
    }
  };

  readonly #onDeadline = (): void => {
    this.#deadlineTimer = null;
    const budgetMs = Math.round(this.#deadline - this.#invocation.arrivedMs);
    this.#refuse(deadlineExceeded(budgetMs, this.#attempts), this.#deps.clock.now());
  };

  /** Before a candidate has it, the latest that it can be. */
  get #deadline(): number {
    return this.#deadlineMs ?? this.#invocation.arrivedMs + (this.#invocation.budgetMs ?? this.#deps.maxBudgetMs);
  }

  #succeed(reply: Reply, nowMs: number): void {
    const durationMs = nowMs - this.#invocation.arrivedMs;
    const replaced = this.#invocation.succeed(this.#route, reply, this.#attempts, durationMs, this.#deadline);
    this.#answered(replaced ?? 'ok', durationMs);
  }

  #refuse(error: InvocationError, nowMs: number): void {
    this.#invocation.refuse(error, this.#deadlineMs);
    this.#answered(error.code, nowMs - this.#invocation.arrivedMs);
  }

  #answered(result: string, durationMs: number): void {
    this.#isAnswered = true;
    if (this.#deadlineTimer !== null) this.#deps.clock.clearTimeout(this.#deadlineTimer);
    if (this.#retryTimer !== null) this.#deps.clock.clearTimeout(this.#retryTimer);
    this.#deps.onAnswered(this.runtime, result, durationMs, this.#invocation);
    if (!this.#isInFlight) this.#finish();
  }

  #finish(): void {
    this.#place.release();
    this.#deps.onFinished(this);
  }

  /** Why nothing more may be sent for it: the extension that was called, or the one that serves it, is gated. */
  get #gate(): UnavailableReason | null {
    return this.runtime.gate === 'disabled' ? 'disabled' : this.#serving.gate;
  }

  /** The version may have been disabled since, and its rules and instances changed. null, or why it accepts no calls. */
  #renewService(): UnavailableReason | null {
    const { version } = this.#service.version;
    const service = this.#serving.service(version);
    if (service === null) return 'disabled';
    const { table } = this.#serving;
    if (table.ruled.length > 0 && table.excludes(version, this.#invocation.context)) return 'no_version';
    this.#service = service;
    return null;
  }

  /** CALL-2 and CALL-3 hold even if this code is wrong. */
  #abort(error: unknown): void {
    const nowMs = this.#deps.clock.now();
    this.#deps.onError(this.runtime.id, error);
    if (this.#isInFlight) this.#service.target.settle(this.#attempt, 'neutral', 0, nowMs);
    this.#isInFlight = false;
    if (this.#isAnswered) return this.#finish();
    this.#refuse({ code: 'internal_error', message: 'a fault of the daemon; see its log' }, nowMs);
  }

  #errorOf(end: AttemptEnd, reply: Reply | null): InvocationError {
    if (end === 'no_responders')
      return this.#tried.failed === null ? unavailable(end, this.runtime.id) : this.#unavailable(end);
    const { version } = this.#service;
    // The timeout in force, if it was shortened meanwhile.
    const inForce = this.#serving.service(version.version)?.version ?? version;
    const timeoutMs = Math.min(version.timeoutMs, inForce.timeoutMs);
    return errorOfEnd(end, reply, this.#serving.id, timeoutMs, this.#route.subject, this.#attempts);
  }

  /** Nothing is sent any more; what was sent before and failed may have been executed nevertheless. */
  #unavailable(reason: UnavailableReason, retryAfterMs?: number): InvocationError {
    const error = unavailable(reason, this.#serving.id, retryAfterMs);
    return this.#tried.failed === null ? error : { ...error, retryable: 'maybe_executed' };
  }
}

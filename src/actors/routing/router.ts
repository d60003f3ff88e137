// Takes each invocation from the intake to the service that will answer it, or refuses it with its reason.
//
// ROUTER-1. Every invocation handed over is answered exactly once, also when something in here throws.
// ROUTER-2. A place in `max_in_flight` is held until the call is answered and its last attempt has ended.
import type { InvocationError } from '../../domain/registry/errors.js';
import { stackOf } from '../../telemetry/error-text.js';
import { createSampledDebug } from '../../telemetry/limited-log.js';
import type { Logger } from '../../telemetry/log.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import type { Clock, WallClock } from '../ports/clock.js';
import type { HandleInvocation, Invocation, NoteAttempt, SendAttempt } from '../ports/transport.js';
import { Call, type CallDeps, type Decided } from './call.js';
import type { CandidateDeps } from './candidates.js';
import { extensionFull, overloaded, unavailable } from './refusals.js';

interface RouterOptions extends CandidateDeps {
  readonly clock: Clock;
  readonly wall: WallClock;
  readonly send: SendAttempt;
  readonly noteAttempt: NoteAttempt | null;
  /** Extensions whose row is invalid and never was valid here. */
  readonly isInvalid: (extensionId: string) => boolean;
  /** What is counted of it has changed; must not throw. */
  readonly onTouched: (runtime: ExtensionRuntime) => void;
  readonly maxInFlight: number;
  readonly maxBudgetMs: number;
  readonly absenceGraceMs: number;
  readonly log: Logger;
}

export class Router {
  readonly #options: RouterOptions;
  readonly #callDeps: CallDeps;
  #inFlight = 0;
  #unanswered = 0;
  #onIdle: (() => void) | null = null;

  constructor(options: RouterOptions) {
    this.#options = options;
    const debug = createSampledDebug(options.log, 'invocation', () => options.clock.now());
    this.#callDeps = {
      clock: options.clock,
      wall: options.wall,
      candidates: options,
      send: options.send,
      noteAttempt: options.noteAttempt,
      absenceGraceMs: options.absenceGraceMs,
      maxBudgetMs: options.maxBudgetMs,
      onError: (extensionId, error) =>
        options.log.error({
          event: 'call_failed',
          extension_id: extensionId,
          error: stackOf(error),
        }),
      onFinished: (call) => {
        call.runtime.inFlight--;
        this.#inFlight--;
      },
      onAnswered: (runtime, result, durationMs, { headers }) => {
        runtime.stats.countAnswer(result, durationMs);
        options.onTouched(runtime);
        // Asked here, too: a call makes no function for a line that is not written.
        if (options.log.isLevelEnabled('debug'))
          debug(() => ({
            extension_id: runtime.id,
            result,
            duration_ms: durationMs,
            ...traceIdOf(headers.traceBefore),
          }));
        if (--this.#unanswered === 0) this.#onIdle?.();
      },
    };
  }

  /** Calls that hold a place now. */
  get inFlight(): number {
    return this.#inFlight;
  }

  readonly handle: HandleInvocation = (invocation) => {
    const decision = this.decide(invocation.extensionId, invocation);
    if ('code' in decision) return this.#refuse(invocation, decision);
    this.#inFlight++;
    decision.runtime.inFlight++;
    this.#unanswered++;
    new Call(this.#callDeps, decision, invocation).begin();
  };

  /** The version that a call is routed to, or why it is refused before any breaker is asked. Changes nothing. */
  decide(id: string, invocation: Pick<Invocation, 'context'>): Decided | InvocationError {
    const { runtimes, isInvalid, maxInFlight, random } = this.#options;
    const runtime = runtimes.get(id);
    if (runtime === undefined) return isInvalid(id) ? unavailable('row_invalid', id) : notFound(id);
    if (this.#inFlight >= maxInFlight) return overloaded('the daemon', maxInFlight);
    if (runtime.inFlight >= runtime.inFlightLimit) return extensionFull(runtime);
    if (runtime.gate === 'disabled') return unavailable('disabled', id);
    const { table } = runtime;
    // The context is made on demand, and most calls need none.
    const choice = table.readsContext ? table.choose(invocation.context, random) : table.default;
    if (choice !== null && 'code' in choice) return choice;
    const service = choice === null ? null : runtime.service(choice.version);
    return choice === null || service === null ? unavailable(table.noneReason, id) : { runtime, choice, service };
  }

  /** Resolves when every accepted call has its answer; immediately if none waits. */
  idle(): Promise<void> {
    if (this.#unanswered === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }

  #refuse(invocation: Invocation, error: InvocationError): void {
    invocation.refuse(error);
    const runtime = this.#options.runtimes.get(invocation.extensionId);
    if (runtime === undefined) return;
    runtime.stats.countAnswer(error.code, this.#options.clock.now() - invocation.arrivedMs);
    if (error.code === 'extension_unavailable' || error.code === 'overloaded') runtime.countRefusal();
    this.#options.onTouched(runtime);
  }
}

/** `traceparent: 00-<trace id>-`, or ''. */
const traceIdOf = (traceBefore: string) => (traceBefore === '' ? {} : { trace_id: traceBefore.slice(-33, -1) });

const notFound = (id: string): InvocationError => ({
  code: 'extension_not_found',
  message: `there is no extension ${id}`,
});

// Takes each invocation from the intake to the service that will answer it, or refuses it with its reason.
//
// I1. Every invocation handed over is answered exactly once, also when something in here throws.
// I2. A place in `max_in_flight` is held until the call is answered and its last attempt has ended.
import type { InvocationError } from '../domain/errors.js';
import { NO_CONTEXT } from '../domain/routing-rules.js';
import type { Logger } from '../telemetry/log.js';
import { Call, type CallDeps } from './call.js';
import type { CandidateDeps } from './candidates.js';
import type { Clock, HandleInvocation, Invocation, SendAttempt } from './ports.js';
import { overloaded, unavailable } from './refusals.js';
import type { Slot } from './slot.js';

export interface RouterOptions extends CandidateDeps {
  readonly clock: Clock;
  readonly send: SendAttempt;
  /** Extensions whose row is invalid and never was valid here. */
  readonly isInvalid: (extensionId: string) => boolean;
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
    const isDebug = options.log.isLevelEnabled('debug');
    this.#callDeps = {
      clock: options.clock,
      candidates: options,
      send: options.send,
      absenceGraceMs: options.absenceGraceMs,
      maxBudgetMs: options.maxBudgetMs,
      onError: (extensionId, error) =>
        options.log.error({
          event: 'call_failed',
          extension_id: extensionId,
          error: error instanceof Error ? error.stack : String(error),
        }),
      onFinished: (call) => {
        call.slot.inFlight--;
        this.#inFlight--;
      },
      onAnswered: (slot, result, durationMs) => {
        slot.count(result, durationMs);
        if (isDebug) options.log.debug({ event: 'invocation', extension_id: slot.id, result, duration_ms: durationMs });
        if (--this.#unanswered === 0) this.#onIdle?.();
      },
    };
  }

  /** Calls that hold a place now. */
  get inFlight(): number {
    return this.#inFlight;
  }

  readonly handle: HandleInvocation = (invocation) => {
    const { slots, isInvalid, maxInFlight } = this.#options;
    const id = invocation.extensionId;
    const slot = slots.get(id);
    if (slot === undefined) {
      this.#refuseUnknown(invocation, isInvalid(id));
      return;
    }
    if (this.#inFlight >= maxInFlight) return this.#refuse(slot, invocation, overloaded('the daemon', maxInFlight));
    const limit = slot.extension.policy.max_in_flight;
    if (limit !== undefined && slot.inFlight >= limit) return this.#refuse(slot, invocation, overloaded(id, limit));
    if (slot.gate === 'disabled') return this.#refuse(slot, invocation, unavailable('disabled', id));
    const { table } = slot;
    const choice = table.choose(table.readsContext ? invocation.context : NO_CONTEXT, this.#options.random);
    if (table.readsContext && invocation.context.problem !== null)
      return this.#refuse(slot, invocation, invocation.context.problem);
    const service = choice === null ? null : slot.service(choice.version);
    if (choice === null || service === null) return this.#refuse(slot, invocation, unavailable(table.noneReason, id));

    this.#inFlight++;
    slot.inFlight++;
    this.#unanswered++;
    new Call(this.#callDeps, slot, choice, service, invocation).begin();
  };

  /** Resolves when every accepted call has its answer; at once when none waits. */
  idle(): Promise<void> {
    if (this.#unanswered === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onIdle = resolve;
    });
  }

  #refuse(slot: Slot, invocation: Invocation, error: InvocationError): void {
    invocation.refuse(error);
    slot.count(error.code, this.#options.clock.now() - invocation.arrivedMs);
  }

  #refuseUnknown(invocation: Invocation, isInvalid: boolean): void {
    const id = invocation.extensionId;
    invocation.refuse(
      isInvalid
        ? unavailable('row_invalid', id)
        : { code: 'extension_not_found', message: `there is no extension ${id}` },
    );
  }
}

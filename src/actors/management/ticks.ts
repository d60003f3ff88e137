// Evaluates the breakers' rules once a second: what a call does not decide by itself, such as that attempts are overdue.
//
// TICKS-1. A tick costs in proportion to the extensions that had calls since the last one, or have any in flight.
// TICKS-2. An extension whose tick fails affects no other, and is evaluated again with the next one.
import type { DirtyReader, DirtySet } from '../../domain/dirty-set.js';
import type { Steps } from '../../domain/steps.js';
import { logUnexpected } from '../../telemetry/guard.js';
import type { Logger } from '../../telemetry/log.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';

interface TicksDeps {
  readonly runtimes: ReadonlyMap<string, ExtensionRuntime>;
  /** Of the extensions that are touched. */
  readonly dirty: DirtySet<ExtensionRuntime>;
  readonly log: Logger;
}

export class Ticks {
  readonly #deps: TicksDeps;
  readonly #touched: DirtyReader<ExtensionRuntime>;
  /** TICKS-1. Those that the next tick evaluates, besides the touched ones. */
  readonly #busy = new Set<ExtensionRuntime>();

  constructor(deps: TicksDeps) {
    this.#deps = deps;
    this.#touched = deps.dirty.read();
  }

  /** Evaluates them as of `nowMs`, whenever the last step is. `stalledUntilMs`: see AfterRoundTrip. */
  *evaluating(nowMs: number, stalledUntilMs = Number.NEGATIVE_INFINITY): Steps<void> {
    for (let left = this.#touched.size; left > 0; left--) {
      const runtime = this.#touched.take();
      if (runtime !== undefined) this.#busy.add(runtime);
      yield;
    }
    for (const runtime of this.#busy) {
      const isThere = this.#deps.runtimes.get(runtime.id) === runtime;
      if (!isThere || !this.#isBusyAfter(runtime, nowMs, stalledUntilMs)) this.#busy.delete(runtime);
      yield;
    }
  }

  #isBusyAfter(runtime: ExtensionRuntime, nowMs: number, stalledUntilMs: number): boolean {
    try {
      return runtime.tick(nowMs, stalledUntilMs);
    } catch (error) {
      // TICKS-2.
      logUnexpected(this.#deps.log, `a tick of ${runtime.id}`, error);
      return true;
    }
  }
}

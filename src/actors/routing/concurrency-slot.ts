// The place that one call holds in `max_in_flight` of the extension that serves it in another's place. (That of the extension
// which was called is the router's.)
import type { ExtensionRuntime } from '../extension/extension-runtime.js';

export class ConcurrencySlot {
  readonly #called: ExtensionRuntime;
  /** The one that was called: none is held. */
  #holder: ExtensionRuntime;

  constructor(called: ExtensionRuntime) {
    this.#called = called;
    this.#holder = called;
  }

  isOf(runtime: ExtensionRuntime): boolean {
    return runtime === this.#holder;
  }

  /** The extension that held it before releases it. */
  take(serving: ExtensionRuntime): void {
    if (serving === this.#holder) return;
    this.release();
    if (serving === this.#called) return;
    serving.inFlight++;
    this.#holder = serving;
  }

  release(): void {
    if (this.#holder !== this.#called) this.#holder.inFlight--;
    this.#holder = this.#called;
  }
}

// How many targets there are, and whether that changed: read without walking the registry.
//
// TARGET-CENSUS-1. Counting costs in proportion to what changed: one extension.
import type { ExtensionRuntime } from './extension-runtime.js';

export class TargetCensus {
  readonly #counted = new WeakMap<ExtensionRuntime, number>();
  #targets = 0;
  #changes = 0;

  get targets(): number {
    return this.#targets;
  }

  /** Different after each change. */
  get changes(): number {
    return this.#changes;
  }

  /** It came, or its row changed. */
  changed(runtime: ExtensionRuntime): void {
    this.#count(runtime, [...runtime.services].length);
  }

  removed(runtime: ExtensionRuntime): void {
    this.#count(runtime, 0);
  }

  #count(runtime: ExtensionRuntime, targets: number): void {
    this.#targets += targets - (this.#counted.get(runtime) ?? 0);
    this.#counted.set(runtime, targets);
    this.#changes++;
  }
}

// Which extensions are fallbacks of which (domain/registry/fallbacks.ts), kept up to date as the registry changes.
//
// FALLBACK-TABLE-1. What an update costs depends on the extensions that have fallbacks, not on all of them.
import { type FallbackRow, type Fallbacks, fallbacksInForce } from '../../domain/registry/fallbacks.js';
import type { RegisteredExtension, RegistryPlan } from '../../domain/registry/registry-diff.js';
import type { RowProblem } from '../../domain/registry/registry-validation.js';
import type { Steps } from '../../domain/steps.js';

const NONE: readonly string[] = [];

export class FallbackTable {
  /** Ids of extensions that have any. */
  readonly #withFallbacks = new Set<string>();
  #inForce: Fallbacks = new Map();

  constructor(private readonly report: (problem: RowProblem) => void) {}

  of(id: string): readonly string[] {
    return this.#inForce.get(id) ?? NONE;
  }

  /** After an update was applied. */
  *renewing(registered: ReadonlyMap<string, RegisteredExtension>, plan: RegistryPlan): Steps<void> {
    for (const id of plan.remove) this.#withFallbacks.delete(id);
    for (const { id, registered: is } of [...plan.start, ...plan.update]) {
      if ((is.extension?.policy.fallback ?? NONE).length > 0) this.#withFallbacks.add(id);
      else this.#withFallbacks.delete(id);
      yield;
    }
    if (this.#withFallbacks.size === 0 && this.#inForce.size === 0) return;
    if (plan.start.length + plan.update.length + plan.remove.length === 0) return;
    const rows = new Map<string, FallbackRow>();
    for (const id of this.#withFallbacks) {
      this.#add(rows, registered, id);
      for (const other of rows.get(id)?.fallback ?? NONE) this.#add(rows, registered, other);
      yield;
    }
    const { inForce, problems } = fallbacksInForce(rows.values(), this.#inForce);
    this.#inForce = inForce;
    for (const [extensionId, reasons] of problems) {
      const revision = registered.get(extensionId)?.extension?.revision ?? 0;
      this.report({ extensionId, revision, problems: reasons });
      yield;
    }
  }

  #add(rows: Map<string, FallbackRow>, registered: ReadonlyMap<string, RegisteredExtension>, id: string): void {
    const extension = registered.get(id)?.extension;
    if (extension == null || rows.has(id)) return;
    rows.set(id, { id, type: extension.type, fallback: extension.policy.fallback ?? NONE });
  }
}

// Which extensions are fallbacks of which (domain/registry/fallbacks.ts), kept up to date as the registry changes.
//
// FALLBACK-TABLE-1. What an update costs depends on the rows that it changes and their fallbacks, not on all of them (FALLBACKS-4).
import { FallbackGraph, type FallbackRow } from '../../domain/registry/fallbacks.js';
import type { RegisteredExtension, RegistryPlan } from '../../domain/registry/registry-diff.js';
import type { Steps } from '../../domain/steps.js';
import type { RefusedRows } from './refused-rows.js';

/** The part of an extension's row that is refused. */
const PART = 'fallback';
const NONE: readonly string[] = [];

export class FallbackTable {
  readonly #graph = new FallbackGraph();
  /** Extensions of which something was reported. */
  readonly #reported = new Set<string>();

  constructor(private readonly refused: RefusedRows) {}

  of(id: string): readonly string[] {
    return this.#graph.of(id);
  }

  /** After an update was applied. */
  *renewing(registered: ReadonlyMap<string, RegisteredExtension>, plan: RegistryPlan): Steps<void> {
    const extensionOf = (id: string) => registered.get(id)?.extension ?? null;
    const changes = new Map<string, FallbackRow | null>();
    for (const id of plan.remove) changes.set(id, null);
    for (const { id } of [...plan.start, ...plan.update]) {
      const extension = extensionOf(id);
      const fallback = extension?.policy.fallback ?? NONE;
      changes.set(id, extension === null ? null : { id, type: extension.type, fallback });
      yield;
    }
    if (changes.size === 0) return;
    const problems = yield* this.#graph.changing(changes, (id) => extensionOf(id)?.type);
    for (const [extensionId, reasons] of problems) {
      this.#report(extensionId, extensionOf(extensionId)?.revision ?? 0, reasons);
      yield;
    }
  }

  #report(extensionId: string, revision: number, problems: readonly string[]): void {
    if (problems.length > 0) {
      this.#reported.add(extensionId);
      this.refused.report({ extensionId, revision, problems }, PART);
    } else if (this.#reported.delete(extensionId)) this.refused.solved(extensionId, PART);
  }
}

// From what runs and what the registry says to what has to be done, as data; the supervisor does it, removals first.
//
// D1. A snapshot is the whole registry: what it does not hold is removed. Changes concern the ids they name alone.
// D2. Mass removal: an update that would remove more than half of 10 or more running extensions removes nothing until a
//     second reading agrees, or somebody forces it. Everything else of it is applied at once.
// D3. An entry that says what runs already makes no work.
import { isDeepStrictEqual } from 'node:util';
import type { Extension } from './extension.js';
import type { RegistryEntry, RegistryUpdate, ThresholdColumns } from './registry-rows.js';
import { parseEntry, type RowProblem } from './registry-validation.js';
import type { SubjectRules } from './subject-rules.js';

/** An extension in force with what else the registry knows of it. */
export interface RegisteredExtension {
  /** null: its row is invalid and never was valid here; calls are refused with `row_invalid`. */
  readonly extension: Extension | null;
  readonly thresholds: ThresholdColumns | null;
}

export interface RegistryPlan {
  readonly remove: readonly string[];
  readonly start: readonly {
    readonly id: string;
    readonly registered: RegisteredExtension;
    readonly entry: RegistryEntry;
  }[];
  readonly update: readonly {
    readonly id: string;
    readonly registered: RegisteredExtension;
    readonly entry: RegistryEntry;
  }[];
  readonly refused: readonly RowProblem[];
  /** Ids whose removal is held back (D2). */
  readonly held: readonly string[];
}

const MASS_REMOVAL_MINIMUM = 10;

/** `removable`: the ids that a mass removal may take, or `all` of them; empty until a first reading was held. */
export function diffRegistry(
  running: ReadonlyMap<string, RegisteredExtension>,
  update: RegistryUpdate,
  rules: SubjectRules,
  removable: ReadonlySet<string> | 'all',
): RegistryPlan {
  const named = new Set(update.entries.map((entry) => entry.extension.id));
  const gone =
    update.kind === 'snapshot'
      ? [...running.keys()].filter((id) => !named.has(id))
      : update.removedIds.filter((id) => running.has(id));
  const isMassRemoval = running.size >= MASS_REMOVAL_MINIMUM && gone.length > running.size / 2;
  const hold = isMassRemoval && removable !== 'all' && !gone.every((id) => removable.has(id));

  const start: RegistryPlan['start'][number][] = [];
  const changed: RegistryPlan['update'][number][] = [];
  const refused: RowProblem[] = [];
  for (const entry of update.entries) {
    const id = entry.extension.id;
    const before = running.get(id);
    const parsed = parseEntry(entry, rules, before?.extension ?? null);
    refused.push(...parsed.refused);
    const registered = { extension: parsed.extension, thresholds: parsed.thresholds };
    if (before === undefined) start.push({ id, registered, entry });
    else if (!isDeepStrictEqual(before, registered)) changed.push({ id, registered, entry });
  }
  return { remove: hold ? [] : gone, start, update: changed, refused, held: hold ? gone : [] };
}

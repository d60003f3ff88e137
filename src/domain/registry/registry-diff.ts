// From what runs and what the registry says to what has to be done, as data; the supervisor does it, removals first.
//
// REGISTRY-DIFF-1. A snapshot is the whole registry: what it does not hold is removed. Changes concern the ids they name alone.
// REGISTRY-DIFF-2. Mass removal: an update that would remove more than half of 10 or more running extensions removes nothing until a
//     second reading agrees, or it is forced. Everything else of it is applied immediately.
// REGISTRY-DIFF-3. An entry that says what runs already makes no work.
// REGISTRY-DIFF-4. An extension that was deleted and inserted again is removed and started.
// REGISTRY-DIFF-5. An entry that cannot be read, or whose reading throws, affects no other: what runs of it goes on, and it is reported
//     and read again.
// REGISTRY-DIFF-6. A threshold that is written and has no effect is refused, so that it is reported to the operator.
import { isDeepStrictEqual } from 'node:util';
import { done, type Steps } from '../steps.js';
import { type Extension, isSameRow } from './extension.js';
import {
  PREDECESSOR_THRESHOLDS,
  type RegistryEntry,
  type RegistryUpdate,
  type ThresholdColumns,
} from './registry-rows.js';
import { parsingEntry, type RowProblem } from './registry-validation.js';
import type { SubjectRules } from './subject-rules.js';

/** An extension in force with what else the registry knows of it. */
export interface RegisteredExtension {
  /** null: its row is invalid and never was valid here; calls are refused with `row_invalid`. */
  readonly extension: Extension | null;
  readonly thresholds: ThresholdColumns | null;
  /** Threshold columns that count as not set, for they hold the predecessor's default; absent: none. */
  readonly defaultThresholds?: readonly (keyof ThresholdColumns)[];
}

export interface RegistryPlan {
  readonly remove: readonly string[];
  readonly start: readonly {
    readonly id: string;
    readonly registered: RegisteredExtension;
    /** null: it could not be read (REGISTRY-DIFF-5), and `registered` has no extension. */
    readonly entry: RegistryEntry | null;
  }[];
  readonly update: readonly {
    readonly id: string;
    readonly registered: RegisteredExtension;
    readonly entry: RegistryEntry;
  }[];
  readonly refused: readonly RowProblem[];
  /** Ids that have to be read again (REGISTRY-DIFF-5). */
  readonly failed: readonly string[];
  /** Ids whose removal is held back (REGISTRY-DIFF-2). */
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
  return done(diffingRegistry(running, update, rules, removable, new Set()));
}

/** As diffRegistry. `unsettled`: ids that get an update, whatever they say. */
export function* diffingRegistry(
  running: ReadonlyMap<string, RegisteredExtension>,
  update: RegistryUpdate,
  rules: SubjectRules,
  removable: ReadonlySet<string> | 'all',
  unsettled: ReadonlySet<string>,
): Steps<RegistryPlan> {
  const gone = yield* findingGone(running, update);
  const isMassRemoval = running.size >= MASS_REMOVAL_MINIMUM && gone.length > running.size / 2;
  const hold = isMassRemoval && removable !== 'all' && !gone.every((id) => removable.has(id));

  const remove = hold ? [] : gone;
  const start: RegistryPlan['start'][number][] = [];
  const changed: RegistryPlan['update'][number][] = [];
  const refused: RowProblem[] = [];
  const failed: string[] = [];
  const fail = (id: string, what: string, error: string): void => {
    const revision = running.get(id)?.extension?.revision ?? 0;
    refused.push({ extensionId: id, revision, problems: [`${what}: ${error}`] });
    failed.push(id);
    if (!running.has(id)) start.push({ id, registered: { extension: null, thresholds: null }, entry: null });
  };
  for (const { id, error } of update.unreadable ?? []) fail(id, 'the database cannot hand over its rows', error);
  for (const entry of update.entries) {
    const id = entry.extension.id;
    const known = running.get(id);
    const isOther = known !== undefined && !isSameRow(known.extension ?? {}, entry.extension);
    const before = isOther ? undefined : known;
    try {
      const parsed = yield* parsingEntry(entry, rules, before?.extension ?? null);
      refused.push(...parsed.refused);
      const { defaultThresholds = [] } = entry;
      const registered = {
        extension: parsed.extension,
        thresholds: parsed.thresholds,
        ...(defaultThresholds.length === 0 ? {} : { defaultThresholds }),
      };
      refused.push(...thresholdsWithoutEffect(entry, before, registered));
      // REGISTRY-DIFF-4.
      if (isOther) remove.push(id);
      if (before === undefined) start.push({ id, registered, entry });
      else if (unsettled.has(id) || !isSameRegistered(before, registered)) changed.push({ id, registered, entry });
    } catch (error) {
      fail(id, 'its rows cannot be read', String(error));
    }
    yield;
  }
  return { remove, start, update: changed, refused, failed, held: hold ? gone : [] };
}

function* findingGone(running: ReadonlyMap<string, RegisteredExtension>, update: RegistryUpdate): Steps<string[]> {
  if (update.kind === 'changes') return update.removedIds.filter((id) => running.has(id));
  const named = new Set<string>();
  for (const { extension } of update.entries) {
    named.add(extension.id);
    yield;
  }
  for (const { id } of update.unreadable ?? []) named.add(id);
  const gone: string[] = [];
  for (const id of running.keys()) {
    if (!named.has(id)) gone.push(id);
    yield;
  }
  return gone;
}

/** What was parsed after the other is the same object if its content is the same. */
const isSameRegistered = (a: RegisteredExtension, b: RegisteredExtension): boolean =>
  a.extension === b.extension &&
  isDeepStrictEqual(a.thresholds, b.thresholds) &&
  isDeepStrictEqual(a.defaultThresholds ?? [], b.defaultThresholds ?? []);

/** REGISTRY-DIFF-6. Only if a change of the column made it so: a predecessor's rows are full of them. */
function thresholdsWithoutEffect(
  entry: RegistryEntry,
  before: RegisteredExtension | undefined,
  now: RegisteredExtension,
): RowProblem[] {
  if (before === undefined) return [];
  const { defaultThresholds: known = [], thresholds: columnsBefore } = before;
  const { defaultThresholds = [], thresholds: columns, extension } = now;
  const breaker = extension?.policy.breaker ?? {};
  const defaults = defaultThresholds
    .filter((name) => !known.includes(name))
    .map(
      (name) =>
        `extension_health: ${name} ${PREDECESSOR_THRESHOLDS[name]} is the default of the predecessor and counts as not set: set policy.breaker.${name} instead`,
    );
  const overridden = (Object.keys(PREDECESSOR_THRESHOLDS) as (keyof ThresholdColumns)[])
    .filter((name) => {
      const value = columns?.[name] ?? null;
      const isNew = value !== null && value !== (columnsBefore?.[name] ?? null);
      return isNew && breaker[name] !== undefined && breaker[name] !== value;
    })
    .map(
      (name) =>
        `extension_health: ${name} ${columns?.[name]} has no effect, because policy.breaker.${name} is ${breaker[name]}: change that instead`,
    );
  const problems = [...defaults, ...overridden];
  return problems.length === 0
    ? []
    : [{ extensionId: entry.extension.id, revision: entry.extension.revision, problems }];
}

// From what the registry holds and what a file says to what has to be written, as data.
//
// REGISTRY-FILE-DIFF-1. A row or field that the file does not name is left alone; if it creates a row, the field gets its default.
// REGISTRY-FILE-DIFF-2. Pruning makes the file the whole truth: rows that it lacks are deleted, fields that it lacks get their default.
// REGISTRY-FILE-DIFF-3. What is the same makes no change, so an import that is repeated writes nothing.
import { isSameJson, type Json } from '../exact-json.js';
import { byName, type FileRow } from './registry-file.js';
import { defaultOf, ROW_FIELDS, type RowKind } from './registry-file-schema.js';

/** A row as the registry has it, in a file's terms, with every field. */
export interface StoredRow extends FileRow {
  readonly revision: number;
}

interface FieldChange {
  readonly old: Json;
  readonly new: Json;
}

export interface Named {
  readonly kind: RowKind;
  readonly extensionId: string;
  readonly name: string;
}

export type RowChange = Named &
  (
    | { readonly action: 'create'; readonly fields: Readonly<Record<string, Json>> }
    | { readonly action: 'change'; readonly fields: Readonly<Record<string, FieldChange>>; readonly revision: number }
    | { readonly action: 'delete'; readonly revision: number }
  );

export interface FileDiff {
  /** In order of names. */
  readonly changes: readonly RowChange[];
  /** Rows that the file names and that are as it says. */
  readonly unchanged: number;
}

/** Of so many rows of a kind, more than half are not pruned without force. */
const MASS_PRUNE_MINIMUM = 10;

export const keyOf = ({ kind, extensionId, name }: Named): string => JSON.stringify([kind, extensionId, name]);

export function diffRegistryFile(
  stored: readonly StoredRow[],
  wanted: readonly FileRow[],
  { prune }: { readonly prune: boolean },
): FileDiff {
  const before = new Map(stored.map((row) => [keyOf(row), row]));
  const named = new Set(wanted.map(keyOf));
  const changes: RowChange[] = [];
  for (const row of [...wanted].sort(byName)) {
    const change = changeOf(before.get(keyOf(row)), row, prune);
    if (change !== null) changes.push(change);
  }
  const unchanged = wanted.length - changes.length;
  if (prune)
    for (const row of stored) {
      if (named.has(keyOf(row))) continue;
      const { kind, extensionId, name, revision } = row;
      changes.push({ action: 'delete', kind, extensionId, name, revision });
    }
  return { changes: changes.sort((a, b) => byName({ ...a, fields: {} }, { ...b, fields: {} })), unchanged };
}

/** What a prune would remove too much of, as a sentence; null if it does not. */
export function massPruneProblem(stored: readonly StoredRow[], { changes }: FileDiff): string | null {
  for (const kind of ['extension', 'version', 'instance'] as const) {
    const all = stored.filter((row) => row.kind === kind).length;
    const gone = changes.filter((change) => change.kind === kind && change.action === 'delete').length;
    if (all >= MASS_PRUNE_MINIMUM && gone > all / 2) return `this would delete ${gone} of ${all} ${kind}s`;
  }
  return null;
}

function changeOf(before: StoredRow | undefined, row: FileRow, prune: boolean): RowChange | null {
  const { kind, extensionId, name } = row;
  const said = (field: string): Json | undefined => row.fields[field];
  const fields = Object.keys(ROW_FIELDS[kind]);
  if (before === undefined) {
    const all = fields.map((field) => [field, said(field) ?? defaultOf(kind, field) ?? null]);
    return { action: 'create', kind, extensionId, name, fields: Object.fromEntries(all) };
  }
  const changed = fields.flatMap((field): [string, FieldChange][] => {
    const old = before.fields[field] ?? null;
    const byDefault = defaultOf(kind, field);
    // REGISTRY-FILE-3: null says the default, which is not the same as saying nothing.
    const wanted = said(field) === null ? (byDefault ?? null) : (said(field) ?? (prune ? byDefault : undefined));
    return wanted === undefined || isSameJson(old, wanted) ? [] : [[field, { old, new: wanted }]];
  });
  if (changed.length === 0) return null;
  return { action: 'change', kind, extensionId, name, fields: Object.fromEntries(changed), revision: before.revision };
}

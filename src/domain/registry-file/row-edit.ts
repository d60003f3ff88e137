// One row of the registry, edited: from what a request says and what the registry holds to what has to be written, or what is wrong.
//
// ROW-EDIT-1. A row is judged as the daemon would judge it, with the other rows of its extension: every problem is reported, with the JSON
//     pointer of the member that it concerns.
// ROW-EDIT-2. What is wrong with other rows already does not stop an edit; what the edit makes wrong with them does.
// ROW-EDIT-3. `replace` gives what it leaves out its default. `merge` is RFC 7396: what it leaves out stays, null takes a member away. `set`
//     replaces the fields that it names as wholes, and leaves the others.
import { isJsonMap, type Json, type JsonMap } from '../exact-json.js';
import type { SubjectRules } from '../registry/subject-rules.js';
import { parseRegistryFile, pathText, registryFile } from './registry-file.js';
import { conflictsWithStored } from './registry-file-conflicts.js';
import { diffRegistryFile, keyOf, type Named, type RowChange, type StoredRow } from './registry-file-diff.js';
import { defaultOf, ROW_FIELDS, type RowKind } from './registry-file-schema.js';

export interface RowEdit extends Named {
  readonly how: 'create' | 'replace' | 'merge' | 'set';
  readonly fields: JsonMap;
}

export interface EditProblem {
  /** RFC 6901; '' for the row as a whole. */
  readonly pointer: string;
  readonly message: string;
}

/** `change` null: the row is so already. */
type EditResult = { readonly change: RowChange | null } | { readonly problems: readonly EditProblem[] };

/**
 * `stored`: every row of the extension, and of others at least `type` and `policy` of those that have a fallback. The row itself must be
 * among them if it is merged or set, and must not be if it is created.
 */
export function editRow(stored: readonly StoredRow[], edit: RowEdit, rules: SubjectRules): EditResult {
  const { kind, extensionId, name } = edit;
  const before = stored.find((row) => keyOf(row) === keyOf(edit));
  const unknown = Object.keys(edit.fields).filter((field) => ROW_FIELDS[kind][field] === undefined);
  if (unknown.length > 0)
    return {
      problems: unknown.map((field) => ({
        pointer: pointerOf([field]),
        message: `the ${kind} has no field ${JSON.stringify(field)}; it takes ${Object.keys(ROW_FIELDS[kind]).join(', ')}`,
      })),
    };
  const fields = wantedFields(edit, before);
  const problems = problemsOf(stored, { kind, extensionId, name, fields }, rules);
  if (problems.length > 0) return { problems };
  const own = before === undefined ? [] : [before];
  const diff = diffRegistryFile(own, [{ kind, extensionId, name, fields }], { prune: false });
  const conflicts = conflictsWithStored(stored, diff);
  if (conflicts.length > 0)
    return { problems: conflicts.map((conflict) => ({ pointer: '', message: withoutPath(conflict) })) };
  return { change: diff.changes[0] ?? null };
}

/** ROW-EDIT-3. */
function wantedFields({ kind, how, fields }: RowEdit, before: StoredRow | undefined): JsonMap {
  const given = (field: string): Json | undefined => {
    const said = fields[field];
    if (how === 'create' || how === 'replace') return said;
    if (said === null) return defaultOf(kind, field) ?? null;
    if (said === undefined) return before?.fields[field];
    return how === 'set' ? said : mergePatch(before?.fields[field] ?? null, said);
  };
  const all = Object.keys(ROW_FIELDS[kind]).map((field) => [field, given(field) ?? defaultOf(kind, field)]);
  return Object.fromEntries(all.filter(([, value]) => value !== undefined));
}

/** RFC 7396. */
export function mergePatch(target: Json, patch: Json): Json {
  if (!isJsonMap(patch)) return patch;
  const merged = new Map(Object.entries(isJsonMap(target) ? target : {}));
  for (const [key, value] of Object.entries(patch))
    if (value === null) merged.delete(key);
    else merged.set(key, mergePatch(merged.get(key) ?? null, value as Json));
  return Object.fromEntries(merged);
}

/** ROW-EDIT-1, ROW-EDIT-2. */
function problemsOf(
  stored: readonly StoredRow[],
  row: Named & { readonly fields: JsonMap },
  rules: SubjectRules,
): EditProblem[] {
  const rows = stored.filter((one) => one.extensionId === row.extensionId);
  const others = rows.filter((one) => keyOf(one) !== keyOf(row));
  const known = new Set(fileProblems(rows, rules));
  const path = pathOf(row.kind, row.extensionId, row.name);
  return fileProblems([...others, row], rules).flatMap((text) => {
    const own = ownProblem(text, path, row.kind);
    if (own !== null) return [own];
    return known.has(text) ? [] : [{ pointer: '', message: withoutPath(text) }];
  });
}

function fileProblems(rows: readonly (Named & { readonly fields: JsonMap })[], rules: SubjectRules): readonly string[] {
  const parsed = parseRegistryFile(registryFile(rows), rules);
  return 'problems' in parsed ? parsed.problems : [];
}

const pathOf = (kind: RowKind, extensionId: string, name: string): string =>
  pathText(['extensions', extensionId, ...(kind === 'extension' ? [] : [`${kind}s`, name])]);

/** null: it is of another row. */
function ownProblem(text: string, path: string, kind: RowKind): EditProblem | null {
  if (text.startsWith(`${path} `)) return { pointer: '', message: `it ${text.slice(path.length + 1)}` };
  if (!text.startsWith(`${path}.`)) return null;
  const message = text.slice(path.length + 1);
  const parts = partsOf(message);
  return kind === 'extension' && ['versions', 'instances'].includes(parts[0] ?? '')
    ? null
    : { pointer: pointerOf(parts), message };
}

/** Parts of the path that a problem begins with (pathText of registry-file.ts). */
function partsOf(message: string): string[] {
  const parts: string[] = [];
  const part = /"(?:[^"\\]|\\.)*"|[A-Za-z0-9_:-]+/y;
  for (;;) {
    const [found] = part.exec(message) ?? [];
    if (found === undefined) return parts;
    parts.push(found.startsWith('"') ? (JSON.parse(found) as string) : found);
    if (message[part.lastIndex] !== '.') return parts;
    part.lastIndex += 1;
  }
}

const pointerOf = (parts: readonly string[]): string =>
  parts.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** `extensions.a.versions.v2 …` names the file that a request does not have. */
const withoutPath = (text: string): string =>
  text.replace(/^extensions\./, '').replace('that the file leaves alone', 'that stay');

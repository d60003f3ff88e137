// What a row of the audit trail changed: from its old and new values to a short list of members.
//
// AUDIT-CHANGES-1. Objects are compared member by member, everything else as a whole; numbers by value (EXACT-JSON-3).
// AUDIT-CHANGES-2. What a row says of itself with every change (revision, times, ids) is no change.
// AUDIT-CHANGES-3. The list is bounded: MAX_CHANGES changes, each value MAX_CHARACTERS as JSON. `isCut` says that something is left out.
// AUDIT-CHANGES-4. `config` is not shown to a viewer: that it changed is.
import { isJsonMap, isSameJson, type Json, type JsonMap, stringifyExactJson } from '../exact-json.js';

interface AuditChange {
  /** JSON pointer (RFC 6901). */
  readonly path: string;
  /** null also where there was nothing; a text that ends in `…` where the value is too long. */
  readonly from: Json;
  readonly to: Json;
}

interface HiddenChange {
  readonly path: '/config';
  readonly hidden: true;
}

interface AuditChanges {
  readonly changes: readonly (AuditChange | HiddenChange)[];
  /** AUDIT-CHANGES-3. */
  readonly isCut: boolean;
}

export const MAX_CHANGES = 100;
export const MAX_CHARACTERS = 1000;
/** Deeper members are compared as wholes. */
const MAX_DEPTH = 16;
/** AUDIT-CHANGES-2. */
const BOOKKEEPING = [
  'revision',
  'uid',
  'policy_uid',
  'created_at',
  'created_by',
  'updated_at',
  'updated_by',
  'last_health_check',
  'health_report',
];
/** They name the row. */
const NAMES = ['id', 'extension_id', 'instance_id'];

/** null: the row was not there, or is not any more. `hidesConfig`: AUDIT-CHANGES-4. */
export function auditChanges(before: Json, after: Json, hidesConfig: boolean): AuditChanges {
  const [was, is] = [before, after].map((values) => (isJsonMap(values) ? values : {})) as [JsonMap, JsonMap];
  const found: (AuditChange | HiddenChange)[] = [];
  let isCut = false;
  const names = [...new Set([...Object.keys(was), ...Object.keys(is)])];
  for (const name of names) {
    if (BOOKKEEPING.includes(name) || NAMES.includes(name)) continue;
    const [from, to] = [memberOf(was, name), memberOf(is, name)];
    if (name === 'config' && hidesConfig) {
      if (!isSameJson(from, to)) found.push({ path: '/config', hidden: true });
      continue;
    }
    for (const change of compared(pointerTo('', name), from, to, 1)) {
      if (found.length === MAX_CHANGES) return { changes: found, isCut: true };
      const short = { path: change.path, from: shortened(change.from), to: shortened(change.to) };
      isCut ||= short.from !== change.from || short.to !== change.to;
      found.push(short);
    }
  }
  return { changes: found, isCut };
}

const pointerTo = (path: string, name: string): string => `${path}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;

/** AUDIT-CHANGES-1. */
function* compared(path: string, from: Json, to: Json, depth: number): Generator<AuditChange> {
  if (isJsonMap(from) && isJsonMap(to) && depth < MAX_DEPTH) {
    const names = new Set([...Object.keys(from), ...Object.keys(to)]);
    for (const name of names)
      yield* compared(pointerTo(path, name), memberOf(from, name), memberOf(to, name), depth + 1);
  } else if (!isSameJson(from, to)) yield { path, from, to };
}

const memberOf = (map: JsonMap, name: string): Json => (Object.hasOwn(map, name) ? (map[name] ?? null) : null);

function shortened(value: Json): Json {
  const text = stringifyExactJson(value);
  return text.length <= MAX_CHARACTERS ? value : `${text.slice(0, MAX_CHARACTERS)}…`;
}

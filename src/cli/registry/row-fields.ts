// Fields of a row on the command line: `timeout_ms=800 policy.breaker.failure_threshold=3`.
//
// ROW-FIELDS-1. A value is JSON if it can be read as such, with every digit of its numbers, and a text if not: `subject=ext.a`, `enabled=false`,
//     `config={"n":1}`; `version="2"` is the text 2.
// ROW-FIELDS-2. A dot in a name leads into a field; what a field holds elsewhere stays.
import { fieldText, isJsonMap, isSameJson, type Json, type JsonMap, parseExactJson } from '../../domain/exact-json.js';
import type { FieldChange } from '../output/row-text.js';
import { CommandError, EXIT } from '../process/command-error.js';

const MAX_DEPTH = 100;

/** `assignments`: each `<name>=<value>`. Throws wrong usage. */
export function withFields(row: JsonMap, assignments: readonly string[]): JsonMap {
  let changed = row;
  for (const assignment of assignments) {
    const at = assignment.indexOf('=');
    if (at < 1) throw wrong(`expected <field>=<value>, got '${assignment}'`);
    changed = replaced(changed, pathOf(assignment.slice(0, at)), fieldValue(assignment.slice(at + 1)));
  }
  return changed;
}

export function withoutFields(row: JsonMap, names: readonly string[]): JsonMap {
  let changed = row;
  for (const name of names) {
    if (name.includes('=')) throw wrong(`expected the name of a field, got '${name}'`);
    changed = replaced(changed, pathOf(name), undefined);
  }
  return changed;
}

/** What differs, in the order of the row after it. */
export function changesBetween(before: JsonMap, after: JsonMap, prefix = ''): FieldChange[] {
  const names = [...new Set([...Object.keys(after), ...Object.keys(before)])];
  return names.flatMap((name) => {
    const [old, now] = [memberOf(before, name), memberOf(after, name)];
    if (old !== undefined && now !== undefined && isSameJson(old, now)) return [];
    if (isJsonMap(old) && isJsonMap(now)) return changesBetween(old, now, `${prefix}${name}.`);
    return [{ name: `${prefix}${name}`, from: fieldText(old), to: fieldText(now) }];
  });
}

/** `__proto__` is a name like any other. */
const memberOf = (row: JsonMap, name: string): Json | undefined => (Object.hasOwn(row, name) ? row[name] : undefined);

function pathOf(name: string): string[] {
  const path = name.split('.');
  if (path.includes('')) throw wrong(`expected the name of a field, such as policy.max_in_flight, got '${name}'`);
  return path;
}

/** ROW-FIELDS-1. */
function fieldValue(text: string): Json {
  try {
    return parseExactJson(text, MAX_DEPTH);
  } catch {
    return text;
  }
}

/** ROW-FIELDS-2. `value` undefined: the member goes. */
function replaced(row: JsonMap, [name = '', ...path]: readonly string[], value: Json | undefined): JsonMap {
  const members = new Map(Object.entries(row));
  const old = members.get(name);
  if (path.length > 0) {
    if (!isJsonMap(old) && value === undefined) return row;
    members.set(name, replaced(isJsonMap(old) ? old : {}, path, value));
  } else if (value === undefined) members.delete(name);
  else members.set(name, value);
  return Object.fromEntries(members);
}

const wrong = (message: string): CommandError => new CommandError(EXIT.usage, message);

// Changes of the registry as text and as JSON.
import { type Json, type JsonMap, stringifyExactJson } from '../../domain/exact-json.js';
import type { RowChange } from '../../domain/registry-file/registry-file-diff.js';
import { defaultOf } from '../../domain/registry-file/registry-file-schema.js';

const MAX_SHOWN = 120;

/** One line for the row, one for each field that is not what it would be anyway. */
export function changeLines(change: RowChange): string[] {
  const { action, kind, extensionId, name } = change;
  const head = `${action} ${kind} ${kind === 'extension' ? shown(extensionId) : `${shown(name)} of ${shown(extensionId)}`}`;
  if (change.action === 'delete') return [head];
  if (change.action === 'create')
    return [
      head,
      ...Object.entries(change.fields)
        .filter(([field, value]) => stringifyExactJson(value) !== stringifyExactJson(defaultOf(kind, field) ?? null))
        .map(([field, value]) => `  ${field}: ${shown(value)}`),
    ];
  return [
    head,
    ...Object.entries(change.fields).map(([field, { old, new: next }]) => `  ${field}: ${shown(old)} → ${shown(next)}`),
  ];
}

export function changesForPrograms(changes: readonly RowChange[]): Json {
  return changes.map((change): JsonMap => {
    const { action, kind, extensionId, name } = change;
    const row = { action, kind, extension_id: extensionId, ...(kind === 'extension' ? {} : { [kind]: name }) };
    if (change.action === 'delete') return row;
    if (change.action === 'create') return { ...row, fields: change.fields };
    const fields = Object.entries(change.fields).map(([field, { old, new: next }]) => [field, { old, new: next }]);
    return { ...row, fields: Object.fromEntries(fields) };
  });
}

function shown(value: Json): string {
  const text = typeof value === 'string' && /^[\w.:/-]+$/.test(value) ? value : stringifyExactJson(value);
  return text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text;
}

// A page of the audit trail as it is shown.
import { type Static, type TSchema, Type } from '#typebox';
import {
  isJsonMap,
  type Json,
  type JsonMap,
  JsonSyntaxError,
  parseExactJson,
  stringifyExactJson,
} from '../exact-json.js';
import { listOf, orNull } from './answer-schema.js';
import { auditChanges, MAX_CHANGES, MAX_CHARACTERS } from './audit-changes.js';
import type { AuditPosition } from './audit-query.js';

const anyJson: TSchema = Type.Unknown();
const changeSchema = Type.Object({
  path: Type.String({ description: 'JSON pointer into the row.' }),
  from: Type.Optional(anyJson),
  to: Type.Optional(anyJson),
  hidden: Type.Optional(Type.Boolean({ description: '`config` changed, which is shown from the role operator on.' })),
});

const itemSchema = Type.Object({
  id: Type.String({ format: 'uuid' }),
  changed_at: Type.String({ format: 'date-time' }),
  changed_by: orNull<string>('string', { description: 'The actor.' }),
  extension_id: Type.String({ description: '`_`: no single extension.' }),
  version: orNull<string>('string', { description: 'Of the row of a version, or what a fact is about.' }),
  instance_id: orNull<string>('string', { description: 'Likewise of an instance.' }),
  action: Type.String(),
  reason: orNull<string>('string'),
  registry_revision: orNull<number>('number', {
    description: 'Of the registry after it; null: a fact that is no change of the registry.',
  }),
  revision: orNull<number>('number', { description: 'Of the row after it; null where it was deleted, or is none.' }),
  changes: listOf(changeSchema),
  cut: Type.Boolean({
    description: `True: not all is in \`changes\`: values beyond ${MAX_CHARACTERS} characters are cut, and at most ${MAX_CHANGES} changes are there.`,
  }),
});

export type AuditPageAnswer = Static<typeof auditPageSchema>;
/** One row of it. */
export type AuditItem = Static<typeof itemSchema>;
export const auditPageSchema = Type.Object({
  items: listOf(itemSchema, { description: 'Newest first.' }),
  next: orNull<string>('string', { description: 'For `after`, to get the next page; null: there is none.' }),
});

/** A row of the trail as it is read for a page. */
export interface AuditRow extends AuditPosition {
  readonly extension_id: string;
  readonly action: string;
  /** JSON; null if there are none. */
  readonly old_values: string | null;
  readonly new_values: string | null;
  /** The values are too large to be read with a page: both are null here. */
  readonly is_too_large: boolean;
  readonly changed_by: string | null;
  readonly reason: string | null;
  /** Of the registry; null for a fact that is no change of it. */
  readonly revision: number | null;
}

const MAX_DEPTH = 200;
/** A part of the text is what so many characters of values make, or is so long. */
const PART_CHARACTERS = 32_768;
const PART_VALUES = 131_072;

/** JSON by auditPageSchema, in parts that are made when they are asked for. */
export function* auditPageParts(
  rows: readonly AuditRow[],
  next: string | null,
  hidesConfig: boolean,
): Generator<string> {
  let part = '{"items":[';
  let values = 0;
  for (const [i, row] of rows.entries()) {
    part += `${i === 0 ? '' : ','}${stringifyExactJson(itemOf(row, hidesConfig))}`;
    values += (row.old_values?.length ?? 0) + (row.new_values?.length ?? 0);
    if (part.length < PART_CHARACTERS && values < PART_VALUES) continue;
    yield part;
    part = '';
    values = 0;
  }
  yield `${part}],"next":${JSON.stringify(next)}}`;
}

function itemOf(row: AuditRow, hidesConfig: boolean): JsonMap {
  const before = parsed(row.old_values);
  const after = parsed(row.new_values);
  const isCut = row.is_too_large || before === undefined || after === undefined;
  const found = isCut ? { changes: [], isCut } : auditChanges(before, after, hidesConfig);
  const values = [after, before].find(isJsonMap) ?? {};
  const kind = /^(version|instance)_/.exec(row.action)?.[1];
  const isFact = row.revision === null;
  return {
    id: row.id,
    changed_at: row.at,
    changed_by: row.changed_by,
    extension_id: row.extension_id,
    version: isFact || kind === 'version' ? textIn(values, 'version') : null,
    instance_id: isFact || kind === 'instance' ? textIn(values, 'instance_id') : null,
    action: row.action,
    reason: row.reason,
    registry_revision: row.revision,
    revision: isJsonMap(after) && typeof after.revision === 'number' && !isFact ? after.revision : null,
    changes: found.changes as unknown as Json,
    cut: found.isCut,
  };
}

/** undefined: nested more deeply than is read here. */
function parsed(text: string | null): Json | undefined {
  if (text === null) return null;
  try {
    return parseExactJson(text, MAX_DEPTH);
  } catch (error) {
    if (error instanceof JsonSyntaxError) return undefined;
    throw error;
  }
}

const textIn = (values: JsonMap, name: string): string | null => {
  const value = values[name];
  return typeof value === 'string' ? value : null;
};

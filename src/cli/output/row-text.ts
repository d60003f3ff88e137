// Rows of the registry as tables.
import { fieldText, isJsonMap, type Json, type JsonMap } from '../../domain/exact-json.js';
import { textTable } from './output.js';
import type { Style } from './style.js';
import { singleLine } from './terminal-text.js';

export interface FieldChange {
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

export const rowText = (row: JsonMap, style: Style): string =>
  textTable(
    ['FIELD', 'VALUE'],
    Object.entries(row).map(([name, value]) => [name, name === 'refused' ? whyRefused(value) : fieldText(value)]),
    style,
  );

/** `{since, problems}` in one line; as other fields if it is none. */
function whyRefused(refused: Json | undefined): string {
  if (!isJsonMap(refused) || !Array.isArray(refused.problems)) return fieldText(refused);
  return `since ${fieldText(refused.since)}: ${refused.problems.map((problem) => fieldText(problem)).join('; ')}`;
}

/** Below their table: why rows are not in force. */
const refusedLines = (items: readonly JsonMap[], name: string): string =>
  items
    .flatMap((row) =>
      isJsonMap(row.refused)
        ? [`${singleLine(`${fieldText(row[name])} is refused ${whyRefused(row.refused)}`)}\n`]
        : [],
    )
    .join('');

const cell = (value: Json | undefined): string => (value === null || value === undefined ? '-' : fieldText(value));

export const versionsText = (items: readonly JsonMap[], style: Style): string =>
  textTable(
    ['VERSION', 'ENABLED', 'SUBJECT', 'TIMEOUT ms', 'PERCENT', 'RULES', 'REVISION', 'IN FORCE'],
    items.map((row) => [
      ...[row.version, row.enabled, row.subject, row.timeout_ms, row.rollout_percent, row.routing_rules].map(cell),
      ...[row.revision, row.in_force].map(cell),
    ]),
    style,
  ) + refusedLines(items, 'version');

export const instancesText = (items: readonly JsonMap[], style: Style): string =>
  textTable(
    ['INSTANCE', 'ENABLED', 'SUBJECT', 'WEIGHT', 'VERSION', 'REVISION', 'IN FORCE'],
    items.map((row) =>
      [row.id, row.enabled, row.subject, row.weight, row.version, row.revision, row.in_force].map(cell),
    ),
    style,
  ) + refusedLines(items, 'id');

export const changesText = (changes: readonly FieldChange[], style: Style): string =>
  textTable(
    ['FIELD', 'FROM', 'TO'],
    changes.map(({ name, from, to }) => [name, from, to]),
    style,
  );

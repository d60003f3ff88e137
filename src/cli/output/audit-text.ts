// Rows of the audit trail, one line each: when, who, what, from → to, why.
import { type Evidence, failuresText } from './evidence-text.js';
import { textTable } from './output.js';
import type { Style } from './style.js';
import { clockText } from './times.js';

export interface AuditRow {
  readonly id: string;
  /** ISO 8601. */
  readonly changed_at: string;
  readonly extension_id: string;
  readonly version?: string | null;
  readonly instance_id?: string | null;
  readonly action: string;
  readonly changed_by: string | null;
  readonly reason: string | null;
  /** Of the registry; null: a fact that is no change of a row. */
  readonly registry_revision: number | null;
  readonly changes: readonly { readonly path: string; readonly from?: unknown; readonly to?: unknown }[];
}

/** Newest first. */
export interface AuditPage {
  readonly items: readonly AuditRow[];
  readonly next: string | null;
}

const HEADER = ['WHEN', 'WHO', 'WHAT', 'CHANGE', 'WHY'];
const MAX_CHANGES = 3;
const MAX_VALUE = 40;

/** `withIds`: of several extensions. */
export function auditText(rows: readonly AuditRow[], style: Style, withIds = false): string {
  return textTable(
    withIds ? [...HEADER, 'ID'] : HEADER,
    rows.map((row) => [...auditCells(row), ...(withIds ? [row.extension_id] : [])]),
    style,
  );
}

/** When, who, what, change, why. */
const auditCells = (row: AuditRow): string[] => [
  clockText(row.changed_at),
  row.changed_by ?? '-',
  row.action,
  changeText(row),
  row.reason ?? '-',
];

/** A line of a trail that is followed: columns would need the rows that are still to come. */
export const auditLine = (row: AuditRow, withId: boolean): string =>
  [...auditCells(row), ...(withId ? [row.extension_id] : [])].join('  ');

function changeText({ changes: all, version, instance_id: instance }: AuditRow): string {
  const of = version ? `${version}: ` : instance ? `${instance}: ` : '';
  const evidence = evidenceOf(all);
  if (evidence !== null) return `${of}${failuresText(evidence)}`;
  // A fact about a version repeats its name.
  const changes = all.filter(({ path, to }) => path !== '/version' || to !== version);
  if (changes.length === 0) return of === '' ? '-' : of.slice(0, -2);
  const shown = changes
    .slice(0, MAX_CHANGES)
    .map(
      ({ path, from, to }) => `${path.replace(/^\//, '').replaceAll('/', '.')} ${valueText(from)} → ${valueText(to)}`,
    );
  const more = changes.length > MAX_CHANGES ? [`${changes.length - MAX_CHANGES} more`] : [];
  return `${of}${[...shown, ...more].join(', ')}`;
}

/** Of a breaker that opened; null: the row is about something else. */
function evidenceOf(changes: AuditRow['changes']): Evidence | null {
  const to = changes.find(({ path }) => path === '/evidence')?.to;
  return isEvidence(to) ? to : null;
}

const isEvidence = (value: unknown): value is Evidence =>
  typeof value === 'object' &&
  value !== null &&
  ['failures', 'outcomes', 'overdue', 'window_seconds'].every(
    (name) => typeof (value as Readonly<Record<string, unknown>>)[name] === 'number',
  );

function valueText(value: unknown): string {
  if (value === undefined || value === null) return '-';
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text;
}

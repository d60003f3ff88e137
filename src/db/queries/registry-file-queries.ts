// The registry as a file has it: every row read at one moment, and the difference written in one transaction.
//
// REGISTRY-FILE-QUERIES-1. All that is written is one transaction under one actor, or nothing is.
// REGISTRY-FILE-QUERIES-2. A row is changed or deleted only in the revision it was read in: a change in between is not overwritten.
// REGISTRY-FILE-QUERIES-3. Only columns that differ are written: writing `enabled`, even unchanged, would be an operator's decision.
// REGISTRY-FILE-QUERIES-4. Of thresholds every column is written, what the file does not name as null; a trigger records them (M23).
// REGISTRY-FILE-QUERIES-5. It waits for no lock longer than LOCK_TIMEOUT_MS: the error names the row and its holder.
import { sql } from '#drizzle-orm';
import {
  type Json,
  type JsonMap,
  parseExactJson,
  stringifyExactJson,
  withoutExactNumbers,
} from '../../domain/exact-json.js';
import { PREDECESSOR_THRESHOLDS, type ThresholdColumns } from '../../domain/registry/registry-rows.js';
import { isJsonField } from '../../domain/registry-file/registry-file.js';
import type { RowChange, StoredRow } from '../../domain/registry-file/registry-file-diff.js';
import { defaultOf, ROW_FIELDS, type RowKind } from '../../domain/registry-file/registry-file-schema.js';
import type { Database } from '../client.js';
import { AnswerLostError, isAnswerLost, sqlState } from '../database-errors.js';
import { inTransaction, resultsOf } from './transaction.js';

interface Table {
  readonly name: string;
  /** Column of the extension's id, and of the row's own name below it. */
  readonly key: readonly string[];
  readonly columns: readonly string[];
}

const NO_COLUMN = ['thresholds'];
const columnsOf = (kind: RowKind): string[] =>
  Object.keys(ROW_FIELDS[kind]).filter((field) => !NO_COLUMN.includes(field));

const TABLES: Readonly<Record<RowKind, Table>> = {
  extension: { name: 'extensions', key: ['id'], columns: columnsOf('extension') },
  version: { name: 'extension_versions', key: ['id', 'version'], columns: columnsOf('version') },
  instance: { name: 'extension_instances', key: ['extension_id', 'instance_id'], columns: columnsOf('instance') },
};

const THRESHOLD_COLUMNS: { readonly [K in keyof ThresholdColumns]: string } = {
  failure_threshold: 'circuit_breaker_failure_threshold',
  error_rate_threshold: 'circuit_breaker_error_rate_threshold',
  window_seconds: 'circuit_breaker_window_seconds',
  half_open_max_requests: 'half_open_max_requests',
};
const THRESHOLDS = Object.entries(THRESHOLD_COLUMNS) as [keyof ThresholdColumns, string][];

/** Everything but jsonb and text. */
const COLUMN_TYPES: Readonly<Record<string, string>> = {
  timeout_ms: 'integer',
  retry: 'integer',
  weight: 'integer',
  enabled: 'boolean',
  rollout_percent: 'numeric',
  revision: 'bigint',
};
const columnType = (column: string): string => COLUMN_TYPES[column] ?? (isJsonField(column) ? 'jsonb' : 'text');

/** Every row, read in one statement; of one extension if it is named. */
export async function readRegistryRows(db: Database, extensionId?: string): Promise<StoredRow[]> {
  const object = (alias: string, { key, columns }: Table, more: readonly string[] = []) =>
    `jsonb_build_object(${[...new Set([...key, ...columns, 'revision', ...more])].map((name) => `'${name}', ${alias}.${name}`).join(', ')})`;
  const thresholds = THRESHOLDS.map(([name, column]) => `'${name}', h.${column}`).join(', ');
  // As text: the driver would read numbers as doubles.
  const rows = await inTransaction<{ entry: string }>(
    db,
    { lock_timeout: String(LOCK_TIMEOUT_MS) },
    sql`${sql.raw(`
    select jsonb_build_object(
      'extension', ${object('e', TABLES.extension, ['auto_disabled'])},
      'versions', (select coalesce(jsonb_agg(${object('v', TABLES.version)}), '[]') from extension_versions as v where v.id = e.id),
      'instances', (
        select coalesce(jsonb_agg(${object('i', TABLES.instance)}), '[]') from extension_instances as i where i.extension_id = e.id),
      'thresholds', (select jsonb_build_object(${thresholds}) from extension_health as h where h.extension_id = e.id)
    )::text as entry
    from extensions as e`)} ${extensionId === undefined ? sql`` : sql`where e.id = ${extensionId}`}`,
  );
  return rows.flatMap(({ entry }) => {
    const { extension, versions, instances, thresholds } = parseExactJson(
      entry,
      Number.POSITIVE_INFINITY,
    ) as unknown as {
      extension: JsonMap;
      versions: readonly JsonMap[];
      instances: readonly JsonMap[];
      thresholds: JsonMap | null;
    };
    const own = {
      ...extension,
      // Disabled by the daemon, which will enable it again: no operator decided that.
      ...(extension.auto_disabled === true ? { enabled: true } : {}),
      thresholds: decidedThresholds(thresholds),
    };
    return [
      storedRow('extension', own),
      ...versions.map((row) => storedRow('version', row)),
      ...instances.map((row) => storedRow('instance', row)),
    ];
  });
}

/** The extensions that have a fallback, with their type and policy alone: for what an edit of another one makes of them. */
export async function readFallbackRows(db: Database): Promise<StoredRow[]> {
  const rows = await inTransaction<{ id: string; type: string; fallback: Json }>(
    db,
    { lock_timeout: String(LOCK_TIMEOUT_MS) },
    sql`select id, type, policy -> 'fallback' as fallback from extensions where policy -> 'fallback' is not null`,
  );
  return rows.map(({ id, type, fallback }) => ({
    ...{ kind: 'extension', extensionId: id, name: '', revision: 0 },
    fields: { type, policy: { fallback } },
  }));
}

function storedRow(kind: RowKind, row: JsonMap): StoredRow {
  const [id = '', name] = TABLES[kind].key.map((column) => String(row[column]));
  const fields = Object.keys(ROW_FIELDS[kind]).map((field) => {
    const value = row[field] ?? defaultOf(kind, field) ?? null;
    return [field, isJsonField(field) ? value : (withoutExactNumbers(value) as Json)];
  });
  return {
    kind,
    extensionId: id,
    name: name ?? '',
    fields: Object.fromEntries(fields),
    revision: Number(withoutExactNumbers(row.revision ?? 0)),
  };
}

function decidedThresholds(columns: JsonMap | null): JsonMap {
  const plain = withoutExactNumbers(columns ?? {}) as Readonly<Record<string, number | null>>;
  return Object.fromEntries(
    THRESHOLDS.flatMap(([name]) => {
      const value = plain[name] ?? null;
      return value === null || value === PREDECESSOR_THRESHOLDS[name] ? [] : [[name, value]];
    }),
  );
}

/** Short: an operator waits for the command. */
const LOCK_TIMEOUT_MS = 2000;
const CONFLICT = '40001';
/** Serialisation, deadlock, and rows that came or went meanwhile. */
const CONFLICTS = [CONFLICT, '40P01', '23505', '23503'];

/** REGISTRY-FILE-QUERIES-1, REGISTRY-FILE-QUERIES-2. `conflict`: the registry was changed since it was read, and nothing is written. */
export async function writeRegistryChanges(
  db: Database,
  changes: readonly RowChange[],
  { actor, reason }: { readonly actor: string; readonly reason: string },
): Promise<'written' | 'conflict'> {
  if (changes.length === 0) return 'written';
  const steps = stepsOf(changes, actor);
  const parts = stringifyExactJson(steps.map((step) => step.rows));
  const counted = steps.map(
    ({ statement, rows }, i) => `
      ${statement.replaceAll('$rows', `(parts -> ${i})`)};
      get diagnostics touched = row_count;
      if touched <> ${rows.length} then
        raise exception 'the registry was changed meanwhile' using errcode = '${CONFLICT}';
      end if;`,
  );
  const settings = {
    lock_timeout: String(LOCK_TIMEOUT_MS),
    'extreg.actor': actor,
    'extreg.reason': reason,
    'extreg.import': parts,
  };
  try {
    // The rows travel as a setting of the transaction.
    await resultsOf(
      db,
      settings,
      sql.raw(`do $extreg$
      declare
        parts constant jsonb := current_setting('extreg.import');
        touched bigint;
      begin ${counted.join('')}
      end $extreg$`),
    );
    return 'written';
  } catch (error) {
    if (CONFLICTS.includes(sqlState(error) ?? '')) return 'conflict';
    if (isAnswerLost(error)) throw new AnswerLostError(error);
    throw error;
  }
}

/** A statement over some rows, which it knows as `$rows`; it touches as many. */
interface Step {
  readonly statement: string;
  readonly rows: readonly JsonMap[];
}

/** Deletes first, children before parents; then what is new, parents first; then what changes. */
function stepsOf(changes: readonly RowChange[], actor: string): Step[] {
  const kinds: readonly RowKind[] = ['extension', 'version', 'instance'];
  const of = <A extends RowChange['action']>(kind: RowKind, action: A) =>
    changes.filter((change): change is RowChange & { action: A } => change.kind === kind && change.action === action);
  const steps = [
    ...[...kinds].reverse().map((kind) => deleteStep(kind, of(kind, 'delete'))),
    ...kinds.map((kind) => insertStep(kind, of(kind, 'create'), actor)),
    ...kinds.flatMap((kind) => updateSteps(kind, of(kind, 'change'), actor)),
    ...thresholdSteps(changes),
  ];
  return steps.filter((step) => step.rows.length > 0);
}

function keyOf({ kind, extensionId, name }: RowChange): JsonMap {
  const [id = '', own] = TABLES[kind].key;
  return own === undefined ? { [id]: extensionId } : { [id]: extensionId, [own]: name };
}

const recordset = (columns: readonly string[]): string =>
  `jsonb_to_recordset($rows) as x(${columns.map((name) => `${name} ${columnType(name)}`).join(', ')})`;

const sameRow = (key: readonly string[]): string =>
  [...key, 'revision'].map((name) => `t.${name} = x.${name}`).join(' and ');

function deleteStep(kind: RowKind, changes: readonly (RowChange & { action: 'delete' })[]): Step {
  const { name, key } = TABLES[kind];
  return {
    statement: `delete from ${name} as t using ${recordset([...key, 'revision'])} where ${sameRow(key)}`,
    rows: changes.map((change) => ({ ...keyOf(change), revision: change.revision })),
  };
}

function insertStep(kind: RowKind, changes: readonly (RowChange & { action: 'create' })[], actor: string): Step {
  const { name, key, columns } = TABLES[kind];
  const made = kind === 'extension' ? ['created_by', 'updated_by'] : [];
  const all = [...new Set([...key, ...columns, ...made])];
  return {
    statement: `insert into ${name} (${all.join(', ')}) select ${all.map((column) => `x.${column}`).join(', ')} from ${recordset(all)}`,
    rows: changes.map((change) => ({
      ...change.fields,
      ...keyOf(change),
      ...(kind === 'extension' ? { created_by: actor, updated_by: actor } : {}),
    })),
  };
}

/** REGISTRY-FILE-QUERIES-3: a statement for each set of columns that some rows have in common. */
function updateSteps(kind: RowKind, changes: readonly (RowChange & { action: 'change' })[], actor: string): Step[] {
  const { name, key, columns } = TABLES[kind];
  const byColumns = new Map<string, { columns: readonly string[]; rows: JsonMap[] }>();
  for (const change of changes) {
    const changed = columns.filter((column) => change.fields[column] !== undefined);
    if (changed.length === 0) continue;
    const group = byColumns.get(changed.join()) ?? { columns: changed, rows: [] };
    byColumns.set(changed.join(), group);
    const values = changed.map((column) => [column, change.fields[column]?.new ?? null]);
    group.rows.push({ ...Object.fromEntries(values), ...keyOf(change), revision: change.revision, updated_by: actor });
  }
  return [...byColumns.values()].map(({ columns: changed, rows }) => {
    const written = kind === 'extension' ? [...changed, 'updated_by'] : changed;
    return {
      statement: `update ${name} as t set ${written.map((column) => `${column} = x.${column}`).join(', ')}
        from ${recordset([...key, ...written, 'revision'])} where ${sameRow(key)}`,
      rows,
    };
  });
}

/** REGISTRY-FILE-QUERIES-4. */
function thresholdSteps(changes: readonly RowChange[]): Step[] {
  const rows = changes.flatMap((change): JsonMap[] => {
    if (change.kind !== 'extension' || change.action === 'delete') return [];
    const next = change.action === 'create' ? change.fields.thresholds : change.fields.thresholds?.new;
    if (next === undefined || (change.action === 'create' && Object.keys(next as JsonMap).length === 0)) return [];
    const values = THRESHOLDS.map(([name, column]) => [column, (next as JsonMap)[name] ?? null]);
    return [{ id: change.extensionId, columns: Object.fromEntries(values) }];
  });
  const columns = THRESHOLDS.map(([, column]) => column);
  const record = 'jsonb_to_recordset($rows) as x(id text, columns jsonb)';
  const value = (column: string) =>
    `(x.columns ->> '${column}')::${column === THRESHOLD_COLUMNS.error_rate_threshold ? 'numeric' : 'integer'}`;
  return [
    {
      statement: `insert into extension_health (extension_id, ${columns.join(', ')}) select x.id, ${columns.map(value).join(', ')} from ${record}
        on conflict (extension_id) do update set ${columns.map((column) => `${column} = excluded.${column}`).join(', ')}`,
      rows,
    },
  ];
}

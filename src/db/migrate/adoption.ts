// Whether the tables that a database has already can be taken over: what they lack is completed, or named before anything is
// written.
//
// ADOPTION-1. All that is wrong is named together, and then nothing is written.
// ADOPTION-2. What can be completed without losing a value is: a column with a default, a longer text, a larger integer, a null.
// ADOPTION-3. What a later migration adds is left to that migration.
// ADOPTION-4. Everything that the daemon writes fits: a column that is too narrow for it is widened, a check on one column that refuses one
//     of its words is dropped, and what would refuse its rows in another way is named.
import { getTableColumns, getTableName, is, SQL, sql } from '#drizzle-orm';
import { getTableConfig, type PgColumn, type PgTable } from '#drizzle-orm/pg-core';
import { HEALTH_STATUSES } from '../../domain/registry/extension.js';
import type { Database } from '../client.js';
import * as schema from '../schema.js';
import { AdoptionError } from './version-errors.js';

interface Expected {
  readonly table: PgTable;
  /** Columns of the first schema, by which a row is known or without which it means nothing. */
  readonly essential: readonly string[];
  /** The other columns of the first schema; those that are in neither list came later (ADOPTION-3). */
  readonly base: readonly string[];
  readonly key: readonly string[];
  /** The daemon or its triggers insert rows: a column that they do not know must have a default. */
  readonly isWritten: boolean;
  /** Columns that the daemon updates in rows that others insert. */
  readonly updated?: readonly string[];
}

const CALL = ['timeout_ms', 'retry', 'enabled', 'config', 'metadata', 'created_at'];
const MEASURED = [
  'last_success',
  'last_failure',
  'success_count',
  'failure_count',
  'avg_latency_ms',
  'last_latency_ms',
];
const BREAKER = ['circuit_breaker_state', 'circuit_breaker_opened_at', 'updated_at'];

const TABLES: readonly Expected[] = [
  {
    table: schema.extensions,
    essential: ['id', 'type', 'subject'],
    base: [...CALL, 'version', 'updated_at', 'created_by', 'updated_by'],
    key: ['id'],
    isWritten: false,
    updated: ['updated_by'],
  },
  {
    table: schema.extensionVersions,
    essential: ['id', 'version', 'subject'],
    base: [...CALL, 'routing_rules'],
    key: ['id', 'version'],
    isWritten: false,
  },
  {
    table: schema.extensionInstances,
    essential: ['extension_id', 'instance_id', 'subject'],
    base: ['weight', 'enabled', 'health_status', 'last_health_check'],
    key: ['extension_id', 'instance_id'],
    isWritten: false,
    updated: ['health_status'],
  },
  {
    table: schema.extensionHealth,
    essential: ['extension_id'],
    base: [...MEASURED, ...BREAKER, 'circuit_breaker_failure_threshold'],
    key: ['extension_id'],
    isWritten: true,
  },
  {
    table: schema.extensionVersionHealth,
    essential: ['extension_id', 'version'],
    base: Object.keys(getTableColumns(schema.extensionVersionHealth)),
    key: ['extension_id', 'version'],
    isWritten: true,
  },
  {
    table: schema.extensionAuditLog,
    essential: ['id', 'extension_id', 'action'],
    base: ['old_values', 'new_values', 'changed_by', 'changed_at'],
    key: [],
    isWritten: true,
  },
  { table: schema.registryRevision, essential: ['one', 'revision'], base: [], key: ['one'], isWritten: true },
];

/** The longest action that is written is shorter. */
const MIN_LENGTH: Readonly<Record<string, number>> = { action: 32 };

/** ADOPTION-4. By column: every word that the daemon writes into it. */
const WORDS: Readonly<Record<string, readonly string[]>> = {
  health_status: HEALTH_STATUSES,
  circuit_breaker_state: ['closed', 'open', 'half_open'],
};

const INTEGERS: readonly string[] = ['smallint', 'integer', 'bigint'];
const TEXTS: readonly string[] = ['character varying', 'text'];

/** By what a column is expected to be (without length and precision): what serves as well. */
const COMPATIBLE: Readonly<Record<string, readonly string[]>> = {
  varchar: TEXTS,
  text: TEXTS,
  integer: INTEGERS,
  bigint: INTEGERS,
  numeric: ['numeric', 'double precision', 'real', ...INTEGERS],
  'timestamp with time zone': ['timestamp with time zone'],
};

interface FoundColumn {
  readonly name: string;
  /** Without length and precision. */
  readonly type: string;
  /** Of a text; null: any. */
  readonly length: number | null;
  /** Of a numeric: digits before the point; null: any. */
  readonly digits: number | null;
  readonly not_null: boolean;
  readonly has_default: boolean;
  readonly is_generated: boolean;
  /** Names of foreign keys that it is part of. */
  readonly references: readonly string[];
}

/** A check on one column. */
interface FoundCheck {
  readonly name: string;
  readonly column: string;
  readonly expression: string;
}

interface FoundTable extends Record<string, unknown> {
  readonly name: string;
  /** As pg_class has it: r a table, p a partitioned one, v a view, … */
  readonly kind: string;
  readonly columns: readonly FoundColumn[];
  /** Columns of each index that keeps rows apart, and that on conflict and a foreign key can use: no deferrable one. */
  readonly keys: readonly (readonly string[])[];
  readonly checks: readonly FoundCheck[];
}

/** Statements that complete the existing tables; empty if there are none. Rejects with AdoptionError (ADOPTION-1). */
export async function completionStatements(db: Database): Promise<string[]> {
  const tables = await findTables(db);
  const problems: string[] = [];
  const statements = TABLES.flatMap((expected) => {
    const found = tables.find(({ name }) => name === getTableName(expected.table));
    return found === undefined ? [] : complete(expected, found, problems);
  });
  if (problems.length > 0) throw new AdoptionError(problems);
  for (const { name, checks } of tables)
    for (const check of checks)
      if (await refusesWords(db, check))
        statements.push(`alter table ${name} drop constraint "${check.name.replaceAll('"', '""')}"`);
  return statements;
}

/** ADOPTION-4. The check is evaluated for each word: it may be written in many ways. */
async function refusesWords(db: Database, { column, expression }: FoundCheck): Promise<boolean> {
  const words = (WORDS[column] ?? []).map((word) => `('${word}'::varchar)`);
  if (words.length === 0) return false;
  const [row] = await db.execute<{ refuses: boolean }>(
    sql.raw(`select bool_or((${expression}) is false) as refuses from (values ${words.join(', ')}) as t (${column})`),
  );
  return row?.refuses === true;
}

function complete(expected: Expected, found: FoundTable, problems: string[]): string[] {
  const { name } = found;
  if (found.kind !== 'r' && found.kind !== 'p') {
    problems.push(`${name} must be a table, it is ${KINDS[found.kind] ?? 'something else'}`);
    return [];
  }
  const { columns } = getTableConfig(expected.table);
  const byName = new Map(found.columns.map((column) => [column.name, column]));
  const changes = columns.flatMap((column) => {
    const known = byName.get(column.name);
    if (known !== undefined) return changesOf(expected, column, known, problems);
    if (expected.essential.includes(column.name))
      problems.push(`${name}.${column.name} is missing: ${column.getSQLType()}`);
    else if (expected.base.includes(column.name)) return [`add column ${column.name} ${definitionOf(column)}`];
    return [];
  });
  if (expected.key.length > 0 && !found.keys.some((key) => isSameSet(key, expected.key)))
    problems.push(
      `${name} has no primary key or unique index on (${expected.key.join(', ')}) that is valid and not deferrable`,
    );
  if (expected.isWritten)
    for (const { name: column, not_null, has_default } of found.columns)
      if (not_null && !has_default && !columns.some((one) => one.name === column))
        problems.push(`${name}.${column} is not null and has no default: no row can be added that does not name it`);
  return changes.map((change) => `alter table ${name} ${change}`);
}

/** What makes a column fit. */
function changesOf(expected: Expected, column: PgColumn, found: FoundColumn, problems: string[]): string[] {
  const sqlType = column.getSQLType();
  const [, type = sqlType, length] = /^([a-z ]+?)(?: *\((\d+).*\))?$/.exec(sqlType) ?? [];
  const name = `${getTableName(column.table)}.${column.name}`;
  if (!(COMPATIBLE[type] ?? [type]).includes(found.type)) {
    problems.push(`${name} is ${found.type}, expected ${sqlType}`);
    return [];
  }
  if (found.is_generated) problems.push(`${name} is generated, expected a column that can be written`);
  const isUpdated = expected.updated?.includes(column.name) === true;
  if (isUpdated)
    for (const key of found.references)
      problems.push(`${name} is in the foreign key ${key}: the daemon writes names of its own into it`);
  const needed = MIN_LENGTH[column.name] ?? Number(length ?? 0);
  const isWritten = expected.isWritten || isUpdated;
  const isShort = isWritten && found.length !== null && found.length < needed;
  const isSmall = type === 'bigint' && found.type !== 'bigint';
  const isStrict = expected.isWritten && found.not_null && !column.notNull && !column.primary;
  return [
    ...(isShort || isSmall ? [`alter column ${column.name} type ${sqlType}`] : []),
    ...(isWritten && isNarrow(type, sqlType, found) ? [`alter column ${column.name} type ${type}`] : []),
    ...(isStrict ? [`alter column ${column.name} drop not null`] : []),
  ];
}

/** Of a number, fewer digits than the daemon writes. Without a precision a numeric keeps every digit that it has. */
function isNarrow(type: string, sqlType: string, { type: foundType, digits }: FoundColumn): boolean {
  if (type === 'integer') return foundType === 'smallint';
  if (type !== 'numeric') return false;
  const [, precision, scale] = /\((\d+), *(\d+)\)/.exec(sqlType) ?? [];
  return foundType === 'smallint' || (digits !== null && digits < Number(precision) - Number(scale));
}

function definitionOf(column: PgColumn): string {
  const value = defaultOf(column);
  return `${column.getSQLType()}${value === null ? '' : ` default ${value}`}${column.notNull ? ' not null' : ''}`;
}

/** Every default that is an expression is the present time. */
function defaultOf({ default: value }: PgColumn): string | null {
  if (value === undefined || value === null) return null;
  if (is(value, SQL)) return 'current_timestamp';
  return typeof value === 'object'
    ? `'${JSON.stringify(value)}'`
    : typeof value === 'string'
      ? `'${value}'`
      : String(value);
}

const KINDS: Readonly<Record<string, string>> = {
  v: 'a view',
  m: 'a materialized view',
  f: 'a foreign table',
  c: 'a type',
};

const isSameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((one) => b.includes(one));

async function findTables(db: Database): Promise<readonly FoundTable[]> {
  const names = JSON.stringify(TABLES.map(({ table }) => getTableName(table)));
  return db.execute<FoundTable>(sql`
    select c.relname as name, c.relkind::text as kind,
      (select coalesce(jsonb_agg(jsonb_build_object(
          'name', a.attname, 'type', format_type(a.atttypid, null),
          'length', case when a.atttypid = 'varchar'::regtype and a.atttypmod > 4 then a.atttypmod - 4 end,
          'digits', case when a.atttypid = 'numeric'::regtype and a.atttypmod > 4
            then ((a.atttypmod - 4) >> 16) - (((a.atttypmod - 4) & 2047) # 1024) + 1024 end,
          'not_null', a.attnotnull, 'has_default', a.atthasdef or a.attidentity <> '',
          'is_generated', a.attgenerated <> '' or a.attidentity = 'a',
          'references', (select coalesce(jsonb_agg(f.conname order by f.conname), '[]') from pg_constraint as f
            where f.conrelid = c.oid and f.contype = 'f' and a.attnum = any (f.conkey)))), '[]')
        from pg_attribute as a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
      (select coalesce(jsonb_agg((select jsonb_agg(a.attname) from pg_attribute as a
          where a.attrelid = c.oid and a.attnum = any ((i.indkey::int2[])[0:i.indnkeyatts - 1]))), '[]')
        from pg_index as i where i.indrelid = c.oid and i.indisunique and i.indpred is null and i.indexprs is null
          and i.indimmediate and i.indisvalid) as keys,
      (select coalesce(jsonb_agg(jsonb_build_object('name', k.conname, 'column', a.attname,
          'expression', pg_get_expr(k.conbin, k.conrelid)) order by k.conname), '[]')
        from pg_constraint as k join pg_attribute as a on a.attrelid = k.conrelid and k.conkey = array[a.attnum]
        where k.conrelid = c.oid and k.contype = 'c') as checks
    from pg_class as c
    where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p', 'v', 'm', 'f', 'c')
      and c.relname in (select jsonb_array_elements_text(${names}::jsonb))`);
}

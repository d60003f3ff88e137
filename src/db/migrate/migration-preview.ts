// What a migration would do, determined by doing it in a transaction that is rolled back.
//
// MIGRATION-PREVIEW-1. Nothing stays: everything happens between one `begin` and its rollback, and a connection that is lost rolls back too.
// MIGRATION-PREVIEW-2. What is reported is the difference of two catalogues and what the registry's own query reads, not what a file announces.
import { sql } from '#drizzle-orm';
import type { RegistryEntry } from '../../domain/registry/registry-rows.js';
import type { Logger } from '../../telemetry/log.js';
import type { Database, DatabaseConnection } from '../client.js';
import { readSnapshot } from '../queries/registry-queries.js';
import { TABLE_NAMES } from '../table-names.js';
import { knownMigrations, migrationStatements, refused, type SchemaVersions, withMigrator } from './migrate.js';

/** Each as `table.column …` or `name on table: …`, in order. */
interface SchemaChanges {
  readonly tables_added: readonly string[];
  readonly columns_added: readonly string[];
  readonly constraints_added: readonly string[];
  readonly constraints_dropped: readonly string[];
  readonly defaults_set: readonly string[];
  readonly defaults_dropped: readonly string[];
  readonly triggers_added: readonly string[];
  readonly indexes_added: readonly string[];
}

export interface MigrationPreview {
  readonly versions: SchemaVersions;
  /** Names of the migrations that would be applied. */
  readonly migrations: readonly string[];
  readonly changes: SchemaChanges;
  /** Rows of each table that is there now. */
  readonly rows: Readonly<Record<string, number>>;
  /** The registry as the daemon would read it after the migration. */
  readonly entries: readonly RegistryEntry[];
}

/** Rejects with an error of version-errors.ts, or the database's own. */
export function previewMigration(connection: DatabaseConnection, log: Logger): Promise<MigrationPreview> {
  return withMigrator(connection, log, async (db, versions) => {
    const before = await readCatalogue(db);
    const rows = await countRows(db, before.tables);
    const missing = await migrationStatements(db, versions);
    const migrations = knownMigrations().slice(versions.found);
    try {
      if (missing !== '') await db.$client.unsafe(`begin;\n${missing}`).catch(refused);
      const { entries } = await readSnapshot(db);
      return { versions, migrations, changes: difference(before, await readCatalogue(db)), rows, entries };
    } finally {
      if (missing !== '') await db.$client.unsafe('rollback').catch(() => undefined);
    }
  });
}

interface Catalogue {
  readonly tables: ReadonlySet<string>;
  /** By `table.column`. */
  readonly columns: ReadonlyMap<
    string,
    { readonly table: string; readonly type: string; readonly byDefault: string | null }
  >;
  /** By `name on table`, with their definitions. */
  readonly constraints: ReadonlyMap<string, string>;
  readonly triggers: ReadonlySet<string>;
  readonly indexes: ReadonlySet<string>;
}

async function readCatalogue(db: Database): Promise<Catalogue> {
  const names = JSON.stringify(TABLE_NAMES);
  const ours = sql`c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p')
    and c.relname in (select jsonb_array_elements_text(${names}::jsonb))`;
  const tables = await db.execute<{ name: string }>(sql`select c.relname as name from pg_class as c where ${ours}`);
  const columns = await db.execute<{ table: string; name: string; type: string; by_default: string | null }>(sql`
    select c.relname as table, a.attname as name, format_type(a.atttypid, a.atttypmod) as type,
      pg_get_expr(d.adbin, d.adrelid) as by_default
    from pg_class as c join pg_attribute as a on a.attrelid = c.oid
      left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
    where ${ours} and a.attnum > 0 and not a.attisdropped order by c.relname, a.attnum`);
  // Triggers are reported as such; `not null` of what is added goes without saying.
  const constraints = await db.execute<{ name: string; definition: string }>(sql`
    select o.conname || ' on ' || c.relname as name, pg_get_constraintdef(o.oid) as definition
    from pg_class as c join pg_constraint as o on o.conrelid = c.oid where ${ours} and o.contype not in ('n', 't') order by 1`);
  const triggers = await db.execute<{ name: string }>(sql`
    select t.tgname || ' on ' || c.relname as name
    from pg_class as c join pg_trigger as t on t.tgrelid = c.oid where ${ours} and not t.tgisinternal order by 1`);
  const indexes = await db.execute<{ name: string }>(sql`
    select x.relname || ' on ' || c.relname as name
    from pg_class as c join pg_index as i on i.indrelid = c.oid join pg_class as x on x.oid = i.indexrelid
    where ${ours} and not i.indisprimary order by 1`);
  return {
    tables: new Set(tables.map((row) => row.name)),
    columns: new Map(
      columns.map((row) => [
        `${row.table}.${row.name}`,
        { table: row.table, type: row.type, byDefault: row.by_default },
      ]),
    ),
    constraints: new Map(constraints.map((row) => [row.name, row.definition])),
    triggers: new Set(triggers.map((row) => row.name)),
    indexes: new Set(indexes.map((row) => row.name)),
  };
}

async function countRows(db: Database, tables: ReadonlySet<string>): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const table of TABLE_NAMES.filter((name) => tables.has(name))) {
    const [row] = await db.execute<{ rows: number }>(
      sql`select count(*)::float8 as rows from ${sql.identifier(table)}`,
    );
    counts[table] = row?.rows ?? 0;
  }
  return counts;
}

/** What belongs to a table that is new goes without saying. */
function difference(before: Catalogue, after: Catalogue): SchemaChanges {
  const isOld = (name: string) => before.tables.has(name.split(' on ').at(-1) ?? '');
  const added = (old: ReadonlySet<string>, now: ReadonlySet<string>) =>
    [...now].filter((name) => !old.has(name) && isOld(name));
  const columns = [...after.columns].filter(([, column]) => before.tables.has(column.table));
  const changedDefaults = columns.filter(
    ([name, { byDefault }]) => before.columns.has(name) && before.columns.get(name)?.byDefault !== byDefault,
  );
  return {
    tables_added: [...after.tables].filter((name) => !before.tables.has(name)).sort(),
    columns_added: columns
      .filter(([name]) => !before.columns.has(name))
      .map(([name, { type, byDefault }]) => `${name} ${type}${byDefault === null ? '' : ` default ${byDefault}`}`),
    constraints_added: [...after.constraints]
      .filter(([name]) => !before.constraints.has(name) && isOld(name))
      .map(([name, definition]) => `${name}: ${definition}`),
    constraints_dropped: [...before.constraints]
      .filter(([name]) => !after.constraints.has(name))
      .map(([name, definition]) => `${name}: ${definition}`),
    defaults_set: changedDefaults
      .filter(([, { byDefault }]) => byDefault !== null)
      .map(([name, { byDefault }]) => `${name}: ${byDefault}`),
    defaults_dropped: changedDefaults
      .filter(([, { byDefault }]) => byDefault === null)
      .map(([name]) => `${name}: ${before.columns.get(name)?.byDefault}`),
    triggers_added: added(before.triggers, after.triggers),
    indexes_added: added(before.indexes, after.indexes),
  };
}

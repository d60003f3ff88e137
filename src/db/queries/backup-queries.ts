// All that is worth keeping of a registry's database, as text, and back: rows, audit trail, access tokens and the facts of breakers.
//
// BACKUP-QUERIES-1. One message of the simple protocol reads everything, and one puts it back: what is read is of one moment in the embedded
//     database, which does nothing meanwhile, and what is put back is there as a whole or not at all.
// BACKUP-QUERIES-2. Rows are passed on as the database writes them: no number of theirs is read here, and loses digits.
// BACKUP-QUERIES-3. While rows are put back no trigger runs: their revisions, tokens and times are those of the backup, so that a daemon
//     notices that the registry has another history.
import { sql } from '#drizzle-orm';
import type { Database } from '../client.js';
import { literal } from './transaction.js';

/** In the order in which rows may refer to each other. How often each process wrote health is of no use to another one. */
export const BACKUP_TABLES = [
  'extensions',
  'extension_versions',
  'extension_instances',
  'extension_rollouts',
  'extension_health',
  'extension_version_health',
  'extension_audit_log',
  'extension_tokens',
  'registry_revision',
] as const;
export type BackupTable = (typeof BACKUP_TABLES)[number];

export interface BackupRows {
  readonly columns: Readonly<Record<BackupTable, readonly string[]>>;
  /** JSON objects, one row each. */
  readonly rows: Readonly<Record<BackupTable, readonly string[]>>;
}

/** Rows in one statement. */
const BATCH = 500;

/** BACKUP-QUERIES-1, BACKUP-QUERIES-2. */
export async function readBackupRows(db: Database): Promise<BackupRows> {
  const columns = await readColumns(db);
  const selects = BACKUP_TABLES.map((table) => `select to_jsonb(t)::text as row from ${table} t`);
  const results = (await db.$client.unsafe(selects.join(';\n')).simple()) as unknown as { row: string }[][];
  const rows = BACKUP_TABLES.map((table, i) => [table, (results[i] ?? []).map(({ row }) => row)]);
  return { columns, rows: Object.fromEntries(rows) };
}

async function readColumns(db: Database): Promise<BackupRows['columns']> {
  const found = await db.execute<{ table: BackupTable; name: string }>(
    sql`select table_name as table, column_name as name from information_schema.columns
        where table_schema = current_schema() and table_name = any(string_to_array(${BACKUP_TABLES.join(',')}, ','))
        order by ordinal_position`,
  );
  const of = (table: BackupTable) => [...found].filter((one) => one.table === table).map(({ name }) => name);
  return Object.fromEntries(BACKUP_TABLES.map((table) => [table, of(table)])) as unknown as BackupRows['columns'];
}

/** Columns of the backup that this database lacks, as `table.column`. */
export async function unknownColumns(db: Database, { columns }: BackupRows): Promise<string[]> {
  const here = await readColumns(db);
  return BACKUP_TABLES.flatMap((table) =>
    columns[table].filter((name) => !here[table].includes(name)).map((name) => `${table}.${name}`),
  );
}

/** BACKUP-QUERIES-1, BACKUP-QUERIES-3. Everything that is in these tables is replaced. Columns that the backup lacks have their defaults. */
export async function restoreRows(db: Database, backup: BackupRows): Promise<void> {
  const inserts = BACKUP_TABLES.flatMap((table) => insertsOf(table, backup.columns[table], backup.rows[table]));
  const message = [
    "select set_config('session_replication_role', 'replica', true)",
    `delete from ${BACKUP_TABLES.toReversed().join(';\ndelete from ')}`,
    ...inserts,
  ];
  await db.$client.unsafe(message.join(';\n')).simple();
}

function insertsOf(table: BackupTable, columns: readonly string[], rows: readonly string[]): string[] {
  const names = columns.map((name) => `"${name}"`).join(', ');
  const statements: string[] = [];
  for (let at = 0; at < rows.length; at += BATCH) {
    const batch = literal(`[${rows.slice(at, at + BATCH).join(',')}]`);
    statements.push(
      `insert into ${table} (${names}) select ${names} from jsonb_populate_recordset(null::${table}, ${batch}::jsonb)`,
    );
  }
  return statements;
}

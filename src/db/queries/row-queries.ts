// One extension's rows as the admin API reads and writes them.
//
// ROW-QUERIES-1. Compare and write are one statement: a row is written only in the revision that it was read in.
import { type SQL, sql } from '#drizzle-orm';
import type { ReadRowChange, ReadRows, StoredRows, WriteRow } from '../../actors/ports/storage.js';
import type { Database } from '../client.js';
import { readRegistryRows, writeRegistryChanges } from './registry-file-queries.js';
import { inTransaction } from './transaction.js';

const isoTime = (column: string): SQL =>
  sql.raw(`to_char(${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`);

/** Implements ReadRows of the ports. */
export async function readRows(db: Database, extensionId: string): ReturnType<ReadRows> {
  const rows = await readRegistryRows(db, extensionId);
  if (rows.length === 0) return null;
  const [own] = await inTransaction<StoredRows['own']>(
    db,
    {},
    sql`select enabled, auto_disabled, created_by, updated_by, ${isoTime('created_at')} as created_at, ${isoTime('updated_at')} as updated_at
      from extensions where id = ${extensionId}`,
  );
  return own === undefined ? null : { rows, own };
}

/** Implements WriteRow of the ports. ROW-QUERIES-1. */
export async function writeRow(db: Database, ...[change, who]: Parameters<WriteRow>): ReturnType<WriteRow> {
  const result = await writeRegistryChanges(db, [change], who);
  return result === 'written' ? { kind: 'written', revision: await revisionNow(db) } : { kind: 'conflict' };
}

/** Of the registry: at least that of what was written. */
async function revisionNow(db: Database): Promise<number> {
  const [row] = await inTransaction<{ revision: number }>(
    db,
    {},
    sql`select revision::float8 as revision from registry_revision`,
  );
  return row?.revision ?? 0;
}

/** Implements ReadRowChange of the ports. */
export async function readRowChange(
  db: Database,
  ...[row, revision]: Parameters<ReadRowChange>
): ReturnType<ReadRowChange> {
  const { kind, extensionId, name } = row;
  const own = { extension: null, version: 'version', instance: 'instance_id' }[kind];
  const isNamed = own === null ? sql`true` : sql`new_values ->> ${own} = ${name}`;
  const isOfKind =
    kind === 'extension'
      ? sql`action not like 'version\_%' and action not like 'instance\_%'`
      : sql`action like ${`${kind}_%`}`;
  const [found] = await inTransaction<{ changed_by: string | null; changed_at: string }>(
    db,
    {},
    sql`select changed_by, ${isoTime('changed_at')} as changed_at from extension_audit_log
      where extension_id = ${extensionId} and ${isOfKind} and ${isNamed} and new_values ->> 'revision' = ${String(revision)}
      order by changed_at desc limit 1`,
  );
  return found ?? null;
}

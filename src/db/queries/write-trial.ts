// Whether the database accepts a daemon's writes, tested by statements that change no row of the registry.
import { sql } from '#drizzle-orm';
import type { Database } from '../client.js';
import { inTransaction } from './transaction.js';

/** Of each table a column that daemons write. */
const WRITTEN = {
  extensions: 'enabled',
  extension_versions: 'enabled',
  extension_instances: 'health_status',
  extension_health: 'updated_at',
  extension_version_health: 'updated_at',
} as const;

/**
 * Rejects if the database is read-only or has no room, if this role may not write one of its tables, or if another
 * transaction holds one, or the row that every change of the registry needs. `writer`: a UUID.
 */
export async function tryWrite(db: Database, writer: string): Promise<void> {
  await inTransaction(
    db,
    {},
    ...Object.entries(WRITTEN).map(([table, column]) =>
      sql.raw(`update ${table} set ${column} = ${column} where false`),
    ),
    sql`insert into extension_audit_log (id, extension_id, action) select gen_random_uuid(), '', '' where false`,
    sql`insert into extension_health_writers (writer, flush) values (${writer}::uuid, 0)
      on conflict (writer) do update set written_at = now()`,
    // Last, so that this lock is held only for the commit. Triggers change the row with the rights of their owner, which this role
    // may lack: then it is not tried.
    sql.raw(`do $extreg$ begin
      if has_any_column_privilege('registry_revision', 'UPDATE') then
        perform from registry_revision for no key update;
      end if;
    end $extreg$`),
  );
}

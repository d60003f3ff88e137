// Writes what was measured of instances: `health_status` and `last_health_check`, which make no revision.
//
// INSTANCE-QUERIES-1. One statement for a batch, in order of id; an instance that was deleted is dropped.
// INSTANCE-QUERIES-2. It says that it is a daemon's, by the name that the triggers know: any other writer of `health_status` is a report.
// INSTANCE-QUERIES-3. A report that the daemon has not seen stays as it is.
// INSTANCE-QUERIES-4. A row that another transaction holds is skipped, and named as held.
import { sql } from '#drizzle-orm';
import type { InstanceStatusRow, WriteInstanceStatus } from '../../actors/ports/storage.js';
import type { Database } from '../client.js';
import { holdersOf } from './lock-holders.js';
import { inTransaction } from './transaction.js';

const TABLE = 'extension_instances';

/** Implements WriteInstanceStatus of the ports. */
export async function writeInstanceStatus(
  db: Database,
  rows: readonly InstanceStatusRow[],
): ReturnType<WriteInstanceStatus> {
  if (rows.length === 0) return [];
  const held = await inTransaction<{ extension_id: string; instance_id: string }>(
    db,
    { 'extreg.actor': 'system:health', 'extreg.reason': 'measured' },
    sql`
    with given as (
      select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as given (
        extension_id text, instance_id text, uid uuid, health_status text, checked_ago_ms float8, seen_report uuid)
    ), wanted as materialized (
      select instance.extension_id, instance.instance_id, given.health_status, given.checked_ago_ms, given.seen_report
      from extension_instances as instance
      join given on given.extension_id = instance.extension_id and given.instance_id = instance.instance_id
        and instance.uid = coalesce(given.uid, instance.uid)
    ), locked as materialized (
      select extension_id, instance_id, health_report from extension_instances as instance
      where exists (
        select from wanted where wanted.extension_id = instance.extension_id and wanted.instance_id = instance.instance_id)
      order by extension_id, instance_id for no key update skip locked
    ), written as (
      update extension_instances as instance
      set health_status = wanted.health_status,
        last_health_check = greatest(
          case when isfinite(instance.last_health_check) then instance.last_health_check end, now() - wanted.checked_ago_ms * interval '1 millisecond')
      from locked, wanted
      where locked.extension_id = instance.extension_id and locked.instance_id = instance.instance_id
        and wanted.extension_id = instance.extension_id and wanted.instance_id = instance.instance_id
        and (wanted.seen_report is null or coalesce(locked.health_report = wanted.seen_report, true))
    )
    select extension_id, instance_id from wanted where not exists (
      select from locked where locked.extension_id = wanted.extension_id and locked.instance_id = wanted.instance_id)`,
  );
  if (held.length === 0) return [];
  const error = `a row of ${TABLE} is locked by ${await holdersOf(db, TABLE)}`;
  return held.map((row) => ({ ...row, error }));
}

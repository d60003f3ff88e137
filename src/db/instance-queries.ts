// Writes what was measured of instances: `health_status` and `last_health_check`, which make no revision.
//
// I1. One statement for a batch, in order of id; an instance that is gone drops out.
// I2. It says that it is a daemon's, by the name that the triggers know: whoever else writes `health_status` reports.
// I3. A report that the daemon has not seen stays as it is.
import { sql } from '#drizzle-orm';
import type { InstanceStatusRow } from '../actors/ports.js';
import { asActor } from './audit-queries.js';
import type { Database } from './client.js';

/** Implements WriteInstanceStatus of the ports. */
export async function writeInstanceStatus(db: Database, rows: readonly InstanceStatusRow[]): Promise<void> {
  if (rows.length === 0) return;
  await db.execute(sql`
    with ${asActor('system:health', 'measured')}, given as (
      select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as given (
        extension_id text, instance_id text, uid uuid, health_status text, checked_ago_ms float8, seen_report uuid)
    ), locked as (
      select instance.extension_id, instance.instance_id, given.health_status, given.checked_ago_ms
      from extension_instances as instance
      join given on given.extension_id = instance.extension_id and given.instance_id = instance.instance_id
        and (given.seen_report is null or coalesce(instance.health_report = given.seen_report, true))
        and instance.uid = coalesce(given.uid, instance.uid)
      order by instance.extension_id, instance.instance_id for update of instance
    )
    update extension_instances as instance
    set health_status = locked.health_status,
      last_health_check = greatest(
        case when isfinite(instance.last_health_check) then instance.last_health_check end, now() - locked.checked_ago_ms * interval '1 millisecond')
    from locked, actor
    where locked.extension_id = instance.extension_id and locked.instance_id = instance.instance_id`);
}

// The auto-manager's changes of the registry.
//
// AUTO-QUERIES-1. A change is applied only to the revision it was decided on: a decision in between has precedence.
// AUTO-QUERIES-2. A change that was sent before and whose answer was lost is found by the id of its audit row, and not made again. The row is
//     taken first: what may still be on its way has ended then.
import { sql } from '#drizzle-orm';
import type { ApplyAutoChange, AutoChange } from '../../actors/ports/storage.js';
import { AUTO_MANAGER } from '../../domain/registry/auto-management.js';
import type { Database } from '../client.js';
import { inTransaction } from './transaction.js';

/** Implements ApplyAutoChange of the ports. */
export async function applyAutoChange(db: Database, change: AutoChange): ReturnType<ApplyAutoChange> {
  const disable = change.change === 'auto_disable';
  const { id, extension_id } = change;
  const [row] = await inTransaction<{ written: number | null; done: number | null }>(
    db,
    {
      'extreg.actor': AUTO_MANAGER,
      'extreg.reason': change.reason,
      'extreg.id': id,
      about: `extensions '${extension_id}'`,
    },
    sql`select from extensions where id = ${extension_id} for no key update`,
    sql`
    with done as materialized (
      select (new_values ->> 'revision')::float8 as revision from extension_audit_log where id = ${id}::uuid
    ), written as (
      update extensions set enabled = ${!disable}, auto_disabled = ${disable}, updated_by = ${AUTO_MANAGER}
      where id = ${extension_id} and revision = ${change.revision} and uid = coalesce(${change.uid ?? null}::uuid, uid)
        and ${disable ? sql`coalesce(enabled, true)` : sql`auto_disabled`}
        and not exists (select from done) and ${change.isOnlyAsked !== true}
      returning revision::float8 as revision
    )
    select (select revision from written) as written, (select revision from done) as done`,
  );
  const revision = row?.written ?? row?.done ?? null;
  return revision === null ? { applied: false } : { applied: true, revision };
}

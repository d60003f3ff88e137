// The auto-manager's changes of the registry.
//
// O1. A change is applied only to the revision it was decided on: whoever came in between has decided.
import { sql } from '#drizzle-orm';
import type { AutoChange } from '../actors/ports.js';
import { AUTO_MANAGER } from '../domain/auto-management.js';
import { asActor } from './audit-queries.js';
import type { Database } from './client.js';

/** Implements ApplyAutoChange of the ports. */
export async function applyAutoChange(
  db: Database,
  change: AutoChange,
): Promise<{ readonly applied: true; readonly revision: number } | { readonly applied: false }> {
  const disable = change.change === 'auto_disable';
  const [row] = await db.execute<{ revision: number }>(sql`
    with ${asActor(AUTO_MANAGER, change.reason)}
    update extensions set enabled = ${!disable}, auto_disabled = ${disable}, updated_by = ${AUTO_MANAGER}
    from actor
    where id = ${change.extension_id} and revision = ${change.revision} and uid = coalesce(${change.uid ?? null}::uuid, uid)
      and ${disable ? sql`coalesce(enabled, true)` : sql`auto_disabled`}
    returning revision::float8 as revision`);
  return row === undefined ? { applied: false } : { applied: true, revision: row.revision };
}

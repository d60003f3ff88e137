// The audit trail: who is written into it, facts added to it, read from it, and forgotten after a while.
//
// A1. A fact that the database refuses is logged and dropped; it does not hold up the others.
import { desc, eq, type SQL, sql } from '#drizzle-orm';
import type { AuditFact } from '../actors/ports.js';
import type { Logger } from '../telemetry/log.js';
import type { Database } from './client.js';
import { writeOrSplit } from './row-by-row.js';
import { extensionAuditLog } from './schema.js';

/** Rows deleted at a time, so that no lock is held for long. */
const PRUNE_BATCH = 10_000;

export interface AuditRow {
  readonly id: string;
  readonly extension_id: string;
  readonly action: string;
  readonly old_values: unknown;
  readonly new_values: unknown;
  readonly changed_by: string | null;
  /** ISO 8601. */
  readonly changed_at: string;
  readonly reason: string | null;
  /** null for a fact that is no change of the registry. */
  readonly revision: number | null;
}

/**
 * For the `with` of a statement that changes the registry `from actor`: who does it and why, for the audit row that the
 * triggers write. Holds until the statement's transaction ends.
 */
export function asActor(actor: string, reason: string): SQL {
  return sql`actor as materialized (
    select set_config('extreg.actor', ${actor}, true), set_config('extreg.reason', ${reason}, true))`;
}

/** Implements WriteAudit of the ports. */
export async function writeAudit(db: Database, facts: readonly AuditFact[], log: Logger): Promise<void> {
  if (facts.length === 0) return;
  const refused = await writeOrSplit(facts, (part) => insertFacts(db, part));
  for (const { row, error } of refused) {
    const { extension_id, action } = row;
    log.error({ event: 'audit_fact_dropped', component: 'db', extension_id, action, error });
  }
}

async function insertFacts(db: Database, facts: readonly AuditFact[]): Promise<void> {
  await db.execute(sql`
    insert into extension_audit_log (id, extension_id, action, new_values, changed_by, changed_at, reason)
    select gen_random_uuid(), extension_id, action, new_values, changed_by, to_timestamp(at_ms / 1000), reason
    from jsonb_to_recordset(${JSON.stringify(facts)}::jsonb) as fact (
      extension_id text, action text, new_values jsonb, changed_by text, at_ms float8, reason text)`);
}

/** Newest first. Without an extension: of all. */
export async function readAudit(db: Database, query: { extensionId?: string; limit: number }): Promise<AuditRow[]> {
  const which = query.extensionId === undefined ? undefined : eq(extensionAuditLog.extension_id, query.extensionId);
  const rows = await db
    .select()
    .from(extensionAuditLog)
    .where(which)
    .orderBy(desc(extensionAuditLog.changed_at))
    .limit(query.limit);
  return rows.map((row) => ({ ...row, changed_at: new Date(row.changed_at).toISOString() }));
}

/** Forgets what is older; 0 days keeps everything. Returns how many rows went. */
export async function pruneAudit(db: Database, retentionDays: number): Promise<number> {
  if (retentionDays === 0) return 0;
  for (let pruned = 0; ; ) {
    const { count } = await db.execute(sql`
      delete from extension_audit_log where id in (
        select id from extension_audit_log where changed_at < now() - ${retentionDays} * interval '1 day' limit ${PRUNE_BATCH})`);
    pruned += count;
    if (count < PRUNE_BATCH) return pruned;
  }
}

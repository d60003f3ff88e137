// The audit trail: the actor of a write, facts added, facts read, and old ones deleted.
//
// AUDIT-QUERIES-1. A fact that the database refuses is logged and dropped; it does not hold up the others.
// AUDIT-QUERIES-2. A fact is written once, also if it is sent again because the answer was lost: it is recognised by its id.
import { desc, eq, type SQL, sql } from '#drizzle-orm';
import type { AuditFact } from '../../actors/ports/storage.js';
import type { HistoryMark } from '../../domain/health/history-answer.js';
import type { Evidence } from '../../domain/registry/events.js';
import { HeldError } from '../../domain/registry/held-error.js';
import type { Logger } from '../../telemetry/log.js';
import type { Database } from '../client.js';
import { extensionAuditLog } from '../schema.js';
import { writeOrSplit } from './row-by-row.js';
import { inTransaction } from './transaction.js';

interface MarkRow extends Record<string, unknown> {
  readonly action: string;
  readonly changed_by: string | null;
  readonly reason: string | null;
  readonly at_ms: number | string;
  readonly evidence: Evidence | null;
  readonly version: string | null;
  readonly instance_id: string | null;
}

/** Rows deleted at a time, so that no lock is held for long. */
const PRUNE_BATCH = 10_000;

interface AuditRow {
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

/** Implements WriteAudit of the ports. */
export async function writeAudit(db: Database, facts: readonly AuditFact[], log: Logger): Promise<void> {
  if (facts.length === 0) return;
  const refused = await writeOrSplit(db, {}, facts, {
    batch: async () => {
      await inTransaction(db, {}, insertFacts(sql`${JSON.stringify(facts)}::jsonb`));
      return [];
    },
    statement: insertFacts,
  });
  const held = refused.find(({ isHeld }) => isHeld);
  // Those that are written are there already when all are sent again.
  if (held !== undefined) throw new HeldError(held.error, null);
  for (const { row, error } of refused) {
    const { extension_id, action } = row;
    log.error({ event: 'audit_fact_dropped', component: 'db', extension_id, action, error });
  }
}

/** AUDIT-QUERIES-2. A fact that is sent twice concurrently is a conflict; an adopted table may have no key that detects it. */
const insertFacts = (facts: SQL): SQL => sql`
  insert into extension_audit_log (id, extension_id, action, new_values, changed_by, changed_at, reason)
  select id, extension_id, action, new_values, changed_by, to_timestamp(at_ms / 1000), reason
  from jsonb_to_recordset(${facts}) as fact (
    id uuid, extension_id text, action text, new_values jsonb, changed_by text, at_ms float8, reason text)
  where not exists (select from extension_audit_log as known where known.id = fact.id)
  on conflict do nothing`;

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

/** Implements ReadMarks of the ports. Nothing of a row's config is read. */
export async function readMarks(
  db: Database,
  extensionId: string,
  sinceMs: number,
  limit: number,
): Promise<readonly HistoryMark[]> {
  const rows = await inTransaction<MarkRow>(
    db,
    {},
    sql`select action, changed_by, reason, extract(epoch from changed_at) * 1000 as at_ms, new_values -> 'evidence' as evidence,
        case when revision is null or action like 'version\\_%' or action like 'instance\\_%'
          then coalesce(new_values, old_values) ->> 'version' end as version,
        coalesce(new_values, old_values) ->> 'instance_id' as instance_id
      from extension_audit_log
      where extension_id = ${extensionId} and changed_at >= to_timestamp(${sinceMs}::float8 / 1000)
      order by changed_at desc limit ${limit}`,
  );
  return rows.reverse().map(({ action, changed_by, reason, at_ms, evidence, version, instance_id }) => ({
    at: new Date(Number(at_ms)).toISOString(),
    kind: action,
    version,
    ...(instance_id === null ? {} : { instance_id }),
    ...(reason === null ? {} : { reason }),
    actor: changed_by ?? '',
    ...(evidence === null ? {} : { evidence }),
  }));
}

/** Forgets what is older; 0 days keeps everything. Returns how many rows went. */
export async function pruneAudit(db: Database, retentionDays: number): Promise<number> {
  if (retentionDays === 0) return 0;
  for (let pruned = 0; ; ) {
    const [row] = await inTransaction<{ count: number }>(
      db,
      {},
      sql`with gone as (
        delete from extension_audit_log where id in (
          select id from extension_audit_log where changed_at < now() - ${retentionDays} * interval '1 day'
          limit ${PRUNE_BATCH} for update skip locked)
        returning 1
      ) select count(*)::int as count from gone`,
    );
    const count = row?.count ?? 0;
    pruned += count;
    if (count < PRUNE_BATCH) return pruned;
  }
}

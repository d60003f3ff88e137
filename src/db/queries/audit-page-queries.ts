// The audit trail in pages, newest first.
//
// AUDIT-PAGE-QUERIES-1. Pages are cut by position, not by number: no row is skipped or comes twice, however many rows share a moment, and
//     whatever is written meanwhile.
// AUDIT-PAGE-QUERIES-2. Which rows a page has is decided in the index (M29); only theirs are read from the table.
// AUDIT-PAGE-QUERIES-3. A page holds MAX_PAGE_BYTES of values at most; the next one goes on from there. The values of a row that has more than
//     MAX_ROW_BYTES alone stay in the database.
import { type SQL, sql } from '#drizzle-orm';
import type { ReadAuditPage } from '../../actors/ports/audit.js';
import type { AuditRow } from '../../domain/registry/audit-answer.js';
import type { AuditQuery } from '../../domain/registry/audit-query.js';
import type { Database } from '../client.js';
import { inTransaction } from './transaction.js';

const MAX_PAGE_BYTES = 4_194_304;
const MAX_ROW_BYTES = 524_288;

/** Implements ReadAuditPage of the ports. */
export async function readAuditPage(db: Database, query: AuditQuery): ReturnType<ReadAuditPage> {
  const found = await inTransaction<AuditRow & { readonly of: number }>(
    db,
    {},
    sql`
    with page as materialized (
      select changed_at, id from extension_audit_log where ${sql.join(conditions(query), sql` and `)}
      order by changed_at desc, id desc limit ${query.limit + 1}
    ), sized as materialized (
      select log.*, coalesce(octet_length(old_values::text), 0) + coalesce(octet_length(new_values::text), 0) as bytes
      from page join extension_audit_log as log on log.id = page.id and log.changed_at = page.changed_at
    ), summed as (
      select *, bytes > ${MAX_ROW_BYTES} as is_too_large, row_number() over newest as number,
        sum(case when bytes > ${MAX_ROW_BYTES} then 0 else bytes end) over newest as bytes_so_far
      from sized window newest as (order by changed_at desc, id desc)
    )
    select to_char(changed_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as at, id, extension_id, action, changed_by, reason,
      revision::float8 as revision, is_too_large, (select count(*)::int from page) as of,
      case when not is_too_large then old_values::text end as old_values,
      case when not is_too_large then new_values::text end as new_values
    from summed where number <= ${query.limit} and (number = 1 or bytes_so_far <= ${MAX_PAGE_BYTES})
    order by changed_at desc, id desc`,
  );
  const rows = found.map(({ of: _, ...row }) => row);
  const last = rows.at(-1);
  const next = last === undefined || (found[0]?.of ?? 0) <= rows.length ? null : { at: last.at, id: last.id };
  return { kind: 'page', rows, next };
}

function conditions({ after, extensionId, action, by, since, until, afterRevision }: AuditQuery): SQL[] {
  const wanted = [
    after && sql`(changed_at, id) < (${after.at}::timestamptz, ${after.id}::uuid)`,
    extensionId === null ? null : sql`extension_id = ${extensionId}`,
    action === null ? null : sql`action = ${action}`,
    by === null ? null : isBy(by),
    since === null ? null : sql`changed_at >= ${since}::timestamptz`,
    until === null ? null : sql`changed_at < ${until}::timestamptz`,
    afterRevision === null ? null : sql`revision > ${afterRevision}::bigint`,
  ];
  return [sql`true`, ...wanted.filter((one) => one !== null)];
}

/** Parts of an actor are separated by `:` and `/`. */
const isBy = (by: string): SQL => sql`(
  changed_by = ${by} or left(changed_by, length(${by}) + 1) = ${by} || '/'
  or ${by} = any (string_to_array(replace(changed_by, '/', ':'), ':')))`;

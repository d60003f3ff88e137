// Health windows of rows whose daemon no longer runs: nothing flushes them any more, so another daemon empties them.
import { sql } from '#drizzle-orm';
import type { Database } from '../client.js';
import { inTransaction } from './transaction.js';

/** The columns that describe the health window: replaced by each flush. */
export const WINDOW_COLUMNS = [
  'avg_latency_ms',
  'p50_latency_ms',
  'p95_latency_ms',
  'p99_latency_ms',
  'latency_samples',
  'latency_sum',
];
const COUNTS = ['latency_samples', 'latency_sum'];

/** A window of five minutes is over (domain/health/health-window.ts), and no daemon has flushed the row since. */
const STALE = "latency_samples > 0 and updated_at < now() - interval '5 minutes 5 seconds'";
/** How long the last flush of a daemon is remembered (HEALTH-QUERIES-6). */
const WRITERS_KEPT = '30 days';

/**
 * Empties the window columns of rows whose health window is over and whose daemon no longer runs, and forgets daemons that have
 * written nothing for WRITERS_KEPT. Returns how many rows were emptied.
 */
export async function emptyStaleWindows(db: Database): Promise<number> {
  const emptied = [
    ...WINDOW_COLUMNS.map((column) => `${column} = ${COUNTS.includes(column) ? '0' : 'null'}`),
    'latency_samples_window_start = null',
  ];
  const empty = (table: string, keys: readonly string[]) => {
    const isSame = keys.map((key) => `stale.${key} = kept.${key}`).join(' and ');
    return sql.raw(`update ${table} as kept set ${emptied}
      from (select ${keys.join(', ')} from ${table} where ${STALE} for no key update skip locked) as stale
      where ${isSame} returning 1`);
  };
  const [row] = await inTransaction<{ count: number }>(
    db,
    {},
    sql`delete from extension_health_writers where written_at < now() - interval '${sql.raw(WRITERS_KEPT)}'`,
    sql`with published as (${empty('extension_health', ['extension_id'])}),
      others as (${empty('extension_version_health', ['extension_id', 'version'])})
      select ((select count(*) from published) + (select count(*) from others))::int as count`,
  );
  return row?.count ?? 0;
}

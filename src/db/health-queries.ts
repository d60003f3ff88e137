// Writes down what was measured.
//
// H1. One statement for a batch, in order of id, so that two replicas never wait for each other in a circle.
// H2. Counts are added to the row's, times only move forward, latencies are the latest.
// H3. The breaker's columns are written only with an epoch that is not older than the row's, or by another version than the
//     row's: epochs of two targets say nothing about each other. The published row names the version they are of.
// H4. The four threshold columns belong to people and are never written.
// H5. An extension that is gone drops out; a row that the database refuses is dropped alone, with its error.
// H6. A rejection means that nothing was written (or that the connection was lost with the answer to the commit: unknowable).
// H7. What a row holds already makes no sum overflow and no time stand still.
// H8. What was measured for a row that was deleted is not written to one of the same name.
import { type SQL, sql } from '#drizzle-orm';
import type { FlushResult, HealthFlushRow } from '../actors/ports.js';
import { MAX_EPOCH } from '../domain/sound-facts.js';
import type { Database } from './client.js';
import { writeOrSplit } from './row-by-row.js';

const MAX_BIGINT = '9223372036854775807';

/** Implements FlushHealth of the ports. */
export async function flushHealth(db: Database, rows: readonly HealthFlushRow[]): Promise<FlushResult> {
  if (rows.length === 0) return { dropped: [] };
  const refused = await writeOrSplit(rows, (part) => writeRows(db, part));
  return {
    dropped: refused.map(({ row, error }) => ({ extension_id: row.extension_id, version: row.version, error })),
  };
}

async function writeRows(db: Database, rows: readonly HealthFlushRow[]): Promise<void> {
  await db.execute(sql`
    with given as (
      select * from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as given (
        extension_id text, extension_uid uuid, version_uid uuid, version text, published boolean, success_delta bigint, failure_delta bigint,
        last_success_ago_ms float8, last_failure_ago_ms float8,
        last_latency_ms numeric, avg_latency_ms numeric, p50_latency_ms numeric, p95_latency_ms numeric, p99_latency_ms numeric,
        latency_samples numeric, latency_sum numeric, latency_window_ago_ms float8,
        circuit_breaker_state text, opened_ago_ms float8, open_remaining_ms float8, trips integer, epoch bigint,
        half_open_requests_count integer, auto_disabled boolean)
    ), measured as (
      select given.*,
        now() - last_success_ago_ms * interval '1 millisecond' as last_success,
        now() - last_failure_ago_ms * interval '1 millisecond' as last_failure,
        now() - latency_window_ago_ms * interval '1 millisecond' as window_start,
        now() - opened_ago_ms * interval '1 millisecond' as opened_at,
        now() + open_remaining_ms * interval '1 millisecond' as open_until
      from given join extensions on extensions.id = given.extension_id
          and extensions.uid = coalesce(given.extension_uid, extensions.uid)
        left join extension_versions as v on v.id = given.extension_id and v.version = given.version
      where given.version_uid is null or given.version_uid = v.uid
    ), other_targets as (
      ${upsert('extension_version_health', ['extension_id', 'version'], 'not published')}
    )
    ${upsert('extension_health', ['extension_id'], 'published')}`);
}

/** H7. */
const sum = (column: string): string =>
  `least(coalesce(kept.${column}, 0)::numeric + excluded.${column}, ${MAX_BIGINT})::bigint`;
const later = (column: string): string =>
  `greatest(case when isfinite(kept.${column}) then kept.${column} end, excluded.${column})`;

/** The same for both tables, whose measured columns have the same names; each column of `breaker` with what it gets. */
function upsert(table: string, keys: readonly string[], which: string): SQL {
  const key = keys.join(', ');
  const isPublished = !keys.includes('version');
  const breaker = {
    circuit_breaker_state: 'circuit_breaker_state',
    circuit_breaker_opened_at: 'opened_at',
    circuit_breaker_open_until: 'open_until',
    circuit_breaker_trips: 'trips',
    circuit_breaker_epoch: 'epoch',
    half_open_requests_count: 'half_open_requests_count',
    auto_disabled: 'auto_disabled',
    ...(isPublished ? { version: 'version' } : {}),
  };
  // A row that names no version is of nobody knows which: it counts as the same.
  const isTaken = [
    'excluded.circuit_breaker_epoch >= coalesce(kept.circuit_breaker_epoch, 0)',
    // H7. One that no daemon has counted to.
    `kept.circuit_breaker_epoch > ${MAX_EPOCH}`,
    ...(isPublished ? ['excluded.version <> kept.version'] : []),
  ].join(' or ');
  const latest = [
    'avg_latency_ms',
    'p50_latency_ms',
    'p95_latency_ms',
    'p99_latency_ms',
    'latency_samples',
    'latency_sum',
  ];
  return sql.raw(`
    insert into ${table} as kept (${key}, success_count, failure_count, last_success, last_failure, last_latency_ms,
      ${latest.join(', ')}, latency_samples_window_start, ${Object.keys(breaker).join(', ')}, updated_at)
    select ${key}, success_delta, failure_delta, last_success, last_failure, last_latency_ms,
      ${latest.join(', ')}, window_start, ${Object.values(breaker).join(', ')}, now()
    from measured where ${which} order by ${key}
    on conflict (${key}) do update set
      success_count = ${sum('success_count')},
      failure_count = ${sum('failure_count')},
      last_success = ${later('last_success')},
      last_failure = ${later('last_failure')},
      last_latency_ms = coalesce(excluded.last_latency_ms, kept.last_latency_ms),
      ${latest.map((column) => `${column} = excluded.${column}`).join(', ')},
      latency_samples_window_start = coalesce(excluded.latency_samples_window_start, kept.latency_samples_window_start),
      ${Object.keys(breaker)
        .map((column) => `${column} = case when ${isTaken} then excluded.${column} else kept.${column} end`)
        .join(',\n      ')},
      updated_at = now()`);
}

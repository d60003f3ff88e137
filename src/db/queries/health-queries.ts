// Writes measured health to `extension_health` and `extension_version_health`.
//
// HEALTH-QUERIES-1. One statement for a batch, in order of id, so that two replicas never wait for each other in a circle.
// HEALTH-QUERIES-2. Counts are added to the row's, times only move forward, latencies are the latest.
// HEALTH-QUERIES-3. The breaker's columns are written only with an epoch that is not older than the row's, or by another version than the
//     row's: epochs of two targets say nothing about each other. The published row names the version they are of.
// HEALTH-QUERIES-4. The four threshold columns belong to operators and are never written.
// HEALTH-QUERIES-5. An extension that was deleted is dropped; a row that the database refuses is dropped alone, with its error.
// HEALTH-QUERIES-6. A rejection means that nothing was written, or that the answer was lost: then wasFlushed returns the answer, and prevents
//     that a flush still on its way is written after that (M24, M26). A number that is taken already is FlushTakenError: nothing was written.
// HEALTH-QUERIES-7. What a row holds already makes no sum overflow and no time stand still.
// HEALTH-QUERIES-8. What was measured for a row that was deleted is not written to one of the same name.
// HEALTH-QUERIES-9. A row that another transaction holds is skipped, and named as held; the others are written.
// HEALTH-QUERIES-10. Successes and failures stay with their version when another one is published: they move between the two tables, or the
//     published row is held as well if the row that they move to is.
import { type SQL, sql } from '#drizzle-orm';
import type { FlushResult, HealthFlushRow } from '../../actors/ports/storage.js';
import { MAX_EPOCH } from '../../domain/registry/sound-facts.js';
import type { Database } from '../client.js';
import { sqlState } from '../database-errors.js';
import { holdersOf, LOCK_NOT_AVAILABLE } from './lock-holders.js';
import { type RefusedRow, writeOrSplit } from './row-by-row.js';
import { WINDOW_COLUMNS } from './stale-windows.js';
import { inTransaction } from './transaction.js';

/** Names a flush: `writer` is the process (a UUID), and its numbers grow, from 1. */
interface Flush {
  readonly writer: string;
  readonly number: number;
}

/** M26. A row that a flush did not write. */
interface Refused {
  readonly extension_id: string;
  readonly version: string;
  readonly is_held: boolean;
  readonly error: string;
}

const MAX_BIGINT = '9223372036854775807';
/** HEALTH-QUERIES-7. */
const sum = (column: string, kept = `kept.${column}`): string =>
  `least(coalesce(${kept}, 0)::numeric + excluded.${column}, ${MAX_BIGINT})::bigint`;

/** HEALTH-QUERIES-6. The writer's row has this number or a later one: of the same flush, or because it was changed by other hands. */
export class FlushTakenError extends Error {
  constructor() {
    super('extension_health_writers has this number of a flush already, or a later one');
  }
}

/** Of the class that PostgreSQL leaves to applications. */
const FLUSH_TAKEN = 'EXF01';

/** Rejects with FlushTakenError, too. */
export async function flushHealth(db: Database, flush: Flush, rows: readonly HealthFlushRow[]): Promise<FlushResult> {
  if (rows.length === 0) return { dropped: [], held: [] };
  const refused = await writeOrSplit(db, {}, rows, {
    batch: () => writeBatch(db, flush, rows),
    statement: (given, into) => upserts(given, sql`select extension_id ${into} from skipped`),
    first: sql`${turn(flush)}; if not found then raise exception 'taken' using errcode = ${sql.raw(`'${FLUSH_TAKEN}'`)}; end if;`,
    last: keepRefused(flush, REFUSED_ALONE),
  }).catch((error: unknown) => {
    throw sqlState(error) === FLUSH_TAKEN ? new FlushTakenError() : error;
  });
  return resultOf(
    refused.map(({ row, isHeld, error }) => ({
      extension_id: row.extension_id,
      version: row.version,
      is_held: isHeld,
      error,
    })),
  );
}

/** HEALTH-QUERIES-6. null: it was not written, and will not be. */
export async function wasFlushed(db: Database, flush: Flush): Promise<FlushResult | null> {
  const [found] = await inTransaction<{ refused: Refused[] | null }>(
    db,
    {},
    turn(flush, sql`null`),
    // A separate statement, since the one before it may have waited for that flush to commit.
    answerOf(flush),
  );
  return found?.refused ? resultOf(found.refused) : null;
}

function resultOf(refused: readonly Refused[]): FlushResult {
  const named = (isHeld: boolean) =>
    refused
      .filter((one) => one.is_held === isHeld)
      .map(({ extension_id, version, error }) => ({ extension_id, version, error }));
  return { dropped: named(false), held: named(true) };
}

/** M24. Affects no row if the flush of that number, or a later one, was written already. `refused`: M26. */
const turn = ({ writer, number }: Flush, refused = sql`'[]'::jsonb`): SQL => sql`
  insert into extension_health_writers as w (writer, flush, refused) values (${writer}::uuid, ${number}, ${refused})
  on conflict (writer) do update set flush = excluded.flush, refused = excluded.refused, written_at = now() where w.flush < excluded.flush`;

/** No row if another flush than this one is the last. */
const answerOf = ({ writer, number }: Flush): SQL =>
  sql`select refused from extension_health_writers where writer = ${writer}::uuid and flush = ${number}`;

/** M26. `refused`: an array of Refused, of type jsonb. */
const keepRefused = ({ writer, number }: Flush, refused: SQL): SQL => sql`
  update extension_health_writers set refused = ${refused}
  where writer = ${writer}::uuid and flush = ${number} and current_setting('extreg.refused') <> '[]'`;

/** Of what row-by-row.ts has in its settings when it is done. */
const REFUSED_ALONE = sql`(
  select jsonb_agg(jsonb_build_object('extension_id', given ->> 'extension_id', 'version', given ->> 'version',
    'is_held', refusal ->> 'state' = ${sql.raw(`'${LOCK_NOT_AVAILABLE}'`)}, 'error', refusal -> 'error'))
  from jsonb_array_elements(current_setting('extreg.refused')::jsonb) as refusal
    cross join lateral (select (current_setting('extreg.rows')::json ->> (refusal ->> 'i')::integer)::jsonb as given) as batch)`;

/**
 * Waits for another daemon that writes the same rows, in order of id (HEALTH-QUERIES-1): it holds them for a moment only. The statement after
 * it skips what is held for longer.
 */
const WAIT = sql`do $extreg$
  declare
    rows constant jsonb := current_setting('extreg.rows');
  begin
    perform 1 from extension_version_health where (extension_id, version) in (
      select extension_id, version from jsonb_to_recordset(rows) as x (extension_id text, version text, published boolean) where not published)
      order by extension_id, version for no key update;
    perform 1 from extension_health where extension_id in (
      select extension_id from jsonb_to_recordset(rows) as x (extension_id text, published boolean) where published)
      order by extension_id for no key update;
  exception when lock_not_available then
    null;
  end $extreg$`;

/** HEALTH-QUERIES-9. */
async function writeBatch(
  db: Database,
  flush: Flush,
  rows: readonly HealthFlushRow[],
): Promise<RefusedRow<HealthFlushRow>[]> {
  const [answer] = await inTransaction<{ refused: Refused[] | null }>(
    db,
    {
      'extreg.rows': JSON.stringify(
        rows.map(({ extension_id, version, published }) => ({ extension_id, version, published })),
      ),
    },
    WAIT,
    upserts(sql`${JSON.stringify(rows)}::jsonb`, SKIPPED_AS_SETTING, sql`turn as (${turn(flush)} returning 1),`),
    keepRefused(flush, sql`current_setting('extreg.refused')::jsonb`),
    answerOf(flush),
  );
  if (answer === undefined) throw new FlushTakenError();
  if (!answer.refused?.length) return [];
  const names = new Set(answer.refused.map(nameOf));
  const held = rows.filter((row) => names.has(nameOf(row)));
  const holders = new Map<string, string>();
  for (const table of new Set(held.map(tableOf))) holders.set(table, await holdersOf(db, table));
  return held.map((row) => {
    const table = tableOf(row);
    return { row, isHeld: true, error: `a row of ${table} is locked by ${holders.get(table)}` };
  });
}

const nameOf = ({ extension_id, version }: Pick<HealthFlushRow, 'extension_id' | 'version'>): string =>
  `${extension_id}@${version}`;

const SKIPPED_AS_SETTING = sql`
  select set_config('extreg.refused', coalesce(jsonb_agg(jsonb_build_object('extension_id', extension_id, 'version', version,
    'is_held', true, 'error', 'its row was locked by another transaction')), '[]')::text, true)
  from skipped`;

const tableOf = ({ published }: HealthFlushRow): string =>
  published ? 'extension_health' : 'extension_version_health';

/** `last` selects from `skipped (extension_id, version)`. `turn`: a CTE; nothing is written unless it returns a row. */
function upserts(rows: SQL, last: SQL, turn?: SQL): SQL {
  return sql`
    with ${turn ?? sql``} given as (
      select * from jsonb_to_recordset(${rows}) as given (
        extension_id text, extension_uid uuid, version_uid uuid, version text, published boolean, success_delta bigint, failure_delta bigint,
        last_success_ago_ms float8, last_failure_ago_ms float8,
        last_latency_ms numeric, avg_latency_ms numeric, p50_latency_ms numeric, p95_latency_ms numeric, p99_latency_ms numeric,
        latency_samples numeric, latency_sum numeric, latency_window_ago_ms float8,
        circuit_breaker_state text, opened_ago_ms float8, open_remaining_ms float8, trips integer, epoch bigint,
        half_open_requests_count integer, auto_disabled boolean)
      ${turn === undefined ? sql`` : sql`where exists (select from turn)`}
    ), measured as materialized (
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
    ), ${available('published_rows', 'extension_health', ['extension_id'], 'published')},
    ${available('other_rows', 'extension_version_health', ['extension_id', 'version'], 'not published')},
    ${moving},
    other_targets as (
      ${upsert('extension_version_health', ['extension_id', 'version'], 'other_rows')}
    ), published_targets as (
      ${upsert('extension_health', ['extension_id'], 'published_rows')}
    ), skipped as (
      select extension_id, version from published_rows where is_held
      union all select extension_id, version from other_rows where is_held
    )
    ${last}`;
}

/** HEALTH-QUERIES-9. The measured rows of a table, each with `is_held`: another transaction holds it. The others are locked by this one. */
const available = (name: string, table: string, keys: readonly string[], which: string): SQL => {
  const isSame = keys.map((key) => `h.${key} = m.${key}`).join(' and ');
  return sql.raw(`${name}_taken as materialized (
      select ${keys.map((key) => `h.${key}`).join(', ')} from ${table} as h
      where exists (select from measured as m where ${which} and ${isSame}) for no key update skip locked
    ), ${name} as materialized (
      select m.*, exists (select from ${table} as h where ${isSame}) and not exists (select from ${name}_taken as h where ${isSame}) as is_held
      from measured as m where ${which}
    )`);
};

/** HEALTH-QUERIES-10. Extensions whose published row changes to another version: the counts of the old one move to extension_version_health. */
const moving = sql.raw(`moving as materialized (
      select h.extension_id, h.version as left_version, m.version,
        coalesce(h.success_count, 0) as success_count, coalesce(h.failure_count, 0) as failure_count
      from published_rows as m join extension_health as h on h.extension_id = m.extension_id
      where not m.is_held and h.version <> m.version
    ), left_counts as (
      insert into extension_version_health as kept (extension_id, version, success_count, failure_count, updated_at)
      select extension_id, left_version, success_count, failure_count, now() from moving
      where (exists (select from extension_versions as v where v.id = moving.extension_id and v.version = left_version)
          or exists (select from extensions as x where x.id = moving.extension_id and x.version = left_version))
        and not exists (
          select from other_rows as o where o.extension_id = moving.extension_id and o.version = left_version and not o.is_held)
      order by extension_id, left_version
      on conflict (extension_id, version) do update set
        success_count = ${sum('success_count')}, failure_count = ${sum('failure_count')}
    ), taken_counts as (
      update extension_version_health as kept set success_count = 0, failure_count = 0 from moving
      where kept.extension_id = moving.extension_id and kept.version = moving.version
    )`);

const later = (column: string): string =>
  `greatest(case when isfinite(kept.${column}) then kept.${column} end, excluded.${column})`;

/** The same for both tables, whose measured columns have the same names; each column of `breaker` with what it gets. */
function upsert(table: string, keys: readonly string[], rows: string): SQL {
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
  // A row without a version may be of any: it counts as one of the same version.
  const isTaken = [
    'excluded.circuit_breaker_epoch >= coalesce(kept.circuit_breaker_epoch, 0)',
    // HEALTH-QUERIES-7. An epoch that no daemon can have reached.
    `kept.circuit_breaker_epoch > ${MAX_EPOCH}`,
    ...(isPublished ? ['excluded.version <> kept.version'] : []),
  ].join(' or ');
  // HEALTH-QUERIES-10.
  const own = (column: string): string => `(select e.${column} from extension_version_health as e
    where e.extension_id = kept.extension_id and e.version = excluded.version)`;
  const counted = (column: string): string =>
    isPublished
      ? `case when excluded.version <> kept.version then ${sum(column, own(column))} else ${sum(column)} end`
      : sum(column);
  const come = (delta: string, column: string): string =>
    isPublished
      ? delta
      : `least(${delta}::numeric + coalesce((select m.${column} from moving as m
          where m.extension_id = r.extension_id and m.left_version = r.version), 0), ${MAX_BIGINT})::bigint`;
  return sql.raw(`
    insert into ${table} as kept (${key}, success_count, failure_count, last_success, last_failure, last_latency_ms,
      ${WINDOW_COLUMNS.join(', ')}, latency_samples_window_start, ${Object.keys(breaker).join(', ')}, updated_at)
    select ${key}, ${come('success_delta', 'success_count')}, ${come('failure_delta', 'failure_count')}, last_success, last_failure, last_latency_ms,
      ${WINDOW_COLUMNS.join(', ')}, window_start, ${Object.values(breaker).join(', ')}, now()
    from ${rows} as r where not is_held order by ${key}
    on conflict (${key}) do update set
      success_count = ${counted('success_count')},
      failure_count = ${counted('failure_count')},
      last_success = ${later('last_success')},
      last_failure = ${later('last_failure')},
      last_latency_ms = coalesce(excluded.last_latency_ms, kept.last_latency_ms),
      ${WINDOW_COLUMNS.map((column) => `${column} = excluded.${column}`).join(', ')},
      latency_samples_window_start = excluded.latency_samples_window_start,
      ${Object.keys(breaker)
        .map((column) => `${column} = case when ${isTaken} then excluded.${column} else kept.${column} end`)
        .join(',\n      ')},
      updated_at = now()`);
}

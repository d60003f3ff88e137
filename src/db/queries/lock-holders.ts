// Which transaction holds the lock that a statement timed out on: the row is read from the error, its holder from pg_locks.
import { sql } from '#drizzle-orm';
import { HeldError } from '../../domain/registry/held-error.js';
import type { Database } from '../client.js';
import { errorText, serverError, sqlState } from '../database-errors.js';

export const LOCK_NOT_AVAILABLE = '55P03';

const REVISION = 'registry_revision';
/** By table, the SQL expression that names a row in errors; null: the table has one row. */
const NAMES: Readonly<Record<string, string | null>> = {
  extensions: 'id',
  extension_versions: "id || '@' || version",
  extension_instances: "extension_id || '/' || instance_id",
  extension_health: 'extension_id',
  extension_version_health: "extension_id || '@' || version",
  extension_rollouts: 'extension_id',
  [REVISION]: null,
};
const OTHERS = ['extension_audit_log', 'extension_health_writers'];

interface Holder extends Record<string, unknown> {
  readonly pid: number;
  readonly application: string | null;
  readonly user: string | null;
  readonly seconds: number | null;
}

interface Found extends Record<string, unknown> {
  readonly name: string | null;
  /** A whole table is locked. */
  readonly is_whole?: boolean;
  readonly holders: readonly Holder[];
}

/** `error` has the SQLSTATE LOCK_NOT_AVAILABLE; `about`: what was to be written. The message omits what cannot be determined. */
export async function heldError(db: Database, error: unknown, about = 'a row'): Promise<HeldError> {
  const where = serverError(error)?.where ?? '';
  // The error names no tuple for a wait on a table, nor for a wait in a queue of others for the same row.
  const [, block, offset, relation] = /tuple \((\d+),(\d+)\) in relation "(\w+)"/.exec(where) ?? [];
  const table = relation === undefined || !Object.hasOwn(NAMES, relation) ? null : relation;
  const isRevision = table === REVISION || where.includes('extreg_next_revision');
  const look = async (): Promise<Found | null> => {
    if (table !== null) return ofRow(db, table, `(${block},${offset})`);
    return ofTables(db, isRevision ? [REVISION] : undefined);
  };
  const found = await look().catch(() => null);
  const name = found?.name ?? null;
  let row: string | null = null;
  let what: string;
  if (isRevision) what = `the row of ${REVISION}, which every change of the registry needs,`;
  else if (table !== null) what = row = name === null ? `a row of ${table}` : `${table} '${name}'`;
  else if (relation !== undefined) what = row = `a row that is being inserted (${relation})`;
  else if (found?.is_whole === false) what = row = about;
  else what = 'a table of the registry';
  return new HeldError(`${errorText(error)}: ${what} is locked by ${holdersText(found?.holders ?? [])}`, row);
}

/** As text: the transaction that holds rows of that table, for rows that were skipped (`skip locked`). */
export async function holdersOf(db: Database, table: string): Promise<string> {
  return holdersText((await ofTables(db, [table]).catch(() => null))?.holders ?? []);
}

/** As heldError, for an advisory lock with this key. */
export async function advisoryHeldError(db: Database, error: unknown, key: string, what: string): Promise<HeldError> {
  const [found] = await db
    .execute<Found>(sql`
      select null as name, coalesce(jsonb_agg(${HOLDER}), '[]') as holders from pg_stat_activity as a where a.pid in (
        select pid from pg_locks where locktype = 'advisory' and granted and objsubid = 1
          and classid::bigint = ${key}::bigint >> 32 and objid::bigint = ${key}::bigint & 4294967295)`)
    .catch(() => []);
  return new HeldError(`${errorText(error)}: ${what} is held by ${holdersText(found?.holders ?? [])}`, null);
}

/** Turns a lock timeout of `work` into a HeldError. */
export async function namingHolders<T>(db: Database, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw sqlState(error) === LOCK_NOT_AVAILABLE ? await heldError(db, error) : error;
  }
}

/** Runs `work` with this lock timeout; a timeout rejects with HeldError. `db` has a single connection. */
export async function withLockTimeout<T>(db: Database, seconds: number, work: () => Promise<T>): Promise<T> {
  await db.execute(sql.raw(`set lock_timeout = '${seconds}s'`));
  try {
    return await namingHolders(db, work);
  } finally {
    // The embedded database has one session for all clients, in which the setting would stay.
    await db.execute(sql`reset lock_timeout`).catch(() => undefined);
  }
}

const holdersText = (holders: readonly Holder[]): string =>
  holders.length === 0
    ? 'a transaction that has ended since, or is not shown'
    : holders
        .map(({ pid, application, user, seconds }) => {
          const who = [application || 'no application name', ...(user === null ? [] : [`user ${user}`])].join(', ');
          return `process ${pid} (${who})${seconds === null ? '' : `, in a transaction for ${Math.max(0, Math.round(seconds))} s`}`;
        })
        .join(' and ');

const HOLDER =
  sql.raw(`jsonb_build_object('pid', a.pid, 'application', left(a.application_name, 100), 'user', a.usename,
  'seconds', extract(epoch from clock_timestamp() - a.xact_start))`);

/** The transaction that has locked the row version `tuple`. */
async function ofRow(db: Database, table: string, tuple: string): Promise<Found | null> {
  const name = NAMES[table] ?? null;
  const [found] = await db.execute<Found>(sql`
    select ${sql.raw(name === null ? 'null' : `left(${name}, 600)`)} as name, coalesce((
        select jsonb_agg(${HOLDER}) from pg_locks as l join pg_stat_activity as a on a.pid = l.pid
        where l.locktype = 'transactionid' and l.granted and l.transactionid = held.xmax
      ), '[]') as holders
    from ${sql.raw(table)} as held where ctid = ${tuple}::tid`);
  if (found !== undefined && found.holders.length > 0) return found;
  // Several transactions share the lock, or the row has been written since.
  return { name: found?.name ?? null, holders: (await ofTables(db, [table]))?.holders ?? [] };
}

/** Lock modes that block writers or readers of a whole table. */
const WHOLE = "('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock')";

/** The transaction with the strongest lock on one of the tables, the oldest first; those that wait themselves come last. */
async function ofTables(
  db: Database,
  tables: readonly string[] = [...Object.keys(NAMES), ...OTHERS],
): Promise<Found | null> {
  const [found] = await db.execute<Found>(sql`
    with held as materialized (
      select l.pid, bool_or(s.wait_event_type is not distinct from 'Lock') as is_waiting, bool_or(l.mode in ${sql.raw(WHOLE)}) as is_whole,
        min(s.xact_start) as since
      from pg_locks as l join pg_stat_activity as s on s.pid = l.pid
      where l.locktype = 'relation' and l.granted and l.pid <> pg_backend_pid() and l.mode <> 'AccessShareLock'
        and l.relation in (select to_regclass(name) from jsonb_array_elements_text(${JSON.stringify(tables)}::jsonb) as name)
      group by l.pid
    ), first as (select pid from held order by is_waiting, is_whole desc, since limit 1)
    select null as name, coalesce((select bool_or(is_whole) from held), false) as is_whole,
      (select coalesce(jsonb_agg(${HOLDER}), '[]') from pg_stat_activity as a where a.pid in (select pid from first)) as holders`);
  return found ?? null;
}

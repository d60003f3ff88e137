// Reads the registry: whole, some extensions of it, or what changed in it. Each is one statement, which sees one moment; a
// whole registry, read in pages, is brought to one moment by what changed while it was read.
//
// REGISTRY-QUERIES-1. Everything a call returns belongs to the revision it names (see readSnapshot for its one exception).
// REGISTRY-QUERIES-2. A threshold column that holds the predecessor's default was set by no operator and counts as null.
// REGISTRY-QUERIES-3. An extension whose rows the database cannot return is reported alone; the others are read.
// REGISTRY-QUERIES-4. What follows a position is found by its token: by number alone, a restored registry would pass for the same one.
// REGISTRY-QUERIES-5. A locked table is waited for briefly; the error then names the holder.
import { type SQL, sql } from '#drizzle-orm';
import type { RegistryEntry, RegistryPosition, UnreadableEntry } from '../../domain/registry/registry-rows.js';
import type { Database } from '../client.js';
import { errorText, sqlState } from '../database-errors.js';
import { type FlatRow, toEntries } from './registry-entries.js';
import { ENTRY_ROWS, KIND, POSITION } from './registry-sql.js';
import { inTransaction } from './transaction.js';

/** Extensions read at a time, so that no answer grows with the registry. */
const PAGE = 500;
/** More changed extensions than this are read in pages; more than the second number as a whole registry. */
const CHANGES_MAX = 1000;
const MANY_CHANGES_MAX = 10_000;
/** Readings of the whole registry, each of which another history interrupts, before it is given up for now. */
const SNAPSHOT_TRIES = 3;

export interface RegistrySnapshot {
  readonly revision: number;
  readonly entries: readonly RegistryEntry[];
  readonly unreadable?: readonly UnreadableEntry[];
  /** null: not known. */
  readonly position?: RegistryPosition | null;
}

export interface RegistryChanges {
  readonly revision: number;
  readonly position: RegistryPosition;
  /**
   * `complete`: all that changed. Else the entries are empty: `gap` if what changed is no longer known, or is too much;
   * `other_history` if the position asked for is not one of this registry.
   */
  readonly kind: 'complete' | 'gap' | 'other_history';
  readonly entries: readonly RegistryEntry[];
  readonly unreadable: readonly UnreadableEntry[];
  readonly removedIds: readonly string[];
}

export class RegistryRowMissingError extends Error {
  override readonly name = 'RegistryRowMissingError';
  constructor() {
    super('registry_revision has no row');
  }
}

/** Rejects with RegistryRowMissingError if the registry has none. */
export async function readPosition(db: Database): Promise<RegistryPosition> {
  const [row] = await inTransaction<{ position: RegistryPosition }>(
    db,
    {},
    sql`select ${sql.raw(POSITION)} as position from registry_revision as p limit 1`,
  );
  if (row === undefined) throw new RegistryRowMissingError();
  return row.position;
}

/** Number of the last committed change. */
export const readRevision = async (db: Database): Promise<number> => (await readPosition(db)).revision;

/**
 * The whole registry. If so much changes meanwhile that it is no longer known, some entries are newer than `revision`:
 * readChanges then returns again what changed after it.
 */
export async function readSnapshot(db: Database): Promise<RegistrySnapshot & { readonly position: RegistryPosition }> {
  for (let tries = 1; ; tries++) {
    const start = await readPosition(db);
    let entries: RegistryEntry[] = [];
    const unreadable = new Map<string, UnreadableEntry>();
    for await (const page of readingPages(db)) {
      for (const entry of page.entries) entries.push(entry);
      for (const one of page.unreadable) unreadable.set(one.id, one);
    }
    const meanwhile = await readChanges(db, start);
    if (meanwhile.kind === 'other_history' && tries < SNAPSHOT_TRIES) continue;
    const changed = new Set([...meanwhile.removedIds, ...meanwhile.entries.map((entry) => entry.extension.id)]);
    for (const id of changed) unreadable.delete(id);
    for (const one of meanwhile.unreadable) {
      changed.add(one.id);
      unreadable.set(one.id, one);
    }
    if (changed.size > 0) entries = entries.filter(({ extension }) => !changed.has(extension.id));
    for (const entry of meanwhile.entries) entries.push(entry);
    const position = meanwhile.kind === 'complete' ? meanwhile.position : start;
    const { revision } = position;
    return { revision, position, entries, unreadable: [...unreadable.values()] };
  }
}

/** These extensions, as far as they exist, in order of id. */
export async function readEntries(db: Database, ids: readonly string[]): Promise<RegistryEntry[]> {
  return [...(await readIds(db, ids)).entries];
}

/** What changed after `since`, or why that is not known. */
export async function readChanges(db: Database, since: RegistryPosition): Promise<RegistryChanges> {
  try {
    const rows = await inTransaction<FlatRow>(db, {}, changesAfter(since, ENTRY_ROWS, CHANGES_MAX));
    const { kind, ids } = changesRowOf(rows);
    if (kind !== 'complete' || ids.length <= CHANGES_MAX)
      return changesOf(rows, await toEntries(rows.filter((row) => row.kind !== KIND.position)), []);
  } catch (error) {
    if (!mayBeOneRow(error)) throw error;
  }
  return readChangesInPages(db, since);
}

/** Many, or some that cannot be read (REGISTRY-QUERIES-3). Newer than the position, so that what changes meanwhile is read again. */
async function readChangesInPages(db: Database, since: RegistryPosition): Promise<RegistryChanges> {
  const rows = await inTransaction<FlatRow>(db, {}, changesAfter(since, NO_ROWS, MANY_CHANGES_MAX));
  const { ids } = changesRowOf(rows);
  const entries: RegistryEntry[] = [];
  const unreadable: UnreadableEntry[] = [];
  if (ids.length <= MANY_CHANGES_MAX && !ids.includes(EMPTIED))
    for (let i = 0; i < ids.length; i += PAGE) {
      const page = await readIds(db, ids.slice(i, i + PAGE));
      entries.push(...page.entries);
      unreadable.push(...page.unreadable);
    }
  return changesOf(rows, entries, unreadable);
}

function changesRowOf(rows: readonly FlatRow[]): ChangesRow {
  const found = rows.find((row) => row.kind === KIND.position)?.row as ChangesRow | undefined;
  if (found === undefined) throw new RegistryRowMissingError();
  return found;
}

/** Stands for all ids: a table was emptied. */
const EMPTIED = '*';

/** `row` of the row with the registry's position, and what is new. */
interface ChangesRow {
  readonly position: RegistryPosition;
  readonly kind: RegistryChanges['kind'];
  readonly ids: readonly string[];
}

function changesOf(
  rows: readonly FlatRow[],
  entries: readonly RegistryEntry[],
  unreadable: readonly UnreadableEntry[],
): RegistryChanges {
  const { position, kind, ids } = changesRowOf(rows);
  const { revision } = position;
  if (kind !== 'complete' || ids.length > MANY_CHANGES_MAX || ids.includes(EMPTIED))
    return {
      revision,
      position,
      kind: kind === 'complete' ? 'gap' : kind,
      entries: [],
      unreadable: [],
      removedIds: [],
    };
  const present = new Set([...entries.map((entry) => entry.extension.id), ...unreadable.map(({ id }) => id)]);
  return { revision, position, kind, entries, unreadable, removedIds: ids.filter((id) => !present.has(id)) };
}

/**
 * REGISTRY-QUERIES-4. An extension that was renamed is gone under its old id. `rows`: of the changed ones.
 * The limits keep the planner's estimate low: above 100 000 PostgreSQL compiles the query, for a second.
 */
const changesAfter = ({ revision, token, history }: RegistryPosition, rows: SQL, max: number): SQL => sql`
  with p as materialized (select tableoid, xmin, * from registry_revision limit 1),
  trail as materialized (
    select extension_id, coalesce(old_values ->> 'extension_id', old_values ->> 'id') as old_id, token, follows
    from extension_audit_log where revision > ${revision} and revision <= ${Number.MAX_SAFE_INTEGER}
  ), step as materialized (select distinct token, follows from trail where token is not null),
  link as (
    select p.token = ${token}::uuid and p.revision = ${revision} as is_same, (
        exists (select from step where follows = ${token}::uuid) and exists (select from step where step.token = p.token)
        and not exists (select from step where follows is null
          or follows <> ${token}::uuid and follows not in (select token from step))
      ) as is_chain,
      p.history = ${history}::uuid and p.revision > ${revision} and coalesce((
        select min(revision) from extension_audit_log where revision >= 0 and token is not null) > ${revision}::bigint + 1, true) as is_gap
    from p
  ), wanted as materialized (
    select extension_id as id from trail union select old_id from trail where old_id is not null limit ${max + 1}
  )
  select '' as id, ${sql.raw(String(KIND.position))} as kind, '' as name, jsonb_build_object(
      'position', ${sql.raw(POSITION)},
      'kind', case when is_same or is_chain then 'complete' when is_gap then 'gap' else 'other_history' end,
      'ids', (select coalesce(jsonb_agg(id order by id), '[]') from wanted)) as row
    from p, link
  union all (${rows})
  order by 1, 2, 3`;

const NO_ROWS = sql`select '', 0, '', null::jsonb where false`;

interface Page {
  readonly entries: readonly RegistryEntry[];
  readonly unreadable: readonly UnreadableEntry[];
}

interface PageRows {
  readonly toPage: () => Promise<Page>;
  /** null: it is the last one. */
  readonly last: string | null;
}

/** The database reads the next page while this one is put together. */
async function* readingPages(db: Database): AsyncGenerator<Page> {
  let next = readPageRows(db, '');
  for (;;) {
    const { toPage, last } = await next;
    if (last !== null) {
      next = readPageRows(db, last);
      // Its error is thrown where it is awaited; if this page fails first, it is of no interest.
      next.catch(() => undefined);
    }
    yield await toPage();
    if (last === null) return;
  }
}

async function readPageRows(db: Database, after: string): Promise<PageRows> {
  const ids = sql`select id from extensions where id > ${after} order by id limit ${PAGE}`;
  try {
    const rows = await inTransaction<FlatRow>(
      db,
      {},
      sql`with wanted as materialized (${ids}) ${ENTRY_ROWS} order by 1, 2, 3`,
    );
    let extensions = 0;
    for (const { kind } of rows) if (kind === KIND.extension) extensions++;
    const toPage = async () => ({ entries: await toEntries(rows), unreadable: [] });
    return { toPage, last: extensions < PAGE ? null : (rows.at(-1)?.id ?? null) };
  } catch (error) {
    if (!mayBeOneRow(error)) throw error;
    const rows = await inTransaction<{ id: string }>(db, {}, ids);
    const wanted = rows.map(({ id }) => id);
    return { toPage: () => readEach(db, wanted, error), last: rows.length < PAGE ? null : (wanted.at(-1) ?? null) };
  }
}

async function readIds(db: Database, ids: readonly string[]): Promise<Page> {
  if (ids.length === 0) return { entries: [], unreadable: [] };
  try {
    const rows = await inTransaction<FlatRow>(
      db,
      {},
      sql`
      with wanted as materialized (select jsonb_array_elements_text(${JSON.stringify(ids)}::jsonb) as id)
      ${ENTRY_ROWS} order by 1, 2, 3`,
    );
    return { entries: await toEntries(rows), unreadable: [] };
  } catch (error) {
    if (!mayBeOneRow(error)) throw error;
    return readEach(db, ids, error);
  }
}

/** REGISTRY-QUERIES-3. `error`: what reading all of them together said. */
async function readEach(db: Database, ids: readonly string[], error: unknown): Promise<Page> {
  if (ids.length === 1) return { entries: [], unreadable: [{ id: ids[0] as string, error: errorText(error) }] };
  const middle = Math.ceil(ids.length / 2);
  const left = await readIds(db, ids.slice(0, middle));
  const right = await readIds(db, ids.slice(middle));
  return { entries: [...left.entries, ...right.entries], unreadable: [...left.unreadable, ...right.unreadable] };
}

// data exception, cardinality, out of memory for what was asked, limit of the server, a damaged page
const ROW_CLASSES = new Set(['21', '22', '53', '54', 'XX']);

const mayBeOneRow = (error: unknown): boolean => ROW_CLASSES.has(sqlState(error)?.slice(0, 2) ?? '');

/** Inserts the row of registry_revision if it is missing, with a number above all that the trail has. */
export async function healRevision(db: Database): Promise<void> {
  await inTransaction(
    db,
    {},
    sql`insert into registry_revision (revision) values (extreg_last_revision() + 1) on conflict do nothing`,
  );
  await inTransaction(
    db,
    {},
    sql`update registry_revision set revision = extreg_last_revision() where revision < extreg_last_revision()`,
  );
}

/** False: the tables are not whole, as while the registry is being restored: what they hold is no registry. */
export async function isRegistryWhole(db: Database): Promise<boolean> {
  const [row] = await inTransaction<{ recorded: number }>(
    db,
    {},
    sql`
    select count(*)::int as recorded from pg_trigger
    where tgname = 'extreg_record' and tgrelid in (
      to_regclass('extensions'), to_regclass('extension_versions'), to_regclass('extension_instances'))`,
  );
  return row?.recorded === 3;
}

// Reads the registry: whole, some extensions of it, or what changed in it. Each is one statement, which sees one moment; a
// whole registry, read in pages, is brought to one moment by what changed while it was read.
//
// Q1. Everything a call returns belongs to the revision it names (see readSnapshot for its one exception).
// Q2. Ages are reckoned by the database's clock.
// Q3. A threshold column that holds the predecessor's default was set by nobody and counts as null.
import { type SQL, sql } from '#drizzle-orm';
import { AUTO_MANAGER } from '../domain/auto-management.js';
import {
  type BreakerFactsRow,
  type ExtensionRow,
  type InstanceRow,
  PREDECESSOR_THRESHOLDS,
  type PublishedFactsRow,
  type RegistryEntry,
  type ThresholdColumns,
  type VersionRow,
} from '../domain/registry-rows.js';
import type { Database } from './client.js';
import { registryRevision } from './schema.js';

/** Extensions read at a time, so that no answer grows with the registry. */
const PAGE = 1000;
/** More changes than this are read as a whole registry, in pages. */
const CHANGES_MAX = 1000;

export interface RegistrySnapshot {
  readonly revision: number;
  readonly entries: readonly RegistryEntry[];
}

export interface RegistryChanges {
  readonly revision: number;
  /** False: what changed since cannot be told (not kept any more, too much, a database older than that); entries are empty then. */
  readonly complete: boolean;
  readonly entries: readonly RegistryEntry[];
  readonly removedIds: readonly string[];
}

/**
 * The whole registry. Where so much changes meanwhile that it cannot be told, some entries are newer than `revision`:
 * what changed after it is then told again by readChanges.
 */
export async function readSnapshot(db: Database): Promise<RegistrySnapshot> {
  const start = await readRevision(db);
  const entries = new Map<string, RegistryEntry>();
  for (let last = '', whole = false; !whole; ) {
    const page: EntryRow[] = await db.execute<EntryRow>(sql`
      select ${ENTRY} from extensions where extensions.id > ${last} order by extensions.id limit ${PAGE}`);
    for (const row of page) entries.set(row.extension.id, toEntry(row));
    whole = page.length < PAGE;
    last = page.at(-1)?.extension.id ?? last;
  }
  const meanwhile = await readChanges(db, start);
  for (const id of meanwhile.removedIds) entries.delete(id);
  for (const entry of meanwhile.entries) entries.set(entry.extension.id, entry);
  return { revision: meanwhile.complete ? meanwhile.revision : start, entries: [...entries.values()] };
}

/** These extensions, as far as they exist, in order of id. */
export async function readEntries(db: Database, ids: readonly string[]): Promise<RegistryEntry[]> {
  const rows = await db.execute<EntryRow>(sql`
    select ${ENTRY} from extensions
    where extensions.id in (select jsonb_array_elements_text(${JSON.stringify(ids)}::jsonb)) order by extensions.id`);
  return rows.map(toEntry);
}

/** Number of the last committed change. */
export async function readRevision(db: Database): Promise<number> {
  const [row] = await db.select({ revision: registryRevision.revision }).from(registryRevision);
  return row?.revision ?? 0;
}

/** What changed after `revision`, or that it cannot be told. */
export async function readChanges(db: Database, revision: number): Promise<RegistryChanges> {
  // An extension that was renamed is gone under its old id. '*' is a table that was emptied.
  // The limits keep the planner's estimate low: above 100 000 PostgreSQL compiles the query, for a second.
  const rows = await db.execute<ChangeRow>(sql`
    with now as (
      select revision, (select min(revision) from extension_audit_log where revision is not null) as oldest
      from registry_revision limit 1
    ), trail as (
      select extension_id, coalesce(old_values ->> 'extension_id', old_values ->> 'id') as old_id
      from extension_audit_log where revision > ${revision}
    ), changed as (
      select extension_id as id from trail union select old_id from trail where old_id is not null limit ${CHANGES_MAX + 1}
    )
    select now.revision::float8 as revision, now.oldest::float8 as oldest, changed.id as changed_id, ${ENTRY}
    from now left join changed on true left join extensions on extensions.id = changed.id
    order by changed.id`);
  const now = rows[0]?.revision ?? 0;
  const oldest = rows[0]?.oldest ?? null;
  const ids = rows.map((row) => row.changed_id).filter((id) => id !== null);
  const gap = now !== revision && (oldest === null || oldest > revision + 1);
  if (now < revision || gap || ids.length > CHANGES_MAX || ids.includes('*'))
    return { revision: now, complete: false, entries: [], removedIds: [] };
  const present = rows.filter((row) => row.extension.id !== null);
  const removedIds = rows.filter((row) => row.extension.id === null && row.changed_id !== null);
  return {
    revision: now,
    complete: true,
    entries: present.map(toEntry),
    removedIds: removedIds.map((row) => row.changed_id ?? ''),
  };
}

type HealthRow = PublishedFactsRow & ThresholdColumns;

interface EntryRow extends Record<string, unknown> {
  readonly extension: ExtensionRow;
  readonly versions: VersionRow[];
  readonly instances: InstanceRow[];
  readonly health: HealthRow | null;
  readonly version_health: (BreakerFactsRow & { readonly version: string })[];
}

interface ChangeRow extends EntryRow {
  readonly revision: number;
  readonly oldest: number | null;
  readonly changed_id: string | null;
}

/** An object of these columns of a table, by their own names. */
function columns(table: string, names: readonly string[], more = ''): string {
  return `jsonb_build_object(${names.map((name) => `'${name}', ${table}.${name}`).join(', ')}${more})`;
}

const milliseconds = (interval: string) => `round(extract(epoch from ${interval}) * 1000)`;

/** Q2. */
function facts(table: string): string {
  const instant = (name: string) => `to_char(${table}.${name} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
  return `
    'state', ${table}.circuit_breaker_state,
    'opened_ago_ms', ${milliseconds(`clock_timestamp() - ${table}.circuit_breaker_opened_at`)},
    'open_remaining_ms', ${milliseconds(`${table}.circuit_breaker_open_until - clock_timestamp()`)},
    'trips', ${table}.circuit_breaker_trips, 'epoch', ${table}.circuit_breaker_epoch,
    'success_count', coalesce(${table}.success_count, 0), 'failure_count', coalesce(${table}.failure_count, 0),
    'last_success', ${instant('last_success')}, 'last_failure', ${instant('last_failure')}`;
}

/** What the newest of these audit rows says. */
const newest = (what: string, which: string) => `(
  select ${what} from extension_audit_log as log where ${which}
  order by log.revision desc nulls last, log.changed_at desc limit 1)`;
const putBack = (to: string) =>
  `jsonb_build_object('id', log.id, 'to', ${to}, 'ago_ms', ${milliseconds('clock_timestamp() - log.changed_at')})`;
const SWITCHED = `log.extension_id = extensions.id and log.action in ('enable', 'disable', 'reset')`;
const WAS_AUTO_DISABLED = `log.action = 'enable' and (log.old_values ->> 'auto_disabled')::boolean`;
const EXTENSION = columns(
  'extensions',
  [
    ...['id', 'type', 'subject', 'timeout_ms', 'retry', 'enabled', 'version', 'config', 'metadata', 'policy'],
    ...['auto_disabled', 'breaker_override', 'breaker_resets', 'revision'],
  ],
  `, 'switched_by', ${newest('log.changed_by', SWITCHED)},
  'put_back', ${newest(
    `case when log.action <> 'disable' and log.changed_by is distinct from '${AUTO_MANAGER}'
      then ${putBack(`case when ${WAS_AUTO_DISABLED} then 'half_open' else 'closed' end`)} end`,
    SWITCHED,
  )}`,
);
const VERSION = columns(
  'v',
  [
    ...['id', 'version', 'subject', 'timeout_ms', 'retry', 'config', 'routing_rules', 'rollout_percent', 'rollout_key'],
    ...['enabled', 'breaker_override', 'breaker_resets', 'revision'],
  ],
  `, 'put_back', ${newest(
    putBack("'closed'"),
    `log.extension_id = v.id and log.action in ('version_enable', 'version_reset')
      and log.new_values ->> 'version' = v.version`,
  )}`,
);
const INSTANCE = columns('i', [
  ...['extension_id', 'instance_id', 'subject', 'weight', 'enabled', 'health_status', 'version', 'revision'],
]);

/** One extension with all that belongs to it. */
const ENTRY: SQL = sql.raw(`
  ${EXTENSION} as extension,
  (select coalesce(jsonb_agg(${VERSION} order by v.version), '[]')
    from extension_versions as v where v.id = extensions.id) as versions,
  (select coalesce(jsonb_agg(${INSTANCE} order by i.instance_id), '[]')
    from extension_instances as i where i.extension_id = extensions.id) as instances,
  (select jsonb_build_object('version', h.version, ${facts('h')},
      'failure_threshold', h.circuit_breaker_failure_threshold,
      'error_rate_threshold', h.circuit_breaker_error_rate_threshold,
      'window_seconds', h.circuit_breaker_window_seconds,
      'half_open_max_requests', h.half_open_max_requests)
    from extension_health as h where h.extension_id = extensions.id) as health,
  (select coalesce(jsonb_agg(jsonb_build_object('version', vh.version, ${facts('vh')}) order by vh.version), '[]')
    from extension_version_health as vh where vh.extension_id = extensions.id) as version_health`);

function toEntry({ extension, versions, instances, health, version_health }: EntryRow): RegistryEntry {
  // Version names come from people: `__proto__` is one like any other.
  const versionFacts: Record<string, BreakerFactsRow> = Object.create(null);
  for (const { version, ...facts } of version_health) versionFacts[version] = facts;
  if (health === null) return { extension, versions, instances, facts: null, versionFacts, thresholds: null };
  const { failure_threshold, error_rate_threshold, window_seconds, half_open_max_requests, ...facts } = health;
  const thresholds = decided({ failure_threshold, error_rate_threshold, window_seconds, half_open_max_requests });
  return { extension, versions, instances, facts, versionFacts, thresholds };
}

/** Q3. */
function decided(given: ThresholdColumns): ThresholdColumns {
  const unlessDefault = (name: keyof ThresholdColumns) =>
    given[name] === PREDECESSOR_THRESHOLDS[name] ? null : given[name];
  return {
    failure_threshold: unlessDefault('failure_threshold'),
    error_rate_threshold: unlessDefault('error_rate_threshold'),
    window_seconds: unlessDefault('window_seconds'),
    half_open_max_requests: unlessDefault('half_open_max_requests'),
  };
}

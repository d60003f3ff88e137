// Reads the registry: whole, or some extensions of it, always as of one revision.
//
// Q1. Everything a call returns belongs to one moment: it is read in one repeatable-read transaction.
// Q2. Ages are reckoned by the database's clock.
// Q3. A threshold column that holds the predecessor's default was set by nobody and counts as null.
import { and, asc, gt, inArray, lte, type SQL, sql } from 'drizzle-orm';
import type { PgColumn } from 'drizzle-orm/pg-core';
import type {
  BreakerFactsRow,
  InstanceRow,
  RegistryEntry,
  ThresholdColumns,
  VersionRow,
} from '../domain/registry-rows.js';
import type { Database, Queryable } from './client.js';
import {
  extensionHealth,
  extensionInstances,
  extensions,
  extensionVersionHealth,
  extensionVersions,
  registryRevision,
} from './schema.js';

/** Extensions read at a time, so that no answer grows with the registry. */
const PAGE = 1000;

/** Column defaults of the predecessor's `extension_health`. */
const PREDECESSOR_DEFAULTS: { readonly [K in keyof ThresholdColumns]: number } = {
  failure_threshold: 5,
  error_rate_threshold: 0.5,
  window_seconds: 60,
  half_open_max_requests: 3,
};

export interface RegistrySnapshot {
  readonly revision: number;
  readonly entries: readonly RegistryEntry[];
}

export interface RegistryChanges {
  readonly revision: number;
  /** False: what changed since then is not kept any more, or the database is an older one; entries are empty then. */
  readonly complete: boolean;
  readonly entries: readonly RegistryEntry[];
  readonly removedIds: readonly string[];
}

/** The whole registry, extensions in order of id. */
export function readSnapshot(db: Database): Promise<RegistrySnapshot> {
  return inOneMoment(db, async (tx) => {
    const revision = await readRevision(tx);
    const entries: RegistryEntry[] = [];
    for (;;) {
      const last = entries.at(-1)?.extension.id ?? '';
      const page = await tx
        .select(EXTENSION_COLUMNS)
        .from(extensions)
        .where(gt(extensions.id, last))
        .orderBy(asc(extensions.id))
        .limit(PAGE);
      const end = page.at(-1)?.id;
      if (end === undefined) return { revision, entries };
      entries.push(...(await addParts(tx, page, (column) => and(gt(column, last), lte(column, end)))));
      if (page.length < PAGE) return { revision, entries };
    }
  });
}

/** These extensions, as far as they exist, in order of id. */
export function readEntries(db: Database, ids: readonly string[]): Promise<RegistryEntry[]> {
  return inOneMoment(db, (tx) => entriesOf(tx, ids));
}

/** Number of the last committed change. */
export async function readRevision(db: Queryable): Promise<number> {
  const [row] = await db.select({ revision: registryRevision.revision }).from(registryRevision);
  return row?.revision ?? 0;
}

/** Ids of the extensions that changed after `revision`; null where the trail does not reach back that far. */
export async function changedSince(db: Queryable, revision: number): Promise<string[] | null> {
  // An extension that was renamed is gone under its old id. '*' is a table that was emptied.
  const rows = await db.execute<{ id: string | null }>(sql`
    select extension_id as id from extension_audit_log where revision > ${revision}
    union
    select coalesce(old_values ->> 'extension_id', old_values ->> 'id') from extension_audit_log where revision > ${revision}`);
  const [kept] = await db.execute<{ oldest: string | null }>(
    sql`select min(revision) as oldest from extension_audit_log where revision is not null`,
  );
  const ids = rows.map((row) => row.id).filter((id) => id !== null);
  const gap = kept === undefined || kept.oldest === null || Number(kept.oldest) > revision + 1;
  return gap || ids.includes('*') ? null : ids;
}

/** What changed after `revision`, or that it cannot be told any more. */
export function readChanges(db: Database, revision: number): Promise<RegistryChanges> {
  return inOneMoment(db, async (tx) => {
    const now = await readRevision(tx);
    const ids = now > revision ? await changedSince(tx, revision) : now === revision ? [] : null;
    if (ids === null) return { revision: now, complete: false, entries: [], removedIds: [] };
    const entries = await entriesOf(tx, ids);
    const present = new Set(entries.map((entry) => entry.extension.id));
    return { revision: now, complete: true, entries, removedIds: ids.filter((id) => !present.has(id)) };
  });
}

const EXTENSION_COLUMNS = {
  id: extensions.id,
  type: extensions.type,
  subject: extensions.subject,
  timeout_ms: extensions.timeout_ms,
  retry: extensions.retry,
  enabled: extensions.enabled,
  version: extensions.version,
  config: extensions.config,
  metadata: extensions.metadata,
  policy: extensions.policy,
  auto_disabled: extensions.auto_disabled,
  breaker_override: extensions.breaker_override,
  // Named in full by hand: in a query of one table Drizzle leaves the table's name out, and the inner table has an id too.
  switched_by: sql<string | null>`(
    select changed_by from extension_audit_log
    where extension_id = extensions.id and action in ('enable', 'disable')
    order by changed_at desc limit 1)`,
  revision: extensions.revision,
};

type BareExtension = RegistryEntry['extension'];

/** Q1. */
function inOneMoment<T>(db: Database, read: (tx: Queryable) => Promise<T>): Promise<T> {
  return db.transaction(read, { isolationLevel: 'repeatable read', accessMode: 'read only' });
}

async function entriesOf(tx: Queryable, ids: readonly string[]): Promise<RegistryEntry[]> {
  const entries: RegistryEntry[] = [];
  for (let at = 0; at < ids.length; at += PAGE) {
    const wanted = ids.slice(at, at + PAGE);
    const page = await tx
      .select(EXTENSION_COLUMNS)
      .from(extensions)
      .where(inArray(extensions.id, wanted))
      .orderBy(asc(extensions.id));
    if (page.length > 0) entries.push(...(await addParts(tx, page, (column) => inArray(column, wanted))));
  }
  return entries;
}

/** Adds what the other tables hold; `belongs` picks the rows of the page by their extension's id. */
async function addParts(
  tx: Queryable,
  page: readonly BareExtension[],
  belongs: (id: PgColumn) => SQL | undefined,
): Promise<RegistryEntry[]> {
  const parts = new Map(page.map((extension) => [extension.id, newEntry(extension)]));
  const versions = await tx
    .select({
      id: extensionVersions.id,
      version: extensionVersions.version,
      subject: extensionVersions.subject,
      timeout_ms: extensionVersions.timeout_ms,
      retry: extensionVersions.retry,
      config: extensionVersions.config,
      routing_rules: extensionVersions.routing_rules,
      rollout_percent: extensionVersions.rollout_percent,
      rollout_key: extensionVersions.rollout_key,
      enabled: extensionVersions.enabled,
      revision: extensionVersions.revision,
    })
    .from(extensionVersions)
    .where(belongs(extensionVersions.id))
    .orderBy(asc(extensionVersions.id), asc(extensionVersions.version));
  for (const version of versions) parts.get(version.id)?.versions.push(version);

  const instances = await tx
    .select({
      extension_id: extensionInstances.extension_id,
      instance_id: extensionInstances.instance_id,
      subject: extensionInstances.subject,
      weight: extensionInstances.weight,
      enabled: extensionInstances.enabled,
      health_status: extensionInstances.health_status,
      version: extensionInstances.version,
      revision: extensionInstances.revision,
    })
    .from(extensionInstances)
    .where(belongs(extensionInstances.extension_id))
    .orderBy(asc(extensionInstances.extension_id), asc(extensionInstances.instance_id));
  for (const instance of instances) parts.get(instance.extension_id)?.instances.push(instance);

  const health = await tx
    .select({
      id: extensionHealth.extension_id,
      ...factsColumns(extensionHealth),
      failure_threshold: extensionHealth.circuit_breaker_failure_threshold,
      error_rate_threshold: extensionHealth.circuit_breaker_error_rate_threshold,
      window_seconds: extensionHealth.circuit_breaker_window_seconds,
      half_open_max_requests: extensionHealth.half_open_max_requests,
    })
    .from(extensionHealth)
    .where(belongs(extensionHealth.extension_id));
  for (const {
    id,
    failure_threshold,
    error_rate_threshold,
    window_seconds,
    half_open_max_requests,
    ...facts
  } of health) {
    const entry = parts.get(id);
    if (entry === undefined) continue;
    entry.facts = facts;
    entry.thresholds = decided({ failure_threshold, error_rate_threshold, window_seconds, half_open_max_requests });
  }

  const versionHealth = await tx
    .select({
      id: extensionVersionHealth.extension_id,
      version: extensionVersionHealth.version,
      ...factsColumns(extensionVersionHealth),
    })
    .from(extensionVersionHealth)
    .where(belongs(extensionVersionHealth.extension_id))
    .orderBy(asc(extensionVersionHealth.extension_id), asc(extensionVersionHealth.version));
  for (const { id, version, ...facts } of versionHealth) {
    const entry = parts.get(id);
    if (entry !== undefined) entry.versionFacts[version] = facts;
  }
  return [...parts.values()];
}

interface EntryParts {
  extension: BareExtension;
  versions: VersionRow[];
  instances: InstanceRow[];
  facts: BreakerFactsRow | null;
  versionFacts: Record<string, BreakerFactsRow>;
  thresholds: ThresholdColumns | null;
}

function newEntry(extension: BareExtension): EntryParts {
  // Version names come from people: `__proto__` is one like any other.
  return { extension, versions: [], instances: [], facts: null, versionFacts: Object.create(null), thresholds: null };
}

/** Q2. */
function factsColumns(table: typeof extensionHealth | typeof extensionVersionHealth) {
  return {
    state: table.circuit_breaker_state,
    opened_ago_ms: milliseconds(sql`clock_timestamp() - ${table.circuit_breaker_opened_at}`),
    open_remaining_ms: milliseconds(sql`${table.circuit_breaker_open_until} - clock_timestamp()`),
    trips: table.circuit_breaker_trips,
    epoch: table.circuit_breaker_epoch,
    success_count: sql<number>`coalesce(${table.success_count}, 0)`.mapWith(Number),
    failure_count: sql<number>`coalesce(${table.failure_count}, 0)`.mapWith(Number),
    last_success: isoInstant(table.last_success),
    last_failure: isoInstant(table.last_failure),
  };
}

function milliseconds(interval: SQL) {
  return sql<number | null>`round(extract(epoch from ${interval}) * 1000)::float8`;
}

function isoInstant(column: PgColumn) {
  return sql<string | null>`to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;
}

/** Q3. */
function decided(columns: ThresholdColumns): ThresholdColumns {
  const unlessDefault = (name: keyof ThresholdColumns) =>
    columns[name] === PREDECESSOR_DEFAULTS[name] ? null : columns[name];
  return {
    failure_threshold: unlessDefault('failure_threshold'),
    error_rate_threshold: unlessDefault('error_rate_threshold'),
    window_seconds: unlessDefault('window_seconds'),
    half_open_max_requests: unlessDefault('half_open_max_requests'),
  };
}

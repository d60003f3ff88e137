// How the rows of the registry are read: as one JSON object each, of bounded size, by expressions that no value of a column
// can make fail.
//
// REGISTRY-SQL-1. A row's JSON column that is too large is left out and named in `oversized`; text that is compared with a limit is cut
//      above that limit.
// REGISTRY-SQL-2. Ages are computed by the database's clock; a date that is infinite has none.
// REGISTRY-SQL-3. No cast of a value that anyone can write, and no arithmetic that leaves its range.
import { type SQL, sql } from '#drizzle-orm';
import { AUTO_MANAGER } from '../../domain/registry/auto-management.js';
import { MAX_INSTANCES, MAX_JSON_BYTES, MAX_VERSIONS } from '../../domain/registry/row-limits.js';

/** PostgreSQL writes JSON with blanks, so that its text is up to half as long again as the compact form. */
const MAX_JSON_TEXT = 2 * MAX_JSON_BYTES;
/** Above every limit of registry-validation.ts. */
const MAX_TEXT = 1000;

/** What a flat row is about. */
export const KIND = { position: 0, extension: 1, version: 2, instance: 3, versionHealth: 4 } as const;

const fields = (parts: Readonly<Record<string, string>>): string =>
  `jsonb_build_object(${Object.entries(parts)
    .map(([name, value]) => `'${name}', ${value}`)
    .join(', ')})`;

const plain = (table: string, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, `${table}.${name}`]));

const texts = (table: string, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, `left(${table}.${name}, ${MAX_TEXT})`]));

/** REGISTRY-SQL-1. The stored size first: the text of a value that is too large may be too large even for the database. */
const isOversized = (column: string): string =>
  `case when pg_column_size(${column}) > ${MAX_JSON_TEXT} then true
    else coalesce(octet_length(${column}::text) > ${MAX_JSON_TEXT}, false) end`;

function documents(table: string, names: readonly string[]): Record<string, string> {
  const each = names.map((name) => [
    name,
    `case when ${isOversized(`${table}.${name}`)} then null else ${table}.${name} end`,
  ]);
  const oversized = names.map((name) => `case when ${isOversized(`${table}.${name}`)} then '${name}' end`);
  return { ...Object.fromEntries(each), oversized: `to_jsonb(array_remove(array[${oversized.join(', ')}], null))` };
}

/** REGISTRY-SQL-2. Milliseconds since then; null if that is not finite. */
const ago = (instant: string): string =>
  `case when isfinite(${instant}) then round(extract(epoch from clock_timestamp() - ${instant}) * 1000) end`;

/** ISO 8601; null outside of four-digit years. */
const iso = (instant: string): string =>
  `case when ${instant} >= '0001-01-01Z' and ${instant} < '9999-12-31Z'
    then to_char(${instant} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') end`;

const facts = (table: string): Record<string, string> => ({
  version: `${table}.version`,
  state: `left(${table}.circuit_breaker_state, ${MAX_TEXT})`,
  opened_ago_ms: ago(`${table}.circuit_breaker_opened_at`),
  open_remaining_ms: `- (${ago(`${table}.circuit_breaker_open_until`)})`,
  written_ago_ms: ago(`${table}.updated_at`),
  trips: `${table}.circuit_breaker_trips`,
  epoch: `${table}.circuit_breaker_epoch`,
  success_count: `coalesce(${table}.success_count, 0)`,
  failure_count: `coalesce(${table}.failure_count, 0)`,
  last_success: iso(`${table}.last_success`),
  last_failure: iso(`${table}.last_failure`),
});

/** What the newest of these audit rows says. */
const newest = (what: string, which: string): string => `(
  select ${what} from extension_audit_log as log where ${which}
  order by log.revision desc nulls last, log.changed_at desc limit 1)`;
const putBack = (to: string): string =>
  `case when isfinite(log.changed_at) then ${fields({ id: 'log.id', to, ago_ms: ago('log.changed_at') })} end`;
const SWITCHED = `log.extension_id = e.id and log.action in ('enable', 'disable', 'reset')`;
const WAS_AUTO_DISABLED = `log.action = 'enable' and log.old_values -> 'auto_disabled' = 'true'`;

const EXTENSION = fields({
  ...plain('e', [
    'id',
    'uid',
    'policy_uid',
    'timeout_ms',
    'retry',
    'enabled',
    'auto_disabled',
    'breaker_resets',
    'revision',
  ]),
  ...texts('e', ['type', 'subject', 'version', 'breaker_override']),
  ...documents('e', ['config', 'policy']),
  switched_by: newest(`left(log.changed_by, ${MAX_TEXT})`, SWITCHED),
  put_back: newest(
    `case when log.action <> 'disable' and log.changed_by is distinct from '${AUTO_MANAGER}'
      then ${putBack(`case when ${WAS_AUTO_DISABLED} then 'half_open' else 'closed' end`)} end`,
    SWITCHED,
  ),
  rollout_slots: `(
    select case when ${isOversized('r.slots')} then null else r.slots end from extension_rollouts as r where r.extension_id = e.id)`,
  health: `(select ${fields({
    ...facts('h'),
    failure_threshold: 'h.circuit_breaker_failure_threshold',
    error_rate_threshold: 'h.circuit_breaker_error_rate_threshold',
    window_seconds: 'h.circuit_breaker_window_seconds',
    half_open_max_requests: 'h.half_open_max_requests',
  })} from extension_health as h where h.extension_id = e.id)`,
});
const VERSION = fields({
  ...plain('v', [
    'id',
    'version',
    'uid',
    'timeout_ms',
    'retry',
    'rollout_percent',
    'enabled',
    'breaker_resets',
    'revision',
  ]),
  ...texts('v', ['subject', 'rollout_key', 'breaker_override']),
  ...documents('v', ['config', 'routing_rules']),
  put_back: newest(
    putBack("'closed'"),
    `log.extension_id = v.id and log.action in ('version_enable', 'version_reset')
      and log.new_values ->> 'version' = v.version`,
  ),
});
const INSTANCE = fields({
  ...plain('i', ['extension_id', 'instance_id', 'uid', 'weight', 'enabled', 'health_report', 'revision']),
  ...texts('i', ['subject', 'health_status', 'version']),
});

/**
 * One more than may be, so that it is known that there are too many. Lateral also where a join would do: for a join PostgreSQL reads the whole
 * table of extensions, for each page of a large registry.
 * Everything of the extensions in a `with` table `wanted (id)`: a row for each row, columns `id, kind, name, row`.
 */
export const ENTRY_ROWS: SQL = sql.raw(`
  select e.id, ${KIND.extension} as kind, '' as name, ${EXTENSION} as row
    from wanted cross join lateral (
      select * from extensions where id = wanted.id limit 1) as e
  union all
  select v.id, ${KIND.version}, v.version, ${VERSION}
    from wanted cross join lateral (
      select * from extension_versions where id = wanted.id order by version limit ${MAX_VERSIONS + 1}) as v
  union all
  select i.extension_id, ${KIND.instance}, i.instance_id, ${INSTANCE}
    from wanted cross join lateral (
      select * from extension_instances where extension_id = wanted.id order by instance_id limit ${MAX_INSTANCES + 1}) as i
  union all
  select f.extension_id, ${KIND.versionHealth}, f.version, ${fields(facts('f'))}
    from wanted cross join lateral (
      select * from extension_version_health where extension_id = wanted.id order by version limit ${MAX_VERSIONS + 1}) as f`);

/** Another one after they were disabled and enabled, as pg_restore --disable-triggers does. */
const TRIGGERS = `(select string_agg(t.tgrelid::text || '.' || t.xmin::text, ',' order by t.tgrelid) from pg_trigger as t
  where t.tgname = 'extreg_record' and t.tgrelid in (
    to_regclass('extensions'), to_regclass('extension_versions'), to_regclass('extension_instances')))`;

/** Of the one row of registry_revision (`p`). `source` differs if that row was written again, or restored, or triggers were off. */
export const POSITION = fields({
  revision: 'p.revision',
  token: 'p.token',
  history: 'p.history',
  source: `concat_ws('/', p.tableoid, p.xmin, ${TRIGGERS})`,
});

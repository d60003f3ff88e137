// Puts the flat rows of a reading together: one entry for each extension, with everything that belongs to it.
//
// REGISTRY-ENTRIES-1. However many rows there are, the event loop is never held for longer than a slice of them.
// REGISTRY-ENTRIES-2. What is too large or too deep does not get further than here: it is named in the row's `faults`.
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type BreakerFactsRow,
  type ExtensionRow,
  type InstanceRow,
  PREDECESSOR_THRESHOLDS,
  type PublishedFactsRow,
  type RegistryEntry,
  type ThresholdColumns,
  type VersionRow,
} from '../../domain/registry/registry-rows.js';
import { jsonLimitProblem, tooLarge } from '../../domain/registry/row-limits.js';
import { KIND } from './registry-sql.js';

/** A row of some table, as ENTRY_ROWS of registry-sql.ts has it. */
export interface FlatRow extends Record<string, unknown> {
  /** Of the extension. */
  readonly id: string;
  readonly kind: number;
  // biome-ignore lint/suspicious/noExplicitAny: its form depends on `kind`.
  readonly row: any;
}

const ROWS_PER_SLICE = 500;

/** Mutable while it is put together. */
interface Draft {
  extension: ExtensionRow;
  versions: VersionRow[];
  instances: InstanceRow[];
  facts: PublishedFactsRow | null;
  versionFacts: Record<string, BreakerFactsRow>;
  rolloutSlots: unknown;
  thresholds: ThresholdColumns | null;
  defaultThresholds: readonly (keyof ThresholdColumns)[];
}

/** Shared by all extensions that have none: most have no versions, instances or stored facts. Never written. */
const NONE: never[] = [];
const NO_FACTS: Record<string, BreakerFactsRow> = Object.freeze(Object.create(null));

/** `rows` in order of extension and kind. */
export async function toEntries(rows: readonly FlatRow[]): Promise<RegistryEntry[]> {
  const drafts = new Map<string, Draft>();
  for (const [i, { id, kind, row }] of rows.entries()) {
    if (i % ROWS_PER_SLICE === ROWS_PER_SLICE - 1) await nextTurn();
    if (kind === KIND.extension) drafts.set(id, toDraft(row));
    else add(drafts.get(id), kind, row);
  }
  return [...drafts.values()];
}

/** Written out: a row that is copied by a spread takes five times the memory of one that is not, and it stays (SNAPSHOT-FILE-4). */
const toExtensionRow = (row: FlatRow['row']): ExtensionRow => ({
  id: row.id,
  uid: row.uid,
  type: row.type,
  subject: row.subject,
  timeout_ms: row.timeout_ms,
  retry: row.retry,
  enabled: row.enabled,
  version: row.version,
  config: row.config,
  policy: row.policy,
  policy_uid: row.policy_uid,
  auto_disabled: row.auto_disabled,
  breaker_override: row.breaker_override,
  breaker_resets: row.breaker_resets,
  switched_by: row.switched_by,
  put_back: row.put_back,
  revision: row.revision,
});

function toDraft(row: FlatRow['row']): Draft {
  const { health, rollout_slots, oversized } = row;
  const draft: Draft = {
    extension: withinLimits(toExtensionRow(row), oversized, ['config', 'policy']),
    versions: NONE,
    instances: NONE,
    facts: null,
    versionFacts: NO_FACTS,
    rolloutSlots: rollout_slots,
    thresholds: null,
    defaultThresholds: NONE,
  };
  if (health === null) return draft;
  const { failure_threshold, error_rate_threshold, window_seconds, half_open_max_requests, ...facts } = health;
  draft.facts = facts;
  const columns = { failure_threshold, error_rate_threshold, window_seconds, half_open_max_requests };
  const thresholds = decided(columns);
  draft.thresholds = thresholds;
  const names = Object.keys(columns) as (keyof ThresholdColumns)[];
  const defaults = names.filter((name) => columns[name] !== null && thresholds[name] === null);
  if (defaults.length > 0) draft.defaultThresholds = defaults;
  return draft;
}

/** `draft` is undefined for a row without its extension, as an adopted database without foreign keys may have it. */
function add(draft: Draft | undefined, kind: number, row: FlatRow['row']): void {
  if (draft === undefined) return;
  if (kind === KIND.version) {
    const { oversized, ...own } = row;
    if (draft.versions === NONE) draft.versions = [];
    draft.versions.push(withinLimits(own as VersionRow, oversized, ['config', 'routing_rules']));
  } else if (kind === KIND.instance) {
    if (draft.instances === NONE) draft.instances = [];
    draft.instances.push(row);
  } else {
    const { version, ...facts } = row;
    // A version may have any name: `__proto__` is one like any other.
    if (draft.versionFacts === NO_FACTS) draft.versionFacts = Object.create(null);
    draft.versionFacts[version] = facts;
  }
}

/** REGISTRY-ENTRIES-2. */
function withinLimits<Row extends ExtensionRow | VersionRow>(
  row: Row,
  oversized: readonly string[] | undefined,
  columns: readonly (keyof Row & string)[],
): Row {
  const faults = (oversized ?? []).map(tooLarge);
  const kept: Partial<Record<keyof Row, unknown>> = {};
  for (const column of columns) {
    const problem = jsonLimitProblem(column, row[column]);
    if (problem === null) continue;
    faults.push(problem);
    kept[column] = null;
  }
  if (faults.length === 0) return row;
  return { ...row, ...kept, faults };
}

/** REGISTRY-QUERIES-2 of registry-queries.ts. */
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

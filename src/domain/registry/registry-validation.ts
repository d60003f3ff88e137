// What an extension's rows say, put together with what was in force before, becomes what is in force now.
//
// REGISTRY-VALIDATION-1. Last known good: what makes a running row invalid is refused, and the last valid form of that row stays in force. Of a
//     row that was deleted and inserted again there is no earlier form.
// ROW-VALIDATION-1, in row-validation.ts: an operator's switches apply also on a refused row.
// REGISTRY-VALIDATION-2. An invalid version or instance row concerns itself alone. Null in a nullable column means its default.
// SLOW-CALLS-1, in slow-calls.ts: what the policy and the rows of versions say together.
// REGISTRY-ROLLOUT-1, in rollout.ts: what the rows of several versions say together.
// REGISTRY-VALIDATION-3. What says the same as before is the same object as before, so that comparing is cheap.
// REGISTRY-VALIDATION-4. However many rows there are, no step of the work takes longer than a few of them.
import { isDeepStrictEqual } from 'node:util';
import { Value } from '#typebox/value';
import { done, type Steps } from '../steps.js';
import { type Extension, type Instance, isSameRow, type Version } from './extension.js';
import { versionOf, versionsServedBy } from './extension-index.js';
import { BREAKER_SETTINGS } from './policy.js';
import type { RegistryEntry, ThresholdColumns, VersionRow } from './registry-rows.js';
import { rolloutInForce, slotsWanted } from './rollout.js';
import { allottingSlots, NO_SLOTS, parseSlots } from './rollout-slots.js';
import { MAX_INSTANCES, MAX_VERSIONS } from './row-limits.js';
import {
  extensionSwitches,
  keptInstance,
  keptVersion,
  type Parsed,
  parseExtension,
  parseInstance,
  parseVersion,
} from './row-validation.js';
import { aboveSlowCalls, slowCallInForce } from './slow-calls.js';
import type { SubjectRules } from './subject-rules.js';

export interface RowProblem {
  readonly extensionId: string;
  readonly version?: string;
  readonly instanceId?: string;
  /** Of the row that is refused: a problem is reported once per revision. */
  readonly revision: number;
  readonly problems: readonly string[];
}

interface ParsedEntry {
  /** null: the extension's own row is invalid and no valid form of it is known. */
  readonly extension: Extension | null;
  readonly thresholds: ThresholdColumns | null;
  readonly refused: readonly RowProblem[];
}

/** Of one row that are named. */
const MAX_PROBLEMS = 20;

/** `previous`: the form in force, null if there is none. */
export function parseEntry(entry: RegistryEntry, rules: SubjectRules, previous: Extension | null): ParsedEntry {
  return done(parsingEntry(entry, rules, previous));
}

/** As parseEntry. REGISTRY-VALIDATION-4. */
export function* parsingEntry(
  entry: RegistryEntry,
  rules: SubjectRules,
  previous: Extension | null,
): Steps<ParsedEntry> {
  const { id } = entry.extension;
  const before = previous !== null && isSameRow(previous, { uid: entry.extension.uid ?? null }) ? previous : null;
  let refused: Map<string, RowProblem> | null = null;
  const refuse = (problem: Omit<RowProblem, 'extensionId'>): void => {
    refused ??= new Map();
    const key = `${problem.version === undefined ? '' : `version ${problem.version}`}/${problem.instanceId ?? ''}`;
    const all = [...(refused.get(key)?.problems ?? []), ...problem.problems];
    const more = all.length > MAX_PROBLEMS ? [`and ${all.length - MAX_PROBLEMS} more`] : [];
    refused.set(key, { extensionId: id, ...problem, problems: [...all.slice(0, MAX_PROBLEMS), ...more] });
  };
  const own = parseExtension(entry.extension, rules, NO_PARTS);
  const kept = before && { ...before, ...keptOwn(entry, before) };
  const slow = yield* slowCallInForce(entry.versions, rules, before, 'value' in own ? own.value : null, kept);
  const versions = yield* parsingVersions(entry, rules, before, slow.ms, refuse);
  const instances = yield* parsingInstances(entry, rules, before, refuse);
  const held = entry.rolloutSlots ? parseSlots(entry.rolloutSlots) : (before?.rolloutSlots ?? NO_SLOTS);
  const rolloutSlots = yield* allottingSlots(held, slotsWanted(versions));
  const parts = { versions, rolloutSlots, instances };

  const { columns, problems: columnProblems } = parseThresholds(entry.thresholds);
  const ownProblems = 'value' in own ? slow.problems : own.problems;
  const problems = [...columnProblems, ...tooManyProblems(entry), ...ownProblems];
  // One problem for the row and its columns elsewhere: what is reported once is known by its id.
  if (problems.length > 0) refuse({ revision: entry.extension.revision, problems });
  const isValid = 'value' in own && slow.problems.length === 0;
  const whole = isValid ? Object.assign(own.value, parts) : kept && { ...kept, ...parts };
  if (whole === null) return { extension: null, thresholds: columns, refused: listOf(refused) };
  const serving = same(yield* servingFew(whole, entry, refuse), before?.instances);
  const extension = sameOwn(serving === whole.instances ? whole : { ...whole, instances: serving }, before);
  return { extension, thresholds: columns, refused: listOf(refused) };
}

const listOf = (refused: ReadonlyMap<string, RowProblem> | null): readonly RowProblem[] =>
  refused === null ? NO_PROBLEMS : [...refused.values()];

/** Of all extensions that have none. */
const NO_VERSIONS: readonly Version[] = [];
const NO_INSTANCES: readonly Instance[] = [];
const NO_PROBLEMS: readonly RowProblem[] = [];

/** Those of each extension are parsed after its own row. */
const NO_PARTS = { versions: NO_VERSIONS, rolloutSlots: NO_SLOTS, instances: NO_INSTANCES };

type Refuse = (problem: Omit<RowProblem, 'extensionId'>) => void;

function* parsingVersions(
  entry: RegistryEntry,
  rules: SubjectRules,
  before: Extension | null,
  slowMs: number | null,
  refuse: Refuse,
): Steps<readonly Version[]> {
  if (entry.versions.length === 0) return NO_VERSIONS;
  const valid: Version[] = [];
  const rows = new Map<string, VersionRow>();
  for (const row of entry.versions.slice(0, MAX_VERSIONS)) {
    rows.set(row.version, row);
    const known = before === null ? undefined : versionOf(before, row.version);
    const inForce = known !== undefined && isSameRow(known, row) ? known : undefined;
    const kept = inForce && (() => keptVersion(row, inForce));
    const { version, revision } = row;
    const parsed = aboveSlowCalls(parseVersion(row, rules), slowMs);
    valid.push(...keepValid(parsed, kept, (problems) => refuse({ version, revision, problems })));
    yield;
  }
  const previous = (before?.versions ?? []).filter((v) => isSameRow(v, rows.get(v.version) ?? {}));
  const { versions, ...rollout } = rolloutInForce(valid, previous);
  for (const version of rollout.refused)
    refuse({ version, revision: rows.get(version)?.revision ?? 0, problems: rollout.problems });
  const result: Version[] = [];
  for (const version of versions) {
    const known = before === null ? undefined : versionOf(before, version.version);
    result.push(known !== undefined && isDeepStrictEqual(known, version) ? known : version);
    yield;
  }
  return result.length === 0 ? NO_VERSIONS : same(result, before?.versions);
}

function* parsingInstances(
  entry: RegistryEntry,
  rules: SubjectRules,
  before: Extension | null,
  refuse: Refuse,
): Steps<readonly Instance[]> {
  if (entry.instances.length === 0) return NO_INSTANCES;
  const earlier = new Map<string, Instance>();
  for (const instance of before?.instances ?? []) earlier.set(instance.id, instance);
  const result: Instance[] = [];
  for (const row of entry.instances.slice(0, MAX_INSTANCES)) {
    const known = earlier.get(row.instance_id);
    const inForce = known !== undefined && isSameRow(known, row) ? known : undefined;
    const kept = inForce && (() => keptInstance(row, inForce));
    const { instance_id: instanceId, revision } = row;
    for (const instance of keepValid(parseInstance(row, rules), kept, (problems) =>
      refuse({ instanceId, revision, problems }),
    ))
      result.push(known !== undefined && isDeepStrictEqual(known, instance) ? known : instance);
    yield;
  }
  return result.length === 0 ? NO_INSTANCES : result;
}

/** An instance counts once for each version that it serves, as it costs: those beyond the limit are refused. */
function* servingFew(extension: Extension, entry: RegistryEntry, refuse: Refuse): Steps<readonly Instance[]> {
  if (extension.instances.length === 0) return extension.instances;
  let places = 0;
  const kept: Instance[] = [];
  for (const instance of extension.instances) {
    const serves = versionsServedBy(extension, instance).length;
    if (places + serves <= MAX_INSTANCES) {
      places += serves;
      kept.push(instance);
    }
    yield;
  }
  const refused = extension.instances.length - kept.length;
  if (refused === 0) return extension.instances;
  const limit = `${MAX_INSTANCES} instances, counted once for each version that they serve`;
  refuse({
    revision: entry.extension.revision,
    problems: [`an extension may have at most ${limit}: ${refused} are refused`],
  });
  return kept;
}

function keepValid<T>(
  parsed: Parsed<T>,
  kept: (() => T) | undefined,
  refuse: (problems: readonly string[]) => void,
): T[] {
  if ('value' in parsed) return [parsed.value];
  refuse(parsed.problems);
  return kept === undefined ? [] : [kept()];
}

/** ROW-VALIDATION-1. A policy that was removed meanwhile is not the one that its row has now. */
function keptOwn({ extension: row }: RegistryEntry, before: Extension): Partial<Extension> {
  const { policyUid: was = null } = before;
  const is = row.policy_uid ?? null;
  const isOther = was !== null && is !== null && was !== is;
  return {
    ...extensionSwitches(row, before.breakerOverride),
    ...(row.uid == null ? {} : { uid: row.uid }),
    ...(isOther ? { policy: {}, policyUid: is } : {}),
  };
}

function tooManyProblems({ versions, instances }: RegistryEntry): string[] {
  return [
    ...(versions.length > MAX_VERSIONS ? [`an extension may have at most ${MAX_VERSIONS} versions`] : []),
    ...(instances.length > MAX_INSTANCES ? [`an extension may have at most ${MAX_INSTANCES} instances`] : []),
  ];
}

/** REGISTRY-VALIDATION-3, of a list. */
function same<T>(list: readonly T[], before: readonly T[] | undefined): readonly T[] {
  return before !== undefined && list.length === before.length && list.every((one, i) => one === before[i])
    ? before
    : list;
}

/** REGISTRY-VALIDATION-3, of what is the extension's own. */
function sameOwn(extension: Extension, before: Extension | null): Extension {
  if (before === null) return extension;
  const { versions, instances, ...own } = extension;
  const { versions: _, instances: __, ...ownBefore } = before;
  const isSame = versions === before.versions && instances === before.instances;
  if (isDeepStrictEqual(own, ownBefore)) return isSame ? before : { ...before, versions, instances };
  return {
    ...extension,
    config: isDeepStrictEqual(own.config, before.config) ? before.config : own.config,
    policy: isDeepStrictEqual(own.policy, before.policy) ? before.policy : own.policy,
  };
}

const COLUMN_SETTINGS = {
  failure_threshold: BREAKER_SETTINGS.failure_threshold,
  error_rate_threshold: BREAKER_SETTINGS.error_rate_threshold,
  window_seconds: BREAKER_SETTINGS.window_seconds,
  half_open_max_requests: BREAKER_SETTINGS.half_open_max_requests,
} as const;

/** A threshold column out of range counts as not set. */
function parseThresholds(columns: ThresholdColumns | null): { columns: ThresholdColumns | null; problems: string[] } {
  if (columns === null) return { columns, problems: [] };
  const problems: string[] = [];
  const valid = { ...columns } as Record<keyof ThresholdColumns, number | null>;
  for (const [name, schema] of Object.entries(COLUMN_SETTINGS) as [
    keyof ThresholdColumns,
    (typeof COLUMN_SETTINGS)[keyof ThresholdColumns],
  ][]) {
    if (valid[name] === null || Value.Check(schema, valid[name])) continue;
    const { minimum, maximum } = schema as unknown as { minimum: number; maximum: number };
    problems.push(`extension_health: ${name} must be ${minimum}..${maximum}, got ${valid[name]}`);
    valid[name] = null;
  }
  // A row that sets none says no more than no row, which is what there was before the first health flush.
  const isSet = Object.values(valid).some((value) => value !== null);
  return { columns: isSet ? valid : null, problems };
}

// Rows as the database holds them become nouns, or problems that say what was expected and what was got.
//
// L1. Last known good: what makes a running row invalid is refused, and the last valid form of that row stays in force.
// L2. A person's switches (enabled, auto_disabled, breaker_override, breaker_resets) always count, also on a row that is
//     refused: the way to turn an extension or a version off must not depend on the rest of its row.
// L3. An invalid version or instance row concerns itself alone. Null in a nullable column means its default.
// L4, in rollout.ts: what the rows of several versions say together.
import { Value } from '#typebox/value';
import {
  type BreakerOverride,
  EXTENSION_TYPES,
  type Extension,
  HEALTH_STATUSES,
  type Instance,
  type JsonObject,
  type Version,
} from './extension.js';
import { BREAKER_SETTINGS, parsePolicy } from './policy.js';
import type { ExtensionRow, InstanceRow, RegistryEntry, ThresholdColumns, VersionRow } from './registry-rows.js';
import { rolloutInForce, rolloutKeyProblem } from './rollout.js';
import { isExtensionId, type SubjectRules, subjectProblem } from './subject-rules.js';

export interface RowProblem {
  readonly extensionId: string;
  readonly version?: string;
  readonly instanceId?: string;
  /** Of the row that is refused: a problem is told once per revision. */
  readonly revision: number;
  readonly problems: readonly string[];
}

export interface ParsedEntry {
  /** null: the extension's own row is invalid and no valid form of it is known. */
  readonly extension: Extension | null;
  readonly thresholds: ThresholdColumns | null;
  readonly refused: readonly RowProblem[];
}

export const DEFAULT_TIMEOUT_MS = 5000;
export const MAX_TIMEOUT_MS = 86_400_000;
export const MAX_RETRY = 100;
/** Of a number in rules: so many survive a reader that takes it for a double. */
const MAX_DIGITS = 15;

/** `previous`: the form in force, null where none is. */
export function parseEntry(entry: RegistryEntry, rules: SubjectRules, previous: Extension | null): ParsedEntry {
  const refused: RowProblem[] = [];
  const valid = entry.versions.flatMap((row) => {
    const before = previous?.versions.find((v) => v.version === row.version);
    return keepValid(
      parseVersion(row, rules),
      before && { ...before, ...versionSwitches(row, before.breakerOverride) },
      (problems) =>
        refused.push({ extensionId: entry.extension.id, version: row.version, revision: row.revision, problems }),
    );
  });
  const { versions, ...rollout } = rolloutInForce(valid, previous?.versions ?? []);
  for (const name of rollout.refused) addProblems(refused, entry, name, rollout.problems);
  const instances = entry.instances.flatMap((row) =>
    keepValid(
      parseInstance(row, rules),
      previous?.instances.find((i) => i.id === row.instance_id),
      (problems) =>
        refused.push({
          extensionId: entry.extension.id,
          instanceId: row.instance_id,
          revision: row.revision,
          problems,
        }),
    ),
  );
  const { columns, problems: columnProblems } = parseThresholds(entry.thresholds);
  const own = parseExtension(entry.extension, rules);
  // One problem for the row and its columns elsewhere: what is told once is told by its id.
  const problems = [...columnProblems, ...('value' in own ? [] : own.problems)];
  if (problems.length > 0)
    refused.push({ extensionId: entry.extension.id, revision: entry.extension.revision, problems });
  if ('value' in own) return { extension: { ...own.value, versions, instances }, thresholds: columns, refused };
  if (previous === null) return { extension: null, thresholds: columns, refused };
  return {
    extension: { ...previous, ...switches(entry.extension, previous.breakerOverride), versions, instances },
    thresholds: columns,
    refused,
  };
}

/** One problem for a row: what is told once is told by its id. */
function addProblems(refused: RowProblem[], entry: RegistryEntry, version: string, problems: readonly string[]): void {
  const told = refused.findIndex((row) => row.version === version);
  const row = entry.versions.find((v) => v.version === version);
  const before = refused[told] ?? {
    extensionId: entry.extension.id,
    version,
    revision: row?.revision ?? 0,
    problems: [],
  };
  refused.splice(told < 0 ? refused.length : told, 1, { ...before, problems: [...before.problems, ...problems] });
}

/** Who answers for a version: by name, else by subject, else the instances that fit no version serve `extensions.version`. */
export function instancesOf(extension: Extension, version: Version): Instance[] {
  const subjects = new Set(extension.versions.map((v) => v.subject));
  return extension.instances.filter((instance) => {
    if (instance.version !== null) return instance.version === version.version;
    if (subjects.has(instance.subject)) return instance.subject === version.subject;
    return version.version === extension.version;
  });
}

type Parsed<T> = { readonly value: T } | { readonly problems: readonly string[] };

function keepValid<T>(parsed: Parsed<T>, previous: T | undefined, refuse: (problems: readonly string[]) => void): T[] {
  if ('value' in parsed) return [parsed.value];
  refuse(parsed.problems);
  return previous === undefined ? [] : [previous];
}

/** L2; an override that is none leaves the one in force. */
function switches(
  row: ExtensionRow,
  override: BreakerOverride | null,
): ReturnType<typeof versionSwitches> & Pick<Extension, 'autoDisabled' | 'switchedBy'> {
  return { ...versionSwitches(row, override), autoDisabled: row.auto_disabled, switchedBy: row.switched_by };
}

function versionSwitches(
  row: ExtensionRow | VersionRow,
  override: BreakerOverride | null,
): Pick<Version, 'enabled' | 'breakerOverride' | 'breakerResets' | 'putBackId' | 'revision'> {
  // A snapshot that an older daemon wrote lacks what came later.
  const given = row.breaker_override ?? null;
  return {
    enabled: row.enabled ?? true,
    breakerOverride: isOverride(given) ? given : override,
    breakerResets: row.breaker_resets ?? 0,
    putBackId: row.put_back?.id ?? null,
    revision: row.revision,
  };
}

function parseExtension(row: ExtensionRow, rules: SubjectRules): Parsed<Omit<Extension, 'versions' | 'instances'>> {
  const problems: string[] = [];
  if (!isExtensionId(row.id)) problems.push(`id must be 1 to 255 of A-Z a-z 0-9 _ : -, got ${JSON.stringify(row.id)}`);
  const type = EXTENSION_TYPES.find((t) => t === row.type);
  if (type === undefined)
    problems.push(`type must be one of ${EXTENSION_TYPES.join(', ')}, got ${JSON.stringify(row.type)}`);
  const overrideWrong = overrideProblem(row);
  if (overrideWrong !== null) problems.push(overrideWrong);
  const version = row.version ?? 'v1';
  if (version === '') problems.push('version must not be empty');
  const call = parseCall(row, rules, problems);
  const parsedPolicy = parsePolicy(row.policy);
  problems.push(...policyProblems(parsedPolicy, rules));
  if (problems.length > 0 || type === undefined || 'problems' in parsedPolicy) return { problems };
  return { value: { id: row.id, type, version, policy: parsedPolicy.policy, ...call, ...switches(row, null) } };
}

function policyProblems(parsed: ReturnType<typeof parsePolicy>, rules: SubjectRules): readonly string[] {
  if ('problems' in parsed) return parsed.problems;
  const { health_check: check, fallback = [] } = parsed.policy;
  const subject = check?.subject === undefined ? null : subjectProblem(check.subject, rules);
  return [
    ...(subject === null ? [] : [`policy.health_check.${subject}`]),
    ...fallback
      .filter((id) => !isExtensionId(id))
      .map((id) => `policy.fallback must hold extension ids, got ${JSON.stringify(id)}`),
  ];
}

function parseVersion(row: VersionRow, rules: SubjectRules): Parsed<Version> {
  const problems: string[] = [];
  if (row.version === '') problems.push('version must not be empty');
  const call = parseCall(row, rules, problems);
  const routingRules = row.routing_rules ?? {};
  if (!isObject(routingRules)) problems.push(`routing_rules must be a JSON object, got ${kindOf(routingRules)}`);
  else
    for (const [key, rule] of Object.entries(routingRules))
      problems.push(...ruleProblems(key, Array.isArray(rule) ? rule : [rule]));
  const overrideWrong = overrideProblem(row);
  if (overrideWrong !== null) problems.push(overrideWrong);
  const percent = row.rollout_percent;
  if (percent !== null && !(percent >= 0 && percent <= 100))
    problems.push(`rollout_percent must be 0..100, got ${percent}`);
  if (percent !== null && isObject(routingRules) && Object.keys(routingRules).length > 0)
    problems.push('rollout_percent must be null: a version has routing rules or a rollout percentage, not both');
  const keyWrong = rolloutKeyProblem(row.rollout_key);
  if (keyWrong !== null) problems.push(keyWrong);
  if (problems.length > 0) return { problems };
  return {
    value: {
      version: row.version,
      ...call,
      routingRules: routingRules as JsonObject,
      rolloutPercent: percent,
      rolloutKey: row.rollout_key,
      ...versionSwitches(row, null),
    },
  };
}

function ruleProblems(key: string, wanted: readonly unknown[]): string[] {
  if (key === '') return ['routing_rules must not have an empty key'];
  if (!wanted.every(isScalar)) return [`routing_rules.${key} must be a string, number or boolean, or a list of those`];
  // Whoever read the column as a number may have lost digits, so that a neighbour would match.
  const inexact = wanted.filter((one) => typeof one === 'number' && Number(one.toPrecision(MAX_DIGITS)) !== one);
  return inexact.map(
    (one) => `routing_rules.${key} must hold numbers of more than ${MAX_DIGITS} digits as strings, got ${one}`,
  );
}

function parseInstance(row: InstanceRow, rules: SubjectRules): Parsed<Instance> {
  const problems: string[] = [];
  const subject = subjectProblem(row.subject, rules);
  if (subject !== null) problems.push(subject);
  if (!/^[\x21-\x7e]{1,255}$/.test(row.instance_id))
    problems.push(`instance_id must be 1 to 255 printable ASCII characters, got ${JSON.stringify(row.instance_id)}`);
  const weight = row.weight ?? 100;
  if (!(Number.isInteger(weight) && weight >= 0 && weight <= 100))
    problems.push(`weight must be 0..100, got ${weight}`);
  if (problems.length > 0) return { problems };
  return {
    value: {
      id: row.instance_id,
      subject: row.subject,
      weight,
      enabled: row.enabled ?? true,
      healthStatus: HEALTH_STATUSES.find((s) => s === row.health_status) ?? 'unknown',
      version: row.version,
      revision: row.revision,
    },
  };
}

/** What extensions and versions have in common: where, how long, how often, with what configuration. */
function parseCall(
  row: Pick<ExtensionRow, 'subject' | 'timeout_ms' | 'retry' | 'config'>,
  rules: SubjectRules,
  problems: string[],
): { subject: string; timeoutMs: number; retry: number; config: JsonObject } {
  const subject = subjectProblem(row.subject, rules);
  if (subject !== null) problems.push(subject);
  const timeoutMs = row.timeout_ms ?? DEFAULT_TIMEOUT_MS;
  if (!(timeoutMs >= 1 && timeoutMs <= MAX_TIMEOUT_MS))
    problems.push(`timeout_ms must be 1..${MAX_TIMEOUT_MS}, got ${timeoutMs}`);
  const retry = row.retry ?? 0;
  if (!(retry >= 0 && retry <= MAX_RETRY)) problems.push(`retry must be 0..${MAX_RETRY}, got ${retry}`);
  const config = row.config ?? {};
  if (!isObject(config)) problems.push(`config must be a JSON object, got ${kindOf(config)}`);
  return { subject: row.subject, timeoutMs, retry, config: isObject(config) ? config : {} };
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
  return { columns: valid, problems };
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isOverride = (value: string | null): value is BreakerOverride | null =>
  value === null || value === 'isolated' || value === 'forced_closed';
const overrideProblem = ({ breaker_override: given }: ExtensionRow | VersionRow): string | null =>
  isOverride(given ?? null) ? null : `breaker_override must be isolated or forced_closed, got ${JSON.stringify(given)}`;
const isScalar = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value);
const kindOf = (value: unknown): string =>
  Array.isArray(value) ? 'a list' : value === null ? 'null' : `a ${typeof value}`;

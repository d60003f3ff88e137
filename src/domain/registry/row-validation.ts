// One row as the database holds it becomes a noun, or problems that say what was expected and what was got; and what an
// operator's switches change in the form that is in force if the rest of the row is refused.
//
// ROW-VALIDATION-1. An operator's switches (enabled, auto_disabled, breaker_override, breaker_resets, the weight of an instance, 0 percent
//     for a version in the rollout) always count, also on a row that is refused: how to turn something off, or to drain it,
//     must not depend on the rest of its row. A switch that is itself not valid stays as it is in force.
import {
  type BreakerOverride,
  EXTENSION_TYPES,
  type Extension,
  HEALTH_STATUSES,
  type Instance,
  type JsonObject,
  type Version,
} from './extension.js';
import { type ExtensionPolicy, parsePolicy } from './policy.js';
import type { ExtensionRow, InstanceRow, VersionRow } from './registry-rows.js';
import { rolloutKeyProblem } from './rollout.js';
import { jsonLimitProblem } from './row-limits.js';
import { isExtensionId, type SubjectRules, subjectProblem } from './subject-rules.js';

export const DEFAULT_TIMEOUT_MS = 5000;
export const MAX_TIMEOUT_MS = 86_400_000;
export const MAX_RETRY = 100;
const DEFAULT_WEIGHT = 100;
/** Of a number in rules: so many survive a reader that takes it for a double. */
const MAX_DIGITS = 15;
/** Characters of a value that a problem quotes. */
const MAX_QUOTED = 300;

export type Parsed<T> = { readonly value: T } | { readonly problems: readonly string[] };

/** What an extension has beside what its own row says. */
type ExtensionParts = Pick<Extension, 'versions' | 'rolloutSlots' | 'instances'>;

export function parseExtension(row: ExtensionRow, rules: SubjectRules, parts: ExtensionParts): Parsed<Extension> {
  const problems: string[] = [...(row.faults ?? [])];
  if (!isExtensionId(row.id)) problems.push(`id must be 1 to 255 of A-Z a-z 0-9 _ : -, got ${quoted(row.id)}`);
  const type = EXTENSION_TYPES.find((t) => t === row.type);
  if (type === undefined) problems.push(`type must be one of ${EXTENSION_TYPES.join(', ')}, got ${quoted(row.type)}`);
  const overrideWrong = overrideProblem(row);
  if (overrideWrong !== null) problems.push(overrideWrong);
  const version = row.version ?? 'v1';
  if (version === '') problems.push('version must not be empty');
  const call = parseCall(row, rules, problems);
  const tooMuch = jsonLimitProblem('policy', row.policy);
  const parsedPolicy = tooMuch === null ? parsePolicy(row.policy) : { problems: [tooMuch] };
  problems.push(...policyProblems(parsedPolicy, rules));
  if ('policy' in parsedPolicy) problems.push(...slowCallProblems(parsedPolicy.policy, call.timeoutMs));
  if (problems.length > 0 || type === undefined || 'problems' in parsedPolicy) return { problems };
  const switches = switchesOf(row, null);
  // Written out: put together from spreads it costs twenty times as much, and a large registry has many.
  const value: Mutable<Extension> = {
    id: row.id,
    type,
    version,
    policy: parsedPolicy.policy,
    subject: call.subject,
    timeoutMs: call.timeoutMs,
    retry: call.retry,
    config: call.config,
    enabled: switches.enabled,
    breakerOverride: switches.breakerOverride,
    breakerResets: switches.breakerResets,
    putBackId: switches.putBackId,
    revision: switches.revision,
    autoDisabled: row.auto_disabled,
    switchedBy: row.switched_by,
    versions: parts.versions,
    rolloutSlots: parts.rolloutSlots,
    instances: parts.instances,
  };
  if (row.uid != null) value.uid = row.uid;
  if (row.policy_uid != null) value.policyUid = row.policy_uid;
  return { value };
}

type Mutable<T> = { -readonly [Name in keyof T]: T[Name] };

function policyProblems(parsed: ReturnType<typeof parsePolicy>, rules: SubjectRules): readonly string[] {
  if ('problems' in parsed) return parsed.problems;
  const { health_check: check, fallback = [] } = parsed.policy;
  const subject = check?.subject === undefined ? null : subjectProblem(check.subject, rules);
  return [
    ...(subject === null ? [] : [`policy.health_check.${subject}`]),
    ...fallback
      .filter((id) => !isExtensionId(id))
      .map((id) => `policy.fallback must hold extension ids, got ${quoted(id)}`),
  ];
}

/** null: off. */
export const slowCallOf = (policy: ExtensionPolicy | undefined): number | null => policy?.breaker?.slow_call_ms ?? null;

/** `timeoutMs`: of one version. */
export function slowCallProblems(policy: ExtensionPolicy, timeoutMs: number): readonly string[] {
  const slowMs = slowCallOf(policy);
  if (slowMs === null || slowMs < timeoutMs) return [];
  return [`policy.breaker.slow_call_ms must be below timeout_ms (${timeoutMs}), got ${slowMs}`];
}

export function parseVersion(row: VersionRow, rules: SubjectRules): Parsed<Version> {
  const problems: string[] = [...(row.faults ?? [])];
  if (row.version === '') problems.push('version must not be empty');
  const call = parseCall(row, rules, problems);
  const routingRules = row.routing_rules ?? {};
  const tooMuch = jsonLimitProblem('routing_rules', routingRules);
  if (tooMuch !== null) problems.push(tooMuch);
  else if (!isObject(routingRules)) problems.push(`routing_rules must be a JSON object, got ${kindOf(routingRules)}`);
  else
    for (const [key, rule] of Object.entries(routingRules))
      problems.push(...ruleProblems(key, Array.isArray(rule) ? rule : [rule]));
  const overrideWrong = overrideProblem(row);
  if (overrideWrong !== null) problems.push(overrideWrong);
  const percent = row.rollout_percent;
  if (!isPercent(percent)) problems.push(`rollout_percent must be 0..100, got ${percent}`);
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
      ...uidOf(row),
      ...switchesOf(row, null),
    },
  };
}

function ruleProblems(key: string, wanted: readonly unknown[]): string[] {
  if (key === '') return ['routing_rules must not have an empty key'];
  const name = key.slice(0, MAX_QUOTED);
  if (!wanted.every(isScalar)) return [`routing_rules.${name} must be a string, number or boolean, or a list of those`];
  // A reader of the column as a number may have lost digits, so that a neighbour would match.
  const inexact = wanted.filter((one) => typeof one === 'number' && Number(one.toPrecision(MAX_DIGITS)) !== one);
  return inexact
    .slice(0, 1)
    .map((one) => `routing_rules.${name} must hold numbers of more than ${MAX_DIGITS} digits as strings, got ${one}`);
}

export function parseInstance(row: InstanceRow, rules: SubjectRules): Parsed<Instance> {
  const problems: string[] = [...(row.faults ?? [])];
  const subject = subjectProblem(row.subject, rules);
  if (subject !== null) problems.push(subject);
  if (!/^[\x21-\x7e]{1,255}$/.test(row.instance_id))
    problems.push(`instance_id must be 1 to 255 printable ASCII characters, got ${quoted(row.instance_id)}`);
  const weight = row.weight ?? DEFAULT_WEIGHT;
  if (!isWeight(weight)) problems.push(`weight must be 0..100, got ${weight}`);
  if (problems.length > 0) return { problems };
  return {
    value: {
      id: row.instance_id,
      subject: row.subject,
      weight,
      version: row.version,
      ...uidOf(row),
      ...reportOf(row),
    },
  };
}

/** ROW-VALIDATION-1. */
export function extensionSwitches(
  row: ExtensionRow,
  inForce: BreakerOverride | null,
): ReturnType<typeof switchesOf> & Pick<Extension, 'autoDisabled' | 'switchedBy'> {
  return { ...switchesOf(row, inForce), autoDisabled: row.auto_disabled, switchedBy: row.switched_by };
}

function switchesOf(
  row: ExtensionRow | VersionRow,
  inForce: BreakerOverride | null,
): Pick<Version, 'enabled' | 'breakerOverride' | 'breakerResets' | 'putBackId' | 'revision'> {
  // A snapshot that an older daemon wrote lacks what came later.
  const given = row.breaker_override ?? null;
  return {
    enabled: row.enabled ?? true,
    breakerOverride: isOverride(given) ? given : inForce,
    breakerResets: row.breaker_resets ?? 0,
    putBackId: row.put_back?.id ?? null,
    revision: row.revision,
  };
}

/** ROW-VALIDATION-1. */
export function keptVersion(row: VersionRow, inForce: Version): Version {
  const isDrained = inForce.rolloutPercent !== null && row.rollout_percent === 0;
  return {
    ...inForce,
    ...switchesOf(row, inForce.breakerOverride),
    ...(isDrained ? { rolloutPercent: 0 } : {}),
  };
}

/** ROW-VALIDATION-1. */
export function keptInstance(row: InstanceRow, inForce: Instance): Instance {
  const weight = row.weight ?? DEFAULT_WEIGHT;
  return { ...inForce, ...reportOf(row), weight: isWeight(weight) ? weight : inForce.weight };
}

const uidOf = ({ uid }: ExtensionRow | VersionRow | InstanceRow): { readonly uid?: string } =>
  uid == null ? {} : { uid };

/** Whether it is to be called, and what others report of it. */
const reportOf = (row: InstanceRow): Pick<Instance, 'enabled' | 'healthStatus' | 'reportId' | 'revision'> => ({
  enabled: row.enabled ?? true,
  healthStatus: HEALTH_STATUSES.find((s) => s === row.health_status) ?? 'unknown',
  ...(row.health_report === undefined ? {} : { reportId: row.health_report }),
  revision: row.revision,
});

/** What extensions and versions have in common: subject, timeout, retries and configuration. */
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
  const tooMuch = jsonLimitProblem('config', config);
  if (tooMuch !== null) problems.push(tooMuch);
  else if (!isObject(config)) problems.push(`config must be a JSON object, got ${kindOf(config)}`);
  return { subject: row.subject, timeoutMs, retry, config: isObject(config) ? config : {} };
}

const isWeight = (weight: number): boolean => Number.isInteger(weight) && weight >= 0 && weight <= 100;
const isPercent = (percent: number | null): boolean => percent === null || (percent >= 0 && percent <= 100);
const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const isOverride = (value: string | null): value is BreakerOverride | null =>
  value === null || value === 'isolated' || value === 'forced_closed';
const overrideProblem = ({ breaker_override: given }: ExtensionRow | VersionRow): string | null =>
  isOverride(given ?? null) ? null : `breaker_override must be isolated or forced_closed, got ${quoted(given)}`;
const isScalar = (value: unknown): boolean => ['string', 'number', 'boolean'].includes(typeof value);
const kindOf = (value: unknown): string =>
  Array.isArray(value) ? 'a list' : value === null ? 'null' : `a ${typeof value}`;
const quoted = (value: unknown): string =>
  JSON.stringify(typeof value === 'string' && value.length > MAX_QUOTED ? `${value.slice(0, MAX_QUOTED)}…` : value);

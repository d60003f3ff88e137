// What an operator may decide about one extension (`extensions.policy`), and what the breaker works with once row, columns
// and daemon configuration are put together. One schema serves validation, its error texts and the documents.
//
// POLICY-1. A policy that is not valid is refused as a whole; nothing of it takes effect.
// POLICY-2. What a policy does not name comes from the extension's threshold columns, else from the daemon's configuration.
//
// Long: one schema, with the description of every setting.
import { type Static, Type } from '#typebox';
import { Compile } from '#typebox/compile';
import { expectation, type SchemaError } from '../schema-problem.js';
import type { ThresholdColumns } from './registry-rows.js';
import { MAX_SUBJECT_BYTES } from './subject-rules.js';

/** Largest delay a timer takes without firing immediately (2^31 - 1 ms), in whole seconds. */
export const MAX_TIMER_SECONDS = 2_147_483;

const strict = { additionalProperties: false } as const;

/** The breaker's settings, by the names they have in `policy.breaker`. Ranges are those of the configuration too. */
export const BREAKER_SETTINGS = {
  circuit_breaker_enabled: Type.Boolean({
    description: 'False: never opens, still records, and publishes `circuit_would_open`.',
  }),
  failure_threshold: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    description: 'Opens at this many failures, counted by `failure_rule`.',
  }),
  failure_rule: Type.Enum(['window', 'consecutive'], {
    description:
      '`window`: failures in the window, while they are also at least `failure_rate_floor` of its outcomes. `consecutive`: failures in a row.',
  }),
  failure_rate_floor: Type.Number({
    minimum: 0,
    maximum: 1,
    description: 'Share of failures below which the count does not open (rule `window`); 0 = no floor.',
  }),
  error_rate_threshold: Type.Number({
    minimum: 0,
    maximum: 1,
    description: 'Opens when the share of failures in the window is above this.',
  }),
  minimum_volume: Type.Integer({
    minimum: 1,
    maximum: 1_000_000,
    description: 'Outcomes in the window before the error rate counts.',
  }),
  window_seconds: Type.Integer({ minimum: 1, maximum: 3600, description: 'Length of the sliding decision window.' }),
  open_seconds: Type.Number({
    minimum: 0.001,
    maximum: 86_400,
    description: 'How long it stays open the first time; doubles per trip in a row.',
  }),
  open_max_seconds: Type.Number({
    minimum: 0.001,
    maximum: 86_400,
    description: 'Upper limit of the doubled `open_seconds`.',
  }),
  half_open_max_requests: Type.Integer({
    minimum: 1,
    maximum: 1000,
    description: 'Probes in flight at a time while half-open.',
  }),
  half_open_successes: Type.Integer({
    minimum: 1,
    maximum: 1000,
    description: 'Successful probes that close it; one failure re-opens.',
  }),
  recovery_ramp_seconds: Type.Number({
    minimum: 0,
    maximum: 3600,
    description:
      'Slow start: for this long after closing, calls in flight are limited to `half_open_max_requests` and one more per success, until that is as many as there were before; 0 = off.',
  }),
  ejection_seconds: Type.Number({
    minimum: 0.001,
    maximum: 86_400,
    description:
      'How long an instance that fails while others do not is out of rotation (ejected) the first time; doubled up to ten times as long.',
  }),
} as const;

/** Of `policy.breaker` alone: they depend on the timeouts of an extension, so the daemon's configuration has none of them. */
export const OWN_BREAKER_SETTINGS = {
  slow_call_ms: Type.Integer({
    minimum: 1,
    maximum: 86_399_999,
    description:
      'A success that took longer counts as a failure for the breaker and for ejection, and as a failed probe; the caller gets the answer, and the success rate counts a success. Below the `timeout_ms` of the extension and of each of its versions.',
  }),
} as const;

const configuredSchema = Type.Object(BREAKER_SETTINGS, strict);
const breakerSchema = Type.Object({ ...BREAKER_SETTINGS, ...OWN_BREAKER_SETTINGS }, strict);
/** Every breaker setting, in the units of its name; what is absent is off. */
export type BreakerSettings = Readonly<Static<typeof configuredSchema>> & {
  readonly [Name in keyof typeof OWN_BREAKER_SETTINGS]?: number;
};

export const DEFAULT_CHECK_INTERVAL_SECONDS = 10;

/** Active checks, by the names they have in `policy.health_check`. */
export const HEALTH_CHECK_SETTINGS = {
  subject: Type.String({
    minLength: 1,
    maxLength: MAX_SUBJECT_BYTES,
    description:
      'Subject of the checks: one per version, however many instances there are. Without it: the subjects of calls, one for each subject of the instances that get calls.',
  }),
  payload: Type.Unknown({ description: 'Any JSON, the body of a check. Without it the body is empty.' }),
  interval_seconds: Type.Number({
    minimum: 0.1,
    maximum: 86_400,
    default: DEFAULT_CHECK_INTERVAL_SECONDS,
    description: 'From the beginning of one round of checks to that of the next.',
  }),
  timeout_ms: Type.Integer({
    minimum: 1,
    description: "A check that takes longer has failed. Without it, and at most: the version's `timeout_ms`.",
  }),
} as const;

const healthCheckSchema = Type.Partial(Type.Object(HEALTH_CHECK_SETTINGS), {
  ...strict,
  description: 'Active checks: the daemon sends checks of its own to the extension. `{}` is enough.',
});
export type HealthCheckPolicy = Readonly<Static<typeof healthCheckSchema>>;

/** How the calls of a version are spread over its instances. */
export const BALANCERS = ['weighted_round_robin', 'least_inflight', 'consistent_hash'] as const;
export type Balancer = (typeof BALANCERS)[number];
const MAX_FALLBACKS = 8;

export const DEFAULT_RETRY_BUDGET = { share: 0.2, reserve: 3 } as const;

/** What retries may cost, by the names they have in `policy.retry`. */
const RETRY_BUDGET_SETTINGS = {
  budget_share: Type.Number({
    minimum: 0,
    maximum: 1,
    default: DEFAULT_RETRY_BUDGET.share,
    description: 'Retries of the last ten seconds, as a share of the calls in them.',
  }),
  budget_reserve: Type.Integer({
    minimum: 0,
    maximum: 1000,
    default: DEFAULT_RETRY_BUDGET.reserve,
    description:
      'Retries in ten seconds that are granted, however few calls there were; of all replicas of a fleet together.',
  }),
} as const;

const retrySchema = Type.Partial(Type.Object(RETRY_BUDGET_SETTINGS), {
  ...strict,
  description: 'The retry budget.',
});
export type RetryPolicy = Readonly<Static<typeof retrySchema>>;

export const policySchema = Type.Object(
  {
    balancer: Type.Optional(
      Type.Enum([...BALANCERS], {
        default: 'weighted_round_robin',
        description:
          'How calls are spread over the instances of a version: round-robin by weight (the default), the less busy of two, or by a hash of the routing key.',
      }),
    ),
    breaker: Type.Optional(Type.Partial(breakerSchema, strict)),
    deliver_config: Type.Optional(Type.Boolean({ default: true, description: 'False: `Extreg-Config` is not sent.' })),
    fallback: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 255 }), {
        maxItems: MAX_FALLBACKS,
        uniqueItems: true,
        default: [],
        description: 'Extensions of the same type that get the calls, in this order, if no version of this one does.',
      }),
    ),
    hash_balance_factor: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 1000,
        not: { minimum: 1, maximum: 100 },
        default: 0,
        description:
          "For `consistent_hash`: the most calls in flight that an instance may have, in per cent of its weight's share of all calls in flight, rounded up; from 101 on. A key whose instance has reached the bound is sent to its next instance, until the load falls. 0 = no bound.",
      }),
    ),
    health_check: Type.Optional(healthCheckSchema),
    max_in_flight: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000_000,
        description:
          "Calls of this extension in flight at a time, of all replicas of a fleet together; more are refused (`overloaded`). Without it only the daemon's own `max_in_flight` limits them.",
      }),
    ),
    panic: Type.Optional(
      Type.Enum(['any_enabled', 'fail'], {
        default: 'any_enabled',
        description:
          'If every instance of a version is out of rotation: use them all the same (the default), or refuse with `no_instance`.',
      }),
    ),
    record: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 100_000,
        default: 0,
        description:
          'For `extreg replay`: how many entries (settled attempts, and what their breaker did) are kept in memory, per version, 16 bytes each; 0 = off.',
      }),
    ),
    retry: Type.Optional(retrySchema),
    rules_fallback: Type.Optional(
      Type.Boolean({
        default: false,
        description:
          'True: if a version that rules chose refuses a call, others and `fallback` may get it. Otherwise such a call is refused.',
      }),
    ),
  },
  strict,
);
export type ExtensionPolicy = Readonly<Static<typeof policySchema>>;

const compiled = Compile(policySchema);

/** What a problem names of unknown settings: a policy can hold a megabyte of them. */
const MAX_NAMED = 8;
const MAX_NAME_LENGTH = 80;

/** The policy a column holds, or what is wrong with it, each problem with what was expected. null and absent mean {}. */
export function parsePolicy(value: unknown): { policy: ExtensionPolicy } | { problems: string[] } {
  if (value === null || value === undefined) return { policy: {} };
  if (compiled.Check(value)) return { policy: value };
  // The validator stops after eight errors, and counts each unknown name as one.
  const problems: string[] = [];
  const known = withoutUnknown(value, policySchema, 'policy', problems);
  problems.push(...compiled.Errors(known).map((error) => describeError(error, 'policy')));
  return { problems };
}

/** What is left of a value if every name that its schema does not have is removed and reported. */
function withoutUnknown(value: unknown, schema: object | undefined, path: string, problems: string[]): unknown {
  const properties = (schema as { properties?: Record<string, object> } | undefined)?.properties;
  if (properties === undefined || typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const unknown = Object.keys(value).filter((name) => !Object.hasOwn(properties, name));
  if (unknown.length > 0) {
    const named = unknown.slice(0, MAX_NAMED).map((name) => `'${name.slice(0, MAX_NAME_LENGTH)}'`);
    const more = unknown.length > MAX_NAMED ? ` and ${unknown.length - MAX_NAMED} more` : '';
    problems.push(`${path} has no setting ${named.join(', ')}${more}`);
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => Object.hasOwn(properties, name))
      .map(([name, part]) => [name, withoutUnknown(part, properties[name], `${path}.${name}`, problems)]),
  );
}

/** One sentence for a schema error: `policy.breaker.window_seconds must be >= 1`. */
function describeError(error: SchemaError, root: string): string {
  const path = root + error.instancePath.replaceAll('/', '.');
  if (error.keyword === 'not' && path === 'policy.hash_balance_factor') return `${path} must be 0 or 101 to 1000`;
  return `${path} ${expectation(error)}`;
}

/** POLICY-2: policy over threshold columns over configuration. */
export function resolveBreakerSettings(
  policy: ExtensionPolicy,
  columns: ThresholdColumns | null,
  defaults: BreakerSettings,
): BreakerSettings {
  // Most extensions have nothing of their own, and share what is the daemon's.
  if (columns === null && policy.breaker === undefined) return defaults;
  const fromColumns: Partial<BreakerSettings> = Object.fromEntries(
    Object.entries(columns ?? {}).filter(([, value]) => value !== null),
  );
  return { ...defaults, ...fromColumns, ...policy.breaker };
}

/** What decides a setting: `extensions.policy`, a column of `extension_health`, the configuration, or none of them. */
const SETTING_SOURCES = ['policy', 'column', 'configuration', 'default'] as const;
type SettingSource = (typeof SETTING_SOURCES)[number];

export interface SettingInForce {
  /** null: off. */
  readonly value: NonNullable<BreakerSettings[keyof BreakerSettings]> | null;
  readonly from: SettingSource;
}

/** The same as resolveBreakerSettings, each with what decides it. */
export function breakerSettingsInForce(
  policy: ExtensionPolicy,
  columns: ThresholdColumns | null,
  defaults: BreakerSettings,
): Readonly<Record<keyof BreakerSettings, SettingInForce>> {
  const settings = resolveBreakerSettings(policy, columns, defaults);
  const byColumn: Partial<Record<keyof BreakerSettings, unknown>> = columns ?? {};
  const names = Object.keys(breakerSchema.properties) as (keyof BreakerSettings)[];
  const inForce = names.map((name): [string, SettingInForce] => {
    const elsewhere = Object.hasOwn(OWN_BREAKER_SETTINGS, name) ? 'default' : 'configuration';
    const isByPolicy = policy.breaker?.[name] !== undefined;
    const from = isByPolicy ? 'policy' : (byColumn[name] ?? null) !== null ? 'column' : elsewhere;
    return [name, { value: settings[name] ?? null, from }];
  });
  return Object.fromEntries(inForce) as Record<keyof BreakerSettings, SettingInForce>;
}

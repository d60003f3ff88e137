// The health views as schemas (answer-schema.ts). Each field's unit and description are what docs/health.md says of it.
import { type Static, Type } from '#typebox';
import { listOf, objectOrNull, oneOf, orNull } from '../registry/answer-schema.js';
import { type BreakerOverride, EXTENSION_TYPES, HEALTH_STATUSES } from '../registry/extension.js';
import { BREAKER_SETTINGS, OWN_BREAKER_SETTINGS, type SettingInForce } from '../registry/policy.js';
import { refusedRowsSchema } from '../registry/refused-row.js';

export type { RefusedRow } from '../registry/refused-row.js';

const rate = (description: string) => orNull<number>('number', { unit: '0 to 1', description });
const ms = (description: string) => orNull<number>('number', { unit: 'milliseconds', description });
const time = (description: string) => orNull<string>('string', { unit: 'ISO 8601, UTC', description });
const textOrNull = (description: string) => orNull<string>('string', { unit: '-', description });
const count = (description: string) => Type.Number({ unit: 'count', description });
const text = (description: string) => Type.String({ unit: '-', description });
const flag = (description: string) => Type.Boolean({ unit: '-', description });

const HEALTH_WINDOW = 'in the health window (the last five minutes)';

const latencyFields = {
  avg_latency_ms: ms(`Mean latency ${HEALTH_WINDOW}; null without a sample.`),
  p50_latency_ms: ms('Median of the same samples.'),
  p95_latency_ms: ms('95th percentile of the same samples.'),
  p99_latency_ms: ms('99th percentile of the same samples.'),
};
const latencySamples = count(`Attempts whose latency was measured ${HEALTH_WINDOW}.`);
const successRate = rate(`Successes as a share of successes and failures ${HEALTH_WINDOW}; null without either.`);
const override = orNull<BreakerOverride>('string', {
  unit: '-',
  description: "An operator's override of the breaker: `isolated` or `forced_closed`; null without one.",
});

const evidenceFields = {
  failures: count('Failures in the decision window.'),
  outcomes: count('Successes and failures in the decision window.'),
  slow: count('Those of them that succeeded, but took longer than `slow_call_ms`.'),
  overdue: count('Attempts in flight for so long that each counts as a failed one.'),
  error_rate: rate('(failures + overdue) / (outcomes + overdue); null without any.'),
  window_seconds: Type.Number({ unit: 'seconds', description: 'Length of the decision window.' }),
  first_failure: time('The first failure in the window; null without one.'),
  last_failure: time('The last failure in the window; null without one.'),
};

const targetFields = {
  success_rate: successRate,
  ...latencyFields,
  last_latency_ms: ms('Latency of the last attempt; null if none is known.'),
  latency_samples: latencySamples,
  success_count: count('Successes since the extension was registered, restarts of the daemon included.'),
  failure_count: count('Failures since then.'),
  last_success: time('When an attempt succeeded last; null if none is known.'),
  last_failure: time('When an attempt failed last; null if none is known.'),
  circuit_breaker_state: oneOf(['closed', 'open', 'half_open'], {
    unit: '-',
    description: '`closed`, `open` or `half_open`.',
  }),
  circuit_breaker_opened_at: time('When the breaker opened; null while it is closed.'),
  circuit_breaker_open_until: time(
    'When an open breaker lets the first probe pass; null while it is not open, and while it is isolated.',
  ),
  circuit_breaker_trips: count('How often the breaker opened in a row, re-opening from half-open included.'),
  trip_reason: textOrNull('Why the breaker opened last; null if it never did in this process, or since a reset.'),
  trip_evidence: objectOrNull(evidenceFields, {
    unit: '-',
    description: 'The numbers that the breaker opened on; null as `trip_reason`.',
  }),
  half_open_requests_count: count('Probes in flight while half-open; 0 otherwise.'),
  recovering: flag('True during the slow start after the breaker has closed.'),
};

/** Measurements of one version; also what an event carries. */
export type TargetHealth = Static<typeof targetHealth>;
const targetHealth = Type.Object(targetFields, { unit: '-', description: 'Measurements of the default version.' });

const extensionFields = {
  id: text('Extension id.'),
  type: oneOf(EXTENSION_TYPES, { unit: '-', description: '`pre`, `validator`, `post` or `provider`.' }),
  enabled: flag('As in the row; false: disabled by an operator, or automatically.'),
  auto_disabled: flag('True while it is disabled automatically.'),
  override,
  version: text('Its default version, whose measurements `health` holds.'),
  health: targetHealth,
};

export type ExtensionRowHealth = Static<typeof extensionRow>;
const extensionRow = Type.Object(extensionFields);

export type HealthSummary = Static<typeof summary>;
const summary = Type.Object(
  {
    total: count('Extensions.'),
    enabled: count('Those that are enabled.'),
    healthy: count('Those that are enabled and whose breaker is closed.'),
    unhealthy: count('All others.'),
    avg_success_rate: rate('Mean of `success_rate` over the extensions that have one; null without any.'),
    avg_latency_ms: ms('Mean of `avg_latency_ms` over the extensions that have one; null without any.'),
    avg_p95_latency_ms: ms('Mean of `p95_latency_ms` over the extensions that have one; null without any.'),
  },
  { unit: '-', description: 'Of all extensions, even if the list is a page or a selection.' },
);

export type HealthReport = Static<typeof healthReportSchema>;
export const healthReportSchema = Type.Object({
  extensions: listOf(extensionRow, { unit: '-', description: 'In the order of their ids.' }),
  summary,
  refused_rows: Type.Optional(refusedRowsSchema),
  refused_rows_total: Type.Optional(
    count('How many rows are refused; the list holds the first 1000. Absent if there are none.'),
  ),
});

export type InstanceHealth = Static<typeof instanceHealth>;
const instanceHealth = Type.Object({
  id: text('Instance id.'),
  version: textOrNull('The version that it answers for; null: every version.'),
  weight: Type.Number({ unit: '0 to 100', description: 'Its share of the calls; 0: it is drained.' }),
  enabled: flag('As in its row.'),
  health_status: oneOf(HEALTH_STATUSES, {
    unit: '-',
    description: '`healthy`, `degraded`, `unhealthy` or `unknown`.',
  }),
  ejected_until: time('When an instance out of rotation may be tried again; null while it is in rotation.'),
  success_rate: successRate,
  ...latencyFields,
  latency_samples: latencySamples,
});

const settingInForce = Type.Unsafe<SettingInForce>(Type.Object({ value: Type.Unknown(), from: Type.String() }));
const breakerSettings = Type.Unsafe<Readonly<Record<string, SettingInForce>>>(
  Type.Object(
    Object.fromEntries(
      Object.keys({ ...BREAKER_SETTINGS, ...OWN_BREAKER_SETTINGS }).map((name) => [name, settingInForce]),
    ),
    {
      unit: 'as the setting',
      description:
        'By the name of each setting of `policy.breaker`: its `value`, and `from`: `policy`, `column` (of `extension_health`), `configuration` or `default` (off).',
    },
  ),
);

export type ExtensionHealth = Static<typeof extensionHealthSchema>;
export const extensionHealthSchema = Type.Object({
  ...extensionFields,
  opened_for_ms: Type.Optional(ms('How long ago the breaker opened; null while it is closed.')),
  open_remaining_ms: Type.Optional(
    ms('Until an open breaker lets the first probe pass; null while there is none to wait for.'),
  ),
  refused_per_second: Type.Optional(
    Type.Number({ unit: 'calls per second', description: 'Calls that were refused, over the last ten seconds.' }),
  ),
  breaker_settings: Type.Optional(breakerSettings),
  refused_rows: Type.Optional(refusedRowsSchema),
  versions: listOf(
    Type.Object({
      version: text('Name of the version.'),
      enabled: flag('As in its row.'),
      default: flag('True for the version that gets the calls which no rules and no rollout match.'),
      override: orNull<BreakerOverride>('string', {
        unit: '-',
        description: "In force over its breaker: its own, or its extension's; null without one.",
      }),
      ...targetFields,
    }),
    { unit: '-', description: 'Every version, with the measurements of `health`.' },
  ),
  instances: listOf(instanceHealth, {
    unit: '-',
    description: 'Every instance; those that share a subject share their measurements.',
  }),
});

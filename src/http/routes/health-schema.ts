// The JSON of the health views as schemas, which fastify serialises by. Fields as in domain/health/health-report.ts; a test
// compares what goes in with what comes out. Each field's unit and description are what docs/health.md says of it.
import { type TSchema, Type } from '#typebox';
import { BREAKER_SETTINGS } from '../../domain/registry/policy.js';

/** Beside JSON Schema's own: the unit of a value, as docs/health.md names it. */
type Field = (description: string) => TSchema;

// One schema with two types, because a union of schemas is serialised by trial.
const nullable = (type: 'number' | 'string', unit: string, description: string): TSchema =>
  Type.Unsafe({ type: [type, 'null'], unit, description });
const rate: Field = (description) => nullable('number', '0 to 1', description);
const ms: Field = (description) => nullable('number', 'milliseconds', description);
const time: Field = (description) => nullable('string', 'ISO 8601, UTC', description);
const textOrNull: Field = (description) => nullable('string', '-', description);
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
const override = textOrNull("An operator's override of the breaker: `isolated` or `forced_closed`; null without one.");

const targetFields = {
  success_rate: successRate,
  ...latencyFields,
  last_latency_ms: ms('Latency of the last attempt; null where none is known.'),
  latency_samples: latencySamples,
  success_count: count('Successes since the extension was registered, restarts of the daemon included.'),
  failure_count: count('Failures since then.'),
  last_success: time('When an attempt succeeded last; null where none is known.'),
  last_failure: time('When an attempt failed last; null where none is known.'),
  circuit_breaker_state: text('`closed`, `open` or `half_open`.'),
  circuit_breaker_opened_at: time('When the breaker opened; null while it is closed.'),
  circuit_breaker_open_until: time(
    'When an open breaker lets the first probe pass; null while it is not open, and while it is isolated.',
  ),
  circuit_breaker_trips: count('How often the breaker opened in a row, re-opening from half-open included.'),
  trip_reason: textOrNull('Why the breaker opened last; null where it never did in this process, or since a reset.'),
  trip_evidence: Type.Unsafe({
    type: ['object', 'null'],
    unit: '-',
    description: 'The numbers that the breaker opened on; null as `trip_reason`.',
    properties: {
      failures: count('Failures in the decision window.'),
      outcomes: count('Successes and failures in the decision window.'),
      overdue: count('Attempts in flight for so long that each counts as a failed one.'),
      error_rate: rate('(failures + overdue) / (outcomes + overdue); null without any.'),
      window_seconds: Type.Number({ unit: 'seconds', description: 'Length of the decision window.' }),
      first_failure: time('The first failure in the window; null without one.'),
      last_failure: time('The last failure in the window; null without one.'),
    },
  }),
  half_open_requests_count: count('Probes in flight while half-open; 0 otherwise.'),
  recovering: flag('True during the slow start after the breaker has closed.'),
};

const extensionFields = {
  id: text('Extension id.'),
  type: text('`pre`, `validator`, `post` or `provider`.'),
  enabled: flag('As in the row; false: disabled by an operator, or automatically.'),
  auto_disabled: flag('True while it is disabled automatically.'),
  override,
  version: text('Its default version, whose measurements `health` holds.'),
  health: Type.Object(targetFields, { unit: '-', description: 'Measurements of the default version.' }),
};

const refusedRows = Type.Array(
  Type.Object({
    extension_id: text('Extension that the row belongs to.'),
    version: textOrNull("Version that the row is of; null: another row, or the extension's own."),
    instance_id: textOrNull("Instance that the row is of; null: another row, or the extension's own."),
    revision: Type.Number({ unit: 'revision', description: 'Revision of the registry at which the row was refused.' }),
    problems: Type.Array(Type.String(), { unit: '-', description: 'Sentences: what was expected and what was found.' }),
  }),
  { unit: '-', description: 'Rows that are not in force; absent where there are none.' },
);

export const healthReportSchema = Type.Object({
  extensions: Type.Array(Type.Object(extensionFields), { unit: '-', description: 'In the order of their ids.' }),
  summary: Type.Object(
    {
      total: count('Extensions.'),
      enabled: count('Those that are enabled.'),
      healthy: count('Those that are enabled and whose breaker is closed.'),
      unhealthy: count('All others.'),
      avg_success_rate: rate('Mean of `success_rate` over the extensions that have one; null without any.'),
      avg_latency_ms: ms('Mean of `avg_latency_ms` over the extensions that have one; null without any.'),
      avg_p95_latency_ms: ms('Mean of `p95_latency_ms` over the extensions that have one; null without any.'),
    },
    { unit: '-', description: 'Of all extensions, also where the list is a page or a selection.' },
  ),
  refused_rows: Type.Optional(refusedRows),
  refused_rows_total: Type.Optional(
    count('How many rows are refused; the list holds the first 1000. Absent where there are none.'),
  ),
});

export const extensionHealthSchema = Type.Object({
  ...extensionFields,
  breaker_settings: Type.Optional(
    Type.Object(
      Object.fromEntries(
        Object.keys(BREAKER_SETTINGS).map((name) => [
          name,
          Type.Object({ value: Type.Unknown(), from: Type.String() }),
        ]),
      ),
      {
        unit: 'as the setting',
        description:
          'By the name of each setting of `policy.breaker`: its `value`, and `from`: `policy`, `column` (of `extension_health`) or `configuration`.',
      },
    ),
  ),
  refused_rows: Type.Optional(refusedRows),
  versions: Type.Array(
    Type.Object({
      version: text('Name of the version.'),
      enabled: flag('As in its row.'),
      default: flag('True for the version that takes calls which no rule and no rollout takes.'),
      override: textOrNull("In force over its breaker: its own, or its extension's; null without one."),
      ...targetFields,
    }),
    { unit: '-', description: 'Every version, with the measurements of `health`.' },
  ),
  instances: Type.Array(
    Type.Object({
      id: text('Instance id.'),
      version: textOrNull('The version that it answers for; null: every version.'),
      weight: Type.Number({ unit: '0 to 100', description: 'Its share of the calls; 0: it is drained.' }),
      enabled: flag('As in its row.'),
      health_status: text('`healthy`, `degraded`, `unhealthy` or `unknown`.'),
      ejected_until: time('When an instance out of rotation may be tried again; null while it is in rotation.'),
      success_rate: successRate,
      ...latencyFields,
      latency_samples: latencySamples,
    }),
    { unit: '-', description: 'Every instance; those that share a subject share their measurements.' },
  ),
});

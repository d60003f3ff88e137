// The JSON of the health views as schemas, which fastify serialises by. Fields as in domain/health-report.ts; a test
// compares what goes in with what comes out.
import { type TSchema, Type } from '#typebox';
import { BREAKER_SETTINGS } from '../domain/policy.js';

// One schema with two types, because a union of schemas is serialised by trial.
const nullable = (type: 'number' | 'string'): TSchema => Type.Unsafe({ type: [type, 'null'] });
const rate = nullable('number');
const ms = nullable('number');
const time = nullable('string');

const targetFields = {
  success_rate: rate,
  avg_latency_ms: ms,
  p50_latency_ms: ms,
  p95_latency_ms: ms,
  p99_latency_ms: ms,
  last_latency_ms: ms,
  latency_samples: Type.Number(),
  success_count: Type.Number(),
  failure_count: Type.Number(),
  last_success: time,
  last_failure: time,
  circuit_breaker_state: Type.String(),
  circuit_breaker_opened_at: time,
  circuit_breaker_open_until: time,
  circuit_breaker_trips: Type.Number(),
  trip_reason: nullable('string'),
  trip_evidence: Type.Unsafe({
    type: ['object', 'null'],
    properties: {
      failures: Type.Number(),
      outcomes: Type.Number(),
      overdue: Type.Number(),
      error_rate: rate,
      window_seconds: Type.Number(),
      first_failure: time,
      last_failure: time,
    },
  }),
  half_open_requests_count: Type.Number(),
  recovering: Type.Boolean(),
};

const extensionFields = {
  id: Type.String(),
  type: Type.String(),
  enabled: Type.Boolean(),
  auto_disabled: Type.Boolean(),
  override: nullable('string'),
  version: Type.String(),
  health: Type.Object(targetFields),
};

const refusedRow = Type.Object({
  extension_id: Type.String(),
  version: nullable('string'),
  instance_id: nullable('string'),
  revision: Type.Number(),
  problems: Type.Array(Type.String()),
});

export const healthReportSchema = Type.Object({
  extensions: Type.Array(Type.Object(extensionFields)),
  summary: Type.Object({
    total: Type.Number(),
    enabled: Type.Number(),
    healthy: Type.Number(),
    unhealthy: Type.Number(),
    avg_success_rate: rate,
    avg_latency_ms: ms,
    avg_p95_latency_ms: ms,
  }),
  refused_rows: Type.Optional(Type.Array(refusedRow)),
  refused_rows_total: Type.Optional(Type.Number()),
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
    ),
  ),
  refused_rows: Type.Optional(Type.Array(refusedRow)),
  versions: Type.Array(
    Type.Object({
      version: Type.String(),
      enabled: Type.Boolean(),
      default: Type.Boolean(),
      override: nullable('string'),
      ...targetFields,
    }),
  ),
  instances: Type.Array(
    Type.Object({
      id: Type.String(),
      version: nullable('string'),
      weight: Type.Number(),
      enabled: Type.Boolean(),
      health_status: Type.String(),
      ejected_until: time,
      success_rate: rate,
      avg_latency_ms: ms,
      p50_latency_ms: ms,
      p95_latency_ms: ms,
      p99_latency_ms: ms,
      latency_samples: Type.Number(),
    }),
  ),
});

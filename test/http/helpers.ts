// Sources with known numbers, and a listening server over them.
import type { ExecutionContext } from 'ava';
import type { HealthSource, Readiness } from '../../src/actors/ports/api.js';
import type { ManagementDesk } from '../../src/actors/ports/management.js';
import type { ExtensionSample } from '../../src/actors/ports/metrics.js';
import type { FleetAnswer } from '../../src/domain/fleet/fleet-answer.js';
import { isHealthy, SummaryInProgress } from '../../src/domain/health/health-report.js';
import type {
  ExtensionHealth,
  ExtensionRowHealth,
  HealthReport,
  HealthSummary,
  TargetHealth,
} from '../../src/domain/health/health-schema.js';
import { objectParts } from '../../src/domain/json-parts.js';
import type { DaemonStatus } from '../../src/domain/status-schema.js';
import { createMetricsPage } from '../../src/http/routes/metrics-page.js';
import { type HttpOptions, type HttpServer, startHttp } from '../../src/http/server.js';
import { silentLogger } from '../../src/telemetry/log.js';
import { LogControl } from '../../src/telemetry/log-control.js';
import type { DaemonNumbers } from '../../src/telemetry/metrics.js';
import { openAccess } from '../helpers/access.js';
import { ActorWorld } from '../helpers/actor-world.js';

export const targetHealth: TargetHealth = {
  success_rate: 0.95,
  avg_latency_ms: 45.2,
  p50_latency_ms: 40,
  p95_latency_ms: 90.5,
  p99_latency_ms: null,
  last_latency_ms: 41,
  latency_samples: 20,
  success_count: 19,
  failure_count: 1,
  last_success: '2025-01-27T12:00:00.000Z',
  last_failure: null,
  circuit_breaker_state: 'closed',
  circuit_breaker_opened_at: null,
  circuit_breaker_open_until: null,
  circuit_breaker_trips: 0,
  trip_reason: null,
  trip_evidence: null,
  half_open_requests_count: 0,
  recovering: false,
};

export const extensionHealth = (id: string, health: Partial<TargetHealth> = {}): ExtensionRowHealth => ({
  id,
  type: 'pre',
  enabled: true,
  auto_disabled: false,
  override: null,
  version: 'v1',
  health: { ...targetHealth, ...health },
});

/** `report`: what a list of all says; `whole`: what one says. */
interface TestHealthSource extends HealthSource {
  report(): HealthReport;
  whole(id: string): ExtensionHealth | null;
}

/** As a HealthSource gives it. */
export const partsOf = (one: ExtensionHealth | null): Generator<string> | null => {
  if (one === null) return null;
  const { versions, instances, ...head } = one;
  return objectParts(head, { versions, instances });
};

export function healthSource(...extensions: readonly ExtensionRowHealth[]): TestHealthSource {
  const withTargets = (one: ExtensionRowHealth): ExtensionHealth => ({
    ...one,
    versions: [
      { version: 'v1', enabled: true, default: true, override: one.override, ...one.health },
      {
        version: 'v2',
        enabled: false,
        default: false,
        override: 'isolated',
        ...one.health,
        trip_reason: 'error_rate',
        trip_evidence: {
          failures: 3,
          outcomes: 5,
          slow: 0,
          overdue: 1,
          error_rate: 0.67,
          window_seconds: 60,
          first_failure: '2025-01-27T12:00:00.000Z',
          last_failure: null,
        },
        recovering: true,
      },
    ],
    instances: [
      {
        id: 'i-1',
        version: null,
        weight: 100,
        enabled: true,
        health_status: 'unhealthy',
        ejected_until: '2025-01-27T12:00:30.000Z',
        success_rate: 0.4,
        avg_latency_ms: 10,
        p50_latency_ms: 9.5,
        p95_latency_ms: 20,
        p99_latency_ms: null,
        latency_samples: 12,
      },
    ],
  });
  const inOrder = extensions.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const isShown = (one: ExtensionRowHealth): boolean => !isHealthy(one.enabled, one.health.circuit_breaker_state);
  const whole = (id: string) => extensions.filter((one) => one.id === id).map(withTargets)[0] ?? null;
  return {
    report: () => ({ extensions: inOrder, summary: summaryOf(extensions) }),
    list: async ({ limit = Number.POSITIVE_INFINITY, offset = 0, unhealthy = false }) => ({
      extensions: inOrder
        .filter((one) => !unhealthy || isShown(one))
        .slice(offset, offset + limit)
        .map((one) => JSON.stringify(one)),
      summary: summaryOf(extensions),
    }),
    one: (id) => partsOf(whole(id)),
    absence: (id) => `no extension '${id}'`,
    whole,
  };
}

function summaryOf(extensions: readonly ExtensionRowHealth[]): HealthSummary {
  const summary = new SummaryInProgress();
  for (const one of extensions) summary.add(one);
  return summary.summary;
}

export const extensionSample = (extension_id: string, sample: Partial<ExtensionSample> = {}): ExtensionSample => ({
  extension_id,
  state: 0,
  failures_total: 0,
  recoveries_total: 0,
  trips_total: 0,
  success_rate: null,
  avg_latency_ms: null,
  auto_disabled: false,
  in_flight: 0,
  last_failure_timestamp_seconds: null,
  invocations: new Map(),
  override: null,
  last_trip: null,
  probes: 0,
  outcomes: 0,
  latency_seconds: [],
  attempts: [],
  calls: null,
  instances: null,
  health_checks: new Map(),
  fallbacks: new Map(),
  routed: [],
  versions: [],
  version_counts: [],
  ...sample,
});

export const daemonNumbers: DaemonNumbers = {
  extension_registry_min_success_rate: 0.5,
  extension_registry_lag_seconds: 23,
  extension_registry_health_flush_lag_seconds: 24,
  extension_registry_health_flush_pending: 25,
  extension_registry_event_streams: 26,
  extension_registry_inspector_viewers: 27,
  extension_registry_loop_delay_seconds: { cumulative: [...Array(8).fill(4), ...Array(9).fill(6)], sumSeconds: 0.5 },
  extension_registry_ready: 1,
  extension_registry_nats_connected: 1,
  extension_registry_database_connected: 0,
  extension_registry_fleet_replicas: 3,
  extension_registry_fleet_messages_dropped_total: 1,
  extension_registry_revision: 42,
  extension_registry_history_changes_total: 21,
  extension_registry_extensions: { total: 3, enabled: 2, healthy: 1, unhealthy: 2 },
  extension_registry_avg_success_rate: 0.75,
  extension_registry_avg_latency_seconds: 0.02,
  extension_registry_avg_p95_latency_seconds: Number.NaN,
  extension_registry_mass_failure: 1,
  extension_registry_overloaded: 1,
  extension_registry_admission_refused_total: 22,
  extension_registry_admission_refused_ratio: 0.5,
  extension_registry_queue_delay_seconds: 0.05,
  extension_registry_in_flight: 4,
  extension_registry_requests_total: 5,
  extension_registry_errors_total: { extension_not_found: 6 },
  extension_registry_requests_not_accepted_total: 7,
  extension_registry_replies_owed: 8,
  extension_registry_replies_dropped_total: 9,
  extension_registry_events_dropped_total: 10,
  extension_registry_auto_changes_owed: 11,
  extension_registry_verbs_owed: 15,
  extension_registry_audit_facts_owed: 12,
  extension_registry_audit_facts_dropped_total: 13,
  extension_registry_health_rows_dropped_total: 14,
  extension_registry_webhooks_waiting: 15,
  extension_registry_webhooks_delivered_total: 16,
  extension_registry_webhooks_failed_total: 17,
  extension_registry_webhooks_dropped_total: 18,
};

export const ready: Readiness = { ready: true, waiting_for: [], reasons: [], degraded: [] };

export const daemonStatus: DaemonStatus = {
  version: '1.2.3',
  boot: 'b',
  started_at: '2025-01-27T12:00:00.000Z',
  registry_revision: 42,
  registry_lag_ms: null,
  readiness: { ready: true, waiting_for: [], reasons: [], degraded: ['database'] },
  mass_failure: false,
  admission: { overloaded: false, queue_delay_ms: 1.5, refused_share: 0, refused_total: 7 },
  extensions: { total: 3, enabled: 2, healthy: 1, unhealthy: 2 },
  in_flight: 4,
  owed: { replies: 1, auto_changes: 2, verbs: 3, audit_facts: 4, webhooks: 5 },
  viewers: 6,
  memory: { rss_bytes: 1, heap_used_bytes: 2, heap_total_bytes: 3, external_bytes: 4 },
  loop_delay: { seconds: 60, p50_ms: 0.1, p99_ms: 2, max_ms: 3.5 },
};

export const fleetAnswer: FleetAnswer = {
  self: 'web-1',
  scope: 'private',
  reason: 'no_records',
  since: '2025-01-27T12:00:00.000Z',
  replicas: ['web-1', 'web-2'].map((id, i) => ({
    id,
    incarnation: String(i).repeat(32),
    self: i === 0,
    live: i === 0,
    version: '1.2.3',
    host: id,
    pid: 40 + i,
    http: `http://${id}:8420`,
    up_s: 12,
    scope: 'private',
    revision: i === 0 ? 42 : null,
    behind: i === 0 ? 0 : null,
    rps: 1.5,
    in_flight: 2,
    lag_ms: 0.25,
    targets: 9,
    draining: i === 1,
  })),
};

const none = async () => ({ kind: 'extension_not_found', message: 'none' }) as const;
/** Desks that find nothing. */
export const noManagement: ManagementDesk = {
  instances: { drain: none, undrain: none },
  audit: async () => ({ kind: 'page', rows: [], next: null }),
  measured: () => null,
  policyInForce: () => null,
  replay: none,
  status: () => daemonStatus,
  fleet: () => fleetAnswer,
  settings: () => [],
  logLevels: new LogControl({ level: 'info', components: [] }),
  invoke: async () => ({ kind: 'shutting_down', message: 'none' }),
  reload: async () => ({ kind: 'database_unavailable', message: 'none' }),
};

/** Listens on a free port, and ends with the test. */
export async function listen(t: ExecutionContext, options: Partial<HttpOptions> = {}): Promise<HttpServer> {
  const server = await startHttp({
    host: '127.0.0.1',
    port: 0,
    access: openAccess,
    version: '1.2.3',
    health: healthSource(extensionHealth('normalize_text')),
    board: new ActorWorld().core.board,
    explain: () => null,
    executeVerb: async () => ({ kind: 'extension_not_found', message: 'none' }),
    rollout: {
      set: async () => ({ kind: 'extension_not_found', message: 'none' }),
      report: async () => ({ kind: 'extension_not_found', message: 'none' }),
    },
    rows: {
      read: async () => ({ kind: 'extension_not_found', message: 'none' }),
      list: async () => ({ kind: 'extension_not_found', message: 'none' }),
      edit: async () => ({ kind: 'extension_not_found', message: 'none' }),
    },
    management: noManagement,
    readiness: () => ready,
    metrics: createMetricsPage({ extensions: () => [], autoDisabledTotal: () => 0 }, () => daemonNumbers),
    inspection: { targets: () => [], open: () => () => undefined },
    log: silentLogger,
    ...options,
  });
  t.teardown(() => server.close());
  return server;
}

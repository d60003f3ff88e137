// The daemon's own numbers for the metrics page, read from their sources.
import type { ActorSystem } from '../actors/actor-system.js';
import type { Membership } from '../actors/fleet/membership.js';
import type { Readiness } from '../actors/ports/api.js';
import type { Config } from '../config/config.js';
import type { InspectionHub } from '../inspector/hub.js';
import type { LoopDelay } from '../telemetry/loop-delay.js';
import type { DaemonNumbers } from '../telemetry/metrics.js';
import type { RegistryDatabase } from './database.js';
import type { Services } from './services.js';
import type { Wire } from './wire.js';

interface NumberSources {
  readonly system: ActorSystem;
  readonly fleet: Pick<Membership, 'live' | 'dropped'>;
  readonly services: Services;
  readonly wire: Wire;
  readonly readiness: () => Readiness;
  readonly loopDelay: LoopDelay;
  readonly inspection: Pick<InspectionHub, 'viewers'>;
  readonly database: Pick<RegistryDatabase, 'lagMs'>;
  readonly config: Pick<Config, 'health_based_routing_min_success_rate'>;
}

// Long: one line for each number.
export function daemonNumbers(sources: NumberSources): DaemonNumbers {
  const { system, fleet, services, wire, loopDelay, inspection, database, config } = sources;
  const { intake, admission, admin } = services;
  const { replies, events, webhooks, connection } = wire;
  const { connected } = connection;
  const { ready, degraded } = sources.readiness();
  const { total, enabled, healthy, unhealthy } = system.board.summary();
  const { last } = system.aggregate;
  const counts = intake.counts();
  const answers = replies.counts();
  const notices = webhooks.counts();
  const load = admission?.counts();
  return {
    extension_registry_ready: ready ? 1 : 0,
    extension_registry_nats_connected: connected ? 1 : 0,
    extension_registry_database_connected: degraded.includes('database') ? 0 : 1,
    extension_registry_fleet_replicas: fleet.live,
    extension_registry_fleet_messages_dropped_total: fleet.dropped,
    extension_registry_revision: system.supervisor.revision ?? 0,
    extension_registry_history_changes_total: system.supervisor.historyChanges,
    extension_registry_extensions: { total, enabled, healthy, unhealthy },
    extension_registry_avg_success_rate: last?.avg_success_rate ?? Number.NaN,
    extension_registry_avg_latency_seconds: secondsOf(last?.avg_latency_ms),
    extension_registry_avg_p95_latency_seconds: secondsOf(last?.avg_p95_latency_ms),
    extension_registry_mass_failure: system.disableGuard.isOn ? 1 : 0,
    extension_registry_overloaded: load?.isOverloaded === true ? 1 : 0,
    extension_registry_admission_refused_total: load?.refused ?? 0,
    extension_registry_admission_refused_ratio: load?.refusedShare ?? 0,
    extension_registry_queue_delay_seconds: secondsOf(load?.queueDelayMs),
    extension_registry_in_flight: system.router.inFlight,
    extension_registry_requests_total: counts.accepted,
    extension_registry_errors_total: Object.fromEntries(counts.refused),
    extension_registry_requests_not_accepted_total: counts.notAccepted + admin.notAccepted,
    extension_registry_replies_owed: answers.pending,
    extension_registry_replies_dropped_total: answers.dropped,
    extension_registry_events_dropped_total: events.dropped(),
    extension_registry_webhooks_waiting: notices.waiting,
    extension_registry_webhooks_delivered_total: notices.delivered,
    extension_registry_webhooks_failed_total: notices.failed,
    extension_registry_webhooks_dropped_total: notices.dropped,
    extension_registry_auto_changes_owed: system.autoManager.pending,
    extension_registry_verbs_owed: system.operator.pending,
    extension_registry_audit_facts_owed: system.audit.pending,
    extension_registry_audit_facts_dropped_total: system.audit.dropped,
    extension_registry_health_rows_dropped_total: system.writer.dropped,
    extension_registry_min_success_rate: config.health_based_routing_min_success_rate,
    extension_registry_lag_seconds: secondsOf(database.lagMs()),
    extension_registry_health_flush_lag_seconds: system.writer.lagMs / 1000,
    extension_registry_health_flush_pending: system.writer.pending,
    extension_registry_event_streams: system.board.live.size,
    extension_registry_inspector_viewers: inspection.viewers,
    extension_registry_loop_delay_seconds: {
      cumulative: loopDelay.buckets.cumulative(),
      sumSeconds: loopDelay.buckets.sumSeconds,
    },
  };
}

const secondsOf = (ms: number | null | undefined): number => (ms ?? Number.NaN) / 1000;

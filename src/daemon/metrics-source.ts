// The daemon's own numbers for the metrics page, read from whoever has them.
import type { Core } from '../actors/actor-system.js';
import type { Readiness } from '../actors/ports/api.js';
import type { EventPublisher } from '../nats/event-publisher.js';
import type { Intake } from '../nats/intake/intake.js';
import type { Replies } from '../nats/intake/replies.js';
import type { AdminService } from '../nats/services/admin.js';
import type { DaemonNumbers } from '../telemetry/metrics.js';
import type { Webhooks } from '../webhooks/webhooks.js';

export function daemonNumbers(parts: {
  readonly core: Core;
  readonly intake: Intake;
  /** null: not served. */
  readonly admin: AdminService | null;
  readonly replies: Replies;
  readonly events: EventPublisher;
  readonly webhooks: Webhooks;
  readonly readiness: Readiness;
  readonly connected: boolean;
}): DaemonNumbers {
  const { core, intake, admin, replies, events, webhooks, readiness, connected } = parts;
  const { total, enabled, healthy, unhealthy } = core.view.counts();
  const { last } = core.aggregate;
  const counts = intake.counts();
  const owed = replies.counts();
  const notices = webhooks.counts();
  return {
    extension_registry_ready: readiness.ready ? 1 : 0,
    extension_registry_nats_connected: connected ? 1 : 0,
    extension_registry_database_connected: readiness.degraded.includes('database') ? 0 : 1,
    extension_registry_revision: core.supervisor.revision ?? 0,
    extension_registry_history_changes_total: core.supervisor.historyChanges,
    extension_registry_extensions: { total, enabled, healthy, unhealthy },
    extension_registry_avg_success_rate: last?.avg_success_rate ?? Number.NaN,
    extension_registry_avg_latency_seconds: secondsOf(last?.avg_latency_ms),
    extension_registry_avg_p95_latency_seconds: secondsOf(last?.avg_p95_latency_ms),
    extension_registry_mass_failure: core.brake.isOn ? 1 : 0,
    extension_registry_in_flight: core.router.inFlight,
    extension_registry_requests_total: counts.accepted,
    extension_registry_errors_total: Object.fromEntries(counts.refused),
    extension_registry_requests_not_accepted_total: counts.notAccepted + (admin?.notAccepted ?? 0),
    extension_registry_replies_owed: owed.owed,
    extension_registry_replies_dropped_total: owed.dropped,
    extension_registry_events_dropped_total: events.dropped(),
    extension_registry_webhooks_waiting: notices.waiting,
    extension_registry_webhooks_delivered_total: notices.delivered,
    extension_registry_webhooks_failed_total: notices.failed,
    extension_registry_webhooks_dropped_total: notices.dropped,
    extension_registry_auto_changes_owed: core.autoManager.owed,
    extension_registry_verbs_owed: core.operator.owed,
    extension_registry_audit_facts_owed: core.audit.owed,
    extension_registry_audit_facts_dropped_total: core.audit.dropped,
    extension_registry_health_rows_dropped_total: core.writer.dropped,
  };
}

const secondsOf = (ms: number | null | undefined): number => (ms ?? Number.NaN) / 1000;

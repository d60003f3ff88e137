// The HTTP admin API of a daemon, connected to what it shows and commands.
import type { ActorSystem } from '../actors/actor-system.js';
import type { AccessDesk } from '../actors/ports/access.js';
import type { Readiness } from '../actors/ports/api.js';
import type { ManagementDesk } from '../actors/ports/management.js';
import { type Config, isLoopback } from '../config/config.js';
import type { Certificate } from '../http/app/app.js';
import { createMetricsPage } from '../http/routes/metrics-page.js';
import { type HttpServer, startHttp } from '../http/server.js';
import type { InspectionHub } from '../inspector/hub.js';
import type { Logger } from '../telemetry/log.js';
import type { DaemonNumbers } from '../telemetry/metrics.js';
import type { Desks } from './desks.js';
import { VERSION } from './version.js';
import type { Wire } from './wire.js';

interface ApiSources {
  readonly system: ActorSystem;
  readonly wire: Wire;
  readonly desks: Desks;
  readonly management: ManagementDesk;
  readonly numbers: () => DaemonNumbers;
  readonly inspection: InspectionHub;
  readonly readiness: () => Readiness;
  readonly access: AccessDesk;
}

/** Rejects with HttpStartError if the address cannot be listened on. `certificate` null: without TLS. */
export function startAdminApi(
  config: Config,
  certificate: Certificate | null,
  sources: ApiSources,
  log: Logger,
): Promise<HttpServer> {
  const { system, wire, desks, management, inspection, readiness, numbers, access } = sources;
  system.board.live.describe({
    version: VERSION,
    state: () => ({
      ...readiness(),
      revision: system.supervisor.revision,
      owed: {
        auto_changes: system.autoManager.pending,
        verbs: system.operator.pending,
        audit_facts: system.audit.pending,
        replies: wire.replies.counts().pending,
      },
    }),
  });
  return startHttp({
    host: config.http_host,
    port: config.http_port,
    access,
    version: VERSION,
    health: system.health,
    board: system.board,
    explain: system.explain,
    executeVerb: system.operator.execute,
    rollout: desks.rollout,
    rows: desks.rows,
    management,
    readiness,
    metrics: createMetricsPage(system.view, numbers, config.metrics_series_max),
    inspection: {
      targets: (after) => inspection.targets(after),
      open: (query, socket) => inspection.open(query, socket),
    },
    log: log.child({ component: 'http' }),
    inspectorUrl: config.inspector_url,
    hosts: config.http_hosts,
    publicUrl: config.http_public_url,
    metricsOpen: config.metrics_open ?? isLoopback(config.http_host),
    tls: certificate ?? undefined,
  });
}

// The HTTP admin API of a daemon, connected to what it shows and commands.
import type { ActorSystem } from '../actors/actor-system.js';
import type { Readiness, RolloutDesk, RowDesk } from '../actors/ports/api.js';
import type { Config } from '../config/config.js';
import { OPEN_PRINCIPAL } from '../domain/access/principal.js';
import { createMetricsPage } from '../http/routes/metrics-page.js';
import { type HttpServer, startHttp } from '../http/server.js';
import type { InspectionHub } from '../inspector/hub.js';
import type { Logger } from '../telemetry/log.js';
import { daemonNumbers } from './metrics-source.js';
import type { Services } from './services.js';
import type { Wire } from './wire.js';

interface ApiSources {
  readonly system: ActorSystem;
  readonly services: Services;
  readonly wire: Wire;
  readonly rollout: RolloutDesk;
  readonly rows: RowDesk;
  readonly inspection: InspectionHub;
  readonly readiness: () => Readiness;
}

/** Rejects with HttpStartError if the address cannot be listened on. */
export function startAdminApi(config: Config, sources: ApiSources, log: Logger): Promise<HttpServer> {
  const { system, services, wire, rollout, rows, inspection, readiness } = sources;
  const numbers = () => daemonNumbers({ system, services, wire, readiness: readiness() });
  return startHttp({
    host: config.http_host,
    port: config.http_port,
    admit: () => ({ kind: 'admitted', principal: OPEN_PRINCIPAL }),
    health: system.health,
    explain: system.explain,
    executeVerb: system.operator.execute,
    rollout,
    rows,
    readiness,
    metrics: createMetricsPage(system.view, numbers),
    inspection: {
      targets: () => inspection.targets(),
      open: (query, socket) => inspection.open(query, socket),
    },
    log: log.child({ component: 'http' }),
  });
}

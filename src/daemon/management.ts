// The desks of the management routes, connected to what they show and command.
import { randomUUID } from 'node:crypto';
import type { ActorSystem } from '../actors/actor-system.js';
import type { Membership } from '../actors/fleet/membership.js';
import type { InForce } from '../actors/management/in-force.js';
import { Instances } from '../actors/management/instances.js';
import type { Readiness } from '../actors/ports/api.js';
import type { ListAudit } from '../actors/ports/audit.js';
import type { Clock } from '../actors/ports/clock.js';
import type { ManagementDesk } from '../actors/ports/management.js';
import { Replays } from '../actors/reporting/replays.js';
import { policyInForce } from '../domain/registry/policy-in-force.js';
import type { InspectionHub } from '../inspector/hub.js';
import { localCalls } from '../nats/intake/local-call.js';
import type { Logger } from '../telemetry/log.js';
import type { LogControl } from '../telemetry/log-control.js';
import type { LoopDelay } from '../telemetry/loop-delay.js';
import type { DaemonNumbers } from '../telemetry/metrics.js';
import { changingLevels } from './daemon-log.js';
import type { RegistryDatabase } from './database.js';
import { measuredOf } from './measured.js';
import { reloadOf } from './reload.js';
import type { Services } from './services.js';
import { type SettingsInForce, shownSettings } from './settings-in-force.js';
import { statusOf } from './status.js';

interface ManagementDeps {
  readonly settings: SettingsInForce;
  readonly reloadFiles: () => Promise<void>;
  readonly database: RegistryDatabase;
  readonly system: ActorSystem;
  readonly fleet: Membership;
  readonly services: Services;
  readonly numbers: () => DaemonNumbers;
  readonly inspection: InspectionHub;
  readonly readiness: () => Readiness;
  readonly audit: ListAudit;
  readonly inForce: InForce;
  readonly loopDelay: LoopDelay;
  readonly levels: LogControl;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Of a call over the admin API that names none: an operator waits. */
const USUAL_BUDGET_MS = 20_000;

function statusSources({ system, database, inspection, readiness, loopDelay, numbers }: ManagementDeps) {
  return {
    boot: { id: system.board.boot, startedAtMs: Date.now() },
    more: () => ({
      streams: system.board.live.size,
      history_begins: new Date(system.board.historyBegins * 1000).toISOString(),
    }),
    numbers,
    readiness,
    extensions: () => {
      const { total, enabled, healthy, unhealthy } = system.board.summary();
      return { total, enabled, healthy, unhealthy };
    },
    revision: () => system.supervisor.revision,
    lagMs: database.lagMs,
    viewers: () => inspection.viewers,
    loopDelay,
  };
}

export function managementOf(deps: ManagementDeps): ManagementDesk {
  const { settings, database, system, services, audit, inForce, levels, clock, log } = deps;
  const registry = system.supervisor;
  const { min_budget_ms, max_budget_ms } = settings.config;
  const status = statusSources(deps);
  const replays = new Replays({ runtimes: registry.runtimes, clock, wall: Date.now });
  return {
    measured: (extensionId) => measuredOf(system, extensionId),
    instances: new Instances({
      set: database.setWeight,
      inForce,
      registry,
      newId: randomUUID,
      clock,
      log: log.child({ component: 'instances' }),
    }),
    audit,
    policyInForce: (extensionId) => {
      const runtime = registry.runtimes.get(extensionId);
      return runtime === undefined ? null : policyInForce(runtime.extension.policy, runtime.breakerSettings);
    },
    replay: (extensionId, policy, since) => replays.run(extensionId, policy, since),
    status: () => statusOf(status),
    fleet: () => deps.fleet.answer(),
    settings: () => shownSettings(settings),
    invoke: localCalls(services.intake.takeLocal, Math.max(min_budget_ms, Math.min(USUAL_BUDGET_MS, max_budget_ms))),
    logLevels: logLevelDesk(levels, log),
    reload: reloadOf({
      system,
      database,
      settings,
      reloadFiles: deps.reloadFiles,
      levels,
      log: log.child({ component: 'reload' }),
    }),
  };
}

export const logLevelDesk = (levels: LogControl, log: Logger): ManagementDesk['logLevels'] => ({
  read: () => levels.read(),
  set: (order, actor) => {
    const { component, level, seconds } = order;
    const write = () =>
      log.info({ event: 'log_level_set', of: component ?? 'all', to: level ?? 'configured', seconds, actor });
    changingLevels(log, write, () => levels.set(order));
  },
});

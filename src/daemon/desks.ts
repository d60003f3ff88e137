// What operators change over the admin API, and the trail of it: rows, rollouts and audit, connected to the database and the actors.
import { randomUUID } from 'node:crypto';
import type { ActorSystem } from '../actors/actor-system.js';
import { listAudit } from '../actors/management/audit.js';
import type { InForce } from '../actors/management/in-force.js';
import { Rollout } from '../actors/management/rollout.js';
import { Rows } from '../actors/management/rows.js';
import type { RolloutDesk, RowDesk } from '../actors/ports/api.js';
import type { ListAudit } from '../actors/ports/audit.js';
import type { Clock } from '../actors/ports/clock.js';
import type { Config } from '../config/config.js';
import type { Logger } from '../telemetry/log.js';
import type { RegistryDatabase } from './database.js';

export interface Desks {
  readonly rollout: RolloutDesk;
  readonly rows: RowDesk;
  readonly audit: ListAudit;
}

export function createDesks(
  config: Config,
  database: RegistryDatabase,
  system: ActorSystem,
  inForce: InForce,
  clock: Clock,
  log: Logger,
): Desks {
  const shared = { inForce, registry: system.supervisor, clock };
  const rollout = new Rollout({
    ...shared,
    set: database.setRollout,
    read: database.readRollout,
    newId: randomUUID,
    log: log.child({ component: 'rollout' }),
  });
  const rows = new Rows({
    ...shared,
    ...database.rows,
    rules: { ownPrefix: config.subject_prefix, allowedPrefixes: config.subject_prefixes },
    log: log.child({ component: 'rows' }),
  });
  const audit = listAudit({ read: database.readAuditPage, clock, log: log.child({ component: 'audit' }) });
  return { rollout, rows, audit };
}

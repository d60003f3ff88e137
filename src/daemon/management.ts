// The desks of the management routes, connected to what they show and command.
import { randomUUID } from 'node:crypto';
import type { ActorSystem } from '../actors/actor-system.js';
import { listAudit } from '../actors/management/audit.js';
import type { InForce } from '../actors/management/in-force.js';
import { Instances } from '../actors/management/instances.js';
import type { Clock } from '../actors/ports/clock.js';
import type { ManagementDesk } from '../actors/ports/management.js';
import { policyInForce } from '../domain/registry/policy-in-force.js';
import type { Logger } from '../telemetry/log.js';
import type { RegistryDatabase } from './database.js';

interface ManagementDeps {
  readonly database: RegistryDatabase;
  readonly system: ActorSystem;
  readonly inForce: InForce;
  readonly clock: Clock;
  readonly log: Logger;
}

export function managementOf({ database, system, inForce, clock, log }: ManagementDeps): ManagementDesk {
  const registry = system.supervisor;
  return {
    audit: listAudit({ read: database.readAuditPage, clock, log: log.child({ component: 'audit' }) }),
    policyInForce: (extensionId) => {
      const runtime = registry.runtimes.get(extensionId);
      return runtime === undefined ? null : policyInForce(runtime.extension.policy, runtime.breakerSettings);
    },
    instances: new Instances({
      set: database.setWeight,
      inForce,
      registry,
      newId: randomUUID,
      clock,
      log: log.child({ component: 'instances' }),
    }),
  };
}

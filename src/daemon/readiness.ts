// What `/readyz` says: whether a call would be answered, and if not, why.
import type { ActorSystem } from '../actors/actor-system.js';
import type { Readiness } from '../actors/ports/api.js';
import { INBOX_PREFIX } from '../nats/wire/subjects.js';
import type { RegistryDatabase } from './database.js';
import type { Services } from './services.js';
import type { Wire } from './wire.js';

interface ReadinessSources {
  readonly system: ActorSystem;
  readonly services: Services;
  readonly wire: Wire;
  readonly database: RegistryDatabase;
  readonly isDraining: () => boolean;
}

export function readinessOf({ system, services, wire, database, isDraining }: ReadinessSources): Readiness {
  const hasRegistry = system.supervisor.revision !== null;
  const problem = natsProblem(wire, services, hasRegistry);
  const waiting = [
    ...(problem === null ? [] : ['nats']),
    ...(hasRegistry ? [] : ['registry']),
    ...(isDraining() ? ['draining'] : []),
  ];
  return {
    ready: waiting.length === 0,
    waiting_for: waiting,
    reasons: problem === null ? [] : [problem],
    degraded: database.degraded(),
  };
}

/** Why no call would be answered for want of NATS; null: nothing is known against it. */
function natsProblem({ connection, requester, subjects }: Wire, { intake, selfCheck }: Services, hasRegistry: boolean) {
  if (!connection.connected) return 'not connected to NATS';
  if (!requester.listening) return `the server refuses the subscription of ${INBOX_PREFIX}.>`;
  if (!hasRegistry) return null;
  return intake.listening ? selfCheck.problem : `the server refuses the subscription of ${subjects.invokeAll}`;
}

// What `/readyz` says: whether a call would be answered, and if not, why.
import type { ActorSystem } from '../actors/actor-system.js';
import type { Membership } from '../actors/fleet/membership.js';
import type { Readiness } from '../actors/ports/api.js';
import type { Config } from '../config/config.js';
import { INBOX_PREFIX } from '../nats/wire/subjects.js';
import type { RegistryDatabase } from './database.js';
import type { Services } from './services.js';
import type { Wire } from './wire.js';

interface ReadinessSources {
  readonly config: Pick<Config, 'fleet'>;
  readonly fleet: Pick<Membership, 'peers' | 'reason'>;
  readonly system: ActorSystem;
  readonly services: Services;
  readonly wire: Wire;
  readonly database: RegistryDatabase;
  readonly isDraining: () => boolean;
}

export function readinessOf(sources: ReadinessSources): Readiness {
  const { config, system, services, wire, fleet, database, isDraining } = sources;
  const lacksFleet = config.fleet === 'required' && fleet.peers === 0;
  const hasRegistry = system.supervisor.revision !== null;
  const problem = natsProblem(wire, services, hasRegistry);
  const waiting = [
    ...(problem === null ? [] : ['nats']),
    ...(hasRegistry ? [] : ['registry']),
    ...(lacksFleet ? ['fleet'] : []),
    ...(isDraining() ? ['draining'] : []),
  ];
  return {
    ready: waiting.length === 0,
    waiting_for: waiting,
    reasons: [
      ...(problem === null ? [] : [problem]),
      ...(lacksFleet ? [`no other replica is heard (${fleet.reason})`] : []),
    ],
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

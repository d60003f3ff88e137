// This daemon as a replica of a fleet: its name, what it says of itself, and the others as it hears them.
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { ActorSystem } from '../actors/actor-system.js';
import { Membership } from '../actors/fleet/membership.js';
import type { Clock } from '../actors/ports/clock.js';
import type { OwnFacts } from '../actors/ports/fleet.js';
import type { Config } from '../config/config.js';
import { replicaIdOf } from '../domain/fleet/replica-id.js';
import { FleetWire } from '../nats/fleet/fleet-wire.js';
import type { Logger } from '../telemetry/log.js';
import type { LoopDelay } from '../telemetry/loop-delay.js';
import type { Services } from './services.js';
import { VERSION } from './version.js';
import type { Wire } from './wire.js';

const INCARNATION_BYTES = 16;
const SUFFIX_DIGITS = 4;

/** Says and hears nothing before it is started. */
export function createFleet(config: Config, { connection, subjects }: Wire, clock: Clock, log: Logger): Membership {
  const incarnation = randomBytes(INCARNATION_BYTES).toString('hex');
  const fleetLog = log.child({ component: 'fleet' });
  return new Membership({
    port: config.fleet === 'off' ? null : new FleetWire(connection, subjects, fleetLog, clock.now),
    id: config.replica_id ?? replicaIdOf(hostname(), incarnation.slice(0, SUFFIX_DIGITS)),
    incarnation,
    version: VERSION,
    host: hostname(),
    pid: process.pid,
    clock,
    wall: Date.now,
    log: fleetLog,
  });
}

interface FactSources {
  readonly http: string;
  readonly system: ActorSystem;
  readonly services: Pick<Services, 'intake'>;
  readonly loopDelay: LoopDelay;
}

export const ownFacts = ({ http, system, services, loopDelay }: FactSources): OwnFacts => ({
  http,
  revision: system.supervisor.revision,
  targets: system.targets,
  calls: services.intake.counts().accepted,
  inFlight: system.router.inFlight,
  lagMs: loopDelay.read().p99_ms,
});

// The actor system of a daemon: its ports connected to the database and the wire, its settings from the configuration.
import { randomUUID } from 'node:crypto';
import { ActorSystem } from '../actors/actor-system.js';
import type { Clock } from '../actors/ports/clock.js';
import type { FleetView } from '../actors/ports/fleet.js';
import { breakerDefaults, type Config } from '../config/config.js';
import type { RegistryUpdate } from '../domain/registry/registry-rows.js';
import { createPrepareRoute } from '../nats/wire/routes.js';
import type { Logger } from '../telemetry/log.js';
import type { RegistryDatabase } from './database.js';
import type { Wire } from './wire.js';

/** `onApplied`: after a registry update is in force. */
export function createSystem(
  config: Config,
  database: RegistryDatabase,
  wire: Wire,
  fleet: FleetView,
  onApplied: (update: RegistryUpdate) => void,
  clock: Clock,
  log: Logger,
): ActorSystem {
  const { requester, calls, publish } = wire;
  const rules = { ownPrefix: config.subject_prefix, allowedPrefixes: config.subject_prefixes };
  const ports = {
    feed$: database.feed$,
    requestSnapshot: database.requestSnapshot,
    prepareRoute: createPrepareRoute(config.environment, rules),
    send: calls.send,
    noteAttempt: calls.note,
    sendCheck: requester.sendCheck.bind(requester),
    limitAttempts: requester.limit.bind(requester),
    afterRoundTrip: requester.afterRoundTrip.bind(requester),
    fleet,
    stalledUntil: () => requester.stalledUntilMs,
    publish,
    flushHealth: database.flushHealth,
    wasFlushed: database.wasFlushed,
    writeInstanceStatus: database.writeInstanceStatus,
    applyAutoChange: database.applyAutoChange,
    applyVerb: database.applyVerb,
    writeAudit: database.writeAudit,
    readMarks: database.readMarks,
    onApplied,
    clock,
    wall: Date.now,
    random: Math.random,
    newId: () => randomUUID(),
    log,
  };
  return new ActorSystem(ports, {
    rules,
    breakerDefaults: breakerDefaults(config),
    autoDisableOnCircuitOpen: config.auto_disable_on_circuit_open,
    autoEnableOnCircuitClose: config.auto_enable_on_circuit_close,
    maxInFlight: config.max_in_flight,
    maxBudgetMs: config.max_budget_ms,
    absenceGraceMs: config.absence_grace_seconds * 1000,
    environment: config.environment,
    healthBasedRouting: config.health_based_routing_enabled,
    minSuccessRate: config.health_based_routing_min_success_rate,
    historyTargetsMax: config.history ? config.history_targets_max : 0,
  });
}

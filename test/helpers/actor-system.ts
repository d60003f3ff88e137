// An actor system for tests and benchmarks: what one of them does not name goes nowhere, or is as in a daemon without a configuration.
import { ActorSystem, type ActorSystemPorts, type ActorSystemSettings } from '../../src/actors/actor-system.js';
import { silentLogger } from '../../src/telemetry/log.js';
import { breakerSettings } from './breaker-settings.js';

/** Made anew for each. */
export const testRules = () => ({ ownPrefix: 'extreg.v1', allowedPrefixes: [] });

type NoDefault = 'feed$' | 'prepareRoute' | 'clock';

export function createActorSystem(
  ports: Pick<ActorSystemPorts, NoDefault> & Partial<ActorSystemPorts>,
  settings: Partial<ActorSystemSettings> = {},
): ActorSystem {
  return new ActorSystem(
    {
      requestSnapshot: () => 0,
      send: () => undefined,
      noteAttempt: null,
      sendCheck: () => undefined,
      limitAttempts: () => undefined,
      fleet: { replicas: 1, isSteward: () => true },
      stalledUntil: () => Number.NEGATIVE_INFINITY,
      afterRoundTrip: (then) => then(Number.NEGATIVE_INFINITY),
      publish: () => undefined,
      flushHealth: async () => ({ dropped: [], held: [] }),
      wasFlushed: async () => null,
      writeInstanceStatus: async () => [],
      applyAutoChange: async () => ({ applied: false }),
      applyVerb: () => Promise.reject(new Error('no database')),
      newId: () => '',
      writeAudit: async () => undefined,
      readMarks: () => Promise.reject(new Error('no database')),
      onApplied: () => undefined,
      wall: Date.now,
      random: Math.random,
      log: silentLogger,
      ...ports,
    },
    {
      rules: testRules(),
      breakerDefaults: breakerSettings(),
      autoDisableOnCircuitOpen: true,
      autoEnableOnCircuitClose: true,
      maxInFlight: 10_000,
      maxBudgetMs: 60_000,
      absenceGraceMs: 2000,
      environment: null,
      healthBasedRouting: true,
      minSuccessRate: 0.8,
      historyTargetsMax: 20_000,
      ...settings,
    },
  );
}

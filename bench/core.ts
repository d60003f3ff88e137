// The running daemon without its edges, for benchmarks: a registry of the benchmark's choice, and messages that go nowhere.
import { Subject } from '#rxjs';
import { ActorSystem } from '../src/actors/actor-system.js';
import type { SendAttempt } from '../src/actors/ports/transport.js';
import type { ExtensionRow, RegistryEntry, RegistryUpdate, VersionRow } from '../src/domain/registry/registry-rows.js';
import { createPrepareRoute } from '../src/nats/wire/routes.js';
import { silentLogger } from '../src/telemetry/log.js';
import { DEFAULTS, runningClock } from './targets.js';

const RULES = { ownPrefix: 'extreg.v1', allowedPrefixes: [] };

export function startCore(entries: readonly RegistryEntry[], send: SendAttempt = () => undefined): ActorSystem {
  const feed$ = new Subject<RegistryUpdate>();
  const core = new ActorSystem(
    {
      feed$,
      requestSnapshot: () => undefined,
      prepareRoute: createPrepareRoute(null, RULES),
      send,
      sendCheck: () => undefined,
      limitAttempts: () => undefined,
      afterRoundTrip: (then) => then(Number.NEGATIVE_INFINITY),
      publish: () => undefined,
      flushHealth: async () => ({ dropped: [], held: [] }),
      wasFlushed: async () => null,
      writeInstanceStatus: async () => [],
      applyAutoChange: async () => ({ applied: false }),
      applyVerb: () => Promise.reject(new Error('no database')),
      newId: () => '',
      writeAudit: async () => undefined,
      onApplied: () => undefined,
      clock: runningClock,
      wall: Date.now,
      random: Math.random,
      log: silentLogger,
    },
    {
      rules: RULES,
      breakerDefaults: DEFAULTS,
      autoDisableOnCircuitOpen: true,
      autoEnableOnCircuitClose: true,
      maxInFlight: 10_000,
      maxBudgetMs: 60_000,
      absenceGraceMs: 2000,
      environment: null,
      healthBasedRouting: true,
      minSuccessRate: 0.8,
    },
  );
  core.start();
  feed$.next({ kind: 'snapshot', revision: 1, entries: [...entries] });
  return core;
}

const NO_SWITCHES = { breaker_override: null, breaker_resets: 0, put_back: null, revision: 1 } as const;

export const versionRow = (id: string, version: string, changes: Partial<VersionRow> = {}): VersionRow => ({
  id,
  version,
  subject: `ext.${id}.${version}`,
  timeout_ms: 5000,
  retry: 0,
  enabled: true,
  config: {},
  routing_rules: {},
  rollout_percent: null,
  rollout_key: null,
  ...NO_SWITCHES,
  ...changes,
});

/** `instances`: how many it has. */
export const entry = (
  id: string,
  instances: number,
  versions: readonly VersionRow[] = [],
  changes: Partial<ExtensionRow> = {},
): RegistryEntry => ({
  extension: {
    id,
    type: 'pre',
    subject: `ext.${id}`,
    timeout_ms: 5000,
    retry: 0,
    enabled: true,
    version: 'v1',
    config: {},
    metadata: {},
    policy: null,
    auto_disabled: false,
    switched_by: null,
    ...NO_SWITCHES,
    ...changes,
  },
  versions: [...versions],
  instances: Array.from({ length: instances }, (_, i) => ({
    extension_id: id,
    instance_id: `${id}-${i}`,
    subject: `ext.${id}.${i}`,
    weight: 100,
    enabled: true,
    health_status: null,
    version: null,
    revision: 1,
  })),
  facts: null,
  versionFacts: {},
  thresholds: null,
});

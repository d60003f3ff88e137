// The running daemon without its edges, for benchmarks: a registry of the benchmark's choice, and messages that go nowhere.
import { Subject } from '#rxjs';
import type { ActorSystem } from '../src/actors/actor-system.js';
import type { SendAttempt } from '../src/actors/ports/transport.js';
import type { ExtensionRow, RegistryEntry, RegistryUpdate, VersionRow } from '../src/domain/registry/registry-rows.js';
import { createPrepareRoute } from '../src/nats/wire/routes.js';
import { createActorSystem, testRules } from '../test/helpers/actor-system.js';
import { DEFAULTS, runningClock } from './targets.js';

export function startCore(entries: readonly RegistryEntry[], send: SendAttempt = () => undefined): ActorSystem {
  const feed$ = new Subject<RegistryUpdate>();
  const prepareRoute = createPrepareRoute(null, testRules());
  const core = createActorSystem({ feed$, prepareRoute, clock: runningClock, send }, { breakerDefaults: DEFAULTS });
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

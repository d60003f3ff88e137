// Rows of the registry for tests: valid and plain unless a test says otherwise.
import type {
  ExtensionRow,
  InstanceRow,
  PublishedFactsRow,
  RegistryEntry,
  RegistryUpdate,
  VersionRow,
} from '../../src/domain/registry/registry-rows.js';

export const extensionRow = (id: string, changes: Partial<ExtensionRow> = {}): ExtensionRow => ({
  id,
  type: 'pre',
  subject: `ext.${id}`,
  timeout_ms: 1000,
  retry: 0,
  enabled: true,
  version: 'v1',
  config: {},
  metadata: {},
  policy: null,
  auto_disabled: false,
  breaker_override: null,
  breaker_resets: 0,
  switched_by: null,
  put_back: null,
  revision: 1,
  ...changes,
});

export const versionRow = (id: string, version: string, changes: Partial<VersionRow> = {}): VersionRow => ({
  id,
  version,
  subject: `ext.${id}.${version}`,
  timeout_ms: 1000,
  retry: 0,
  config: {},
  routing_rules: {},
  rollout_percent: null,
  rollout_key: null,
  enabled: true,
  breaker_override: null,
  breaker_resets: 0,
  put_back: null,
  revision: 1,
  ...changes,
});

export const instanceRow = (id: string, instance: string, changes: Partial<InstanceRow> = {}): InstanceRow => ({
  extension_id: id,
  instance_id: instance,
  subject: `ext.${id}.${instance}`,
  weight: 100,
  enabled: true,
  health_status: 'unknown',
  version: null,
  revision: 1,
  ...changes,
});

/** Of the published target, or of another, which has no name in it. */
export const factsRow = (changes: Partial<PublishedFactsRow> = {}): PublishedFactsRow => ({
  version: null,
  state: 'closed',
  opened_ago_ms: null,
  open_remaining_ms: null,
  trips: 0,
  epoch: 0,
  success_count: 0,
  failure_count: 0,
  last_success: null,
  last_failure: null,
  ...changes,
});

export const registryEntry = (
  extension: ExtensionRow,
  rest: Partial<Omit<RegistryEntry, 'extension'>> = {},
): RegistryEntry => ({
  extension,
  versions: [],
  instances: [],
  facts: null,
  versionFacts: {},
  thresholds: null,
  ...rest,
});

export const snapshotOf = (revision: number, ...entries: RegistryEntry[]): RegistryUpdate => ({
  kind: 'snapshot',
  revision,
  entries,
});

export const changesOf = (revision: number, entries: RegistryEntry[], removedIds: string[] = []): RegistryUpdate => ({
  kind: 'changes',
  revision,
  entries,
  removedIds,
});

// Rows as this daemon works by them: what is not in the registry's memory (metadata, thresholds, who made it) is not in them.
import type { JsonMap } from '../../domain/exact-json.js';
import type { Extension, Instance, Version } from '../../domain/registry/extension.js';
import { instanceOf, versionOf } from '../../domain/registry/extension-index.js';
import { byName } from '../../domain/registry-file/registry-file.js';
import type { Named } from '../../domain/registry-file/registry-file-diff.js';

export interface RowInMemory extends Named {
  readonly fields: JsonMap;
  /** Of the row. */
  readonly revision: number;
}

/** The extension's own row, then its versions, then its instances by their names. */
export function rowsInMemory(extension: Extension): RowInMemory[] {
  const { versions, instances } = extension;
  return [
    ownRow(extension),
    ...versions.map((one) => versionRow(extension, one)),
    ...instances.map((one) => instanceRow(extension, one)).toSorted(byName),
  ];
}

/** One of them, found by its name; undefined: there is none. */
export function rowInMemory(extension: Extension, { kind, name }: Named): RowInMemory | undefined {
  if (kind === 'extension') return ownRow(extension);
  if (kind === 'version') {
    const version = versionOf(extension, name);
    return version && versionRow(extension, version);
  }
  const instance = instanceOf(extension, name);
  return instance && instanceRow(extension, instance);
}

const ownRow = (row: Extension): RowInMemory => ({
  ...{ kind: 'extension', extensionId: row.id, name: '' },
  ...{ fields: extensionFields(row), revision: row.revision },
});

const versionRow = ({ id: extensionId }: Extension, row: Version): RowInMemory => ({
  ...{ kind: 'version', extensionId, name: row.version },
  ...{ fields: versionFields(row), revision: row.revision },
});

const instanceRow = ({ id: extensionId }: Extension, row: Instance): RowInMemory => ({
  ...{ kind: 'instance', extensionId, name: row.id },
  ...{ fields: instanceFields(row), revision: row.revision },
});

const extensionFields = (row: Extension): JsonMap => ({
  type: row.type,
  ...calledFields(row),
  version: row.version,
  config: row.config as JsonMap,
  policy: row.policy as unknown as JsonMap,
  auto_disabled: row.autoDisabled,
});

const versionFields = (row: Version): JsonMap => ({
  ...calledFields(row),
  config: row.config as JsonMap,
  routing_rules: row.routingRules as JsonMap,
  rollout_percent: row.rolloutPercent,
  rollout_key: row.rolloutKey,
});

const calledFields = ({ subject, timeoutMs, retry, enabled, breakerOverride }: Extension | Version): JsonMap => ({
  subject,
  timeout_ms: timeoutMs,
  retry,
  enabled,
  breaker_override: breakerOverride,
});

const instanceFields = ({ subject, weight, enabled, version }: Instance): JsonMap => ({
  subject,
  weight,
  enabled,
  version,
});

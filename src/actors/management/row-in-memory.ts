// Rows as this daemon works by them: what is not in the registry's memory (metadata, thresholds, who made it) is not in them.
import type { JsonMap } from '../../domain/exact-json.js';
import type { Extension, Instance, Version } from '../../domain/registry/extension.js';
import { byName } from '../../domain/registry-file/registry-file.js';
import type { Named } from '../../domain/registry-file/registry-file-diff.js';

export interface RowInMemory extends Named {
  readonly fields: JsonMap;
  /** Of the row. */
  readonly revision: number;
}

/** The extension's own row, then its versions, then its instances by their names. */
export function rowsInMemory(extension: Extension): RowInMemory[] {
  const { id: extensionId, versions, instances } = extension;
  const instanceRows = instances.map((one) => ({
    ...{ kind: 'instance' as const, extensionId, name: one.id },
    ...{ fields: instanceFields(one), revision: one.revision },
  }));
  return [
    { kind: 'extension', extensionId, name: '', fields: extensionFields(extension), revision: extension.revision },
    ...versions.map((one) => ({
      ...{ kind: 'version' as const, extensionId, name: one.version },
      ...{ fields: versionFields(one), revision: one.revision },
    })),
    ...instanceRows.toSorted(byName),
  ];
}

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

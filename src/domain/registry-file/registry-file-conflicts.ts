// What a registry file says that does not fit what it leaves alone.
//
// REGISTRY-FILE-CONFLICTS-1. What the daemon would refuse of the rows together is reported before anything is written: a rollout, and fallbacks.
import type { Json } from '../exact-json.js';
import type { JsonObject } from '../registry/extension.js';
import { fallbacksInForce } from '../registry/fallbacks.js';
import { rolloutProblems } from '../registry/rollout.js';
import { byName, pathText } from './registry-file.js';
import { type FileDiff, keyOf, type Named, type RowChange, type StoredRow } from './registry-file-diff.js';

type Fields = Readonly<Record<string, Json>>;
type Row = Named & { readonly fields: Fields };

/** One sentence each; empty: it fits. */
export function conflictsWithStored(stored: readonly StoredRow[], { changes }: FileDiff): string[] {
  const after = rowsAfter(stored, changes);
  return [...rolloutConflicts(after, changes), ...fallbackConflicts(after, changes)];
}

function rowsAfter(stored: readonly StoredRow[], changes: readonly RowChange[]): ReadonlyMap<string, Row> {
  const after = new Map<string, Row>(stored.map((row) => [keyOf(row), row]));
  for (const change of changes) {
    const key = keyOf(change);
    if (change.action === 'delete') after.delete(key);
    else if (change.action === 'create') after.set(key, change);
    else {
      const written = Object.entries(change.fields).map(([field, value]) => [field, value.new]);
      after.set(key, { ...change, fields: { ...after.get(key)?.fields, ...Object.fromEntries(written) } });
    }
  }
  return after;
}

/** Extensions of which the file writes one of these fields. */
function touched(changes: readonly RowChange[], kind: Named['kind'], fields: readonly string[]): Set<string> {
  const written = changes.filter(
    (change) => change.kind === kind && change.action !== 'delete' && fields.some((field) => field in change.fields),
  );
  return new Set(written.map((change) => change.extensionId));
}

function rolloutConflicts(after: ReadonlyMap<string, Row>, changes: readonly RowChange[]): string[] {
  const sharing = ['enabled', 'routing_rules', 'rollout_percent', 'rollout_key'];
  return [...touched(changes, 'version', sharing)].flatMap((id) => {
    const versions = [...after.values()].filter((row) => row.kind === 'version' && row.extensionId === id);
    return rolloutProblems(versions.sort((a, b) => byName(a, b)).map(sharingOf)).map(
      (problem) => `${pathText(['extensions', id])}, with the versions that the file leaves alone: ${problem}`,
    );
  });
}

const sharingOf = ({ name, fields }: Row) => ({
  version: name,
  enabled: fields.enabled !== false,
  routingRules: (fields.routing_rules ?? {}) as JsonObject,
  rolloutPercent: (fields.rollout_percent ?? null) as number | null,
  rolloutKey: (fields.rollout_key ?? null) as string | null,
});

function fallbackConflicts(after: ReadonlyMap<string, Row>, changes: readonly RowChange[]): string[] {
  const written = touched(changes, 'extension', ['type', 'policy']);
  const rows = [...after.values()]
    .filter((row) => row.kind === 'extension')
    .map((row) => ({ id: row.extensionId, type: String(row.fields.type), fallback: fallbackOf(row) }));
  const { inForce: stored } = fallbacksInForce(rows.filter(({ id }) => !written.has(id)));
  return [...fallbacksInForce(rows, stored).problems].flatMap(([id, problems]) =>
    written.has(id)
      ? problems.map(
          (problem) => `${pathText(['extensions', id])}, with the extensions that the file leaves alone: ${problem}`,
        )
      : [],
  );
}

function fallbackOf({ fields: { policy } }: Row): string[] {
  const { fallback } = (policy ?? {}) as { readonly fallback?: Json };
  return Array.isArray(fallback) ? fallback.map(String) : [];
}

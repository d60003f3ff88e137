// Why a registry is not what followed a position of it that was in force.
import type { RegistryPosition } from '../../domain/registry/registry-rows.js';
import type { RegistryChanges } from '../queries/registry-queries.js';

/** null: it is what followed. `found`: what readChanges found after `before`. */
export function historyChange(
  before: RegistryPosition,
  { position: now, kind }: Pick<RegistryChanges, 'position' | 'kind'>,
): string | null {
  if (now.history !== before.history)
    return `another registry: revision ${now.revision} of history ${now.history}, in force was revision ${before.revision} of ${before.history}`;
  if (kind === 'other_history') {
    if (now.revision < before.revision)
      return `the registry is at revision ${now.revision}, although revision ${before.revision} was in force`;
    if (now.revision === before.revision) return `revision ${now.revision} is another one than was in force`;
    return `the changes up to revision ${now.revision} do not follow revision ${before.revision}, which was in force`;
  }
  if (before.source === null || now.source === null) return null;
  const [table, row, triggers] = now.source.split('/');
  const [tableBefore, rowBefore, triggersBefore] = before.source.split('/');
  if (table !== tableBefore) return `the registry was restored at revision ${now.revision}`;
  if (now.revision === before.revision && row !== rowBefore) return `revision ${now.revision} was written again`;
  // A snapshot that an older daemon wrote has no triggers.
  if (triggers !== undefined && triggersBefore !== undefined && triggers !== triggersBefore)
    return `the triggers of the registry's tables were disabled since revision ${before.revision}, and what changed then is in no revision`;
  return null;
}

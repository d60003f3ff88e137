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
  if (tableOf(now.source) !== tableOf(before.source)) return `the registry was restored at revision ${now.revision}`;
  if (now.revision === before.revision && now.source !== before.source)
    return `revision ${now.revision} was written again`;
  return null;
}

const tableOf = (source: string): string => source.split('/')[0] ?? '';

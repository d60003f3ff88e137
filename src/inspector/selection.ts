// What the address of an inspection socket asks for: `?extension=a&extension=b`, `?extension=a&version=v2`, `?extension=*`.
import { isExtensionId } from '../domain/subject-rules.js';

export interface Selection {
  /** 'all': whatever runs. */
  readonly extensionIds: readonly string[] | 'all';
  /** One version of the one extension; null: every version. */
  readonly version: string | null;
}

/** null: it is no selection. */
export function selectionOf(query: URLSearchParams): Selection | null {
  const extensionIds = [...new Set(query.getAll('extension'))];
  const versions = query.getAll('version');
  const isKnown = [...query.keys()].every((name) => name === 'extension' || name === 'version');
  if (!isKnown || extensionIds.length === 0 || versions.length > 1) return null;
  const [version = null] = versions;
  if (version !== null && (version === '' || extensionIds.length > 1)) return null;
  if (extensionIds.length === 1 && extensionIds[0] === '*')
    return version === null ? { extensionIds: 'all', version } : null;
  return extensionIds.every(isExtensionId) ? { extensionIds, version } : null;
}

// What the address of an inspection socket asks for: `?extension=a&extension=b`, `?extension=a&version=v2`, `?extension=*`, and with
// `&control=1` control frames, which receivers of @statelyai/inspect do not know.
import { isExtensionId } from '../domain/subject-rules.js';

export interface Selection {
  /** 'all': whatever runs. */
  readonly extensionIds: readonly string[] | 'all';
  /** One version of the one extension; null: every version. */
  readonly version: string | null;
  /** Control frames are sent, too. */
  readonly control: boolean;
}

const NAMES = ['extension', 'version', 'control'];
const CONTROLS = ['', '1'];

/** null: it is no selection. */
export function selectionOf(query: URLSearchParams): Selection | null {
  const extensionIds = [...new Set(query.getAll('extension'))];
  const versions = query.getAll('version');
  const isKnown = [...query.keys()].every((name) => NAMES.includes(name));
  const controls = query.getAll('control');
  if (!isKnown || extensionIds.length === 0 || versions.length > 1 || !CONTROLS.includes(controls.join())) return null;
  const control = controls.length > 0;
  const [version = null] = versions;
  if (version !== null && (version === '' || extensionIds.length > 1)) return null;
  if (extensionIds.length === 1 && extensionIds[0] === '*')
    return version === null ? { extensionIds: 'all', version, control } : null;
  return extensionIds.every(isExtensionId) ? { extensionIds, version, control } : null;
}

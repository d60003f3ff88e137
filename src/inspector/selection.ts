// What the address of an inspection socket asks for: `?extension=a&extension=b`, `?extension=a&version=v2`, `?extension=*`, `?supervisor=true`,
// and with `&control=true` control frames, which receivers of @statelyai/inspect do not know.
import { quoted } from '../domain/quoted.js';
import { isExtensionId } from '../domain/registry/subject-rules.js';

export interface Selection {
  /** 'all': every extension that runs. Empty: only the supervisor. */
  readonly extensionIds: readonly string[] | 'all';
  /** The supervisor, too; with all extensions unless it is ruled out. */
  readonly supervisor: boolean;
  /** One version of the one extension; null: every version. */
  readonly version: string | null;
  /** Control frames are sent, too. */
  readonly control: boolean;
}

const NAMES = ['extension', 'version', 'supervisor', 'control'];
const GIVEN_ONCE = ['version', 'supervisor', 'control'];
const ALL = '*';
/** `1` is how control frames were asked for before booleans were `true` and `false` everywhere. */
const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['false', false],
]);
const CONTROLS: ReadonlyMap<string, boolean> = new Map([...BOOLEANS, ['1', true]]);
/** A close frame has 123 bytes for its reason. */
const MAX_SHOWN = 30;

/** The selection, or a sentence that names the parameter that is wrong and what it may be. */
export function selectionOf(query: URLSearchParams): Selection | string {
  const unknown = [...query.keys()].find((name) => !NAMES.includes(name));
  if (unknown !== undefined)
    return `there is no parameter ${quoted(unknown, MAX_SHOWN)}; this path takes ${NAMES.join(', ')}`;
  const extensionIds = [...new Set(query.getAll('extension'))];
  if (extensionIds.length === 0 && !query.has('supervisor'))
    return "parameter 'extension' is missing: an extension id or *, may be repeated";
  const isAll = extensionIds.includes(ALL);
  if (isAll && extensionIds.length > 1) return "parameter 'extension' must be ids or * alone, got both";
  const wrongId = extensionIds.find((id) => id !== ALL && !isExtensionId(id));
  if (wrongId !== undefined)
    return `parameter 'extension' must be extension ids or *, got ${quoted(wrongId, MAX_SHOWN)}`;

  for (const name of GIVEN_ONCE) {
    const { length } = query.getAll(name);
    if (length > 1) return `parameter '${name}' must be given once, got it ${length} times`;
  }
  const version = query.get('version');
  if (version === '') return 'parameter \'version\' must be a version, got ""';
  if (version !== null && (isAll || extensionIds.length !== 1))
    return "parameter 'version' needs one extension beside it";
  const control = booleanOf(query, 'control', false, CONTROLS);
  if (typeof control === 'string') return control;
  const supervisor = booleanOf(query, 'supervisor', isAll, BOOLEANS);
  if (typeof supervisor === 'string') return supervisor;
  if (extensionIds.length === 0 && !supervisor) return "with 'supervisor=false' an extension is needed: an id or *";
  return { extensionIds: isAll ? 'all' : extensionIds, version, supervisor, control };
}

function booleanOf(
  query: URLSearchParams,
  name: string,
  unlessGiven: boolean,
  values: ReadonlyMap<string, boolean>,
): boolean | string {
  const given = query.get(name);
  if (given === null) return unlessGiven;
  return values.get(given) ?? `parameter '${name}' must be true or false, got ${quoted(given, MAX_SHOWN)}`;
}

// The addresses of the pages. Imports nothing, so that tests can read it without a browser.

/** What every page gets. */
export interface PageProps {
  /** The parts of its address, decoded. */
  readonly params: Readonly<Record<string, string>>;
}

const part = encodeURIComponent;

export type ExtensionTab = 'policy' | 'audit' | 'explain' | 'try';

export const extensionPath = (id: string, tab?: ExtensionTab): string =>
  `/ui/extensions/${part(id)}${tab === undefined ? '' : `/${tab}`}`;

export const inspectPath = (id: string, version: string): string => `/ui/inspect/${part(id)}@${part(version)}`;

/**
 * Each part of a pattern is a text, a parameter (`:id`), or two (`:id@:version`). null: the path does not fit. No id has an '@': the first one
 * ends it, also where a program that passed the address on has encoded it.
 */
export function match(pattern: string, path: string): Record<string, string> | null {
  const expected = pattern.split('/');
  const given = path.replace(/(?<=.)\/$/, '').split('/');
  if (expected.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [i, wanted] of expected.entries()) {
    const names = wanted.split('@');
    const values = names.length === 1 ? [given[i] ?? ''] : atFirstAt(given[i] ?? '');
    if (names.length !== values.length) return null;
    for (const [j, name] of names.entries()) {
      const value = decoded(values[j] ?? '');
      if (!name.startsWith(':')) {
        if (value !== name) return null;
      } else if (value === null || value === '') return null;
      else params[name.slice(1)] = value;
    }
  }
  return params;
}

function atFirstAt(text: string): readonly string[] {
  const [, id, version] = /^([^@]*)@(.*)$/.exec(text) ?? /^(.*?)%40(.*)$/.exec(text) ?? [];
  return id === undefined || version === undefined ? [text] : [id, version];
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

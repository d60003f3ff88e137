// Paths of the admin API with a query.

/** What is undefined is left out. */
export function pathWith(path: string, query: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}

export const extensionPath = (id: string, rest: string): string =>
  `/admin/extensions/${encodeURIComponent(id)}/${rest}`;

// The address of the page: the only place where filter, sort order, tab, time range and selection are kept.
import { computed, signal } from '@preact/signals';

interface Address {
  /** Percent-encoded, as in the address bar. */
  readonly path: string;
  readonly query: URLSearchParams;
}

const current = signal(location.pathname + location.search);

export const address = computed((): Address => {
  const { pathname, searchParams } = new URL(current.value, location.origin);
  return { path: pathname, query: searchParams };
});

/** Path and query, to come back to. */
export const here = (): string => current.value;

/** `to`: path and query. `replaces`: without an entry of its own in the history. */
export function go(to: string, { replaces = false }: { readonly replaces?: boolean } = {}): void {
  if (replaces) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  current.value = location.pathname + location.search;
}

/** Sets parameters of the query, or removes them (null), in place: typing into a filter leaves no trail of entries. */
export function setQuery(changes: Readonly<Record<string, string | null>>): void {
  const { path, query } = address.value;
  const changed = new URLSearchParams(query);
  for (const [name, value] of Object.entries(changes))
    if (value === null || value === '') changed.delete(name);
    else changed.set(name, value);
  const text = changed.toString();
  go(text === '' ? path : `${path}?${text}`, { replaces: true });
}

/** The value of a parameter; '' where it is not there. Reads a signal. */
export const queryValue = (name: string): string => address.value.query.get(name) ?? '';

/** A page of the console, not a file or an answer of the API. */
const isPage = ({ origin, pathname }: URL): boolean =>
  origin === location.origin && (pathname === '/' || pathname === '/ui' || pathname.startsWith('/ui/'));

/** From now on, links between pages change the address without loading a document, and so do Back and Forward. */
export function followLinks(): void {
  addEventListener('popstate', () => {
    current.value = location.pathname + location.search;
  });
  document.addEventListener('click', (event) => {
    const link = (event.target as Element).closest?.('a');
    const isPlain = event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey && !event.altKey;
    if (!link || event.defaultPrevented || !isPlain || link.target !== '' || link.hasAttribute('download')) return;
    const url = new URL(link.href);
    // A link into the same page is the browser's.
    if (!isPage(url) || url.hash !== '') return;
    event.preventDefault();
    go(url.pathname + url.search);
  });
}

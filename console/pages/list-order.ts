// Which extensions the list shows, and in which order.
//
// LIST-ORDER-1. The order is computed every two seconds, and not while the pointer or the focus is in the list: a row does not move away from
//     under a click. Another filter or order applies immediately.
import { computed, effect, signal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { allRows, membership, type Row, rowOf } from '../live/board.js';
import { address } from '../url/address.js';
import { filterOf, matcher, sorted, sortOf } from './list-query.js';

const EVERY_MS = 2000;

export const filter = computed(() => filterOf(address.value.query));
export const sort = computed(() => sortOf(address.value.query));
export const shown = signal<readonly Row[]>([]);
export const isFrozen = signal(false);

export function sortNow(): void {
  const matches = matcher(filter.value);
  const before = shown.peek();
  // In the order of the last time: to sort what is nearly in order costs next to nothing.
  const rows = new Set([...before.filter((row) => rowOf(row.id) === row), ...allRows()]);
  const entries = Array.from(rows, ({ entry }) => entry.peek()).filter(matches);
  const order = sorted(entries, sort.value).flatMap(({ id }) => rowOf(id) ?? []);
  if (order.length !== before.length || order.some((row, i) => row !== before[i])) shown.value = order;
}

/** What came stands at the end meanwhile, and what went is gone. */
function keepMembers(): void {
  const matches = matcher(filter.peek());
  const kept = shown.peek().filter((row) => rowOf(row.id) === row);
  const has = new Set(kept);
  const added = allRows().filter((row) => !has.has(row) && matches(row.entry.peek()));
  if (added.length > 0 || kept.length < shown.peek().length) shown.value = [...kept, ...added];
}

/** Keeps `shown` up to date while a list is on the page. */
export function useOrder(): void {
  useEffect(() => {
    const timer = setInterval(() => {
      if (!isFrozen.peek() && !document.hidden) sortNow();
    }, EVERY_MS);
    let first = true;
    const onQuery = effect(() => {
      filter.value;
      sort.value;
      sortNow();
    });
    const onMembers = effect(() => {
      membership.value;
      if (!first && isFrozen.peek()) keepMembers();
      else sortNow();
      first = false;
    });
    return () => {
      clearInterval(timer);
      onQuery();
      onMembers();
      isFrozen.value = false;
    };
  }, []);
}

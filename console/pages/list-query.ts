// Filter and order of the list of extensions, as they stand in the address. Pure: tests run it without a browser.
import type { BoardEntry } from '../../src/domain/board-codes.js';
import { BOARD_STATES, type BoardState, FLAGS, needsLook } from '../words/states.js';

interface ListFilter {
  readonly q: string;
  readonly states: readonly BoardState[];
  readonly types: readonly string[];
  /** Names of flags, and `wrong`: whatever needs a look. */
  readonly flags: readonly string[];
}

export type SortKey =
  | 'id'
  | 'type'
  | 'version'
  | 'state'
  | 'success_rate'
  | 'p50'
  | 'p95'
  | 'p99'
  | 'calls'
  | 'failed'
  | 'refused'
  | 'since'
  | 'impact';

interface ListSort {
  readonly key: SortKey;
  readonly isDescending: boolean;
}

const DEFAULT_SORT: ListSort = { key: 'impact', isDescending: true };
const SORT_KEYS: readonly string[] = [
  ...['id', 'type', 'version', 'state', 'success_rate', 'p50', 'p95', 'p99'],
  ...['calls', 'failed', 'refused', 'since', 'impact'],
];

const listIn = (query: URLSearchParams, name: string): string[] =>
  (query.get(name) ?? '').split(',').filter((one) => one !== '');

/** What is unknown is left out: an address may be old. */
export function filterOf(query: URLSearchParams): ListFilter {
  return {
    q: query.get('q') ?? '',
    states: listIn(query, 'state').filter((one): one is BoardState =>
      (BOARD_STATES as readonly string[]).includes(one),
    ),
    types: listIn(query, 'type'),
    flags: listIn(query, 'flag').filter((one) => one === 'wrong' || FLAGS[one] !== undefined),
  };
}

export const isFiltered = ({ q, states, types, flags }: ListFilter): boolean =>
  q !== '' || states.length + types.length + flags.length > 0;

export function sortOf(query: URLSearchParams): ListSort {
  const text = query.get('sort') ?? '';
  const key = text.replace(/^-/, '');
  return SORT_KEYS.includes(key) ? { key: key as SortKey, isDescending: text.startsWith('-') } : DEFAULT_SORT;
}

export const sortText = ({ key, isDescending }: ListSort): string => `${isDescending ? '-' : ''}${key}`;

/** The order after a click on the head of a column: numbers begin with the largest, texts with the first. */
export function sortedBy(key: SortKey, now: ListSort): ListSort {
  if (now.key === key) return { key, isDescending: !now.isDescending };
  return { key, isDescending: !['id', 'type', 'version'].includes(key) };
}

/** A function that says of an entry whether it is shown. */
export function matcher({ q, states, types, flags }: ListFilter): (entry: BoardEntry) => boolean {
  const text = q.toLowerCase();
  const bits = flags.map((name) => FLAGS[name] ?? 0).reduce((sum, bit) => sum | bit, 0);
  const wantsWrong = flags.includes('wrong');
  return ({ id, state, type, flags: has }) =>
    (text === '' || id.toLowerCase().includes(text)) &&
    (states.length === 0 || states.includes(BOARD_STATES[state] ?? 'closed')) &&
    (types.length === 0 || types.includes(type)) &&
    (flags.length === 0 || (has & bits) !== 0 || (wantsWrong && needsLook(state, has)));
}

const WORST: Readonly<Record<number, number>> = { 1: 5, 2: 4, 3: 3, 4: 2, 5: 1, 0: 0 };

function rankOf(entry: BoardEntry, key: SortKey): string | number | null {
  switch (key) {
    case 'impact':
      return (needsLook(entry.state, entry.flags) ? 1e9 : 0) + entry.refused + entry.failed;
    case 'state':
      return WORST[entry.state] ?? 0;
    default:
      return entry[key];
  }
}

/** In order; null stands last either way, and the id ends it. */
export function sorted(entries: readonly BoardEntry[], { key, isDescending }: ListSort): BoardEntry[] {
  const sign = isDescending ? -1 : 1;
  const keyed = entries.map((entry) => ({ entry, value: rankOf(entry, key) }));
  keyed.sort((a, b) => {
    if (a.value !== b.value) {
      if (a.value === null) return 1;
      if (b.value === null) return -1;
      return a.value < b.value ? -sign : sign;
    }
    return a.entry.id < b.entry.id ? -1 : 1;
  });
  return keyed.map(({ entry }) => entry);
}

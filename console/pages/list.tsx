// The list of all extensions: as many rows in the document as fit the screen, of however many there are.
//
// LIST-1. A row has 32 px (two lines where the screen is narrow), so which rows are in view follows from how far it is scrolled.
// LIST-2. A row of the document is kept as it scrolls: it shows another extension, and is not built again.
// biome-ignore-all lint/a11y/useSemanticElements: a table of 10 000 rows of which the document has those in view is an ARIA grid
// biome-ignore-all lint/a11y/useFocusableInteractive: its rows take the focus in turn, its cells do not
import { useSignal } from '@preact/signals';
import { useCallback, useEffect, useRef } from 'preact/hooks';
import { redrawOnScheme, showLines } from '../charts/sparklines.js';
import { allRows, isLoaded, type Row } from '../live/board.js';
import { go, setQuery } from '../url/address.js';
import { usePageKeys } from '../url/keys.js';
import { extensionPath } from '../url/paths.js';
import { isFrozen, shown, sort, sortNow, useOrder } from './list-order.js';
import { type SortKey, sortedBy, sortText } from './list-query.js';
import { ListRow } from './list-row.js';

const ROW_PX = 32;
const NARROW_ROW_PX = 56;
const NARROW = '(max-width: 720px)';
/** Beyond what is in view, above and below. */
const SPARE_ROWS = 4;
/** Rows change places so many at a time: in between, the browser scrolls on its own. */
const STEP = 4;

const COLUMNS: readonly (readonly [label: string, className: string, key: SortKey | null])[] = [
  ['Extension', 'cell-id', 'id'],
  ['Type', 'cell-type', 'type'],
  ['Version', 'cell-version', 'version'],
  ['State', 'cell-state', 'state'],
  ['Success', 'number', 'success_rate'],
  ['P50 ms', 'number cell-p50', 'p50'],
  ['P95 ms', 'number cell-p95', 'p95'],
  ['P99 ms', 'number cell-p99', 'p99'],
  ['Calls/s', 'number', 'calls'],
  ['Lost/s', 'number', 'impact'],
  ['10 min', 'cell-line', null],
  ['Actions', 'cell-actions', null],
];

export function List() {
  useOrder();
  const view = useView();
  const rows = shown.value;
  const active = useSignal(0);
  const { scroller, height, topRow, rowPx } = view;
  const size = Math.ceil(height / rowPx) + 2 * SPARE_ROWS;
  const first = Math.max(0, Math.min(topRow - SPARE_ROWS, rows.length - size));
  const inView = rows.slice(first, first + size);
  const at = Math.min(active.value, Math.max(0, rows.length - 1));
  useEffect(() => showLines(inView.map(({ id, entry }) => ({ id, k: entry.peek().k }))), [rows, first, size]);
  useEffect(() => redrawOnScheme(), []);
  useEffect(() => () => showLines([]), []);
  const activate = useCallback((index: number) => {
    active.value = index;
  }, []);
  const onKeyDown = useRowKeys(view, rows, at, activate);
  return (
    <div
      class="list"
      role="grid"
      aria-label="Extensions"
      aria-rowcount={rows.length + 1}
      aria-colcount={COLUMNS.length}
      tabIndex={-1}
      ref={scroller}
      onKeyDown={onKeyDown}
      {...freezing(scroller)}
    >
      <Head />
      <div class="rows" role="rowgroup" style={{ height: `${rows.length * rowPx}px` }}>
        <div class="rows-in-view" role="presentation" style={{ transform: `translateY(${first * rowPx}px)` }}>
          {inView.map((row, i) => (
            <ListRow
              key={(first + i) % size}
              row={row}
              index={first + i}
              isActive={first + i === at}
              onFocus={activate}
            />
          ))}
        </div>
      </div>
    </div>
  );
}

/** Moves between rows, and what a row does by a key; returns what the list listens with. */
function useRowKeys(view: View, rows: readonly Row[], at: number, activate: (index: number) => void) {
  const { scroller, height, rowPx, scrollTo } = view;
  const move = (to: number) => {
    const index = Math.max(0, Math.min(to, rows.length - 1));
    activate(index);
    scrollTo(index);
    requestAnimationFrame(() => scroller.current?.querySelector<HTMLElement>(`[data-row="${index}"]`)?.focus());
  };
  const openMenu = () => {
    const row = scroller.current?.querySelector(`[data-row="${at}"]`);
    row?.querySelector<HTMLButtonElement>('.menu > button')?.click();
  };
  usePageKeys({ j: () => move(at + 1), k: () => move(at - 1), s: sortNow, '.': openMenu });
  return (event: KeyboardEvent) => {
    const isRow = event.target instanceof HTMLElement && event.target.dataset.row !== undefined;
    if (!isRow || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(height / rowPx) - 1);
    const moves: Readonly<Record<string, number>> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: rows.length - 1,
    };
    const target = moves[event.key];
    const row = rows[at];
    if (target !== undefined) move(target);
    else if (event.key === 'Enter' && row !== undefined) go(extensionPath(row.id));
    else return;
    event.preventDefault();
  };
}

/** LIST-ORDER-1: while the pointer or the focus is in it. */
function freezing(scroller: { readonly current: HTMLElement | null }) {
  const thaw = () => {
    const { current } = scroller;
    const isUsed = current?.matches(':hover') || current?.contains(document.activeElement);
    isFrozen.value = isUsed === true;
  };
  const freeze = () => {
    isFrozen.value = true;
  };
  return { onPointerEnter: freeze, onPointerLeave: thaw, onFocusIn: freeze, onFocusOut: () => setTimeout(thaw) };
}

function Head() {
  const now = sort.value;
  return (
    <div class="head-group" role="rowgroup">
      <div class="row head" role="row" aria-rowindex={1}>
        {COLUMNS.map(([label, className, key]) => (
          <span
            key={label}
            role="columnheader"
            class={className}
            aria-sort={key === now.key ? (now.isDescending ? 'descending' : 'ascending') : undefined}
          >
            {key === null ? (
              <span class={label === 'Actions' ? 'visually-hidden' : ''}>{label}</span>
            ) : (
              <button
                type="button"
                title={key === 'impact' ? 'Refused and failed calls; what needs a look first' : `Sort by ${label}`}
                onClick={() => setQuery({ sort: sortText(sortedBy(key, now)) })}
              >
                {label}
                <span aria-hidden="true">{key === now.key ? (now.isDescending ? ' ↓' : ' ↑') : ''}</span>
              </button>
            )}
          </span>
        ))}
      </div>
    </div>
  );
}

type View = ReturnType<typeof useView>;

const steppedRow = (scrollTop: number, rowPx: number): number => Math.floor(scrollTop / rowPx / STEP) * STEP;

/** LIST-1. How much of the list is in view. */
function useView() {
  const scroller = useRef<HTMLDivElement>(null);
  const topRow = useSignal(0);
  const height = useSignal(innerHeight);
  const isNarrow = useSignal(matchMedia(NARROW).matches);
  const rowPx = isNarrow.value ? NARROW_ROW_PX : ROW_PX;
  useEffect(() => {
    const { current } = scroller;
    if (current === null) return;
    const onScroll = () => {
      topRow.value = steppedRow(current.scrollTop, rowPx);
    };
    const watched = new ResizeObserver(() => {
      height.value = current.clientHeight;
      isNarrow.value = matchMedia(NARROW).matches;
    });
    current.addEventListener('scroll', onScroll, { passive: true });
    watched.observe(current);
    return () => {
      current.removeEventListener('scroll', onScroll);
      watched.disconnect();
    };
  }, [rowPx]);
  const scrollTo = (index: number) => {
    const { current } = scroller;
    if (current === null) return;
    const head = current.querySelector<HTMLElement>('.head-group')?.offsetHeight ?? 0;
    const visible = current.clientHeight - head;
    if (index * rowPx < current.scrollTop) current.scrollTop = index * rowPx;
    else if ((index + 1) * rowPx > current.scrollTop + visible) current.scrollTop = (index + 1) * rowPx - visible;
    topRow.value = steppedRow(current.scrollTop, rowPx);
  };
  return { scroller, topRow: topRow.value, height: height.value, rowPx, scrollTo };
}

export const isEmptyRegistry = (): boolean => isLoaded.value && allRows().length === 0;

// The log as a list: a line for each event or burst, of which the document has those in view.
//
// LOG-VIEW-1. All lines have one height, so that those out of view need no elements.
// biome-ignore-all lint/a11y/useSemanticElements: a list of 2000 lines of which the document has those in view is an ARIA listbox
// biome-ignore-all lint/a11y/useFocusableInteractive: the list has the focus and names its active line
// biome-ignore-all lint/a11y/useKeyWithClickEvents: the list takes the keys
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { nowMs } from '../live/clock.js';
import { Empty } from '../parts/states.js';
import type { ActorLog } from '../statechart/log.js';
import type { Line } from '../statechart/log-lines.js';
import { setQuery } from '../url/address.js';
import { moment } from '../words/times.js';

interface LogViewProps {
  readonly log: ActorLog;
  readonly lines: readonly Line[];
  readonly at: number;
  readonly isLive: boolean;
  readonly onChoose: (n: number | null) => void;
}

const LINE = 26;
const AROUND = 8;

export const LogView = (props: LogViewProps) => (
  <section class="moments-log" aria-label="Log">
    {props.lines.length === 0 ? <NoLines hasEntries={props.log.entries.length > 0} /> : <LogLines {...props} />}
  </section>
);

function LogLines({ lines, at, isLive, onChoose }: LogViewProps) {
  const list = useRef<HTMLDivElement>(null);
  const scroll = useSignal({ top: 0, height: 400 });
  const chosen = lines.findLastIndex((line) => line.from <= at);
  useEffect(() => {
    const element = list.current;
    if (element === null) return;
    const top = chosen * LINE;
    if (isLive) element.scrollTop = element.scrollHeight;
    else if (top < element.scrollTop) element.scrollTop = top;
    else if (top + LINE > element.scrollTop + element.clientHeight)
      element.scrollTop = top + LINE - element.clientHeight;
    look(element);
  }, [chosen, isLive, lines.length]);
  const look = (element: HTMLElement) => {
    const { scrollTop: top, clientHeight: height } = element;
    if (scroll.peek().top !== top || scroll.peek().height !== height) scroll.value = { top, height };
  };
  const first = Math.max(Math.floor(scroll.value.top / LINE) - AROUND, 0);
  const shown = lines.slice(first, first + Math.ceil(scroll.value.height / LINE) + 2 * AROUND);
  return (
    <div
      class="log-lines"
      ref={list}
      role="listbox"
      aria-label="Events, newest last"
      aria-activedescendant={chosen < 0 ? undefined : `line-${lines[chosen]?.n}`}
      tabIndex={0}
      onScroll={({ currentTarget }) => look(currentTarget)}
      onKeyDown={(event) => {
        const by = event.key === 'ArrowUp' ? -1 : event.key === 'ArrowDown' ? 1 : 0;
        if (by === 0) return;
        event.preventDefault();
        onChoose(lines[Math.min(Math.max(chosen + by, 0), lines.length - 1)]?.n ?? null);
      }}
    >
      <Space lines={first} />
      {shown.map((line, i) => (
        <LogLine
          key={line.n}
          line={line}
          position={first + i + 1}
          size={lines.length}
          isChosen={first + i === chosen}
          onChoose={onChoose}
        />
      ))}
      <Space lines={lines.length - first - shown.length} />
    </div>
  );
}

const NoLines = ({ hasEntries }: { readonly hasEntries: boolean }) => (
  <div class="log-lines log-nothing">
    {hasEntries ? (
      <Empty>
        No entry matches.{' '}
        <button type="button" onClick={() => setQuery({ filter: null, only: null })}>
          Clear the filter
        </button>
      </Empty>
    ) : (
      <Empty>Nothing happened yet.</Empty>
    )}
  </div>
);

/** The height of lines that have no elements. */
function Space({ lines }: { readonly lines: number }) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (element.current !== null) element.current.style.height = `${Math.max(lines, 0) * LINE}px`;
  }, [lines]);
  return <div ref={element} role="presentation" />;
}

interface LogLineProps {
  readonly line: Line;
  readonly position: number;
  readonly size: number;
  readonly isChosen: boolean;
  readonly onChoose: (n: number) => void;
}

function LogLine({ line: { n, count, entry, text, change }, position, size, isChosen, onChoose }: LogLineProps) {
  const paths = entry.changes.map(({ path }) => path);
  return (
    <div
      class="log-line"
      id={`line-${n}`}
      role="option"
      data-kind={entry.kind}
      aria-selected={isChosen}
      aria-posinset={position}
      aria-setsize={size}
      onClick={() => onChoose(n)}
    >
      <span class="log-time">{entry.atMs === 0 ? '' : clockOf(entry.atMs)}</span>
      <span class="log-event">
        {text}
        {count === 1 ? '' : <span class="log-count"> ×{count}</span>}
      </span>
      {change === '' ? (
        <span class="log-paths">
          {paths.slice(0, 3).join(', ')}
          {paths.length > 3 ? ` +${paths.length - 3}` : ''}
        </span>
      ) : (
        <span class="log-change">{change}</span>
      )}
    </div>
  );
}

/** To the millisecond: several events come in one second. */
const clockOf = (ms: number): string =>
  `${moment(new Date(ms), new Date(nowMs.peek()))}.${String(Math.floor(ms % 1000)).padStart(3, '0')}`;

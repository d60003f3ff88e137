// The screen of `extreg watch`, as lines of at most the terminal's size. Pure: what is shown is an argument.
import { BOARD_FLAGS, BOARD_STATES, type BoardEntry } from '../../domain/board-codes.js';
import { type EventFacts, eventLine } from './event-text.js';
import { textTable } from './output.js';
import { stateText } from './state-text.js';
import { painted, type Style } from './style.js';
import { cutTo, singleLine } from './terminal-text.js';
import { durationText } from './times.js';

type Shown = Omit<BoardEntry, 'k' | 'version' | 'p50' | 'p99'>;

interface Screen {
  readonly address: string;
  readonly nowMs: number;
  readonly problem: string | null;
  readonly heardAtMs: number;
  readonly summary: Readonly<Record<string, unknown>>;
  readonly daemon: Readonly<Record<string, unknown>>;
  /** In the order in which they are listed. */
  readonly rows: readonly Shown[];
  readonly selectedId: string | null;
  /** null: no filter; a text that is being typed ends with a cursor. */
  readonly filter: string | null;
  readonly isTyping: boolean;
  readonly events: readonly EventFacts[];
  /** The extension that is shown instead of the list, as text. */
  readonly detail: string | null;
}

interface Size {
  readonly columns: number;
  readonly rows: number;
}

const MAX_EVENTS = 8;
/** What is there beside rows and events: head, summary, blank, heading, blank, heading, keys. */
const FIXED = 7;
const INVERSE = '\u001b[7m';
const PLAIN_AGAIN = '\u001b[27m';

/** As many lines as the terminal has, none longer than it is wide. */
export function screenLines(screen: Screen, size: Size, style: Style): string[] {
  const body = screen.detail === null ? listLines(screen, size, style) : detailLines(screen, size);
  const lines = [headLine(screen, size, style), cutTo(summaryLine(screen), size.columns), ...body];
  const shown = lines.slice(0, size.rows - 1);
  while (shown.length < size.rows - 1) shown.push('');
  return [...shown, cutTo(keysLine(screen), size.columns)];
}

function headLine({ address, problem, heardAtMs, nowMs }: Screen, { columns }: Size, style: Style): string {
  const time = new Date(nowMs).toTimeString().slice(0, 8);
  const name = singleLine(`Extension Registry  ${address}`);
  if (problem === null) return `${cutTo(name, columns - 20)}  ${painted('● live', style)}  ${time}`;
  const stale = heardAtMs === 0 ? '' : `, stale for ${durationText(nowMs - heardAtMs)}`;
  return cutTo(`${name}  ✕ ${singleLine(problem)}${stale}  ${time}`, columns);
}

const number = (value: unknown): string => (typeof value === 'number' ? String(value) : '-');

function summaryLine({ summary, daemon }: Screen): string {
  const {
    total,
    enabled,
    healthy,
    unhealthy,
    avg_success_rate: rate,
    in_flight: inFlight,
    mass_failure: mass,
  } = summary;
  const degraded =
    Array.isArray(daemon.degraded) && daemon.degraded.length > 0 ? `  degraded: ${daemon.degraded.join(', ')}` : '';
  const success = typeof rate === 'number' ? `${(rate * 100).toFixed(1)} %` : '-';
  const parts = [
    `total ${number(total)}`,
    `enabled ${number(enabled)}`,
    `healthy ${number(healthy)}`,
    `unhealthy ${number(unhealthy)}`,
    `success ${success}`,
    `in flight ${number(inFlight)}`,
  ];
  return singleLine(`${mass === true ? 'MASS FAILURE  ' : ''}${parts.join('   ')}${degraded}`);
}

function listLines(screen: Screen, { columns, rows: height }: Size, style: Style): string[] {
  const { rows, events, selectedId, nowMs, filter } = screen;
  const shownEvents = events.slice(0, Math.min(MAX_EVENTS, Math.max(0, Math.floor((height - FIXED) / 3))));
  const room = Math.max(1, height - FIXED - shownEvents.length);
  const at = Math.max(
    0,
    rows.findIndex(({ id }) => id === selectedId),
  );
  const first = Math.max(0, Math.min(at - Math.floor(room / 2), rows.length - room));
  const shown = rows.slice(first, first + room);
  // Two columns are the mark of the selected row.
  const table = textTable(
    HEADER,
    shown.map((row) => cellsOf(row, nowMs)),
    { ...style, width: columns - 2, quiet: false },
    NUMBERS,
  );
  const [heading = '', ...lines] = table.trimEnd().split('\n');
  const marked = lines.map((line, i) =>
    shown[i]?.id === selectedId
      ? `${style.colour ? INVERSE : ''}>${style.colour ? PLAIN_AGAIN : ''} ${line}`
      : `  ${line}`,
  );
  // Before anything was read, nothing is known to be well.
  const isKnown = screen.heardAtMs !== 0;
  const none = !isKnown ? '' : filter === null ? '  nothing needs a look' : '  no extension has this in its id';
  const more = rows.length > shown.length ? `  ${shown.length} of ${rows.length} are shown` : '';
  return [
    '',
    rows.length === 0 ? none : `  ${heading}`,
    ...(rows.length === 0 ? [] : marked),
    cutTo(more, columns),
    ...(shownEvents.length === 0 ? [] : [cutTo('LAST EVENTS', columns)]),
    ...shownEvents.map((event) => cutTo(eventLine(event), columns)),
  ];
}

const HEADER = ['STATE', 'FOR', 'SUCCESS', 'CALLS/S', 'REFUSED/S', 'P95 ms', 'NOTE', 'ID'];
const NUMBERS = ['SUCCESS', 'CALLS/S', 'REFUSED/S', 'P95 ms'];
const NOTES: readonly (readonly [number, string])[] = [
  [BOARD_FLAGS.auto_disabled, 'auto-disabled'],
  [BOARD_FLAGS.recovering, 'recovering'],
  [BOARD_FLAGS.ejected_instance, 'an instance is out of rotation'],
  [BOARD_FLAGS.row_refused, 'a row is refused'],
  [BOARD_FLAGS.canary, 'rollout'],
];

function cellsOf(row: Shown, nowMs: number): string[] {
  const notes = NOTES.filter(([flag]) => (row.flags & flag) !== 0).map(([, note]) => note);
  return [
    stateText(BOARD_STATES[row.state] ?? String(row.state)),
    row.since === null ? '-' : durationText(nowMs - row.since * 1000),
    row.success_rate === null ? '-' : `${(row.success_rate * 100).toFixed(1)} %`,
    row.calls.toFixed(1),
    row.refused.toFixed(1),
    row.p95 === null ? '-' : row.p95.toFixed(1),
    notes.join(', ') || '-',
    row.id,
  ];
}

function detailLines({ detail, events, selectedId }: Screen, { columns, rows: height }: Size): string[] {
  const own = events.filter((event) => event.extension_id === selectedId).slice(0, MAX_EVENTS);
  const lines = ['', ...(detail ?? '').trimEnd().split('\n')];
  const room = height - 4 - own.length;
  const ofEvents = own.length === 0 ? [] : ['', ...own.map((event) => cutTo(eventLine(event), columns))];
  return [...lines.slice(0, Math.max(1, room)), ...ofEvents];
}

function keysLine({ filter, isTyping, detail }: Screen): string {
  if (isTyping) return `/${singleLine(filter ?? '')}▏  Enter keeps it, Esc drops it`;
  if (detail !== null) return 'Esc: back   q: quit';
  return `↑ ↓: select   Enter: show   /: find${filter === null ? '' : ` (${singleLine(filter)}; Esc: all that is wrong)`}   q: quit`;
}

// The lines that a log is shown as: entries, filtered, and bursts of one event as one line with a count.
//
// LOG-LINES-1. Consecutive events of one type that change no state are one line; its number is that of the newest of them.
import { stateText } from './active.js';
import type { Json } from './definition.js';
import type { Entry } from './log.js';
import { eventTypeText } from './words.js';

export interface Line {
  /** Numbers of the oldest and the newest entry of it. */
  readonly from: number;
  readonly n: number;
  readonly count: number;
  readonly entry: Entry;
  readonly text: string;
  /** `closed.steady → open`; '' where the state stayed. */
  readonly change: string;
}

interface LineFilter {
  /** Part of an event, a state or the path of a change, in any case; '': all. */
  readonly part: string;
  /** Only what changed the state. */
  readonly transitionsOnly: boolean;
}

export function linesOf(entries: readonly Entry[], { part, transitionsOnly }: LineFilter): Line[] {
  const lines: Line[] = [];
  const wanted = part.trim().toLowerCase();
  for (const entry of entries) {
    const line = lineOf(entry);
    if (transitionsOnly && line.change === '' && entry.kind === 'event') continue;
    if (wanted !== '' && !isFound(line, wanted)) continue;
    const last = lines.at(-1);
    if (last !== undefined && isBurst(last, line))
      lines[lines.length - 1] = { ...line, from: last.from, count: last.count + 1 };
    else lines.push(line);
  }
  return lines;
}

/** LOG-LINES-1. */
const isBurst = (last: Line, line: Line): boolean =>
  line.entry.kind === 'event' &&
  last.entry.kind === 'event' &&
  line.change === '' &&
  last.change === '' &&
  line.text === last.text;

function isFound({ text, change, entry }: Line, part: string): boolean {
  return [text, change, ...entry.changes.map(({ path }) => path)].some((one) => one.toLowerCase().includes(part));
}

function lineOf(entry: Entry): Line {
  return { from: entry.n, n: entry.n, count: 1, entry, text: textOf(entry), change: changeOf(entry) };
}

function textOf({ kind, event, events, snapshots }: Entry): string {
  if (kind === 'event') return eventTypeText(event.type);
  if (kind === 'joined') return 'joined';
  return `${[counted(snapshots, 'snapshot'), counted(events, 'event')].filter((one) => one !== '').join(', ')} left out`;
}

export const counted = (count: number, what: string): string =>
  count === 0 ? '' : `${count} ${what}${count === 1 ? '' : 's'}`;

function changeOf({ kind, value, before, status, error }: Entry): string {
  if (kind === 'dropped') return '';
  const state =
    status === undefined || status === 'active' ? stateOf(value) : `${status}${error === null ? '' : `: ${error}`}`;
  if (state === '') return '';
  if (before === undefined) return kind === 'joined' ? state : `→ ${state}`;
  return stateText(before) === state ? `↺ ${state}` : `${stateText(before)} → ${state}`;
}

const stateOf = (value: Json | undefined): string => (value === undefined ? '' : stateText(value));

/** The next line behind or before the one with this entry; clamped. null: there are no lines. */
export function lineBeside(lines: readonly Line[], n: number, by: -1 | 1): Line | null {
  const at = lines.findLastIndex((line) => line.from <= n);
  const isWithin = (lines[at]?.n ?? -1) >= n;
  const next = by === 1 ? at + 1 : isWithin ? at - 1 : at;
  return lines[Math.min(Math.max(next, 0), lines.length - 1)] ?? null;
}

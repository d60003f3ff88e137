// What commands print: tables for operators, JSON for programs.
//
// OUTPUT-1. A table fits the terminal: columns are cut, the widest first, but no number, and no state to less than its word; then
//     left out, first numbers, from the right; names are cut last. A pipe gets them whole.
import { PLAIN, painted, type Style } from './style.js';
import { cutTo, padTo, printableJson, singleLine, widthOf } from './terminal-text.js';

const GAP = 2;
/** A column that would be narrower says nothing. */
const MIN_WIDTH = 6;
/** Nor does a sentence that is cut after a word. */
const MIN_TEXT_WIDTH = 24;
/** Names, by which an operator goes on. */
const NAMES: ReadonlySet<string> = new Set(['ID', 'EXTENSION', 'VERSION', 'INSTANCE', 'CANDIDATE', 'FIELD']);
const TEXTS: ReadonlySet<string> = new Set(['NOTE', 'WHY', 'CHANGE', 'REASON', 'RESULT', 'VALUE']);
/** Words of which a part says nothing: `half-open`, `circuit_opened`, `system:breaker`; and times. */
const WORDS: ReadonlySet<string> = new Set(['STATE', 'HEALTH', 'WHEN', 'WHO', 'WHAT']);
const MIN_WORD_WIDTH = 14;
const PAINTED: ReadonlySet<string> = new Set(['STATE', 'RESULT', 'HEALTH', 'OUTCOME']);

type Row = readonly string[];

/** Columns as wide as their widest cell, two blanks between; the last is not padded. `right`: headings of columns of numbers. */
export function textTable(header: Row, rows: readonly Row[], style: Style = PLAIN, right: Row = []): string {
  const heading = header.map(singleLine);
  const lines = [...(style.quiet ? [] : [heading]), ...rows.map((cells) => cells.map(singleLine))];
  const natural = header.map((_, column) =>
    lines.reduce((most, cells) => Math.max(most, widthOf(cells[column] ?? '')), 0),
  );
  const widths = fitted(natural, header, right, style.width);
  const shown = header.map((_, column) => column).filter((column) => widths[column] !== 0 || natural[column] === 0);
  const cellText = (cells: Row, column: number): string => {
    const width = widths[column] ?? 0;
    const name = header[column] ?? '';
    const text = cutTo(cells[column] ?? '', width);
    const filled = padTo(text, width, right.includes(name) ? 'right' : 'left');
    const isPainted = style.colour && cells !== heading && PAINTED.has(name);
    return isPainted ? filled.replace(text, () => painted(text, style)) : filled;
  };
  const lineText = (cells: Row): string =>
    shown
      .map((column) => cellText(cells, column))
      .join(' '.repeat(GAP))
      .trimEnd();
  return lines.map((cells) => `${lineText(cells)}\n`).join('');
}

/** OUTPUT-1. 0: the column is left out. */
function fitted(natural: readonly number[], header: Row, right: Row, limit: number | null): readonly number[] {
  const widths = [...natural];
  const excess = (): number =>
    limit === null ? 0 : widths.reduce((sum, width) => sum + (width === 0 ? 0 : width + GAP), -GAP) - limit;
  if (excess() <= 0) return widths;
  const columns = header.map((_, column) => column);
  const isOf = (names: ReadonlySet<string>, column: number): boolean => names.has(header[column] ?? '');
  const names = columns.filter((column) => isOf(NAMES, column));
  const others = columns.filter((column) => !names.includes(column));
  const drop = (dropped: readonly number[]): void => {
    for (const column of dropped.toReversed()) if (excess() > 0) widths[column] = 0;
  };
  const numbers = columns.filter((column) => right.includes(header[column] ?? ''));
  const cuttable = others.filter((column) => !numbers.includes(column));
  const leastOf = (column: number): number =>
    isOf(TEXTS, column) ? MIN_TEXT_WIDTH : isOf(WORDS, column) ? MIN_WORD_WIDTH : MIN_WIDTH;
  narrow(widths, cuttable, excess, leastOf);
  drop(numbers);
  narrow(widths, others, excess, () => MIN_WIDTH);
  drop(others.slice(names.length === 0 ? 1 : 0));
  narrow(widths, names.length === 0 ? others : names, excess, () => 1);
  // What was left out may have been wider than what did not fit.
  for (const column of columns.toReversed())
    if (widths[column] !== 0)
      widths[column] = Math.min(natural[column] ?? 0, (widths[column] ?? 0) - Math.min(0, excess()));
  return widths;
}

/** Takes from the widest of `columns` until it fits, or none is wider than it has to be. */
function narrow(
  widths: number[],
  columns: readonly number[],
  excess: () => number,
  leastOf: (column: number) => number,
): void {
  const widthOfColumn = (column: number): number => widths[column] ?? 0;
  while (excess() > 0) {
    const wide = columns.filter((column) => widthOfColumn(column) > leastOf(column));
    const [first] = wide;
    if (first === undefined) return;
    const widest = wide.reduce((most, column) => (widthOfColumn(column) > widthOfColumn(most) ? column : most), first);
    widths[widest] = widthOfColumn(widest) - 1;
  }
}

/** One document. */
export const json = (value: unknown): string => `${printableJson(JSON.stringify(value, null, 2))}\n`;

/** One document on one line, for what follows. */
export const jsonLine = (value: unknown): string => `${printableJson(JSON.stringify(value))}\n`;

/** `3 rows`, `1 row`. */
export const countText = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? '' : 's'}`;

// All rows of the board as columns, read in steps and sent in parts.
import type { BoardEntry } from '../../domain/board-codes.js';
import type { Steps } from '../../domain/steps.js';
import type { BoardRow } from './board-row.js';

const PER_STEP = 64;
const PART_CHARACTERS = 32_768;

const COLUMNS = [
  'k',
  'id',
  'type',
  'version',
  'state',
  'flags',
  'success_rate',
  'p50',
  'p95',
  'p99',
  'calls',
  'failed',
  'refused',
  'since',
] as const satisfies readonly (keyof BoardEntry)[];

/** A text of each column in pieces, every row as it is at one moment. */
type ColumnTexts = ReadonlyMap<string, readonly string[]>;

export function* readingColumns(rows: Iterable<BoardRow>): Steps<ColumnTexts> {
  const columns = COLUMNS.map((name) => ({ name, piece: '', pieces: [] as string[] }));
  let met = 0;
  for (const row of rows) {
    const whole = row.whole;
    const comma = met === 0 ? '' : ',';
    for (const column of columns) {
      const value = whole[column.name];
      column.piece += comma + (typeof value === 'string' ? JSON.stringify(value) : value);
      if (column.piece.length < PART_CHARACTERS) continue;
      column.pieces.push(column.piece);
      column.piece = '';
    }
    if (++met % PER_STEP === 0) yield;
  }
  return new Map(columns.map(({ name, piece, pieces }) => [name, [...pieces, piece]]));
}

/** `{<head>,"columns":{"k":[…],…}}`, in parts. `head` has at least one member. */
export function* overviewParts(head: object, columns: ColumnTexts): Generator<string> {
  let part = `${JSON.stringify(head).slice(0, -1)},"columns":{`;
  let separator = '';
  for (const [name, pieces] of columns) {
    part += `${separator}${JSON.stringify(name)}:[`;
    separator = ',';
    for (const piece of pieces) {
      part += piece;
      if (part.length < PART_CHARACTERS) continue;
      yield part;
      part = '';
    }
    part += ']';
  }
  yield `${part}}}`;
}

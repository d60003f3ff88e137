// The states of an extension, as symbol and word. A state is never shown by its colour alone.
import { BOARD_FLAGS, BOARD_STATES, type BoardState, LOOK_FLAGS } from '../../src/domain/board-codes.js';

export { BOARD_STATES, type BoardState };

const SYMBOLS: Readonly<Record<BoardState, string>> = {
  closed: '●',
  open: '▲',
  half_open: '◐',
  isolated: '■',
  forced_closed: '◆',
  disabled: '○',
};

export const symbolOf = (state: BoardState): string => SYMBOLS[state];
export const wordOf = (state: BoardState): string => state.replace('_', '-').replace('forced-closed', 'forced closed');

/** By its number on the board. */
export const stateAt = (number: number): BoardState => BOARD_STATES[number] ?? 'closed';

const FLAG_WORDS: readonly (readonly [bit: number, word: string])[] = [
  [BOARD_FLAGS.auto_disabled, 'auto-disabled'],
  [BOARD_FLAGS.row_refused, 'row refused'],
  [BOARD_FLAGS.ejected_instance, 'instance ejected'],
  [BOARD_FLAGS.recovering, 'recovering'],
  [BOARD_FLAGS.canary, 'rollout'],
  [BOARD_FLAGS.no_call_ever, 'never called'],
];

/** The words beside a state. */
export const flagWords = (flags: number): readonly string[] =>
  FLAG_WORDS.filter(([bit]) => (flags & bit) !== 0).map(([, word]) => word);

/** What a filter may ask for, by its name in the address. */
export const FLAGS: Readonly<Record<string, number>> = BOARD_FLAGS;
export const flagWord = (name: string): string => FLAG_WORDS.find(([bit]) => bit === FLAGS[name])?.[1] ?? name;

/** What needs a look: it is not closed, or something of it is out of order. */
export const needsLook = (state: number, flags: number): boolean => state !== 0 || (flags & LOOK_FLAGS) !== 0;

// What the board says of an extension in numbers, for the daemon that writes them and the commands that read them. Imports nothing.

/** As the admin API names them; the number of a state is its place. */
export const BOARD_STATES = ['closed', 'open', 'half_open', 'isolated', 'forced_closed', 'disabled'] as const;
export type BoardState = (typeof BOARD_STATES)[number];

/** Bits, of which `flags` is the sum. */
export const BOARD_FLAGS = {
  auto_disabled: 1,
  recovering: 2,
  /** Versions take a share of the calls. */
  canary: 4,
  /** An instance is out of rotation. */
  ejected_instance: 8,
  /** A row of it is not in force as it is. */
  row_refused: 16,
  /** As far as is known, in this process and before. */
  no_call_ever: 32,
} as const;

/** An extension with one of these needs a look, also while its state is `closed`. */
export const LOOK_FLAGS = BOARD_FLAGS.auto_disabled | BOARD_FLAGS.ejected_instance | BOARD_FLAGS.row_refused;

/** A row of the board, by the names of its columns. Rates are per second over ten seconds, latencies ms of the health window. */
export interface BoardEntry {
  /** Of the extension as long as this daemon runs it. */
  readonly k: number;
  readonly id: string;
  readonly type: string;
  readonly version: string;
  /** By its number (BOARD_STATES). */
  readonly state: number;
  /** A sum of BOARD_FLAGS. */
  readonly flags: number;
  readonly success_rate: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly calls: number;
  readonly failed: number;
  readonly refused: number;
  /** Epoch s of the last change of `state`; null: none is known. */
  readonly since: number | null;
}

/** What a stream says of a row that has changed. */
export type BoardTuple = readonly [
  k: number,
  state: number,
  flags: number,
  success_rate: number | null,
  p50: number | null,
  p95: number | null,
  p99: number | null,
  calls: number,
  failed: number,
  refused: number,
  since: number | null,
];

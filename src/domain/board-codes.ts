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

/** A row of the board, as a client of its overview and stream keeps it; p50 and p99 apart. Rates are per second. */
export interface BoardEntry {
  readonly id: string;
  readonly type: string;
  /** By its number (BOARD_STATES). */
  readonly state: number;
  readonly flags: number;
  readonly success_rate: number | null;
  /** ms */
  readonly p95: number | null;
  readonly calls: number;
  readonly failed: number;
  readonly refused: number;
  /** Epoch s. */
  readonly since: number | null;
}

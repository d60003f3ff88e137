// A write that another transaction keeps from being done: whether a single row is concerned, or all that is written there.

/** The message names what is held, and by which session, as far as the database reports it. */
export class HeldError extends Error {
  override readonly name = 'HeldError';

  constructor(
    message: string,
    /** The row that is held, such as `extensions 'a'`; null: a whole table, or a row that every change needs. */
    readonly row: string | null,
  ) {
    super(message);
  }
}

/** A single row is held: other rows can be written. */
export const isRowHeld = (error: unknown): boolean => error instanceof HeldError && error.row !== null;

// A batch that one bad row would take down with it.
//
// R1. The batch goes first, whole; only where the database refuses a row does each go alone, once.
// R2. A rejection means that nothing was written: where the database goes away after some rows are, the rest count as refused.
import { errorText, isRowError } from './database-errors.js';

export interface RefusedRow<T> {
  readonly row: T;
  readonly error: string;
}

/** `write` writes all rows it is given, or none. */
export async function writeOrSplit<T>(
  rows: readonly T[],
  write: (rows: readonly T[]) => Promise<void>,
): Promise<RefusedRow<T>[]> {
  try {
    await write(rows);
    return [];
  } catch (error) {
    if (!isRowError(error)) throw error;
  }
  const refused: RefusedRow<T>[] = [];
  let written = 0;
  for (const row of rows) {
    try {
      await write([row]);
      written += 1;
    } catch (error) {
      if (!isRowError(error) && written === 0) throw error;
      refused.push({ row, error: errorText(error) });
    }
  }
  return refused;
}

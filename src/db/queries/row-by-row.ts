// Writes a batch although one of its rows would make it fail: the database refuses the row, or another transaction holds it.
//
// ROW-BY-ROW-1. The batch is written as a whole first; only if a row makes it fail is each row written separately, once. Either way it is
//     one transaction: a rejection means that nothing was written, or that the answer was lost.
// ROW-BY-ROW-2. The first held row is waited for briefly, the following ones hardly at all.
import { type SQL, sql } from '#drizzle-orm';
import { isRowHeld } from '../../domain/registry/held-error.js';
import type { Database } from '../client.js';
import { errorText, isRowError, ROW_CLASSES } from '../database-errors.js';
import { LOCK_NOT_AVAILABLE } from './lock-holders.js';
import { inTransaction, type TransactionSettings } from './transaction.js';

const FIRST_WAIT_MS = 100;
const NEXT_WAIT_MS = 5;

export interface RefusedRow<T> {
  readonly row: T;
  readonly error: string;
  /** Another transaction holds it, or a row that it depends on: it can be written later. */
  readonly isHeld: boolean;
}

/** The statement that writes a JSON array of rows; it returns the rows that it skipped, with `into` behind the columns. */
type WriteStatement = (rows: SQL, into: SQL) => SQL;

interface Refusal {
  readonly i: number;
  readonly state: string;
  readonly error: string;
}

/** Rows that were not written: those that the batch skipped, or, if each was written separately, those that were refused. */
export async function writeOrSplit<T>(
  db: Database,
  settings: TransactionSettings,
  rows: readonly T[],
  write: {
    readonly batch: () => Promise<readonly RefusedRow<T>[]>;
    readonly statement: WriteStatement;
    readonly first?: SQL;
    /** After the rows, in the same transaction: `extreg.refused` has the Refusals, `extreg.rows` the texts of the rows. */
    readonly last?: SQL;
  },
): Promise<readonly RefusedRow<T>[]> {
  try {
    return await write.batch();
  } catch (error) {
    if (!isRowError(error) && !isRowHeld(error)) throw error;
    const refused = await writeEach(db, settings, rows, write);
    // The batch's error names the holder.
    return refused.map((one) => (one.isHeld && isRowHeld(error) ? { ...one, error: errorText(error) } : one));
  }
}

async function writeEach<T>(
  db: Database,
  settings: TransactionSettings,
  rows: readonly T[],
  { statement, first, last }: { readonly statement: WriteStatement; readonly first?: SQL; readonly last?: SQL },
): Promise<RefusedRow<T>[]> {
  const [answer] = await inTransaction<{ refused: Refusal[] | null }>(
    db,
    {
      ...settings,
      lock_timeout: String(FIRST_WAIT_MS),
      'extreg.refused': '[]',
      'extreg.rows': JSON.stringify(rows.map((row) => JSON.stringify(row))),
    },
    sql`do $extreg$
      declare
        part text;
        i integer := -1;
        held text;
        refused jsonb := '[]';
      begin
        ${first ?? sql``}
        for part in select * from json_array_elements_text(current_setting('extreg.rows')::json) loop
          i := i + 1;
          held := null;
          begin
            ${statement(sql.raw(`('[' || part || ']')::jsonb`), sql.raw('into held'))};
            if held is not null then
              raise exception 'canceling statement due to lock timeout' using errcode = '${sql.raw(LOCK_NOT_AVAILABLE)}';
            end if;
          exception when others then
            if sqlstate <> '${sql.raw(LOCK_NOT_AVAILABLE)}' and left(sqlstate, 2) not in (${sql.raw(ROW_CLASSES.map((one) => `'${one}'`).join(', '))}) then
              raise;
            end if;
            if sqlstate = '${sql.raw(LOCK_NOT_AVAILABLE)}' then
              perform set_config('lock_timeout', '${sql.raw(String(NEXT_WAIT_MS))}', true);
            end if;
            refused := refused || jsonb_build_object('i', i, 'state', sqlstate, 'error', sqlerrm);
          end;
        end loop;
        perform set_config('extreg.refused', refused::text, true);
      end $extreg$`,
    ...(last === undefined ? [] : [last]),
    sql`select current_setting('extreg.refused')::jsonb as refused`,
  );
  return (answer?.refused ?? []).map(({ i, state, error }) => ({
    row: rows[i] as T,
    error,
    isHeld: state === LOCK_NOT_AVAILABLE,
  }));
}

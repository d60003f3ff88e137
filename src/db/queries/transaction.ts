// One transaction in one message of the simple protocol (CLIENT-3 of client.ts), and how long it may wait for others.
//
// TRANSACTION-1. No wait for a row, for a table or, at the commit, for registry_revision is longer than `lock_timeout`: it is set before
//      the first statement is parsed, which is where a table's lock is taken. (A role's or a pooler's own settings stay.)
// TRANSACTION-2. What the database gave up for the sake of others (deadlock, serialisation, a cancelled statement) is sent again: nothing
//      of it was written, and it says nothing about the rows.
// TRANSACTION-3. If another transaction holds what is needed for longer, it rejects with HeldError, which names the row and the holder.

import type { SQL } from '#drizzle-orm';
import { PgDialect } from '#drizzle-orm/pg-core';
import type { Database } from '../client.js';
import { isGivenUp, sqlState } from '../database-errors.js';
import { heldError, LOCK_NOT_AVAILABLE } from './lock-holders.js';

/** For writes that can be tried again: short, so that a held row delays no other write for long. */
const LOCK_TIMEOUT_MS = 500;
const ATTEMPTS = 3;

const dialect = new PgDialect();

export interface TransactionSettings {
  /** Milliseconds as text; LOCK_TIMEOUT_MS without one. */
  readonly lock_timeout?: string;
  readonly [name: `extreg.${string}`]: string;
}

/** What is to be written, such as `extensions 'a'`: for an error in which the database does not name the row. */
interface TransactionSubject {
  readonly about?: string;
}

/**
 * A text constant as hexadecimal digits, so that no part of a text is parsed as SQL, nor by the embedded database's wire server. Its collation is that
 * of a column: by that of the name of an encoding, no index on a text would be used.
 */
export const literal = (text: string): string =>
  `(convert_from(decode('${Buffer.from(text).toString('hex')}', 'hex'), 'UTF8') collate "default")`;

/** Rows of the last statement, which must be one that returns rows (`select`, `returning`): otherwise they are those of the one before. */
export async function inTransaction<Row extends object>(
  db: Database,
  settings: TransactionSettings & TransactionSubject,
  ...statements: readonly SQL[]
): Promise<Row[]> {
  const results = await resultsOf(db, settings, ...statements);
  return (Array.isArray(results.at(-1)) ? results.at(-1) : results) as Row[];
}

/** Rows of each statement that returns any, those of the settings first. */
export async function resultsOf(
  db: Database,
  { about, ...settings }: TransactionSettings & TransactionSubject,
  ...statements: readonly SQL[]
): Promise<readonly unknown[]> {
  const local = Object.entries({ lock_timeout: String(LOCK_TIMEOUT_MS), ...settings }).map(
    ([name, value]) => `length(set_config('${name}', ${literal(value)}, true))`,
  );
  const message = [`select ${local.join(', ')}`, ...statements.map(withLiterals)].join(';\n');
  for (let attempt = 1; ; attempt++) {
    try {
      return await db.$client.unsafe(message);
    } catch (error) {
      // TRANSACTION-3.
      if (sqlState(error) === LOCK_NOT_AVAILABLE) throw await heldError(db, error, about);
      // TRANSACTION-2.
      if (!isGivenUp(error) || attempt === ATTEMPTS) throw error;
    }
  }
}

/** A message of the simple protocol has no parameters: each is replaced by a constant. */
function withLiterals(statement: SQL): string {
  const { sql, params } = dialect.sqlToQuery(statement);
  return sql.replaceAll(/\$(\d+)/g, (_, number) => constant(params[Number(number) - 1]));
}

function constant(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (typeof value === 'string') return literal(value);
  if (typeof value === 'boolean' || Number.isFinite(value)) return `(${value})`;
  throw new TypeError(`no constant of SQL: ${String(value)}`);
}

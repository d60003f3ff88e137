// Runs the statement of `extreg sql`.
import type { Config } from '../../config/config.js';
import { closeDatabase, type Database, openDatabase } from '../../db/client.js';
import { errorText, serverError } from '../../db/database-errors.js';
import { withLockTimeout } from '../../db/queries/lock-holders.js';
import { silentLogger } from '../../telemetry/log.js';
import { CommandError, EXIT } from '../process/command-error.js';
import { databaseFailure } from '../process/start-errors.js';
import { withDatabase } from './command-database.js';

/** How long a statement waits for what another transaction holds. */
const LOCK_SECONDS = 5;
const FOREIGN_KEY_VIOLATION = '23503';
const UNIQUE_VIOLATION = '23505';
const CHECK_VIOLATION = '23514';
/** PostgreSQL has no SQLSTATE of its own for it. */
const SEVERAL_STATEMENTS = /^cannot insert multiple commands into a prepared statement$/;

interface StatementResult {
  /** `SELECT`, `UPDATE`, … */
  readonly verb: string;
  /** Rows returned or changed. */
  readonly count: number;
  /** Empty if the statement returns no rows at all. */
  readonly columns: readonly string[];
  /** Values in the order of `columns`, so that two of one name are both there. */
  readonly rows: readonly (readonly unknown[])[];
}

/** Rejects with a CommandError if the database refuses the statement or cannot be reached. */
export function runStatement(config: Config, statement: string): Promise<StatementResult> {
  if (/^\s*copy\b/i.test(statement))
    throw new CommandError(
      EXIT.answeredWithError,
      'COPY moves data beside the answer, which is not supported here; use psql',
    );
  return withDatabase(config, { create: false }, async (connection) => {
    const db = openDatabase(connection, { max: 1, prepare: false, applicationName: 'extreg sql', log: silentLogger });
    try {
      // The extended protocol takes one statement only, and refuses a second.
      const options = { simple: false } as { prepare?: boolean };
      const result = await withLockTimeout(db, LOCK_SECONDS, () => db.$client.unsafe(statement, [], options).values());
      // Blanks and comments alone.
      if (!result.command) throw new CommandError(EXIT.usage, 'statement: expected an SQL statement, got none');
      return {
        verb: result.command,
        count: result.count ?? 0,
        columns: (result.columns ?? []).map((column) => column.name),
        rows: [...result],
      };
    } catch (error) {
      if (SEVERAL_STATEMENTS.test(errorText(error)))
        throw new CommandError(
          EXIT.usage,
          'statement: expected one SQL statement, got several; run one at a time, or use psql',
        );
      const failure = databaseFailure(error);
      if (failure === null) throw error;
      const detail = await constraintDetail(db, error);
      throw detail === null ? failure : new CommandError(failure.exitCode, `${failure.message}: ${detail}`);
    } finally {
      await closeDatabase(db);
    }
  });
}

/** What a violated constraint asks for: the key that is there already or missing, or the condition. null: another error. */
async function constraintDetail(db: Database, error: unknown): Promise<string | null> {
  const { code, detail, constraint_name: name, table_name: table } = serverError(error) ?? {};
  if (code === UNIQUE_VIOLATION || code === FOREIGN_KEY_VIOLATION) return detail ?? null;
  if (code !== CHECK_VIOLATION || !name || !table) return null;
  const rows = await db.$client<{ condition: string }[]>`
    select pg_get_constraintdef(oid) as condition from pg_constraint
    where conname = ${name} and conrelid = to_regclass(${table})`.catch(() => []);
  return rows[0]?.condition ?? null;
}

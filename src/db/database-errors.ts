// What a failed query says about whom: the row that was sent, or the way to the database.
import postgres from '#postgres';

/** SQLSTATE of the server's answer; null where there was none (no connection, or it was lost). */
export function sqlState(error: unknown): string | null {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof postgres.PostgresError) return cause.code;
  return null;
}

// cardinality, data exception, integrity constraint, transaction rollback (deadlock), check option, raised by a trigger
const ROW_CLASSES = new Set(['21', '22', '23', '40', '44', 'P0']);

/**
 * True: what was sent is at fault, so the same rows fail again wherever they go.
 * Anything else (connection, shutdown, disk full, read-only standby, missing rights) is the database's and may pass.
 */
export function isRowError(error: unknown): boolean {
  return ROW_CLASSES.has(sqlState(error)?.slice(0, 2) ?? '');
}

/** The sentence of the innermost cause: a query's text and arguments stay out of it. */
export function errorText(error: unknown): string {
  let cause = error;
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
  if (cause instanceof AggregateError && cause.message === '')
    return cause.errors.map((inner) => errorText(inner)).join('; ');
  return cause instanceof Error ? cause.message : String(cause);
}

// What a failed query is about: the row that was sent, or the connection to the database.
import postgres from '#postgres';

/** The server's answer; null if there was none. */
export function serverError(error: unknown): postgres.PostgresError | null {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (cause instanceof postgres.PostgresError) return cause;
  return null;
}

/** SQLSTATE of the server's answer; null if there was none (no connection, or it was lost). */
export const sqlState = (error: unknown): string | null => serverError(error)?.code ?? null;

/** The server ended the connection, maybe after a commit and before its answer. */
const ENDED = ['57P01', '57P02'];

/** No connection could be made, so nothing was sent. */
const NOT_CONNECTED = [
  ...['ECONNREFUSED', 'ENOENT', 'EACCES', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH'],
  ...['CONNECT_TIMEOUT', 'CONNECTION_ENDED'],
];

/** True: the connection was lost, so that it is unknown whether what was sent has been done. */
export function isAnswerLost(error: unknown): boolean {
  const state = sqlState(error);
  if (state !== null) return ENDED.includes(state);
  const code = connectionCode(error);
  return code !== null && !NOT_CONNECTED.includes(code);
}

/** What others were in the way of (deadlock, serialisation), or what was cancelled: nothing of it was done, and it can be sent again. */
export function isGivenUp(error: unknown): boolean {
  const state = sqlState(error) ?? '';
  return state.startsWith('40') || state === '57014';
}

/** Failures of the connection have a code (`ECONNREFUSED`, `CONNECTION_CLOSED`), here or in a cause; bugs have none. */
export const isConnectionError = (error: unknown): boolean => connectionCode(error) !== null;

function connectionCode(error: unknown): string | null {
  if (serverError(error) !== null) return null;
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (typeof code === 'string') return code;
  }
  return null;
}

/** Cardinality, data exception, integrity constraint, check option, raised by a trigger. */
export const ROW_CLASSES: readonly string[] = ['21', '22', '23', '44', 'P0'];

/**
 * True: what was sent is at fault, so the same rows fail again wherever they go.
 * Anything else (connection, shutdown, disk full, read-only standby, missing rights) is the database's and may pass, and so
 * does what others were in the way of (deadlock, serialisation, a lock).
 */
export function isRowError(error: unknown): boolean {
  return ROW_CLASSES.includes(sqlState(error)?.slice(0, 2) ?? '');
}

/** The sentence of the innermost cause: without the query's text and arguments. */
export function errorText(error: unknown): string {
  let cause = error;
  while (cause instanceof Error && cause.cause instanceof Error) cause = cause.cause;
  if (cause instanceof AggregateError && cause.message === '')
    return cause.errors.map((inner) => errorText(inner)).join('; ');
  return cause instanceof Error ? cause.message : String(cause);
}

/** The connection was lost when all had been sent. */
export class AnswerLostError extends Error {
  override readonly name = 'AnswerLostError';
  constructor(cause: unknown) {
    super(
      `the connection was lost after COMMIT was sent (${errorText(cause)}), so it may have been written or not: run it again, if it was written, that changes nothing`,
      { cause },
    );
  }
}

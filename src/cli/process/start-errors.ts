// Why a database or a daemon did not start, as an exit code and a sentence.

import { AnswerLostError, errorText, isConnectionError, sqlState } from '../../db/database-errors.js';
import { isSchemaError, SchemaVersionError } from '../../db/migrate/version-errors.js';
import { HeldError } from '../../domain/registry/held-error.js';
import {
  DatabaseDamagedError,
  DataDirectoryInUseError,
  DataDirectoryPathError,
} from '../../embedded/postgres/embedded.js';
import { HttpStartError } from '../../http/http-start-error.js';
import { CommandError, EXIT } from './command-error.js';

/** null: it is none of the expected failures. */
export function startFailure(error: unknown): CommandError | null {
  if (error instanceof CommandError) return error;
  if (error instanceof SchemaVersionError)
    return new CommandError(error.found > error.known ? EXIT.newerSchema : EXIT.configuration, error.message);
  if (isSchemaError(error) || error instanceof DataDirectoryPathError)
    return new CommandError(EXIT.configuration, error.message);
  const unreachable = [DataDirectoryInUseError, DatabaseDamagedError, HttpStartError];
  if (unreachable.some((kind) => error instanceof kind))
    return new CommandError(EXIT.unreachable, (error as Error).message);
  return null;
}

/** The machine does not let a daemon use its data directory. null: it is something else. */
export function dataDirectoryFailure(error: unknown): CommandError | null {
  const refusal = error instanceof Error ? FILE_REFUSAL.exec(error.message) : null;
  if (refusal === null) return null;
  const exitCode = NO_ROOM.has(refusal[1] as string) ? EXIT.unreachable : EXIT.configuration;
  return new CommandError(exitCode, `the data directory cannot be used: ${refusal[0]}`);
}

/** By the message, which begins with the code: what comes from another thread has lost its `code`. */
const FILE_REFUSAL =
  /^(EACCES|EPERM|EROFS|ENOTDIR|EISDIR|EEXIST|ELOOP|ENAMETOOLONG|ENOSPC|EDQUOT|EFBIG|ENOENT(?=.*, mkdir ')): .*/;
const NO_ROOM: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** A failed query: what the database said, or that it said nothing. null: it is neither. */
export function databaseFailure(error: unknown): CommandError | null {
  if (error instanceof AnswerLostError) return new CommandError(EXIT.unreachable, error.message);
  if (error instanceof HeldError)
    return new CommandError(EXIT.answeredWithError, `${error.message}; nothing was written`);
  const state = sqlState(error);
  if (state !== null) return new CommandError(EXIT.answeredWithError, `SQLSTATE ${state}: ${errorText(error)}`);
  return isConnectionError(error)
    ? new CommandError(EXIT.unreachable, `the database cannot be reached: ${errorText(error)}`)
    : null;
}

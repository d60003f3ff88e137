// The database of a command: PostgreSQL if one is configured, else the embedded one, through the socket of the daemon
// that has it open, or opened for the time of the command.
import { existsSync } from 'node:fs';
import { type Config, databasePlaces } from '../../config/config.js';
import type { DatabaseConnection } from '../../db/client.js';
import {
  DatabaseMissingError,
  DataDirectoryInUseError,
  type EmbeddedDatabase,
  openEmbedded,
  socketDirectory,
} from '../../embedded/postgres/embedded.js';
import { CommandError, EXIT } from '../process/command-error.js';
import { requireOpenFiles } from '../process/open-files.js';
import { dataDirectoryFailure, startFailure } from '../process/start-errors.js';

/**
 * `create`: an embedded database that does not exist is made, and has the schema of this version then; otherwise that is an
 * error. `isNew`: it was made.
 */
export async function withDatabase<T>(
  config: Config,
  { create }: { readonly create: boolean },
  work: (connection: DatabaseConnection, isNew: boolean) => Promise<T>,
): Promise<T> {
  const places = databasePlaces(config);
  if (places !== null) return work(places.direct, false);
  // Looking for a database makes no data directory.
  if (!create && !existsSync(config.data_dir)) throw missing(new DatabaseMissingError(config.data_dir));
  const opened = await openOurselves(config.data_dir, create);
  try {
    const socketDir = opened?.socketDir ?? socketDirectory(config.data_dir);
    return await work({ kind: 'embedded', socketDir }, opened?.created ?? false);
  } finally {
    await opened?.close();
  }
}

/** null: another process has it open, and serves it on its socket. */
async function openOurselves(dataDir: string, make: boolean): Promise<EmbeddedDatabase | null> {
  requireOpenFiles();
  try {
    return await openEmbedded(dataDir, {
      make,
      // The query in flight fails with it, and says so.
      onFailure: () => undefined,
    });
  } catch (error) {
    if (error instanceof DataDirectoryInUseError) return null;
    if (error instanceof DatabaseMissingError) throw missing(error);
    throw startFailure(error) ?? dataDirectoryFailure(error) ?? error;
  }
}

const missing = (error: DatabaseMissingError): CommandError => new CommandError(EXIT.unreachable, error.message);

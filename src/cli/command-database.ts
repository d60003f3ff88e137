// The database of a command: PostgreSQL where one is configured, else the embedded one, through the socket of the daemon
// that has it open, or opened for the time of the command.
import { existsSync } from 'node:fs';
import { type Config, databasePlaces } from '../config.js';
import type { DatabaseConnection } from '../db/client.js';
import { DataDirectoryInUseError, type EmbeddedDatabase, openEmbedded, socketDirectory } from '../db/embedded.js';
import { CommandError, EXIT } from './command-error.js';

/** `create`: an embedded database that does not exist is made; otherwise that is an error. */
export async function withDatabase<T>(
  config: Config,
  { create }: { readonly create: boolean },
  work: (connection: DatabaseConnection) => Promise<T>,
): Promise<T> {
  const places = databasePlaces(config);
  if (places !== null) return work(places.direct);
  if (!create && !existsSync(config.data_dir))
    throw new CommandError(EXIT.unreachable, `there is no database in ${config.data_dir}; 'extreg migrate' makes one`);
  const opened = await openOurselves(config.data_dir);
  try {
    return await work({ kind: 'embedded', socketDir: opened?.socketDir ?? socketDirectory(config.data_dir) });
  } finally {
    await opened?.close();
  }
}

/** null: another process has it open, and serves it on its socket. */
async function openOurselves(dataDir: string): Promise<EmbeddedDatabase | null> {
  try {
    return await openEmbedded(dataDir, {
      // The query under way fails with it, and tells.
      onFailure: () => undefined,
    });
  } catch (error) {
    if (error instanceof DataDirectoryInUseError) return null;
    throw error;
  }
}

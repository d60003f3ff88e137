// The registry's database for a command that reads or writes the registry: reached, and of the right schema.
import type { Config } from '../../config/config.js';
import { closeDatabase, type Database, openDatabase } from '../../db/client.js';
import { checkSchema } from '../../db/migrate/migrate.js';
import { withLockTimeout } from '../../db/queries/lock-holders.js';
import type { SubjectRules } from '../../domain/registry/subject-rules.js';
import { silentLogger } from '../../telemetry/log.js';
import { databaseFailure, startFailure } from '../process/start-errors.js';
import { withDatabase } from './command-database.js';

/** How long a command waits for what another transaction holds. */
const LOCK_SECONDS = 2;

/**
 * Rejects with a CommandError if the database cannot be reached, refuses, or has another schema. `create`: an embedded database that does not
 * exist is made.
 */
export async function withRegistry<T>(
  config: Config,
  applicationName: string,
  work: (db: Database) => Promise<T>,
  { create = false }: { readonly create?: boolean } = {},
): Promise<T> {
  try {
    return await withDatabase(config, { create }, async (connection) => {
      await checkSchema(connection, silentLogger);
      const db = openDatabase(connection, { max: 1, prepare: false, applicationName, log: silentLogger });
      try {
        return await withLockTimeout(db, LOCK_SECONDS, () => work(db));
      } finally {
        await closeDatabase(db);
      }
    });
  } catch (error) {
    throw startFailure(error) ?? databaseFailure(error) ?? error;
  }
}

/** What the daemon with this configuration asks of a subject. */
export const subjectRules = (config: Config): SubjectRules => ({
  ownPrefix: config.subject_prefix,
  allowedPrefixes: config.subject_prefixes,
});

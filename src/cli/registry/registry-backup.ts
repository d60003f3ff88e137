// `extreg backup` and `extreg restore` on the embedded database; for PostgreSQL they say which of its own programs do it.
import { type Config, databasePlaces } from '../../config/config.js';
import { closeDatabase, type Database, type DatabaseConnection, openDatabase } from '../../db/client.js';
import { checkSchema, knownMigrations } from '../../db/migrate/migrate.js';
import { readBackupRows, restoreRows, unknownColumns } from '../../db/queries/backup-queries.js';
import { silentLogger } from '../../telemetry/log.js';
import { CommandError, EXIT } from '../process/command-error.js';
import { databaseFailure } from '../process/start-errors.js';
import { type Backup, readBackup, rowCount, writeBackup } from './backup-file.js';
import { withDatabase } from './command-database.js';

interface BackupDone {
  readonly file: string;
  readonly rows: number;
  readonly extensions: number;
  readonly schema: number;
  readonly made_at: string;
}

const doneOf = (file: string, backup: Backup): BackupDone => ({
  file,
  rows: rowCount(backup),
  extensions: backup.rows.extensions.length,
  schema: backup.schema,
  made_at: backup.madeAt,
});

/** Rejects with a CommandError. */
export async function backUp(config: Config, file: string, force: boolean): Promise<BackupDone> {
  refusePostgres(config, file, 'backup');
  return withSchema(config, false, async (db, schema) => {
    const backup = { schema, madeAt: new Date().toISOString(), ...(await readBackupRows(db)) };
    writeBackup(file, backup, { force });
    return doneOf(file, backup);
  });
}

/** `confirm`: asked when the file is known to be whole. Rejects with a CommandError; then nothing was changed. */
export async function restore(
  config: Config,
  file: string,
  confirm: (of: BackupDone) => Promise<void>,
): Promise<BackupDone> {
  refusePostgres(config, file, 'restore');
  // Before anything is opened: a file that is refused makes no database.
  const backup = readBackup(file, knownMigrations().length);
  return withSchema(config, true, async (db) => {
    const unknown = await unknownColumns(db, backup);
    if (unknown.length > 0)
      throw new CommandError(EXIT.file, `${file} has columns that this version does not know: ${unknown.join(', ')}`);
    const done = doneOf(file, backup);
    await confirm(done);
    await restoreRows(db, backup);
    return done;
  });
}

async function withSchema<T>(
  config: Config,
  create: boolean,
  work: (db: Database, schema: number) => Promise<T>,
): Promise<T> {
  return withDatabase(config, { create }, async (connection: DatabaseConnection) => {
    const db = openDatabase(connection, { max: 1, prepare: false, applicationName: 'extreg', log: silentLogger });
    try {
      const { known } = await checkSchema(connection, silentLogger);
      return await work(db, known);
    } catch (error) {
      throw databaseFailure(error) ?? error;
    } finally {
      await closeDatabase(db);
    }
  });
}

/** An unwritten backup must not look like one: both commands fail here, and say what to run. */
function refusePostgres(config: Config, file: string, what: 'backup' | 'restore'): void {
  const place = databasePlaces(config)?.direct;
  if (place === undefined) return;
  const target = `--dbname=${shellWord(addressOf(place))}`;
  const line =
    what === 'backup'
      ? `pg_dump --format=custom --file=${shellWord(file)} ${target}`
      : `pg_restore --clean --if-exists --single-transaction ${target} ${shellWord(file)}`;
  throw new CommandError(EXIT.usage, `${what}: the registry is in PostgreSQL, whose own programs do this`, {
    next: line,
  });
}

/** Without its password, which those programs take from PGPASSWORD or ~/.pgpass. */
function addressOf(place: DatabaseConnection): string {
  if (place.kind === 'url') return withoutPassword(place.url);
  if (place.kind === 'embedded') return place.socketDir;
  const { user, host, port, database } = place;
  return `postgresql://${encodeURIComponent(user)}@${host.includes(':') ? `[${host}]` : encodeURIComponent(host)}:${port}/${encodeURIComponent(database)}`;
}

function withoutPassword(url: string): string {
  const [address = '', query = ''] = url.split(/\?(.*)/s);
  const kept = query.split('&').filter((parameter) => !/^(?:ssl)?password=/i.test(parameter));
  // Up to the last @, as a password may hold one.
  const named = address.replace(/^([a-z]+:\/\/[^:/@]*)(?::[^/]*)?@/i, '$1@');
  return query === '' || kept.length === 0 ? named : `${named}?${kept.join('&')}`;
}

const shellWord = (text: string): string =>
  /^[\w./:@%=+-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

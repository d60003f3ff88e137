// The database: whether it is reached, its version and schema, what the user may do, and its clock.
import { getTableName, sql } from '#drizzle-orm';
import { type Config, databasePlaces } from '../../config/config.js';
import { closeDatabase, type Database, type DatabaseConnection, openDatabase } from '../../db/client.js';
import { errorText } from '../../db/database-errors.js';
import { checkSchema } from '../../db/migrate/migrate.js';
import { SchemaVersionError } from '../../db/migrate/version-errors.js';
import * as schema from '../../db/schema.js';
import { TABLE_NAMES } from '../../db/table-names.js';
import { answerWithin } from '../../telemetry/deadline.js';
import { silentLogger } from '../../telemetry/log.js';
import { CommandError } from '../process/command-error.js';
import { withDatabase } from '../registry/command-database.js';
import { ANSWERS_MS, type Finding, failed, ok, reasonOf, skipped, warning } from './findings.js';

/** Its trigger writes it, with the rights of its owner. */
const READ_ONLY: readonly string[] = [getTableName(schema.extensionRollouts)];
/** Times in rows are those of the daemon: what two daemons write is in order only so far as their clocks agree. */
const CLOCK_MS = 2000;

/** `answersMs`: what the server may take for everything. */
export async function checkDatabase(config: Config, answersMs = ANSWERS_MS): Promise<Finding[]> {
  try {
    return await withDatabase(config, { create: false }, async (connection) => {
      const settings = { max: 1, prepare: false, applicationName: 'extreg doctor', log: silentLogger };
      const db = openDatabase(connection, settings);
      try {
        return await answerWithin(answersMs, checksOf(db, connection, config.migrate));
      } finally {
        await closeDatabase(db);
      }
    });
  } catch (error) {
    const isNone = databasePlaces(config) === null && error instanceof CommandError;
    return isNone
      ? [skipped('database', reasonOf(error))]
      : [
          failed(
            'database',
            errorText(error),
            'check database_url (extreg check-config --print), the server and the network',
          ),
        ];
  }
}

async function checksOf(db: Database, connection: DatabaseConnection, migrates: boolean): Promise<Finding[]> {
  const reached = await checkServer(db);
  const version = await checkSchema(connection, silentLogger).then(
    ({ known }) => ok('schema', `version ${known}, which this version is for`),
    (error: unknown) => schemaProblem(error, migrates),
  );
  const rights = version.verdict === 'ok' ? await checkRights(db) : skipped('rights', 'the schema comes first');
  return [...reached, version, rights];
}

async function checkServer(db: Database): Promise<Finding[]> {
  const askedMs = Date.now();
  const [row] = await db.execute<{ version: string; now_ms: number }>(
    sql`select current_setting('server_version') as version, extract(epoch from clock_timestamp())::float8 * 1000 as now_ms`,
  );
  const answeredMs = Date.now();
  const found = `PostgreSQL ${row?.version} answers within ${answeredMs - askedMs} ms`;
  return [ok('database', found), checkClock(Number(row?.now_ms), askedMs, answeredMs)];
}

/** `theirMs` was read between the two others. */
export function checkClock(theirMs: number, askedMs: number, answeredMs: number): Finding {
  const offMs = theirMs < askedMs ? askedMs - theirMs : Math.max(theirMs - answeredMs, 0);
  const found = `this machine and the database are ${Math.round(offMs)} ms apart at least`;
  return offMs > CLOCK_MS
    ? warning('clock', found, 'synchronise both with NTP: times of rows and of the audit trail do not compare')
    : ok('clock', found);
}

/** An older schema keeps no daemon from starting that may migrate it. */
function schemaProblem(error: unknown, migrates: boolean): Finding {
  if (!(error instanceof SchemaVersionError)) return failed('schema', errorText(error), 'see extreg migrate --dry-run');
  if (error.found > error.known)
    return failed('schema', errorText(error), 'run the newer version of extension-registry');
  const advice = 'extreg migrate --dry-run shows what would be done, extreg migrate does it';
  return migrates
    ? warning('schema', errorText(error), `${advice}, and so does the next start of serve`)
    : failed('schema', errorText(error), advice);
}

async function checkRights(db: Database): Promise<Finding> {
  const rows = await db.execute<{ name: string; may: boolean }>(
    sql`select name, has_table_privilege(name, 'select') and (name = any(string_to_array(${READ_ONLY.join(',')}, ','))
          or has_table_privilege(name, 'insert') and has_table_privilege(name, 'update') and has_table_privilege(name, 'delete')) as may
        from unnest(string_to_array(${TABLE_NAMES.join(',')}, ',')) as name`,
  );
  const missing = [...rows].filter(({ may }) => !may).map(({ name }) => name);
  if (missing.length === 0) return ok('rights', 'may read and write every table');
  const written = missing.filter((name) => !READ_ONLY.includes(name));
  const grants = [
    ...(written.length === 0 ? [] : [`grant select, insert, update, delete on ${written.join(', ')}`]),
    ...(written.length === missing.length ? [] : [`grant select on ${READ_ONLY.join(', ')}`]),
  ];
  return failed('rights', `may not read and write ${missing.join(', ')}`, `${grants.join('; ')} to this user`);
}

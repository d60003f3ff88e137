// Brings a database to the schema this daemon was built for, or says why it cannot.
//
// MIGRATE-1. One migrator at a time: an advisory lock on a connection of its own. (The embedded database has one session only,
//     so there its socket is the lock.)
//     It waits for neither the lock nor a table longer than LOCK_WAIT_SECONDS; the error names the session that holds it.
// MIGRATE-2. A schema newer than the daemon is refused untouched.
// MIGRATE-3. A database that cannot be migrated is refused with what is wrong with it, and nothing is written.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { sql } from '#drizzle-orm';
import { readMigrationFiles } from '#drizzle-orm/migrator';
import type { Logger } from '../../telemetry/log.js';
import { closeDatabase, type Database, type DatabaseConnection, openDatabase } from '../client.js';
import { errorText, sqlState } from '../database-errors.js';
import { advisoryHeldError, LOCK_NOT_AVAILABLE, namingHolders, withLockTimeout } from '../queries/lock-holders.js';
import { completionStatements } from './adoption.js';
import { MigrationRefusedError, SchemaVersionError, ServerVersionError } from './version-errors.js';

const MIGRATIONS = fileURLToPath(new URL('../../../../drizzle', import.meta.url));
const LOCK = '7310299837465912';
const LOCK_WAIT_SECONDS = 5;
/** PostgreSQL 13. */
const OLDEST_SERVER = 130_000;

export interface SchemaVersions {
  /** Migrations that were applied to the database before; 0: it was never migrated. */
  readonly found: number;
  /** Migrations this daemon knows. */
  readonly known: number;
}

/** Applies what is missing; nothing if nothing is. Rejects with an error of version-errors.ts, or the database's own. */
export async function migrateDatabase(connection: DatabaseConnection, log: Logger): Promise<SchemaVersions> {
  return withMigrator(connection, log, async (db, versions) => {
    const missing = await migrationStatements(db, versions);
    // One message of the simple protocol is one transaction.
    if (missing !== '') await namingHolders(db, () => db.$client.unsafe(missing)).catch(refused);
    if (versions.found < versions.known)
      log.info({ event: 'database_migrated', component: 'db', from: versions.found, to: versions.known });
    return versions;
  });
}

/** All that is to be done, as statements for one message, '' if nothing is. Rejects with AdoptionError. */
export async function migrationStatements(db: Database, { found, known }: SchemaVersions): Promise<string> {
  if (found >= known) return '';
  return [...(await completionStatements(db)), missingStatements(found)].join(';\n');
}

// what was asked for is not there, or is there already; what is stored does not fit; not supported; still depended on
const REFUSALS = new Set(['0A', '22', '23', '2B', '42']);
/** A right can be granted while the daemon waits for it. */
const NO_RIGHT = '42501';

/** MIGRATE-3. */
export function refused(error: unknown): never {
  const state = sqlState(error);
  if (state === null || state === NO_RIGHT || !REFUSALS.has(state.slice(0, 2))) throw error;
  throw new MigrationRefusedError(errorText(error), state, error);
}

/** MIGRATE-1, MIGRATE-2: `work` is the only migrator, and the schema is none that is newer. */
export async function withMigrator<T>(
  connection: DatabaseConnection,
  log: Logger,
  work: (db: Database, versions: SchemaVersions) => Promise<T>,
): Promise<T> {
  return withOwnClient(connection, log, async (db) => {
    try {
      await db.execute(sql`select pg_advisory_lock(${LOCK}::bigint)`);
    } catch (error) {
      if (sqlState(error) !== LOCK_NOT_AVAILABLE) throw error;
      throw await advisoryHeldError(db, error, LOCK, 'the lock of another migrator');
    }
    try {
      const versions = await readVersions(db);
      if (versions.found > versions.known) throw new SchemaVersionError(versions.found, versions.known);
      return await work(db, versions);
    } finally {
      // The embedded database has one session for all, in which both would stay; a lost connection has ended both.
      await db.execute(sql`select pg_advisory_unlock(${LOCK}::bigint)`).catch(() => undefined);
    }
  });
}

/** Only reads: rejects with SchemaVersionError if the schema is not exactly the daemon's. */
export async function checkSchema(connection: DatabaseConnection, log: Logger): Promise<SchemaVersions> {
  const versions = await withOwnClient(connection, log, readVersions);
  if (versions.found !== versions.known) throw new SchemaVersionError(versions.found, versions.known);
  return versions;
}

/** Names of the migrations this daemon knows, in their order; the schema version is how many of them were applied. */
export function knownMigrations(): string[] {
  const journal: { entries: { tag: string }[] } = JSON.parse(readFileSync(`${MIGRATIONS}/meta/_journal.json`, 'utf8'));
  return journal.entries.map((entry) => entry.tag);
}

/**
 * All that is missing after the first `found` migrations, as statements for one message, '' if nothing is; recorded where
 * Drizzle's migrator records it. (That migrator itself uses the driver's `begin`: CLIENT-3 of client.ts.)
 */
export function missingStatements(found: number): string {
  const missing = readMigrationFiles({ migrationsFolder: MIGRATIONS }).slice(found);
  if (missing.length === 0) return '';
  const statements = [
    'create schema if not exists drizzle',
    'create table if not exists drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)',
    ...missing.flatMap(({ sql: parts, hash, folderMillis }) => [
      ...parts,
      `insert into drizzle.__drizzle_migrations (hash, created_at) values ('${hash}', ${folderMillis})`,
    ]),
  ];
  return statements.map((statement) => statement.trim().replace(/;$/, '')).join(';\n');
}

async function withOwnClient<T>(
  connection: DatabaseConnection,
  log: Logger,
  work: (db: Database) => Promise<T>,
): Promise<T> {
  const db = openDatabase(connection, { max: 1, prepare: false, applicationName: 'extreg migrate', log });
  try {
    const [server] = await db.execute<{ number: string; name: string }>(
      sql`select current_setting('server_version_num') as number, current_setting('server_version') as name`,
    );
    if (Number(server?.number) < OLDEST_SERVER) throw new ServerVersionError(server?.name ?? 'unknown');
    return await withLockTimeout(db, LOCK_WAIT_SECONDS, () => work(db));
  } finally {
    await closeDatabase(db);
  }
}

async function readVersions(db: Database): Promise<SchemaVersions> {
  const known = knownMigrations().length;
  try {
    const [row] = await db.execute<{ applied: number }>(
      sql`select count(*)::int as applied from drizzle.__drizzle_migrations`,
    );
    return { found: row?.applied ?? 0, known };
  } catch (error) {
    // undefined table: never migrated
    if (sqlState(error) === '42P01') return { found: 0, known };
    throw error;
  }
}

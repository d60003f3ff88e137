// What a database for tests is, whatever its engine, and the small things that tests of databases share.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { closeDatabase, type Database, type DatabaseConnection, openDatabase } from '../../src/db/client.js';
import { silentLogger } from '../../src/telemetry/log.js';

/** `migrated`: it has the schema of this version, and no rows. */
export type DatabaseState = 'empty' | 'migrated';

export interface TestDatabase {
  readonly engine: 'postgres' | 'pglite';
  readonly connection: DatabaseConnection;
  /** A client of its own, to this database unless another is given; closed with the test. */
  open(max?: number, connection?: DatabaseConnection): Database;
  /** As if the machine went away: connections break, data stays. */
  stopServer(): Promise<void>;
  startServer(): Promise<void>;
}

export interface Engine {
  database(t: ExecutionContext, state: DatabaseState): Promise<TestDatabase>;
  close(): Promise<void>;
}

/** `open` of a test's database. */
export function opener(t: ExecutionContext, own: DatabaseConnection): TestDatabase['open'] {
  return (max = 4, connection = own) => {
    const db = openDatabase(connection, { max, prepare: true, applicationName: 'test', log: silentLogger });
    t.teardown(() => closeDatabase(db));
    return db;
  };
}

/** A directory that is removed with the test. */
export function temporaryDirectory(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'extreg-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

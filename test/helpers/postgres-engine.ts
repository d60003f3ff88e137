// PostgreSQL as an engine of tests: a server per test file, on a copy of a cluster that is made once.
import { createHash } from 'node:crypto';
import { chownSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { migrateDatabase, missingStatements } from '../../src/db/migrate/migrate.js';
import { silentLogger } from '../../src/telemetry/log.js';
import { initialiseCluster, PostgresServer, serverOwner, serverVersion } from './postgres-server.js';
import { copyTree, template } from './templates.js';
import { type DatabaseState, type Engine, opener, type TestDatabase } from './test-database.js';

export class PostgresEngine implements Engine {
  private server: Promise<PostgresServer> | null = null;
  private made = 0;

  async database(t: ExecutionContext, state: DatabaseState): Promise<TestDatabase> {
    this.server ??= startPostgres();
    const server = await this.server;
    const name = `test_${++this.made}`;
    await server.administer(`create database ${name} template ${state === 'migrated' ? 'migrated' : 'template1'}`);
    const connection = server.connection(name);
    t.teardown(() => server.start());
    return {
      engine: 'postgres',
      connection,
      open: opener(t, connection),
      stopServer: () => server.stop(),
      startServer: () => server.start(),
    };
  }

  async close(): Promise<void> {
    const server = this.server;
    this.server = null;
    await (await server)?.remove();
  }
}

/** A server on a copy of the template; its database `migrated` is to be copied. */
export async function startPostgres(): Promise<PostgresServer> {
  const cluster = await postgresTemplate();
  const directory = serverDirectory();
  copyTree(join(cluster, 'data'), join(directory, 'data'), serverOwner());
  const server = await PostgresServer.on(directory);
  await server.start();
  return server;
}

/** A directory with `data`, a cluster that was shut down in order; its database `migrated` has the schema of this version. */
export function postgresTemplate(): Promise<string> {
  const key = `${serverVersion()}, ${missingStatements(0)}`;
  return template('postgres', createHash('sha256').update(key).digest('hex').slice(0, 16), async (place) => {
    // Not in its place, where the server's user may have no access.
    const directory = serverDirectory();
    initialiseCluster(directory);
    const server = await PostgresServer.on(directory);
    try {
      await server.start();
      await server.administer('create database migrated');
      await migrateDatabase(server.connection('migrated'), silentLogger);
      await server.shutDown();
      copyTree(join(directory, 'data'), join(place, 'data'), serverOwner());
    } finally {
      await server.remove();
    }
  });
}

/** Where a server has its files; it belongs to the server's user. */
function serverDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'extreg-pg-'));
  const { uid, gid } = serverOwner();
  if (uid !== undefined && gid !== undefined) chownSync(directory, uid, gid);
  return directory;
}

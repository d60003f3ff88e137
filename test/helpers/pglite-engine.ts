// The embedded database as an engine of tests.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import type { DatabaseConnection } from '../../src/db/client.js';
import { knownMigrations } from '../../src/db/migrate/migrate.js';
import { type EmbeddedDatabase, openEmbedded } from '../../src/embedded/postgres/embedded.js';
import { copyEmbedded } from './embedded-template.js';
import { type DatabaseState, type Engine, opener, type TestDatabase } from './test-database.js';

const RESET: Record<DatabaseState, string> = {
  // Back to what a database without a schema is.
  empty: `
  do $$ declare made name; begin
    for made in select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema' loop
      execute format('drop schema %I cascade', made);
    end loop;
  end $$;
  create schema public authorization pg_database_owner;
  grant usage on schema public to public;
  comment on schema public is 'standard public schema'`,
  migrated: `
  truncate extensions, extension_versions, extension_instances, extension_health, extension_version_health, extension_audit_log;
  delete from extension_audit_log;
  update registry_revision set revision = 0;
  delete from drizzle.__drizzle_migrations where id > ${knownMigrations().length}`,
};

export class PgliteEngine implements Engine {
  /** One database for each state, reset between tests: opening one takes longer than most tests. */
  private readonly shared = new Map<DatabaseState, Promise<PgliteServer>>();

  async database(t: ExecutionContext, state: DatabaseState): Promise<TestDatabase> {
    const made = this.shared.get(state) ?? PgliteServer.create(state);
    this.shared.set(state, made);
    const server = await made;
    t.teardown(() => server.start());
    const open = opener(t, server.connection);
    await open(1).$client.unsafe(RESET[state]);
    return {
      engine: 'pglite',
      connection: server.connection,
      open,
      stopServer: () => server.stop(),
      startServer: () => server.start(),
    };
  }

  async close(): Promise<void> {
    const servers = [...this.shared.values()];
    this.shared.clear();
    for (const server of servers) await (await server).remove();
  }
}

class PgliteServer {
  private embedded: EmbeddedDatabase | null = null;

  private constructor(private readonly dataDir: string) {}

  static async create(state: DatabaseState): Promise<PgliteServer> {
    const server = new PgliteServer(await copyEmbedded(mkdtempSync(join(tmpdir(), 'extreg-')), state));
    await server.start();
    return server;
  }

  get connection(): DatabaseConnection {
    return { kind: 'embedded', socketDir: this.dataDir };
  }

  async start(): Promise<void> {
    this.embedded ??= await openEmbedded(this.dataDir, {
      onFailure: (error) => {
        throw error;
      },
    });
  }

  async stop(): Promise<void> {
    const embedded = this.embedded;
    this.embedded = null;
    await embedded?.close();
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.dataDir, { recursive: true, force: true });
  }
}

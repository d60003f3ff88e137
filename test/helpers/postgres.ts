// Databases for tests: a throw-away PostgreSQL cluster and the embedded database, behind one interface.
//
// - One server per test file and engine, made at first use; every test has a database of its own, copied from a template.
// - Nothing outlives the test process: a keeper holds the server and ends it when its own stdin closes.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { ExecutionContext, TestFn } from 'ava';
import { closeDatabase, type Database, type DatabaseConnection, openDatabase } from '../../src/db/client.js';
import { type EmbeddedDatabase, openEmbedded } from '../../src/db/embedded.js';
import { knownMigrations, migrateDatabase } from '../../src/db/migrate.js';
import { silentLogger } from '../../src/telemetry/log.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

export interface TestDatabase {
  readonly engine: 'postgres' | 'pglite';
  readonly connection: DatabaseConnection;
  /** A client of its own, to this database unless told otherwise; closed with the test. */
  open(max?: number, connection?: DatabaseConnection): Database;
  /** As if the machine went away: connections break, data stays. */
  stopServer(): Promise<void>;
  startServer(): Promise<void>;
}

interface Engine {
  database(t: ExecutionContext, state: 'empty' | 'migrated'): Promise<TestDatabase>;
  close(): Promise<void>;
}

type Body = (t: ExecutionContext, database: TestDatabase) => Promise<void>;

/** Registers each test once per engine; `state` is what its database holds. Serial: an embedded database takes 300 MB. */
export function onBothEngines(
  test: TestFn,
  state: 'empty' | 'migrated' = 'migrated',
): (title: string, body: Body) => void {
  test.after.always(closeEngines);
  return (title, body) => {
    for (const [name, engine] of Object.entries(engines))
      test.serial(`${title} (${name})`, async (t) => body(t, await engine.database(t, state)));
  };
}

/** Registers each test on PostgreSQL alone: what needs several sessions at a time. */
export function onPostgres(
  test: TestFn,
  state: 'empty' | 'migrated' = 'migrated',
): (title: string, body: Body) => void {
  return onOne(test, 'postgres', state);
}

/** Registers each test on the embedded database alone. */
export function onPglite(test: TestFn): (title: string, body: Body) => void {
  return onOne(test, 'pglite', 'migrated');
}

function onOne(test: TestFn, name: TestDatabase['engine'], state: 'empty' | 'migrated') {
  test.after.always(closeEngines);
  return (title: string, body: Body) =>
    test.serial(`${title} (${name})`, async (t) => body(t, await engines[name].database(t, state)));
}

/** Resolves with what `look` gives as soon as it gives something; fails the test after the deadline. */
export async function until<T>(what: string, look: () => T | Promise<T>, deadlineMs = 30_000): Promise<NonNullable<T>> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const value = await look();
    if (value !== null && value !== undefined && value !== false) return value as NonNullable<T>;
    if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await sleep(5);
  }
}

/** A directory that goes with the test. */
export function temporaryDirectory(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'extreg-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function opener(t: ExecutionContext, own: DatabaseConnection): TestDatabase['open'] {
  return (max = 4, connection = own) => {
    const db = openDatabase(connection, { max, prepare: true, applicationName: 'test', log: silentLogger });
    t.teardown(() => closeDatabase(db));
    return db;
  };
}

class PostgresEngine implements Engine {
  private server: Promise<PostgresServer> | null = null;
  private made = 0;

  async database(t: ExecutionContext, state: 'empty' | 'migrated'): Promise<TestDatabase> {
    this.server ??= PostgresServer.create();
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

const KEEPER = `
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
const { command, args, options, remove } = JSON.parse(process.argv[1]);
let keep = false;
const server = spawn(command, args, { ...options, stdio: 'ignore' });
const end = () => {
  if (server.exitCode === null) server.kill('SIGQUIT');
};
server.on('exit', () => {
  if (!keep) rmSync(remove, { recursive: true, force: true });
  process.exit(0);
});
process.stdin.on('data', (bytes) => { keep = bytes.toString().includes('keep'); });
process.stdin.on('end', end);
process.on('SIGTERM', end);
`;

class PostgresServer {
  private keeper: ChildProcess | null = null;

  private constructor(
    private readonly directory: string,
    private readonly port: number,
    private readonly owner: { uid?: number; gid?: number },
  ) {}

  static async create(): Promise<PostgresServer> {
    const directory = mkdtempSync(join(tmpdir(), 'extreg-pg-'));
    const owner = unprivileged();
    if (owner.uid !== undefined && owner.gid !== undefined) chownSync(directory, owner.uid, owner.gid);
    execFileSync(
      program('initdb'),
      ['-D', join(directory, 'data'), '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--no-sync'],
      { ...owner, cwd: directory, stdio: 'ignore', env: serverEnvironment() },
    );
    const server = new PostgresServer(directory, await freePort(), owner);
    await server.start();
    await server.administer('create database migrated');
    await migrateDatabase(server.connection('migrated'), silentLogger);
    return server;
  }

  connection(database: string): DatabaseConnection {
    return { kind: 'url', url: `postgres://postgres@127.0.0.1:${this.port}/${database}` };
  }

  async administer(statement: string): Promise<void> {
    const db = openDatabase(this.connection('postgres'), {
      max: 1,
      prepare: false,
      applicationName: 'test',
      log: silentLogger,
    });
    try {
      await db.$client.unsafe(statement);
    } finally {
      await closeDatabase(db);
    }
  }

  async start(): Promise<void> {
    if (this.keeper !== null) return;
    const settings = ['fsync=off', 'shared_buffers=16MB', 'max_connections=60', 'autovacuum=off'];
    const description = {
      command: program('postgres'),
      args: [
        ...['-D', join(this.directory, 'data'), '-k', this.directory, '-p', String(this.port), '-h', '127.0.0.1'],
        ...settings.flatMap((setting) => ['-c', setting]),
      ],
      options: { ...this.owner, cwd: this.directory, env: serverEnvironment() },
      remove: this.directory,
    };
    this.keeper = spawn(process.execPath, ['--input-type=module', '-e', KEEPER, JSON.stringify(description)], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    this.keeper.unref();
    await until('PostgreSQL answers', () =>
      this.administer('select 1').then(
        () => true,
        () => false,
      ),
    );
  }

  async stop(): Promise<void> {
    await this.end('keep');
  }

  async remove(): Promise<void> {
    await this.end('');
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async end(order: string): Promise<void> {
    const keeper = this.keeper;
    if (keeper === null) return;
    this.keeper = null;
    keeper.ref();
    const ended = new Promise((done) => keeper.once('exit', done));
    keeper.stdin?.end(order);
    await ended;
  }
}

const RESET = `
  truncate extensions, extension_versions, extension_instances, extension_health, extension_version_health, extension_audit_log;
  delete from extension_audit_log;
  update registry_revision set revision = 0;
  delete from drizzle.__drizzle_migrations where id > ${knownMigrations().length}`;

class PgliteEngine implements Engine {
  /** The migrated database, emptied between tests: opening one takes longer than most tests. */
  private shared: Promise<PgliteServer> | null = null;

  async database(t: ExecutionContext, state: 'empty' | 'migrated'): Promise<TestDatabase> {
    let server: PgliteServer;
    if (state === 'migrated') {
      this.shared ??= PgliteServer.create(state);
      server = await this.shared;
      t.teardown(() => server.start());
    } else {
      server = await PgliteServer.create(state);
      t.teardown(() => server.remove());
    }
    const open = opener(t, server.connection);
    if (state === 'migrated') await open(1).$client.unsafe(RESET);
    return {
      engine: 'pglite',
      connection: server.connection,
      open,
      stopServer: () => server.stop(),
      startServer: () => server.start(),
    };
  }

  async close(): Promise<void> {
    const shared = this.shared;
    this.shared = null;
    await (await shared)?.remove();
  }
}

class PgliteServer {
  private embedded: EmbeddedDatabase | null = null;

  private constructor(private readonly dataDir: string) {}

  static async create(state: 'empty' | 'migrated'): Promise<PgliteServer> {
    const dataDir = mkdtempSync(join(tmpdir(), 'extreg-'));
    cpSync(join(await pgliteTemplate(), state, 'pgdata'), join(dataDir, 'pgdata'), { recursive: true });
    const server = new PgliteServer(dataDir);
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

/** AVA runs every test file in a process of its own. */
const engines: Record<TestDatabase['engine'], Engine> = { postgres: new PostgresEngine(), pglite: new PgliteEngine() };

async function closeEngines(): Promise<void> {
  await engines.postgres.close();
  await engines.pglite.close();
}

/** Made once for a given migration and engine, and kept: making a database takes seconds, copying one does not. */
export async function pgliteTemplate(): Promise<string> {
  const hash = createHash('sha256');
  for (const name of readdirSync(join(ROOT, 'drizzle'))
    .filter((file) => file.endsWith('.sql'))
    .sort())
    hash.update(readFileSync(join(ROOT, 'drizzle', name)));
  hash.update(readFileSync(join(ROOT, 'node_modules/@electric-sql/pglite/package.json')));
  const place = join(ROOT, '.tmp', `pglite-${hash.digest('hex').slice(0, 16)}`);
  if (existsSync(place)) return place;
  mkdirSync(join(ROOT, '.tmp'), { recursive: true });
  const making = mkdtempSync(join(tmpdir(), 'extreg-template-'));
  const empty = await openEmbedded(join(making, 'empty'), { onFailure: () => undefined });
  await empty.close();
  cpSync(join(making, 'empty'), join(making, 'migrated'), { recursive: true });
  const migrated = await openEmbedded(join(making, 'migrated'), { onFailure: () => undefined });
  await migrateDatabase({ kind: 'embedded', socketDir: migrated.socketDir }, silentLogger);
  await migrated.close();
  const beside = `${place}-${process.pid}`;
  cpSync(making, beside, { recursive: true });
  rmSync(making, { recursive: true });
  try {
    renameSync(beside, place);
  } catch {
    // Another test file was faster.
    rmSync(beside, { recursive: true });
  }
  return place;
}

function program(name: string): string {
  const directories = (process.env.PATH ?? '').split(':');
  const packaged = '/usr/lib/postgresql';
  if (existsSync(packaged))
    for (const version of readdirSync(packaged).sort((a, b) => Number(b) - Number(a)))
      directories.push(join(packaged, version, 'bin'));
  const found = directories.map((directory) => join(directory, name)).find((path) => existsSync(path));
  if (found === undefined) throw new Error(`${name} was not found in PATH or ${packaged}/*/bin: install PostgreSQL`);
  return found;
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  for (const user of ['postgres', 'nobody']) {
    try {
      const id = (flag: string) => Number(execFileSync('id', [flag, user], { stdio: ['ignore', 'pipe', 'ignore'] }));
      return { uid: id('-u'), gid: id('-g') };
    } catch {
      // not on this system
    }
  }
  throw new Error('tests run as root need a user `postgres` or `nobody` for PostgreSQL');
}

function serverEnvironment(): NodeJS.ProcessEnv {
  return { PATH: process.env.PATH, LC_ALL: 'C', TZ: 'UTC' };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const address = server.address();
  await new Promise((done) => server.close(done));
  return typeof address === 'object' && address !== null ? address.port : 0;
}

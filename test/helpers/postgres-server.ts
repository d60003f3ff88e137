// A PostgreSQL server of a test: its programs, its user, its process.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { closeDatabase, type DatabaseConnection, openDatabase } from '../../src/db/client.js';
import { silentLogger } from '../../src/telemetry/log.js';
import type { Owner } from './templates.js';
import { until } from './until.js';

const SETTINGS = ['fsync=off', 'shared_buffers=16MB', 'max_connections=60', 'autovacuum=off'];

/** Ends the server when its stdin closes. Words on stdin: `keep` the files, `shut-down` in order, not as in a crash. */
const KEEPER = `
import { spawn } from 'node:child_process';
import { rmSync } from 'node:fs';
const { command, args, options, remove } = JSON.parse(process.argv[1]);
let words = '';
const server = spawn(command, args, { ...options, stdio: 'ignore' });
const end = () => {
  if (server.exitCode === null) server.kill(words.includes('shut-down') ? 'SIGINT' : 'SIGQUIT');
};
server.on('exit', () => {
  if (!words.includes('keep')) rmSync(remove, { recursive: true, force: true });
  process.exit(0);
});
process.stdin.on('data', (bytes) => { words += bytes; });
process.stdin.on('end', end);
process.on('SIGTERM', end);
`;

export class PostgresServer {
  private keeper: ChildProcess | null = null;

  private constructor(
    private readonly directory: string,
    private readonly port: number,
  ) {}

  /** On the cluster `data` of a directory, which is removed with the server. */
  static async on(directory: string): Promise<PostgresServer> {
    return new PostgresServer(directory, await freePort());
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
    const description = {
      command: program('postgres'),
      args: [
        ...['-D', join(this.directory, 'data'), '-k', this.directory, '-p', String(this.port), '-h', '127.0.0.1'],
        ...SETTINGS.flatMap((setting) => ['-c', setting]),
      ],
      options: { ...serverOwner(), cwd: this.directory, env: serverEnvironment() },
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

  /** As in a crash. */
  stop(): Promise<void> {
    return this.end('keep');
  }

  /** Its cluster needs no recovery at the next start. */
  shutDown(): Promise<void> {
    return this.end('keep shut-down');
  }

  async remove(): Promise<void> {
    await this.end('');
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async end(words: string): Promise<void> {
    const keeper = this.keeper;
    if (keeper === null) return;
    this.keeper = null;
    keeper.ref();
    const ended = new Promise((done) => keeper.once('exit', done));
    keeper.stdin?.end(words);
    await ended;
  }
}

/** Makes the cluster `data` in a directory of the server's user. */
export function initialiseCluster(directory: string): void {
  execFileSync(
    program('initdb'),
    [
      ...['-D', join(directory, 'data'), '-A', 'trust', '-U', 'postgres', '-E', 'UTF8', '--locale=C', '--no-sync'],
      // A third of the bytes to copy.
      '--wal-segsize=1',
    ],
    { ...serverOwner(), cwd: directory, stdio: 'ignore', env: serverEnvironment() },
  );
}

/** As the server says it: `postgres (PostgreSQL) 15.13`. */
export function serverVersion(): string {
  return execFileSync(program('postgres'), ['--version'], { encoding: 'utf8', env: serverEnvironment() }).trim();
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

let owner: Owner | null = null;

/** PostgreSQL refuses to run as root: `postgres`, else `nobody`, in tests that do. */
export function serverOwner(): Owner {
  owner ??= findOwner();
  return owner;
}

function findOwner(): Owner {
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

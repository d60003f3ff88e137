// One process at a time on a data directory: the process that listens on the directory's Unix socket has it. There are two: that of the
// embedded database, which serves it to others, and that of the daemon, whatever its database.
//
// SOCKET-LOCK-1. The socket is taken before anything in the directory is opened, and given back after everything is closed.
// SOCKET-LOCK-2. A socket whose owner died is taken over, by exactly one of however many starters.
// SOCKET-LOCK-3. A live owner is never disturbed.
import { mkdirSync, renameSync, rmdirSync, rmSync, statSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import { join, relative, resolve, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export const SOCKET_NAME = '.s.PGSQL.5432';
export const DAEMON_SOCKET_NAME = '.extreg.lock';
/** What a Unix socket's address holds, without its closing zero. */
const PATH_MAX_BYTES = process.platform === 'linux' ? 107 : 103;
/** Held for a few milliseconds; this old, its owner died with it. */
const GUARD_STALE_MS = 10_000;

export class DataDirectoryInUseError extends Error {
  override readonly name = 'DataDirectoryInUseError';
  constructor(readonly dataDir: string) {
    super(
      `the data directory ${dataDir} is in use by another process; end that one, or choose another directory with data_dir (--data-dir)`,
    );
  }
}

export class DataDirectoryPathError extends Error {
  override readonly name = 'DataDirectoryPathError';
  constructor(
    readonly dataDir: string,
    name: string,
  ) {
    super(
      `the path of the data directory ${dataDir} is too long for a Unix socket: with /${name} it must be at most ` +
        `${PATH_MAX_BYTES} bytes, it is ${Buffer.byteLength(join(dataDir, name))}`,
    );
  }
}

/**
 * How to name the data directory, since its socket's path has a length limit: absolute if that fits, else relative to
 * the working directory. Throws DataDirectoryPathError if neither does.
 */
export function socketDirectory(dataDir: string, name = SOCKET_NAME): string {
  const absolute = resolve(dataDir);
  const local = `.${sep}${relative(process.cwd(), absolute)}`;
  for (const path of [absolute, local]) if (Buffer.byteLength(join(path, name)) <= PATH_MAX_BYTES) return path;
  throw new DataDirectoryPathError(absolute, name);
}

/** Makes `server` listen on the directory's socket, or rejects with DataDirectoryInUseError. */
export async function listenExclusively(server: Server, socketDir: string, name = SOCKET_NAME): Promise<void> {
  const path = join(socketDir, name);
  // The guard covers looking, clearing away and listening; without it, one starter could clear away another's new socket.
  const release = await takeGuard(join(socketDir, '.takeover'));
  try {
    await refuseUsed(socketDir, name);
    rmSync(path, { force: true });
    await new Promise<void>((done, failed) => {
      server.once('error', failed);
      server.listen(path, () => {
        server.off('error', failed);
        done();
      });
    });
  } finally {
    release();
  }
}

/** Rejects with DataDirectoryInUseError while a process has the directory. Without the lock that says nothing of the next moment. */
export async function refuseUsed(socketDir: string, name = SOCKET_NAME): Promise<void> {
  if (await answers(join(socketDir, name))) throw new DataDirectoryInUseError(resolve(socketDir));
}

/** For a daemon, before it opens anything in it. Resolves with what gives it back. The directory is there already. */
export async function lockDataDirectory(dataDir: string): Promise<() => Promise<void>> {
  const server = createServer((socket) => socket.destroy());
  await listenExclusively(server, socketDirectory(dataDir, DAEMON_SOCKET_NAME), DAEMON_SOCKET_NAME);
  server.unref();
  return () => new Promise((done) => server.close(() => done()));
}

/** Whether a daemon has it. Rejects if that cannot be determined. */
export function isDataDirectoryLocked(dataDir: string): Promise<boolean> {
  return answers(join(socketDirectory(dataDir, DAEMON_SOCKET_NAME), DAEMON_SOCKET_NAME));
}

/** SOCKET-LOCK-3: a process that lives answers, even while it has not opened its database yet. */
function answers(path: string): Promise<boolean> {
  return new Promise((done, failed) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED') done(false);
      // A full queue of connections: there is a listener.
      else if (error.code === 'EAGAIN') done(true);
      else failed(error);
    });
  });
}

async function takeGuard(path: string): Promise<() => void> {
  for (;;) {
    try {
      mkdirSync(path);
      return () => rmdirSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    clearStaleGuard(path);
    await sleep(5);
  }
}

function clearStaleGuard(path: string): void {
  try {
    const seen = statSync(path);
    // One of the future is a copy, or older than a clock that was set back: nothing would ever make it old.
    if (Math.abs(Date.now() - seen.mtimeMs) < GUARD_STALE_MS) return;
    // Moved away under a name of our own first, so that only one starter removes it.
    const aside = `${path}-${process.pid}-${process.hrtime.bigint()}`;
    renameSync(path, aside);
    rmdirSync(aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

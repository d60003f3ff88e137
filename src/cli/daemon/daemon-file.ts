// `<data dir>/daemon.json`: where the daemon of this data directory can be reached, written by it at start.
//
// DAEMON-FILE-1. The file counts only if its daemon holds the directory: a copy of a directory has the file of another daemon, which may run.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Type } from '#typebox';
import { Value } from '#typebox/value';
import { isDataDirectoryLocked } from '../../embedded/postgres/socket-lock.js';
import { CommandError, EXIT } from '../process/command-error.js';

const daemonFileSchema = Type.Object({
  pid: Type.Integer({ minimum: 1 }),
  http: Type.String(),
  nats: Type.String(),
  nats_token: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  http_token: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  http_certificate: Type.Optional(Type.Union([Type.String(), Type.Null()])),
});

export interface RunningDaemon {
  readonly http: string;
  readonly nats: string;
  readonly natsToken: string | null;
  /** What its admin API lets the user of this data directory in by; null: nothing is asked for. */
  readonly httpToken: string | null;
  /** PEM: the certificate that it shows; null: without TLS. */
  readonly httpCertificate: string | null;
}

/** null: no daemon of this data directory runs. */
export async function findDaemon(dataDir: string): Promise<RunningDaemon | null> {
  const path = join(dataDir, 'daemon.json');
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new CommandError(EXIT.unreachable, `${path} cannot be read: ${(error as Error).message}`);
  }
  if (!Value.Check(daemonFileSchema, content))
    throw new CommandError(EXIT.unreachable, `${path} is not what a daemon writes; remove it if none runs`);
  // A daemon that was killed leaves its file behind. DAEMON-FILE-1; if the lock cannot be asked, such as for its long path, the pid decides.
  if (!isRunning(content.pid) || !(await isDataDirectoryLocked(dataDir).catch(() => true))) return null;
  const { http, nats, nats_token: natsToken = null, http_token: httpToken = null } = content;
  return { http, nats, natsToken, httpToken, httpCertificate: content.http_certificate ?? null };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** `flag`: by which the command is given the daemon's address instead. */
export const noDaemon = (dataDir: string, flag: '--url' | '--nats-url'): CommandError =>
  new CommandError(
    EXIT.unreachable,
    `no daemon runs on ${dataDir}; start one with 'extreg serve', or name the one that runs with --data-dir or ${flag}`,
  );

// What would keep `extreg serve` from starting on this machine although the configuration is valid.
import { accessSync, constants, existsSync, lstatSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Config } from '../../config/config.js';
import { natsFiles, natsServerBinary } from '../../daemon/nats.js';
import { DAEMON_SOCKET_NAME, SOCKET_NAME, socketDirectory } from '../../embedded/postgres/socket-lock.js';
import { loginFileProblems } from '../../nats/connection/login-files.js';
import { openFilesProblem } from './open-files.js';

/** One sentence per problem. */
export function serveProblems(config: Config, env: NodeJS.ProcessEnv): string[] {
  const problems = [openFilesProblem(), problemOf(() => natsServerBinary(config, env)), dataDirectoryProblem(config)];
  return [...problems.filter((problem) => problem !== null), ...loginFileProblems(natsFiles(config))];
}

function dataDirectoryProblem({ data_dir: dataDir, database_url, db_host }: Config): string | null {
  const isEmbedded = database_url === null && db_host === null;
  const tooLong = problemOf(() => socketDirectory(dataDir, isEmbedded ? SOCKET_NAME : DAEMON_SOCKET_NAME));
  if (tooLong !== null) return tooLong;
  let place = resolve(dataDir);
  while (!existsSync(place)) {
    if (isLink(place)) return `the data directory cannot be made: ${place} is a symbolic link to nothing`;
    place = dirname(place);
  }
  if (!statSync(place).isDirectory()) return `the data directory cannot be made: ${place} is not a directory`;
  return problemOf(() => accessSync(place, constants.W_OK | constants.X_OK), 'the data directory cannot be used: ');
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    // It is not there, nor is what it is in.
    return false;
  }
}

function problemOf(attempt: () => unknown, prefix = ''): string | null {
  try {
    attempt();
    return null;
  } catch (error) {
    return `${prefix}${(error as Error).message}`;
  }
}

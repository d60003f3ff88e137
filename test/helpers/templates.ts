// Directories that are expensive to make and cheap to copy: databases. Each is made once for a state of the checkout, which its
// name says, and kept for all test files and later runs.
//
// 1. A template is whole or not there: it is made beside its place and moved there.
// 2. One process makes it while others wait for it; a maker that is killed leaves its turn to the next.
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  DataDirectoryInUseError,
  listenExclusively,
  socketDirectory,
} from '../../src/embedded/postgres/socket-lock.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const POLL_MS = 50;
/** A template of another state of the checkout that no run has used for this long is removed. */
const UNUSED_MS = 24 * 3_600_000;

/** A user and group that is to own what is copied; as the copying process where it is empty. */
export interface Owner {
  readonly uid?: number;
  readonly gid?: number;
}

/** `EXTREG_TEST_TEMPLATES`, else `.tmp` of the checkout. */
export function templatesDirectory(env: NodeJS.ProcessEnv = process.env): string {
  return resolve(ROOT, env.EXTREG_TEST_TEMPLATES || '.tmp');
}

/**
 * Path of the template `<kind>-<state>`, which `make` fills where it is not there yet. `directory` is where templates are kept.
 */
export async function template(
  kind: string,
  state: string,
  make: (directory: string) => Promise<void>,
  directory = templatesDirectory(),
): Promise<string> {
  const place = join(directory, `${kind}-${state}`);
  const lock = `${place}.lock`;
  while (!existsSync(place)) {
    mkdirSync(lock, { recursive: true });
    const server = createServer((socket) => socket.destroy());
    try {
      await listenExclusively(server, socketDirectory(lock));
    } catch (error) {
      if (!(error instanceof DataDirectoryInUseError)) throw error;
      await sleep(POLL_MS);
      continue;
    }
    try {
      if (!existsSync(place)) await makeTemplate(place, make);
      removeUnused(directory, kind, place);
    } finally {
      await new Promise((done) => server.close(done));
    }
  }
  const now = new Date();
  utimesSync(place, now, now);
  return place;
}

async function makeTemplate(place: string, make: (directory: string) => Promise<void>): Promise<void> {
  const making = `${place}.making`;
  rmSync(making, { recursive: true, force: true });
  mkdirSync(making);
  await make(making);
  renameSync(making, place);
}

function removeUnused(directory: string, kind: string, place: string): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    if (!name.startsWith(`${kind}-`) || path.startsWith(place)) continue;
    if (Date.now() - statSync(path).mtimeMs > UNUSED_MS) rmSync(path, { recursive: true, force: true });
  }
}

/** Copies a directory to one that is not there yet: files with their modes, directories for their owner alone. */
export function copyTree(from: string, to: string, owner: Owner = {}): void {
  mkdirSync(to, { mode: 0o700 });
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) copyTree(source, target, owner);
    else {
      copyFileSync(source, target);
      give(target, owner);
    }
  }
  give(to, owner);
}

function give(path: string, { uid, gid }: Owner): void {
  if (uid !== undefined && gid !== undefined) chownSync(path, uid, gid);
}

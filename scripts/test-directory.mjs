// The temporary directory of one run of tests, in memory where there is room: removed at its end, and what a killed run has left at
// the start of the next.
import { mkdirSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
const NEEDED_BYTES = 2 * 1024 ** 3;
const NAME = /^extreg-test-(\d+)$/;

/** Makes the directory of this process's run. Its name is short: paths of sockets have at most 107 bytes. */
export function makeTestDirectory(places = [MEMORY, tmpdir()], neededBytes = NEEDED_BYTES) {
  for (const place of places) removeLeftOvers(place);
  const place = places.find((one) => freeBytes(one) >= neededBytes) ?? places.at(-1);
  const directory = join(place, `extreg-test-${process.pid}`);
  // PostgreSQL enters it as another user where the tests run as root.
  mkdirSync(directory, { mode: 0o755 });
  return { directory, remove: () => remove(directory) };
}

function removeLeftOvers(place) {
  let names = [];
  try {
    names = readdirSync(place);
  } catch {
    // No such place.
  }
  for (const name of names) {
    const pid = NAME.exec(name)?.[1];
    if (pid !== undefined && !isRunning(Number(pid))) remove(join(place, name));
  }
}

/** What is left of a process that is just ending may still be written to. */
function remove(directory) {
  try {
    rmSync(directory, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 });
  } catch (error) {
    // Another user's, or still in use; the next run tries again.
    if (error.code !== 'EPERM' && error.code !== 'EACCES' && error.code !== 'ENOTEMPTY') throw error;
  }
}

function isRunning(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

function freeBytes(place) {
  try {
    const { bavail, bsize } = statfsSync(place);
    return bavail * bsize;
  } catch {
    return 0;
  }
}

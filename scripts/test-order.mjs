// The order in which test files start: the longest first, so that none of them is alone at the end.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { sourceOf } from './test-workers.mjs';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
/** Of this checkout's own last runs. */
const OWN = join('.tmp', 'test-seconds.json');
/** For a checkout that has run none yet. */
const COMMITTED = join('test', 'profile.json');

/** For AVA's `sortTestFiles`. A file that has not run yet starts first: it may be long. */
export function longestFirst(root = ROOT) {
  const seconds = { ...committedSeconds(root), ...read(root, OWN) };
  const of = (path) => seconds[sourceOf(path, root)] ?? Number.POSITIVE_INFINITY;
  return (a, b) => (of(a) === of(b) ? a.localeCompare(b) : of(b) - of(a));
}

/** Keeps how long files took, for the next run. */
export function keepSeconds(wallSeconds, root = ROOT) {
  mkdirSync(join(root, '.tmp'), { recursive: true });
  writeFileSync(join(root, OWN), JSON.stringify({ ...read(root, OWN), ...Object.fromEntries(wallSeconds) }, null, 1));
}

const committedSeconds = (root) =>
  Object.fromEntries((read(root, COMMITTED).files ?? []).map(({ file, wall_s }) => [file, wall_s]));

/** {} where there is nothing to read: an order is a convenience. */
function read(root, path) {
  try {
    return JSON.parse(readFileSync(join(root, path), 'utf8'));
  } catch {
    return {};
  }
}

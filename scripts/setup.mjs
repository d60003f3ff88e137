// What both `npm start` and `npm test` need before anything else: the right Node, a place to write, dependencies, a build.
// Nothing outside Node itself is imported here: it runs in a checkout without node_modules.
import { accessSync, constants, mkdirSync, readFileSync, statfsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SetupError } from './child-process.mjs';
import { ensureDependencies } from './dependencies.mjs';

export const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const NEEDED_BYTES = 150 * 1024 * 1024;

/**
 * Node, dependencies and dist/, in this order.
 * @param {(root: string) => Promise<void>} build what of dist/ is needed
 */
export async function setUp(build) {
  checkNode(process.versions.node, JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).engines.node);
  await ensureDependencies(ROOT);
  await build(ROOT);
}

/** @param {string} range `>=MAJOR.MINOR` */
export function checkNode(version, range) {
  const [major, minor] = version.split('.').map(Number);
  const [wantedMajor, wantedMinor] = range.replace('>=', '').split('.').map(Number);
  if (major < wantedMajor || (major === wantedMajor && minor < wantedMinor))
    throw new SetupError(`This is Node ${version}; Node ${wantedMajor}.${wantedMinor} or later is needed.`, 69);
}

/** Makes the directory and sees that it can be written to and has room. */
export function prepareDataDir(dataDir, neededBytes = NEEDED_BYTES) {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    accessSync(dataDir, constants.W_OK | constants.X_OK);
  } catch (error) {
    throw new SetupError(`The data directory ${dataDir} cannot be written to: ${error.message}.`, 73);
  }
  const { bavail, bsize } = statfsSync(dataDir);
  if (bavail * bsize < neededBytes)
    throw new SetupError(
      `The disk is nearly full: ${dataDir} has ${mebibytes(bavail * bsize)} MiB left, ${mebibytes(neededBytes)} are needed.`,
      73,
    );
}

const mebibytes = (bytes) => Math.floor(bytes / 1024 / 1024);

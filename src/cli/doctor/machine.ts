// The machine: Node, what would keep `serve` from starting, and the disk.
import { existsSync, statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Config } from '../../config/config.js';
import { serveProblems } from '../process/serve-problems.js';
import { type Finding, failed, ok, reasonOf, warning } from './findings.js';

/** `engines` of package.json. */
const NODE_MAJOR = 20;
const NODE_MINOR = 19;
const MEGABYTE = 1_000_000;
/** The health of extensions, the trail and the snapshot of the registry are written to it. */
const LOW_MB = 1000;
const FULL_MB = 100;

interface Disk {
  readonly bavail: number;
  readonly bsize: number;
}

export function checkMachine(config: Config, env: NodeJS.ProcessEnv, version: string): Finding[] {
  return [checkNode(version), ...checkStart(config, env), checkDisk(config.data_dir)];
}

export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.slice(1).split('.').map(Number);
  const isNewEnough = major > NODE_MAJOR || (major === NODE_MAJOR && minor >= NODE_MINOR);
  const found = `Node ${version}`;
  return isNewEnough ? ok('node', found) : failed('node', found, `install Node ${NODE_MAJOR}.${NODE_MINOR} or newer`);
}

function checkStart(config: Config, env: NodeJS.ProcessEnv): Finding[] {
  const problems = serveProblems(config, env);
  if (problems.length === 0) return [ok('start', 'nothing on this machine keeps `extreg serve` from starting')];
  return problems.map((problem) => failed('start', problem, 'correct it, then run extreg check-config'));
}

/** `read`: of a directory that exists. */
export function checkDisk(dataDir: string, read: (path: string) => Disk = statfsSync): Finding {
  let place = resolve(dataDir);
  while (!existsSync(place)) place = dirname(place);
  try {
    const { bavail, bsize } = read(place);
    const mb = Math.floor((bavail * bsize) / MEGABYTE);
    const found = `${mb} MB free at ${place}`;
    if (mb < FULL_MB) return failed('disk', found, 'make room: nothing can be written soon');
    return mb < LOW_MB ? warning('disk', found, 'make room before it is full') : ok('disk', found);
  } catch (error) {
    return warning('disk', `cannot be read: ${reasonOf(error)}`, 'look with df');
  }
}

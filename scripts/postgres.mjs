// The PostgreSQL that the tests start: found on this machine, else installed (as root) or fetched (as anyone else).
// Nothing of it runs when this is through: no service is started, no cluster is made.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { apt, aptIsThere, keepPackages, unpackPackages } from './apt.mjs';
import { SetupError } from './child-process.mjs';
import { directoryOf, isInstalled, pathDirectories } from './executables.mjs';
import { say } from './say.mjs';

const PROGRAMS = ['postgres', 'initdb'];
const VERSIONED = '/usr/lib/postgresql';
const POLICY = '/usr/sbin/policy-rc.d';
const CLUSTER_CONFIG = '/etc/postgresql-common/createcluster.conf';

/** Directory with postgres and initdb; null where there is none. The newest, where Debian has several. */
export function findPostgres(dataDir, env, versioned = VERSIONED) {
  return directoryOf(PROGRAMS, [...pathDirectories(env), ...versionsIn(versioned), privateBin(dataDir)]);
}

function versionsIn(directory) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .sort((a, b) => Number(b) - Number(a))
    .map((version) => join(directory, version, 'bin'));
}

/** Directory with postgres and initdb. Rejects with one command to run where there is none to be had. */
export async function ensurePostgres(dataDir, env = process.env) {
  const found = findPostgres(dataDir, env);
  if (found !== null) return found;
  if (!aptIsThere(env)) throw new SetupError(missing(env), 69);
  try {
    await (process.getuid?.() === 0 ? installPostgres(env) : fetchPostgres(dataDir));
  } catch (error) {
    if (!(error instanceof SetupError) || error.exitCode !== 69) throw error;
    throw new SetupError(`${error.message}\n\n${missing(env)}`, 69);
  }
  const installed = findPostgres(dataDir, env);
  if (installed === null) throw new SetupError(missing(env), 69);
  return installed;
}

async function installPostgres(env) {
  say('Installing PostgreSQL for the tests (apt-get install postgresql), no service is started …');
  const options = { env: { ...env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' } };
  const install = ['install', '--yes', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120'];
  const policyWasThere = existsSync(POLICY);
  if (!policyWasThere) writeFileSync(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  let clusterConfig = null;
  try {
    await apt(['update'], options);
    await apt([...install, 'postgresql-common'], options);
    clusterConfig = readFileSync(CLUSTER_CONFIG, 'utf8');
    writeFileSync(CLUSTER_CONFIG, `${clusterConfig}\ncreate_main_cluster = false\n`);
    await apt([...install, 'postgresql'], options);
  } finally {
    if (clusterConfig !== null) writeFileSync(CLUSTER_CONFIG, clusterConfig);
    if (!policyWasThere) rmSync(POLICY, { force: true });
  }
}

const privateTree = (dataDir) => resolve(dataDir, 'tools', 'postgresql');
const privateBin = (dataDir) => join(privateTree(dataDir), 'bin');

/** The server and those of its libraries that this machine lacks. */
async function fetchPostgres(dataDir) {
  say('Fetching PostgreSQL for the tests into the data directory …');
  await unpackPackages({ packages: ['postgresql'], withDependencies: true }, dataDir, (unpacked) => {
    const [bin] = versionsIn(join(unpacked, VERSIONED));
    if (bin === undefined) throw new SetupError('The packages hold no PostgreSQL server.', 69);
    keepPackages(
      unpacked,
      privateTree(dataDir),
      readdirSync(bin).map((program) => join(bin, program)),
    );
  });
}

function missing(env) {
  return `There is no PostgreSQL on this machine for the tests, and it cannot be fetched. Run:\n\n  ${installCommand(env)}\n`;
}

function installCommand(env) {
  if (isInstalled('apt-get', env)) return `${process.getuid?.() === 0 ? '' : 'sudo '}apt-get install -y postgresql`;
  if (isInstalled('brew', env)) return 'brew install postgresql';
  if (isInstalled('apk', env)) return 'apk add postgresql';
  return 'PATH="$PATH:/path/to/postgresql/bin" npm test';
}

// A Go compiler and the NATS client for it, with which the long tests run the Go examples: found on this machine, or else fetched
// from Debian's packages into the data directory. Without them these tests are skipped.
import { existsSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { aptIsThere, keepPackages, unpackPackages } from './apt.mjs';
import { run, SetupError } from './child-process.mjs';
import { isExecutable, pathDirectories } from './executables.mjs';
import { say } from './say.mjs';

const CLIENT = 'github.com/nats-io/nats.go';
const DEBIAN_GOPATH = '/usr/share/gocode';
/** The second is what Debian has called the client since 2024. */
const CLIENT_PACKAGES = ['golang-github-nats-io-go-nats-dev', 'golang-github-nats-io-nats.go-dev'];

const privateTree = (dataDir) => resolve(dataDir, 'tools', 'go');

/**
 * A compiler, and a GOPATH that has the client; null where there is none.
 * @returns {{ go: string, gopath: string } | null}
 */
export function findGo(dataDir, env) {
  const tree = privateTree(dataDir);
  const found = pathDirectories(env).map((directory) => join(directory, 'go'));
  const gos = [...found, ...fetchedGos(tree)].filter(isExecutable);
  const paths = [...(env.GOPATH ?? '').split(':').filter(Boolean), DEBIAN_GOPATH, join(tree, DEBIAN_GOPATH)];
  const gopath = paths.find((path) => existsSync(join(path, 'src', CLIENT)));
  return gos[0] === undefined || gopath === undefined ? null : { go: gos[0], gopath };
}

/** `usr/lib/go-1.19/bin/go`. */
function fetchedGos(tree) {
  const library = join(tree, 'usr', 'lib');
  if (!existsSync(library)) return [];
  return readdirSync(library)
    .filter((name) => /^go-\d/.test(name))
    .map((name) => join(library, name, 'bin', 'go'));
}

/**
 * Like findGo, but fetches what is not there; `{ missing }` says why there is none.
 * @returns {Promise<{ go: string, gopath: string } | { missing: string }>}
 */
export async function ensureGo(dataDir, env = process.env) {
  const found = findGo(dataDir, env);
  if (found !== null) return found;
  if (!aptIsThere(env))
    return { missing: `there is no Go with ${CLIENT} on this machine, and no apt-get to fetch it with` };
  try {
    await fetchGo(dataDir, env);
  } catch (error) {
    if (!(error instanceof SetupError) || error.exitCode === 73) throw error;
    return { missing: `Go cannot be fetched: ${error.message.split('\n')[0]}` };
  }
  return findGo(dataDir, env) ?? { missing: `Debian's packages have no Go with ${CLIENT}` };
}

async function fetchGo(dataDir, env) {
  say('Fetching Go for the long tests into the data directory, about 90 MB …');
  const client = await nameOfClient(env);
  await unpackPackages({ packages: ['golang-go', client], withDependencies: true }, dataDir, (unpacked) =>
    keepPackages(unpacked, privateTree(dataDir), []),
  );
}

async function nameOfClient(env) {
  for (const name of CLIENT_PACKAGES) {
    const { output } = await run('apt-cache', ['policy', name], { env: { ...env, LC_ALL: 'C' } });
    if (/Candidate: \d/.test(output)) return name;
  }
  return CLIENT_PACKAGES[0];
}

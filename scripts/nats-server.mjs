// The nats-server that the daemon and the tests start: found on this machine, else fetched into the data directory.
import { chmodSync, copyFileSync, mkdirSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { aptIsThere, unpackPackages } from './apt.mjs';
import { run, SetupError } from './child-process.mjs';
import { directoryOf, isExecutable, isInstalled, pathDirectories } from './executables.mjs';
import { say } from './say.mjs';

const BINARY = 'nats-server';
const USUAL_DIRECTORIES = ['/usr/sbin', '/usr/local/bin', '/opt/homebrew/bin'];

/** Path of a nats-server; null where there is none. NATS_SERVER_BIN, where set, is the only place. */
export function findNatsServer(dataDir, env, usual = USUAL_DIRECTORIES) {
  if (env.NATS_SERVER_BIN) return isExecutable(env.NATS_SERVER_BIN) ? resolve(env.NATS_SERVER_BIN) : null;
  const directory = directoryOf([BINARY], [...pathDirectories(env), ...usual, join(dataDir, 'tools')]);
  return directory === null ? null : resolve(directory, BINARY);
}

/** Path of a nats-server that runs, fetched where there is none. Rejects with one command to run where it cannot be had. */
export async function ensureNatsServer(dataDir, env = process.env, usual = USUAL_DIRECTORIES) {
  if (env.NATS_SERVER_BIN && !isExecutable(env.NATS_SERVER_BIN))
    throw new SetupError(`NATS_SERVER_BIN is ${env.NATS_SERVER_BIN}, which is not an executable file.`, 69);
  const found = findNatsServer(dataDir, env, usual);
  if (found !== null) return found;
  if (!aptIsThere(env)) throw new SetupError(missing(env), 69);
  say('Fetching nats-server into the data directory …');
  const target = resolve(dataDir, 'tools', BINARY);
  try {
    await unpackPackages({ packages: [BINARY], withDependencies: false }, dataDir, async (unpacked) => {
      const fetched = join(unpacked, 'usr', 'sbin', BINARY);
      const { code, output } = await run(fetched, ['--version']);
      if (code !== 0) throw new SetupError(output.trim(), 69);
      mkdirSync(join(dataDir, 'tools'), { recursive: true });
      copyFileSync(fetched, `${target}.new`);
      chmodSync(`${target}.new`, 0o755);
      renameSync(`${target}.new`, target);
    });
  } catch (error) {
    if (!(error instanceof SetupError) || error.exitCode !== 69) throw error;
    throw new SetupError(`${error.message}\n\n${missing(env)}`, 69);
  }
  return target;
}

function missing(env) {
  return `There is no nats-server on this machine, and it cannot be fetched. Run:\n\n  ${installCommand(env)}\n`;
}

/** The one command that helps on this system. */
function installCommand(env) {
  if (isInstalled('apt-get', env)) return `${process.getuid?.() === 0 ? '' : 'sudo '}apt-get install -y nats-server`;
  if (isInstalled('brew', env)) return 'brew install nats-server';
  if (isInstalled('apk', env)) return 'apk add nats-server';
  return 'NATS_URL=nats://HOST:4222 npm start';
}

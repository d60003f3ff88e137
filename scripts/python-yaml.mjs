// A Python with PyYAML, by which the tests check that another reader of YAML (of version 1.1) reads what is exported: found
// on this machine, else installed (as root) or fetched (as anyone else).
import { existsSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { apt, aptIsThere, keepPackages, unpackPackages } from './apt.mjs';
import { Interrupted, run, SetupError } from './child-process.mjs';
import { isExecutable, isInstalled, pathDirectories } from './executables.mjs';
import { say } from './say.mjs';

const PROGRAM = 'python3';
const DEBIAN = '/usr/bin';

const privateTree = (dataDir) => resolve(dataDir, 'tools', 'python-yaml');

/**
 * An interpreter that loads PyYAML, and the PYTHONPATH that it needs for it ('': none); null where there is none. The
 * python3 of Debian comes first: Debian's package belongs to it, and the first of PATH may be another one without it.
 * @returns {Promise<{ python: string, pythonPath: string } | null>}
 */
export async function findPythonYaml(dataDir, env, debian = DEBIAN) {
  const tree = privateTree(dataDir);
  const fetched = join(tree, 'usr', 'lib', 'python3', 'dist-packages');
  const directories = new Set([debian, ...pathDirectories(env), join(tree, 'bin')]);
  const pythons = [...directories].map((directory) => join(directory, PROGRAM)).filter(isExecutable);
  for (const pythonPath of existsSync(fetched) ? ['', fetched] : [''])
    for (const python of pythons) if (await loadsYaml(python, pythonPath, env)) return { python, pythonPath };
  return null;
}

async function loadsYaml(python, pythonPath, env) {
  const path = [pythonPath, env.PYTHONPATH ?? ''].filter((part) => part !== '').join(delimiter);
  try {
    const { code } = await run(python, ['-c', 'import json, yaml; yaml.safe_load'], {
      env: { ...env, PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: '1' },
    });
    return code === 0;
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    return false;
  }
}

/** Like findPythonYaml, but rejects with one command to run where there is none to be had. */
export async function ensurePythonYaml(dataDir, env = process.env, debian = DEBIAN) {
  const found = await findPythonYaml(dataDir, env, debian);
  if (found !== null) return found;
  if (!aptIsThere(env)) throw new SetupError(missing(env), 69);
  try {
    await (process.getuid?.() === 0 ? installPythonYaml(env) : fetchPythonYaml(dataDir));
  } catch (error) {
    if (!(error instanceof SetupError) || error.exitCode !== 69) throw error;
    throw new SetupError(`${error.message}\n\n${missing(env)}`, 69);
  }
  const installed = await findPythonYaml(dataDir, env, debian);
  if (installed === null) throw new SetupError(missing(env), 69);
  return installed;
}

async function installPythonYaml(env) {
  say('Installing PyYAML for the tests (apt-get install python3-yaml) …');
  const options = { env: { ...env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' } };
  await apt(['update'], options);
  await apt(['install', '--yes', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=120', 'python3-yaml'], options);
}

/** PyYAML, and an interpreter with its libraries where this machine has none of Debian's. */
export async function fetchPythonYaml(dataDir) {
  say('Fetching PyYAML for the tests into the data directory …');
  await unpackPackages({ packages: ['python3-yaml'], withDependencies: true }, dataDir, (unpacked) => {
    const bin = join(unpacked, DEBIAN);
    keepPackages(unpacked, privateTree(dataDir), isExecutable(join(bin, PROGRAM)) ? [join(bin, PROGRAM)] : []);
  });
}

const missing = (env) =>
  `There is no Python with PyYAML on this machine for the tests, and it cannot be fetched. Run:\n\n  ${installCommand(env)}\n`;

function installCommand(env) {
  if (isInstalled('apt-get', env)) return `${process.getuid?.() === 0 ? '' : 'sudo '}apt-get install -y python3-yaml`;
  if (isInstalled('apk', env)) return 'apk add py3-yaml';
  return 'python3 -m pip install PyYAML';
}

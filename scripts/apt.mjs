// Debian packages without root and without side effects: own lists, own cache, unpacked and not installed. No service of
// a package is started, nothing outside one directory is written.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join, relative } from 'node:path';
import { run, SetupError } from './child-process.mjs';
import { isInstalled } from './executables.mjs';

const SHOWN_LINES = 8;

export function aptIsThere(env) {
  return isInstalled('apt-get', env) && isInstalled('dpkg-deb', env);
}

/**
 * Downloads packages and unpacks them into a directory below `parent`, gives that to `use`, and removes it.
 * @param {object} wanted
 * @param {string[]} wanted.packages
 * @param {boolean} wanted.withDependencies also those dependencies that this machine lacks
 * @param {string} parent
 * @param {(unpacked: string) => Promise<void> | void} use
 */
export async function unpackPackages({ packages, withDependencies }, parent, use) {
  mkdirSync(parent, { recursive: true });
  const directory = mkdtempSync(join(parent, '.download-'));
  try {
    const at = (...parts) => join(directory, ...parts);
    for (const path of ['lists/partial', 'cache/archives/partial', 'state', 'unpacked'])
      mkdirSync(at(path), { recursive: true });
    const options = [
      `Dir::State=${at('state')}`,
      `Dir::State::Lists=${at('lists')}`,
      'Dir::State::Status=/var/lib/dpkg/status',
      `Dir::Cache=${at('cache')}`,
      `Dir::Cache::Archives=${at('cache/archives')}`,
      // As root, apt downloads as the user _apt, who may not write here.
      'APT::Sandbox::User=root',
      // Our directories are nobody else's; the locks of the real ones need root.
      'Debug::NoLocking=1',
      'Acquire::Retries=1',
      'Acquire::http::Timeout=20',
      'Acquire::https::Timeout=20',
      'Acquire::Languages=none',
    ].flatMap((option) => ['-o', option]);
    const env = { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
    await apt(['update', ...options], { env, cwd: at('cache/archives') });
    const verb = withDependencies
      ? ['install', '--download-only', '--yes', '--no-install-recommends', '--reinstall']
      : ['download'];
    await apt([...options, ...verb, ...packages], { env, cwd: at('cache/archives') });
    const archives = readdirSync(at('cache/archives')).filter((name) => name.endsWith('.deb'));
    if (archives.length === 0) throw new SetupError(`apt-get downloaded nothing for ${packages.join(', ')}.`, 69);
    for (const name of archives) {
      const { code, output } = await run('dpkg-deb', ['-x', at('cache/archives', name), at('unpacked')], { env });
      if (code !== 0) throw explainApt(output);
    }
    await use(at('unpacked'));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/**
 * Makes `unpacked` the directory `tree`, whose `bin` runs the programs with the libraries that came with them.
 * @param {string} unpacked
 * @param {string} tree replaced where it is there
 * @param {string[]} programs paths below `unpacked`
 */
export function keepPackages(unpacked, tree, programs) {
  const libraries = ['usr/lib', 'lib']
    .flatMap((path) => [join(unpacked, path), ...foldersIn(join(unpacked, path))])
    .filter((path) => existsSync(path) && readdirSync(path).some((name) => name.includes('.so')));
  const moved = (path) => join(tree, relative(unpacked, path));
  const searched = `${libraries.map(moved).join(':')}\${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}`;
  mkdirSync(join(unpacked, 'bin'), { recursive: true });
  for (const program of programs) {
    const wrapper = join(unpacked, 'bin', basename(program));
    writeFileSync(wrapper, `#!/bin/sh\nLD_LIBRARY_PATH="${searched}" exec "${moved(program)}" "$@"\n`);
    chmodSync(wrapper, 0o755);
  }
  mkdirSync(join(tree, '..'), { recursive: true });
  rmSync(tree, { recursive: true, force: true });
  renameSync(unpacked, tree);
}

function foldersIn(directory) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .map((name) => join(directory, name))
    .filter((path) => basename(path) !== 'postgresql' && statSync(path).isDirectory());
}

/** Runs apt-get; rejects with a message for a person. */
export async function apt(args, options) {
  const { code, output } = await run('apt-get', ['-q', ...args], options);
  if (code !== 0 || /^(W|E|Err).*Failed to fetch/m.test(output)) throw explainApt(output);
}

function explainApt(output) {
  const last = output
    .trim()
    .split('\n')
    .filter((line) => /^(E|W|Err|dpkg)/.test(line))
    .slice(-SHOWN_LINES)
    .join('\n');
  if (/No space left/.test(output)) return new SetupError(`${last}\n\nThe disk is full.`, 73);
  if (/Temporary failure resolving|Could not resolve|Could not connect|Unable to connect|Failed to fetch/.test(output))
    return new SetupError(`${last}\n\nNo network: apt-get cannot reach its package archive.`, 69);
  return new SetupError(last || output.trim(), 69);
}

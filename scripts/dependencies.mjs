// node_modules, as package-lock.json wants them on this platform: installed when they are not, left alone when they are.
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { run, SetupError } from './child-process.mjs';
import { say } from './say.mjs';

const STAMP = join('node_modules', '.extension-registry-stamp');
const SHOWN_LINES = 15;

/**
 * What node_modules must have been made from; written beside them after a whole installation. Another version of Node takes them as they are:
 * none of them is compiled for one, and to install them again would take them from under the feet of what runs from there.
 */
export function dependencyStamp(root, { platform, arch } = process) {
  return createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .update(`\n${platform} ${arch}\n`)
    .digest('hex');
}

export function dependenciesAreThere(root) {
  try {
    return readFileSync(join(root, STAMP), 'utf8') === dependencyStamp(root);
  } catch {
    return isInstalledByNpm(root);
  }
}

/**
 * Whether an `npm ci` without us has put there what package-lock.json wants: npm keeps a list of what it has installed. To install
 * it once more would take node_modules from under the feet of what runs from there.
 */
export function isInstalledByNpm(root, { platform, arch } = process) {
  const packagesIn = (...path) => JSON.parse(readFileSync(join(root, ...path), 'utf8')).packages;
  try {
    const { '': _, ...wanted } = packagesIn('package-lock.json');
    const installed = packagesIn('node_modules', '.package-lock.json');
    const isThere = ([path, { version, integrity, optional, devOptional, os, cpu }]) => {
      const found = installed[path];
      if (found === undefined) return optional === true || devOptional === true;
      const fits = (list, value) => list === undefined || list.includes(value);
      return found.version === version && found.integrity === integrity && fits(os, platform) && fits(cpu, arch);
    };
    return Object.entries(wanted).every(isThere) && Object.keys(installed).every((path) => path in wanted);
  } catch {
    return false;
  }
}

/**
 * The environment for `npm ci`: without what would leave out tools needed to build (NODE_ENV=production, omitted
 * groups, ignored scripts). Registry, certificates and user configuration stay.
 */
export function installEnvironment(env) {
  const leaks = /^(node_env|npm_config_(omit|include|only|production|ignore_scripts|dry_run|global|offline))$/i;
  return Object.fromEntries(Object.entries(env).filter(([name]) => !leaks.test(name)));
}

/** Runs `npm ci` unless node_modules are as wanted. */
export async function ensureDependencies(root, env = process.env) {
  if (dependenciesAreThere(root)) return;
  say('Installing dependencies (npm ci), about half a minute …');
  const [command, ...first] = npmCommand(env);
  const { code, output } = await run(
    command,
    [
      ...[...first, 'ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'],
      ...['--fetch-retries=1', '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000'],
    ],
    { cwd: root, env: installEnvironment(env) },
  );
  if (code !== 0) throw explain(code, output);
  writeFileSync(join(root, STAMP), dependencyStamp(root));
}

/** The npm that runs us, else the one in PATH. */
function npmCommand(env) {
  const ours = env.npm_execpath;
  return ours && basename(ours) === 'npm-cli.js' ? [process.execPath, ours] : ['npm'];
}

function explain(code, output) {
  const last = output.trim().split('\n').slice(-SHOWN_LINES).join('\n');
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ECONNRESET|ERR_SOCKET_TIMEOUT/.test(output))
    return new SetupError(
      `${last}\n\nNo network: npm cannot reach its registry, and dependencies are not here yet.`,
      69,
    );
  if (/ENOSPC/.test(output)) return new SetupError('The disk is full: npm ci could not write node_modules.', 73);
  if (/EACCES|EPERM|EROFS/.test(output))
    return new SetupError(`${last}\n\nnpm ci may not write here: the checkout must belong to you.`, 73);
  return new SetupError(`${last}\n\nnpm ci failed (exit code ${code}).`, 1);
}

// Prometheus and Alertmanager, with which the tests check rules, dashboard and alerts: found on this machine, or else fetched from
// Debian's packages into the data directory. Without them these tests are skipped.
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { aptIsThere, unpackPackages } from './apt.mjs';
import { SetupError } from './child-process.mjs';
import { directoryOf, pathDirectories } from './executables.mjs';
import { say } from './say.mjs';

/** As Debian calls them; the last is `alertmanager` elsewhere. */
const PROGRAMS = ['prometheus', 'promtool', 'amtool', 'prometheus-alertmanager'];
const PACKAGES = ['prometheus', 'prometheus-alertmanager'];

/** Where Debian's Alertmanager looks for its templates, which only root can put there. */
const TEMPLATES = '/usr/share/prometheus/alertmanager';
const TEMPLATE_FILES = ['default.tmpl', 'email.tmpl'];

const privateDirectory = (dataDir) => resolve(dataDir, 'tools', 'monitoring');

/** The directory that holds all of PROGRAMS; null where none does. */
export function findMonitoring(dataDir, env) {
  return directoryOf(PROGRAMS, [...pathDirectories(env), privateDirectory(dataDir)]);
}

/**
 * Like findMonitoring, but fetches what is not there; `{ missing }` says why there is none.
 * @returns {Promise<{ monitoring: string } | { missing: string }>}
 */
export async function ensureMonitoring(dataDir, env = process.env) {
  const found = findMonitoring(dataDir, env);
  if (found !== null) return { monitoring: found };
  if (!aptIsThere(env))
    return { missing: 'there is no Prometheus with Alertmanager on this machine, and no apt-get to fetch it with' };
  try {
    await fetchMonitoring(dataDir);
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return { missing: `Prometheus cannot be fetched: ${error.message.split('\n')[0]}` };
  }
  const fetched = findMonitoring(dataDir, env);
  return fetched === null ? { missing: "Debian's packages have no Prometheus" } : { monitoring: fetched };
}

/** A program that looks in its working directory: the path in it is replaced by a relative one of the same length. */
export function withLocalTemplates(program) {
  const local = `.${'/'.repeat(TEMPLATES.length - 1)}`;
  for (let at = program.indexOf(TEMPLATES); at !== -1; at = program.indexOf(TEMPLATES, at + 1))
    program.write(local, at);
  return program;
}

/** The programs alone: the packages' pages and services are not needed. */
async function fetchMonitoring(dataDir) {
  say('Fetching Prometheus and Alertmanager for the tests into the data directory, about 140 MB …');
  const directory = privateDirectory(dataDir);
  await unpackPackages({ packages: PACKAGES, withDependencies: false }, dataDir, (unpacked) => {
    rmSync(`${directory}.new`, { recursive: true, force: true });
    mkdirSync(`${directory}.new`, { recursive: true });
    for (const name of PROGRAMS) {
      const target = join(`${directory}.new`, name);
      writeFileSync(target, withLocalTemplates(readFileSync(join(unpacked, 'usr', 'bin', name))));
      chmodSync(target, 0o755);
    }
    for (const name of TEMPLATE_FILES) {
      const template = join(unpacked, TEMPLATES, name);
      if (existsSync(template)) copyFileSync(template, join(`${directory}.new`, name));
    }
    rmSync(directory, { recursive: true, force: true });
    renameSync(`${directory}.new`, directory);
  });
}

// The licence of every package that went into a bundle, as one file beside them. It is made from esbuild's list of inputs,
// so that none can be forgotten.
//
// LICENSE-1. A package without a licence, or with one that is not listed here, fails the build.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Licences that let the package be handed on with ours, as SPDX names them. */
const PERMISSIVE = ['0BSD', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT', 'Unlicense'];
const PACKAGE = /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+(?=\/)/;
const TEXT_FILE = /^(?:un)?licen[cs]e|^copying/i;
const NOTICE_FILE = /^notice/i;

/**
 * Directories of the packages among esbuild's inputs, relative as they are there; sorted.
 * @param {Record<string, unknown>} inputs of the metafile
 */
export function packagesOf(inputs) {
  const directories = new Set(Object.keys(inputs).flatMap((path) => PACKAGE.exec(path)?.[0] ?? []));
  return [...directories].sort();
}

/**
 * The text of the file. Throws with every package that may not be in it.
 * @param {string} root
 * @param {string[]} directories
 */
export function licensesText(root, directories) {
  const problems = [];
  const sections = new Set(directories.map((directory) => section(join(root, directory), problems)));
  if (problems.length > 0) throw new Error(problems.join('\n'));
  return [...sections].join(`\n${'-'.repeat(100)}\n\n`);
}

function section(directory, problems) {
  const manifest = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
  const { name, version, license } = manifest;
  if (typeof license !== 'string') problems.push(`${name} ${version} has no licence in its package.json`);
  else if (!PERMISSIVE.includes(license))
    problems.push(`${name} ${version} has the licence ${license}; expected one of ${PERMISSIVE.join(', ')}`);
  else return `${name} ${version}\nLicence: ${license}\n\n${licenseText(directory, manifest).trim()}\n`;
  return '';
}

/** Its own words; where the package has none, the text of the licence that it names. */
function licenseText(directory, manifest) {
  const files = readdirSync(directory).sort();
  const own = files.filter((file) => TEXT_FILE.test(file));
  const notices = files.filter((file) => NOTICE_FILE.test(file));
  const texts = [...own, ...notices].map((file) => readFileSync(join(directory, file), 'utf8').trim());
  return own.length > 0 ? texts.join('\n\n') : [standardText(manifest), ...texts].join('\n\n');
}

function standardText({ name, license, author }) {
  const owner = typeof author === 'string' ? author : (author?.name ?? `the authors of ${name}`);
  let text;
  try {
    text = readFileSync(fileURLToPath(new URL(`licenses/${license}.txt`, import.meta.url)), 'utf8');
  } catch {
    throw new Error(`${name} has no file with its licence; put the text of ${license} into scripts/licenses`);
  }
  return `(The package names this licence and does not come with its text. Author: ${owner}.)\n\n${text.replace('[name of copyright owner]', owner)}`;
}

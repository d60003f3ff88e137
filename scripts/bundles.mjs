// dist/vendor: the libraries that the daemon and its commands load, a file each in place of up to several hundred.
// `#typebox` in a source is dist/vendor/typebox.js (`imports` of package.json). docs/decisions/0020 has the reasons.
//
// BUNDLE-1. Written again when the recipe, esbuild or a package in a bundle changed, and only then.
// BUNDLE-2. A process may run from dist/ meanwhile: each file is replaced in one step, and what the build before left
//           stays until the next one.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, SetupError } from './child-process.mjs';

/** Whatever a source imports of these packages. What two of them need is in a chunk that both import. */
export const ESM_BUNDLES = [
  '@nats-io/nats-core',
  '@nats-io/nats-core/internal',
  '@nats-io/transport-node',
  'commander',
  'drizzle-orm',
  'drizzle-orm/migrator',
  'drizzle-orm/pg-core',
  'drizzle-orm/postgres-js',
  '@fastify/swagger',
  'fastify',
  'pino',
  'postgres',
  'prom-client',
  'rxjs',
  'typebox',
  'typebox/compile',
  'typebox/value',
  'ws',
];

/** For `require`, where a source loads a library only when it needs it and cannot wait. They share nothing. */
export const COMMONJS_BUNDLES = ['yaml'];

export const OUTPUT = join('dist', 'vendor');
export const LICENSES_FILE = 'LICENSES.txt';
const STAMP = join('dist', '.bundles.json');
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const RECIPE = [
  ...['bundles.mjs', 'bundle-licenses.mjs', 'write-bundles.mjs'].map(here),
  ...readdirSync(here('licenses'))
    .sort()
    .map((name) => here(`licenses/${name}`)),
];

/** What the bundles in dist/ were made by and of, and their files; null where there is nothing of it. */
export function readStamp(root) {
  try {
    return JSON.parse(readFileSync(join(root, STAMP), 'utf8'));
  } catch {
    return null;
  }
}

/**
 * @param {string[]} packages their directories, relative to `root`
 * @param {string[]} files in dist/vendor
 */
export function makeStamp(root, packages, files) {
  const versions = packages.sort().map((directory) => [directory, versionOf(root, directory)]);
  return { recipe: recipeHash(), packages: Object.fromEntries(versions), files: files.sort() };
}

export const stampFile = (root) => join(root, STAMP);

/** BUNDLE-1. */
export function bundlesAreCurrent(root) {
  const stamp = readStamp(root);
  return (
    stamp !== null &&
    stamp.recipe === recipeHash() &&
    Object.entries(stamp.packages).every(([directory, version]) => versionOf(root, directory) === version) &&
    stamp.files.every((file) => existsSync(join(root, OUTPUT, file)))
  );
}

/** Writes them where they are not as wanted; in a process of its own, which loads every library. */
export async function ensureBundles(root) {
  if (bundlesAreCurrent(root)) return;
  const { code, output } = await run(process.execPath, [here('write-bundles.mjs'), root], { cwd: root });
  if (code !== 0) throw new SetupError(`${output.trim()}\n\nThe libraries could not be bundled: see above.`, 1);
}

/** Removes what is left of an earlier build: a package holds nothing of it. */
export const removeOldBundles = (root) => removeAllBut(root, readStamp(root)?.files ?? []);

export function removeAllBut(root, kept) {
  const target = join(root, OUTPUT);
  for (const file of readdirSync(target, { recursive: true, withFileTypes: true })) {
    const path = join(file.parentPath, file.name);
    if (file.isFile() && !kept.includes(relative(target, path))) rmSync(path, { force: true });
  }
}

function recipeHash() {
  const hash = createHash('sha256');
  for (const file of RECIPE) hash.update(readFileSync(file));
  return hash.digest('hex');
}

/** null where it is not there. */
function versionOf(root, directory) {
  try {
    return JSON.parse(readFileSync(join(root, directory, 'package.json'), 'utf8')).version;
  } catch {
    return null;
  }
}

// dist/pages: the console as a browser loads it, made from console/ by esbuild. docs/decisions/0027 has the reasons.
//
// PAGES-1. Type-checked and written again when a source, the recipe or a bundled package changed, and only then.
// PAGES-2. A daemon may start meanwhile: the manifest is replaced in one step, after the files that it names, and what the
//          build before left stays until the next one.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, SetupError } from './child-process.mjs';

export const PAGES = join('dist', 'pages');
export const MANIFEST = 'manifest.json';
export const LICENSES_FILE = 'LICENSES.txt';
const STAMP = join('dist', '.pages.json');
const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const RECIPE = ['pages.mjs', 'write-pages.mjs', 'bundle-licenses.mjs'].map(here);

export const stampFile = (root) => join(root, STAMP);

/** What dist/pages was made of, and its files; null where there is nothing of it. */
export function readStamp(root) {
  try {
    return JSON.parse(readFileSync(stampFile(root), 'utf8'));
  } catch {
    return null;
  }
}

/**
 * @param {string} sources sourcesHash() from before the build: what changed meanwhile is built the next time
 * @param {string[]} packages their directories, relative to `root`
 * @param {string[]} files below dist/pages
 */
export const makeStamp = (root, sources, packages, files) => ({
  sources,
  packages: Object.fromEntries(packages.sort().map((directory) => [directory, versionOf(root, directory)])),
  files: files.sort(),
});

/** PAGES-1. */
export function pagesAreCurrent(root) {
  const stamp = readStamp(root);
  return (
    stamp !== null &&
    stamp.sources === sourcesHash(root) &&
    Object.entries(stamp.packages).every(([directory, version]) => versionOf(root, directory) === version) &&
    stamp.files.every((file) => existsSync(join(root, PAGES, file)))
  );
}

/** Writes them where they are not as wanted; in a process of its own, which loads esbuild. */
export async function ensurePages(root) {
  if (pagesAreCurrent(root)) return;
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  await succeed([compiler, '-p', join(root, 'console', 'tsconfig.json'), '--pretty', 'false'], root);
  await succeed([here('write-pages.mjs'), root], root);
}

async function succeed(args, root) {
  const { code, output } = await run(process.execPath, args, { cwd: root });
  if (code !== 0) throw new SetupError(`${output.trim()}\n\nThe console could not be built: see above.`, 1);
}

/** Removes what is left of an earlier build: a package holds nothing of it. */
export const removeOldPages = (root) => removeAllBut(root, readStamp(root)?.files ?? []);

/** `kept`: below dist/pages. */
export function removeAllBut(root, kept) {
  const target = join(root, PAGES);
  for (const file of filesIn(target)) if (!kept.includes(file)) rmSync(join(target, file), { force: true });
}

/** Of all that the pages are made of, apart from packages. The pure code of src/domain is what console/ may import of src/. */
export function sourcesHash(root) {
  const hash = createHash('sha256');
  for (const file of RECIPE) hash.update(readFileSync(file));
  for (const folder of ['console', join('src', 'domain')])
    for (const file of filesIn(join(root, folder)))
      hash.update(`\0${file}\0`).update(readFileSync(join(root, folder, file)));
  return hash.digest('hex');
}

const filesIn = (folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();

/** null where it is not there. */
function versionOf(root, directory) {
  try {
    return JSON.parse(readFileSync(join(root, directory, 'package.json'), 'utf8')).version;
  } catch {
    return null;
  }
}

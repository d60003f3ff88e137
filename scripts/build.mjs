// dist/, compiled from src/, test/ and bench/ and bundled of libraries: nothing missing, nothing left of files that are gone.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBundles } from './bundles.mjs';
import { run, SetupError } from './child-process.mjs';

const OUTPUTS = ['.js', '.js.map'];

/** What there is to build: the daemon alone, or all that is compiled. Each knows its own last build. */
const DAEMON = { project: join('scripts', 'tsconfig.src.json'), folders: ['src'], buildInfo: '.tsbuildinfo-src' };
const ALL = { project: 'tsconfig.json', folders: ['src', 'test', 'bench'], buildInfo: '.tsbuildinfo' };

/** The daemon: what `npm start` needs. */
export async function buildDaemon(root) {
  await ensureBundles(root);
  await build(root, DAEMON);
}

/** Everything. The daemon first, so that an `npm start` among the tests finds nothing to write. */
export async function buildAll(root) {
  await buildDaemon(root);
  await build(root, ALL);
}

/** Type-checks and compiles; writes only what changed, so that nobody who runs from dist/ is disturbed. */
async function build(root, { project, folders, buildInfo }) {
  const dist = join(root, 'dist');
  const infoFile = join(dist, buildInfo);
  if (!matchesSources(root, dist, folders)) rmSync(infoFile, { force: true });
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [
    compiler,
    '-p',
    join(root, project),
    '--incremental',
    '--tsBuildInfoFile',
    infoFile,
    '--pretty',
    'false',
  ];
  const { code, output } = await run(process.execPath, args, { cwd: root });
  if (code !== 0) throw new SetupError(`${output.trim()}\n\nThe build failed: see the errors above.`, 1);
}

/** Removes compiled files without a source; false where a source has no compiled file. */
function matchesSources(root, dist, folders) {
  const sources = new Set(folders.flatMap((folder) => namesIn(root, folder, ['.ts'])));
  for (const name of folders.flatMap((folder) => namesIn(dist, folder, OUTPUTS)))
    if (!sources.has(name)) for (const suffix of OUTPUTS) rmSync(join(dist, `${name}${suffix}`), { force: true });
  return [...sources].every((name) => existsSync(join(dist, `${name}.js`)));
}

/** Files below `folder` that end in one of `suffixes`, without the suffix, relative to `base`. */
function namesIn(base, folder, suffixes) {
  const top = join(base, folder);
  if (!existsSync(top)) return [];
  return readdirSync(top, { recursive: true, encoding: 'utf8' }).flatMap((name) => {
    const suffix = suffixes.find((candidate) => name.endsWith(candidate) && !name.endsWith('.d.ts'));
    return suffix ? [join(folder, name.slice(0, -suffix.length))] : [];
  });
}

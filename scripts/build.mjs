// dist/, compiled from src/, test/ and bench/, bundled of libraries and of console/: nothing missing, nothing left of files that are gone.
//
// The compiler takes two seconds of processor time to find that it has nothing to do. So a build that succeeded leaves a note of what
// it read; while that is unchanged, the compiler is not started.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBundles } from './bundles.mjs';
import { run, SetupError } from './child-process.mjs';
import { ensurePages } from './pages.mjs';

const OUTPUTS = ['.js', '.js.map'];

/** What there is to build: the daemon alone, or all that is compiled; `read` are folders of which it imports. Each knows its own last build. */
const DAEMON = { project: join('scripts', 'tsconfig.src.json'), folders: ['src'], buildInfo: '.tsbuildinfo-src' };
const ALL = {
  project: 'tsconfig.json',
  folders: ['src', 'test', 'bench'],
  read: ['console'],
  buildInfo: '.tsbuildinfo',
};

/** The daemon: what `npm start` needs. */
export async function buildDaemon(root) {
  await ensureBundles(root);
  await ensurePages(root);
  await compile(root, DAEMON);
}

/** Everything. The daemon first, so that an `npm start` among the tests finds nothing to write. */
export async function buildAll(root) {
  await buildDaemon(root);
  await compile(root, ALL);
}

/** Type-checks and compiles; writes only what changed, so that nobody who runs from dist/ is disturbed. */
export async function compile(root, { project, folders, read = [], buildInfo }) {
  const dist = join(root, 'dist');
  const infoFile = join(dist, buildInfo);
  const noteFile = `${infoFile}.read`;
  const isComplete = matchesSources(root, dist, folders);
  if (!isComplete) rmSync(infoFile, { force: true });
  // Taken before the compiler reads them: what is written meanwhile is compiled by the next build.
  const inputs = inputsOf(root, project, [...folders, ...read]);
  if (isComplete && textOf(noteFile) === inputs) return;
  rmSync(noteFile, { force: true });
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
  writeFileSync(noteFile, inputs);
}

/** A digest of what a build reads: its sources and settings by time and size, the installed packages by npm's list of them. */
function inputsOf(root, project, folders) {
  const sources = folders.flatMap((folder) => filesIn(root, folder));
  const digest = createHash('sha256');
  for (const path of [...sources.sort(), 'tsconfig.json', project, 'package.json']) {
    const { mtimeNs, size } = statSync(join(root, path), { bigint: true });
    digest.update(`${path} ${mtimeNs} ${size}\n`);
  }
  return digest.update(textOf(join(root, 'node_modules', '.package-lock.json')) ?? '').digest('hex');
}

const filesIn = (root, folder) =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .map((name) => join(folder, name));

function textOf(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
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

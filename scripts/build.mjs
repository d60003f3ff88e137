// dist/, compiled from src/, test/ and bench/: nothing missing, nothing left of files that are gone.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { run, SetupError } from './child-process.mjs';

const FOLDERS = ['src', 'test', 'bench'];
const OUTPUTS = ['.js', '.js.map'];

/** Type-checks and compiles; writes only what changed, so that a second start disturbs nobody who runs from dist/. */
export async function build(root) {
  const dist = join(root, 'dist');
  const buildInfo = join(dist, '.tsbuildinfo');
  if (!matchesSources(root, dist)) rmSync(buildInfo, { force: true });
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const args = [compiler, '-p', root, '--incremental', '--tsBuildInfoFile', buildInfo, '--pretty', 'false'];
  const { code, output } = await run(process.execPath, args, { cwd: root });
  if (code !== 0) throw new SetupError(`${output.trim()}\n\nThe build failed: see the errors above.`, 1);
}

/** Removes compiled files without a source; false where a source has no compiled file. */
function matchesSources(root, dist) {
  const sources = new Set(FOLDERS.flatMap((folder) => namesIn(root, folder, ['.ts'])));
  for (const name of FOLDERS.flatMap((folder) => namesIn(dist, folder, OUTPUTS)))
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

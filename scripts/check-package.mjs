// `npm run check-package`: what `npm pack` would hand out, and whether that works elsewhere: the package's test, under
// this Node and under another. `npm run check-package -- 22` names the other; 24 without it.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { buildAll } from './build.mjs';
import { catchSignals, run, SetupError } from './child-process.mjs';
import { installEnvironment } from './dependencies.mjs';
import { fail, say } from './say.mjs';
import { prepareDataDir, ROOT, setUp } from './setup.mjs';
import { testEnvironment } from './test-environment.mjs';

const PACKAGE_TEST = join('dist', 'test', 'scripts', 'package.test.js');
const OTHER_RELEASE = '24';

async function main([release = OTHER_RELEASE]) {
  const dataDir = resolve(ROOT, process.env.EXTENSION_REGISTRY_DATA_DIR || '.extreg');
  prepareDataDir(dataDir);
  await setUp(buildAll);
  const env = await testEnvironment(dataDir);
  await tellContents();
  const directory = mkdtempSync(join(tmpdir(), 'extreg-node-'));
  try {
    for (const node of [process.execPath, await fetchNode(directory, release)]) await testUnder(node, env);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  say('\nThe package works.');
}

/** Size, and how many files of which folder. */
async function tellContents() {
  const [{ filename, size, unpackedSize, files }] = JSON.parse(await npm(['pack', '--dry-run', '--json'], ROOT));
  say(`${filename}: ${kibibytes(size)}, unpacked ${kibibytes(unpackedSize)}, ${files.length} files\n`);
  const folders = new Map();
  for (const file of files) {
    const folder = file.path.split('/').slice(0, -1).slice(0, 3).join('/') || '.';
    const { count, bytes } = folders.get(folder) ?? { count: 0, bytes: 0 };
    folders.set(folder, { count: count + 1, bytes: bytes + file.size });
  }
  for (const [folder, { count, bytes }] of [...folders].sort())
    say(`  ${folder.padEnd(20)} ${String(count).padStart(4)} files ${kibibytes(bytes).padStart(10)}`);
}

const kibibytes = (bytes) => `${(bytes / 1024).toFixed(0)} KiB`;

/** Path of that release of Node, installed into `directory`. */
async function fetchNode(directory, release) {
  say(`\nFetching Node ${release} …`);
  writeFileSync(join(directory, 'package.json'), '{}');
  await npm(['install', `node@${release}`, '--no-audit', '--no-fund'], directory);
  return join(directory, 'node_modules', 'node', 'bin', 'node');
}

/** What it printed on standard output. */
async function npm(args, cwd) {
  const lines = [];
  const { code } = await run('npm', [...args, '--silent'], {
    cwd,
    env: installEnvironment(process.env),
    showErrors: true,
    onLine: (line) => lines.push(line),
  });
  if (code !== 0) throw new SetupError(`npm ${args[0]} failed with exit code ${code}.`, 1);
  return lines.join('\n');
}

/** The test runs under this Node; what it installs and starts, under that one. */
async function testUnder(node, env) {
  const { output: version } = await run(node, ['--version']);
  say(`\nUnder Node ${version.trim()}:`);
  const { code, output } = await run(
    process.execPath,
    [join('node_modules', 'ava', 'entrypoints', 'cli.mjs'), PACKAGE_TEST],
    { cwd: ROOT, env: { ...env, PATH: `${dirname(node)}${delimiter}${env.PATH}` } },
  );
  say(output.trim());
  if (code !== 0) throw new SetupError(`The package does not work under Node ${version.trim()}: see above.`, 1);
}

catchSignals();
main(process.argv.slice(2)).catch(fail);

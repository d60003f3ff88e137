// The files that the pages have a reader write in a checkout: they are none of the project's, so `npm test` does not check them.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import test from 'ava';
import { filesOf, readProjectFile } from './page.js';

const PAGES = [
  'README.md',
  'examples/README.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

/** Named in its first line: `// calls.mjs`, `# registry.yaml`. */
const NAMED = /^```\w+\n((?:\/\/|#) ([\w.-]+\.(?:mjs|js|json|ya?ml|sql|sh|py|go))\b[\s\S]*?)^```$/gm;

/** What the commands of the pages write: exports, and data directories with what a daemon keeps there. */
const WRITTEN_BY_COMMANDS = new Map([
  ['registry.json', '{"format":1,\n"extensions":{}}\n'],
  ['other/daemon.json', '{"http":"http://127.0.0.1:1"}'],
  ['other/registry-snapshot.json', '{"a":[1,2,\n3]}'],
]);

test('biome: no file that a page has its reader write reaches the linter', (t) => {
  const files = new Map(WRITTEN_BY_COMMANDS);
  for (const page of PAGES) {
    const text = readProjectFile(page);
    for (const [, content = '', name = ''] of text.matchAll(NAMED)) files.set(name, content);
    for (const [name, content] of filesOf(text)) files.set(name, content);
  }
  for (const name of ['shout.mjs', 'turn.mjs', 'calls.mjs', 'receiver.mjs', 'registry.yaml', 'extreg.config.yaml'])
    t.true(files.has(name), name);

  const checkout = mkdtempSync(join(tmpdir(), 'extreg-files-'));
  t.teardown(() => rmSync(checkout, { recursive: true, force: true }));
  for (const name of ['.gitignore', 'biome.json', 'package.json']) copyFileSync(name, join(checkout, name));
  for (const [name, content] of files) {
    mkdirSync(join(checkout, name, '..'), { recursive: true });
    writeFileSync(join(checkout, name), content);
  }
  const biome = (...args: string[]) =>
    execFileSync(resolve('node_modules/.bin/biome'), ['check', '--colors=off', ...args, '.'], {
      cwd: checkout,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  t.notThrows(() => biome());
  // The project's own files do.
  mkdirSync(join(checkout, 'src'));
  writeFileSync(join(checkout, 'src', 'wrong.ts'), 'export const a = {b:1}\n');
  t.throws(() => biome(), { message: /wrong\.ts/ });
});

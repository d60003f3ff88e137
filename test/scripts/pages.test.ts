// dist/pages: PAGES-1 and PAGES-2: when the console is built again, and what stays meanwhile.
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import test, { type ExecutionContext } from 'ava';

interface Stamp {
  readonly sources: string;
  readonly packages: Readonly<Record<string, string>>;
  readonly files: readonly string[];
}
const { PAGES, pagesAreCurrent, readStamp, removeOldPages, sourcesHash, stampFile } = (await import(
  pathToFileURL(resolve('scripts', 'pages.mjs')).href
)) as {
  PAGES: string;
  pagesAreCurrent(root: string): boolean;
  readStamp(root: string): Stamp | null;
  removeOldPages(root: string): void;
  sourcesHash(root: string): string;
  stampFile(root: string): string;
};

/** The pages as the last build left them, with their sources, in a root of their own. */
function copy(t: ExecutionContext): string {
  const root = mkdtempSync(join(tmpdir(), 'extreg-pages-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  symlinkSync(resolve('node_modules'), join(root, 'node_modules'));
  for (const path of ['console', join('src', 'domain'), PAGES]) cpSync(path, join(root, path), { recursive: true });
  cpSync(stampFile('.'), stampFile(root));
  return root;
}

test('PAGES-1: what was built is current until a source, a file of it or a package is another', (t) => {
  const root = copy(t);
  t.true(pagesAreCurrent(root));
  const source = join(root, 'console', 'words', 'numbers.ts');
  const before = readFileSync(source, 'utf8');
  writeFileSync(source, `${before}\n`);
  t.false(pagesAreCurrent(root), 'a source');
  writeFileSync(source, before);
  writeFileSync(join(root, 'src', 'domain', 'new.ts'), '');
  t.false(pagesAreCurrent(root), 'what it may import of src');
  rmSync(join(root, 'src', 'domain', 'new.ts'));
  t.true(pagesAreCurrent(root));
  const stamp = readStamp(root) as Stamp;
  for (const name of ['preact', '@preact/signals', 'esbuild', 'uplot'])
    t.truthy(stamp.packages[join('node_modules', name)], name);
  writeFileSync(
    stampFile(root),
    JSON.stringify({ ...stamp, packages: { ...stamp.packages, 'node_modules/preact': '1.0.0' } }),
  );
  t.false(pagesAreCurrent(root), 'a package');
  writeFileSync(stampFile(root), JSON.stringify(stamp));
  rmSync(join(root, PAGES, 'manifest.json'));
  t.false(pagesAreCurrent(root), 'a file of it');
  rmSync(stampFile(root));
  t.is(readStamp(root), null);
  t.false(pagesAreCurrent(root), 'nothing of it');
});

test('PAGES-1: a file that moves without changing is another source', (t) => {
  const root = copy(t);
  const before = sourcesHash(root);
  cpSync(join(root, 'console', 'words', 'numbers.ts'), join(root, 'console', 'words', 'other.ts'));
  rmSync(join(root, 'console', 'words', 'numbers.ts'));
  t.not(sourcesHash(root), before);
});

test('PAGES-2: what the build before left is removed for a package, and nothing else', (t) => {
  const root = copy(t);
  const stamp = readStamp(root) as Stamp;
  const old = join(root, PAGES, 'assets', 'main-OLDOLD00.js');
  mkdirSync(join(root, PAGES, 'assets'), { recursive: true });
  writeFileSync(old, '');
  removeOldPages(root);
  t.false(existsSync(old));
  for (const file of stamp.files) t.true(existsSync(join(root, PAGES, file)), file);
});

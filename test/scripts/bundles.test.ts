// dist/vendor: the libraries as one file each, their licences, and when they are written anew.
import { execFile } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';

const script = async <T>(name: string): Promise<T> => (await import(pathToFileURL(resolve('scripts', name)).href)) as T;

interface Stamp {
  readonly recipe: string;
  readonly packages: Readonly<Record<string, string>>;
  readonly files: readonly string[];
}
const {
  ESM_BUNDLES,
  COMMONJS_BUNDLES,
  bundlesAreCurrent,
  ensureBundles,
  makeStamp,
  readStamp,
  removeOldBundles,
  stampFile,
} = await script<{
  ESM_BUNDLES: readonly string[];
  COMMONJS_BUNDLES: readonly string[];
  bundlesAreCurrent(root: string): boolean;
  ensureBundles(root: string): Promise<void>;
  makeStamp(root: string, packages: string[], files: string[]): Stamp;
  readStamp(root: string): Stamp | null;
  removeOldBundles(root: string): void;
  stampFile(root: string): string;
}>('bundles.mjs');
const { licensesText, packagesOf } = await script<{
  licensesText(root: string, directories: string[]): string;
  packagesOf(inputs: Record<string, unknown>): string[];
}>('bundle-licenses.mjs');

const VENDOR = resolve('dist', 'vendor');

function directory(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'extreg-bundles-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function put(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

/** A package in node_modules; gives its directory, relative to the root. */
function packageIn(
  root: string,
  manifest: Readonly<Record<string, unknown>>,
  files: Readonly<Record<string, string>> = {},
) {
  const path = join('node_modules', String(manifest.name));
  put(join(root, path, 'package.json'), JSON.stringify({ version: '1.0.0', ...manifest }));
  for (const [name, content] of Object.entries(files)) put(join(root, path, name), content);
  return path;
}

/** The bundles as the last build left them, in a root of their own. */
function copyOfBundles(t: ExecutionContext): string {
  const root = directory(t);
  symlinkSync(resolve('node_modules'), join(root, 'node_modules'));
  cpSync(VENDOR, join(root, 'dist', 'vendor'), { recursive: true });
  cpSync(stampFile(resolve('.')), stampFile(root));
  return root;
}

const filesIn = (root: string): Map<string, number> =>
  new Map(
    readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' })
      .map((name): [string, number] => [name, statSync(join(root, 'dist', name)).mtimeMs])
      .filter(([name]) => statSync(join(root, 'dist', name)).isFile()),
  );

test('BUNDLE-1: bundles are current until a package, the recipe or a file of them is another', (t) => {
  const root = directory(t);
  t.false(bundlesAreCurrent(root), 'nothing is there');
  const library = packageIn(root, { name: 'library' });
  put(join(root, 'dist', 'vendor', 'library.js'), '');
  const stamp = makeStamp(root, [library], ['library.js']);
  const write = (content: Stamp) => writeFileSync(stampFile(root), JSON.stringify(content));
  write(stamp);
  t.true(bundlesAreCurrent(root));

  write({ ...stamp, recipe: 'another' });
  t.false(bundlesAreCurrent(root), 'the recipe');
  write(stamp);
  packageIn(root, { name: 'library', version: '1.0.1' });
  t.false(bundlesAreCurrent(root), 'the version');
  packageIn(root, { name: 'library' });
  t.true(bundlesAreCurrent(root));
  rmSync(join(root, 'dist', 'vendor', 'library.js'));
  t.false(bundlesAreCurrent(root), 'a file');
  put(join(root, 'dist', 'vendor', 'library.js'), '');
  writeFileSync(stampFile(root), '{');
  t.false(bundlesAreCurrent(root), 'a damaged stamp');
});

test('BUNDLE-1: what a bundle is made of and by is in the stamp', (t) => {
  const { packages = {} } = readStamp(resolve('.')) ?? {};
  const versionOf = (name: string) =>
    (JSON.parse(readFileSync(join('node_modules', name, 'package.json'), 'utf8')) as { version: string }).version;
  for (const name of ['esbuild', 'typebox', 'ajv', '@nats-io/nkeys'])
    t.is(packages[join('node_modules', name)], versionOf(name), name);
});

test('BUNDLE-1: a build that finds them current writes nothing', async (t) => {
  const root = copyOfBundles(t);
  const before = filesIn(root);
  t.true(before.size > 40);
  await ensureBundles(root);
  t.deepEqual(filesIn(root), before);
});

test('BUNDLE-2: what the build before left stays for processes that run from it; what is older is removed', async (t) => {
  const root = copyOfBundles(t);
  const stamp = readStamp(root);
  if (stamp === null) throw new Error('the suite runs on a build');
  const [old, older] = ['chunks/chunk-OLD.js', 'chunks/chunk-OLDER.js'];
  for (const name of [old, older]) put(join(root, 'dist', 'vendor', name), '');
  writeFileSync(stampFile(root), JSON.stringify({ ...stamp, recipe: 'another', files: [...stamp.files, old] }));
  await ensureBundles(root);
  t.true(bundlesAreCurrent(root));
  // The way to node_modules is another here, and chunks are named after what they hold.
  const written = readStamp(root)?.files ?? [];
  t.true(written.includes('typebox/value.js'));
  const vendor = [...filesIn(root).keys()].filter((name) => name.startsWith('vendor'));
  const expected = new Set([...written, ...stamp.files, old]);
  t.deepEqual(vendor.sort(), [...expected].map((name) => join('vendor', name)).sort());
  removeOldBundles(root);
  const packed = [...filesIn(root).keys()].filter((name) => name.startsWith('vendor'));
  t.deepEqual(packed.sort(), written.map((name) => join('vendor', name)).sort(), 'for a package nothing is left');
  t.deepEqual(readdirSync(join(root, 'dist')).sort(), ['.bundles.json', 'vendor'], 'nothing half-done is left');
});

test('BUNDLE-3: a bundle exports what the package does, by the same names', async (t) => {
  for (const specifier of [...ESM_BUNDLES, ...COMMONJS_BUNDLES]) {
    const [bare, bundled] = (await Promise.all([import(specifier), import(`#${specifier}`)])) as [
      Readonly<Record<string, unknown>>,
      Readonly<Record<string, unknown>>,
    ];
    const shape = (library: Readonly<Record<string, unknown>>) =>
      Object.keys(bare)
        .filter((name) => /^[\w$]+$/.test(name))
        .map((name) => [name, typeof library[name], typeof library[name] === 'function' && library[name].name]);
    t.true(Object.keys(bare).length > 0);
    t.deepEqual(shape(bundled), shape(bare), specifier);
    t.false(Object.values(bare).some((value) => typeof value === 'function' && Object.values(bundled).includes(value)));
  }
});

test('bundles: no file of a library is in two of them', (t) => {
  const owners = new Map<string, string>();
  const maps = (readStamp(resolve('.'))?.files ?? []).filter((name) => name.endsWith('.map'));
  t.true(maps.length > 20);
  for (const name of maps) {
    const { sources } = JSON.parse(readFileSync(join(VENDOR, name), 'utf8')) as { sources: string[] };
    for (const source of sources.filter((path) => path.includes('node_modules'))) {
      const path = resolve(VENDOR, dirname(name), source);
      t.true(existsSync(path), `${name} names ${source}`);
      t.is(owners.get(path), undefined, `${path} is in ${name} too`);
      owners.set(path, name);
    }
  }
  t.true(owners.size > 1000);
});

const stackOf = async (code: string): Promise<string> => {
  const args = [
    '--enable-source-maps',
    '--input-type=module',
    '-e',
    `try { ${code} } catch (error) { console.log(error.stack) }`,
  ];
  return (await promisify(execFile)(process.execPath, args)).stdout;
};

test('bundles: with --enable-source-maps a stack names the file of the library', async (t) => {
  const [esm, commonJs] = await Promise.all([
    stackOf(`const { Value } = await import('#typebox/value'); Value.Parse({ type: 'string' }, 1)`),
    stackOf(`const { firstValueFrom, EMPTY } = await import('#rxjs'); await firstValueFrom(EMPTY)`),
  ]);
  for (const [stack, file, call] of [
    [esm, 'node_modules/typebox/build/value/parse/parse.mjs', /throw new ParseError/],
    [commonJs, 'node_modules/rxjs/dist/cjs/internal/firstValueFrom.js', /new EmptyError/],
  ] as const) {
    const place = new RegExp(`/${file}:(\\d+):\\d+`).exec(stack);
    t.truthy(place, stack);
    t.regex(readFileSync(file, 'utf8').split('\n')[Number(place?.[1]) - 1] ?? '', call);
  }
});

test('bundles: a stack through one names our own file as before', async (t) => {
  const code = `const { parsePolicy } = await import('./dist/src/domain/registry/policy.js'); parsePolicy({ get breaker() { throw new Error('here') } })`;
  const stack = await stackOf(code);
  const place = /\/src\/domain\/registry\/policy\.ts:(\d+):\d+/.exec(stack);
  t.truthy(place, stack);
  t.regex(
    readFileSync('src/domain/registry/policy.ts', 'utf8').split('\n')[Number(place?.[1]) - 1] ?? '',
    /compiled\.Check/,
  );
});

test('LICENSE-1: the licence of every bundled package is beside the bundles', (t) => {
  const text = readFileSync(join(VENDOR, 'LICENSES.txt'), 'utf8');
  const { packages = {} } = readStamp(resolve('.')) ?? {};
  const bundled = Object.entries(packages).filter(([path]) => path !== join('node_modules', 'esbuild'));
  t.true(bundled.length > 30);
  for (const [path, version] of bundled) {
    const { name, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8')) as Record<string, string>;
    t.true(text.includes(`${name} ${version}\nLicence: ${license}\n`), name);
  }
  t.true(text.includes(readFileSync('node_modules/typebox/license', 'utf8').trim()));
});

test('LICENSE-1: packages are found among the inputs of esbuild, in scopes and below each other', (t) => {
  t.deepEqual(
    packagesOf({
      'dist/.bundling-x/entries/a.mjs': {},
      'node_modules/a/index.js': {},
      'node_modules/a/lib/b.js': {},
      'node_modules/@s/b/c/d.js': {},
      'node_modules/a/node_modules/@s/b/index.js': {},
      '../../there/node_modules/e/index.js': {},
    }),
    ['../../there/node_modules/e', 'node_modules/@s/b', 'node_modules/a', 'node_modules/a/node_modules/@s/b'],
  );
});

test('LICENSE-1: a package without a licence, or with one that is not permissive, fails the build', (t) => {
  const root = directory(t);
  const packages = [
    packageIn(root, { name: 'none' }),
    packageIn(root, { name: 'copyleft', license: 'GPL-3.0-only' }),
    packageIn(root, { name: 'file', license: 'SEE LICENSE IN LICENSE' }),
    packageIn(root, { name: 'good', license: 'MIT' }),
  ];
  const { message } = t.throws(() => licensesText(root, packages)) as Error;
  t.is(message.split('\n').length, 3);
  t.regex(message, /^none 1\.0\.0 has no licence/m);
  t.regex(message, /^copyleft 1\.0\.0 has the licence GPL-3\.0-only; expected one of 0BSD, Apache-2\.0/m);
  t.regex(message, /^file 1\.0\.0 has the licence SEE LICENSE IN LICENSE/m);
});

test("LICENSE-1: a package's own words, with its notices; the standard text where it has none", (t) => {
  const root = directory(t);
  const own = packageIn(
    root,
    { name: 'own', license: 'Apache-2.0' },
    { 'LICENCE.md': 'my words\n', NOTICE: 'by me\n' },
  );
  const none = packageIn(root, { name: 'none', license: 'MIT', author: { name: 'Somebody' } });
  t.is(licensesText(root, [own]), 'own 1.0.0\nLicence: Apache-2.0\n\nmy words\n\nby me\n');
  t.regex(licensesText(root, [none]), /Copyright \(c\) Somebody\n\nPermission is hereby granted/);
  const rare = packageIn(root, { name: 'rare', license: '0BSD' });
  t.throws(() => licensesText(root, [rare]), { message: /rare has no file with its licence/ });
});

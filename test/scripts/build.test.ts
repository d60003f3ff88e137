// dist/ follows the sources, and the compiler is started only when something of what it reads has changed.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const PROJECT = { project: 'tsconfig.json', folders: ['src'], buildInfo: '.tsbuildinfo-src' };
const { compile } = (await import(join(ROOT, 'scripts', 'build.mjs'))) as {
  compile(root: string, project: typeof PROJECT): Promise<void>;
};

function makeProject(t: ExecutionContext): string {
  const root = mkdtempSync(join(tmpdir(), 'extreg-build-'));
  t.teardown(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, 'src'));
  mkdirSync(join(root, 'node_modules'));
  symlinkSync(join(ROOT, 'node_modules', 'typescript'), join(root, 'node_modules', 'typescript'));
  const compilerOptions = {
    rootDir: '.',
    outDir: 'dist',
    module: 'esnext',
    target: 'es2023',
    types: [],
    lib: ['es2023'],
  };
  writeFileSync(join(root, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['src'] }));
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  writeFileSync(join(root, 'src', 'one.ts'), 'export const one: number = 1;\n');
  return root;
}

test('build: the compiler runs again for a source that is changed, added, removed or wrong, and for no other reason', async (t) => {
  const root = makeProject(t);
  const info = join(root, 'dist', '.tsbuildinfo-src');
  const output = (name: string) => readFileSync(join(root, 'dist', 'src', name), 'utf8');
  await compile(root, PROJECT);
  t.regex(output('one.js'), /one = 1/);

  // The compiler writes this file at each run.
  rmSync(info);
  await compile(root, PROJECT);
  t.false(existsSync(info), 'nothing has changed: the compiler was not started');

  writeFileSync(join(root, 'src', 'one.ts'), 'export const one: number = 22;\n');
  writeFileSync(join(root, 'src', 'two.ts'), 'export const two = 2;\n');
  await compile(root, PROJECT);
  t.regex(output('one.js'), /one = 22/);
  t.regex(output('two.js'), /two = 2/);

  rmSync(join(root, 'src', 'two.ts'));
  rmSync(join(root, 'dist', 'src', 'one.js'));
  await compile(root, PROJECT);
  t.false(existsSync(join(root, 'dist', 'src', 'two.js')));
  t.regex(output('one.js'), /one = 22/, 'a compiled file that was removed is written again');

  writeFileSync(join(root, 'src', 'one.ts'), "export const one: number = 'one';\n");
  const failure = await t.throwsAsync(compile(root, PROJECT), { message: /TS2322[\s\S]*The build failed/ });
  t.is((await t.throwsAsync(compile(root, PROJECT))).message, failure.message, 'and it is reported every time');
});

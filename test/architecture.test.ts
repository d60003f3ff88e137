// The house of docs: which floor may import which. It reads the import lines of every file in src.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import test from 'ava';

interface Import {
  readonly specifier: string;
  /** Nothing of it is left at run time. */
  readonly isTypeOnly: boolean;
  /** Loaded when that line runs. */
  readonly isDynamic?: true;
}

interface SourceFile {
  /** Relative to the repository root, with slashes. */
  readonly path: string;
  /** Folder under src; '' for what lies in src itself, which nothing may. */
  readonly floor: string;
  readonly code: string;
  readonly imports: readonly Import[];
}

function repositoryRoot(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    if (readdirSync(folder).includes('package.json')) return folder;
    if (folder === dirname(folder)) throw new Error('no package.json above this test');
  }
}

const ROOT = repositoryRoot();

/** What scripts/bundles.mjs bundles, as it is imported: `typebox/value`. */
const { ESM_BUNDLES, COMMONJS_BUNDLES } = (await import(pathToFileURL(join(ROOT, 'scripts', 'bundles.mjs')).href)) as {
  ESM_BUNDLES: readonly string[];
  COMMONJS_BUNDLES: readonly string[];
};
const BUNDLES = [...ESM_BUNDLES, ...COMMONJS_BUNDLES];

const withoutComments = (code: string): string =>
  code.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|[\s;,{}()])\/\/.*$/gm, '$1');

/** Static imports and re-exports, bare imports, and dynamic imports. */
function importsOf(code: string): Import[] {
  const found: Import[] = [];
  for (const [, , typeOnly, names = '', specifier = ''] of code.matchAll(
    /^(import|export)\s+(type\s)?\s*([^'";]*?)\s*from\s+['"]([^'"]+)['"]/gm,
  )) {
    const named = names
      .match(/^\{([\s\S]*)\}$/)?.[1]
      ?.split(',')
      .map((name) => name.trim());
    const allTypes = named?.filter((name) => name !== '').every((name) => name.startsWith('type ')) ?? false;
    found.push({ specifier, isTypeOnly: typeOnly !== undefined || allTypes });
  }
  for (const [, specifier = ''] of code.matchAll(/^import\s+['"]([^'"]+)['"]/gm))
    found.push({ specifier, isTypeOnly: false });
  for (const [, specifier = ''] of code.matchAll(/\bimport\(\s*['"]([^'"]+)['"]/g))
    found.push({ specifier, isTypeOnly: false, isDynamic: true });
  return found;
}

const FILES: readonly SourceFile[] = readdirSync(join(ROOT, 'src'), { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
  .map((name) => {
    const path = join('src', name).replaceAll('\\', '/');
    const code = withoutComments(readFileSync(join(ROOT, path), 'utf8'));
    const [, first = '', ...rest] = path.split('/');
    return { path, floor: rest.length === 0 ? '' : first, code, imports: importsOf(code) };
  })
  .sort((a, b) => (a.path < b.path ? -1 : 1));

/** The file in src that a relative import means; null for a package or a builtin. */
function targetOf(file: SourceFile, { specifier }: Import): string | null {
  if (!specifier.startsWith('.')) return null;
  const path = relative(ROOT, resolve(ROOT, dirname(file.path), specifier.replace(/\.js$/, '.ts')));
  return path.replaceAll('\\', '/');
}

const floorOf = (path: string): string => FILES.find((file) => file.path === path)?.floor ?? '';

const PORTS = FILES.map(({ path }) => path).filter((path) => path.startsWith('src/actors/ports/'));

interface Rule {
  /** Floors below that it may import; its own it may always. */
  readonly floors: readonly string[];
  readonly packages: readonly string[];
  readonly builtins: readonly string[] | 'any';
  /** Types of what the actors need from outside, and of what they offer. */
  readonly typesOfPorts?: true;
}

const EDGE = { floors: ['domain', 'telemetry'], builtins: 'any', typesOfPorts: true } as const;

const RULES: Readonly<Record<string, Rule>> = {
  domain: { floors: [], packages: ['murmurhash', 'typebox'], builtins: ['node:util'] },
  machines: { floors: ['domain'], packages: ['xstate'], builtins: [] },
  actors: { floors: ['machines', 'domain', 'telemetry'], packages: ['xstate', 'rxjs'], builtins: 'any' },
  db: { ...EDGE, packages: ['drizzle-orm', 'postgres', '@electric-sql/pglite', 'rxjs'] },
  nats: { ...EDGE, packages: ['@nats-io/*'] },
  http: { ...EDGE, packages: ['fastify', '@fastify/*', 'typebox', 'ws'] },
  inspector: { ...EDGE, packages: ['xstate'] },
  webhooks: { ...EDGE, packages: [] },
  /** A database and a broker without an installation: only those who run or check a daemon know of it. */
  embedded: { ...EDGE, floors: [...EDGE.floors, 'db'], packages: ['@electric-sql/pglite'] },
  telemetry: { floors: ['domain'], packages: ['pino', 'prom-client', 'rxjs', '@opentelemetry/*'], builtins: 'any' },
};

/** They know everyone: what `serve` runs, the commands, and the settings, which name what the others understand. */
const ROOF = ['daemon', 'cli', 'config'];

/** `#typebox/value` is the bundle of `typebox/value` (docs/decisions/0020). */
function packageOf(specifier: string): string {
  const [first = '', second = ''] = specifier.replace(/^#/, '').split('/');
  return first.startsWith('@') ? `${first}/${second}` : first;
}

const isListed = (name: string, list: readonly string[]): boolean =>
  list.some((one) => one === name || (one.endsWith('/*') && name.startsWith(one.slice(0, -1))));

/** Why a file may not import that; null where it may. */
function forbidden(file: SourceFile, imported: Import, rule: Rule): string | null {
  const target = targetOf(file, imported);
  if (target === null) {
    const { specifier } = imported;
    const allowed = specifier.startsWith('node:')
      ? rule.builtins === 'any' || rule.builtins.includes(specifier)
      : isListed(packageOf(specifier), rule.packages);
    return allowed ? null : `${file.path} imports ${specifier}`;
  }
  const floor = floorOf(target);
  if (floor === file.floor || rule.floors.includes(floor)) return null;
  if (rule.typesOfPorts && PORTS.includes(target))
    return imported.isTypeOnly ? null : `${file.path} imports more than types from ${target}`;
  return `${file.path} imports ${target}`;
}

test('house: the whole of src is read', (t) => {
  t.true(FILES.length >= 60, `${FILES.length} files`);
  t.true(FILES.flatMap((file) => file.imports).length >= 200);
  t.true(FILES.some((file) => file.path === 'src/domain/breaker/trip.ts'));
});

/** console/, which a browser runs: it lies beside src/, and is no floor of it. */
const CONSOLE: readonly SourceFile[] = readdirSync(join(ROOT, 'console'), { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.tsx?$/.test(name))
  .map((name) => {
    const path = join('console', name).replaceAll('\\', '/');
    const code = withoutComments(readFileSync(join(ROOT, path), 'utf8'));
    return { path, floor: 'console', code, imports: importsOf(code) };
  });
const CONSOLE_PACKAGES = ['preact', '@preact/*', 'uplot', '@dagrejs/*'];

/** Why a file of the console may not import that; null where it may: its own files, its packages, and of src/ what is pure or a type. */
function forbiddenInConsole(file: SourceFile, imported: Import): string | null {
  const target = targetOf(file, imported);
  const problem = `${file.path} imports ${imported.specifier}`;
  if (target === null) return isListed(packageOf(imported.specifier), CONSOLE_PACKAGES) ? null : problem;
  if (target.startsWith('console/')) return null;
  if (!target.startsWith('src/domain/')) return problem;
  return imported.isTypeOnly || reachesNoPackage(target) ? null : `${problem}, which imports a package`;
}

/** Code of src/domain that runs in a browser: whatever it imports at run time is of src/domain too. */
function reachesNoPackage(path: string, seen = new Set<string>()): boolean {
  if (seen.has(path)) return true;
  seen.add(path);
  const file = FILES.find((one) => one.path === path);
  if (file === undefined) return false;
  return file.imports
    .filter(({ isTypeOnly }) => !isTypeOnly)
    .every((imported) => {
      const target = targetOf(file, imported);
      return target?.startsWith('src/domain/') === true && reachesNoPackage(target, seen);
    });
}

test('house: the console imports itself, its packages, and of src only pure domain code and types of it', (t) => {
  t.true(CONSOLE.length >= 10, `${CONSOLE.length} files`);
  t.true(CONSOLE.flatMap(({ imports }) => imports).length >= 20);
  t.deepEqual(
    CONSOLE.flatMap((file) => file.imports.map((imported) => forbiddenInConsole(file, imported))).filter(
      (problem) => problem !== null,
    ),
    [],
  );
  const verdict = (code: string) =>
    forbiddenInConsole(
      { path: 'console/pages/x.tsx', floor: 'console', code, imports: [] },
      importsOf(code)[0] as Import,
    );
  t.not(verdict("import { startHttp } from '../../src/http/server.js';"), null);
  t.not(verdict("import type { HttpOptions } from '../../src/http/server.js';"), null);
  t.not(verdict("import { healthReportSchema } from '../../src/domain/health/health-schema.js';"), null);
  t.not(verdict("import { readFileSync } from 'node:fs';"), null);
  t.not(verdict("import { Type } from '#typebox';"), null);
  t.not(verdict("const rxjs = await import('rxjs');"), null);
  t.is(verdict("import type { HealthReport } from '../../src/domain/health/health-schema.js';"), null);
  t.is(verdict("import { BOARD_STATES } from '../../src/domain/board-codes.js';"), null);
  t.is(verdict("import { signal } from '@preact/signals';"), null);
});

test('house: nothing of src imports the console', (t) => {
  const ofConsole = FILES.flatMap((file) =>
    file.imports.filter((one) => targetOf(file, one)?.startsWith('console/')).map(() => file.path),
  );
  t.deepEqual(ofConsole, []);
});

test('house: every import that names a file names one that is there', (t) => {
  const paths = new Set([...FILES, ...CONSOLE].map((file) => file.path));
  const missing = [...FILES, ...CONSOLE].flatMap((file) =>
    file.imports.flatMap((imported) => {
      const target = targetOf(file, imported);
      return target === null || paths.has(target) || paths.has(`${target}x`) ? [] : [`${file.path} imports ${target}`];
    }),
  );
  t.deepEqual(missing, []);
});

test('house: every folder of src has a rule or belongs to the roof', (t) => {
  const floors = new Set(FILES.map((file) => file.floor));
  t.deepEqual(
    [...floors].filter((floor) => !ROOF.includes(floor) && !(floor in RULES)),
    [],
  );
});

const floorRule = test.macro<[floor: string, rule: Rule]>({
  exec(t, floor, rule) {
    const files = FILES.filter((file) => file.floor === floor);
    t.true(files.length > 0, `no file in src/${floor}`);
    t.deepEqual(
      files
        .flatMap((file) => file.imports.map((imported) => forbidden(file, imported, rule)))
        .filter((e) => e !== null),
      [],
    );
  },
  title: (_, floor, { floors, packages, typesOfPorts }) =>
    `house: ${floor} imports only itself${[...floors, ...packages].map((one) => `, ${one}`).join('')}${typesOfPorts ? ' and types of ports' : ''}`,
});
for (const [floor, rule] of Object.entries(RULES)) test(floorRule, floor, rule);

test('house: the rules refuse what they are for', (t) => {
  const file = (path: string): SourceFile => ({ path, floor: path.split('/')[1] ?? '', code: '', imports: [] });
  const verdict = (path: string, code: string) =>
    forbidden(file(path), importsOf(code)[0] as Import, RULES[path.split('/')[1] as string] as Rule);
  t.not(verdict('src/domain/x.ts', "import { readFileSync } from 'node:fs';"), null);
  t.not(verdict('src/domain/x.ts', "import type { Clock } from '../actors/ports/clock.js';"), null);
  t.not(verdict('src/machines/x.ts', "import type { Clock } from '../actors/ports/clock.js';"), null);
  t.not(verdict('src/actors/x.ts', "import { createSubjects } from '../nats/wire/subjects.js';"), null);
  t.not(verdict('src/nats/x.ts', "import { createApp } from '../http/app/app.js';"), null);
  t.not(verdict('src/nats/x.ts', "import { Target } from '../actors/target/target.js';"), null);
  t.not(verdict('src/nats/x.ts', "import {\n  Clock,\n  type Reply,\n} from '../actors/ports/clock.js';"), null);
  t.not(verdict('src/http/x.ts', "export * from '../actors/ports/clock.js';"), null);
  t.not(verdict('src/http/x.ts', "const app = await import('../nats/wire/subjects.js');"), null);
  t.not(verdict('src/http/x.ts', "import 'rxjs';"), null);
  t.not(verdict('src/http/x.ts', "import '#rxjs';"), null);
  t.not(verdict('src/telemetry/x.ts', "import type { Clock } from '../actors/ports/clock.js';"), null);
  t.is(verdict('src/nats/x.ts', "import { type Clock, type Reply } from '../actors/ports/clock.js';"), null);
  t.is(verdict('src/nats/x.ts', "import type { Clock } from '../actors/ports/clock.js';"), null);
  t.is(verdict('src/nats/x.ts', "import { connect } from '#@nats-io/transport-node';"), null);
  t.not(verdict('src/db/x.ts', "import { openEmbedded } from '../embedded/postgres/embedded.js';"), null);
  t.not(verdict('src/nats/x.ts', "import type { Config } from '../config/config.js';"), null);
  t.is(verdict('src/domain/x.ts', "import { Compile } from '#typebox/compile';"), null);
});

const BUNDLED_PACKAGES = new Set(BUNDLES.map(packageOf));

/** What is wrong with how a bundled library is imported; null where nothing is. */
function pastTheBundle(specifier: string): string | null {
  if (specifier.startsWith('#')) return BUNDLES.includes(specifier.slice(1)) ? null : `${specifier} is not bundled`;
  return BUNDLED_PACKAGES.has(packageOf(specifier))
    ? `${specifier} is loaded a second time: it is #${specifier}`
    : null;
}

test('house: a library that is bundled is imported by the name of its bundle, so that there is one of it', (t) => {
  const files = ['src', 'test', 'bench'].flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => join(folder, name)),
  );
  t.true(files.length > 200);
  const imports = files.flatMap((path) =>
    [
      ...withoutComments(readFileSync(join(ROOT, path), 'utf8')).matchAll(
        /(?:\bfrom |\bimport |\bimport\(|\brequire\(|\)\()'([^'\n]+)'/g,
      ),
    ].map(([, specifier = '']) => ({ path, specifier })),
  );
  const bundled = imports.filter(({ specifier }) => specifier.startsWith('#'));
  t.deepEqual([...new Set(bundled.map(({ specifier }) => specifier.slice(1)))].sort(), [...BUNDLES].sort());
  const ofThisFile = join('test', 'architecture.test.ts');
  t.deepEqual(
    imports.flatMap(({ path, specifier }) => (path === ofThisFile ? [] : (pastTheBundle(specifier) ?? []))),
    [],
  );
});

test('house: a test that is skipped says why, by the helper that puts the reason into its title', (t) => {
  const files = readdirSync(join(ROOT, 'test'), { recursive: true, encoding: 'utf8' }).filter((name) =>
    name.endsWith('.ts'),
  );
  t.true(files.length > 100);
  const skipping = files.filter((name) =>
    /\b(?:test|serial)\.skip\b/.test(withoutComments(readFileSync(join(ROOT, 'test', name), 'utf8'))),
  );
  t.deepEqual(skipping, [join('helpers', 'skip.ts')]);
});

test('house: a bundled library under its own name would be found', (t) => {
  t.is(pastTheBundle('#typebox/value'), null);
  t.is(pastTheBundle('xstate'), null);
  t.is(pastTheBundle('node:fs'), null);
  for (const wrong of ['typebox', 'typebox/format', '#xstate', '#typebox/format', '@nats-io/nats-core'])
    t.not(pastTheBundle(wrong), null, wrong);
});

const IMPURE =
  /\b(Date\.now|new Date\(\)|performance\.now|Math\.random|setTimeout|setInterval|setImmediate|queueMicrotask|process\.|console\.|fetch\()/g;

const pure = test.macro<[floor: string]>({
  exec(t, floor) {
    const files = FILES.filter((file) => file.floor === floor);
    t.true(files.length > 0);
    t.deepEqual(
      files.flatMap((file) => [...file.code.matchAll(IMPURE)].map((match) => `${file.path}: ${match[0]}`)),
      [],
    );
  },
  title: (_, floor) => `house: ${floor} reads no clock, no randomness and no process; those are arguments`,
});
test(pure, 'domain');
test(pure, 'machines');

/** The process of the command itself. `kill` with signal 0 asks the system whether a process runs. */
const OF_THE_PROCESS = ['src/cli/extreg.ts', 'src/cli/process/process-io.ts', 'src/cli/process/signals.ts'];
const PROCESS_USE = /\bprocess\.(?!kill\(pid, 0\))\w+|\bconsole\.\w+|'node:process'/g;

test('house: a command takes its input, output, environment and signals as arguments, not from the process', (t) => {
  const uses = (file: SourceFile) => [...file.code.matchAll(PROCESS_USE)].map((match) => `${file.path}: ${match[0]}`);
  const files = FILES.filter((file) => file.floor === 'cli');
  const isExempt = (file: SourceFile) => OF_THE_PROCESS.includes(file.path);
  t.is(files.filter(isExempt).length, OF_THE_PROCESS.length);
  t.true(files.filter(isExempt).every((file) => uses(file).length > 0));
  t.deepEqual(files.filter((file) => !isExempt(file)).flatMap(uses), []);
});

test('MAIN-4: the overview of the commands loads commander alone; the rest is loaded by the command that needs it', (t) => {
  const file = (path: string) => FILES.find((one) => one.path === path) as SourceFile;
  const isDynamic = (imported: Import) => imported.isDynamic === true;
  // The table names each command's file, and loads none.
  const table = 'src/cli/command-table.ts';
  t.true(file(table).imports.filter(isDynamic).length > 20);
  const loaded = new Set(['src/cli/extreg.ts', 'src/cli/main.ts', 'src/cli/process/process-io.ts']);
  const packages = new Set<string>();
  for (const path of loaded)
    for (const imported of file(path).imports.filter((one) => !one.isTypeOnly && !isDynamic(one))) {
      const target = targetOf(file(path), imported);
      if (target !== null) loaded.add(target);
      else if (!imported.specifier.startsWith('node:')) packages.add(imported.specifier.replace(/^#/, ''));
    }
  t.deepEqual([...packages], ['commander']);
  t.true(loaded.has(table));
  t.deepEqual(
    [...loaded].filter((path) => path.startsWith('src/cli/commands/')),
    [],
  );
});

test('house: the search for impurity finds it in code and not in comments', (t) => {
  const found = (code: string) => withoutComments(code).match(IMPURE) ?? [];
  t.deepEqual(found('const now = Date.now();'), ['Date.now']);
  t.deepEqual(found('// Date.now()\n/* Math.random() */ x(); // console.log'), []);
  t.deepEqual(found("const url = 'http://x'; setTimeout(f, 1);"), ['setTimeout']);
});

/** Each circle of imports once, as the paths it goes through. */
function circles(edges: ReadonlyMap<string, readonly string[]>): string[][] {
  const found: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (node: string): void => {
    if (path.includes(node)) found.push([...path.slice(path.indexOf(node)), node]);
    if (done.has(node) || path.includes(node)) return;
    path.push(node);
    for (const next of edges.get(node) ?? []) visit(next);
    path.pop();
    done.add(node);
  };
  for (const node of edges.keys()) visit(node);
  return found;
}

test('house: no imports that are left at run time go in a circle', (t) => {
  const edges = new Map(
    FILES.map((file) => [
      file.path,
      file.imports
        .filter((imported) => !imported.isTypeOnly)
        .map((imported) => targetOf(file, imported))
        .filter((target) => target !== null),
    ]),
  );
  t.true([...edges.values()].flat().length >= 60);
  t.deepEqual(circles(edges), []);
});

test('house: a circle would be found', (t) => {
  const edges = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', ['a']],
    ['d', []],
  ]);
  t.deepEqual(circles(edges), [['a', 'b', 'c', 'a']]);
});

// The rules of scripts/house.mjs: rooms and their directions, lengths, dead exports, ids. Each with a house that breaks it.
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import test from 'ava';

interface SourceFile {
  readonly path: string;
}

interface House {
  readonly ROOMS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>>;
  readHouse(): SourceFile[];
  readersOfHouse(): [path: string, code: string][];
  sourceFile(path: string, code: string): SourceFile;
  wrongDirections(files: readonly SourceFile[]): string[];
  unusedPermissions(files: readonly SourceFile[], rooms?: House['ROOMS']): string[];
  twoWayPairs(files: readonly SourceFile[]): string[];
  hiddenImports(files: readonly SourceFile[]): string[];
  tooLong(files: readonly SourceFile[]): string[];
  deadExports(files: readonly SourceFile[], readers: readonly [string, string][]): string[];
  ambiguousIds(files: readonly SourceFile[]): string[];
  unknownIds(files: readonly SourceFile[], readers: readonly [string, string][]): string[];
  bannedWords(files: readonly SourceFile[], pages: readonly [string, string][]): string[];
  readPages(): [path: string, text: string][];
  functionsOf(file: SourceFile): { readonly name: string; readonly length: number }[];
}

const script = join(dirname(fileURLToPath(import.meta.url)), '..', '..', 'scripts', 'house.mjs');
const house = (await import(pathToFileURL(script).href)) as House;
const FILES = house.readHouse();
const file = house.sourceFile;

test('house: every file lies in a room, and imports of its floor only rooms that it may', (t) => {
  t.true(FILES.length > 200, `${FILES.length} files`);
  for (const path of ['domain/breaker/trip.ts', 'console/app/main.tsx', 'console/app/routes.ts'])
    t.true(
      FILES.some((one) => one.path === path),
      path,
    );
  t.deepEqual(house.wrongDirections(FILES), []);
  t.deepEqual(house.wrongDirections([file('main.ts', '')]), ['main.ts lies on the roof: put it into a room']);
  t.regex(house.wrongDirections([file('actors/cellar/x.ts', '')])[0] ?? '', /the room actors\/cellar is not in ROOMS/);
  const target = file('actors/target/x.ts', "import { y } from '../routing/y.js';");
  t.deepEqual(house.wrongDirections([target, file('actors/routing/y.ts', '')]), [
    'actors/target/x.ts imports actors/routing/y.ts: actors/target may not import actors/routing',
  ]);
  for (const code of [
    "const y = await import('../routes/y.js');",
    "const y = await import(\n  '../routes/y.js'\n);",
    "type Y = import('../routes/y.js').Y;",
    "import type Y from '../routes/y.js';",
    "import '../routes/y.js';",
    "import * as y from '../routes/y.js';",
    "export { y } from '../routes/y.js';",
    "export type { Y } from '../routes/y.js';",
    "export * from '../routes/y.js';",
    "import {\n  y, // it's y\n  z,\n} from '../routes/y.js';",
    "import { y } from /* not './y.js' */ '../routes/y.js';",
  ])
    t.is(house.wrongDirections([file('http/app/x.ts', code), file('http/routes/y.ts', '')]).length, 1, code);
  const comment = file('http/app/x.ts', "// import { y } from '../routes/y.js';\n/*\nimport '../routes/y.js';\n*/\n");
  t.deepEqual(house.wrongDirections([comment, file('http/routes/y.ts', '')]), []);
  const page = file('console/parts/x.tsx', "import { y } from '../app/y.js';");
  t.deepEqual(house.wrongDirections([page, file('console/app/y.ts', '')]), [
    'console/parts/x.tsx imports console/app/y.ts: console/parts may not import console/app',
  ]);
});

test('house: what is imported stands in quotes, so that the rules see it', (t) => {
  t.deepEqual(house.hiddenImports(FILES), []);
  const hidden = (code: string) => house.hiddenImports([file('http/app/x.ts', code)]).length;
  t.is(hidden('await import(`../routes/y.js`);'), 1);
  t.is(hidden("await import('../routes/' + name);"), 1);
  t.is(hidden("const y = createRequire(import.meta.url)('../routes/y.js');"), 1);
  t.is(hidden("const y = require('../routes/y.js');"), 0);
  t.is(hidden("import y = require('../routes/y.js');"), 1);
  t.is(hidden("await import('./y.js'); createRequire(import.meta.url)('#yaml');"), 0);
});

test('house: the rooms of the table are there', (t) => {
  const paths = FILES.map(({ path }) => path);
  for (const [floor, rooms] of Object.entries(house.ROOMS))
    for (const room of Object.keys(rooms))
      t.true(
        paths.some((path) => dirname(path) === join(floor, room)),
        `${floor}/${room}`,
      );
});

test('house: the table allows no import that no file has', (t) => {
  t.deepEqual(house.unusedPermissions(FILES), []);
  const rooms = { db: { '': [], feed: ['', 'queries'], queries: [] } };
  const files = [
    file('db/feed/a.ts', "import { b } from '../b.js';"),
    file('db/b.ts', ''),
    file('db/queries/c.ts', ''),
  ];
  t.deepEqual(house.unusedPermissions(files, rooms), ['ROOMS allows db/feed to import db/queries']);
});

test('house: no two rooms import each other', (t) => {
  t.deepEqual(house.twoWayPairs(FILES), []);
  const pair = [
    file('nats/wire/a.ts', "import type { B } from '../../db/b.js';"),
    file('db/b.ts', "export * from '../nats/wire/a.js';"),
  ];
  t.deepEqual(house.twoWayPairs(pair), ['db and nats/wire import each other']);
});

const lines = (count: number, indent = '  '): string => `${indent}x();\n`.repeat(count);

test('house: functions of more than 60 lines and files of more than 300 say why', (t) => {
  t.deepEqual(house.tooLong(FILES), []);
  const long = (header: string, indent = '') => `${indent}${header}\n${lines(59, `${indent}  `)}${indent}}\n`;
  for (const [header, indent] of [
    ['function f() {', ''],
    ['export async function f(): Promise<void> {', ''],
    ['function* f() {', ''],
    ['const f = (x: number): void => {', ''],
    ['async f(x: number) {', '  '],
    ['*#f() {', '  '],
    ['constructor(x: number) {', '  '],
    ['get f() {', '  '],
    ['function f(\n  x: number,\n) {', ''],
    ['function f(): {\n  x: number;\n} {', ''],
    ['function f(x: number): Promise<{\n  x: number;\n}> {', ''],
    ['function f<\n  X extends number,\n>(x: X) {', ''],
    ['export default function () {', ''],
    ['const f = function () {', ''],
    ['const f = async (\n  x: number,\n): Promise<void> => {', ''],
    ['const f = x(({ y }) => {', ''],
    ['x.on("y", async (z) => {', '  '],
    ['return (x) => {', '  '],
    ['readonly #f = (x: number) => {', '  '],
    ['f: async (x: number) => {', '  '],
    ['export const f = () => ({', ''],
    ['public static async f<X>(\n    x: X,\n  ): Promise<void> {', '  '],
    ['async [Symbol.asyncDispose]() {', '  '],
    ["'f'(x: number) {", '  '],
    ['static {', '  '],
    ['accessor(x: number) { // no comment hides it', '  '],
  ] as const) {
    t.is(house.tooLong([file('db/x.ts', long(header, indent))]).length, 1, header);
    t.is(
      house.tooLong([file('db/x.ts', `// Long: a table.\n${long(header, indent)}`)]).length,
      0,
      `${header} with why`,
    );
  }
  t.deepEqual(house.tooLong([file('db/x.ts', `function f() {\n${lines(58)}}\n`)]), []);
  const chain = `const f = (x: X) =>\n  x\n${lines(59, '    .')}`;
  t.is(house.tooLong([file('db/x.ts', `${chain}\nx();\n`)]).length, 1);
  for (const header of [
    'interface F {',
    'const x = {',
    'class X extends y(z) {',
    'if (x) {',
    'const x: Record<X, (y: Y) => Z> = {',
  ])
    t.deepEqual(house.tooLong([file('db/x.ts', `${header}\n${lines(90)}}\n`)]), [], header);
  t.is(house.tooLong([file('db/x.ts', `// Long:\n${long('function f() {')}`)]).length, 1);
  t.is(house.tooLong([file('db/x.ts', `const why = '// Long: a text';\n${long('function f() {')}`)]).length, 1);
  t.is(house.tooLong([file('db/x.ts', '\n'.repeat(301))]).length, 1);
  t.is(house.tooLong([file('db/x.ts', `// Long: a table.\n${'\n'.repeat(301)}`)]).length, 0);
  t.is(house.tooLong([file('db/x.ts', `x();\n// Long: a function.\n${'\n'.repeat(301)}`)]).length, 1);
});

test('house: an id is made of the name of its file, stated once, and known where it is cited', (t) => {
  t.deepEqual(house.ambiguousIds(FILES), []);
  t.deepEqual(house.unknownIds(FILES, house.readersOfHouse()), []);
  const twice = [file('db/x.ts', '// X-1. It is.\n'), file('nats/x.ts', '// X-1. It is not.\n')];
  t.deepEqual(house.ambiguousIds(twice), ['X-1 is stated by db/x.ts, nats/x.ts']);
  t.deepEqual(house.unknownIds([file('db/call.ts', '// R1. Once.\n')], []), [
    'db/call.ts states R1, which is not made of its name',
  ]);
  const stating = [file('db/call.ts', '// CALL-1. Once.\n')];
  const cited = 'CALL';
  t.deepEqual(house.unknownIds(stating, [['test/x.ts', `test('${cited}-2: twice')`]]), [
    'test/x.ts cites CALL-2, which no file states',
  ]);
  t.deepEqual(house.unknownIds(stating, [['test/x.ts', `test('${cited}-1: once, in UTF-8')`]]), []);
  t.is(house.unknownIds(stating, [['docs/x.md', `${cited}S-1 holds`]]).length, 1, 'a name that no file has any more');
  t.is(house.unknownIds([file('db/call.ts', `// RE${cited}-1. Once.\n`)], []).length, 1);
  t.is(house.unknownIds([file('db/call.ts', `// ROUTING-${cited}-1. Once.\n`)], []).length, 0);
});

test('house: comments, texts and pages use the words of the field', (t) => {
  t.deepEqual(house.bannedWords(FILES, house.readPages()), []);
  const says = (code: string) => house.bannedWords([file('db/x.ts', code)], []).length;
  t.is(says('// Whoever calls is told.\n'), 2);
  t.is(says('/** What is owed. */\n'), 1);
  t.is(says("const x = 'nobody is there';\n"), 1);
  t.is(says('const owed = told; // reckoned\n'), 1);
  t.is(says('const owed = told; //reckoned\n'), 1);
  t.is(says("const x = ['a', 'nobody is there'];\n"), 1);
  t.is(says("const x = who ?? 'Somebody';\n"), 1);
  t.is(says("const x = 'nobody is there'; // a note\n"), 1);
  t.is(says('const x = "it\'s owed";\n'), 1);
  t.is(says(`const x = \`\${y ? 'a' : "it's told"} SOMEBODY \${z}\`;\n`), 2);
  t.is(says('const x = `a\n  told twice\n`;\n'), 1);
  t.is(says('x(/* whoever */ y);\n/*\n told\n*/\n'), 2);
  const shows = (code: string) => house.bannedWords([file('console/pages/x.tsx', code)], []).length;
  t.is(shows('const X = () => (\n  <p>\n    It is owed to <b>nobody</b>.\n  </p>\n);\n'), 2);
  t.is(shows('const X = ({ owed }) => <p>{owed} and {told}</p>;\nconst f = () => owed;\n'), 0);
  t.is(says('const x = /[\'"]/; // told\nconst y = a / b; // told\n'), 2);
  t.is(says("// `owed` is a member of the answer.\nconst owed = ['owed'];\n"), 0);
  t.deepEqual(house.bannedWords([], [['README.md', 'a\n```\ntold\n```\nSomebody `told`\n']]), [
    'README.md:5 says "Somebody"',
  ]);
});

test('house: what is exported is imported somewhere', (t) => {
  t.deepEqual(house.deadExports(FILES, house.readersOfHouse()), []);
  const dead = (code: string, user = '', reader = '') =>
    house.deadExports([file('db/x.ts', code), file('db/y.ts', user)], [['test/db/x.test.ts', reader]]);
  const both = 'export function used() {}\nexport type Unused = 1;\n';
  t.deepEqual(dead(both, "import { used } from './x.js';"), ['db/x.ts exports Unused, which nothing imports']);
  t.deepEqual(dead(both, "import { used } from './x.js';", "import type { Unused } from '../../src/db/x.js';"), []);
  t.deepEqual(dead(both, "import * as x from './x.js';"), []);
  t.is(
    dead(both, "import { used } from './x.js';\n// Unused\nconst Unused = 1;").length,
    1,
    'the word is not the import',
  );
  t.is(dead(both, "import { used, Unused } from './z.js';").length, 2, 'a name of another file');
  t.is(dead(both, "const { used } = await import('./x.js');").length, 1);
  for (const code of [
    'const a = 1;\nexport { a };',
    "export { a } from './z.js';",
    "export type { b as a } from './z.js';",
    'export default 1;',
    'export default function a() {}',
    'export const { b: a } = c;',
    "export * from './z.js';",
    'export async function* a() {}',
    'export abstract class a {}',
    'export const enum a {}',
  ])
    t.is(dead(code).length, 1, code);
  t.deepEqual(dead('export default 1;', "import a from './x.js';"), []);
  t.deepEqual(dead("export { a } from './z.js';", "export { a as b } from './x.js';"), [
    'db/y.ts exports b, which nothing imports',
  ]);
});

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
  twoWayPairs(files: readonly SourceFile[]): string[];
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
  t.deepEqual(house.wrongDirections(FILES), []);
  t.deepEqual(house.wrongDirections([file('main.ts', '')]), ['main.ts lies on the roof: put it into a room']);
  t.regex(house.wrongDirections([file('actors/cellar/x.ts', '')])[0] ?? '', /the room actors\/cellar is not in ROOMS/);
  const target = file('actors/target/x.ts', "import { y } from '../routing/y.js';");
  t.deepEqual(house.wrongDirections([target, file('actors/routing/y.ts', '')]), [
    'actors/target/x.ts imports actors/routing/y.ts: actors/target may not import actors/routing',
  ]);
  const dynamic = file('http/app/x.ts', "const y = await import('../routes/y.js');");
  t.is(house.wrongDirections([dynamic, file('http/routes/y.ts', '')]).length, 1);
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
  const long = (header: string, indent = '') => `${indent}${header}\n${lines(59)}${indent}}\n`;
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
  ] as const) {
    t.is(house.tooLong([file('db/x.ts', long(header, indent))]).length, 1, header);
    t.is(
      house.tooLong([file('db/x.ts', `// Long: a table.\n${long(header, indent)}`)]).length,
      0,
      `${header} with why`,
    );
  }
  t.deepEqual(house.tooLong([file('db/x.ts', `function f() {\n${lines(58)}}\n`)]), []);
  t.deepEqual(house.tooLong([file('db/x.ts', `interface F {\n${lines(90)}}\n`)]), []);
  t.is(house.tooLong([file('db/x.ts', '\n'.repeat(301))]).length, 1);
  t.is(house.tooLong([file('db/x.ts', `// Long: a table.\n${'\n'.repeat(301)}`)]).length, 0);
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
});

test('house: comments, texts and pages use the words of the field', (t) => {
  t.deepEqual(house.bannedWords(FILES, house.readPages()), []);
  const says = (code: string) => house.bannedWords([file('db/x.ts', code)], []).length;
  t.is(says('// Whoever calls is told.\n'), 2);
  t.is(says('/** What is owed. */\n'), 1);
  t.is(says("const x = 'nobody is there';\n"), 1);
  t.is(says('const owed = told; // reckoned\n'), 1);
  t.is(says("// `owed` is a member of the answer.\nconst owed = ['owed'];\n"), 0);
  t.deepEqual(house.bannedWords([], [['README.md', 'a\n```\ntold\n```\nSomebody `told`\n']]), [
    'README.md:5 says "Somebody"',
  ]);
});

test('house: what is exported is imported somewhere', (t) => {
  t.deepEqual(house.deadExports(FILES, house.readersOfHouse()), []);
  const files = [file('db/x.ts', 'export function used() {}\nexport type Unused = 1;\n'), file('db/y.ts', 'used();')];
  t.deepEqual(house.deadExports(files, []), ['db/x.ts exports Unused, which nothing imports']);
  t.deepEqual(house.deadExports(files, [['test/x.ts', 'type A = Unused']]), []);
});

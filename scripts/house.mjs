// The structure of src/ and console/ in numbers, and what is wrong with it: `npm run house` prints both, test/house.test.ts holds the rules.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { exportsOf, functionsOf, importsOf, partsOf, without } from './house-source.mjs';

export { functionsOf };

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Rooms of a floor, and which other rooms of their floor each may import. '' is the floor itself. Other floors: test/architecture.test.ts. */
export const ROOMS = {
  actors: {
    '': ['events', 'extension', 'management', 'ports', 'reporting', 'routing'],
    ports: [],
    access: ['ports'],
    fleet: ['ports'],
    target: ['ports'],
    extension: ['ports', 'target'],
    events: ['ports'],
    routing: ['extension', 'ports', 'target'],
    reporting: ['events', 'extension', 'ports', 'target'],
    management: ['events', 'extension', 'ports', 'target'],
  },
  cli: {
    '': ['commands', 'options', 'output', 'process'],
    process: [],
    output: [],
    options: ['process'],
    daemon: ['options', 'process'],
    registry: ['options', 'output', 'process'],
    doctor: ['daemon', 'options', 'process', 'registry'],
    commands: ['daemon', 'doctor', 'options', 'output', 'process', 'registry'],
  },
  config: { '': [] },
  console: {
    url: [],
    words: [],
    live: ['words'],
    parts: ['words'],
    actions: ['live', 'parts', 'words'],
    charts: ['live', 'parts', 'url', 'words'],
    statechart: ['live', 'parts', 'words'],
    inspect: ['live', 'parts', 'statechart', 'url', 'words'],
    pages: ['actions', 'charts', 'live', 'parts', 'statechart', 'url', 'words'],
    app: ['actions', 'inspect', 'live', 'pages', 'parts', 'url', 'words'],
  },
  daemon: { '': [] },
  db: { '': [], queries: [''], feed: ['', 'queries'], migrate: ['', 'queries'] },
  domain: {
    '': [],
    access: [],
    registry: [''],
    'registry-file': ['', 'registry'],
    breaker: ['', 'registry'],
    health: ['registry'],
    routing: ['', 'registry'],
    fleet: ['registry', 'routing'],
  },
  embedded: { nats: [], postgres: [] },
  http: { '': ['app', 'console', 'routes'], app: [], console: ['app'], routes: ['app'] },
  inspector: { '': [] },
  machines: { '': [] },
  nats: {
    '': ['connection', 'wire'],
    wire: [],
    connection: ['wire'],
    intake: ['connection', 'wire'],
    services: ['connection', 'intake', 'wire'],
    tracing: ['wire'],
    fleet: ['connection', 'wire'],
  },
  telemetry: { '': [], traces: [''] },
  webhooks: { '': [] },
};

const LONGEST_FUNCTION = 60;
const LONGEST_FILE = 300;

/**
 * @typedef {import('./house-source.mjs').Part} Part
 * @typedef {import('./house-source.mjs').Import} Import
 * @typedef {{ path: string, floor: string, room: string, code: string, parts: Part[], plain: string, lines: string[], bare: string[], imports: Import[] }} SourceFile
 * `path`: below src; `room`: within its floor, '' if it lies in the floor itself; `plain`: code without comments;
 * `bare`: lines without comments and texts; `imports`: what it imports of src.
 */

/**
 * Every file of src/ and console/, or of a folder that is laid out like src/. console/ is a floor of its own: its paths begin with it.
 * @returns {SourceFile[]}
 */
export function readHouse(folder = null) {
  if (folder !== null) return filesOf(folder);
  return withTsx([...filesOf(join(ROOT, 'src')), ...filesOf(join(ROOT, 'console'), 'console/')]);
}

function filesOf(folder, prefix = '') {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => /\.tsx?$/.test(name));
  return names.sort().map((name) => {
    const path = name.replaceAll('\\', '/');
    return sourceFile(`${prefix}${path}`, readFileSync(join(folder, path), 'utf8'));
  });
}

/** An import says `.js` of both: what is no `.ts` is a `.tsx`. */
function withTsx(files) {
  const paths = new Set(files.map(({ path }) => path));
  const found = (path) => (!paths.has(path) && paths.has(`${path}x`) ? `${path}x` : path);
  return files.map((file) => ({ ...file, imports: file.imports.map((one) => ({ ...one, path: found(one.path) })) }));
}

/** @returns {SourceFile} */
export function sourceFile(path, code) {
  const [floor = '', ...rest] = path.split('/');
  const room = rest.slice(0, -1).join('/');
  const parts = partsOf(code);
  const plain = without(
    code,
    parts.filter(({ kind }) => kind === 'comment'),
  );
  const bare = without(code, parts)
    .split('\n')
    .map((line) => line.trimEnd());
  const imports = importsOf(pathInRepository(path), plain);
  return {
    path,
    floor: rest.length === 0 ? '' : floor,
    room,
    code,
    parts,
    plain,
    lines: code.split('\n'),
    bare,
    imports,
  };
}

/** console/ lies beside src/. */
const pathInRepository = (path) => (path.startsWith('console/') ? path : `src/${path}`);

const roomName = ({ floor, room }) => (room === '' ? floor : `${floor}/${room}`);

/** Arrows between rooms: who imports whom, by a name like `actors/target`. @returns {Map<string, Set<string>>} */
export function arrows(files) {
  const rooms = new Map(files.map((file) => [file.path, roomName(file)]));
  const found = new Map();
  for (const file of files)
    for (const { path } of file.imports) {
      const [from, to] = [roomName(file), rooms.get(path)];
      if (to === undefined || to === from) continue;
      if (!found.has(from)) found.set(from, new Set());
      found.get(from).add(to);
    }
  return found;
}

/** Rooms that import a room of their floor which ROOMS does not give them, rooms that it does not know, and files on the roof. */
export function wrongDirections(files, rooms = ROOMS) {
  const byPath = new Map(files.map((file) => [file.path, file]));
  return files.flatMap((file) => {
    if (file.floor === '') return [`${file.path} lies on the roof: put it into a room`];
    const allowed = rooms[file.floor]?.[file.room];
    if (allowed === undefined) return [`${file.path}: the room ${roomName(file)} is not in ROOMS of scripts/house.mjs`];
    return file.imports.flatMap(({ path }) => {
      const other = byPath.get(path);
      if (other === undefined || other.floor !== file.floor || other.room === file.room) return [];
      return allowed.includes(other.room)
        ? []
        : [`${file.path} imports ${path}: ${roomName(file)} may not import ${roomName(other)}`];
    });
  });
}

/** What ROOMS allows and no file does: it would let a wrong import pass. */
export function unusedPermissions(files, rooms = ROOMS) {
  const all = arrows(files);
  return Object.entries(rooms).flatMap(([floor, allowed]) =>
    Object.entries(allowed).flatMap(([room, others]) =>
      others
        .filter((other) => !all.get(roomName({ floor, room }))?.has(roomName({ floor, room: other })))
        .map((other) => `ROOMS allows ${roomName({ floor, room })} to import ${roomName({ floor, room: other })}`),
    ),
  );
}

/** Rooms that import each other, whichever floors they are of. */
export function twoWayPairs(files) {
  const all = arrows(files);
  return [...all].flatMap(([from, targets]) =>
    [...targets].filter((to) => from < to && all.get(to)?.has(from)).map((to) => `${from} and ${to} import each other`),
  );
}

/** An import whose file cannot be read from the line: the rules would not see it. */
export const hiddenImports = (files) =>
  files
    .filter(({ plain }) =>
      /\b(?:import|require)\((?!\s*['"][^'"]*['"]\s*\))|\bcreateRequire\((?!import\.meta\.url\)\('#)|^import \w+ = /m.test(
        plain,
      ),
    )
    .map(({ path }) => `${path} imports something that is not named by a text in quotes`);

const WHY = /\bLong: \S/;

/** The comments before the first line of code. */
const headOf = ({ lines }) =>
  lines.slice(
    0,
    lines.findIndex((line) => line !== '' && !/^(?:\/\/|\/\*| \*)/.test(line)),
  );

/** Functions and files that are too long without a line that says why: `// Long: …`. */
export function tooLong(files) {
  const functions = files
    .flatMap(functionsOf)
    .filter(({ length, comment }) => length > LONGEST_FUNCTION && !(/^\s*\/?[/*]/.test(comment) && WHY.test(comment)))
    .map(
      ({ path, line, name, length }) =>
        `${path}:${line} ${name} has ${length} lines: at most ${LONGEST_FUNCTION}, or a line "// Long: why" before it`,
    );
  const whole = files
    .filter(({ lines }) => lines.length - 1 > LONGEST_FILE && !headOf({ lines }).some((line) => WHY.test(line)))
    .map(
      ({ path, lines }) =>
        `${path} has ${lines.length - 1} lines: at most ${LONGEST_FILE}, or a line "// Long: why" in its header`,
    );
  return [...functions, ...whole];
}

/** What describes something whole, whoever reads which part of it. */
const WHOLE = ['db/schema.ts'];

/**
 * Exports that no other file imports: neither one of src/, nor `readers` (tests, benchmarks, scripts). A file that imports
 * dynamically, or that has the path of the compiled file in a text, uses the exports that it mentions.
 */
export function deadExports(files, readers) {
  const importers = new Map(files.map(({ path }) => [path, []]));
  const note = (from, code, plain, imports) => {
    for (const { names, path } of imports) if (path !== from) importers.get(path)?.push({ names, plain });
    for (const [, path] of code.matchAll(/['"`/]((?:[\w-]+\/)+[\w-]+)\.js\b/g))
      importers.get(`${path.replace(/^.*\bsrc\//, '')}.ts`)?.push({ names: 'mentioned', plain });
  };
  for (const { path, code, plain, imports } of files) note(path, code, plain, imports);
  for (const [path, code] of readers) note(path, code, code, importsOf(path, code));
  const isUsed = (path, name) =>
    importers.get(path).some(({ names, plain }) => {
      if (names === 'all') return true;
      return names === 'mentioned' ? new RegExp(`\\b${name}\\b`).test(plain) : names.includes(name);
    });
  return files.flatMap(({ path, plain }) =>
    (WHOLE.includes(path) ? [] : exportsOf(plain)).flatMap((name) => {
      if (name === '*') return [`${path} exports everything of another file: name what is exported`];
      return isUsed(path, name) ? [] : [`${path} exports ${name}, which nothing imports`];
    }),
  );
}

/** What tests, benchmarks, examples and scripts hold, by path. */
export function readersOfHouse() {
  const read = (folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|mjs)$/.test(name) && !name.includes('node_modules'))
      .map((name) => [`${folder}/${name}`, readFileSync(join(ROOT, folder, name), 'utf8')]);
  return ['test', 'bench', 'scripts'].flatMap(read);
}

/** `CALL-2. …` at the head of a file. `R1. …` is how they were written before, and what no file may go back to. */
const ID = /^\/\/ ((?:[A-Z]+-)+\d+|[A-Z]{1,2}\d{1,2})\. /gm;
const CITED = /(?<![\w-])((?:[A-Z]{2,}-)(?:[A-Z]+-)*\d+)(?![\w.-])/g;
const NO_INVARIANTS = new Set(['UTF', 'ADR', 'GPL']);

const prefixOf = (id) => id.replace(/-\d+$/, '');

/** Every invariant that a file of src/ states, with the files that state it. @returns {Map<string, string[]>} */
export function statedIds(files) {
  const stated = new Map();
  for (const { path, code } of files)
    for (const [, id] of code.matchAll(ID)) stated.set(id, [...(stated.get(id) ?? []), path]);
  return stated;
}

export const ambiguousIds = (files) =>
  [...statedIds(files)]
    .filter(([, paths]) => paths.length > 1)
    .map(([id, paths]) => `${id} is stated by ${paths.join(', ')}`);

/** Ids that are not made of the name of the file that states them, and citations of ids that no file states. */
export function unknownIds(files, readers) {
  const stated = statedIds(files);
  const misnamed = [...stated].flatMap(([id, paths]) =>
    paths
      .filter(
        (path) =>
          !`-${prefixOf(id)}`.endsWith(
            `-${path
              .split('/')
              .at(-1)
              .replace(/\.tsx?$/, '')
              .toUpperCase()}`,
          ),
      )
      .map((path) => `${path} states ${id}, which is not made of its name`),
  );
  const texts = [...files.map(({ path, code }) => [path, code]), ...readers];
  const byReaders = new Set(readers.flatMap(([, code]) => [...code.matchAll(ID)].map(([, id]) => id)));
  const unknown = texts.flatMap(([path, code]) =>
    [...new Set(code.match(CITED))]
      .filter((id) => !stated.has(id) && !byReaders.has(id) && !NO_INVARIANTS.has(prefixOf(id)))
      .map((id) => `${path} cites ${id}, which no file states`),
  );
  return [...misnamed, ...unknown];
}

/** Words that a reader of another project's documentation would not search for; ARCHITECTURE.md has those that are used instead. */
const BANNED = /\b(told|whoever|somebody|nobody|reckon(?:s|ed|ing)?|owe[sd]?)\b/gi;

/** What a page shows stands between tags. */
const BETWEEN_TAGS = /(?<=[^=]>|\})[^<>{};=]*[a-z][^<>{};=]*(?=[<{])/gi;

function textsBetweenTags({ path, plain }) {
  if (!path.endsWith('.tsx')) return [];
  return [...plain.matchAll(BETWEEN_TAGS)].map(({ index, 0: text }) => ({
    kind: 'text',
    start: index,
    end: index + text.length,
  }));
}

/** Prose of a source file: its comments and texts, but for the member `owed` of answers. @returns {[line: number, text: string][]} */
function proseOf(file) {
  const { code, parts } = file;
  return [...parts, ...textsBetweenTags(file)]
    .map(({ kind, start, end }) => ({
      kind,
      text: code.slice(start, end),
      line: code.slice(0, start).split('\n').length,
    }))
    .filter(({ kind, text }) => kind === 'comment' || text !== 'owed')
    .flatMap(({ text, line }) => text.split('\n').map((one, at) => [line + at, one]));
}

/** Prose of a page: without code blocks. @returns {[line: number, text: string][]} */
function proseOfPage(page) {
  let isCode = false;
  return page.split('\n').flatMap((line, at) => {
    const isFence = /^\s*```/.test(line);
    if (isFence) isCode = !isCode;
    return isFence || isCode ? [] : [[at + 1, line]];
  });
}

/** `pages`: Markdown by path. */
export function bannedWords(files, pages) {
  const prose = [
    ...files.map((file) => [pathInRepository(file.path), proseOf(file)]),
    ...pages.map(([path, text]) => [path, proseOfPage(text)]),
  ];
  return prose.flatMap(([path, lines]) =>
    lines.flatMap(([line, text]) =>
      [...text.replace(/`[^`]*`/g, '').matchAll(BANNED)].map(([word]) => `${path}:${line} says "${word}"`),
    ),
  );
}

/** Records that were written before the rule stay as they were. */
const FIRST_RECORD_IN_PLAIN_WORDS = 24;

/** The pages of the project. @returns {[path: string, text: string][]} */
export function readPages() {
  const names = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .filter((name) => {
      const [, number] = /^decisions\/(\d+)/.exec(name) ?? [];
      return number === undefined || Number(number) >= FIRST_RECORD_IN_PLAIN_WORDS;
    })
    .map((name) => `docs/${name}`);
  return ['README.md', 'ARCHITECTURE.md', ...names].map((name) => [name, readFileSync(join(ROOT, name), 'utf8')]);
}

/** The numbers of the table in ARCHITECTURE.md. */
export function houseNumbers(files, readers) {
  const all = arrows(files);
  const within = (floor) => {
    const isOf = (room) => room === floor || room.startsWith(`${floor}/`);
    return [...all].filter(([from]) => isOf(from)).reduce((sum, [, to]) => sum + [...to].filter(isOf).length, 0);
  };
  const functions = files.flatMap(functionsOf).sort((a, b) => b.length - a.length);
  const ids = statedIds(files);
  return {
    files: files.length,
    floors: new Set(files.map(({ floor }) => floor)).size,
    rooms: new Set(files.map(roomName)).size,
    arrows: [...all.values()].reduce((sum, to) => sum + to.size, 0),
    'arrows inside actors': within('actors'),
    'arrows inside domain': within('domain'),
    'arrows inside nats': within('nats'),
    'arrows inside db': within('db'),
    'arrows inside http': within('http'),
    'two-way pairs of rooms': twoWayPairs(files).length,
    'files on the roof': files.filter(({ floor }) => floor === '').length,
    'functions over 60 lines': functions.filter(({ length }) => length > LONGEST_FUNCTION).length,
    'largest function, lines': functions[0]?.length ?? 0,
    'files over 300 lines': files.filter(({ lines }) => lines.length - 1 > LONGEST_FILE).length,
    'invariant ids': ids.size,
    'ambiguous invariant ids': ambiguousIds(files).length,
    'banned words': bannedWords(files, readPages()).length,
    'dead exports': deadExports(files, readers).length,
  };
}

function main() {
  const files = readHouse();
  const readers = readersOfHouse();
  const before = JSON.parse(readFileSync(new URL('house.json', import.meta.url), 'utf8'));
  const numbers = houseNumbers(files, readers);
  const rows = Object.entries(numbers).map(([name, value]) => [
    name,
    String(value),
    String(before.numbers[name] ?? '-'),
  ]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column].length), 8));
  const line = ([name, now, then]) =>
    `${name.padEnd(widths[0])}  ${now.padStart(widths[1])}  ${then.padStart(widths[2])}`;
  console.log([line(['', 'now', before.release]), ...rows.map(line)].join('\n'));
  const largest = files
    .flatMap(functionsOf)
    .sort((a, b) => b.length - a.length)
    .slice(0, 10);
  console.log('\nLargest functions:');
  for (const { path, line: at, name, length } of largest)
    console.log(`  ${String(length).padStart(4)}  ${path}:${at} ${name}`);
  const problems = [
    ...wrongDirections(files),
    ...unusedPermissions(files),
    ...twoWayPairs(files),
    ...hiddenImports(files),
    ...tooLong(files),
    ...ambiguousIds(files),
    ...unknownIds(files, [...readers, ...readPages()]),
    ...bannedWords(files, readPages()),
    ...deadExports(files, readers),
  ];
  if (problems.length === 0) return;
  console.log(`\n${problems.length} problems:\n${problems.map((problem) => `  ${problem}`).join('\n')}`);
  process.exitCode = 1;
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) main();

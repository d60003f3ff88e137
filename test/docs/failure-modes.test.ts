// docs/failure-modes.md: every number that a test cites is explained there, and each row names the tests that cite it. UPDATE_DOCS=1
// writes the column of tests.
import { readdirSync, writeFileSync } from 'node:fs';
import test from 'ava';
import { readProjectFile } from './page.js';

const PAGE = 'docs/failure-modes.md';
const THIS_FILE = 'docs/failure-modes.test.ts';
const COUNT = 58;

/** A row: number, what happens elsewhere, what happens here, tests. */
const ROW = /^\| (\d+) \| (.+?) \| (.+?) \| (.*?) \|$/gm;

/** `FM 17, FM 18`, `FM 17, 19`. */
const citedIn = (text: string): number[] =>
  [...text.matchAll(/\bFM ?\d+(?:, (?:FM ?)?\d+)*/g)].flatMap(([cited]) => (cited.match(/\d+/g) ?? []).map(Number));

/** By number, the test files that cite it, in their order. */
function citations(): ReadonlyMap<number, readonly string[]> {
  const files = new Map<number, string[]>();
  const names = readdirSync('test', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.test.ts'));
  for (const name of names.filter((name) => name !== THIS_FILE).sort())
    for (const number of new Set(citedIn(readProjectFile(`test/${name}`))))
      files.set(number, [...(files.get(number) ?? []), `\`test/${name}\``]);
  return files;
}

test('docs/failure-modes.md: has every number that a test cites, and names the tests that cite it', (t) => {
  const cited = citations();
  const page = readProjectFile(PAGE);
  const rows = [...page.matchAll(ROW)].map(([, number]) => Number(number));
  t.deepEqual(
    rows,
    Array.from({ length: COUNT }, (_, i) => i + 1),
  );
  t.deepEqual(
    [...cited.keys()].filter((number) => !rows.includes(number)),
    [],
    'numbers that are cited, and not on the page',
  );
  const expected = page.replace(
    ROW,
    (_, number: string, elsewhere: string, here: string) =>
      `| ${number} | ${elsewhere} | ${here} | ${(cited.get(Number(number)) ?? []).join(', ')} |`,
  );
  if (process.env.UPDATE_DOCS === '1') writeFileSync(PAGE, expected);
  else t.is(page, expected);
  for (const number of rows) t.true(cited.has(number), `no test cites FM ${number}`);
});

test('failure modes: a list of numbers is read as a whole', (t) => {
  t.deepEqual(citedIn("'FM 17, 19: a stall' FM 1, FM 2: fifty, FM3 (FM 42)"), [17, 19, 1, 2, 3, 42]);
});

// docs/failure-modes.md: every number that a test cites is explained there, and every test that it names exists and is the one meant.
import { existsSync, readdirSync } from 'node:fs';
import test from 'ava';
import { readProjectFile } from './page.js';

interface Row {
  readonly number: number;
  readonly cells: readonly string[];
  readonly tests: readonly string[];
}

const ROWS: readonly Row[] = [...readProjectFile('docs/failure-modes.md').matchAll(/^\| (\d+) \| (.*) \|$/gm)].map(
  ([, number, row = '']) => {
    const cells = row.split(' | ');
    return {
      number: Number(number),
      cells,
      tests: [...(cells.at(-1) ?? '').matchAll(/`(.+?)`/g)].map(([, path = '']) => path),
    };
  },
);

/** `FM 17, FM 18`, `FM 17, 19`. */
const citedIn = (text: string): number[] =>
  [...text.matchAll(/\bFM ?\d+(?:, (?:FM ?)?\d+)*/g)].flatMap(([cited]) => (cited.match(/\d+/g) ?? []).map(Number));

const CITED = new Map(
  readdirSync('test', { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && name !== 'docs/failure-modes.test.ts')
    .map((name) => [`test/${name}`, new Set(citedIn(readProjectFile(`test/${name}`)))]),
);

test('docs/failure-modes.md: has 1 to 58 in order, each with what happens elsewhere, what happens here, and a test', (t) => {
  t.deepEqual(
    ROWS.map(({ number }) => number),
    Array.from({ length: 58 }, (_, i) => i + 1),
  );
  for (const { number, cells, tests } of ROWS) {
    t.is(cells.length, 3, `FM ${number}`);
    t.true(tests.length > 0, `FM ${number} names a test`);
  }
});

test('docs/failure-modes.md: every number that a test cites is there', (t) => {
  const known = new Set(ROWS.map(({ number }) => number));
  const cited = [...CITED].flatMap(([file, numbers]) => [...numbers].map((number) => ({ file, number })));
  t.true(cited.length > 100, 'the tests were looked at');
  t.deepEqual(
    cited.filter(({ number }) => !known.has(number)),
    [],
  );
});

test('docs/failure-modes.md: every test that it names exists, and one of each row cites its number', (t) => {
  for (const { number, tests } of ROWS) {
    for (const path of tests) t.true(existsSync(path), `FM ${number}: ${path}`);
    t.true(
      tests.some((path) => CITED.get(path)?.has(number)),
      `FM ${number} is cited by ${tests.join(', ')}`,
    );
  }
});

test('failure modes: a list of numbers is read as a whole', (t) => {
  t.deepEqual(citedIn("'FM 17, 19: a stall' FM 1, FM 2: fifty, FM3 (FM 42)"), [17, 19, 1, 2, 3, 42]);
});

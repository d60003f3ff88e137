import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { RESULTS_FILE, withSection } from '../../bench/results-file.js';
import { namesIn, sectionOf, tablesOf } from './results.js';

const BENCHMARK = fileURLToPath(new URL('../../bench/breaker-cost.js', import.meta.url));
const ROOT = (file: string): string => fileURLToPath(new URL(`../../../${file}`, import.meta.url));
const SHORT = ['--rounds', '1', '--turn-ms', '0.1', '--count', '100', '--idle-ms', '10', '--no-write'];

test('bench:breaker: a short run measures every row that bench/RESULTS.md shows', async (t) => {
  const { stdout } = await promisify(execFile)(process.execPath, [BENCHMARK, ...SHORT]);
  const tables = tablesOf(stdout);
  const rows = tables.flatMap((table) => table.rows);
  for (const [name, first = '', ...more] of rows) {
    t.regex(first, /^-?\d+(\.\d+)?$/, name);
    for (const figure of more) t.regex(figure, /^(-?\d+(\.\d+)?)?$/, name);
  }
  t.deepEqual(namesIn(tablesOf(sectionOf(readFileSync(RESULTS_FILE, 'utf8'), 'breaker'))), namesIn(tables));
  t.true(rows.length > 25);

  // What it counts there is what it finds elsewhere.
  const memory = tables.find(({ header }) => header.includes('timers'))?.rows ?? [];
  const timers = (whose: string) => new Set(memory.filter(([name]) => name?.startsWith(whose)).map(([, , n]) => n));
  t.deepEqual([timers('this daemon'), timers('opossum')], [new Set(['0']), new Set(['2'])]);
});

test('package.json: each script that runs a benchmark names one that is there, and RESULTS.md tells of it', (t) => {
  const { scripts } = JSON.parse(readFileSync(ROOT('package.json'), 'utf8')) as { scripts: Record<string, string> };
  const benchmarks = Object.entries(scripts).filter(([, command]) => command.includes('scripts/bench.mjs'));
  t.is(benchmarks.length, 11);
  for (const [script, command] of benchmarks) {
    t.true(existsSync(ROOT(`bench/${command.split(' ').at(-1)}.ts`)), command);
    t.true(readFileSync(RESULTS_FILE, 'utf8').includes(`Written by \`npm run ${script}\`.`), script);
  }
});

test('bench/RESULTS.md: a benchmark writes its own section and leaves the others alone', (t) => {
  const text = readFileSync(RESULTS_FILE, 'utf8');
  const changed = withSection(text, 'wire', 'new\n');
  t.is(sectionOf(changed, 'wire'), 'new\n');
  t.is(sectionOf(changed, 'breaker'), sectionOf(text, 'breaker'));
  t.is(withSection(changed, 'wire', sectionOf(text, 'wire')), text);
  t.throws(() => withSection(text, 'nobody', ''), { message: /nobody/ });
});

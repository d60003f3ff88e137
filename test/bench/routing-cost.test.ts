import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { RESULTS_FILE } from '../../bench/results-file.js';
import { BALANCERS } from '../../src/domain/registry/policy.js';
import { namesIn, sectionOf, tablesOf } from './results.js';

const BENCHMARK = fileURLToPath(new URL('../../bench/routing-cost.js', import.meta.url));

test('bench:routing: a short run measures every row that bench/RESULTS.md shows', async (t) => {
  const { stdout } = await promisify(execFile)(process.execPath, [
    BENCHMARK,
    ...['--rounds', '1', '--turn-ms', '0.1', '--no-write'],
  ]);
  const tables = tablesOf(stdout);
  for (const [name, ...figures] of tables.flatMap(({ rows }) => rows))
    for (const figure of figures) t.regex(figure, /^(\d+(\.\d)?|-)$/, name);
  t.deepEqual(namesIn(tablesOf(sectionOf(readFileSync(RESULTS_FILE, 'utf8'), 'routing'))), namesIn(tables));
  t.deepEqual(tables[0]?.header.slice(1, 4), [...BALANCERS]);
  t.deepEqual(
    tables[0]?.rows.map(([instances]) => instances),
    ['1', '3', '10', '100'],
  );
});

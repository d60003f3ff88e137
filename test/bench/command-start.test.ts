import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import test from 'ava';
import { RESULTS_FILE } from '../../bench/results-file.js';
import { copyEmbedded } from '../helpers/embedded-template.js';
import { namesIn, sectionOf, tablesOf } from './results.js';

const BENCHMARK = fileURLToPath(new URL('../../bench/command-start.js', import.meta.url));

test('bench:start: a short run measures every row that bench/RESULTS.md shows', async (t) => {
  t.timeout(120_000);
  const dataDir = mkdtempSync(join(tmpdir(), 'extreg-bench-'));
  t.teardown(() => rmSync(dataDir, { recursive: true, force: true }));
  await copyEmbedded(dataDir);
  const { stdout } = await promisify(execFile)(process.execPath, [
    BENCHMARK,
    ...['--rounds', '1', '--data-dir', dataDir, '--no-write'],
  ]);
  const tables = tablesOf(stdout);
  for (const [name, ...figures] of tables.flatMap(({ rows }) => rows))
    for (const figure of figures) t.regex(figure, /^\d+\.\d+$/, name);
  t.deepEqual(namesIn(tablesOf(sectionOf(readFileSync(RESULTS_FILE, 'utf8'), 'start'))), namesIn(tables));
  t.is(tables[0]?.rows.length, 8);
});

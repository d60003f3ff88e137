// docs/compatibility.md: each row has a verdict and says where to look, and what it refers to exists.
import { existsSync } from 'node:fs';
import test from 'ava';
import { EVENT_KINDS } from '../../src/domain/registry/events.js';
import { EXTENSION_METRICS } from '../../src/telemetry/extension-metrics.js';
import { DAEMON_METRICS } from '../../src/telemetry/metrics.js';
import { readProjectFile } from './page.js';

const PAGE = readProjectFile('docs/compatibility.md');
const ROWS = PAGE.split('\n')
  .filter((line) => /^\| (?!statement|---)/.test(line))
  .map((line) => line.slice(2, -2).split(' | '));

test('docs/compatibility.md: each row says whether its statement holds', (t) => {
  t.true(ROWS.length > 90);
  for (const [statement = '', verdict = '', ...where] of ROWS) {
    t.regex(verdict, /^(yes|differently: |not: |no statement about behaviour)/, statement);
    t.is(where.length, 1, statement);
  }
});

test('docs/compatibility.md: each test that it names exists', (t) => {
  const tests = [...PAGE.matchAll(/`(test\/[\w/.-]+\.test\.ts)`/g)].map(([, path = '']) => path);
  t.true(tests.length > 60);
  for (const path of tests) t.true(existsSync(path), path);
});

test('docs/compatibility.md: the metrics and events that it names exist', (t) => {
  const metrics = [...PAGE.matchAll(/`(extension_\w+(?:_total|_state|_rate|_latency_ms))\b/g)].map(
    ([, name = '']) => name,
  );
  t.true(metrics.length >= 6);
  for (const name of metrics.filter((name) => !name.includes('auto_disabled.')))
    t.true(Object.hasOwn(EXTENSION_METRICS, name) || Object.hasOwn(DAEMON_METRICS, name), name);
  for (const kind of ['circuit_opened', 'auto_disabled', 'auto_enabled', 'high_failure_rate'] as const) {
    t.true(PAGE.includes(`\`${kind}\``));
    t.true(EVENT_KINDS.includes(kind));
  }
});

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { parse } from '#yaml';
import { breakerDefaults, type Config, loadConfig } from '../../src/config/config.js';
import { SETTING_KEYS, settingOf } from '../../src/config/schema.js';
import { natsFiles } from '../../src/daemon/nats.js';
import { ERROR_TABLE, UNAVAILABLE_REASONS } from '../../src/domain/registry/errors.js';
import { parsePolicy } from '../../src/domain/registry/policy.js';
import {
  configurationTable,
  daemonMetricTable,
  documented,
  errorTable,
  extensionMetricTable,
  healthCheckTable,
  healthReportTable,
  httpErrorTable,
  oneHealthTable,
  policyTable,
  readDocument,
  reasonTable,
  reloadTable,
  sizingTable,
  subjectTable,
} from './tables.js';

const same = test.macro<[file: string, name: string, expected: string, rows: number]>({
  exec(t, file, name, expected, rows) {
    const { got, expected: wanted } = documented(file, name, expected);
    t.is(got, wanted);
    t.true(wanted.split('\n').length > rows, 'the table was looked at');
  },
  title: (_, file, name) => `docs/${file}: the table of ${name} is that of the code`,
});
test.serial(same, 'configuration.md', 'settings', configurationTable(), 40);
test.serial(same, 'operating.md', 'reload', reloadTable(), 5);
test.serial(same, 'operating.md', 'sizing', sizingTable(), 10);
test.serial(same, 'errors.md', 'errors', errorTable(), 9);
test.serial(same, 'errors.md', 'reasons', reasonTable(), 10);
test.serial(same, 'errors.md', 'http-errors', httpErrorTable(), 10);
test.serial(same, 'metrics.md', 'extension-metrics', extensionMetricTable(), 12);
test.serial(same, 'metrics.md', 'daemon-metrics', daemonMetricTable(), 12);

test.serial(same, 'health-checks.md', 'health-check', healthCheckTable(), 4);
test.serial(same, 'health.md', 'health-report', healthReportTable(), 30);
test.serial(same, 'health.md', 'health-extension', oneHealthTable(), 15);
test.serial(same, 'wire.md', 'subjects', subjectTable(), 9);
test.serial(same, 'policy.md', 'policy', policyTable(), 25);

test('docs/configuration.md: its example is a file that is accepted', (t) => {
  const [, example = ''] =
    /```yaml\n# extreg\.config\.yaml\n([\s\S]*?)```/.exec(readDocument('configuration.md')) ?? [];
  const { extension_registry: settings } = parse(example) as { extension_registry: Record<string, unknown> };
  t.true(Object.keys(settings).length > 3);
  t.notThrows(() => loadConfig({ flags: settings, env: {}, cwd: '/nonexistent' }));
});

test('docs/operating.md: the files that a reload reads again are all that settings name', (t) => {
  const named = SETTING_KEYS.filter((key) => settingOf(key).path === 'file');
  const config = Object.fromEntries(named.map((key) => [key, key])) as unknown as Config;
  // readCertificate of access.ts reads the other two.
  const read = [...Object.values(natsFiles(config)), 'http_tls_cert_file', 'http_tls_key_file'];
  t.deepEqual(read.sort(), [...named].sort());
});

test('docs/policy.md: its example is a policy that is accepted', (t) => {
  const [, example = ''] = /\|\| '(.*?)' where/.exec(readDocument('policy.md')) ?? [];
  t.deepEqual(parsePolicy(JSON.parse(example)), { policy: JSON.parse(example) });
});

test('docs/breaker.md: its numbers are the defaults of the configuration', (t) => {
  const config = loadConfig({ flags: {}, env: {}, cwd: '/nonexistent' });
  const b = breakerDefaults(config);
  const percent = (share: number): string => `${share * 100} %`;
  const page = readDocument('breaker.md');
  for (const sentence of [
    `at ${b.failure_threshold} failures in ${b.window_seconds} s that are also ${percent(b.failure_rate_floor)} of the outcomes`,
    `above ${percent(b.error_rate_threshold)} failures from ${b.minimum_volume} outcomes on`,
    `no responders for less than ${config.absence_grace_seconds} s`,
    `${b.open_seconds} s, doubled for each trip in a row up to ${b.open_max_seconds} s`,
    `${b.half_open_max_requests} probes at a time; ${b.half_open_successes} successes close it`,
    `limited to ${b.half_open_max_requests} and one more per success, until as many pass as before, for ${b.recovery_ramp_seconds} s at most`,
    `After ${b.ejection_seconds} s, doubled up to ${b.ejection_seconds * 10} s`,
  ])
    t.true(page.includes(sentence), sentence);
});

test('docs/errors.md: its example has a code and a reason of the tables', (t) => {
  const [, example = '{}'] = /```json\n([\s\S]*?)```/.exec(readDocument('errors.md')) ?? [];
  const { error } = JSON.parse(example) as { error: { code: string; details: { reason: string }; retryable: unknown } };
  t.true(Object.hasOwn(ERROR_TABLE, error.code));
  t.true(Object.hasOwn(UNAVAILABLE_REASONS, error.details.reason));
  t.deepEqual(Object.keys(error), ['code', 'message', 'extension_id', 'retryable', 'retry_after_ms', 'details']);
});

test('ARCHITECTURE.md: its invariants are those that the files of domain, machines, actors and inspector state', (t) => {
  const page = readDocument('../ARCHITECTURE.md');
  const listed = new Map<string, string[]>();
  for (const [, letters, first, last, cell = ''] of page.matchAll(
    /^\| ([A-Z]+(?:-[A-Z]+)*)-(\d+)(?:–(\d+))? \| (.+?) \|/gm,
  )) {
    const numbers = Array.from({ length: Number(last ?? first) - Number(first) + 1 }, (_, i) => Number(first) + i);
    const files = [...cell.matchAll(/`(.+?)`/g)].map(([, file]) => file).join();
    listed.set(files, [...(listed.get(files) ?? []), ...numbers.map((number) => `${letters}-${number}`)]);
  }
  // console/ lies beside src/.
  const folder = (path: string) => (path.startsWith('console/') ? '' : 'src/');
  const source = (path: string) => fileURLToPath(new URL(`../../../${folder(path)}${path}`, import.meta.url));
  const statedBy = (file: string) =>
    [...readFileSync(source(file), 'utf8').matchAll(/^\/\/ ([A-Z]+(?:-[A-Z]+)*-\d+)\./gm)].map(([, id]) => id);
  for (const [files, ids] of listed) t.deepEqual(files.split(',').flatMap(statedBy), ids, files);
  const all = ['domain', 'machines', 'actors', 'inspector'].flatMap((floor) =>
    readdirSync(source(floor), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => `${floor}/${name}`),
  );
  const stating = all.filter((file) => statedBy(file).length > 0);
  t.deepEqual(
    stating.filter((file) => ![...listed.keys()].join().split(',').includes(file)),
    [],
  );
  t.true(stating.length > 25, 'the files were looked at');
});

import test from 'ava';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config.js';
import { ERROR_TABLE, UNAVAILABLE_REASONS } from '../../src/domain/errors.js';
import {
  configurationTable,
  daemonMetricTable,
  documented,
  errorTable,
  extensionMetricTable,
  httpErrorTable,
  readDocument,
  reasonTable,
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
test.serial(same, 'errors.md', 'errors', errorTable(), 9);
test.serial(same, 'errors.md', 'reasons', reasonTable(), 10);
test.serial(same, 'errors.md', 'http-errors', httpErrorTable(), 10);
test.serial(same, 'metrics.md', 'extension-metrics', extensionMetricTable(), 12);
test.serial(same, 'metrics.md', 'daemon-metrics', daemonMetricTable(), 12);

test('docs/configuration.md: its example is a file that is accepted', (t) => {
  const [, example = ''] =
    /```yaml\n# extreg\.config\.yaml\n([\s\S]*?)```/.exec(readDocument('configuration.md')) ?? [];
  const { extension_registry: settings } = parse(example) as { extension_registry: Record<string, unknown> };
  t.true(Object.keys(settings).length > 3);
  t.notThrows(() => loadConfig({ flags: settings, env: {}, cwd: '/nonexistent' }));
});

test('docs/errors.md: its example has a code and a reason of the tables', (t) => {
  const [, example = '{}'] = /```json\n([\s\S]*?)```/.exec(readDocument('errors.md')) ?? [];
  const { error } = JSON.parse(example) as { error: { code: string; details: { reason: string }; retryable: unknown } };
  t.true(Object.hasOwn(ERROR_TABLE, error.code));
  t.true(Object.hasOwn(UNAVAILABLE_REASONS, error.details.reason));
  t.deepEqual(Object.keys(error), ['code', 'message', 'extension_id', 'retryable', 'retry_after_ms', 'details']);
});

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';

interface TapReport {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly complete: boolean;
  readonly skippedTitles: readonly string[];
  readonly line: string;
  readonly failures: readonly { readonly title: string; readonly details: readonly string[] }[];
  read(line: string): void;
}

const { TapReport } = (await import(pathToFileURL(resolve('scripts/tap.mjs')).href)) as {
  TapReport: new () => TapReport;
};

function read(text: string): TapReport {
  const report = new TapReport();
  for (const line of text.split('\n')) report.read(line);
  return report;
}

test('counts what passed and failed; skipped tests and todos are neither', (t) => {
  const report = read(`TAP version 13
ok 1 - a › one
#   a log line
not ok 2 - a › two
#   what it logged
#   in two lines
  ---
    name: AssertionError
    details:
      'Difference:': |-
        ok 9 - not a result
  ...
ok 3 - a › three: there is no Go here # SKIP
not ok 4 - a › four # TODO
ok 5 - a › with # in its title

1..5
# tests 5
# pass 2
# fail 1
`);
  t.like(report, { passed: 2, failed: 1, skipped: 2, complete: true });
  t.is(report.line, '2 passed, 1 failed, 2 skipped');
  t.deepEqual(report.skippedTitles, ['a › three: there is no Go here', 'a › four']);
  t.is(report.failures[0]?.title, 'a › two');
  t.true(report.failures[0]?.details.join('\n').includes('Difference'));
});

test('T3: a failure of which AVA says nothing in the usual form has the lines that follow it', (t) => {
  const report = read(`not ok 1 - a › one
a line that a program wrote
  ---
    name: AssertionError
  ...
ok 2 - a › two
not ok 3 - a › three
ok 4 - a › four
a line of another`);
  const [first, second] = report.failures;
  t.deepEqual(first?.details, ['a line that a program wrote', '  ---', '    name: AssertionError', '  ...']);
  t.deepEqual(second?.details, []);
  t.is(report.passed, 2);
});

test('T2: a report that was cut off is not complete', (t) => {
  const report = read('TAP version 13\nok 1 - a › one\nnot ok 2 - b.test.js exited with a non-zero exit code: 1');
  t.false(report.complete);
  t.is(report.line, '1 passed, 1 failed');
});

test('a failure without details is followed by the next result', (t) => {
  const report = read('not ok 1 - b.test.js exited with a non-zero exit code: 1\nok 2 - a › one\n1..2');
  t.like(report, { passed: 1, failed: 1, complete: true });
});

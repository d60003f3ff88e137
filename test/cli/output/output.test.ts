// Tables and documents, and in which colours.
import test from 'ava';
import { countText, json, jsonLine, textTable } from '../../../src/cli/output/output.js';
import { PLAIN, painted, styleOf } from '../../../src/cli/output/style.js';
import { widthOf } from '../../../src/cli/output/terminal-text.js';
import { clockText, durationText } from '../../../src/cli/output/times.js';

const HEADER = ['STATE', 'FOR', 'NOTE', 'ID'];
const ROWS = [
  [
    '▲ open',
    '2m14s',
    'auto-disabled; failure_count (5 failures of 77 in 60 s); probes in 46 s',
    'pii_guard_of_the_second_region',
  ],
  ['■ isolated', '1h03m', 'by ada: 日本語のメモ', 'shout'],
];
const linesOf = (width: number | null): string[] =>
  textTable(HEADER, ROWS, { ...PLAIN, width })
    .trimEnd()
    .split('\n');

test('OUTPUT-1: a pipe gets columns whole', (t) => {
  t.deepEqual(linesOf(null), [
    'STATE       FOR    NOTE                                                                     ID',
    `▲ open      2m14s  ${ROWS[0]?.[2]}  pii_guard_of_the_second_region`,
    `■ isolated  1h03m  by ada: 日本語のメモ${' '.repeat(71 - 20)}  shout`,
  ]);
});

test('OUTPUT-1: no line is wider than the terminal, and names are whole as long as they fit', (t) => {
  for (let width = 200; width >= 4; width--) {
    const lines = linesOf(width);
    for (const line of lines) t.true(widthOf(line) <= width, `${width}: ${line}`);
    if (width >= 30) t.true(lines[1]?.includes('pii_guard_of_the_second_region'), String(width));
    if (width >= 42) t.true(lines[1]?.startsWith('▲ open'), String(width));
  }
  t.regex(linesOf(80)[1] ?? '', /auto-disabled; .*… {2}pii_guard_of_the_second_region$/);
  // A note of which nothing would be left is left out.
  t.deepEqual(linesOf(48)[0]?.split(/ +/), ['STATE', 'FOR', 'ID']);
  const numbers = textTable(
    ['STATE', 'CALLS/S', 'NOTE', 'ID'],
    [['▲ open', '12345.6', 'failure_count (5 failures of 77)', 'a']],
    { ...PLAIN, width: 40 },
    ['CALLS/S'],
  );
  t.is(numbers, 'STATE   NOTE                          ID\n▲ open  failure_count (5 failures o…  a\n');
});

test('OUTPUT-1: in 80 columns states keep their word, and numbers are whole or absent', (t) => {
  const header = ['STATE', 'FOR', 'SUCCESS', 'CALLS/S', 'REFUSED/S', 'P95 ms', 'NOTE', 'ID'];
  const note = 'auto-disabled; failure_count (3 failures of 3 in 60 s); probes in 1m03s';
  const row = ['◐ half-open', '2m26s', '100.0 %', '12.5', '0.1', '1007.6', note, 'pii_guard'];
  const style = { width: 80, colour: false, quiet: false };
  const text = textTable(header, [row], style, ['FOR', 'SUCCESS', 'CALLS/S', 'REFUSED/S', 'P95 ms']);
  const [heading = '', line = ''] = text.split('\n');
  t.regex(heading, /^STATE +FOR +SUCCESS +CALLS\/S +NOTE +ID$/);
  t.regex(line, /^◐ half-open {2}2m26s {2}100\.0 % +12\.5 {2}auto-disabled; failure_.*… {2}pii_guard$/);
  t.true(line.length <= 80, line);
});

test('a table without rows, with cells that are missing or hostile', (t) => {
  t.is(textTable(['A', 'B'], []), 'A  B\n');
  t.is(textTable(['A', 'B'], [['x']]), 'A  B\nx\n');
  t.is(textTable(['A', 'B'], [['\u001b[31mx\n', 'y']]), 'A              B\n\\u001b[31mx\\n  y\n');
  t.is(
    textTable(
      ['N', 'B'],
      [
        ['5', 'y'],
        ['12', 'z'],
      ],
      PLAIN,
      ['N'],
    ),
    ' N  B\n 5  y\n12  z\n',
  );
  t.is(textTable(['A', 'B'], [['x', 'y']], { ...PLAIN, quiet: true }), 'x  y\n');
});

test('STYLE-1: states have a colour beside their word, other cells have none', (t) => {
  const style = { ...PLAIN, colour: true };
  t.is(
    textTable(
      ['STATE', 'NOTE'],
      [
        ['▲ open', 'open'],
        ['half_open', '-'],
      ],
      style,
    ),
    'STATE      NOTE\n\u001b[31m▲ open\u001b[0m     open\n\u001b[33mhalf_open\u001b[0m  -\n',
  );
  t.is(painted('closed', PLAIN), 'closed');
  t.is(painted('whatever', style), 'whatever');
});

test('STYLE-2: --color, NO_COLOR, CLICOLOR_FORCE and the terminal decide, in this order', (t) => {
  const colourOf = (env: Record<string, string>, isTTY: boolean, color?: string): boolean =>
    styleOf({ stdout: { isTTY, columns: 80 }, env }, color === undefined ? {} : { color }).colour;
  t.true(colourOf({}, true));
  t.false(colourOf({}, false));
  t.false(colourOf({ TERM: 'dumb' }, true));
  t.false(colourOf({ NO_COLOR: '1' }, true));
  t.true(colourOf({ NO_COLOR: '' }, true));
  t.true(colourOf({ CLICOLOR_FORCE: '1' }, false));
  t.false(colourOf({ CLICOLOR_FORCE: '0' }, false));
  t.false(colourOf({ CLICOLOR_FORCE: '1', NO_COLOR: '1' }, false));
  t.true(colourOf({ NO_COLOR: '1' }, false, 'always'));
  t.false(colourOf({ CLICOLOR_FORCE: '1' }, true, 'never'));
  t.is(styleOf({ stdout: { isTTY: true }, env: {} }, {}).width, 80);
  t.is(styleOf({ stdout: { isTTY: false, columns: 40 }, env: {} }, {}).width, null);
});

test('documents are one each, and what follows is one line each', (t) => {
  t.is(json({ a: '\u009b' }), '{\n  "a": "\\u009b"\n}\n');
  t.is(jsonLine({ a: 'x\ny' }), '{"a":"x\\ny"}\n');
  t.deepEqual([countText(1, 'row'), countText(2, 'row')], ['1 row', '2 rows']);
});

test('durations and times as an operator reads them', (t) => {
  t.deepEqual([0, 46_000, 134_000, 3_780_000, 273_600_000, -5].map(durationText), [
    '0s',
    '46s',
    '2m14s',
    '1h03m',
    '3d04h',
    '0s',
  ]);
  const now = new Date(2026, 0, 2, 12);
  t.is(clockText(new Date(2026, 0, 2, 3, 4, 5).toISOString(), now), '03:04:05');
  t.is(clockText(new Date(2026, 0, 1, 23, 4, 5).toISOString(), now), '2026-01-01 23:04:05');
  t.is(clockText('no time', now), 'no time');
});

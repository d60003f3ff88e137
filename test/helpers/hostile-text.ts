// Texts that formats tend to change: blanks, controls, separators, and what reads like something else than text.
import fc from 'fast-check';

/** Runs of a property: few, or with EXTREG_TEST_DEEP=1 many. */
export const propertyRuns = (few: number, many: number): number => (process.env.EXTREG_TEST_DEEP === '1' ? many : few);

/** Numbers, dates, booleans, nulls and marks of YAML 1.1 and 1.2. */
export const TEXTS_THAT_LOOK_LIKE_MORE: readonly string[] = [
  ...['', '=', '<<', '~', 'null', 'Null', 'NULL', 'yes', 'No', 'on', 'OFF', 'true', 'False', 'y', 'N', '-', '?', ':'],
  ...[
    '0',
    '-0',
    '0o17',
    '017',
    '0x1f',
    '0b11',
    '1_000',
    '+1',
    '-1.',
    '.5',
    '1e3',
    '1.0e+3',
    '1E400',
    'e0',
    'E-5',
    '.inf',
    '-.Inf',
  ],
  ...['.nan', '.NaN', 'NaN', 'Infinity', '12:30:45', '190:20:30.15', '2001-01-01', '2001-12-14t21:59:43.10-05:00'],
  ...[
    '- a',
    '? a',
    ': a',
    'a: b',
    'a:',
    'a :b',
    'a #b',
    '#a',
    '|',
    '>',
    '|-',
    '*a',
    '&a',
    '!a',
    '!!str a',
    '%YAML 1.1',
  ],
  ...['---', '...', '--- a', '{a: b}', '[a]', 'a, b', '@a', '`a`', '"a"', "'a'", 'a"b', "a'b", '\\', '\\u0041', 'é'],
  ...[' ', '  ', '\t', '\n', '\r', '\r\n', ' a', 'a ', 'a  b', '\ta', 'a\t', '\na', 'a\n', 'a\n\n', 'a\n b\n', ' a\nb'],
  ...[
    'a\nb',
    'a \nb',
    'a\n \nb',
    'a\n\nb',
    'a\n\tb',
    'a\r\nb',
    'a\n# b',
    'a\n---\nb',
    'a\u0085b',
    'a\u2028b',
    '\u2029',
  ],
  ...['\u007f', '\u0080', '\u009b', '\u00a0', '\u00ad', '\u200b', '\u202e', '\ufeff', '\ufeffa', '\ufffe', '\uffff'],
  ...['\ufdd0', '\u{1fffe}', '\u{10ffff}', '👩‍👩‍👧', 'e\u0301', '\u001b[2J', `${'k'.repeat(1100)}`, 'x y '.repeat(600)],
];

/** Any text that a database holds: all of Unicode but U+0000 and halves of pairs, blanks and marks far more often. */
export const hostileTexts: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...TEXTS_THAT_LOOK_LIKE_MORE),
  fc.string({ unit: 'binary' }).filter((text) => !/[\0\ud800-\udfff]/u.test(text)),
  fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
  fc.string({ unit: fc.constantFrom(...' \t\n\r\u0085\u2028\u2029\u00a0\ufeff\u007f\u0080=ab01.e#:-?|>"\'\\%&~y') }),
);

/** Each character of the Basic Multilingual Plane that a database holds, and the ends of the other planes. */
export function everyCharacter(): string[] {
  const all = Array.from({ length: 0xffff }, (_, i) => i + 1).filter((code) => code < 0xd800 || code > 0xdfff);
  for (let plane = 1; plane <= 16; plane++) all.push(plane * 0x10000, plane * 0x10000 + 0xffff);
  return all.map((code) => String.fromCodePoint(code));
}

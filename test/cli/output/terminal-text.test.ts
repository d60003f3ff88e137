// What of the registry may reach a terminal, and how wide it is there.
import test from 'ava';
import { cutTo, padTo, printable, printableJson, singleLine, widthOf } from '../../../src/cli/output/terminal-text.js';

const HOSTILE = 'a\u001b[2J\u009b31m\u007f\u0000b\r\n\u202ec\u2066\u200bd\u2028e\ufeff\ud800';

test('TERMINAL-TEXT-1: nothing that a terminal obeys is left, on one line or several', (t) => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these must not be left
  const obeyed = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069\u200b\ufeff]/;
  t.notRegex(singleLine(HOSTILE), obeyed);
  t.notRegex(singleLine(HOSTILE), /\n/);
  t.notRegex(printable(HOSTILE), obeyed);
  t.is(singleLine('a\u001b[2J\n'), 'a\\u001b[2J\\n');
  t.is(printable('a\u001b[2J\nb\tc'), 'a\\u001b[2J\nb\tc');
  t.is(singleLine('\u{e0041}'), '\\udb40\\udc41');
  t.is(singleLine('größe 日本 👩‍👧 ok'), 'größe 日本 👩‍👧 ok', 'text stays');
});

test('TERMINAL-TEXT-1: JSON says the same, escaped', (t) => {
  const shown = printableJson(JSON.stringify({ reason: HOSTILE }, null, 2));
  t.false(shown.includes('\u009b') || shown.includes('\u202e'));
  t.deepEqual(JSON.parse(shown), { reason: HOSTILE });
});

test('TERMINAL-TEXT-2: East Asian wide characters and emoji take two columns, marks none', (t) => {
  for (const [text, width] of [
    ['', 0],
    ['abc', 3],
    ['größe', 5],
    ['gro\u0308ße', 5],
    ['日本語', 6],
    ['ｱﾊﾟｰﾄ', 5],
    ['ＡＢ', 4],
    ['한글', 4],
    ['👍', 2],
    ['👩‍👧', 2],
    ['❤️', 2],
    ['▁▂▃▅▇ ▲ ◐ ■ → …', 15],
  ] as const)
    t.is(widthOf(text), width, text);
});

test('TERMINAL-TEXT-2: a cut never ends within a character, and says that it is one', (t) => {
  t.is(cutTo('abcdef', 6), 'abcdef');
  t.is(cutTo('abcdef', 4), 'abc…');
  t.is(cutTo('日本語', 5), '日本…');
  t.is(cutTo('日本語', 4), '日…');
  t.is(cutTo('ab', 1), '…');
  t.is(cutTo('ab', 0), '');
  t.is(padTo('日本', 6), '日本  ');
  t.is(padTo('日本', 6, 'right'), '  日本');
});

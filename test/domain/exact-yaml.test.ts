import test from 'ava';
import fc from 'fast-check';
import { parse } from '#yaml';
import { ExactNumber, type Json } from '../../src/domain/exact-json.js';
import { stringifyExactYaml } from '../../src/domain/exact-yaml.js';
import { everyCharacter, hostileTexts, propertyRuns, TEXTS_THAT_LOOK_LIKE_MORE } from '../helpers/hostile-text.js';

const VERSIONS = ['1.1', '1.2'] as const;

const written = test.macro<[value: Json, expected: string]>({
  exec: (t, value, expected) => t.is(stringifyExactYaml(value), expected),
  title: (_, value) => `EXACT-YAML-1, EXACT-YAML-2: ${JSON.stringify(value).slice(0, 60)} is written so`,
});
test(
  written,
  { a: 'yes', b: 'b c', c: '', d: '=', e: 'x: y', f: 'x:y' },
  'a: "yes"\nb: b c\nc: ""\nd: "="\ne: "x: y"\nf: x:y\n',
);
test(
  written,
  { 1: [], a: {}, '<<': [null, true, [1, ['b']], { c: [], d: 'e' }] },
  '"1": []\na: {}\n"<<":\n  - null\n  - true\n  - - 1\n    - - b\n  - c: []\n    d: e\n',
);
test(written, { a: 'two\nlines\n', b: ['two\n\n lines'] }, 'a: |\n  two\n  lines\nb:\n  - |-\n    two\n\n     lines\n');
test(
  written,
  { a: ' two\nlines', b: 'two \nlines', c: '\u0085\ufeff\u001b' },
  'a: " two\\nlines"\nb: "two \\nlines"\nc: "\\u0085\\ufeff\\u001b"\n',
);
test(
  written,
  [-0, 1e21, 5e-324, new ExactNumber('1E400'), new ExactNumber('0.10')],
  '- -0\n- 1.0e+21\n- 5.0e-324\n- 1.0e+400\n- 0.10\n',
);
test(written, { ['k'.repeat(1100)]: { a: 1 } }, `? ${'k'.repeat(1100)}\n:\n  a: 1\n`);
test(written, 'a\nb', '"a\\nb"\n');

for (const version of VERSIONS) {
  const read = (value: Json): unknown => parse(stringifyExactYaml(value), { version, uniqueKeys: false });

  test(`EXACT-YAML-1: every text that looks like more is the same text for YAML ${version}, as a key and as a value`, (t) => {
    for (const text of TEXTS_THAT_LOOK_LIKE_MORE) {
      const value = { [text]: text, list: [text, [text]], map: { [text]: { [text]: text } } };
      t.deepEqual(read(value), value, JSON.stringify(text));
    }
  });

  test(`EXACT-YAML-1: every character is the same character for YAML ${version}`, (t) => {
    const all = everyCharacter();
    const parts = Array.from({ length: Math.ceil(all.length / 16) }, (_, i) => all.slice(i * 16, i * 16 + 16));
    const value = [all.join(''), Object.fromEntries(parts.map((part) => [part.join('a'), part.join('\n')]))];
    // Not by deepEqual, whose report of a difference takes minutes here.
    t.true(JSON.stringify(read(value)) === JSON.stringify(value));
  });

  test(`EXACT-YAML-1: any tree of texts is the same tree for YAML ${version}`, (t) => {
    const { tree } = fc.letrec<{ tree: Json }>((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        hostileTexts,
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(hostileTexts, tie('tree'), { maxKeys: 3 }),
      ),
    }));
    fc.assert(
      fc.property(tree, (value) => {
        t.is(JSON.stringify(read(value)), JSON.stringify(value));
      }),
      { numRuns: propertyRuns(150, 20_000) },
    );
  });
}

test('EXACT-YAML-2: a number is a number of the same value for YAML 1.1 and 1.2', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer()), (value) => {
      for (const version of VERSIONS) t.is(parse(stringifyExactYaml([value]), { version })[0], value);
    }),
    { numRuns: propertyRuns(200, 20_000) },
  );
});

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import {
  formatOf,
  MAX_FILE_BYTES,
  readRegistryDocument,
  renderRegistryDocument,
} from '../../../src/cli/registry/registry-document.js';
import { ExactNumber, isSameJson, type Json, stringifyExactJson } from '../../../src/domain/exact-json.js';
import { runs } from '../../helpers/depth.js';
import { directory } from '../run.js';

/** Its files are absolute, and it reads no standard input. */
const IO = { stdin: process.stdin, cwd: '/' };

const numbers = fc.constantFrom<Json>(
  ...['12345678901234567890', '0.10', '1e400', '-0.0'].map((text) => new ExactNumber(text)),
);
const texts = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.string({ unit: 'binary' }).filter((text) => !/[\ud800-\udfff]/.test(text)),
  fc.constantFrom(
    'yes',
    'null',
    '1e3',
    '0x1f',
    '~',
    '- a',
    'a: b',
    '#c',
    ' a\n b\n',
    '\n',
    '|',
    '*a',
    '&a',
    '!!str',
    '<<',
    '---',
    '...',
    '\u2028\u0085\u007f\ufeff',
    'x'.repeat(2000),
  ),
);
const { value: anything } = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    texts,
    numbers,
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(texts, tie('value'), { maxKeys: 4 }),
  ),
}));

for (const format of ['yaml', 'json'] as const)
  test(`${format}: what is written is read as it was, whatever it is`, async (t) => {
    const file = join(directory(t), 'any');
    await fc.assert(
      fc.asyncProperty(anything, async (value) => {
        const text = renderRegistryDocument(value, format);
        writeFileSync(file, text);
        const read = await readRegistryDocument(IO, file, format);
        if (!isSameJson(read, value)) t.is(stringifyExactJson(read), stringifyExactJson(value), text);
        t.is(renderRegistryDocument(read, format), text);
      }),
      { numRuns: runs(300) },
    );
  });

test('yaml: a zero keeps its sign', async (t) => {
  const file = join(directory(t), 'zero');
  writeFileSync(file, 'a: -0\nb: 0\n');
  t.is(renderRegistryDocument(await readRegistryDocument(IO, file, 'yaml'), 'yaml'), 'a: -0\nb: 0\n');
});

test('yaml: a text that begins with a blank and has lines is read as it was, also alone', async (t) => {
  const file = join(directory(t), 'text.yaml');
  writeFileSync(file, renderRegistryDocument(' a\n b\n', 'yaml'));
  t.is(stringifyExactJson(await readRegistryDocument(IO, file, 'yaml')), '" a\\n b\\n"');
});

const yaml = test.macro<[text: string, expected: string]>({
  exec: async (t, text, expected) => {
    const file = join(directory(t), 'f.yaml');
    writeFileSync(file, text);
    t.is(stringifyExactJson(await readRegistryDocument(IO, file, 'yaml')), expected);
  },
  title: (_, text) => `yaml: ${JSON.stringify(text)} is read as JSON has it`,
});
test(yaml, 'a: [0x1F, 0o17, +12, 012, +.5, 1., -01.50, 1e3, .5e-3]', '{"a":[31,15,12,12,0.5,1,-1.50,1e3,0.5e-3]}');
test(yaml, 'a: 12345678901234567890\nb: 1.10', '{"a":12345678901234567890,"b":1.10}');
test(yaml, '1.10: a\ntrue: b\n"2": c', '{"2":"c","1.10":"a","true":"b"}');
test(yaml, 'a: no\nb: ~\nc:\nd: 2024-01-01', '{"a":"no","b":null,"c":null,"d":"2024-01-01"}');
test(yaml, '__proto__: {x: 1}', '{"__proto__":{"x":1}}');
test(yaml, '', 'null');

const refused = test.macro<[bytes: string | Buffer, expected: RegExp, format?: 'json']>({
  exec: async (t, bytes, expected, format) => {
    const file = join(directory(t), 'f');
    writeFileSync(file, bytes);
    const error = await t.throwsAsync(() => readRegistryDocument(IO, file, format ?? 'yaml'));
    t.like(error, { name: 'CommandError', exitCode: 65 });
    t.regex(error?.message ?? '', expected);
  },
  title: (title) => `REGISTRY-DOCUMENT-1, REGISTRY-DOCUMENT-2: ${title} is refused`,
});
const BOMB = `a: &a [x, x]\n${Array.from({ length: 30 }, (_, i) => `b${i}: &b${i} [${i ? `*b${i - 1}, *b${i - 1}` : '*a, *a'}]`).join('\n')}`;
test('a bomb of aliases', refused, BOMB, /\*a is an alias, which is not supported at line 2, column 10$/);
test(
  'a key that is given twice',
  refused,
  'a: 1\nb:\n  c: 1\n  "c": 2\n',
  /the key "c" is given twice at line 4, column 3$/,
);
test('the same number as a key twice', refused, '1: a\n"1": b', /the key "1" is given twice at line 2, column 1$/);
test('a tag', refused, 'a: !!binary aGk=', /:binary is a tag, which is not supported at line 1, column \d+$/);
test('a tag of somebody', refused, 'a: !js/function x', /[Uu]nresolved tag/);
test('a second document', refused, 'a: 1\n---\nb: 1', /at line \d/);
test('infinity', refused, 'a: .inf', /\.inf is not a number that the database can hold at line 1, column 4$/);
test('a list as a key', refused, '? [a]\n: b', /a key that is not plain text/);
test('malformed YAML', refused, 'a: [1', /at line 1/);
test('malformed JSON', refused, '{"a": 1,}', /expected a key in double quotes at line 1, column 9$/, 'json');
test('deep nesting', refused, '['.repeat(101) + ']'.repeat(101), /nested deeper than 100 levels/);
test('nesting beyond every stack', refused, '['.repeat(200_000), /nested deeper than 100 levels$/);
test(
  'nesting by indentation beyond every stack',
  refused,
  `${'- '.repeat(200_000)}a`,
  /nested deeper than 100 levels$/,
);
test('deep JSON', refused, '['.repeat(200_000), /nested deeper than 100 levels/, 'json');
test('what is not UTF-8', refused, Buffer.from([0x61, 0xff]), /it is not UTF-8$/);
test('a file that is too large', refused, Buffer.alloc(MAX_FILE_BYTES + 1, 0x20), /it is larger than 16 MiB$/);

test('formatOf: by what was asked for, else by the ending', (t) => {
  t.is(formatOf('a.YAML', undefined), 'yaml');
  t.is(formatOf('a.yml', undefined), 'yaml');
  t.is(formatOf('a.json', undefined), 'json');
  t.is(formatOf('-', undefined), 'yaml');
  t.is(formatOf('a.yaml', 'json'), 'json');
  t.throws(() => formatOf('a.txt', undefined), { message: /ends in \.yaml, \.yml or \.json/ });
  t.throws(() => formatOf('a.yaml', 'toml'), { message: /expected yaml or json, got 'toml'/ });
});

import test from 'ava';
import fc from 'fast-check';
import {
  ExactNumber,
  isSameJson,
  JsonSyntaxError,
  numberText,
  parseExactJson,
  storageProblem,
  stringifyExactJson,
  withoutExactNumbers,
} from '../../src/domain/exact-json.js';
import { runs } from '../helpers/depth.js';

const parse = (text: string) => parseExactJson(text, 50);

test('parseExactJson: reads what JSON.parse reads', (t) => {
  fc.assert(
    fc.property(fc.json(), fc.constantFrom(0, 2), (text, indent) => {
      const spaced = JSON.stringify(JSON.parse(text), null, indent);
      t.deepEqual(withoutExactNumbers(parse(spaced)), JSON.parse(text));
      t.is(stringifyExactJson(parse(spaced), indent), spaced);
    }),
  );
});

for (const number of ['12345678901234567890', '0.10', '1e400', '-0', '1E+2', '0.1000000000000000055511151231257827'])
  test(`EXACT-JSON-1: ${number} comes out as it went in`, (t) => {
    t.is(stringifyExactJson(parse(`[${number}]`)), `[${number}]`);
  });

const text = test.macro<[number: string, expected: string]>({
  exec(t, number, expected) {
    t.is(numberText(number), expected);
  },
  title: (_, number, expected) => `numberText: ${number} is ${expected.slice(0, 40)}`,
});
test(text, '0', '0');
test(text, '-0.000', '0');
test(text, '0e5', '0');
test(text, '1', '1');
test(text, '1.0', '1');
test(text, '10E-1', '1');
test(text, '-1.50', '-1.5');
test(text, '1e+3', '1000');
test(text, '1e21', `1${'0'.repeat(21)}`);
test(text, '1e-7', '0.0000001');
test(text, '-123.456e1', '-1234.56');
test(text, '12345678901234567890', '12345678901234567890');
test(text, '1e999', `1${'0'.repeat(999)}`);
test(text, '1e1000', '1e1000');
test(text, `1${'0'.repeat(1000)}`, '1e1000');
test(text, '12e-1000', '12e-1000');
test(text, '1e99999999999999999999', '1e99999999999999999999');

test('numberText: two numbers have the same text where they are the same number, and only there', (t) => {
  const digits = fc.stringMatching(/^(0|[1-9][0-9]{0,20})(\.[0-9]{1,5})?(e-?[0-9]{1,4})?$/);
  fc.assert(
    fc.property(digits, digits, fc.nat(3), (a, b, shift) => {
      t.is(numberText(a) === numberText(b), isSameJson(new ExactNumber(a), new ExactNumber(b)));
      const [mantissa = '', exponent = '0'] = a.split('e');
      const spelled = `${mantissa}${mantissa.includes('.') ? '' : '.'}${'0'.repeat(shift + 1)}e${exponent}`;
      t.is(numberText(spelled), numberText(a));
    }),
    { numRuns: runs(1000) },
  );
});

const malformed = test.macro<[text: string, expected: string]>({
  exec: (t, text, expected) => {
    t.is(t.throws(() => parse(text), { instanceOf: JsonSyntaxError })?.message, expected);
  },
  title: (_, text) => `parseExactJson: ${JSON.stringify(text.slice(0, 20))} is refused`,
});
test(malformed, '', 'unexpected end at line 1, column 1');
test(malformed, '{"a": 1,\n "a": 2}', 'the key "a" is given twice at line 2, column 2');
test(malformed, '[1 2]', "expected ']', got '2' at line 1, column 4");
test(malformed, '{"a" 1}', "expected ':', got '1' at line 1, column 6");
test(malformed, '{a: 1}', 'expected a key in double quotes at line 1, column 2');
test(malformed, '"a', 'malformed text at line 1, column 1');
test(malformed, '"\t"', 'malformed text at line 1, column 1');
test(malformed, '01', "unexpected '1' after the end at line 1, column 2");
test(malformed, 'NaN', "unexpected 'N' at line 1, column 1");
test(malformed, '[1,]', "unexpected ']' at line 1, column 4");
test(malformed, '['.repeat(51), 'nested deeper than 50 levels at line 1, column 51');

test('parseExactJson: a key may have any name', (t) => {
  const value = parse('{"__proto__": {"x": 1}, "constructor": 2}');
  t.deepEqual(Object.keys(value as object), ['__proto__', 'constructor']);
  t.is(({} as { x?: number }).x, undefined);
});

const same = test.macro<[a: string, b: string, expected: boolean]>({
  exec: (t, a, b, expected) => {
    t.is(isSameJson(parse(a), parse(b)), expected);
    t.is(isSameJson(parse(b), parse(a)), expected);
  },
  title: (_, a, b, expected) => `EXACT-JSON-3: ${a} is ${expected ? '' : 'not '}the same as ${b}`,
});
test(same, '1.10', '1.1', true);
test(same, '1e2', '100', true);
test(same, '-0', '0', true);
test(same, '0.0', '0e5', true);
test(same, '12345678901234567890', '12345678901234567891', false);
test(same, '-1', '1', false);
test(same, '{"a":1,"b":[2]}', '{"b":[2.0],"a":1}', true);
test(same, '{"a":1}', '{"a":1,"b":null}', false);
test(same, '{}', '[]', false);
test(same, '{"toString":1}', '{"a":1}', false);
test(same, 'null', '{}', false);
test(same, '1', '"1"', false);

test('storageProblem: names what jsonb cannot hold', (t) => {
  t.regex(storageProblem('a\0') ?? '', /U\+0000/);
  t.regex(storageProblem('\ud800x') ?? '', /surrogate/);
  t.regex(storageProblem('x\udc00') ?? '', /surrogate/);
  t.regex(storageProblem(new ExactNumber('1e200000')) ?? '', /digits/);
  t.regex(storageProblem(new ExactNumber('1e-20000')) ?? '', /digits/);
  t.is(storageProblem('🎉'), null);
  t.is(storageProblem(new ExactNumber('1e400')), null);
});

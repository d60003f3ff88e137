import test from 'ava';
import fc from 'fast-check';
import { BodyContext } from '../../../src/nats/intake/context-body.js';
import { runs } from '../../helpers/depth.js';

const RUNS = { numRuns: runs(500) };

function said(body: string | Uint8Array, ...keys: string[]): Record<string, string> | string {
  const context = new BodyContext(Buffer.from(body));
  const values = new Map<string, string>();
  for (const key of keys) {
    const value = context.get(key);
    if (typeof value === 'string') values.set(key, value);
    else if (value !== null) return value.twice;
  }
  return Object.fromEntries(values);
}

const names = test.macro<[body: string | Uint8Array, keys: string[], expected: Record<string, string> | string]>({
  exec(t, body, keys, expected) {
    t.deepEqual(said(body, ...keys), expected);
  },
  title: (title, body) => `body: ${title ?? String(body)}`,
});

const FOUR = ['tenant_id', 'policy_id', 'environment', 'routing_key'];
const envelope = '{"trace_id":"t","tenant_id":"acme","payload":{"tenant_id":"no"},"metadata":{"region":"eu"}}';
test("the predecessor's envelope", names, envelope, ['tenant_id', 'region'], { tenant_id: 'acme', region: 'eu' });
test(
  'three keys stand at the top, routing_key and others do not',
  names,
  '{"tenant_id":"a","policy_id":"b","environment":"c","routing_key":"d","region":"e"}',
  [...FOUR, 'region'],
  { tenant_id: 'a', policy_id: 'b', environment: 'c' },
);
test(
  'every key stands in metadata',
  names,
  '{"metadata":{"tenant_id":"a","policy_id":"b","environment":"c","routing_key":"d","region":"e"}}',
  [...FOUR, 'region'],
  { tenant_id: 'a', policy_id: 'b', environment: 'c', routing_key: 'd', region: 'e' },
);
test('the top goes before metadata', names, '{"metadata":{"tenant_id":"b"},"tenant_id":"a"}', ['tenant_id'], {
  tenant_id: 'a',
});
for (const none of ['null', '""', '" \\t\\u00a0"', '{}', '{"a":1}', '[]', '["a"]']) {
  test(
    `${none} is no value, and metadata is asked`,
    names,
    `{"tenant_id":${none},"metadata":{"tenant_id":"b"}}`,
    ['tenant_id'],
    { tenant_id: 'b' },
  );
  test(`${none} in metadata is no value`, names, `{"metadata":{"tenant_id":${none},"a":"b"}}`, ['tenant_id'], {});
}
for (const metadata of ['null', '"region"', '["region"]', '[{"region":"eu"}]', '1', 'true'])
  test(
    `metadata that is ${metadata} names nothing`,
    names,
    `{"tenant_id":"a","metadata":${metadata}}`,
    ['tenant_id', 'region'],
    { tenant_id: 'a' },
  );
test(
  'what is deeper than metadata names nothing',
  names,
  '{"metadata":{"inner":{"region":"eu"}},"payload":{"metadata":{"region":"us"}}}',
  ['region'],
  {},
);
test('true and false count as text', names, '{"tenant_id":true,"metadata":{"beta":false}}', ['tenant_id', 'beta'], {
  tenant_id: 'true',
  beta: 'false',
});
test(
  'a text keeps its blanks and escapes its own',
  names,
  '{"tenant_id":" a\\"b\\\\","policy_id":"\\u0141\\n","metadata":{"\\u0072egion":"eu"}}',
  ['tenant_id', 'policy_id', 'region'],
  { tenant_id: ' a"b\\', policy_id: 'Ł\n', region: 'eu' },
);
test('non-ASCII names and values', names, '{"metadata":{"größe":"weiß 🙂"}}', ['größe'], { größe: 'weiß 🙂' });
test(
  'blanks of JSON anywhere',
  names,
  ' \t\r\n{ "tenant_id" :\n"a" ,\r"metadata"\t: { "n" : 1 , "region" : "eu" } } \n',
  ['tenant_id', 'n', 'region'],
  { tenant_id: 'a', n: '1', region: 'eu' },
);
test(
  'brackets and quotes within texts end nothing',
  names,
  '{"a":"}],{\\"","b":[{"c":"]}\\\\"},"\\\\\\""],"tenant_id":"x","metadata":{"d":["}"],"region":"eu"}}',
  ['tenant_id', 'region'],
  { tenant_id: 'x', region: 'eu' },
);

for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
  test(
    `CONTEXT-BODY-1: ${name} names nothing where it is not given`,
    names,
    '{"tenant_id":"a","metadata":{}}',
    [name],
    {},
  );
  test(`CONTEXT-BODY-1: ${name} is a name like others where it is`, names, `{"metadata":{"${name}":"x"}}`, [name], {
    [name]: 'x',
  });
}
test(
  'CONTEXT-BODY-1: a prototype in the text gives nothing on',
  names,
  '{"__proto__":{"tenant_id":"evil"},"metadata":{"__proto__":{"region":"evil"}}}',
  ['tenant_id', 'region'],
  {},
);

const number = (written: string, text: string) =>
  test(
    `CONTEXT-BODY-1: the number ${written} is ${text}`,
    names,
    `{"tenant_id":${written},"metadata":{"n":${written}}}`,
    ['tenant_id', 'n'],
    { tenant_id: text, n: text },
  );
number('1', '1');
number('1.0', '1');
number('1e0', '1');
number('-0', '0');
number('-1.50', '-1.5');
number('0.1', '0.1');
number('12345678901234567890', '12345678901234567890');
number('12345678901234567891', '12345678901234567891');
number('12345678901234567890.0', '12345678901234567890');
number('9007199254740993', '9007199254740993');
number('1e400', `1${'0'.repeat(400)}`);

for (const [title, broken] of Object.entries({
  'no end': '{"tenant_id":"a"',
  'more after the end': '{"tenant_id":"a"}x',
  'single quotes': "{'tenant_id':'a'}",
  'a comma too many': '{"tenant_id":"a",}',
  'a comment': '{/**/"tenant_id":"a"}',
  NaN: '{"tenant_id":"a","b":NaN}',
  'a leading zero': '{"tenant_id":01}',
  'a bare line end in a text': '{"tenant_id":"a\n"}',
  nothing: '',
}))
  test(`CONTEXT-BODY-2: with ${title} it is no JSON and names nothing`, names, broken, ['tenant_id'], {});
test(
  'CONTEXT-BODY-2: what is not UTF-8 names nothing',
  names,
  Buffer.from('{"tenant_id":"caf\u00e9"}', 'latin1'),
  ['tenant_id'],
  {},
);

test(
  'CONTEXT-BODY-2: what begins with a byte order mark names nothing',
  names,
  '\ufeff{"tenant_id":"a"}',
  ['tenant_id'],
  {},
);

test('CONTEXT-BODY-2: a member given twice is not chosen from', (t) => {
  t.is(said('{"tenant_id":"a","tenant_id":"a"}', 'tenant_id'), 'tenant_id');
  t.is(said('{"tenant_id":"a","tenant\\u005fid":"b"}', 'tenant_id'), 'tenant_id');
  t.is(said('{"metadata":{"region":"a","region":null}}', 'region'), 'metadata.region');
  t.is(said('{"metadata":{"region":"a"},"metadata":{}}', 'region'), 'metadata');
  t.is(said('{"tenant_id":null,"metadata":{"tenant_id":1,"tenant_id":2}}', 'tenant_id'), 'metadata.tenant_id');
});
test('CONTEXT-BODY-2: what is given twice and decides nothing does not matter', (t) => {
  const body = '{"tenant_id":"a","policy_id":1,"policy_id":2,"x":1,"x":2,"metadata":{"y":1,"y":2},"metadata":1}';
  t.deepEqual(said(body, 'tenant_id'), { tenant_id: 'a' });
});

test('CONTEXT-BODY-3: nesting without end and runs of backslashes, quotes and zeros are read in time', (t) => {
  const hostile = [
    `{"a":${'['.repeat(500_000)}${']'.repeat(500_000)},"tenant_id":"x"}`,
    `{"a":"${'\\\\'.repeat(500_000)}","tenant_id":"x"}`,
    `{"a":"${'\\"'.repeat(500_000)}","tenant_id":"x"}`,
    `{${'"a":1,'.repeat(150_000)}"tenant_id":"x"}`,
    `{"metadata":{"n":1${'0'.repeat(400_000)}1${'0'.repeat(400_000)}},"tenant_id":"x"}`,
    `{"metadata":{"n":0.${'0'.repeat(400_000)}1e1},"tenant_id":"x"}`,
  ];
  const startMs = performance.now();
  for (const body of hostile) t.is((said(body, 'tenant_id', 'n') as Record<string, string>).tenant_id, 'x');
  t.true(performance.now() - startMs < 30_000, 'quadratic time would take many minutes');
});

test('body: for any JSON object, what JSON.parse gives for texts and small numbers', (t) => {
  const scalar = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.integer(), fc.boolean(), fc.constant(null));
  const key = fc.oneof(fc.constantFrom('tenant_id', 'policy_id', 'region', 'a"b', '\\', '__proto__'), fc.string());
  const inner = fc.dictionary(key, fc.oneof(scalar, fc.jsonValue()), { maxKeys: 6 });
  fc.assert(
    fc.property(
      inner,
      inner,
      fc.array(key, { minLength: 1, maxLength: 3 }),
      fc.constantFrom(0, 2),
      (top, metadata, keys, indent) => {
        const body = JSON.stringify({ ...top, metadata }, null, indent);
        const parsed = JSON.parse(body) as Record<string, unknown> & { metadata: Record<string, unknown> };
        const expected: [string, string][] = [];
        for (const wanted of new Set(keys)) {
          const places = ['tenant_id', 'policy_id', 'environment'].includes(wanted)
            ? [parsed, parsed.metadata]
            : [parsed.metadata];
          const value = places
            .map((place) => (Object.hasOwn(place, wanted) ? place[wanted] : null))
            .find((given) => ['string', 'number', 'boolean'].includes(typeof given) && String(given).trim() !== '');
          if (typeof value === 'number' && !Number.isSafeInteger(value)) return;
          if (value !== undefined) expected.push([wanted, String(value)]);
        }
        t.deepEqual(said(body, ...keys), Object.fromEntries(expected));
      },
    ),
    RUNS,
  );
});

test('isObject: a brace, after the blanks that JSON allows and no others', (t) => {
  for (const yes of ['{', '{}', ' \t\r\n{', '{garbage'])
    t.true(new BodyContext(Buffer.from(yes)).isObject, JSON.stringify(yes));
  for (const no of ['', ' ', '[{', '"{', 'x{', '\ufeff{', '\v{', '\u00a0{', '\0{'])
    t.false(new BodyContext(Buffer.from(no)).isObject, JSON.stringify(no));
});

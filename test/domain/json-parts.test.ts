import test from 'ava';
import fc from 'fast-check';
import { jsonParts, objectParts } from '../../src/domain/json-parts.js';

test('a list in parts is the JSON of the whole', (t) => {
  const rest = fc.dictionary(
    fc.string({ minLength: 1 }).map((key) => `r${key}`),
    fc.jsonValue(),
    { maxKeys: 3 },
  );
  fc.assert(
    fc.property(fc.string(), fc.array(fc.jsonValue()), rest, (name, items, others) => {
      const texts = items.map((value) => JSON.stringify(value));
      const whole = [...jsonParts(`n${name}`, texts, others)].join('');
      t.deepEqual(JSON.parse(whole), JSON.parse(JSON.stringify({ [`n${name}`]: items, ...others })));
    }),
  );
});

test('no part is longer than 32 KiB and one item', (t) => {
  const items = Array.from({ length: 500 }, (_, i) => JSON.stringify('x'.repeat(i)));
  const parts = [...jsonParts('items', items, { total: 500 })];
  t.true(parts.length > 3);
  for (const part of parts) t.true(part.length < 32_768 + 600);
});

test('an object with lists in parts is the JSON of the whole, and an item is made with its part', (t) => {
  const lists = fc.dictionary(
    fc.string().map((key) => `l${key}`),
    fc.array(fc.dictionary(fc.string(), fc.jsonValue())),
    { maxKeys: 3 },
  );
  fc.assert(
    fc.property(fc.jsonValue(), lists, (value, given) => {
      t.deepEqual(
        JSON.parse([...objectParts({ value }, given)].join('')),
        JSON.parse(JSON.stringify({ value, ...given })),
      );
    }),
  );
  let made = 0;
  function* items() {
    for (; made < 5000; made++) yield { text: 'x'.repeat(100) };
  }
  const parts = objectParts({ id: 'a' }, { items: items() });
  t.true(String(parts.next().value).length < 32_768 + 200);
  t.true(made < 400);
  t.true([...parts].length > 10);
});

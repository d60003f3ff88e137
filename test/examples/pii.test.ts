import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import test from 'ava';

interface Finding {
  readonly kind: string;
  readonly start: number;
  readonly end: number;
}

const { findPii, findPiiIn, maskPiiIn } = (await import(pathToFileURL(resolve('examples/pii.mjs')).href)) as {
  findPii(text: string): Finding[];
  findPiiIn(payload: unknown): Map<string, number>;
  maskPiiIn(payload: unknown): { masked: unknown; count: number };
};

/** The text and what is found in it, as `kind:what`. */
const finds = test.macro({
  exec(t, text: string, ...expected: string[]) {
    t.deepEqual(
      findPii(text).map(({ kind, start, end }) => `${kind}:${text.slice(start, end)}`),
      expected,
    );
  },
  title: (_, text, ...expected) => `${JSON.stringify(text)}: ${expected.join(', ') || 'nothing'}`,
});

test(finds, 'write to ada@example.org, please', 'email:ada@example.org');
test(finds, 'Jürgen.Müller@bücher.example.de!', 'email:Jürgen.Müller@bücher.example.de');
test(finds, '...bob+tag@mail.example.co.uk.', 'email:bob+tag@mail.example.co.uk');
test(finds, 'a@b and @handle and x@localhost');
test(finds, 'card 4111 1111 1111 1111 ok', 'card:4111 1111 1111 1111');
test(finds, '5500-0000-0000-0004', 'card:5500-0000-0000-0004');
test(finds, 'amex 378282246310005', 'card:378282246310005');
test(finds, 'order 4111 1111 1111 1112');
test(finds, 'at 1700000000000 ms');
test(finds, '4111111111111111 4111111111111111', 'card:4111111111111111', 'card:4111111111111111');
test(finds, 'IBAN GB82 WEST 1234 5698 7654 32 today', 'iban:GB82 WEST 1234 5698 7654 32');
test(finds, 'de89370400440532013000', 'iban:de89370400440532013000');
test(finds, 'GB82 WEST 1234 5698 7654 33');
test(finds, 'ssn 078-05-1120', 'ssn:078-05-1120');
test(finds, 'ssn 000-12-3456 666-12-3456 912-12-3456');
test(finds, 'call +44 20 7946 0958 now', 'phone:+44 20 7946 0958');
test(finds, 'call (415) 555-0132 or 415.555.0199', 'phone:(415) 555-0132', 'phone:415.555.0199');
test(finds, '030/1234567 und 0151-23456789', 'phone:030/1234567', 'phone:0151-23456789');
test(finds, 'on 2024-01-15 at 10:30, version 1.2.3, 192.168.100.200, total 1,234.56');
test(finds, '');

test('fields: texts, numbers and names of fields count, however deep', (t) => {
  const payload = { a: [{ b: 'ada@example.org' }], 'bob@example.org': null, card: 4111111111111111 };
  t.deepEqual(
    findPiiIn(payload),
    new Map([
      ['email', 2],
      ['card', 1],
    ]),
  );
});

test('mask: the rest of a payload stays as it is', (t) => {
  const payload = {
    text: 'ada@example.org, +44 20 7946 0958 — ünïcode 🦀',
    list: ['x', 7, true, null],
    card: 4111111111111111,
  };
  t.deepEqual(maskPiiIn(payload), {
    masked: { text: '[email], [phone] — ünïcode 🦀', list: ['x', 7, true, null], card: '[card]' },
    count: 3,
  });
});

test('mask: two fields whose names become the same are both kept', (t) => {
  const { masked } = maskPiiIn({ 'ada@example.org': 1, 'bob@example.org': 2 });
  t.deepEqual(masked, { '[email]': 1, '[email]_': 2 });
});

test('mask: what is masked is not found again', (t) => {
  const { masked } = maskPiiIn('ada@example.org 4111 1111 1111 1111 GB82WEST12345698765432 078-05-1120 +442079460958');
  t.is(masked, '[email] [card] [iban] [ssn] [phone]');
  t.is(findPiiIn(masked).size, 0);
});

for (const [name, unit] of Object.entries({
  letters: 'a',
  digits: '4',
  'digits apart': '4 ',
  'digits and hyphens': '41-',
  dots: 'a.',
  signs: '+1',
  countries: 'GB82',
  zeros: '012',
}))
  test(`P2: a megabyte of ${name} takes no time to speak of`, (t) => {
    // Of the processor: what else runs on this machine does not count.
    const begun = process.cpuUsage();
    findPii(unit.repeat(1_000_000 / unit.length));
    const elapsedMs = process.cpuUsage(begun).user / 1000;
    t.true(elapsedMs < 3000, `took ${elapsedMs} ms`);
  });

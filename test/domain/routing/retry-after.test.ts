import test from 'ava';
import fc from 'fast-check';
import { parseRetryAfter } from '../../../src/domain/routing/retry-after.js';

const NOW = Date.UTC(2026, 9, 21, 7, 28, 0);

const parsed = test.macro<[given: string, ms: number | null]>({
  exec(t, given, ms) {
    t.is(parseRetryAfter(given, NOW), ms);
  },
  title: (_, given, ms) => `Retry-After '${given}' is ${ms} ms`,
});
test(parsed, '0', 0);
test(parsed, '7', 7000);
test(parsed, ' 7\t', 7000);
test(parsed, '007', 7000);
test(parsed, '60', 60_000);
test(parsed, '61', 60_000);
test(parsed, '9'.repeat(400), 60_000);
test(parsed, '1.5', 1500);
test(parsed, '0.0001', 1);
test(parsed, '2.5000000000000000000001', 2500);
for (const nothing of [
  '',
  ' ',
  'soon',
  '-1',
  '+1',
  '1e3',
  '1E1',
  '0x10',
  '1_000',
  '1,5',
  '1.',
  '.5',
  '1.5.2',
  '7s',
  '7 s',
  '7, 9',
])
  test(parsed, nothing, null);
for (const nothing of [
  'NaN',
  'Infinity',
  'null',
  '٧',
  '7\u00007',
  '2026',
  '2026-10-21',
  '2026-10-21T07:28:09Z',
  'Oct 21 2026',
])
  test(parsed, nothing, nothing === '2026' ? 60_000 : null);

test(parsed, 'Wed, 21 Oct 2026 07:28:09 GMT', 9000);
test(parsed, 'Wednesday, 21-Oct-26 07:28:09 GMT', 9000);
test(parsed, 'Wed Oct 21 07:28:09 2026', 9000);
test(parsed, 'Mon Nov  2 00:00:00 2026', 60_000);
test(parsed, 'Wed, 21 Oct 2026 07:27:59 GMT', 0);
test(parsed, 'Thu, 01 Jan 1970 00:00:00 GMT', 0);
test(parsed, 'Fri, 31 Dec 9999 23:59:59 GMT', 60_000);
test(parsed, 'Sunday, 06-Nov-94 08:49:37 GMT', 0);
test(parsed, 'Friday, 06-Nov-76 08:49:37 GMT', 60_000);
for (const nothing of [
  'Wed, 21 Oct 2026 07:28:09',
  'Wed, 21 Oct 2026 07:28:09 UTC',
  'Wed, 21 Oct 2026 07:28:09 +0200',
  'Wed, 21 October 2026 07:28:09 GMT',
  'Wed, 31 Feb 2026 07:28:09 GMT',
  'Wed, 00 Oct 2026 07:28:09 GMT',
  'Wed, 21 Oct 2026 24:28:09 GMT',
  'Wed, 21 Oct 2026 07:60:09 GMT',
  'wed, 21 oct 2026 07:28:09 gmt',
  '21 Oct 2026 07:28:09 GMT',
])
  test(parsed, nothing, null);

test('Retry-After: whatever the text, it is nothing or 0 to 60 000 ms', (t) => {
  const hostile = fc.oneof(fc.string({ unit: 'binary' }), fc.double().map(String), fc.date().map(String));
  fc.assert(
    fc.property(hostile, (text) => {
      const ms = parseRetryAfter(text, NOW);
      t.true(ms === null || (ms >= 0 && ms <= 60_000));
    }),
  );
});

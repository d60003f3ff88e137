// JSON-STREAM-1 to JSON-STREAM-3 of json-stream.ts, over a real server.
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { gunzipSync } from 'node:zlib';
import test from 'ava';
import fc from 'fast-check';
import { jsonParts } from '../../../src/domain/json-parts.js';
import { jsonBytes } from '../../../src/http/app/json-stream.js';
import { extensionHealth, healthSource, listen, partsOf } from '../helpers.js';

const many = healthSource(...Array.from({ length: 2000 }, (_, i) => extensionHealth(`e${String(i).padStart(5, '0')}`)));
const few = healthSource(extensionHealth('a'));
const PATH = '/admin/extensions/health';

async function get(url: string, headers: Readonly<Record<string, string>> = {}, path = PATH) {
  const asked = request(`${url}${path}`, { headers: { ...headers } }).end();
  const [response] = await once(asked, 'response');
  const parts: Buffer[] = await response.toArray();
  return { headers: response.headers as Record<string, string | undefined>, parts, body: Buffer.concat(parts) };
}

test('JSON-STREAM-1: a large list comes in parts, and is the whole list', async (t) => {
  const { url } = await listen(t, { health: many });
  const { headers, parts, body } = await get(url);
  t.is(headers['content-type'], 'application/json; charset=utf-8');
  t.is(headers['content-encoding'], undefined);
  t.is(headers['cache-control'], 'no-store');
  t.true(parts.length > 10);
  t.deepEqual(JSON.parse(body.toString()), many.report());
});

test('JSON-STREAM-1: one extension with thousands of versions comes in parts, too', async (t) => {
  const one = few.whole('a');
  if (one === null) throw new Error('no extension a');
  const versions = Array.from(
    { length: 3000 },
    (_, i) => ({ ...one.versions[0], version: `v${i}` }) as (typeof one.versions)[number],
  );
  const large = { ...one, versions };
  const { url } = await listen(t, { health: { ...few, one: () => partsOf(large) } });
  const { parts, body } = await get(url, {}, '/admin/extensions/a/health');
  t.true(parts.length > 10);
  t.deepEqual(JSON.parse(body.toString()), large);
});

for (const [size, characters] of [
  ['small', 10],
  ['large', 20_000],
] as const)
  test(`JSON-STREAM-1: after a ${size} first part, the second is made in a turn of its own`, async (t) => {
    const later: boolean[] = [];
    function* parts(): Generator<string> {
      for (let i = 0; i < 3; i++) {
        let isLater = false;
        const mark = (): void => {
          isLater = true;
        };
        // Timers of one duration fire in the order of their arming, and may fire before immediates.
        setImmediate(mark);
        setTimeout(mark, 1);
        yield i === 0 ? `"${'x'.repeat(characters)}` : i === 1 ? 'y' : '"';
        later.push(isLater);
      }
    }
    const { url } = await listen(t, { health: { ...few, one: parts } });
    const { body } = await get(url, {}, '/admin/extensions/a/health');
    t.is(JSON.parse(body.toString()).length, characters + 1);
    t.deepEqual(later, [true, true, true]);
  });

const compressed = test.macro<[accepts: string, isCompressed: boolean]>({
  async exec(t, accepts, isCompressed) {
    const { url } = await listen(t, { health: many });
    const { headers, body } = await get(url, { 'accept-encoding': accepts });
    t.is(headers['content-encoding'], isCompressed ? 'gzip' : undefined);
    t.is(headers.vary, 'accept-encoding');
    t.deepEqual(JSON.parse((isCompressed ? gunzipSync(body) : body).toString()), many.report());
  },
  title: (_, accepts, isCompressed) =>
    `JSON-STREAM-2: accept-encoding '${accepts}' gets it ${isCompressed ? 'compressed' : 'as it is'}`,
});
test(compressed, 'gzip', true);
test(compressed, 'br, GZIP;q=0.5', true);
test(compressed, '*', true);
test(compressed, 'gzip;q=0', false);
test(compressed, 'gzip; q=0.0', false);
test(compressed, 'gzip;q=0, *', false);
test(compressed, '*;q=0, gzip;q=0.5', true);
test(compressed, 'br, deflate', false);
test(compressed, '', false);

test('JSON-STREAM-2: a small list is not compressed', async (t) => {
  const { url } = await listen(t, { health: few });
  const { headers, body } = await get(url, { 'accept-encoding': 'gzip' });
  t.is(headers['content-encoding'], undefined);
  t.is(Number(headers['content-length']), body.length);
  t.deepEqual(JSON.parse(body.toString()), few.report());
});

for (const accepts of ['gzip', 'identity'])
  test(`a client that leaves in the middle of a list (${accepts}) reaches no other`, async (t) => {
    const { url } = await listen(t, { health: many });
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    socket.write(`GET ${PATH} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nAccept-Encoding: ${accepts}\r\n\r\n`);
    await once(socket, 'data');
    socket.resetAndDestroy();
    t.deepEqual(JSON.parse((await get(url)).body.toString()), many.report());
  });

test('a list that cannot be made is an error of its own', async (t) => {
  const { url } = await listen(t, { health: { ...few, list: () => Promise.reject(new Error('a bug')) } });
  const response = await fetch(`${url}${PATH}`);
  t.is(response.status, 500);
  t.is(((await response.json()) as { error: { code: string } }).error.code, 'internal_error');
});

test('JSON-STREAM-3: bytes of a list are those of its text, whatever its items are', (t) => {
  const item = fc.oneof(
    fc.json(),
    fc.string({ unit: 'grapheme', maxLength: 50 }).map((text) => JSON.stringify(text)),
  );
  const large = fc.integer({ min: 0, max: 60_000 }).map((length) => JSON.stringify('ä🦊'.repeat(length / 2)));
  const items = fc.array(fc.oneof({ arbitrary: item, weight: 9 }, { arbitrary: large, weight: 1 }), { maxLength: 60 });
  fc.assert(
    fc.property(items, fc.constantFrom({}, { total: 3 }, { rows: ['x'.repeat(40_000)] }), (texts, rest) => {
      const parts = [...jsonBytes('items', texts, rest)];
      t.is(Buffer.concat(parts).toString(), [...jsonParts('items', texts, rest)].join(''));
      t.true(parts.every(({ length }) => length > 0));
    }),
    { numRuns: 60 },
  );
  const rows = Array.from({ length: 2000 }, (_, i) => JSON.stringify({ i, text: 'x'.repeat(500) }));
  const parts = [...jsonBytes('items', rows, {})];
  t.true(parts.length > 30 && parts.every(({ length }) => length <= 32_768));
  t.is([...jsonBytes('items', ['1'], { a: 1 })].length, 1, 'what is small is one part');
});

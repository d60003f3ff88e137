import { once } from 'node:events';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import test from 'ava';
import type { Readiness } from '../../src/actors/ports/api.js';
import { HTTP_ERRORS } from '../../src/http/app/http-errors.js';
import { HttpStartError } from '../../src/http/http-start-error.js';
import { createLogger } from '../../src/telemetry/log.js';
import { CERTIFICATE, KEY } from '../helpers/certificate.js';
import { extensionHealth, healthSource, listen, targetHealth } from './helpers.js';

test('health: the report of all extensions goes out as it is, in the order of their ids', async (t) => {
  const source = healthSource(
    extensionHealth('b', { circuit_breaker_state: 'open', success_rate: null, trip_reason: 'error_rate' }),
    extensionHealth('a'),
  );
  const { url } = await listen(t, { health: source });
  const response = await fetch(`${url}/admin/extensions/health`);
  t.is(response.status, 200);
  t.is(response.headers.get('content-type'), 'application/json; charset=utf-8');
  t.is(response.headers.get('cache-control'), 'no-store');
  t.deepEqual(await response.json(), source.report());
});

test('health: no extension at all is a report too', async (t) => {
  const { url } = await listen(t, { health: healthSource() });
  const response = await fetch(`${url}/admin/extensions/health`);
  t.deepEqual(await response.json(), {
    extensions: [],
    summary: {
      total: 0,
      enabled: 0,
      healthy: 0,
      unhealthy: 0,
      avg_success_rate: null,
      avg_latency_ms: null,
      avg_p95_latency_ms: null,
    },
  });
});

const page = test.macro<[query: string, ids: string[]]>({
  async exec(t, query, ids) {
    const { url } = await listen(t, { health: healthSource(...['c', 'a', 'b'].map((id) => extensionHealth(id))) });
    const response = await fetch(`${url}/admin/extensions/health${query}`);
    const body = (await response.json()) as { extensions: { id: string }[]; summary: { total: number } };
    t.deepEqual(
      body.extensions.map(({ id }) => id),
      ids,
    );
    t.is(body.summary.total, 3);
  },
  title: (_, query) => `health: '${query}' pages the extensions, never the summary`,
});
test(page, '', ['a', 'b', 'c']);
test(page, '?limit=2', ['a', 'b']);
test(page, '?limit=2&offset=2', ['c']);
test(page, '?limit=2&offset=9', []);

test('health: the view of one extension has its versions and instances', async (t) => {
  const source = healthSource(extensionHealth('a:b_C-1'));
  const { url } = await listen(t, { health: source });
  const response = await fetch(`${url}/admin/extensions/a%3Ab_C-1/health`);
  t.is(response.status, 200);
  t.deepEqual(await response.json(), source.whole('a:b_C-1'));
});

test('health: a new extension without any call has null where nothing is known', async (t) => {
  const unknown = Object.fromEntries(
    Object.entries(targetHealth).map(([key, value]) => [
      key,
      typeof value === 'number' && /rate|ms/.test(key) ? null : value,
    ]),
  );
  const { url } = await listen(t, { health: healthSource(extensionHealth('a', unknown)) });
  const { health } = (await (await fetch(`${url}/admin/extensions/a/health`)).json()) as { health: unknown };
  t.deepEqual(health, { ...targetHealth, ...unknown });
});

const refused = test.macro<
  [method: string, path: string, code: keyof typeof HTTP_ERRORS, headers?: Record<string, string>]
>({
  async exec(t, method, path, code, headers = {}) {
    const { url } = await listen(t);
    const response = await fetch(url + path, { method, headers, ...(method === 'POST' ? { body: '{' } : {}) });
    const body = (await response.json()) as { error: { code: string; message: string } };
    t.is(body.error.code, code);
    t.is(response.status, HTTP_ERRORS[code].status);
    t.deepEqual(Object.keys(body.error), ['code', 'message']);
    t.true(body.error.message.length > 0 && body.error.message.length <= 301);
    t.is(response.headers.get('allow'), code === 'method_not_allowed' ? 'GET, HEAD' : null);
    t.is(response.headers.get('cache-control'), 'no-store');
  },
  title: (_, method, path, code, headers) =>
    `APP-1: ${method} ${path.slice(0, 60)}${headers ? ` with ${Object.keys(headers)[0]}` : ''} is answered ${code}`,
});
test(refused, 'GET', '//', 'route_not_found');
test(refused, 'GET', '/admin/extensions/health/', 'route_not_found');
test(refused, 'GET', '/admin/extensions/normalize_text/nope', 'route_not_found');
test(refused, 'POST', '/nope', 'route_not_found', { 'content-type': 'application/json' });
test(refused, 'GET', '/admin/extensions/none/health', 'extension_not_found');
test(refused, 'GET', '/admin/extensions/a.b/health', 'invalid_request');
test(refused, 'GET', '/admin/extensions/a%20b/health', 'invalid_request');
test(refused, 'GET', '/admin/extensions/%zz/health', 'invalid_request');
test(refused, 'GET', `/admin/extensions/${'x'.repeat(256)}/health`, 'invalid_request');
test(refused, 'GET', `/admin/extensions/${'x'.repeat(2000)}/health`, 'uri_too_long');
test(refused, 'GET', `/admin/extensions/health?${'x'.repeat(17_000)}`, 'headers_too_large');
test(refused, 'GET', '/livez', 'headers_too_large', { 'x-padding': 'x'.repeat(17_000) });
for (const query of ['limit=0', 'limit=1&limit=2', 'verion=v1'])
  test(refused, 'GET', `/admin/extensions/health?${query}`, 'invalid_request');

const badQuery = test.macro<[path: string, message: string]>({
  async exec(t, path, message) {
    const { url } = await listen(t);
    const response = await fetch(url + path);
    const { error } = (await response.json()) as { error: { code: string; message: string } };
    t.deepEqual({ status: response.status, ...error }, { status: 400, code: 'invalid_request', message });
  },
  title: (_, path) => `QUERY-STRING-1: GET ${path} names the parameter that is wrong, and what it may be`,
});
const HEALTH = '/admin/extensions/health';
for (const [parameter, wanted, values] of [
  ['limit', 'an integer from 1 to 100000', ['abc', '', '0', '-1', '+1', '1.5', '1e2', '0x10', '12abc', ' 5', '100001']],
  ['offset', 'an integer from 0 to 10000000', ['x', '-1', '10000001', '1'.repeat(15)]],
  ['unhealthy', 'true or false', ['yes', 'no', 'on', '1', '0', 'TRUE', 'True', '', 'null']],
] as const)
  for (const value of values)
    test(
      badQuery,
      `${HEALTH}?${parameter}=${encodeURIComponent(value)}`,
      `parameter '${parameter}' must be ${wanted}, got "${value}"`,
    );
test(badQuery, `${HEALTH}?limit=1&limit=2`, "parameter 'limit' must be given once, got it 2 times");
test(
  badQuery,
  `${HEALTH}?unhealthy=true&unhealthy=true&unhealthy=true`,
  "parameter 'unhealthy' must be given once, got it 3 times",
);
test(badQuery, `${HEALTH}?offset=1`, "parameter 'offset' needs parameter 'limit' beside it, which is missing");
test(badQuery, `${HEALTH}?verion=v1`, 'there is no parameter "verion"; this path takes limit, offset, unhealthy');
test(badQuery, `${HEALTH}?__proto__=1`, 'there is no parameter "__proto__"; this path takes limit, offset, unhealthy');
test(
  badQuery,
  `${HEALTH}?constructor=1`,
  'there is no parameter "constructor"; this path takes limit, offset, unhealthy',
);
test(
  badQuery,
  '/admin/extensions/normalize_text/health?limit=1',
  'there is no parameter "limit"; this path takes none',
);
test(
  badQuery,
  '/admin/extensions/normalize_text/rollout?limit=201',
  `parameter 'limit' must be an integer from 1 to 200, got "201"`,
);
test(
  badQuery,
  '/admin/extensions/normalize_text/rollout?offset=2',
  'there is no parameter "offset"; this path takes limit',
);
test(badQuery, '/inspect/targets?extension=a', 'there is no parameter "extension"; this path takes limit, after, q');

for (const verb of ['disable', 'rollout'])
  test(`QUERY-STRING-2: POST …/${verb} takes no parameters`, async (t) => {
    const { url } = await listen(t);
    const response = await fetch(`${url}/admin/extensions/normalize_text/${verb}?force=true`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'a test', ...(verb === 'rollout' ? { version: 'v1', percent: 1 } : {}) }),
    });
    const { error } = (await response.json()) as { error: { message: string } };
    t.is(response.status, 400);
    t.is(error.message, 'there is no parameter "force"; this path takes none');
  });

test("QUERY-STRING-2: true and false are a boolean's values", async (t) => {
  const sick = extensionHealth('b', { circuit_breaker_state: 'open' });
  const { url } = await listen(t, { health: healthSource(extensionHealth('a'), sick) });
  for (const [word, ids] of [
    ['true', ['b']],
    ['false', ['a', 'b']],
  ] as const) {
    const response = await fetch(`${url}${HEALTH}?unhealthy=${word}`);
    const { extensions } = (await response.json()) as { extensions: { id: string }[] };
    t.deepEqual(
      extensions.map(({ id }) => id),
      ids,
    );
  }
});

test(refused, 'POST', '/admin/extensions/health', 'method_not_allowed', { 'content-type': 'application/json' });
test(refused, 'DELETE', '/admin/extensions/normalize_text/health', 'method_not_allowed');
test(refused, 'POST', '/livez', 'method_not_allowed', { 'content-type': 'text/plain' });
test(refused, 'GET', '/metrics', 'origin_not_allowed', { origin: 'http://evil.example' });
test(refused, 'GET', '/livez', 'origin_not_allowed', { origin: 'null' });
test(refused, 'GET', '/nope', 'origin_not_allowed', { origin: 'https://127.0.0.1' });

const host = test.macro<[host: string, status: number, origin?: string, more?: Record<string, string>]>({
  async exec(t, name, status, origin, more = {}) {
    const { url } = await listen(t);
    const { port } = new URL(url);
    const headers = {
      ...more,
      host: name.replace('PORT', port),
      ...(origin ? { origin: origin.replace('PORT', port) } : {}),
    };
    const sent = request({ host: '127.0.0.1', port, path: '/metrics', headers }).end();
    const [response] = await once(sent, 'response');
    t.is(response.statusCode, status);
    await text(response);
  },
  title: (_, name, status, origin, more = {}) =>
    `SAME-SITE-1, SAME-SITE-2, SAME-SITE-3: Host ${name}${origin ? ` with Origin ${origin}` : ''}${Object.values(more)
      .map((value) => `, ${value}`)
      .join('')} is answered ${status}`,
});
test(host, '127.0.0.1:PORT', 200);
test(host, 'localhost:PORT', 200);
test(host, 'LOCALHOST', 200);
test(host, '[::1]:PORT', 200);
test(host, 'evil.example:PORT', 403);
test(host, '127.0.0.1.evil.example', 403);
test(host, '192.168.0.1:PORT', 403);
test(host, 'localhost:PORT', 403, undefined, { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' });
test(host, 'localhost:PORT', 200, undefined, { 'sec-fetch-site': 'same-origin' });
test(host, 'localhost:PORT', 200, 'http://localhost:PORT');
test(host, 'localhost:PORT', 403, 'http://127.0.0.1:PORT');
test(host, 'localhost:PORT', 403, 'http://localhost:1');

const unreadable = test.macro<[bytes: string, status: number]>({
  async exec(t, bytes, status) {
    const { url } = await listen(t);
    const socket = connect(Number(new URL(url).port), '127.0.0.1');
    socket.write(bytes);
    const answer = await text(socket);
    t.true(answer.startsWith(`HTTP/1.1 ${status} `), answer);
    const body = JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4)) as { error: { code: string } };
    t.is(HTTP_ERRORS[body.error.code as keyof typeof HTTP_ERRORS].status as number, status);
  },
  title: (_, bytes, status) => `APP-1: ${JSON.stringify(bytes.slice(0, 40))} is answered ${status} in JSON`,
});
test(unreadable, 'GET /metrics HTTP/1.1\r\nHost:\r\nConnection: close\r\n\r\n', 403);
test(unreadable, 'GET /metrics HTTP/1.0\r\n\r\n', 403);
test(unreadable, 'GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n', 403);
test(unreadable, 'nonsense\r\n\r\n', 400);
test(unreadable, 'CONNECT a:1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n', 400);
test(unreadable, 'GET /nope HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: a miracle\r\nConnection: close\r\n\r\n', 404);
test(unreadable, 'DELETE /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: 200-ok\r\nConnection: close\r\n\r\n', 405);
test(unreadable, 'GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n', 400);
test(unreadable, `GET /livez HTTP/1.1\r\nHost: localhost\r\n${'a: 0123456789\r\n'.repeat(1800)}\r\n`, 431);

test('APP-1: a fault in a handler is told without its message, and logged with it', async (t) => {
  const lines: string[] = [];
  const broken = {
    ...healthSource(),
    list: () => {
      throw new Error('geheim');
    },
  };
  const { url } = await listen(t, { health: broken, log: createLogger('info', { write: (line) => lines.push(line) }) });
  const response = await fetch(`${url}/admin/extensions/health`, { headers: { 'x-request-id': 'client:7' } });
  t.is(response.status, 500);
  const detail = 'a fault of the daemon; see its log, request client:7';
  t.is(response.headers.get('content-type'), 'application/problem+json; charset=utf-8');
  t.deepEqual(await response.json(), {
    type: 'urn:extreg:error:internal_error',
    title: 'Internal error',
    status: 500,
    detail,
    code: 'internal_error',
    error: { code: 'internal_error', message: detail },
  });
  const failed = lines.find((line) => line.includes('http_request_failed'));
  t.true(failed?.includes('geheim'));
  t.is(JSON.parse(failed ?? '{}').request_id, 'client:7');
});

test('every answer names its request: as the client did, or by an id of its own where that fits into no log line', async (t) => {
  const { url } = await listen(t);
  const idOf = async (path: string, given?: string) =>
    (await fetch(`${url}${path}`, given === undefined ? {} : { headers: { 'x-request-id': given } })).headers.get(
      'x-request-id',
    );
  t.is(await idOf('/livez', 'a-1.b_2:c'), 'a-1.b_2:c');
  for (const given of [undefined, 'x'.repeat(65), 'two words', '{"a":1}'])
    t.regex((await idOf('/livez', given)) ?? '', /^[0-9a-f-]{36}$/);
  t.regex((await idOf('/no/such/path')) ?? '', /^[0-9a-f-]{36}$/);
});

test('livez: says yes while the process answers', async (t) => {
  const { url } = await listen(t, {
    readiness: () => ({ ready: false, waiting_for: ['nats'], reasons: [], degraded: [] }),
  });
  const response = await fetch(`${url}/livez`);
  t.is(response.status, 200);
  t.deepEqual(await response.json(), { live: true });
  t.is((await fetch(`${url}/livez`, { method: 'HEAD' })).status, 200);
});

test('readyz: 200 also while degraded, 503 with what it waits for', async (t) => {
  let now: Readiness = { ready: true, waiting_for: [], reasons: [], degraded: ['database'] };
  const { url } = await listen(t, { readiness: () => now });
  const first = await fetch(`${url}/readyz`);
  t.is(first.status, 200);
  t.deepEqual(await first.json(), now);
  now = { ready: false, waiting_for: ['nats', 'registry'], reasons: ['not connected to NATS'], degraded: [] };
  const second = await fetch(`${url}/readyz`);
  t.is(second.status, 503);
  t.deepEqual(await second.json(), now);
});

test('start: a port in use is refused with the address and what to do', async (t) => {
  const { url } = await listen(t);
  const error = await t.throwsAsync(listen(t, { port: Number(new URL(url).port) }), { instanceOf: HttpStartError });
  t.true(error?.message.startsWith(`${url} is in use by another process; choose another port with http_port`));
});

test('start: with TLS, a port in use is refused with an https address', async (t) => {
  const tls = { cert: Buffer.from(CERTIFICATE), key: Buffer.from(KEY) };
  const { url } = await listen(t, { tls });
  t.regex(url, /^https:/);
  const error = await t.throwsAsync(listen(t, { tls, port: Number(new URL(url).port) }));
  t.true(error?.message.startsWith(`${url} is in use by another process`), error?.message);
});

test('start: an address of another host is refused', async (t) => {
  const error = await t.throwsAsync(listen(t, { host: '192.0.2.1' }), { instanceOf: HttpStartError });
  t.regex(error?.message ?? '', /is no address of this host/);
});

test('start: IPv6 stands in brackets in the URL', async (t) => {
  const probe = createServer();
  const hasIpv6 = await new Promise((resolve) => {
    probe.once('error', () => resolve(false)).listen(0, '::1', () => resolve(true));
  });
  probe.close();
  if (!hasIpv6) return t.pass('no IPv6 on this host');
  const { url } = await listen(t, { host: '::1' });
  t.regex(url, /^http:\/\/\[::1\]:\d+$/);
  t.is((await fetch(`${url}/livez`)).status, 200);
});

test('close: ends idle connections at once and frees the port', async (t) => {
  const { url, close } = await listen(t);
  await (await fetch(`${url}/livez`)).text();
  const idle = connect(Number(new URL(url).port), '127.0.0.1');
  await once(idle, 'connect');
  const began = performance.now();
  await close();
  t.true(performance.now() - began < 900);
  await once(idle, 'close');
  await t.throwsAsync(fetch(`${url}/livez`));
});

test('close: an answer that does not end holds it up for a second only', async (t) => {
  const { url, close } = await listen(t, {
    metrics: async function* () {
      yield '# begun\n';
      await new Promise(() => undefined);
    },
  });
  const response = await fetch(`${url}/metrics`);
  const reading = t.throwsAsync(response.text());
  const began = performance.now();
  await close();
  t.true(performance.now() - began < 3000);
  await reading;
});

// What is tried against the admin API, and what it gets: tokens, roles, codes, tickets, names of hosts, TLS. ACCESS-1 to -4, SAME-SITE-1 to -3,
// WEBSOCKET-4, APP-3.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { text } from 'node:stream/consumers';
import test, { type ExecutionContext } from 'ava';
import { WebSocket } from '#ws';
import { Access } from '../../src/actors/access/access.js';
import { HTTP_ERRORS } from '../../src/http/app/http-errors.js';
import type { HttpOptions } from '../../src/http/server.js';
import { silentLogger } from '../../src/telemetry/log.js';
import { MemoryTokens } from '../helpers/access.js';
import { ActorWorld } from '../helpers/actor-world.js';
import { CERTIFICATE, KEY } from '../helpers/certificate.js';
import { extensionRow, registryEntry, snapshotOf } from '../helpers/registry-rows.js';
import { until } from '../helpers/until.js';
import { systemClock } from '../nats/wire-rig.js';
import { listen } from './helpers.js';

const LOCAL = 'extreg_local';

async function startAccess(t: ExecutionContext, store: MemoryTokens, alwaysRequired: boolean): Promise<Access> {
  const access = new Access({
    store,
    file: { read: () => null, write: () => undefined },
    alwaysRequired,
    local: { text: LOCAL, user: 'ada' },
    clock: systemClock,
    wall: Date.now,
    randomBytes,
    log: silentLogger,
  });
  access.start();
  t.teardown(() => access.stop());
  await access.known;
  return access;
}

/** A server with a token of each role. */
async function world(t: ExecutionContext, options: Partial<HttpOptions> = {}) {
  const store = new MemoryTokens();
  const access = await startAccess(t, store, true);
  const routes: { method: string; path: string }[] = [];
  const actors: string[] = [];
  const server = await listen(t, {
    access,
    onRoute: (method, path) => routes.push({ method, path }),
    executeVerb: async ({ actor }) => {
      actors.push(actor);
      return { kind: 'extension_not_found', message: 'none' };
    },
    ...options,
  });
  const made = async (name: string, role: 'viewer' | 'operator' | 'admin') => {
    const answer = await access.create({ name, role, expiresInDays: null }, 'admin');
    if (answer.kind !== 'created') throw new Error(answer.message);
    return answer;
  };
  const [viewer, operator, admin] = [await made('v', 'viewer'), await made('o', 'operator'), await made('a', 'admin')];
  const ask = async (path: string, { method = 'GET', token, body, headers = {} }: Ask = {}) => {
    const response = await fetch(server.url + path, {
      method,
      headers: {
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const answered = await response.text();
    // biome-ignore lint/suspicious/noExplicitAny: whatever the answer is
    const json: any = answered === '' || !answered.startsWith('{') ? null : JSON.parse(answered);
    return { status: response.status, headers: response.headers, body: json, text: answered };
  };
  return { access, store, server, routes, actors, viewer, operator, admin, ask };
}

interface Ask {
  readonly method?: string;
  readonly token?: string;
  readonly body?: object;
  readonly headers?: Record<string, string>;
}

const IS_PAGE = /^GET \/(?:$|ui\b|assets\/)/;

test('ACCESS-1: nothing is answered without a token but what is open, and the answer says how to get one', async (t) => {
  const { ask, routes, server } = await world(t);
  const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { 'x-extreg-role': string }>>;
  };
  let guarded = 0;
  for (const { method, path } of routes) {
    if (method === 'HEAD') continue;
    const role = document.paths[path.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()]?.['x-extreg-role'];
    const { status, body, headers } = await ask(path.replace(/:\w+/g, 'x'), { method });
    // Pages and files of the console hold no data, and are not in the document.
    if (role === 'none' || (role === undefined && IS_PAGE.test(`${method} ${path}`))) {
      t.not(status, 401, path);
      continue;
    }
    guarded++;
    t.is(status, 401, `${method} ${path}`);
    t.is(body.code, 'unauthenticated');
    t.is(headers.get('www-authenticate'), 'Bearer');
    t.regex(body.detail, /extreg token create/);
  }
  t.true(guarded > 40, String(guarded));
});

test('APP-3: a role below the one of a route is refused with the role that it needs, on every route', async (t) => {
  const { ask, routes, viewer, operator, server } = await world(t);
  const document = (await (await fetch(`${server.url}/openapi.json`)).json()) as {
    paths: Record<string, Record<string, { 'x-extreg-role': string }>>;
  };
  const tried = { viewer: 0, operator: 0 };
  for (const { method, path } of routes) {
    if (method === 'HEAD') continue;
    const role = document.paths[path.replace(/:(\w+)/g, '{$1}')]?.[method.toLowerCase()]?.['x-extreg-role'];
    for (const [own, token] of [
      ['viewer', viewer.text],
      ['operator', operator.text],
    ] as const) {
      const isBelow = role === 'admin' || (role === 'operator' && own === 'viewer');
      if (!isBelow) continue;
      tried[own]++;
      const { status, body } = await ask(path.replace(/:\w+/g, 'x'), { method, token });
      t.is(status, 403, `${own} ${method} ${path}`);
      t.like(body, { code: 'forbidden', needs: role });
    }
  }
  t.true(tried.viewer > 20 && tried.operator > 10, JSON.stringify(tried));
});

test('access: the trail names the token, and who it says it acts for', async (t) => {
  const { ask, operator, actors } = await world(t);
  const reset = (token: string, body: object) =>
    ask('/admin/extensions/x/isolate', { method: 'POST', token, body: { reason: 'why', ...body } });
  await reset(operator.text, {});
  await reset(operator.text, { by: 'ada' });
  await reset(LOCAL, {});
  await reset(LOCAL, { by: 'bob' });
  t.deepEqual(actors, ['token:o', 'token:o/ada', 'local:ada', 'local:ada/bob']);
});

test('access: tokens are made, listed without their text, and revoked with what they opened', async (t) => {
  const { ask, admin, server } = await world(t);
  const token = admin.text;
  const made = await ask('/admin/tokens', {
    method: 'POST',
    token,
    body: { name: 'ci', role: 'viewer', expires_in_days: 1 },
  });
  t.is(made.status, 201);
  t.like(await ask('/admin/whoami', { token: made.body.token }), {
    status: 200,
    body: { name: 'ci', role: 'viewer', kind: 'token', auth: 'required' },
  });
  const twice = await ask('/admin/tokens', { method: 'POST', token, body: { name: 'ci', role: 'admin' } });
  t.like(twice, { status: 409, body: { code: 'already_exists' } });
  for (const body of [
    { name: 'a b', role: 'viewer' },
    { name: '', role: 'viewer' },
    { name: 'x'.repeat(65), role: 'viewer' },
    { name: 'x', role: 'root' },
    { name: 'x', role: 'viewer', expires_in_days: 0 },
    { name: 'x', role: 'viewer', expires_in_days: -1 },
    { name: 'x', role: 'viewer', expires_in_days: 1e9 },
    { name: 'x', role: 'viewer', hash: '0' },
  ])
    t.is((await ask('/admin/tokens', { method: 'POST', token, body })).status, 400, JSON.stringify(body));

  const socket = new WebSocket(`${server.url.replace('http', 'ws')}/inspect?extension=x`, {
    headers: { authorization: `Bearer ${made.body.token}` },
  });
  await once(socket, 'open');
  t.is((await ask(`/admin/tokens/${made.body.id}`, { method: 'DELETE', token })).status, 400);
  t.is((await ask(`/admin/tokens/${made.body.id}?reason=left`, { method: 'DELETE', token })).status, 204);
  const [code] = await once(socket, 'close');
  t.is(code, 4401);
  t.is((await ask('/admin/whoami', { token: made.body.token })).status, 401);
  t.like(await ask(`/admin/tokens/${made.body.id}?reason=left`, { method: 'DELETE', token }), {
    status: 404,
    body: { code: 'token_not_found' },
  });
});

test('SIGN-IN-2: a code signs in once, never above the role of who asked for it', async (t) => {
  const { ask, operator } = await world(t);
  const { text: token } = operator;
  const higher = await ask('/admin/login-codes', { method: 'POST', token, body: { role: 'admin' } });
  t.like(higher, { status: 403, body: { code: 'forbidden', needs: 'admin' } });
  const { body: issued } = await ask('/admin/login-codes', { method: 'POST', token });
  t.regex(issued.url, /^http:\/\/127\.0\.0\.1:\d+\/#code=[\w-]+$/);
  const signIn = (code: string) => ask('/admin/login', { method: 'POST', body: { code } });
  const { status, body } = await signIn(issued.code);
  t.is(status, 200);
  t.like(body, { name: 'o', role: 'operator' });
  t.like(await signIn(issued.code), { status: 401, body: { code: 'unauthenticated' } });
  t.is((await ask('/admin/logout', { method: 'POST', token: body.token })).status, 204);
  t.is((await ask('/admin/whoami', { token: body.token })).status, 401);
  t.is((await ask('/admin/logout', { method: 'POST', token })).status, 204);
  t.is((await ask('/admin/whoami', { token })).status, 200);
});

test('WRONG-TRIES-1: after ten wrong tokens or codes an address waits for 429; a right token passes meanwhile', async (t) => {
  const { ask, viewer } = await world(t);
  for (let i = 0; i < 5; i++) {
    t.is((await ask('/admin/whoami', { token: 'extreg_wrong' })).status, 401);
    t.is((await ask('/admin/login', { method: 'POST', body: { code: 'wrong' } })).status, 401);
  }
  t.like(await ask('/admin/whoami', { token: 'extreg_wrong' }), { status: 429, body: { code: 'too_many_requests' } });
  t.like(await ask('/admin/login', { method: 'POST', body: { code: 'x' } }), { status: 429 });
  t.is((await ask('/admin/whoami')).status, 401);
  t.is((await ask('/admin/whoami', { token: viewer.text })).status, 200);
});

test('WEBSOCKET-4: a socket opens with a ticket, once; without one it is accepted and closed with 4401', async (t) => {
  const { ask, server, viewer } = await world(t);
  const url = `${server.url.replace('http', 'ws')}/inspect?extension=x`;
  const { body } = await ask('/inspect/tickets', { method: 'POST', token: viewer.text });
  const socket = new WebSocket(`${url}&ticket=${body.ticket}`);
  await once(socket, 'open');
  t.teardown(() => socket.terminate());
  for (const query of [`&ticket=${body.ticket}`, '&ticket=', '&ticket=nonsense', '']) {
    const refused = new WebSocket(url + query);
    const [code] = await once(refused, 'close');
    t.is(code, 4401, query);
  }
  t.is(socket.readyState, WebSocket.OPEN);
});

/** `host` as a client names it; `origin` as a browser does. */
async function statusOf(url: string, headers: Record<string, string>, path = '/metrics'): Promise<number> {
  const secure = url.startsWith('https');
  const sent = (secure ? secureRequest : plainRequest)(url + path, { headers, agent: false, ca: CERTIFICATE }).end();
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  await text(response);
  return response.statusCode ?? 0;
}

test('SAME-SITE-1, SAME-SITE-2: further names are those that were configured, in any case; a proxy has its own origin', async (t) => {
  const { server } = await world(t, { hosts: ['Registry.internal'], publicUrl: 'https://registry.example:8443' });
  for (const host of [
    'registry.internal:8420',
    'REGISTRY.INTERNAL',
    'registry.example',
    'registry.example:1',
    'localhost',
  ])
    t.is(await statusOf(server.url, { host }), 200, host);
  for (const host of ['evil.example', 'registry.internal.evil.example', 'xregistry.internal', '10.0.0.1'])
    t.is(await statusOf(server.url, { host }), 403, host);
  t.is(await statusOf(server.url, { host: 'evil.example' }, '/livez'), 200);
  const from = (origin: string) => statusOf(server.url, { host: 'registry.example:8443', origin });
  t.is(await from('https://registry.example:8443'), 200);
  t.is(await from('http://registry.example:8443'), 200);
  t.is(await from('https://registry.example'), 403);
  t.is(await from('null'), 403);
});

test('SAME-SITE-3: what a browser calls cross-site is refused, but a link to the page', async (t) => {
  const { server } = await world(t);
  const foreign = { 'sec-fetch-site': 'cross-site' };
  t.is(await statusOf(server.url, { ...foreign, 'sec-fetch-mode': 'navigate' }, '/'), 200);
  t.is(await statusOf(server.url, { ...foreign, 'sec-fetch-mode': 'no-cors' }, '/'), 403);
  t.is(await statusOf(server.url, { ...foreign, 'sec-fetch-mode': 'navigate' }, '/metrics'), 403);
});

test('access: /metrics asks for a token where it is not open', async (t) => {
  const { ask, viewer } = await world(t, { metricsOpen: false });
  t.is((await ask('/metrics')).status, 401);
  t.is((await ask('/metrics', { token: viewer.text })).status, 200);
});

test('access: TLS, with a certificate that is renewed for what connects from then on', async (t) => {
  const tls = { cert: Buffer.from(CERTIFICATE), key: Buffer.from(KEY) };
  const { server, viewer } = await world(t, { tls });
  t.regex(server.url, /^https:/);
  const headers = { authorization: `Bearer ${viewer.text}`, origin: server.url };
  t.is(await statusOf(server.url, headers, '/admin/whoami'), 200);
  t.is(await statusOf(server.url, { ...headers, origin: server.url.replace('https', 'http') }, '/admin/whoami'), 403);
  t.throws(() => server.renewCertificate({ cert: Buffer.from('nonsense'), key: tls.key }));
  t.is(await statusOf(server.url, headers, '/admin/whoami'), 200);
  server.renewCertificate(tls);
  t.is(await statusOf(server.url, headers, '/admin/whoami'), 200);
  const socket = new WebSocket(`${server.url.replace('https', 'wss')}/inspect?extension=x`, {
    ca: CERTIFICATE,
    headers,
  });
  await once(socket, 'open');
  socket.terminate();
  // An upgrade of something else goes through the server once more, within TLS.
  t.is(await statusOf(server.url, { ...headers, connection: 'upgrade', upgrade: 'websocket' }, '/admin/whoami'), 200);
  // Plain HTTP learns nothing.
  const plain = plainRequest(server.url.replace('https', 'http')).end();
  await t.throwsAsync(once(plain, 'response'));
});

test('access: headers and paths that are no requests of ours get a problem, and nothing of another answer', async (t) => {
  const { ask, admin } = await world(t);
  const { text: token } = admin;
  for (const [path, code] of [
    ['/admin/extensions/..%2f..%2fetc%2fpasswd', 'invalid_request'],
    ['/admin/extensions/x%00', 'invalid_request'],
    ['/admin/extensions/x%0d%0aset-cookie:a=b/health', 'invalid_request'],
    ['/ADMIN/whoami', 'route_not_found'],
    ['/admin//whoami', 'route_not_found'],
    ['/admin/whoami/', 'route_not_found'],
    ['/admin/whoami;x', 'route_not_found'],
    ['/admin/whoami?token=x', 'invalid_request'],
  ] as const) {
    const { status, body, headers } = await ask(path, { token });
    t.is(body?.code, code, path);
    t.is(status, HTTP_ERRORS[code].status as number, path);
    t.is(headers.get('set-cookie'), null);
    t.is(headers.get('content-type'), 'application/problem+json; charset=utf-8');
  }
  for (const authorization of ['Bearer', 'Bearer a b', 'Basic YTpi', `Bearer ${'x'.repeat(10_000)}`, 'bearer\t x'])
    t.is((await ask('/admin/whoami', { headers: { authorization } })).status, 401, authorization.slice(0, 20));
});

test('STRICT-BODY-3: a body where none is taken is refused, if it says something', async (t) => {
  const { ask, admin } = await world(t);
  const { text: token } = admin;
  for (const [method, path] of [
    ['POST', '/inspect/tickets'],
    ['POST', '/admin/logout'],
    ['DELETE', '/admin/tokens/x?reason=x'],
    ['DELETE', '/admin/extensions/a?reason=x'],
  ] as const) {
    const named = await ask(path, { method, token, body: { role: 'viewer' } });
    t.is(named.body?.detail, 'this path takes no body: send none, or {}', path);
    t.is((await ask(path, { method, token, body: ['x'] })).status, 400, path);
    t.not((await ask(path, { method, token, body: {}, headers: { 'if-match': '*' } })).status, 400, path);
    t.not((await ask(path, { method, token, headers: { 'if-match': '*' } })).status, 400, path);
  }
});

test('access: a token that is revoked while it is used ends with its next request, for whoever holds it', async (t) => {
  const { ask, access, viewer, store } = await world(t);
  t.is((await ask('/admin/whoami', { token: viewer.text })).status, 200);
  // By another daemon: it is known with the next reading.
  store.tokens = (store.tokens ?? []).filter(({ name }) => name !== 'v');
  await until('it is known', () => access.admit(`Bearer ${viewer.text}`, 'a').kind === 'unauthenticated');
  t.is((await ask('/admin/whoami', { token: viewer.text })).status, 401);
});

test('ACCESS-4: a stream of live updates lasts as long as its token is valid, or no token is asked for', async (t) => {
  const access = await startAccess(t, new MemoryTokens(), false);
  const { core, pass } = liveWorld();
  const { url } = await listen(t, { access, board: core.board });
  const opened = async (headers: Record<string, string> = {}) =>
    (await fetch(`${url}/admin/events`, { headers })).text();
  const lasts = async (count: number, at: string): Promise<void> => {
    await until('the streams are open', () => core.board.live.size === count);
    await pass(3000);
    core.board.published({ event: 'verb_void', extension_id: '_', at, actor: 'x' });
    await pass(1000);
    t.is(core.board.live.size, count, 'none was dropped');
  };
  const open = opened();
  await lasts(1, '2026-01-01T00:00:00.000Z');
  const made = await access.create({ name: 'v', role: 'viewer', expiresInDays: null }, 'admin');
  if (made.kind !== 'created') return t.fail(made.message);
  await pass(1000);
  t.regex(await open, /event: event\n[\s\S]*event: bye\ndata: {"reason":"unauthenticated"}\n\n$/);

  const authorization = `Bearer ${made.text}`;
  const [ofToken, ofProcess] = [opened({ authorization }), opened({ authorization: `Bearer ${LOCAL}` })];
  await lasts(2, '2026-01-01T00:00:01.000Z');
  await access.revoke(made.token.id, 'admin', 'left');
  await pass(1000);
  t.regex(await ofToken, /event: event\n[\s\S]*event: bye\ndata: {"reason":"unauthenticated"}\n\n$/);
  t.is(core.board.live.size, 1);
  core.board.live.stop();
  t.regex(await ofProcess, /event: bye\ndata: {"reason":"stopping"}\n\n$/);
});

function liveWorld() {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  return { core: world.core, pass: (ms: number) => world.pass(ms, 250) };
}

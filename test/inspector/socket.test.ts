// The hub behind the real server: who may open a socket, the real package's receiver, and how a socket ends.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createWebSocketReceiver, type StatelyInspectionEvent } from '@statelyai/inspect';
import test, { type ExecutionContext } from 'ava';
import { Type } from '#typebox';
import { WebSocket } from '#ws';
import { OPEN_PRINCIPAL } from '../../src/domain/access/principal.js';
import { createApp } from '../../src/http/app/app.js';
import { siteOf } from '../../src/http/app/same-site.js';
import { acceptWebSockets } from '../../src/http/app/websocket.js';
import { FLUSH_MS, MAX_VIEWERS } from '../../src/inspector/hub.js';
import { silentLogger } from '../../src/telemetry/log.js';
import { extensionRow, registryEntry, snapshotOf } from '../helpers/registry-rows.js';
import { until } from '../helpers/until.js';
import { listen } from '../http/helpers.js';
import { type Frame, InspectedWorld, told } from './helpers.js';

const EVERYONE = { admit: () => OPEN_PRINCIPAL, isValid: () => true };
const OPEN = {
  site: siteOf('127.0.0.1'),
  admit: () => ({ kind: 'admitted', principal: OPEN_PRINCIPAL }) as const,
  log: silentLogger,
};

/** A listening server over a world with one extension `a`; both end with the test. */
async function serve(t: ExecutionContext): Promise<{ world: InspectedWorld; url: string; close(): Promise<void> }> {
  const world = new InspectedWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a')), registryEntry(extensionRow('b'))));
  const { hub } = world;
  const server = await listen(t, {
    inspection: { targets: (after) => hub.targets(after), open: (query, socket) => hub.open(query, socket) },
  });
  return { world, url: server.url, close: () => server.close() };
}

interface Client {
  readonly socket: WebSocket;
  readonly frames: Frame[];
  readonly closed: Promise<{ code: number; reason: string }>;
}

function open(t: ExecutionContext, url: string, path: string, options: WebSocket.ClientOptions = {}): Client {
  const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, options);
  t.teardown(() => socket.terminate());
  const frames: Frame[] = [];
  socket.on('error', () => undefined);
  socket.on('message', (data) => frames.push(JSON.parse(String(data)) as Frame));
  // Not by once(), which an error ends.
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
  });
  return { socket, frames, closed };
}

/** The HTTP answer to an upgrade that is refused. */
async function refusal(t: ExecutionContext, url: string, path: string, options: WebSocket.ClientOptions = {}) {
  const { socket } = open(t, url, path, options);
  const [, response] = await once(socket, 'unexpected-response');
  let body = '';
  for await (const piece of response) body += piece;
  return { status: response.statusCode as number, code: (JSON.parse(body) as { error: { code: string } }).error.code };
}

test('the receiver of the real package reads actor, snapshots and events, joining late', async (t) => {
  const { world, url, close } = await serve(t);
  world.calls('a', 5, 500);
  const received: StatelyInspectionEvent[] = [];
  const receiver = createWebSocketReceiver({ server: `${url.replace('http', 'ws')}/inspect?extension=a` });
  receiver.subscribe((event) => received.push(event));
  // It hands on whatever comes; a frame of ours is told by its members, as the package's own pages do.
  const events = () => received.filter((event) => typeof event.type === 'string' && typeof event._version === 'string');
  await until('the actor is there', () => events().length >= 2);
  world.clock.advance(60_000);
  world.clock.advance(FLUSH_MS);
  await until('the timer is seen', () => events().length >= 4);
  const [actor, joined, timer, halfOpen] = events();
  t.like(actor, {
    type: '@xstate.actor',
    name: 'a@v1',
    sessionId: 'boot/a@v1',
    rootId: 'boot/a@v1',
    _version: '0.7.2',
  });
  t.like(joined, { type: '@xstate.snapshot', snapshot: { status: 'active', value: 'open' } });
  t.like(timer, { type: '@xstate.event', event: { type: 'xstate.after.openTime.breaker.open' } });
  t.like(halfOpen, { type: '@xstate.snapshot', snapshot: { value: { halfOpen: 'waiting' } } });
  t.is(received.length, events().length, 'and nothing else');
  // The receiver has no way to end; the server has.
  await close();
});

test('a socket that closes lets go of the actor', async (t) => {
  const { world, url } = await serve(t);
  const { armed } = world.clock;
  const { socket, frames, closed } = open(t, url, '/inspect?extension=a');
  await until('it is introduced', () => frames.length === 2);
  t.true(world.clock.armed > armed);
  socket.close();
  await closed;
  await until('the hub has stopped looking', () => world.clock.armed === armed);
});

test('an unknown extension is said by the code of the close', async (t) => {
  const { url } = await serve(t);
  t.deepEqual(await open(t, url, '/inspect?extension=none').closed, { code: 4404, reason: "no extension 'none'" });
  t.is((await open(t, url, '/inspect').closed).code, 4400);
});

test('WEBSOCKET-2: what a viewer sends is ignored, and too large a frame ends it', async (t) => {
  const { url } = await serve(t);
  const { socket, frames, closed } = open(t, url, '/inspect?extension=a');
  await once(socket, 'open');
  socket.send('{"type":"breaker.isolate"}');
  socket.send(Buffer.from([0, 1, 2]));
  await until('it is introduced', () => frames.length === 2);
  t.deepEqual(told(frames), ['actor {"closed":"steady"}', 'snapshot {"closed":"steady"}']);
  socket.send('x'.repeat(2000));
  t.is((await closed).code, 1009);
});

test('viewers beyond the limit are closed with 1013', async (t) => {
  const { url } = await serve(t);
  const clients = Array.from({ length: MAX_VIEWERS }, () => open(t, url, '/inspect?extension=a'));
  await Promise.all(clients.map(({ socket }) => once(socket, 'open')));
  t.is((await open(t, url, '/inspect?extension=a').closed).code, 1013);
});

// Who may

const refused = test.macro<
  [what: string, path: string, options: WebSocket.ClientOptions, status: number, code: string]
>({
  async exec(t, _, path, options, status, code) {
    const { url } = await serve(t);
    t.deepEqual(await refusal(t, url, path, options), { status, code });
  },
  title: (_, what, __, ___, status) => `SAME-SITE-1, SAME-SITE-2, WEBSOCKET-1: ${what} is answered ${status}`,
});
const PATH = '/inspect?extension=a';
test(refused, 'a page of another origin', PATH, { origin: 'http://evil.example' }, 403, 'origin_not_allowed');
test(refused, 'an opaque origin', PATH, { origin: 'null' }, 403, 'origin_not_allowed');
test(refused, 'a foreign Host', PATH, { headers: { host: 'evil.example' } }, 403, 'host_not_allowed');
test(refused, 'a path that is none', '/inspector', {}, 404, 'route_not_found');
test(refused, 'a path below', '/inspect/', {}, 404, 'route_not_found');
test('SAME-SITE-2: a page of our own origin may', async (t) => {
  const { url } = await serve(t);
  const { socket } = open(t, url, PATH, { origin: url });
  await once(socket, 'open');
  t.pass();
});

test('a request without an upgrade is told to bring one', async (t) => {
  const { url } = await serve(t);
  const response = await fetch(`${url}${PATH}`);
  t.is(response.status, 426);
  t.is(response.headers.get('upgrade'), 'websocket');
  t.is(((await response.json()) as { error: { code: string } }).error.code, 'upgrade_required');
});

test('targets: what can be watched', async (t) => {
  const { world, url } = await serve(t);
  world.calls('b', 5, 500);
  t.deepEqual(await (await fetch(`${url}/inspect/targets`)).json(), {
    targets: [
      { extension_id: 'a', version: 'v1', state: 'closed' },
      { extension_id: 'b', version: 'v1', state: 'open' },
    ],
  });
});

/** Everything that comes until the other end closes, or `enough` of it is there. */
async function answer(socket: Socket, request: string, enough: RegExp): Promise<string> {
  let text = '';
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece;
  });
  socket.write(request);
  await until('it is answered', () => enough.test(text));
  return text;
}

test('targets: by pages of extensions, filtered by a part of the id', async (t) => {
  const { url } = await serve(t);
  const get = async (query: string) => (await fetch(`${url}/inspect/targets${query}`)).json();
  const [a, b] = ['a', 'b'].map((id) => ({ extension_id: id, version: 'v1', state: 'closed' }));
  t.deepEqual(await get('?limit=1'), { next: 'a', targets: [a] });
  t.deepEqual(await get('?limit=1&after=a'), { next: null, targets: [b] });
  t.deepEqual(await get('?q=B'), { targets: [b] });
  t.deepEqual(await get('?after=b'), { targets: [] });
});

test('WEBSOCKET-1: an upgrade to something else is answered as if it had not been asked for, body and all', async (t) => {
  const app = createApp(OPEN);
  const schema = { body: Type.Object({ long: Type.String() }) };
  app.post('/echo', { config: { role: 'none' }, schema }, async (request) => request.body);
  acceptWebSockets(app.server, {
    path: '/inspect',
    site: siteOf('127.0.0.1'),
    open: () => () => undefined,
    ...EVERYONE,
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => app.close());
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  t.teardown(() => socket.destroy());
  const body = JSON.stringify({ long: 'x'.repeat(100_000) });
  const post = `POST /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  const first = await answer(socket, post, /x"\}$/);
  t.regex(first, /^HTTP\/1\.1 200 OK\r\n/);
  t.true(first.endsWith(body));
  t.true((await answer(socket, post, /x"\}$/)).endsWith(body), 'and the connection goes on');
});

test('WEBSOCKET-1: an opening that is no valid one is told what is expected', async (t) => {
  const { url } = await serve(t);
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  t.teardown(() => socket.destroy());
  const opening = `GET ${PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`;
  const answered = await answer(
    socket,
    `${opening}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: no\r\n\r\n`,
    /\}\}$/,
  );
  t.regex(answered, /^HTTP\/1\.1 426 .*"upgrade_required"/s);
});

// Ends

test('closing the server closes every socket with 1001 at once, also one that nobody hung up', async (t) => {
  const { url, close } = await serve(t);
  const { socket, closed } = open(t, url, PATH);
  await once(socket, 'open');
  await close();
  t.is((await closed).code, 1001);
});

test('closing the hub closes its sockets, while the server goes on', async (t) => {
  const { world, url } = await serve(t);
  const { socket, closed } = open(t, url, PATH);
  await once(socket, 'open');
  world.hub.close();
  t.deepEqual(await closed, { code: 1001, reason: 'the daemon is stopping' });
  t.is((await fetch(`${url}/livez`)).status, 200);
});

test('closing the server waits a second for a peer that does not answer', async (t) => {
  const { url, close } = await serve(t);
  const { socket } = open(t, url, PATH);
  await once(socket, 'open');
  socket.pause();
  const began = performance.now();
  await close();
  // That it does not wait for ever is shown by the end of this test.
  const tookMs = performance.now() - began;
  t.true(tookMs > 900, `${tookMs} ms`);
});

test('WEBSOCKET-3: a peer that answers no ping is cut off, one that does is kept', async (t) => {
  const app = createApp(OPEN);
  let gone = 0;
  acceptWebSockets(app.server, {
    path: '/inspect',
    site: siteOf('127.0.0.1'),
    open: () => () => gone++,
    pingMs: 1000,
    ...EVERYONE,
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => app.close());
  const silent = open(t, url, PATH, { autoPong: false });
  const lively = open(t, url, PATH);
  let pings = 0;
  lively.socket.on('ping', () => pings++);
  t.is((await silent.closed).code, 1006);
  await until('the other one was asked often enough', () => pings >= 3);
  t.is(lively.socket.readyState, WebSocket.OPEN);
  t.is(gone, 1);
});

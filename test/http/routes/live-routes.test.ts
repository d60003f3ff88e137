// `GET /admin/events` over HTTP: the wire format, limits, and how streams end. EVENT-STREAM-1, EVENT-STREAM-2 of event-stream.ts.
import { connect } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import type { AccessDesk } from '../../../src/actors/ports/access.js';
import { OPEN_PRINCIPAL, type Principal } from '../../../src/domain/access/principal.js';
import { openAccess } from '../../helpers/access.js';
import { ActorWorld } from '../../helpers/actor-world.js';
import { extensionRow, registryEntry, snapshotOf } from '../../helpers/registry-rows.js';
import { until } from '../../helpers/until.js';
import { listen } from '../helpers.js';

function running(...ids: string[]): ActorWorld {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...ids.map((id) => registryEntry(extensionRow(id)))));
  return world;
}

/** A client as small as the console's: reads blocks until an empty line. */
async function* eventsOf(response: Response): AsyncGenerator<Record<string, string>> {
  let rest = '';
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    rest += Buffer.from(chunk).toString();
    const blocks = rest.split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks)
      yield Object.fromEntries(
        block.split('\n').map((line) => [line.slice(0, line.indexOf(': ')), line.slice(line.indexOf(': ') + 2)]),
      );
  }
}

async function open(t: ExecutionContext, url: string, headers: Record<string, string> = {}) {
  const ending = new AbortController();
  t.teardown(() => ending.abort());
  const response = await fetch(url, { headers, signal: ending.signal });
  const events = eventsOf(response);
  const next = async (event?: string): Promise<Record<string, string>> => {
    for (;;) {
      const { value } = await events.next();
      if (value === undefined || event === undefined || value.event === event) return value ?? {};
    }
  };
  return { response, next, close: () => ending.abort() };
}

test('EVENT-STREAM-1: events in the format of server-sent events, at once, neither compressed nor kept', async (t) => {
  const world = running('a');
  const { url } = await listen(t, { board: world.core.board });
  const { response, next } = await open(t, `${url}/admin/events`, { 'accept-encoding': 'gzip' });
  t.is(response.status, 200);
  t.is(response.headers.get('content-type'), 'text/event-stream; charset=utf-8');
  t.is(response.headers.get('content-encoding'), null);
  t.is(response.headers.get('x-accel-buffering'), 'no');
  t.is(response.headers.get('cache-control'), 'no-store');
  t.is(response.headers.get('x-content-type-options'), 'nosniff');
  t.like(JSON.parse((await next('hello')).data ?? ''), { boot: 'boot-1', role: 'admin', revision: 1 });
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  world.clock.advance(0);
  const event = await next('event');
  t.is(event.id, 'boot-1-1');
  t.deepEqual(JSON.parse(event.data ?? ''), JSON.parse(JSON.stringify(world.events[0])));
  const resumed = await open(t, `${url}/admin/events?topics=events`, { 'last-event-id': 'boot-1-0' });
  await resumed.next('hello');
  t.deepEqual(await resumed.next(), event);
});

test('parameters: topics and kinds, with commas or repeated; a wrong one is named', async (t) => {
  const world = running('a');
  const { url } = await listen(t, { board: world.core.board });
  const refused = async (query: string) => {
    const response = await fetch(`${url}/admin/events?${query}`);
    t.is(response.status, 400, query);
    return ((await response.json()) as { detail: string }).detail;
  };
  t.regex(
    await refused('topics=rows,speed'),
    /'topics' may not have "speed": it must be some of rows, summary, daemon, events/,
  );
  t.regex(
    await refused('kinds=circuit_opened&kinds=nope'),
    /'kinds' may not have "nope": it must be some of circuit_opened/,
  );
  t.regex(await refused('topics='), /'topics'/);
  t.regex(await refused('speed=1'), /no parameter "speed"/);
  t.truthy(await refused('extension_id=a.b'));
  const { next } = await open(t, `${url}/admin/events?topics=summary&topics=daemon,summary&kinds=circuit_opened`);
  t.is((await next()).event, 'hello');
  t.is((await next()).event, 'summary');
  t.is((await next()).event, 'daemon');
});

test('a stream that was closed makes room; the 65th is refused with 503', async (t) => {
  const world = running('a');
  const { live } = world.core.board;
  const { url } = await listen(t, { board: world.core.board });
  const streams = await Promise.all(Array.from({ length: 64 }, () => open(t, `${url}/admin/events?topics=daemon`)));
  const refused = await fetch(`${url}/admin/events`);
  t.is(refused.status, 503);
  t.is(refused.headers.get('content-type'), 'application/problem+json; charset=utf-8');
  t.like(await refused.json(), { code: 'too_many_streams' });
  streams[0]?.close();
  await until('one is closed', () => live.size < 64);
  t.is((await open(t, `${url}/admin/events`)).response.status, 200);
});

test('eight streams of one token; a revoked one is ended with `bye`', async (t) => {
  const world = running('a');
  const principal: Principal = { ...OPEN_PRINCIPAL, kind: 'token', name: 'ada', role: 'viewer', tokenId: 't1' };
  let isRevoked = false;
  const access: AccessDesk = {
    ...openAccess,
    admit: () => ({ kind: 'admitted', principal }),
    isValid: () => !isRevoked,
  };
  const { url } = await listen(t, { board: world.core.board, access });
  const streams = await Promise.all(Array.from({ length: 8 }, () => open(t, `${url}/admin/events`)));
  const refused = await fetch(`${url}/admin/events`);
  t.is(refused.status, 503);
  t.regex(((await refused.json()) as { detail: string }).detail, /this token has 8/);
  isRevoked = true;
  await world.pass(1000, 250);
  for (const { next } of streams) {
    t.is((await next('bye')).data, '{"reason":"unauthenticated"}');
    t.deepEqual(await next(), {}, 'it is ended');
  }
});

test('a stop ends streams first, and does not wait for them', async (t) => {
  const world = running('a');
  const server = await listen(t, { board: world.core.board });
  const { next } = await open(t, `${server.url}/admin/events`);
  await next('hello');
  const closed = server.close();
  t.is((await next('bye')).data, '{"reason":"stopping"}');
  t.deepEqual(await next(), {}, 'it is ended, and not cut after the grace for requests');
  await closed;
});

test('EVENT-STREAM-3: a client that reads nothing is skipped, then ended and cut, while others go on', async (t) => {
  const world = running('a');
  const { url } = await listen(t, { board: world.core.board, slowMs: 400 });
  const { port } = new URL(url);
  const stuck = connect(Number(port), '127.0.0.1');
  t.teardown(() => stuck.destroy());
  stuck.on('error', () => undefined);
  stuck.pause();
  stuck.write('GET /admin/events HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n');
  await until('it is open', () => world.core.board.live.size === 1);
  const other = await open(t, `${url}/admin/events?topics=events`);
  await other.next('hello');
  const reason = 'x'.repeat(10_000);
  for (let n = 0; n < 1500; n++) {
    world.core.board.published({
      event: 'verb_void',
      extension_id: '_',
      at: '2026-01-01T00:00:00.000Z',
      actor: 'x',
      reason,
    });
    world.clock.advance(0);
    if (n % 20 === 19) for (let i = 0; i < 20; i++) await other.next('event');
  }
  await world.pass(29_000, 250);
  t.is(world.core.board.live.size, 2);
  t.false(stuck.closed);
  await world.pass(2000, 250);
  t.is(world.core.board.live.size, 1);
  // What it does not read holds its socket no longer: who writes into that sees it.
  await until('its socket is closed', () => {
    stuck.write('\r\n');
    return stuck.closed;
  });
});

test('HEAD is not allowed, nor is POST', async (t) => {
  const { url } = await listen(t);
  for (const method of ['HEAD', 'POST']) t.is((await fetch(`${url}/admin/events`, { method })).status, 405, method);
});

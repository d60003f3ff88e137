// LIVE-UPDATES-1 to LIVE-UPDATES-3 of live-updates.ts and BOARD-STREAM-1 to BOARD-STREAM-3 of board-stream.ts, on a simulated clock.
import test from 'ava';
import type { LiveRequest, LiveSink } from '../../../src/actors/ports/live.js';
import type { BoardRow } from '../../../src/actors/reporting/board-row.js';
import { BoardStream } from '../../../src/actors/reporting/board-stream.js';
import { EventRing } from '../../../src/actors/reporting/event-ring.js';
import { LIVE_TOPICS, type LiveTopic } from '../../../src/domain/health/live-topics.js';
import { ActorWorld, START_WALL_MS } from '../../helpers/actor-world.js';
import { changesOf, extensionRow, registryEntry, snapshotOf } from '../../helpers/registry-rows.js';

interface Sent {
  readonly event: string;
  readonly data: unknown;
  readonly id?: string;
}

class Client implements LiveSink {
  readonly sent: Sent[] = [];
  pings = 0;
  isEnded = false;
  waitingBytes = 0;
  /** While true, what is sent waits. */
  isStuck = false;
  send(event: string, data: string, id?: string): void {
    if (this.isEnded) throw new Error('it is ended');
    if (this.isStuck) this.waitingBytes += data.length;
    this.sent.push({ event, data: JSON.parse(data), ...(id === undefined ? {} : { id }) });
  }
  ping(): void {
    this.pings++;
  }
  end(): void {
    this.isEnded = true;
  }
  of(event: string): unknown[] {
    return this.sent.filter((one) => one.event === event).map(({ data }) => data);
  }
  kinds(): unknown[] {
    return this.of('event').map((data) => (data as { event: string }).event);
  }
}

const named = (count: number): string[] => Array.from({ length: count }, (_, i) => `e${String(i).padStart(4, '0')}`);

function running(ids: readonly string[]): ActorWorld {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...ids.map((id) => registryEntry(extensionRow(id)))));
  return world;
}

const requestOf = (more: Partial<LiveRequest> = {}): LiveRequest => ({
  topics: new Set<LiveTopic>(LIVE_TOPICS),
  kinds: null,
  extensionId: null,
  lastEventId: null,
  role: 'viewer',
  principal: null,
  isValid: () => true,
  ...more,
});

function opened(world: ActorWorld, more: Partial<LiveRequest> = {}): Client {
  const client = new Client();
  const close = world.core.board.live.open(requestOf(more), client);
  if (typeof close === 'string') throw new Error(close);
  return client;
}

const trip = (world: ActorWorld, id: string): void => {
  for (let i = 0; i < 5; i++) world.callEnding(id, 500);
  world.clock.advance(0);
};

test('a stream begins with hello, the summary and the daemon; then it gets what changes', async (t) => {
  const world = running(['a', 'b']);
  world.core.board.live.describe({ version: '1.2.3', state: () => ({ ready: true }) });
  const client = opened(world, { role: 'operator' });
  t.deepEqual(
    client.sent.map(({ event }) => event),
    ['hello', 'summary', 'daemon'],
  );
  t.like(client.of('hello')[0] as object, { boot: 'boot-1', version: '1.2.3', revision: 1, role: 'operator' });
  t.like(client.of('summary')[0] as object, { total: 2, healthy: 2, in_flight: 0, mass_failure: false });
  await world.pass(2000);
  const quiet = client.sent.length;
  await world.pass(10_000);
  t.is(client.sent.length, quiet, 'nothing changes, nothing is sent');
  trip(world, 'a');
  t.deepEqual(client.kinds(), ['circuit_opened'], 'an event comes at once');
  t.deepEqual(client.of('event')[0], JSON.parse(JSON.stringify(world.events[0])));
  await world.pass(1000);
  const rows = client.of('rows').at(-1) as unknown[][];
  const row = [...world.core.board.board.rows].find(({ id }) => id === 'a');
  t.deepEqual(rows.at(-1), JSON.parse(row?.tuple ?? ''));
  t.like(client.of('summary').at(-1) as object, { healthy: 1 });
});

test('BOARD-STREAM-1: rows are sent four times a second, 500 at most, each with its newest values', async (t) => {
  const world = running(named(1200));
  const client = opened(world, { topics: new Set(['rows']) });
  await world.pass(3000);
  client.sent.length = 0;
  for (const id of named(1200)) world.callEnding(id, 0);
  await world.pass(1000, 250);
  const sizes = client.of('rows').map((rows) => (rows as unknown[]).length);
  t.deepEqual(sizes.slice(0, 3), [500, 500, 200]);
  client.sent.length = 0;
  await world.pass(1000);
  for (let i = 0; i < 20; i++) {
    world.callEnding('e0000', 0);
    await world.pass(50);
  }
  const ks = client.of('rows').flatMap((rows) => (rows as number[][]).map(([k]) => k));
  t.true(ks.filter((k) => k === 1).length <= 5, `${ks}`);
});

test('rows that come and go are sent as such, once', async (t) => {
  const world = running(['a', 'b']);
  const client = opened(world);
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('c'))], ['a']));
  await world.pass(300);
  t.deepEqual(client.of('rows_removed'), [[1]]);
  t.like((client.of('rows_added')[0] as object[])[0] ?? {}, { k: 3, id: 'c', type: 'pre', version: 'v1', state: 0 });
  world.feed$.next(changesOf(3, [registryEntry(extensionRow('d'))], ['c']));
  await world.pass(300);
  t.deepEqual(client.of('rows_removed').at(-1), [3]);
  t.like((client.of('rows_added').at(-1) as object[])[0] ?? {}, { k: 4, id: 'd' });
});

test('topics, kinds and extension_id choose what is sent', async (t) => {
  const world = running(['a', 'b']);
  const events = opened(world, { topics: new Set(['events']), kinds: new Set(['circuit_half_opened']) });
  const ofB = opened(world, { extensionId: 'b' });
  const summary = opened(world, { topics: new Set(['summary']) });
  trip(world, 'a');
  trip(world, 'b');
  await world.pass(70_000, 250);
  t.deepEqual(new Set(events.sent.map(({ event }) => event)), new Set(['hello', 'event']));
  t.deepEqual(new Set(events.kinds()), new Set(['circuit_half_opened']));
  t.deepEqual(
    new Set(ofB.of('event').map((event) => (event as { extension_id: string }).extension_id)),
    new Set(['b']),
  );
  t.deepEqual(new Set(ofB.of('rows').flatMap((rows) => (rows as number[][]).map(([k]) => k))), new Set([2]));
  t.deepEqual(new Set(summary.sent.map(({ event }) => event)), new Set(['hello', 'summary']));
});

test('a stream resumes after the last event that its client has', async (t) => {
  const world = running(['a', 'b', 'c']);
  const first = opened(world);
  trip(world, 'a');
  const lastEventId = first.sent.findLast(({ event }) => event === 'event')?.id ?? '';
  t.regex(lastEventId, /^boot-1-\d+$/);
  trip(world, 'b');
  const resumed = opened(world, { lastEventId });
  const missed = (client: Client) =>
    client.of('event').map((event) => (event as { extension_id: string }).extension_id);
  t.deepEqual(new Set(missed(resumed)), new Set(['b']));
  t.deepEqual(resumed.of('gap'), []);
  trip(world, 'c');
  t.deepEqual(new Set(missed(resumed)), new Set(['b', 'c']));
  for (const id of ['other-1', 'nonsense', 'boot-1-999999']) {
    const client = opened(world, { lastEventId: id });
    t.deepEqual(client.of('gap'), [{ missed: null, since: null }], id);
    t.deepEqual(client.of('event'), [], id);
  }
});

test('BOARD-STREAM-2: what is gone from the ring is reported as a gap, on resuming and while streaming', async (t) => {
  const world = running(['a']);
  const slow = opened(world);
  slow.waitingBytes = 300_000;
  trip(world, 'a');
  // Also what follows from it.
  await world.pass(100);
  for (let n = 0; n < 10_500; n++)
    world.core.board.published({
      event: 'verb_void',
      extension_id: '_',
      at: new Date(START_WALL_MS).toISOString(),
      actor: 'x',
    });
  t.deepEqual(slow.of('event'), []);
  slow.waitingBytes = 0;
  await world.pass(250);
  t.is((slow.of('gap')[0] as { missed: number }).missed, world.core.board.live.lastEvent - 10_000);
  await world.pass(10_000, 250);
  t.is(slow.of('event').length, 10_000);
  const resumed = opened(world, { lastEventId: 'boot-1-0' });
  t.deepEqual(resumed.of('gap'), slow.of('gap'));
});

test('BOARD-STREAM-3: a slow stream is skipped and keeps no more, gets the newest afterwards, and is ended after 30 s', async (t) => {
  const world = running(named(600));
  const slow = opened(world);
  await world.pass(3000);
  slow.waitingBytes = 300_000;
  const before = slow.sent.length;
  for (let i = 0; i < 50; i++) {
    for (const id of ['e0001', 'e0002']) world.callEnding(id, 0);
    await world.pass(500, 250);
  }
  t.is(slow.sent.length, before);
  slow.waitingBytes = 0;
  await world.pass(250, 250);
  const row = [...world.core.board.board.rows].find(({ id }) => id === 'e0001');
  const rows = slow.of('rows').at(-1) as unknown[];
  t.true(rows.some((one) => JSON.stringify(one) === row?.tuple));
  slow.waitingBytes = 300_000;
  await world.pass(29_500, 250);
  t.false(slow.isEnded);
  await world.pass(1500, 250);
  t.true(slow.isEnded);
  t.deepEqual(slow.of('bye'), [{ reason: 'slow' }]);
  t.is(world.core.board.live.size, 0);
});

test('BOARD-STREAM-3: a slow stream is ended once 20 000 rows were removed meanwhile, a fast one is not', (t) => {
  const streamOf = (sink: Client) =>
    new BoardStream({ request: requestOf(), sink, boot: 'b', events: new EventRing(''), rowAt: () => null }, 0);
  const [slow, fast] = [new Client(), new Client()];
  const streams = [streamOf(slow), streamOf(fast)];
  slow.waitingBytes = 300_000;
  for (let k = 1; k <= 20_001; k++) {
    if (k === 20_001) for (const stream of streams) stream.turn(250);
    t.false(slow.isEnded);
    for (const stream of streams) stream.removed({ k, place: k, id: 'a' } as BoardRow);
  }
  for (const stream of streams) stream.turn(500);
  t.deepEqual(slow.of('bye'), [{ reason: 'slow' }]);
  t.true(slow.isEnded);
  t.false(fast.isEnded);
  for (let turn = 3; turn < 7; turn++) streams[1]?.turn(turn * 250);
  t.is(fast.of('rows_removed').flat().length, 20_001);
});

test('a ping comes every 15 s', async (t) => {
  const world = running(['a']);
  const client = opened(world);
  await world.pass(61_000, 250);
  t.is(client.pings, 4);
});

test('LIVE-UPDATES-1: 64 streams, 8 of a token; one that is closed makes room', (t) => {
  const world = running(['a']);
  const { live } = world.core.board;
  const closes = Array.from({ length: 8 }, () => live.open(requestOf({ principal: 'ada' }), new Client()));
  t.is(live.open(requestOf({ principal: 'ada' }), new Client()), 'too_many_streams_of_token');
  (closes[0] as () => void)();
  t.is(typeof live.open(requestOf({ principal: 'ada' }), new Client()), 'function');
  for (let i = 0; i < 56; i++) t.is(typeof live.open(requestOf(), new Client()), 'function');
  t.is(live.open(requestOf(), new Client()), 'too_many_streams');
  t.is(live.size, 64);
});

test('a revoked token ends its streams, a stop ends all, and opens none', async (t) => {
  const world = running(['a']);
  const { live } = world.core.board;
  let isValid = true;
  const ada = opened(world, { principal: 'ada', isValid: () => isValid });
  const bob = opened(world, { principal: 'bob' });
  await world.pass(2000, 250);
  t.false(ada.isEnded);
  isValid = false;
  await world.pass(1000, 250);
  t.deepEqual(ada.of('bye'), [{ reason: 'unauthenticated' }]);
  t.true(ada.isEnded);
  t.false(bob.isEnded);
  await world.core.stop();
  t.deepEqual(bob.of('bye'), [{ reason: 'stopping' }]);
  t.is(live.open(requestOf(), new Client()), 'stopping');
});

test('turns that take longer than their interval still look at tokens and the summary', async (t) => {
  const world = running(['a']);
  let isValid = true;
  const ada = opened(world, { isValid: () => isValid });
  for (let i = 0; i < 14; i++) opened(world, { topics: new Set(['summary']) });
  // Each stream is a slice, and a turn of all of them is still in progress when the next one is due, which is skipped.
  world.clock.readingMs = 5;
  isValid = false;
  await world.pass(2000, 5);
  t.deepEqual(ada.of('bye'), [{ reason: 'unauthenticated' }]);
});

test('LIVE-UPDATES-2: a stream that throws is ended, so that its client connects again, and nothing else notices', async (t) => {
  const world = running(['a', 'b']);
  const broken = new Client();
  world.core.board.live.open(requestOf(), broken);
  broken.send = () => {
    throw new Error('a bug');
  };
  const other = opened(world);
  trip(world, 'a');
  t.deepEqual(world.kinds().slice(0, 1), ['circuit_opened']);
  t.deepEqual(other.kinds().slice(0, 1), ['circuit_opened']);
  t.is(world.core.board.live.size, 1);
  t.true(broken.isEnded);
  await world.pass(1000);
  t.true(other.of('rows').length > 0);
  opened(world, {
    isValid: () => {
      throw new Error('a bug');
    },
  });
  const unsound = opened(world, {
    isValid: () => {
      throw new Error('a bug');
    },
  });
  unsound.end = () => {
    throw new Error('another');
  };
  await world.pass(1000, 250);
  t.is(world.core.board.live.size, 1);
});

test('without streams nothing runs', async (t) => {
  const world = running(['a']);
  await world.pass(1000);
  const armed = world.clock.armed;
  const close = world.core.board.live.open(requestOf(), new Client()) as () => void;
  t.true(world.clock.armed > armed);
  close();
  await world.pass(60_000, 1000);
  t.is(world.clock.armed, armed);
});

test('LIVE-UPDATES-3: thousands of events at once are sent in many turns, in order, to each stream', async (t) => {
  const world = running(['a']);
  const clients = Array.from({ length: 10 }, () => opened(world, { topics: new Set(['events']) }));
  world.clock.readingMs = 0.5;
  const at = new Date(START_WALL_MS).toISOString();
  for (let n = 0; n < 3000; n++)
    world.core.board.published({ event: 'verb_void', extension_id: `e${n}`, at, actor: 'x' });
  t.true(
    clients.every((client) => client.of('event').length === 0),
    'nothing is sent in the turn that publishes',
  );
  let turns = 0;
  while (clients.some((client) => client.of('event').length < 3000)) {
    const before = clients.reduce((sum, client) => sum + client.of('event').length, 0);
    world.clock.advance(0);
    const sent = clients.reduce((sum, client) => sum + client.of('event').length, 0) - before;
    t.true(sent > 0 && sent <= 2000, `${sent} events in one turn`);
    turns++;
  }
  t.true(turns >= 15, `${turns} turns`);
  for (const client of clients)
    t.deepEqual(
      client.of('event').map((event) => (event as { extension_id: string }).extension_id),
      Array.from({ length: 3000 }, (_, n) => `e${n}`),
    );
});

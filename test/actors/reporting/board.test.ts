// BOARD-1 to BOARD-4 of board.ts, and what its columns say.
import test from 'ava';
import type { BoardRow } from '../../../src/actors/reporting/board-row.js';
import { BOARD_FLAGS } from '../../../src/domain/board-codes.js';
import { ActorWorld, reportOf, START_WALL_MS, settle } from '../../helpers/actor-world.js';
import {
  changesOf,
  extensionRow,
  instanceRow,
  registryEntry,
  snapshotOf,
  versionRow,
} from '../../helpers/registry-rows.js';

const START_SECONDS = START_WALL_MS / 1000;

function running(ids: readonly string[]): ActorWorld {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...ids.map((id) => registryEntry(extensionRow(id)))));
  return world;
}

const board = (world: ActorWorld) => world.core.board.board;

function rowOf(world: ActorWorld, id: string): BoardRow {
  const row = [...board(world).rows].find((one) => one.id === id);
  if (row === undefined) throw new Error(`no row ${id}`);
  return row;
}

async function readRow(world: ActorWorld, id: string): Promise<BoardRow> {
  const fresh = board(world).fresh();
  await world.pass(100, 50);
  await fresh;
  return rowOf(world, id);
}

const has = (row: BoardRow, flag: keyof typeof BOARD_FLAGS): boolean => (row.flags & BOARD_FLAGS[flag]) !== 0;

test('BOARD-1: a transition is in the row at once, with the time as it happened', async (t) => {
  const world = running(['a']);
  t.like(rowOf(world, 'a'), { state: 0, since: null });
  await world.pass(5000, 1000);
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  t.like(rowOf(world, 'a'), { state: 1, since: START_SECONDS + 5 });
  await settle();
  t.true(has(rowOf(world, 'a'), 'auto_disabled'));
  await world.pass(10_000, 1000);
  t.is((await readRow(world, 'a')).since, START_SECONDS + 5, 'it is pinned');
  world.wallAheadMs = 777;
  t.is((await readRow(world, 'a')).since, START_SECONDS + 5, 'also when the wall clock is set');
  await world.pass(60_000, 1000);
  t.is(rowOf(world, 'a').state, 2, 'half-open by time');
  t.true((rowOf(world, 'a').since ?? 0) > START_SECONDS + 30);
});

test('BOARD-1: overrides, rows and what is refused of them are in the row at once', async (t) => {
  const world = running(['a', 'b']);
  world.isDatabaseAway = true;
  const order = { version: null, reason: 'why', actor: 'admin', extensionId: 'a' } as const;
  await world.core.operator.execute({ ...order, verb: 'isolate' });
  t.is(rowOf(world, 'a').state, 3);
  await world.core.operator.execute({ ...order, verb: 'release' });
  t.is(rowOf(world, 'a').state, 2);
  await world.core.operator.execute({ ...order, verb: 'force-closed' });
  t.is(rowOf(world, 'a').state, 4);
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('b', { enabled: false, revision: 2 }))]));
  t.is(rowOf(world, 'b').state, 5);
  world.feed$.next(
    changesOf(3, [
      registryEntry(extensionRow('b', { revision: 3, type: 'post' }), {
        versions: [versionRow('b', 'v2', { rollout_percent: 5 })],
      }),
    ]),
  );
  t.like(rowOf(world, 'b'), { state: 0, type: 'post' });
  t.true(has(rowOf(world, 'b'), 'canary'));
  world.feed$.next(changesOf(4, [registryEntry(extensionRow('b', { revision: 4, timeout_ms: -1 }))]));
  const row = await readRow(world, 'b');
  t.true(has(row, 'row_refused'));
  world.feed$.next(changesOf(5, [registryEntry(extensionRow('b', { revision: 5 }))]));
  t.false(has(await readRow(world, 'b'), 'row_refused'));
});

test('an instance out of rotation, and whether there ever was a call, are flags', async (t) => {
  const world = new ActorWorld();
  const instances = ['i1', 'i2', 'i3'].map((id) => instanceRow('a', id));
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances }), registryEntry(extensionRow('b'))));
  t.true(has(await readRow(world, 'a'), 'no_call_ever'));
  for (let i = 0; i < 40; i++) {
    const before = world.sent.length;
    world.call('a');
    const sent = world.sent[before];
    sent?.end(sent.route.spec.instanceId === 'i1' ? 500 : 0);
  }
  const row = await readRow(world, 'a');
  t.false(has(row, 'no_call_ever'));
  t.true(has(row, 'ejected_instance'));
  t.true(has(await readRow(world, 'b'), 'no_call_ever'));
});

test('measured columns are those of the health window; refused calls are counted per second, and gone in time', async (t) => {
  const world = running(['a']);
  for (let i = 0; i < 5; i++) world.callEnding('a', 0);
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  for (let i = 0; i < 30; i++) world.call('a');
  const row = await readRow(world, 'a');
  const { health } = (await reportOf(world)).extensions[0] ?? {};
  t.is(row.successRate, 0.5);
  t.is(row.p95, health?.p95_latency_ms ?? null);
  t.like(row, { calls: 4, failed: 0.5, refused: 3 });
  await world.pass(21_000, 250);
  t.like(await readRow(world, 'a'), { calls: 0, failed: 0, refused: 0 });
  t.is(rowOf(world, 'a').successRate, 0.5);
  await world.pass(400_000, 5000);
  t.is((await readRow(world, 'a')).successRate, null, 'the window has moved on');
});

test('calls of an extension that is disabled are refused calls of it', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', { enabled: false }))));
  await readRow(world, 'a');
  for (let i = 0; i < 20; i++) world.call('a');
  t.like(await readRow(world, 'a'), { refused: 2, state: 5 });
});

test('BOARD-2: without readers nothing is measured and no timer runs; a call costs one mark', async (t) => {
  const world = running(['a', 'b']);
  let reads = 0;
  const row = rowOf(world, 'a');
  const read = row.readWindow.bind(row);
  row.readWindow = (nowMs) => {
    reads++;
    read(nowMs);
  };
  world.callEnding('a', 0);
  world.callEnding('a', 0);
  t.is(reads, 0);
  t.is(board(world).stale, 2, 'both came, one was called');
  await readRow(world, 'a');
  t.is(reads, 1);
  await world.pass(20_000, 1000);
  reads = 0;
  world.callEnding('a', 0);
  await world.pass(200);
  t.is(reads, 1, 'it was read within half a minute');
  await world.pass(60_000, 1000);
  reads = 0;
  world.callEnding('a', 0);
  await world.pass(5000, 1000);
  t.is(reads, 0);
});

test('BOARD-2: measurements take 2 ms in 50 ms, and an answer waits a second at most', async (t) => {
  const world = running(Array.from({ length: 400 }, (_, i) => `e${String(i).padStart(3, '0')}`));
  await world.pass(1000);
  world.clock.readingMs = 1;
  const before = board(world).stale;
  t.true(before >= 400);
  let isDone = false;
  const fresh = board(world)
    .fresh()
    .then(() => {
      isDone = true;
    });
  t.true(before - board(world).stale <= 32, 'one slice');
  for (let i = 0; i < 60 && !isDone; i++) {
    world.clock.advance(50);
    await settle();
  }
  await fresh;
  t.true(board(world).stale > 0, 'it answers with what it has');
});

test('BOARD-4: an extension that comes again has another k, and its place is used again', (t) => {
  const world = running(['a', 'b']);
  const { k, place } = rowOf(world, 'a');
  world.feed$.next(changesOf(2, [], ['a']));
  t.is(board(world).size, 1);
  t.is(board(world).numbered(k), null);
  t.is(board(world).at(place), null);
  world.feed$.next(changesOf(3, [registryEntry(extensionRow('a'))]));
  t.is(rowOf(world, 'a').place, place);
  t.true(rowOf(world, 'a').k > k);
});

test('the summary of the board is that of the health of all', async (t) => {
  const world = running(['a', 'b', 'c']);
  const isSame = async (what: string) => {
    await readRow(world, 'a');
    const { summary } = await reportOf(world);
    const own = board(world).summary;
    t.like(
      own,
      { total: summary.total, enabled: summary.enabled, healthy: summary.healthy, unhealthy: summary.unhealthy },
      what,
    );
    t.true(Math.abs((own.avg_success_rate ?? -1) - (summary.avg_success_rate ?? -1)) < 0.001, what);
    t.true(Math.abs((own.avg_p95_latency_ms ?? -1) - (summary.avg_p95_latency_ms ?? -1)) < 0.01, what);
  };
  await isSame('at first');
  world.callEnding('a', 0);
  for (let i = 0; i < 7; i++) world.callEnding('b', 500);
  await isSame('calls');
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('a', { enabled: false, revision: 2 }))], ['b']));
  await isSame('rows');
  await world.pass(400_000, 5000);
  await isSame('windows that are over');
});

test('a reader that throws disturbs neither the others nor what it reads', async (t) => {
  const world = running(['a']);
  const seen: string[] = [];
  const bug = () => {
    throw new Error('a bug');
  };
  board(world).read({ changed: bug, added: bug, removed: bug });
  board(world).read({
    changed: ({ id }) => seen.push(`changed ${id}`),
    added: ({ id }) => seen.push(`added ${id}`),
    removed: ({ id }) => seen.push(`removed ${id}`),
  });
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  t.is(rowOf(world, 'a').state, 1);
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('b'))], ['a']));
  t.true(seen.includes('changed a'));
  t.deepEqual(seen.slice(-2), ['removed a', 'added b']);
});

import test from 'ava';
import { ActorWorld, settle } from '../../helpers/actor-world.js';
import { extensionRow, factsRow, registryEntry, snapshotOf, versionRow } from '../../helpers/registry-rows.js';

test('a target without calls and transitions is never written', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  await world.pass(5000, 500);
  t.deepEqual(world.flushed, []);
});

test('a target that is as its stored row has it is not written', async (t) => {
  const world = new ActorWorld();
  const facts = factsRow({ state: 'open', open_remaining_ms: 60_000, trips: 1, epoch: 7 });
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { facts })));
  await world.pass(5000, 500);
  t.deepEqual(world.flushed, []);
});

test('counts are written every second as what was added since', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  for (let i = 0; i < 3; i++) world.callEnding('a', 0);
  await world.pass(1000);
  world.callEnding('a', 500);
  await world.pass(3000);
  t.deepEqual(
    world.flushed.map((row) => [row.success_delta, row.failure_delta]),
    [
      [3, 0],
      [0, 1],
    ],
  );
  t.like(world.flushed[1], { latency_samples: 4, published: true, circuit_breaker_state: 'closed', epoch: 0 });
});

test('HEALTH-WRITER-1: what could not be written stays owed, and nothing is doubled', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  world.isDatabaseAway = true;
  world.callEnding('a', 0);
  await world.pass(3000);
  world.callEnding('a', 0);
  world.isDatabaseAway = false;
  await world.pass(2000);
  t.deepEqual(
    world.flushed.map((row) => row.success_delta),
    [2],
  );
});

test("a breaker's transition does not wait for the tick", async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  await settle();
  t.like(world.flushed[0], {
    circuit_breaker_state: 'open',
    epoch: 1,
    trips: 1,
    opened_ago_ms: 0,
    open_remaining_ms: 60_000,
    failure_delta: 5,
  });
});

test('HEALTH-WRITER-2: a transition during a flush is written by the next one, at once', async (t) => {
  const world = new ActorWorld({ autoDisableOnCircuitOpen: false });
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a')), registryEntry(extensionRow('b'))));
  let release: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  world.flush = async () => {
    await gate;
    return { dropped: [], held: [] };
  };
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  for (let i = 0; i < 5; i++) world.callEnding('b', 500);
  await settle();
  t.deepEqual(world.flushed, []);
  release();
  await settle();
  t.deepEqual(
    world.flushed.map((row) => row.extension_id),
    ['a', 'b'],
  );
});

test('HEALTH-WRITER-2: ticks that pass while the database hangs share the flush that follows', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  let flushes = 0;
  let release: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  world.flush = async () => {
    flushes++;
    await gate;
    return { dropped: [], held: [] };
  };
  world.callEnding('a', 0);
  await world.pass(1000, 1000);
  const asked = world.core.writer.flush();
  for (let tick = 0; tick < 60; tick++) {
    world.callEnding('a', 0);
    await world.pass(1000, 1000);
    t.is(world.core.writer.flush(), asked);
  }
  release();
  await asked;
  t.is(flushes, 2);
  t.deepEqual(
    world.flushed.map((row) => row.success_delta),
    [1, 60],
  );
});

test('another version than the default is written as such', async (t) => {
  const world = new ActorWorld();
  const versions = [versionRow('a', 'v1'), versionRow('a', 'v2', { routing_rules: { tenant_id: 'x' } })];
  const versionFacts = { v2: factsRow({ state: 'open', open_remaining_ms: 100, trips: 1, epoch: 3 }) };
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { versions, versionFacts })));
  await world.pass(200);
  t.like(world.flushed.at(-1), { version: 'v2', published: false, circuit_breaker_state: 'half_open', epoch: 4 });
});

test('HEALTH-WRITER-5: what a version counted before it was disabled is written, also what ends later', async (t) => {
  const world = new ActorWorld();
  const entry = (enabled: boolean, revision: number) => {
    const v2 = versionRow('a', 'v2', { enabled, revision, routing_rules: { tenant_id: 'x' } });
    return registryEntry(extensionRow('a', { revision }), { versions: [versionRow('a', 'v1'), v2] });
  };
  world.feed$.next(snapshotOf(1, entry(true, 1)));
  const call = () => {
    world.call('a', null, { tenant_id: 'x' });
    return world.sent.at(-1);
  };
  call()?.end(0);
  const late = call();
  world.feed$.next(snapshotOf(2, entry(false, 2)));
  await world.pass(2000);
  late?.end(500);
  await world.pass(2000);
  t.deepEqual(
    world.flushed.map((row) => [row.version, row.published, row.success_delta, row.failure_delta]),
    [
      ['v2', false, 1, 0],
      ['v2', false, 0, 1],
    ],
  );
  world.feed$.next(snapshotOf(3, entry(true, 3)));
  call()?.end(0);
  await world.pass(2000);
  t.like(world.flushed.at(-1), { version: 'v2', success_delta: 1, failure_delta: 0 });
});

test("HEALTH-WRITER-5: the counts of an extension's own row are written when a version takes its place", async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  world.callEnding('a', 0);
  world.feed$.next(snapshotOf(2, registryEntry(extensionRow('a'), { versions: [versionRow('a', 'v2')] })));
  world.callEnding('a', 500);
  await world.pass(2000);
  t.deepEqual(
    world.flushed.map((row) => [row.version, row.published, row.success_delta, row.failure_delta]),
    [
      ['v2', true, 0, 1],
      ['v1', false, 1, 0],
    ],
  );
});

test('a row that the database refuses for good is dropped, counted and not sent again', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  world.flush = async () => ({
    dropped: [{ extension_id: 'a', version: 'v1', error: 'numeric field overflow' }],
    held: [],
  });
  world.callEnding('a', 0);
  await world.pass(3000);
  t.is(world.core.writer.dropped, 1);
  t.is(world.flushed.length, 1);
});

test('stopping writes what is owed', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  world.callEnding('a', 0);
  await world.core.stop();
  t.is(world.flushed.length, 1);
});

test('the copy of auto_disabled is true again after the last change, also where no further call comes', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  await world.pass(2000, 500);
  t.true(world.flushed.at(-1)?.auto_disabled);
  await world.pass(60_000, 1000);
  world.callEnding('a', 0);
  world.callEnding('a', 0);
  await world.pass(2000, 500);
  t.like(world.flushed.at(-1), { auto_disabled: false, circuit_breaker_state: 'closed' });
  const written = world.flushed.length;
  await world.pass(5000, 500);
  t.is(world.flushed.length, written, 'and then there is nothing more to write');
});

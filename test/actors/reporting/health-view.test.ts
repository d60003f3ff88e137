// What the view of one extension says beside the list, and PINNED-TIMES-1 of pinned-times.ts.
import test from 'ava';
import { ActorWorld } from '../../helpers/actor-world.js';
import { extensionRow, instanceRow, registryEntry, snapshotOf } from '../../helpers/registry-rows.js';

test('since when it is open, for how long yet, and how many calls are refused', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  t.like(world.core.view.one('a'), { opened_for_ms: null, open_remaining_ms: null, refused_per_second: 0 });
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  for (let i = 0; i < 30; i++) world.call('a');
  await world.pass(4000, 1000);
  t.like(world.core.view.one('a'), { opened_for_ms: 4000, open_remaining_ms: 56_000, refused_per_second: 3 });
  await world.pass(60_000, 1000);
  t.like(world.core.view.one('a'), { open_remaining_ms: null, refused_per_second: 0 });
  t.true((world.core.view.one('a')?.opened_for_ms ?? 0) >= 60_000, 'half-open: it is not closed yet');
});

test('PINNED-TIMES-1: times say the same at each read, however the wall clock moves', async (t) => {
  const world = new ActorWorld();
  const instances = ['i1', 'i2', 'i3'].map((id) => instanceRow('a', id));
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances }), registryEntry(extensionRow('b'))));
  for (let i = 0; i < 40; i++) {
    const before = world.sent.length;
    world.call('a');
    const sent = world.sent[before];
    sent?.end(sent.route.spec.instanceId === 'i1' ? 500 : 0);
  }
  for (let i = 0; i < 5; i++) world.callEnding('b', 500);
  const evidence = world.events.find(({ event }) => event === 'circuit_opened')?.evidence;
  const timesOf = (id: string) =>
    [...JSON.stringify(world.core.view.one(id)).matchAll(/"(\w+)":"(\d{4}-\d\d-\d\dT[^"]*)"/g)].map(([, name, at]) => [
      name,
      at,
    ]);
  const before = ['a', 'b'].map(timesOf);
  t.true(before.flat().some(([name]) => name === 'ejected_until'));
  for (const name of ['circuit_breaker_opened_at', 'circuit_breaker_open_until', 'last_failure', 'first_failure'])
    t.true(
      before.flat().some((one) => one[0] === name),
      name,
    );
  for (const aheadMs of [1, -1, 0.4, 3_600_000]) {
    world.wallAheadMs = aheadMs;
    world.clock.advance(0.3);
    t.deepEqual(['a', 'b'].map(timesOf), before, `${aheadMs}`);
  }
  t.deepEqual(world.core.view.one('b')?.health.trip_evidence, evidence as never, 'as it was published');
  world.wallAheadMs = 0;
  await world.pass(2000, 1000);
  world.callEnding('a', 0);
  t.notDeepEqual(timesOf('a'), before[0], 'another success has another time');
});

import test from 'ava';
import { ActorWorld } from '../helpers/actor-world.js';
import { breakerSettings } from '../helpers/breaker-settings.js';
import { extensionRow, registryEntry, snapshotOf } from '../helpers/registry-rows.js';

/** A target whose failures alone are left in the window, so that the next tick with traffic opens it. */
async function readyToOpen(): Promise<ActorWorld> {
  const world = new ActorWorld({
    breakerDefaults: breakerSettings({ failure_threshold: 1000, window_seconds: 12, minimum_volume: 5 }),
  });
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  for (let i = 0; i < 10; i++) world.callEnding('a', 0);
  await world.pass(6000);
  for (let i = 0; i < 6; i++) world.callEnding('a', 500);
  await world.pass(5900);
  world.call('a');
  return world;
}

const stateOf = (world: ActorWorld): string | undefined => world.core.view.one('a')?.health.circuit_breaker_state;

test('K3: rules are evaluated every second', async (t) => {
  const world = await readyToOpen();
  t.is(stateOf(world), 'closed');
  await world.pass(1200);
  t.is(stateOf(world), 'open');
});

test('K3: while NATS does not answer no rule is evaluated, and one tick waits for all', async (t) => {
  const world = await readyToOpen();
  world.isNatsStalled = true;
  await world.pass(3600);
  t.is(stateOf(world), 'closed');
  t.is(world.roundTrips.length, 1);
  world.isNatsStalled = false;
  world.roundTrips[0]?.(world.clock.now());
  t.is(stateOf(world), 'open');
});

test('K3: ticks go on after one that waited', async (t) => {
  const world = await readyToOpen();
  world.isNatsStalled = true;
  await world.pass(1000);
  world.sent.at(-1)?.end(0);
  world.roundTrips.shift()?.(world.clock.now());
  await world.pass(1000);
  t.is(world.roundTrips.length, 1);
});

import test from 'ava';
import { done } from '../../src/domain/steps.js';
import { ActorWorld, reasonOf, START_WALL_MS, settle } from '../helpers/actor-world.js';
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

test('ACTOR-SYSTEM-2: rules are evaluated every second', async (t) => {
  const world = await readyToOpen();
  t.is(stateOf(world), 'closed');
  await world.pass(1200);
  t.is(stateOf(world), 'open');
});

test('ACTOR-SYSTEM-2: while NATS does not answer no rule is evaluated, and one tick waits for all', async (t) => {
  const world = await readyToOpen();
  world.isNatsStalled = true;
  await world.pass(3600);
  t.is(stateOf(world), 'closed');
  t.is(world.roundTrips.length, 1);
  world.isNatsStalled = false;
  world.roundTrips[0]?.(world.clock.now());
  t.is(stateOf(world), 'open');
});

test('ACTOR-SYSTEM-2: ticks go on after one that waited', async (t) => {
  const world = await readyToOpen();
  world.isNatsStalled = true;
  await world.pass(1000);
  world.sent.at(-1)?.end(0);
  world.roundTrips.shift()?.(world.clock.now());
  await world.pass(1000);
  t.is(world.roundTrips.length, 1);
});

test('NOTICES-2, FM 34: a publisher that throws costs its event and nothing else: verdict, count, audit and answer stand', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  world.events.push = () => {
    throw new Error('no publisher');
  };
  const calls = Array.from({ length: 5 }, () => world.callEnding('a', 500));
  await settle();
  t.is(stateOf(world), 'open');
  t.true(calls.every((call) => call.answers.length === 1));
  t.like(calls[4]?.answers[0], { code: 'extension_error' }, 'the error of the extension, not ours');
  t.is(world.core.view.one('a')?.health.failure_count, 5);
  t.deepEqual(
    world.audits.map((fact) => fact.action),
    ['circuit_opened'],
  );
  t.deepEqual(
    world.autoChanges.map((change) => change.change),
    ['auto_disable'],
  );
  t.is(world.core.router.inFlight, 0);
});

test('FM 57: a database that never answers delays no verdict, no event and no call', async (t) => {
  const world = new ActorWorld();
  const never = new Promise<never>(() => {});
  world.flush = () => never;
  world.autoChange = () => never;
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a')), registryEntry(extensionRow('b'))));
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  t.is(stateOf(world), 'open');
  t.deepEqual(world.kinds(), ['circuit_opened']);
  await world.pass(30_000);
  t.deepEqual(world.callEnding('b', 0).answers, ['ok']);
  t.is(reasonOf(world.call('a')), 'circuit_open');
  await world.pass(31_000);
  for (let i = 0; i < 2; i++) world.callEnding('a', 0);
  t.is(stateOf(world), 'closed');
  t.deepEqual(world.kinds(), ['circuit_opened', 'circuit_half_opened', 'circuit_closed']);
  t.true(world.core.autoManager.pending <= 1, 'only the latest wish is owed');
});

test('FM 54: two thousand extensions that come, are called and go leave no series, no timer and no target behind', async (t) => {
  const world = new ActorWorld();
  const idle = world.clock.armed;
  for (let round = 1; round <= 2; round++) {
    const ids = Array.from({ length: 2000 }, (_, i) => `r${round}-${i}`);
    world.feed$.next(snapshotOf(round * 2, ...ids.map((id) => registryEntry(extensionRow(id)))));
    for (const id of ids) world.callEnding(id, 0);
    for (const id of ids.slice(0, 100)) for (let i = 0; i < 5; i++) world.callEnding(id, 500);
    await settle();
    t.is([...world.core.view.extensions()].length, 2000);
    t.true(world.clock.armed > idle);
    const reloaded = world.core.supervisor.reload(true);
    world.feed$.next(snapshotOf(round * 2 + 1));
    t.deepEqual([...world.core.view.extensions()], []);
    t.is(world.core.supervisor.runtimes.size, 0);
    t.is((await reloaded)?.removed, 2000);
    t.is(world.clock.armed, idle, 'its breakers have taken their timers along');
    await settle();
    t.is(world.core.autoManager.pending, 0);
  }
});

test('FM 10: a hundred replicas whose breakers opened in the same moment half-open apart, none of them early', (t) => {
  const halfOpened = Array.from({ length: 100 }, (_, i) => {
    const world = new ActorWorld();
    world.random = (i + 0.5) / 100;
    world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
    for (let n = 0; n < 5; n++) world.callEnding('a', 500);
    world.clock.advance(70_000);
    const event = world.events.find((one) => one.event === 'circuit_half_opened');
    done(world.core.supervisor.stopping());
    return Date.parse(event?.at ?? '') - START_WALL_MS;
  });
  t.true(Math.min(...halfOpened) >= 60_000);
  t.true(Math.max(...halfOpened) <= 66_000);
  t.is(new Set(halfOpened).size, 100);
});

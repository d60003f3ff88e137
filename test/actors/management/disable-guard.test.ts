import test from 'ava';
import { TargetStats } from '../../../src/actors/target/target-stats.js';
import { ActorWorld, reasonOf, settle } from '../../helpers/actor-world.js';
import { changesOf, extensionRow, factsRow, registryEntry, snapshotOf } from '../../helpers/registry-rows.js';

const ids = (n: number, from = 0): string[] => Array.from({ length: n }, (_, i) => `e${from + i}`);

/** `n` extensions that have just answered a call each. */
function working(n: number, world = new ActorWorld()): ActorWorld {
  world.feed$.next(snapshotOf(1, ...ids(n).map((id) => registryEntry(extensionRow(id)))));
  for (const id of ids(n)) world.callEnding(id, 0);
  return world;
}

const fail = (world: ActorWorld, which: readonly string[]): void => {
  for (const id of which) for (let i = 0; i < 5; i++) world.callEnding(id, 500);
};

/** Probes that succeed, of what is half-open. */
const heal = (world: ActorWorld, which: readonly string[]): void => {
  for (const id of which) for (let i = 0; i < 2; i++) world.callEnding(id, 0);
};

const told = (world: ActorWorld, ...kinds: string[]): string[] => world.kinds().filter((kind) => kinds.includes(kind));
const disabled = (world: ActorWorld): string[] =>
  world.autoChanges.filter(({ change }) => change === 'auto_disable').map(({ extension_id }) => extension_id);

test('AUTO-MANAGER-1: when more than half of the extensions with traffic open, breakers go on, nothing is disabled, and it is told once', async (t) => {
  const world = working(8);
  await world.pass(1000, 1000);
  fail(world, ids(8));
  await world.pass(10_000, 1000);
  t.is(told(world, 'circuit_opened').length, 8);
  t.is(reasonOf(world.call('e7')), 'circuit_open');
  t.deepEqual(disabled(world), []);
  t.is(world.core.autoManager.pending, 0);
  t.true(world.core.disableGuard.isOn);
  t.deepEqual(
    world.events.filter(({ event }) => event === 'mass_failure').map(({ at: _, ...event }) => event),
    [
      {
        event: 'mass_failure',
        extension_id: '_',
        actor: 'system:auto-manager',
        reason: '8 of 8 extensions with traffic are open or half-open',
        health: { extensions_with_traffic: 8, extensions_failing: 8 },
      },
    ],
  );
  t.like(
    world.audits.find(({ action }) => action === 'mass_failure'),
    { extension_id: '_', changed_by: 'system:auto-manager', reason: world.events.at(-1)?.reason },
  );
});

const share = test.macro<[failing: number, total: number, isBraked: boolean]>({
  async exec(t, failing, total, isBraked) {
    const world = working(total);
    await world.pass(1000, 1000);
    fail(world, ids(failing));
    await world.pass(3000, 1000);
    t.is(world.core.disableGuard.isOn, isBraked);
    t.is(told(world, 'mass_failure').length, isBraked ? 1 : 0);
    t.deepEqual(disabled(world), isBraked ? [] : ids(failing));
  },
  title: (_, failing, total, isBraked) =>
    `MASS-FAILURE-1: ${failing} of ${total} that open at once are ${isBraked ? 'braked' : 'disabled'}`,
});
test(share, 4, 4, false);
test(share, 5, 5, true);
test(share, 5, 9, true);
test(share, 5, 10, false);
test(share, 11, 22, false);
test(share, 12, 22, true);

test('MASS-FAILURE-2: extensions that nobody calls do not count', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...ids(100).map((id) => registryEntry(extensionRow(id)))));
  for (const id of ids(9)) world.callEnding(id, 0);
  fail(world, ids(5));
  await world.pass(1000, 1000);
  t.is(world.events.at(-1)?.reason, '5 of 9 extensions with traffic are open or half-open');
});

test('MASS-FAILURE-2: an outage that lasts goes on being one while breakers are open for longer than the health window', async (t) => {
  const world = new ActorWorld();
  const policy = { breaker: { open_seconds: 3600, open_max_seconds: 3600 } };
  world.feed$.next(snapshotOf(1, ...ids(8).map((id) => registryEntry(extensionRow(id, { policy })))));
  fail(world, ids(8));
  await world.pass(3_500_000, 10_000);
  t.true(world.core.disableGuard.isOn);
  t.deepEqual(disabled(world), []);
});

test('MASS-FAILURE-3: those that half-open together have not recovered by it', async (t) => {
  const world = working(8);
  fail(world, ids(8));
  await world.pass(62_000, 1000);
  t.is(told(world, 'circuit_half_opened').length, 8);
  await world.pass(60_000, 1000);
  t.deepEqual(told(world, 'mass_failure', 'mass_failure_ended'), ['mass_failure']);
  for (const id of ids(8)) world.callEnding(id, 500);
  await world.pass(2000, 1000);
  t.deepEqual(told(world, 'mass_failure', 'mass_failure_ended'), ['mass_failure']);
  t.deepEqual(disabled(world), []);
});

test('MASS-FAILURE-3: half-open ones that nobody calls any more hold nothing back', async (t) => {
  const world = working(8);
  fail(world, ids(8));
  await world.pass(400_000, 10_000);
  t.false(world.core.disableGuard.isOn);
  t.deepEqual(told(world, 'mass_failure', 'mass_failure_ended'), ['mass_failure', 'mass_failure_ended']);
});

test('MASS-FAILURE-3: what a person isolates is no failure', async (t) => {
  const world = working(8);
  world.feed$.next(
    changesOf(
      2,
      ids(8).map((id) => registryEntry(extensionRow(id, { breaker_override: 'isolated', revision: 2 }))),
    ),
  );
  await world.pass(2000, 1000);
  t.deepEqual(told(world, 'mass_failure'), []);
});

test('DISABLE-GUARD-1: what is owed and not yet written when it becomes a mass failure is not written', async (t) => {
  const world = working(8);
  await world.pass(1000, 1000);
  world.isDatabaseAway = true;
  fail(world, ids(4));
  await settle();
  t.is(world.core.autoManager.pending, 4);
  fail(world, ids(4, 4));
  world.isDatabaseAway = false;
  await world.pass(5000, 1000);
  t.deepEqual(world.autoChanges, []);
  t.is(world.core.autoManager.pending, 0);
});

test('DISABLE-GUARD-1: one that was owed in time is written, and none after it', async (t) => {
  const world = working(8);
  await world.pass(1000, 1000);
  let commit: () => void = () => {};
  world.autoChange = (change) =>
    new Promise((resolve) => {
      commit = () => resolve({ applied: true, revision: change.revision + 1 });
    });
  fail(world, ids(1));
  await settle();
  fail(world, ids(7, 1));
  commit();
  await world.pass(5000, 1000);
  t.deepEqual(disabled(world), ['e0']);
});

// Alone: it counts what every world does.
test.serial('DISABLE-GUARD-1: N extensions that open at once cost N steps', async (t) => {
  const N = 2000;
  const world = working(N);
  await world.pass(1000, 1000);
  const { outcomeAgoMs } = TargetStats.prototype;
  let looks = 0;
  TargetStats.prototype.outcomeAgoMs = function (nowMs) {
    looks++;
    return outcomeAgoMs.call(this, nowMs);
  };
  fail(world, ids(N));
  await world.pass(1000, 1000);
  TargetStats.prototype.outcomeAgoMs = outcomeAgoMs;
  t.true(world.core.disableGuard.isOn);
  // Its own transition, the count of the tick, and the decision of the tick on what waits.
  t.true(looks >= N && looks <= 3 * N, `${looks} looks`);
});

test('DISABLE-GUARD-2: traffic that no tick has seen yet makes no mass failure: what was held back is written at the tick', async (t) => {
  const world = working(20);
  fail(world, ids(6));
  await settle();
  t.deepEqual(disabled(world), [], 'six of the six that are known to have had a call');
  await world.pass(1000, 1000);
  t.deepEqual(disabled(world).sort(), ids(6));
  t.deepEqual(told(world, 'mass_failure'), []);
});

test('DISABLE-GUARD-3: when it is over for half a minute that is told, and what is still open is disabled', async (t) => {
  const world = working(9);
  fail(world, ids(6));
  await world.pass(61_000, 1000);
  heal(world, ids(4));
  world.callEnding('e4', 500);
  world.callEnding('e5', 500);
  t.is(told(world, 'circuit_closed').length, 4);
  await world.pass(29_000, 1000);
  t.true(world.core.disableGuard.isOn);
  t.deepEqual(world.autoChanges, []);
  await world.pass(2000, 1000);
  t.false(world.core.disableGuard.isOn);
  t.deepEqual(disabled(world), ['e4', 'e5']);
  const ended = world.events.find(({ event }) => event === 'mass_failure_ended');
  t.like(ended, { extension_id: '_', reason: '2 of 9 extensions with traffic are open or half-open' });
  t.is(world.audits.filter(({ action }) => action === 'mass_failure_ended').length, 1);
});

test('DISABLE-GUARD-3: a second one within half a minute belongs to the same episode, a later one is told again', async (t) => {
  const world = working(6);
  const episode = () => told(world, 'mass_failure', 'mass_failure_ended');
  fail(world, ids(6));
  await world.pass(61_000, 1000);
  heal(world, ids(6));
  await world.pass(20_000, 1000);
  fail(world, ids(6));
  await world.pass(121_000, 1000);
  t.deepEqual(episode(), ['mass_failure']);
  heal(world, ids(6));
  await world.pass(31_000, 1000);
  t.deepEqual(episode(), ['mass_failure', 'mass_failure_ended']);
  fail(world, ids(6));
  await world.pass(1000, 1000);
  t.deepEqual(episode(), ['mass_failure', 'mass_failure_ended', 'mass_failure']);
  t.deepEqual(world.autoChanges, []);
});

test('AUTO-MANAGER-1: what was disabled before is enabled while the brake is on', async (t) => {
  const world = working(9);
  fail(world, ['e8']);
  await world.pass(50_000, 1000);
  fail(world, ids(8));
  await world.pass(12_000, 1000);
  t.true(world.core.disableGuard.isOn);
  heal(world, ['e8']);
  await settle();
  t.deepEqual(
    world.autoChanges.map(({ extension_id, change }) => [extension_id, change]),
    [
      ['e8', 'auto_disable'],
      ['e8', 'auto_enable'],
    ],
  );
});

test('AUTO-MANAGER-1: what a person disables while the brake is on stays as the person left it', async (t) => {
  const world = working(6);
  fail(world, ids(6));
  await world.pass(2000, 1000);
  const off = extensionRow('e0', { enabled: false, revision: 2, switched_by: 'ann' });
  world.feed$.next(changesOf(2, [registryEntry(off)]));
  heal(world, ids(5, 1));
  await world.pass(120_000, 1000);
  t.deepEqual(disabled(world).includes('e0'), false);
  t.like(world.core.view.one('e0'), { enabled: false, auto_disabled: false });
});

test('AUTO-MANAGER-1: a restart in a mass failure disables nothing either', async (t) => {
  const world = new ActorWorld();
  const facts = factsRow({ state: 'open', open_remaining_ms: 60_000, trips: 1, epoch: 1 });
  world.feed$.next(snapshotOf(1, ...ids(8).map((id) => registryEntry(extensionRow(id), { facts }))));
  await world.pass(10_000, 1000);
  t.true(world.core.disableGuard.isOn);
  t.deepEqual(world.autoChanges, []);
});

test('MASS-FAILURE-2: a start with many extensions that were disabled long ago is no mass failure', async (t) => {
  const world = new ActorWorld();
  const facts = factsRow({ state: 'open', open_remaining_ms: 60_000, trips: 1, epoch: 1 });
  const off = { enabled: false, auto_disabled: true, switched_by: 'system:auto-manager' };
  world.feed$.next(snapshotOf(1, ...ids(8).map((id) => registryEntry(extensionRow(id, off), { facts }))));
  await world.pass(10_000, 1000);
  t.deepEqual(world.kinds(), []);
});

test('a mass failure is told where nothing is disabled automatically too', async (t) => {
  const world = working(6, new ActorWorld({ autoDisableOnCircuitOpen: false }));
  fail(world, ids(6));
  await world.pass(2000, 1000);
  t.is(told(world, 'mass_failure').length, 1);
});

test('AUTO-MANAGER-1: with auto_enable_on_circuit_close off no gate closes while the brake is on', async (t) => {
  const world = working(6, new ActorWorld({ autoEnableOnCircuitClose: false }));
  await world.pass(1000, 1000);
  fail(world, ids(6));
  await world.pass(61_000, 1000);
  heal(world, ids(5));
  t.is(told(world, 'circuit_closed').length, 5, 'live calls close them: they were not gated');
  world.callEnding('e5', 500);
  await world.pass(31_000, 1000);
  t.deepEqual(disabled(world), ['e5']);
  t.is(reasonOf(world.call('e5')), 'auto_disabled');
  t.deepEqual(world.callEnding('e0', 0).answers, ['ok']);
});

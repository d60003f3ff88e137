import test from 'ava';
import { ActorWorld, reasonOf, settle } from '../../helpers/actor-world.js';
import {
  changesOf,
  extensionRow,
  factsRow,
  instanceRow,
  registryEntry,
  snapshotOf,
} from '../../helpers/registry-rows.js';

async function opened(world = new ActorWorld()): Promise<ActorWorld> {
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  await settle();
  return world;
}

test('a breaker that opens is told at once, then the row is written, then auto_disabled is told', async (t) => {
  const world = await opened();
  t.deepEqual(world.kinds(), ['circuit_opened', 'auto_disabled']);
  t.like(world.events[0], {
    reason: 'failure_count',
    evidence: { failures: 5, outcomes: 5, error_rate: 1, window_seconds: 60 },
    version: 'v1',
    actor: 'system:breaker',
  });
  t.like(world.events[1], { actor: 'system:auto-manager', revision: 2, reason: 'circuit opened: failure_count' });
  t.is(world.autoChanges.length, 1);
  t.like(world.autoChanges[0], {
    extension_id: 'a',
    change: 'auto_disable',
    revision: 1,
    reason: 'circuit opened: failure_count',
  });
  t.like(world.core.view.one('a'), { enabled: false, auto_disabled: true });
  t.is(world.core.view.autoDisabledTotal(), 1);
  t.deepEqual(
    world.audits.map((fact) => fact.action),
    ['circuit_opened'],
  );
});

test('a breaker that closes enables again, on the revision its own change left', async (t) => {
  const world = await opened();
  await world.pass(60_000, 1000);
  world.callEnding('a', 0);
  world.callEnding('a', 0);
  await settle();
  t.deepEqual(world.kinds(), [
    'circuit_opened',
    'auto_disabled',
    'circuit_half_opened',
    'circuit_closed',
    'auto_enabled',
  ]);
  t.like(world.autoChanges[1], { change: 'auto_enable', revision: 2 });
  t.like(world.core.view.one('a'), { enabled: true, auto_disabled: false });
});

test('AUTO-MANAGEMENT-3: re-opening from half-open writes nothing', async (t) => {
  const world = await opened();
  await world.pass(60_000, 1000);
  world.callEnding('a', 500);
  await world.pass(120_000, 1000);
  world.callEnding('a', 500);
  await settle();
  t.is(world.autoChanges.length, 1);
  t.is(world.audits.length, 1);
});

test('AUTO-MANAGER-3: a change decided on a revision that has moved on is dropped and decided anew on the new row', async (t) => {
  const world = new ActorWorld();
  let isStale = true;
  world.autoChange = async (change) =>
    isStale ? { applied: false } : { applied: true, revision: change.revision + 1 };
  await opened(world);
  t.deepEqual(world.autoChanges, []);
  isStale = false;
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('a', { timeout_ms: 7, revision: 2 }))]));
  await settle();
  t.like(world.autoChanges[0], { change: 'auto_disable', revision: 2 });
});

test('AUTO-MANAGER-3: where a person disabled it meanwhile, nothing is written any more', async (t) => {
  const world = new ActorWorld();
  world.autoChange = async () => ({ applied: false });
  await opened(world);
  world.feed$.next(
    changesOf(2, [registryEntry(extensionRow('a', { enabled: false, revision: 2, switched_by: 'ann' }))]),
  );
  await world.pass(5000, 1000);
  t.deepEqual(world.autoChanges, []);
  t.is(world.core.autoManager.pending, 0);
});

test('AUTO-MANAGER-2: while the database is away only the latest wish is owed, and it is applied when it is back', async (t) => {
  const world = new ActorWorld();
  world.isDatabaseAway = true;
  await opened(world);
  t.is(world.core.autoManager.pending, 1);
  t.deepEqual(world.kinds(), ['circuit_opened'], 'told at once; auto_disabled only after its commit');
  world.isDatabaseAway = false;
  await world.pass(1000);
  t.is(world.core.autoManager.pending, 0);
  t.deepEqual(world.kinds(), ['circuit_opened', 'auto_disabled']);
  t.is(world.audits.length, 1);
});

test('AUTO-MANAGER-2: what opened and closed again while the database was away changes no row', async (t) => {
  const world = new ActorWorld();
  world.isDatabaseAway = true;
  await opened(world);
  await world.pass(60_000, 1000);
  world.callEnding('a', 0);
  world.callEnding('a', 0);
  world.isDatabaseAway = false;
  await world.pass(1000);
  t.deepEqual(world.autoChanges, []);
  t.like(world.core.view.one('a'), { enabled: true, auto_disabled: false });
});

test('automatic management that is switched off writes nothing', async (t) => {
  const world = await opened(new ActorWorld({ autoDisableOnCircuitOpen: false }));
  t.deepEqual(world.kinds(), ['circuit_opened']);
  t.like(world.core.view.one('a'), { enabled: true, auto_disabled: false });
});

test('one change that cannot be written does not keep the others waiting', async (t) => {
  const world = new ActorWorld();
  world.autoChange = async (change) => {
    if (change.extension_id === 'a') throw new Error('poisoned');
    return { applied: true, revision: 2 };
  };
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a')), registryEntry(extensionRow('b'))));
  for (const id of ['a', 'b']) for (let i = 0; i < 5; i++) world.callEnding(id, 500);
  await world.pass(3000, 500);
  t.deepEqual(
    world.autoChanges.map((change) => change.extension_id),
    ['b'],
  );
});

test('AUTO-MANAGER-2: a wish that changed while the old one could not be written stands', async (t) => {
  const world = new ActorWorld();
  let fail: (error: Error) => void = () => {};
  world.autoChange = () =>
    new Promise((_, reject) => {
      fail = reject;
    });
  await opened(world);
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('a', { timeout_ms: 7, revision: 2 }))]));
  world.autoChange = async (change) => ({ applied: true, revision: change.revision + 1 });
  fail(new Error('connection lost'));
  await world.pass(1000);
  t.like(world.autoChanges[0], { change: 'auto_disable', revision: 2 });
});

test('AUTO-MANAGER-5: two daemons on one registry do not undo each other: one whose breaker was closed all along enables nothing', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  const offByOther = { enabled: false, auto_disabled: true, switched_by: 'system:auto-manager', revision: 2 };
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('a', offByOther))]));
  world.callEnding('a', 0);
  await world.pass(3000, 500);
  t.deepEqual(world.autoChanges, []);
  t.is(world.core.autoManager.pending, 0);
  // The other one enables; what this one disables later is its own to enable.
  world.feed$.next(
    changesOf(3, [registryEntry(extensionRow('a', { switched_by: 'system:auto-manager', revision: 3 }))]),
  );
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  await world.pass(61_000, 1000);
  world.callEnding('a', 0);
  world.callEnding('a', 0);
  await settle();
  t.deepEqual(
    world.autoChanges.map(({ change, revision }) => [change, revision]),
    [
      ['auto_disable', 3],
      ['auto_enable', 4],
    ],
  );
});

test('FM 58: what another daemon disabled automatically is called here while the breaker here is closed', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  const offByOther = { enabled: false, auto_disabled: true, switched_by: 'system:auto-manager', revision: 2 };
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('a', offByOther))]));
  t.like(world.core.view.one('a'), { enabled: false, auto_disabled: true });
  for (let i = 0; i < 20; i++) world.callEnding('a', 0);
  await settle();
  t.is(world.sent.length, 20);
  t.deepEqual(world.kinds(), []);
  // Its own failures open it all the same.
  for (let i = 0; i < 20; i++) world.callEnding('a', 500);
  await settle();
  t.true(world.sent.length < 40);
  t.true(world.kinds().includes('circuit_opened'));
});

test('AUTO-MANAGER-5: what another daemon switched off is switched on by one whose own breaker has recovered since', async (t) => {
  const world = new ActorWorld();
  world.autoChange = async (change) =>
    change.change === 'auto_disable' ? { applied: false } : { applied: true, revision: change.revision + 1 };
  await opened(world);
  const offByOther = { enabled: false, auto_disabled: true, switched_by: 'system:auto-manager', revision: 2 };
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('a', offByOther))]));
  await world.pass(61_000, 1000);
  world.callEnding('a', 0);
  world.callEnding('a', 0);
  await settle();
  t.like(world.autoChanges, [{ change: 'auto_enable', revision: 2 }]);
});

test('AUTO-MANAGER-5: a breaker that closes while its auto_disable is still being written enables once that is through', async (t) => {
  const world = new ActorWorld();
  let commit: () => void = () => {};
  world.autoChange = (change) => {
    if (change.change === 'auto_enable') return Promise.resolve({ applied: true, revision: 3 });
    return new Promise((resolve) => {
      commit = () => resolve({ applied: true, revision: 2 });
    });
  };
  await opened(world);
  await world.pass(61_000, 1000);
  world.callEnding('a', 0);
  world.callEnding('a', 0);
  commit();
  await settle();
  t.deepEqual(
    world.autoChanges.map(({ change }) => change),
    ['auto_disable', 'auto_enable'],
  );
});

test('AUTO-MANAGER-5: an auto_disable that was committed while its answer was lost is undone, also where the breaker closes before the row is read', async (t) => {
  const world = new ActorWorld();
  world.autoChange = () => Promise.reject(new Error('connection lost'));
  await opened(world);
  world.isDatabaseAway = true;
  await world.pass(61_000, 1000);
  world.callEnding('a', 0);
  world.callEnding('a', 0);
  await settle();
  world.isDatabaseAway = false;
  world.autoChange = async (change) => ({ applied: true, revision: change.revision + 1 });
  const offByUs = { enabled: false, auto_disabled: true, switched_by: 'system:auto-manager', revision: 2 };
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('a', offByUs))]));
  await settle();
  t.like(world.autoChanges, [{ change: 'auto_enable', revision: 2 }]);
});

test('AUTO-MANAGER-3: a row that was read before its auto_disable was written is no decision of a person', async (t) => {
  const world = await opened();
  const instances = [instanceRow('a', 'i1')];
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('a', { switched_by: 'ada' }), { instances })]));
  t.is(reasonOf(world.call('a')), 'circuit_open');
  t.true(world.core.view.one('a')?.auto_disabled);
  t.is(world.core.autoManager.pending, 0);
  world.feed$.next(
    changesOf(4, [registryEntry(extensionRow('a', { revision: 4, switched_by: 'ada' }), { instances })]),
  );
  t.is(world.core.view.one('a')?.health.circuit_breaker_state, 'half_open');
});

// Damping

const SECOND_MS = 1000;

/** A breaker that is half-open closes. */
function recover(world: ActorWorld, id = 'a'): void {
  for (let i = 0; i < 2; i++) world.callEnding(id, 0);
}

function fail(world: ActorWorld, id = 'a'): void {
  for (let i = 0; i < 5; i++) world.callEnding(id, 500);
}

const changes = (world: ActorWorld): string[] => world.autoChanges.map(({ change }) => change);

/** It recovered, tripped `afterMs` later, and has just recovered again. */
async function recoveredTwice(afterMs: number, world = new ActorWorld()): Promise<ActorWorld> {
  await opened(world);
  await world.pass(60_000, SECOND_MS);
  recover(world);
  await settle();
  await world.pass(afterMs, SECOND_MS);
  fail(world);
  await settle();
  await world.pass(120_000, SECOND_MS);
  recover(world);
  await settle();
  return world;
}

test('AUTO-MANAGEMENT-4: after a trip within a window of the recovery, the next one enables when it has lasted for a window', async (t) => {
  const world = await recoveredTwice(59_000);
  t.deepEqual(changes(world), ['auto_disable', 'auto_enable', 'auto_disable']);
  t.is(world.core.view.one('a')?.health.circuit_breaker_state, 'closed');
  t.is(world.core.autoManager.pending, 0, 'what has to wait is not owed');
  await world.pass(59_000, SECOND_MS);
  t.is(world.autoChanges.length, 3);
  await world.pass(1000, SECOND_MS);
  t.like(world.autoChanges[3], { change: 'auto_enable', revision: 4 });
  t.is(world.kinds().at(-1), 'auto_enabled');
});

test('AUTO-MANAGEMENT-4: after a trip a whole window after the recovery, the next one enables at once', async (t) => {
  const world = await recoveredTwice(60_000);
  t.deepEqual(changes(world), ['auto_disable', 'auto_enable', 'auto_disable', 'auto_enable']);
});

test('AUTO-MANAGEMENT-4: a breaker that trips again while it has to last goes on being disabled, and no row is written', async (t) => {
  const world = await recoveredTwice(1000);
  fail(world);
  await world.pass(300_000, SECOND_MS);
  recover(world);
  await world.pass(59_000, SECOND_MS);
  t.is(world.autoChanges.length, 3);
  t.like(world.core.view.one('a'), { enabled: false, auto_disabled: true });
  t.deepEqual(world.callEnding('a', 0).answers, ['ok'], 'callers are served: the breaker alone is the gate');
});

test('AUTO-MANAGEMENT-4: a person who switched it off and on ends the damping', async (t) => {
  const world = await recoveredTwice(1000);
  const decide = (enabled: boolean, revision: number) =>
    world.feed$.next(
      changesOf(revision, [registryEntry(extensionRow('a', { enabled, revision, switched_by: 'ann' }))]),
    );
  decide(false, 5);
  decide(true, 6);
  fail(world);
  await settle();
  await world.pass(300_000, SECOND_MS);
  recover(world);
  await settle();
  t.deepEqual(changes(world).slice(3), ['auto_disable', 'auto_enable']);
});

test('AUTO-MANAGEMENT-4, FM 38: what a person disabled while it had to last stays disabled', async (t) => {
  const world = await recoveredTwice(1000);
  world.feed$.next(
    changesOf(5, [registryEntry(extensionRow('a', { enabled: false, revision: 5, switched_by: 'ann' }))]),
  );
  await world.pass(120_000, SECOND_MS);
  t.is(world.autoChanges.length, 3);
  t.like(world.core.view.one('a'), { enabled: false, auto_disabled: false });
});

test('AUTO-MANAGER-6: nothing waits for an extension that was removed', async (t) => {
  const world = await recoveredTwice(1000);
  world.feed$.next(changesOf(5, [], ['a']));
  await world.pass(60_000, SECOND_MS);
  t.is(world.autoChanges.length, 3);
});

test('AUTO-MANAGER-6: a restart forgets the damping, and what was switched off proves itself first', async (t) => {
  const world = new ActorWorld();
  const row = extensionRow('a', { enabled: false, auto_disabled: true, switched_by: 'system:auto-manager' });
  world.feed$.next(snapshotOf(1, registryEntry(row, { facts: factsRow({ trips: 3, epoch: 9 }) })));
  await world.pass(5000, SECOND_MS);
  t.deepEqual(world.autoChanges, []);
  recover(world);
  await settle();
  t.deepEqual(changes(world), ['auto_enable']);
});

test('AUTO-MANAGER-5, AUTO-MANAGEMENT-4: with auto_enable_on_circuit_close off nothing waits: it is a gate until a person enables', async (t) => {
  const world = await opened(new ActorWorld({ autoEnableOnCircuitClose: false }));
  t.is(reasonOf(world.call('a')), 'auto_disabled');
  await world.pass(120_000, SECOND_MS);
  t.is(reasonOf(world.call('a')), 'auto_disabled');
  t.deepEqual(changes(world), ['auto_disable']);
  world.feed$.next(changesOf(3, [registryEntry(extensionRow('a', { revision: 3, switched_by: 'ann' }))]));
  t.is(world.core.view.one('a')?.health.circuit_breaker_state, 'half_open');
  recover(world);
  await settle();
  fail(world);
  await settle();
  t.deepEqual(changes(world), ['auto_disable', 'auto_disable']);
  t.is(reasonOf(world.call('a')), 'auto_disabled');
});

const FLAP_MS = 50;
const MINUTES = 10;

/** Ten minutes of a call every 10 ms to a dependency that is up and down for 50 ms each. */
async function flap(breaker: Record<string, number>): Promise<{ world: ActorWorld; transitions: number }> {
  const world = new ActorWorld();
  // Some jitter, so that its open time is no multiple of what the dependency does.
  world.random = 0.33;
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', { policy: { breaker } }))));
  for (let ms = 0; ms < MINUTES * 60_000; ms += 10) {
    world.callEnding('a', Math.floor(ms / FLAP_MS) % 2 === 0 ? 500 : 0);
    world.clock.advance(10);
    if (ms % FLAP_MS === 0) await settle();
  }
  const transitions = world.kinds().filter((kind) => kind.startsWith('circuit_')).length;
  return { world, transitions };
}

test('FM 47: a dependency that flaps every 50 ms makes a transition a minute, and three rows in ten minutes', async (t) => {
  const { world, transitions } = await flap({});
  t.true(transitions >= 6 && transitions <= 12, `${transitions} transitions`);
  t.deepEqual(changes(world), ['auto_disable', 'auto_enable', 'auto_disable']);
});

test('FM 47: where it opens for a second only, transitions are bounded by that, and rows are three still', async (t) => {
  const { world, transitions } = await flap({ open_seconds: 1, open_max_seconds: 1 });
  t.true(transitions > 60 * MINUTES, `${transitions}: it does flap`);
  t.true(transitions <= 3 * 60 * MINUTES, `${transitions} transitions`);
  t.deepEqual(changes(world), ['auto_disable', 'auto_enable', 'auto_disable']);
  for (let ms = 0; ms < 62_000; ms += 1000) {
    world.callEnding('a', 0);
    await world.pass(1000, SECOND_MS);
  }
  t.deepEqual(changes(world).slice(3), ['auto_enable'], 'up for a window: enabled, once');
});

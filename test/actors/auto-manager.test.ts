import test from 'ava';
import { ActorWorld, reasonOf, settle } from '../helpers/actor-world.js';
import { changesOf, extensionRow, instanceRow, registryEntry, snapshotOf } from '../helpers/registry-rows.js';

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
  t.deepEqual(world.autoChanges, [
    { extension_id: 'a', change: 'auto_disable', revision: 1, reason: 'circuit opened: failure_count' },
  ]);
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

test('A3: re-opening from half-open writes nothing', async (t) => {
  const world = await opened();
  await world.pass(60_000, 1000);
  world.callEnding('a', 500);
  await world.pass(120_000, 1000);
  world.callEnding('a', 500);
  await settle();
  t.is(world.autoChanges.length, 1);
  t.is(world.audits.length, 1);
});

test('A5: a change decided on a revision that has moved on is dropped and decided anew on the new row', async (t) => {
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

test('A5: where a person disabled it meanwhile, nothing is written any more', async (t) => {
  const world = new ActorWorld();
  world.autoChange = async () => ({ applied: false });
  await opened(world);
  world.feed$.next(
    changesOf(2, [registryEntry(extensionRow('a', { enabled: false, revision: 2, switched_by: 'ann' }))]),
  );
  await world.pass(5000, 1000);
  t.deepEqual(world.autoChanges, []);
  t.is(world.core.autoManager.owed, 0);
});

test('A4: while the database is away only the latest wish is owed, and it is applied when it is back', async (t) => {
  const world = new ActorWorld();
  world.isDatabaseAway = true;
  await opened(world);
  t.is(world.core.autoManager.owed, 1);
  t.deepEqual(world.kinds(), ['circuit_opened'], 'told at once; auto_disabled only after its commit');
  world.isDatabaseAway = false;
  await world.pass(1000);
  t.is(world.core.autoManager.owed, 0);
  t.deepEqual(world.kinds(), ['circuit_opened', 'auto_disabled']);
  t.is(world.audits.length, 1);
});

test('A4: what opened and closed again while the database was away changes no row', async (t) => {
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

test('A4: a wish that changed while the old one could not be written stands', async (t) => {
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

test('A7: two daemons on one registry do not undo each other: one whose breaker was closed all along enables nothing', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  const offByOther = { enabled: false, auto_disabled: true, switched_by: 'system:auto-manager', revision: 2 };
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('a', offByOther))]));
  world.callEnding('a', 0);
  await world.pass(3000, 500);
  t.deepEqual(world.autoChanges, []);
  t.is(world.core.autoManager.owed, 0);
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

test('A7: what another daemon switched off is switched on by one whose own breaker has recovered since', async (t) => {
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

test('A7: a breaker that closes while its auto_disable is still being written enables once that is through', async (t) => {
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

test('A5: a row that was read before its auto_disable was written is no decision of a person', async (t) => {
  const world = await opened();
  const instances = [instanceRow('a', 'i1')];
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('a', { switched_by: 'ada' }), { instances })]));
  t.is(reasonOf(world.call('a')), 'circuit_open');
  t.true(world.core.view.one('a')?.auto_disabled);
  t.is(world.core.autoManager.owed, 0);
  world.feed$.next(
    changesOf(4, [registryEntry(extensionRow('a', { revision: 4, switched_by: 'ada' }), { instances })]),
  );
  t.is(world.core.view.one('a')?.health.circuit_breaker_state, 'half_open');
});

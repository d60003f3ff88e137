import test from 'ava';
import { ActorWorld, reasonOf } from '../../helpers/actor-world.js';
import {
  changesOf,
  extensionRow,
  factsRow,
  instanceRow,
  registryEntry,
  snapshotOf,
  versionRow,
} from '../../helpers/registry-rows.js';

const many = (n: number) => Array.from({ length: n }, (_, i) => registryEntry(extensionRow(`e${i}`)));

test('a snapshot starts a runtime for each extension, and a removal stops its actors', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...many(3)));
  t.deepEqual([...world.core.supervisor.runtimes.keys()], ['e0', 'e1', 'e2']);
  world.feed$.next(changesOf(2, [], ['e1']));
  t.deepEqual([...world.core.supervisor.runtimes.keys()], ['e0', 'e2']);
  t.is(reasonOf(world.call('e1')), 'extension_not_found');
  t.is(world.core.supervisor.revision, 2);
});

test('an extension that was removed and comes back starts anew', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...many(2)));
  const first = world.core.supervisor.runtimes.get('e1');
  world.feed$.next(changesOf(2, [], ['e1']));
  world.feed$.next(changesOf(3, [registryEntry(extensionRow('e1'))]));
  t.not(world.core.supervisor.runtimes.get('e1'), first);
  t.deepEqual(world.callEnding('e1', 0).answers, ['ok']);
});

test('SERVICE-SET-1: a change of timeout, subject, policy or instances keeps the target and its windows', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  const target = world.core.supervisor.runtimes.get('a')?.defaultService?.target;
  world.callEnding('a', 500);
  const row = extensionRow('a', { timeout_ms: 50, subject: 'ext.other', policy: { max_in_flight: 3 }, revision: 2 });
  world.feed$.next(changesOf(2, [registryEntry(row, { instances: [instanceRow('a', 'i1')] })]));
  t.is(world.core.supervisor.runtimes.get('a')?.defaultService?.target, target);
  t.is(world.core.view.one('a')?.health.failure_count, 1);
  world.callEnding('a', 0);
  t.like(world.sent.at(-1), { timeoutMs: 50 });
  t.is(world.sent.at(-1)?.route.subject, 'ext.a.i1');
});

test('a change that says what runs already makes no work', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  const service = world.core.supervisor.runtimes.get('a')?.defaultService;
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  t.is(world.core.supervisor.runtimes.get('a')?.defaultService, service);
});

test('BREAKER-HOST-1: a change that makes a running row invalid is refused, told once per revision, and the last valid form serves', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  const bad = registryEntry(extensionRow('a', { subject: 'ext.*', revision: 2 }));
  world.feed$.next(changesOf(2, [bad]));
  world.feed$.next(snapshotOf(2, bad));
  t.deepEqual(world.kinds(), ['registry_row_rejected']);
  t.regex(world.events[0]?.reason ?? '', /wildcards/);
  world.callEnding('a', 0);
  t.is(world.sent[0]?.route.subject, 'ext.a');
  await world.pass(50);
  t.is(world.audits.length, 1);
});

test('a row that is invalid at start is disabled alone, and serves once it is mended', (t) => {
  const world = new ActorWorld();
  const bad = registryEntry(extensionRow('bad', { type: 'nonsense' }));
  world.feed$.next(snapshotOf(1, bad, registryEntry(extensionRow('good'))));
  t.is(reasonOf(world.call('bad')), 'row_invalid');
  t.deepEqual(world.callEnding('good', 0).answers, ['ok']);
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('bad', { revision: 2 }))]));
  t.deepEqual(world.callEnding('bad', 0).answers, ['ok']);
});

test('SUPERVISOR-3: a mass removal is held, told, and happens when a second reading agrees', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...many(10)));
  world.feed$.next(snapshotOf(2, ...many(4)));
  t.is(world.core.supervisor.runtimes.size, 10);
  t.deepEqual(world.kinds(), ['mass_removal_held']);
  await world.pass(9_900);
  t.is(world.snapshotRequests, 0);
  await world.pass(200);
  t.is(world.snapshotRequests, 1);
  world.feed$.next(snapshotOf(2, ...many(4)));
  t.is(world.core.supervisor.runtimes.size, 4);
});

test('SUPERVISOR-3: a second reading that has the rows again removes nothing', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...many(10)));
  world.feed$.next(changesOf(2, [], ['e0', 'e1', 'e2', 'e3', 'e4', 'e5']));
  t.is(world.core.supervisor.runtimes.size, 10);
  await world.pass(10_000);
  world.feed$.next(snapshotOf(3, ...many(10)));
  t.is(world.core.supervisor.runtimes.size, 10);
});

test('SUPERVISOR-3: a second reading that lacks more than the first did is held again', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...many(10)));
  world.feed$.next(snapshotOf(2, ...many(4)));
  await world.pass(10_000);
  world.feed$.next(snapshotOf(3));
  t.is(world.core.supervisor.runtimes.size, 10);
  await world.pass(10_000);
  world.feed$.next(snapshotOf(3));
  t.is(world.core.supervisor.runtimes.size, 0);
});

test('SUPERVISOR-3: a mass removal that somebody forces happens with the next reading', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...many(10)));
  void world.core.supervisor.reload(true);
  t.is(world.snapshotRequests, 1);
  world.feed$.next(snapshotOf(2));
  t.is(world.core.supervisor.runtimes.size, 0);
});

test('a change that leaves the instances alone leaves their turns alone', (t) => {
  const world = new ActorWorld();
  const instances = [instanceRow('a', 'i1'), instanceRow('a', 'i2', { weight: 50 })];
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances })));
  for (let n = 0; n < 150; n++) {
    world.callEnding('a', 0);
    const row = extensionRow('a', { timeout_ms: 1000 + n, revision: 2 + n });
    world.feed$.next(changesOf(2 + n, [registryEntry(row, { instances })]));
  }
  t.is(world.sent.filter((sent) => sent.route.subject === 'ext.a.i1').length, 100);
});

test('half of ten may go at once, and all of nine', (t) => {
  const ten = new ActorWorld();
  ten.feed$.next(snapshotOf(1, ...many(10)));
  ten.feed$.next(snapshotOf(2, ...many(5)));
  t.is(ten.core.supervisor.runtimes.size, 5);
  const nine = new ActorWorld();
  nine.feed$.next(snapshotOf(1, ...many(9)));
  nine.feed$.next(snapshotOf(2));
  t.is(nine.core.supervisor.runtimes.size, 0);
});

test('every enabled version has a target of its own, and the published one is the default', (t) => {
  const world = new ActorWorld();
  const versions = [
    versionRow('a', 'v1'),
    versionRow('a', 'v9'),
    versionRow('a', 'v10'),
    versionRow('a', 'v11', { routing_rules: { tenant_id: 'x' } }),
    versionRow('a', 'v12', { enabled: false }),
  ];
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { versions })));
  const view = world.core.view.one('a');
  t.is(view?.version, 'v10');
  const named = (enabled: boolean) => view?.versions?.filter((v) => v.enabled === enabled).map((v) => v.version);
  t.deepEqual(named(true)?.sort(), ['v1', 'v10', 'v11', 'v9']);
  t.deepEqual(named(false), ['v12'], 'shown, though nothing runs of it');
  world.callEnding('a', 0);
  t.is(world.sent[0]?.route.subject, 'ext.a.v10');
});

test('a version that goes away takes its target along, and the others keep theirs', (t) => {
  const world = new ActorWorld();
  const versions = [versionRow('a', 'v2'), versionRow('a', 'v3')];
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { versions })));
  const before = [...(world.core.supervisor.runtimes.get('a')?.services ?? [])];
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('a'), { versions: versions.slice(0, 1) })]));
  const after = [...(world.core.supervisor.runtimes.get('a')?.services ?? [])];
  t.is(after.length, 1);
  t.is(after[0]?.target, before.find((s) => s.version.version === 'v2')?.target as never);
});

test('FM 51: an open breaker resumes with the time it has left, and not before', async (t) => {
  const world = new ActorWorld();
  const facts = factsRow({ state: 'open', opened_ago_ms: 50_000, open_remaining_ms: 10_000, trips: 1, epoch: 7 });
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', { enabled: false, auto_disabled: true }), { facts })));
  t.like(world.call('a').answers[0], { retryAfterMs: 10_000, details: { reason: 'circuit_open' } });
  await world.pass(9_950);
  t.is(reasonOf(world.call('a')), 'circuit_open');
  await world.pass(50);
  t.deepEqual(world.callEnding('a', 0).answers, ['ok']);
});

test('an actor that throws is rebuilt with its facts; its siblings keep theirs and lose no event', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...many(2)));
  const sibling = world.core.supervisor.runtimes.get('e1')?.defaultService?.target;
  for (let i = 0; i < 4; i++) world.callEnding('e1', 500);
  Object.defineProperty(world, 'random', {
    get: () => {
      throw new Error('a bug in an action');
    },
    configurable: true,
  });
  for (let i = 0; i < 5; i++) world.callEnding('e0', 500);
  t.is(reasonOf(world.call('e0')), 'actor_failed');
  Object.defineProperty(world, 'random', { value: 0, writable: true });
  await world.pass(50);
  t.deepEqual(world.callEnding('e0', 0).answers, ['ok']);
  t.is(world.core.supervisor.runtimes.get('e1')?.defaultService?.target, sibling);
  world.callEnding('e1', 500);
  t.is(sibling?.mode, 'open', 'four failures before and one after make five');
});

test('an actor that keeps failing is given up, told, and tried again every minute', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  Object.defineProperty(world, 'random', {
    get: () => {
      throw new Error('a bug in an action');
    },
    configurable: true,
  });
  for (let i = 0; i < 200 && !world.kinds().includes('actor_failed'); i++) {
    for (let call = 0; call < 5; call++) world.callEnding('a', 500);
    await world.pass(50);
  }
  t.true(world.kinds().includes('actor_failed'));
  t.is(reasonOf(world.call('a')), 'actor_failed');
  Object.defineProperty(world, 'random', { value: 0, writable: true });
  await world.pass(60_000, 1000);
  t.deepEqual(world.callEnding('a', 0).answers, ['ok']);
});

test('FM 53: stopping ends every actor and every timer', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...many(3)));
  for (let i = 0; i < 5; i++) world.callEnding('e0', 500);
  await world.core.stop();
  t.is(world.core.supervisor.runtimes.size, 0);
  const events = world.events.length;
  await world.pass(120_000, 1000);
  t.is(world.events.length, events);
});

test("DECISION-EFFECTS-1: what a person enables while its breaker is open is probed at once; the auto-manager's own enabling is not", async (t) => {
  const world = new ActorWorld();
  const row = extensionRow('a', { enabled: false, auto_disabled: true });
  const facts = factsRow({ state: 'open', open_remaining_ms: 60_000, trips: 1, epoch: 1 });
  world.feed$.next(snapshotOf(1, registryEntry(row, { facts })));
  t.is(reasonOf(world.call('a')), 'circuit_open');
  const byManager = extensionRow('a', { revision: 2, switched_by: 'system:auto-manager' });
  world.feed$.next(changesOf(2, [registryEntry(byManager, { facts })]));
  t.is(reasonOf(world.call('a')), 'circuit_open');
  world.feed$.next(
    changesOf(3, [registryEntry({ ...row, revision: 3, switched_by: 'system:auto-manager' }, { facts })]),
  );
  world.feed$.next(
    changesOf(4, [
      registryEntry({ ...row, enabled: true, auto_disabled: false, revision: 4, switched_by: 'ann' }, { facts }),
    ]),
  );
  t.is(world.core.view.one('a')?.health.circuit_breaker_state, 'half_open');
});

test('EXTENSION-RUNTIME-1: a person disables an auto-disabled extension: refused as disabled, and it does not come back by itself', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  await world.pass(50);
  t.like(world.autoChanges[0], { change: 'auto_disable', revision: 1 });
  const off = extensionRow('a', {
    enabled: false,
    auto_disabled: false,
    revision: 3,
    switched_by: 'system:auto-manager',
  });
  world.feed$.next(changesOf(3, [registryEntry(off)]));
  t.is(reasonOf(world.call('a')), 'disabled');
  await world.pass(130_000, 1000);
  t.is(reasonOf(world.call('a')), 'disabled');
  t.is(world.autoChanges.length, 1);
});

test('overrides: isolate, release, force closed and release do what the verb table says', (t) => {
  const world = new ActorWorld();
  const state = () => world.core.view.one('a')?.health.circuit_breaker_state;
  let revision = 1;
  const override = (value: string | null) => {
    revision++;
    world.feed$.next(changesOf(revision, [registryEntry(extensionRow('a', { breaker_override: value, revision }))]));
  };
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  override('isolated');
  t.is(reasonOf(world.call('a')), 'isolated');
  override(null);
  t.is(state(), 'half_open');
  override('forced_closed');
  for (let i = 0; i < 50; i++) world.callEnding('a', 500);
  t.is(state(), 'closed');
  t.true(world.kinds().includes('circuit_would_open'));
  override(null);
  t.is(state(), 'closed');
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  t.is(state(), 'open');
});

test('EXTENSION-RUNTIME-1: who disables and enables an extension leaves its override in force', (t) => {
  const world = new ActorWorld();
  let revision = 1;
  const change = (row: object) => {
    revision++;
    world.feed$.next(changesOf(revision, [registryEntry(extensionRow('a', { ...row, revision }))]));
  };
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  change({ breaker_override: 'isolated' });
  change({ breaker_override: 'isolated', enabled: false });
  change({ breaker_override: 'isolated', enabled: true });
  t.is(reasonOf(world.call('a')), 'isolated');
  change({ breaker_override: 'forced_closed' });
  change({ breaker_override: 'forced_closed', enabled: false });
  change({ breaker_override: 'forced_closed', enabled: true });
  for (let i = 0; i < 50; i++) world.callEnding('a', 500);
  t.is(world.core.view.one('a')?.health.circuit_breaker_state, 'closed');
});

test('SERVICE-SET-2: a version that replaces an open default is tried at once, and takes over the published row', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  await world.pass(50);
  const facts = factsRow({ state: 'open', open_remaining_ms: 60_000, trips: 1, epoch: 1 });
  const row = extensionRow('a', {
    enabled: false,
    auto_disabled: true,
    revision: 2,
    switched_by: 'system:auto-manager',
  });
  world.feed$.next(changesOf(3, [registryEntry(row, { facts, versions: [versionRow('a', 'v2')] })]));
  t.is(world.callEnding('a', 0).answers[0], 'ok');
  t.is(world.sent.at(-1)?.route.subject, 'ext.a.v2');
  await world.pass(1000);
  t.like(world.flushed.at(-1), { version: 'v2', published: true, circuit_breaker_state: 'half_open', trips: 0 });
  t.is(world.core.view.one('a')?.health.failure_count, 0);
});

test('who disables and enables an extension whose breaker is closed is told of no breaker that closed', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('a', { enabled: false, revision: 2 }))]));
  world.feed$.next(changesOf(3, [registryEntry(extensionRow('a', { revision: 3 }))]));
  await world.pass(1000);
  t.is(world.callEnding('a', 0).answers[0], 'ok');
  t.deepEqual(world.kinds(), []);
  t.deepEqual(world.audits, []);
});

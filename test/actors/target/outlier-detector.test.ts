// Instances that fail while others do not: out of rotation before their extension's breaker opens, and back again.
import test from 'ava';
import type { InstanceRow } from '../../../src/domain/registry/registry-rows.js';
import { reasonOf, START_WALL_MS, settle } from '../../helpers/actor-world.js';
import { changesOf, extensionRow, instanceRow, registryEntry, snapshotOf } from '../../helpers/registry-rows.js';
import { ABSENT, type Behaviour, FAILS, HANGS, okShare, Traffic, WORKS } from '../../helpers/traffic.js';

const subjectOf = (instance: string): string => `ext.a.${instance}`;

function pool(size: number, changes: Partial<InstanceRow> = {}, extension = {}): Traffic {
  const world = new Traffic();
  const instances = Array.from({ length: size }, (_, i) => instanceRow('a', `i${i + 1}`, i === 0 ? changes : {}));
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', extension), { instances })));
  return world;
}

const view = (world: Traffic) => {
  const one = world.core.view.one('a');
  return {
    state: one?.health.circuit_breaker_state,
    statuses: one?.instances?.map((instance) => instance.health_status),
    instances: one?.instances ?? [],
  };
};

/** A breaker that waits for more than a handful of failures. */
const PATIENT = { policy: { breaker: { failure_threshold: 30, minimum_volume: 30 } } };

const WAYS: Readonly<Record<string, Behaviour>> = { 'that fails': FAILS, 'that hangs': HANGS, 'that is gone': ABSENT };

for (const [how, behaviour] of Object.entries(WAYS))
  for (const size of [2, 3, 10])
    for (const perSecond of [20, 200])
      test(`FM 45: ${perSecond} calls a second to ${size} instances, one of them ${how}, from the start: it is ejected, the breaker stays closed`, async (t) => {
        const world = pool(size);
        world.behaviour.set(subjectOf('i1'), behaviour);
        await world.come('a', 12, perSecond);
        t.is(view(world).state, 'closed');
        t.deepEqual(
          world.kinds().filter((kind) => kind !== 'high_failure_count'),
          ['instance_ejected'],
        );
        t.like(world.events[0], { extension_id: 'a', version: 'v1', instance_id: 'i1', actor: 'system:breaker' });
        t.is(view(world).statuses?.[0], 'unhealthy');
        const late = await world.come('a', 5, perSecond);
        t.is(okShare(late), 1, 'nobody notices any more');
      });

for (const [how, behaviour] of Object.entries(WAYS))
  test(`FM 45: after an hour of health, one of three instances ${how} is ejected, the breaker stays closed`, async (t) => {
    const world = pool(3);
    await world.come('a', 60, 50);
    world.behaviour.set(subjectOf('i2'), behaviour);
    await world.come('a', 10, 50);
    t.is(view(world).state, 'closed');
    t.deepEqual(view(world).statuses, ['healthy', 'unhealthy', 'healthy']);
    t.is(okShare(await world.come('a', 5, 50)), 1);
  });

for (const [how, behaviour] of Object.entries(WAYS))
  test(`EJECTION-4: the only instance there is ${how} opens the breaker and is not ejected`, async (t) => {
    const world = pool(1);
    await world.come('a', 5, 20);
    world.behaviour.set(subjectOf('i1'), behaviour);
    await world.come('a', 8, 20);
    t.is(view(world).state, 'open');
    t.false(world.kinds().includes('instance_ejected'));
    t.not(view(world).statuses?.[0], 'unhealthy');
  });

test('EJECTION-3: where all of them fail none is ejected, and the breaker opens', async (t) => {
  const world = pool(3);
  await world.come('a', 2, 20);
  for (const i of ['i1', 'i2', 'i3']) world.behaviour.set(subjectOf(i), FAILS);
  await world.come('a', 8, 20);
  t.is(view(world).state, 'open');
  t.false(world.kinds().includes('instance_ejected'));
});

test('EJECTION-4, FM 40: with two of three dead one is ejected and the breaker decides about the rest', async (t) => {
  const world = pool(3, {}, PATIENT);
  world.behaviour.set(subjectOf('i1'), FAILS);
  world.behaviour.set(subjectOf('i2'), FAILS);
  await world.come('a', 10, 20);
  t.is(world.kinds().filter((kind) => kind === 'instance_ejected').length, 1);
  t.is(view(world).state, 'open');
});

test('EJECTION-4, FM 40: of four two may go, and the two that are left carry the calls', async (t) => {
  const world = pool(4, {}, PATIENT);
  world.behaviour.set(subjectOf('i1'), FAILS);
  world.behaviour.set(subjectOf('i2'), FAILS);
  await world.come('a', 10, 40);
  t.is(view(world).state, 'closed');
  t.deepEqual(view(world).statuses, ['unhealthy', 'unhealthy', 'healthy', 'healthy']);
});

test('EJECTION-2: an instance that fails every second call is ejected by its rate', async (t) => {
  const world = pool(2, {}, PATIENT);
  let flip = false;
  world.behaviour.set(subjectOf('i1'), {
    get ends() {
      flip = !flip;
      return flip ? 500 : 0;
    },
    afterMs: 5,
  });
  await world.come('a', 10, 20);
  t.is(view(world).state, 'closed');
  t.like(
    world.events.find((event) => event.event === 'instance_ejected'),
    { instance_id: 'i1', reason: 'success_rate' },
  );
});

test('OUTLIER-DETECTOR-1: what an ejected instance did leaves the decision window, also what was still out to it', async (t) => {
  const world = pool(2, {}, { policy: { breaker: { failure_rate_floor: 0 } } });
  world.behaviour.set(subjectOf('i1'), { ends: 500, afterMs: 300 });
  // Twenty are out to it when the third failure comes in; all of them fail later.
  await world.come('a', 6, 100);
  t.is(view(world).state, 'closed', 'five failures would open it, whatever their share');
  t.deepEqual(world.kinds(), ['instance_ejected']);
  const target = world.core.supervisor.runtimes.get('a')?.defaultService?.target;
  t.true((target?.counters.failures ?? 0) >= 10, 'health has seen them all');
});

test('OUTLIER-DETECTOR-2: once its time is over one live call at a time tries it, and a success brings it back', async (t) => {
  const world = pool(2);
  world.behaviour.set(subjectOf('i1'), FAILS);
  await world.come('a', 2, 20);
  t.is(view(world).statuses?.[0], 'unhealthy');
  const untilMs = Date.parse(view(world).instances[0]?.ejected_until ?? '');
  t.true(untilMs > 0);
  world.behaviour.set(subjectOf('i1'), { ends: 0, afterMs: 900 });
  const before = world.sentTo(subjectOf('i1'));
  await world.come('a', 28, 20);
  t.is(world.sentTo(subjectOf('i1')), before, 'nobody goes there before its time');
  await world.come('a', 1, 20);
  t.true(world.sentTo(subjectOf('i1')) <= before + 1, 'one at a time');
  await world.come('a', 3, 20);
  t.is(view(world).statuses?.[0], 'healthy');
  t.deepEqual(world.kinds(), ['instance_ejected', 'instance_returned']);
  t.is(view(world).instances[0]?.ejected_until, null);
  world.behaviour.set(subjectOf('i1'), WORKS);
  t.is(okShare(await world.come('a', 2, 20)), 1);
});

test('OUTLIER-DETECTOR-2: a trial that fails moves to another instance at once: the caller has his answer, and the time doubles', async (t) => {
  const world = pool(2);
  world.behaviour.set(subjectOf('i1'), FAILS);
  await world.come('a', 1, 20);
  const ejectedMs = world.clock.now();
  const later = await world.come('a', 100, 10);
  t.is(okShare(later), 1, 'also those that tried it');
  t.true(
    later.some((call) => call.attempts[0] === 2),
    'one of them went to two instances',
  );
  t.is(view(world).state, 'closed');
  const triedMs = world.events.filter((event) => event.event === 'instance_ejected').length;
  t.is(triedMs, 1, 'a trial that fails is no news');
  const [instance] = view(world).instances;
  const left = Date.parse(instance?.ejected_until ?? '') - (START_WALL_MS + world.clock.now());
  t.true(left > 60_000 - 10_000, `after 30 and 60 s it is out for 120 s: ${left} ms are left`);
  t.true(world.clock.now() - ejectedMs > 90_000);
});

test('FM 46: the time out falls back to the first after a whole window in rotation', async (t) => {
  const world = pool(2);
  const out = () => Date.parse(view(world).instances[0]?.ejected_until ?? '') - (START_WALL_MS + world.clock.now());
  const failUntilOut = async () => {
    world.behaviour.set(subjectOf('i1'), FAILS);
    for (let i = 0; i < 50 && view(world).statuses?.[0] !== 'unhealthy'; i++) await world.come('a', 1, 10);
  };
  const workUntilIn = async () => {
    world.behaviour.set(subjectOf('i1'), WORKS);
    for (let i = 0; i < 400 && view(world).statuses?.[0] === 'unhealthy'; i++) await world.come('a', 1, 10);
  };
  await failUntilOut();
  t.true(out() > 28_000 && out() <= 30_000);
  await workUntilIn();
  await failUntilOut();
  t.true(out() > 57_000 && out() <= 60_000, `again at once: twice as long, ${out()}`);
  await workUntilIn();
  await world.come('a', 61, 10);
  await failUntilOut();
  t.true(out() > 28_000 && out() <= 30_000, `after a minute in rotation: ${out()}`);
});

test('OUTLIER-DETECTOR-4, FM 36: where all of them are out calls spread over them, none is refused, and a success brings one back', async (t) => {
  const world = new Traffic();
  const instances = ['i1', 'i2', 'i3'].map((i) => instanceRow('a', i, { health_status: 'unhealthy' }));
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances })));
  t.deepEqual(view(world).statuses, ['unhealthy', 'unhealthy', 'unhealthy']);
  for (const i of ['i1', 'i2', 'i3']) world.behaviour.set(subjectOf(i), { ends: 0, afterMs: 200 });
  const calls = await world.come('a', 1, 30);
  world.clock.advance(200);
  t.is(okShare(calls), 1);
  t.deepEqual(view(world).statuses, ['healthy', 'healthy', 'healthy']);
  t.is(world.kinds().filter((kind) => kind === 'instance_returned').length, 3);
});

test('FM 41: panic leaves out what drains and what is disabled', async (t) => {
  const world = new Traffic();
  const instances = [
    instanceRow('a', 'i1', { health_status: 'unhealthy' }),
    instanceRow('a', 'i2', { weight: 0 }),
    instanceRow('a', 'i3', { enabled: false }),
  ];
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances })));
  world.behaviour.set(subjectOf('i1'), FAILS);
  await world.come('a', 1, 4);
  t.is(world.sentTo(subjectOf('i1')), 4);
  t.is(world.sent.length, 4);
});

test('FM 37: when the breaker opens whoever is out is tried as soon as calls pass again', async (t) => {
  const world = pool(2);
  world.behaviour.set(subjectOf('i1'), FAILS);
  await world.come('a', 2, 20);
  t.is(view(world).statuses?.[0], 'unhealthy');
  // Now the other one dies and the first is well again, long before its time is over.
  world.behaviour.set(subjectOf('i1'), WORKS);
  world.behaviour.set(subjectOf('i2'), FAILS);
  await world.come('a', 5, 20);
  t.is(view(world).state, 'open');
  await world.come('a', 61, 20);
  t.is(view(world).state, 'closed', 'it carries the extension');
  t.deepEqual(view(world).statuses, ['healthy', 'unhealthy']);
  t.is(world.kinds().filter((kind) => kind === 'circuit_opened').length, 1);
});

test('FM 39: an instance that comes back under the same id with another subject starts afresh', async (t) => {
  const world = pool(2);
  world.behaviour.set(subjectOf('i1'), FAILS);
  await world.come('a', 2, 20);
  t.is(view(world).statuses?.[0], 'unhealthy');
  const moved = [instanceRow('a', 'i1', { subject: 'ext.a.elsewhere', revision: 2 }), instanceRow('a', 'i2')];
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('a'), { instances: moved })]));
  t.is(view(world).statuses?.[0], 'unknown');
  await world.come('a', 1, 20);
  t.is(world.sentTo('ext.a.elsewhere'), 10);
  t.is(view(world).statuses?.[0], 'healthy');
});

test('instances that share a subject are one for ejection and keep their weights for the split', async (t) => {
  const world = new Traffic();
  const instances = [
    instanceRow('a', 'i1', { subject: 'ext.a.shared', weight: 60 }),
    instanceRow('a', 'i2', { subject: 'ext.a.shared', weight: 20 }),
    instanceRow('a', 'i3', { weight: 20 }),
  ];
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances })));
  await world.come('a', 5, 20);
  const instanceOf = (attempt: (typeof world.sent)[number]) => attempt.route.spec.instanceId;
  t.deepEqual(
    ['i1', 'i2', 'i3'].map((id) => world.sent.filter((attempt) => instanceOf(attempt) === id).length),
    [60, 20, 20],
  );
  world.behaviour.set('ext.a.shared', FAILS);
  await world.come('a', 3, 20);
  t.deepEqual(view(world).statuses, ['unhealthy', 'unhealthy', 'healthy']);
  t.deepEqual(
    world.events.filter((event) => event.event === 'instance_ejected').map((event) => event.instance_id),
    ['i1', 'i2'],
  );
  t.is(view(world).state, 'closed');
});

test('two instances behind one subject are a pool of one: the breaker decides', async (t) => {
  const world = new Traffic();
  const instances = ['i1', 'i2'].map((i) => instanceRow('a', i, { subject: 'ext.a.shared' }));
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances })));
  world.behaviour.set('ext.a.shared', FAILS);
  await world.come('a', 2, 20);
  t.is(view(world).state, 'open');
});

test('absence is told per instance: one that is gone for longer than the grace is ejected, its calls went elsewhere', async (t) => {
  const world = pool(2);
  await world.come('a', 2, 20);
  world.behaviour.set(subjectOf('i1'), ABSENT);
  const calls = await world.come('a', 10, 20);
  t.is(okShare(calls), 1);
  t.deepEqual(world.kinds(), ['instance_ejected']);
});

test('FM 32: each of three instances restarts in turn, absent for a second: nobody is ejected, no call fails', async (t) => {
  const world = pool(3);
  await world.come('a', 5, 30);
  for (const i of ['i1', 'i2', 'i3']) {
    world.behaviour.set(subjectOf(i), ABSENT);
    t.is(okShare(await world.come('a', 1, 30)), 1);
    world.behaviour.set(subjectOf(i), WORKS);
    t.is(okShare(await world.come('a', 3, 30)), 1);
  }
  t.deepEqual(world.kinds(), []);
});

// health_status

test('INSTANCE-STATUS-2: health_status is written when it changes: healthy, degraded, unhealthy, healthy again', async (t) => {
  const world = pool(2);
  await world.come('a', 3, 20);
  const told = () => world.instanceStatuses.map((row) => `${row.instance_id} ${row.health_status}`);
  t.deepEqual(told(), ['i1 healthy', 'i2 healthy']);
  world.instanceStatuses.length = 0;
  world.behaviour.set(subjectOf('i1'), FAILS);
  await world.come('a', 3, 20);
  await settle();
  t.deepEqual(told(), ['i1 unhealthy']);
  world.behaviour.set(subjectOf('i1'), WORKS);
  await world.come('a', 33, 20);
  await settle();
  t.is(told().at(-1), 'i1 healthy');
});

test('INSTANCE-STATUS-2: an instance under the minimum success rate is degraded and still used at its weight', async (t) => {
  const world = pool(2, {}, PATIENT);
  for (const i of ['i1', 'i2']) {
    let n = 0;
    world.behaviour.set(subjectOf(i), {
      get ends() {
        return ++n % 4 === 0 ? 500 : 0;
      },
      afterMs: 5,
    });
  }
  await world.come('a', 1, 4);
  t.true(
    view(world).statuses?.every((status) => status === 'healthy'),
    'fewer than ten outcomes say nothing',
  );
  const before = world.sentTo(subjectOf('i1'));
  await world.come('a', 4, 10);
  t.deepEqual(view(world).statuses, ['degraded', 'degraded']);
  t.is(world.sentTo(subjectOf('i1')) - before, 20);
});

test('INSTANCE-STATUS-2: while the database is away the latest status is owed, and nothing older is written later', async (t) => {
  const world = pool(2);
  world.isDatabaseAway = true;
  world.behaviour.set(subjectOf('i1'), FAILS);
  await world.come('a', 3, 20);
  world.behaviour.set(subjectOf('i1'), WORKS);
  await world.come('a', 32, 20);
  t.deepEqual(world.instanceStatuses, []);
  world.isDatabaseAway = false;
  await world.come('a', 2, 20);
  await settle();
  t.deepEqual(
    world.instanceStatuses.map((row) => `${row.instance_id} ${row.health_status}`),
    ['i1 healthy', 'i2 healthy'],
  );
});

test('INSTANCE-STATUS-1: a row that says unhealthy starts out of rotation and is tried like any other', async (t) => {
  const world = pool(2, { health_status: 'unhealthy' });
  t.like(world.events[0], { event: 'instance_ejected', instance_id: 'i1', reason: 'reported_unhealthy' });
  await world.come('a', 29, 10);
  t.is(world.sentTo(subjectOf('i1')), 0);
  await world.come('a', 2, 10);
  t.true(world.sentTo(subjectOf('i1')) > 1);
  t.is(view(world).statuses?.[0], 'healthy');
});

test('INSTANCE-STATUS-1: somebody else writes unhealthy while it runs: it is ejected; the same row read again changes nothing', async (t) => {
  const world = pool(2);
  await world.come('a', 35, 10);
  const reported = [
    instanceRow('a', 'i1', { health_status: 'unhealthy', revision: 2 }),
    instanceRow('a', 'i2', { health_status: 'healthy' }),
  ];
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances: reported })));
  t.deepEqual(world.kinds(), ['instance_ejected']);
  await world.come('a', 32, 10);
  t.deepEqual(world.kinds(), ['instance_ejected', 'instance_returned']);
  // Read before our own `healthy` is in the row.
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances: reported })));
  t.is(view(world).statuses?.[0], 'healthy');
  t.is(world.kinds().length, 2);
});

test('INSTANCE-STATUS-1: what another daemon wrote is no report: it moves no revision', async (t) => {
  const world = pool(2);
  await world.come('a', 2, 10);
  for (const health_status of ['unhealthy', 'healthy', 'unhealthy']) {
    const rows = [instanceRow('a', 'i1', { health_status }), instanceRow('a', 'i2', { health_status: 'healthy' })];
    world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances: rows })));
    await world.come('a', 1, 10);
  }
  t.deepEqual(world.kinds(), []);
});

test('INSTANCE-STATUS-1: reports that come while it runs take at most half of the instances out', async (t) => {
  const world = pool(4);
  await world.come('a', 2, 20);
  const rows = [1, 2, 3, 4].map((n) => instanceRow('a', `i${n}`, { health_status: 'unhealthy', revision: 2 }));
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances: rows })));
  t.is(world.kinds().filter((kind) => kind === 'instance_ejected').length, 2);
  t.is(okShare(await world.come('a', 2, 20)), 1);
});

test('INSTANCE-STATUS-1: what this daemon wrote itself is no report', async (t) => {
  const world = pool(2);
  world.behaviour.set(subjectOf('i1'), FAILS);
  await world.come('a', 2, 20);
  await settle();
  t.true(world.instanceStatuses.some((row) => row.health_status === 'unhealthy'));
  world.behaviour.set(subjectOf('i1'), WORKS);
  world.isDatabaseAway = true;
  await world.come('a', 30, 20);
  t.is(view(world).statuses?.[0], 'healthy');
  // The row still has what was written last.
  const rows = [instanceRow('a', 'i1', { health_status: 'unhealthy' }), instanceRow('a', 'i2')];
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances: rows })));
  t.is(view(world).statuses?.[0], 'healthy');
});

test('a change of health_status alone keeps the turns of the pool', async (t) => {
  const world = pool(3);
  await world.come('a', 1, 4);
  const rows = ['i1', 'i2', 'i3'].map((i) => instanceRow('a', i, { health_status: 'healthy' }));
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances: rows })));
  await world.come('a', 1, 2);
  const turns = world.sent.map((attempt) => attempt.route.spec.instanceId);
  t.deepEqual(turns, ['i1', 'i2', 'i3', 'i1', 'i2', 'i3']);
});

test('no usable instance refuses with no_instance, ejected or not', async (t) => {
  const world = pool(1, { weight: 0, health_status: 'unhealthy' });
  t.is(reasonOf(world.call('a')), 'no_instance');
  t.is(world.core.supervisor.runtimes.get('a')?.defaultService?.target.inFlight, 0);
});

test('INSTANCE-STATUS-2: a reset takes an unhealthy row back, also where nobody has called the instance', async (t) => {
  const world = pool(2, { health_status: 'unhealthy' });
  const target = world.core.supervisor.runtimes.get('a')?.defaultService?.target;
  await world.pass(2000);
  t.deepEqual(world.instanceStatuses, [], 'a report is not measured here');
  target?.send({ type: 'breaker.reset', nowMs: world.clock.now() });
  await world.pass(2000);
  t.deepEqual(
    world.instanceStatuses.map((row) => `${row.instance_id} ${row.health_status}`),
    ['i1 unknown'],
  );
});

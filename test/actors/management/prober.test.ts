import test from 'ava';
import type { ActorSystemSettings } from '../../../src/actors/actor-system.js';
import { hashOf } from '../../../src/domain/routing/rendezvous.js';
import { ActorWorld, type Ending, reasonOf, type SentCheck, settle } from '../../helpers/actor-world.js';
import {
  changesOf,
  extensionRow,
  factsRow,
  instanceRow,
  registryEntry,
  snapshotOf,
  versionRow,
} from '../../helpers/registry-rows.js';

type Changes = Parameters<typeof extensionRow>[1];
type Rest = Parameters<typeof registryEntry>[1];

/** A world where extension `a` is checked every 10 s, from 5 s on. */
function checked(changes: Changes = {}, rest: Rest = {}, settings: Partial<ActorSystemSettings> = {}): ActorWorld {
  const world = new ActorWorld(settings);
  world.random = 0.5;
  world.feed$.next(snapshotOf(1, entry(changes, rest)));
  // Open times without a share of chance.
  world.random = 0;
  return world;
}

const entry = (changes: Changes = {}, rest: Rest = {}) =>
  registryEntry(extensionRow('a', { policy: { health_check: {} }, ...changes }), rest);

const twoInstances = { instances: [instanceRow('a', 'i1'), instanceRow('a', 'i2')] };

const at = (world: ActorWorld): number[] => world.checks.map((check) => check.atMs / 1000);
const subjects = (checks: readonly SentCheck[]): string[] => checks.map((check) => check.route.subject);
const state = (world: ActorWorld) => world.core.view.one('a')?.health.circuit_breaker_state;
const results = (world: ActorWorld) => Object.fromEntries([...world.core.view.extensions()][0]?.health_checks ?? []);

/** Opens the breaker of `a` with calls, at the present moment. */
async function trip(world: ActorWorld): Promise<void> {
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  await settle();
}

test('PROBER-9: one that is not the steward of a target does not check it, and begins within an interval when it is', async (t) => {
  const world = checked();
  world.onCheck = (check) => check.end(0);
  let isSteward = false;
  const keys = new Set<number>();
  world.fleet.isSteward = (keyHash) => {
    keys.add(keyHash);
    return isSteward;
  };
  await world.pass(36_000);
  t.deepEqual(at(world), []);
  t.deepEqual([...keys], [hashOf('a@v1')]);
  isSteward = true;
  await world.pass(10_000);
  t.deepEqual(at(world), [45]);
  isSteward = false;
  await world.pass(20_000);
  t.deepEqual(at(world), [45]);
});

test('PROBER-9: one that is not the steward checks while its own breaker is not closed, and stops when it is', async (t) => {
  const world = checked();
  world.fleet.isSteward = () => false;
  world.onCheck = (check) => check.end(0);
  await world.pass(6000);
  await trip(world);
  t.is(state(world), 'open');
  await world.pass(120_000);
  t.is(state(world), 'closed');
  const checks = world.checks.length;
  t.true(checks > 0);
  await world.pass(60_000);
  t.is(world.checks.length, checks);
});

test('a target is checked every interval, with an empty body and the time of its version', async (t) => {
  const world = checked({ timeout_ms: 700 });
  world.onCheck = (check) => check.end(0);
  await world.pass(36_000);
  t.deepEqual(at(world), [5, 15, 25, 35]);
  for (const { route, body, timeoutMs } of world.checks)
    t.deepEqual(
      { ...route.spec, body, timeoutMs },
      {
        extensionId: 'a',
        version: 'v1',
        instanceId: null,
        subject: 'ext.a',
        config: null,
        body: '',
        timeoutMs: 700,
      },
    );
});

const spelled = test.macro<[check: object, expected: { subject?: string; body?: string; timeoutMs?: number }]>({
  async exec(t, check, expected) {
    const world = checked({ policy: { health_check: check } });
    await world.pass(10_000);
    const [{ route, body, timeoutMs }] = world.checks as [SentCheck];
    t.deepEqual(
      { subject: route.subject, body, timeoutMs },
      { subject: 'ext.a', body: '', timeoutMs: 1000, ...expected },
    );
  },
  title: (_, check, expected) => `health_check ${JSON.stringify(check)} sends ${JSON.stringify(expected)}`,
});
test(spelled, { subject: 'ext.a.health' }, { subject: 'ext.a.health' });
test(spelled, { payload: { ping: 1 } }, { body: '{"ping":1}' });
test(spelled, { payload: null }, { body: 'null' });
test(spelled, { payload: '' }, { body: '""' });
test(spelled, { timeout_ms: 200 }, { timeoutMs: 200 });
test(spelled, { timeout_ms: 5000 }, { timeoutMs: 1000 });

test('an extension without health_check is not checked, and costs no timer', async (t) => {
  const plain = new ActorWorld();
  const idle = plain.clock.armed;
  plain.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', { policy: {} })), registryEntry(extensionRow('b'))));
  t.is(plain.clock.armed, idle);
  await plain.pass(30_000);
  t.deepEqual(plain.checks, []);
});

test('FM 38: an auto-disabled extension comes back without a caller', async (t) => {
  const world = checked();
  await trip(world);
  t.like(world.core.view.one('a'), { enabled: false, auto_disabled: true });
  world.onCheck = (check) => check.end(0);
  await world.pass(80_000);
  t.deepEqual(at(world).slice(0, 2), [65, 75]);
  t.like(world.core.view.one('a'), { enabled: true, auto_disabled: false });
  t.deepEqual(world.kinds(), [
    'circuit_opened',
    'auto_disabled',
    'circuit_half_opened',
    'circuit_closed',
    'auto_enabled',
  ]);
  t.is(world.sent.length, 5, 'no call but those that opened it');
});

test('FM 38: so does one that was left open by an earlier process', async (t) => {
  const facts = factsRow({ state: 'open', opened_ago_ms: 50_000, open_remaining_ms: 10_000, trips: 1, epoch: 3 });
  const world = checked({ enabled: false, auto_disabled: true, switched_by: 'system:auto-manager' }, { facts });
  world.onCheck = (check) => check.end(0);
  await world.pass(26_000);
  t.deepEqual(at(world), [15, 25]);
  t.like(world.core.view.one('a'), { enabled: true, auto_disabled: false });
});

test('PROBER-1: a check never shortens the open time, and one that gets no permit counts for nothing', async (t) => {
  const world = checked();
  world.onCheck = (check) => check.end(0);
  await trip(world);
  await world.pass(59_950);
  t.deepEqual(world.checks, []);
  t.is(state(world), 'open');
  t.deepEqual(results(world), {});
  await world.pass(50);
  t.is(state(world), 'half_open', 'open for exactly its time');
  t.is(world.core.view.one('a')?.health.latency_samples, 5);
  await world.pass(5000);
  t.is(world.checks.length, 1);
});

test('PROBER-1: a check that fails while half-open opens it again, for longer', async (t) => {
  const world = checked();
  world.onCheck = (check) => check.end(500);
  await trip(world);
  await world.pass(66_000);
  t.is(world.checks.length, 1);
  t.is(state(world), 'open');
  await world.pass(118_000);
  t.is(world.checks.length, 1, 'open for 120 s now');
  await world.pass(10_000);
  t.is(world.checks.length, 2);
});

const permits = test.macro<[live: number, isSent: boolean]>({
  async exec(t, live, isSent) {
    const world = checked();
    await trip(world);
    await world.pass(64_900);
    for (let i = 0; i < live; i++) world.call('a');
    await world.pass(100);
    t.is(world.checks.length, isSent ? 1 : 0);
    for (let out = live + world.checks.length; out < 3; out++) t.is(reasonOf(world.call('a')), undefined);
    t.is(reasonOf(world.call('a')), 'half_open_full');
    t.is(world.core.view.one('a')?.health.half_open_requests_count, 3);
  },
  title: (_, live, isSent) =>
    `PROBER-1: while half-open with ${live} live probes out a check ${isSent ? 'is one more' : 'gets no permit'}`,
});
test(permits, 0, true);
test(permits, 2, true);
test(permits, 3, false);

test('PROBER-1: in slow start a check takes a place like any call, and finds none where all are taken', async (t) => {
  const world = checked({ policy: { health_check: {}, breaker: { recovery_ramp_seconds: 60 } } });
  for (let i = 0; i < 20; i++) world.call('a');
  await trip(world);
  await world.pass(60_000);
  for (let i = 0; i < 2; i++) world.callEnding('a', 0);
  t.true(world.core.view.one('a')?.health.recovering);
  for (let i = 0; i < 2; i++) world.call('a');
  await world.pass(5000);
  t.is(world.checks.length, 1);
  t.is(reasonOf(world.call('a')), 'recovering', 'the check has the third place');
  world.checks[0]?.end('disconnected');
  world.call('a');
  await world.pass(10_000);
  t.is(world.checks.length, 1);
  t.true(world.core.view.one('a')?.health.recovering);
});

const kept = test.macro<[what: string, changes: Changes]>({
  async exec(t, _, changes) {
    const world = checked();
    world.onCheck = (check) => check.end(0);
    await trip(world);
    world.feed$.next(changesOf(2, [entry({ ...changes, revision: 3, switched_by: 'ann' })]));
    await world.pass(300_000, 500);
    t.deepEqual(world.checks, []);
    t.like(world.core.view.one('a'), {
      enabled: changes?.enabled ?? true,
      auto_disabled: changes?.auto_disabled ?? false,
    });
    t.deepEqual(
      world.autoChanges.map(({ change }) => change),
      ['auto_disable'],
    );
  },
  title: (_, what) => `FM 38: what a person ${what} is not checked and does not come back by itself`,
});
test(kept, 'disabled', { enabled: false, auto_disabled: false });
test(kept, 'isolated', { enabled: false, auto_disabled: true, breaker_override: 'isolated' });
test(kept, 'disabled and isolated', { enabled: false, auto_disabled: false, breaker_override: 'isolated' });

test('PROBER-2: a check that is out when a person disables the extension changes nothing any more', async (t) => {
  const world = checked({ policy: { health_check: {}, breaker: { half_open_successes: 1 } } });
  await trip(world);
  await world.pass(65_000);
  t.is(world.checks.length, 1);
  const policy = { health_check: {}, breaker: { half_open_successes: 1 } };
  world.feed$.next(changesOf(2, [entry({ policy, enabled: false, revision: 3, switched_by: 'ann' })]));
  world.checks[0]?.end(0);
  await world.pass(60_000);
  t.is(world.checks.length, 1);
  t.not(state(world), 'closed');
  t.like(world.core.view.one('a'), { enabled: false, auto_disabled: false });
});

test('PROBER-2: without automatic enabling checks close the breaker, callers stay away, and a person enables', async (t) => {
  const world = checked({}, {}, { autoEnableOnCircuitClose: false });
  await trip(world);
  t.is(reasonOf(world.call('a')), 'auto_disabled');
  world.onCheck = (check) => check.end(0);
  await world.pass(76_000);
  t.is(state(world), 'closed');
  t.like(world.core.view.one('a'), { enabled: false, auto_disabled: true });
  t.is(reasonOf(world.call('a')), 'auto_disabled');
  t.false(world.kinds().includes('auto_enabled'));
  world.feed$.next(changesOf(2, [entry({ enabled: true, auto_disabled: false, revision: 3, switched_by: 'ann' })]));
  t.deepEqual(world.callEnding('a', 0).answers, ['ok']);
});

test('a forced closed extension is checked like one that is closed', async (t) => {
  const world = checked({ breaker_override: 'forced_closed' });
  world.onCheck = (check) => check.end(0);
  await world.pass(16_000);
  t.deepEqual(results(world), { success: 2 });
});

test('PROBER-3: while a check hangs none follows, however short the interval; the next comes in its turn', async (t) => {
  const world = checked({ timeout_ms: 5000, policy: { health_check: { interval_seconds: 1 } } });
  await world.pass(5400);
  t.deepEqual(at(world), [0.5]);
  world.checks[0]?.end('timeout');
  await world.pass(5000);
  t.deepEqual(at(world), [0.5, 5.5]);
});

test('PROBER-3: nor where the policy went and came back while it was out', async (t) => {
  const world = checked({ timeout_ms: 60_000 });
  await world.pass(5000);
  world.feed$.next(changesOf(2, [entry({ policy: {}, revision: 2 })]));
  world.feed$.next(changesOf(3, [entry({ revision: 3 })]));
  await world.pass(20_000);
  t.deepEqual(at(world), [5]);
  world.checks[0]?.end(0);
  await world.pass(10_000);
  t.is(world.checks.length, 2);
});

test('PROBER-3: one instance that hangs keeps the round open, and the others from being checked twice', async (t) => {
  const world = checked({ timeout_ms: 60_000 }, twoInstances);
  await world.pass(5000);
  t.is(world.checks.length, 2);
  world.checks[0]?.end(0);
  await world.pass(10_000);
  t.is(world.checks.length, 2);
  world.checks[1]?.end(0);
  await world.pass(10_000);
  t.is(world.checks.length, 4);
});

test('each subject of the instances that take calls is checked once a round, under the name of an instance', async (t) => {
  const instances = [
    instanceRow('a', 'i1'),
    instanceRow('a', 'i2', { subject: 'ext.a.shared' }),
    instanceRow('a', 'i3', { subject: 'ext.a.shared' }),
    instanceRow('a', 'i4', { enabled: false }),
    instanceRow('a', 'i5', { weight: 0 }),
  ];
  const world = checked({}, { instances });
  world.onCheck = (check) => check.end(0);
  await world.pass(6000);
  t.deepEqual(
    world.checks.map(({ route }) => [route.spec.subject, route.spec.instanceId]),
    [
      ['ext.a.i1', 'i1'],
      ['ext.a.shared', 'i2'],
    ],
  );
  t.is(world.core.view.one('a')?.instances?.[0]?.latency_samples, 1);
});

test('where the policy names a subject one check goes there, and counts for the target and for no instance', async (t) => {
  const world = checked({ policy: { health_check: { subject: 'ext.a.health' } } }, twoInstances);
  world.onCheck = (check) => check.end(0);
  await world.pass(6000);
  t.deepEqual(subjects(world.checks), ['ext.a.health']);
  t.is(world.checks[0]?.route.spec.instanceId, null);
  t.is(world.core.view.one('a')?.health.latency_samples, 1);
  t.deepEqual(
    world.core.view.one('a')?.instances?.map((instance) => instance.latency_samples),
    [0, 0],
  );
});

test('an instance that asked for rest is not checked before that is over', async (t) => {
  const world = checked({}, twoInstances);
  world.onCheck = (check) => check.end(0);
  const called = world.call('a');
  const busy = world.sent[0]?.route.subject;
  world.sent[0]?.end(429, 10_000);
  t.deepEqual(called.answers, ['ok']);
  await world.pass(5000);
  t.deepEqual(
    subjects(world.checks).filter((subject) => subject === busy),
    [],
  );
  await world.pass(10_000);
  t.is(subjects(world.checks).filter((subject) => subject === busy).length, 1);
});

/** Ejects i1 at 0 s, by calls alone. */
async function ejected(): Promise<ActorWorld> {
  const world = checked({}, twoInstances);
  for (let i = 0; i < 8; i++) {
    const before = world.sent.length;
    world.call('a');
    const sent = world.sent[before];
    sent?.end(sent.route.subject === 'ext.a.i1' ? 500 : 0);
  }
  await settle();
  if (world.kinds().at(-1) !== 'instance_ejected') throw new Error('i1 was to be ejected');
  return world;
}

test('FM 37: C4: an ejected instance is checked when its time is over, and a success brings it back', async (t) => {
  const world = await ejected();
  world.onCheck = (check) => check.end(0);
  await world.pass(30_000);
  t.deepEqual(new Set(subjects(world.checks)), new Set(['ext.a.i2']), 'not before');
  await world.pass(5000);
  t.true(subjects(world.checks).slice(-2).includes('ext.a.i1'));
  t.is(world.kinds().at(-1), 'instance_returned');
  t.is(world.sent.length, 8, 'no caller did it');
});

test('PROBER-4: a check that fails as its trial counts for the instance alone, whose time doubles', async (t) => {
  const world = await ejected();
  world.onCheck = (check) => check.end(check.route.subject === 'ext.a.i1' ? 500 : 0);
  const trials = () => world.checks.filter(({ route }) => route.subject === 'ext.a.i1').map(({ atMs }) => atMs / 1000);
  await world.pass(36_000);
  t.deepEqual(trials(), [35]);
  await world.pass(100_000);
  t.deepEqual(trials(), [35, 95]);
  t.is(state(world), 'closed');
  t.false(world.kinds().includes('instance_returned'));
});

test('PROBER-4: while a call tries it no check does, and the other way round', async (t) => {
  const world = await ejected();
  world.onCheck = (check) => check.end(check.route.subject === 'ext.a.i1' ? 500 : 0);
  await world.pass(34_900);
  world.call('a');
  t.is(world.sent.at(-1)?.route.subject, 'ext.a.i1', 'the trial');
  await world.pass(100);
  t.is(subjects(world.checks).filter((subject) => subject === 'ext.a.i1').length, 0);
  const other = await ejected();
  await other.pass(25_000);
  for (const check of other.checks.splice(0)) check.end(0);
  await other.pass(10_000);
  t.true(subjects(other.checks).includes('ext.a.i1'));
  other.call('a');
  t.is(other.sent.at(-1)?.route.subject, 'ext.a.i2');
});

test('PROBER-5: FM 37: where one of two instances stays dead, checks alone recover the extension through the other', async (t) => {
  const world = checked({}, twoInstances);
  await trip(world);
  t.is(state(world), 'open');
  for (let passed = 0; passed < 1200; passed++) {
    await world.pass(500, 500);
    // Nobody listens there, which is known sooner than any answer.
    const checks = world.checks.splice(0);
    for (const check of checks) if (check.route.subject === 'ext.a.i1') check.end('no_responders');
    for (const check of checks) if (check.route.subject !== 'ext.a.i1') check.end(0);
  }
  t.is(state(world), 'closed');
  t.like(world.core.view.one('a'), { enabled: true, auto_disabled: false });
  t.true(world.kinds().includes('instance_ejected'));
});

test('PROBER-5: a round of a half-open target with many instances is one check, each time of the next', async (t) => {
  const instances = ['i1', 'i2', 'i3', 'i4'].map((id) => instanceRow('a', id));
  const world = checked({ policy: { health_check: {}, breaker: { half_open_successes: 3 } } }, { instances });
  await trip(world);
  await world.pass(66_000);
  t.is(world.checks.length, 1);
  world.checks[0]?.end(0);
  await world.pass(10_000);
  t.is(world.checks.length, 2);
  t.not(subjects(world.checks)[0], subjects(world.checks)[1]);
});

test('checks alone open the breaker of an extension that nobody calls', async (t) => {
  const world = checked();
  world.onCheck = (check) => check.end(500);
  await world.pass(46_000);
  t.is(state(world), 'open');
  t.like(world.core.view.one('a'), { enabled: false, auto_disabled: true });
  t.deepEqual(results(world), { failure: 5 });
  t.is(world.checks.length, 5);
});

test('checks alone open nothing where too few of them fit into the window', async (t) => {
  const world = checked({ policy: { health_check: { interval_seconds: 15 } } });
  world.onCheck = (check) => check.end(500);
  await world.pass(600_000, 500);
  t.is(state(world), 'closed');
  t.is(world.checks.length, 40);
});

const counted = test.macro<[how: Ending, expected: string]>({
  async exec(t, how, expected) {
    const world = checked();
    world.onCheck = (check) => check.end(how);
    await world.pass(6000);
    t.deepEqual(results(world), { [expected]: 1 });
    t.is(world.core.view.one('a')?.health.latency_samples, expected === 'neutral' ? 0 : 1);
  },
  title: (_, how, expected) => `PROBER-1: a check that ends with ${how} counts as ${expected}`,
});
test(counted, 0, 'success');
test(counted, 404, 'success');
test(counted, 429, 'neutral');
test(counted, 500, 'failure');
test(counted, 'timeout', 'failure');
test(counted, 'no_responders', 'failure');
test(counted, 'disconnected', 'neutral');
test(counted, 'not_permitted', 'neutral');
test(counted, 'too_large', 'neutral');

test('PROBER-1: a check that nobody receives during a restart is neutral, as a call would be', async (t) => {
  const world = checked({ policy: { health_check: { interval_seconds: 1 } } });
  const endings: Ending[] = [0, 'no_responders', 'no_responders', 'no_responders', 0];
  world.onCheck = (check) => check.end(endings.shift() ?? 0);
  await world.pass(5000);
  t.deepEqual(results(world), { success: 2, neutral: 2, failure: 1 });
});

test('a check is no invocation: it holds no place and is in no count of calls', async (t) => {
  const world = checked({ timeout_ms: 60_000, policy: { health_check: {}, max_in_flight: 1 } });
  await world.pass(5000);
  t.is(world.checks.length, 1);
  t.is(world.core.router.inFlight, 0);
  t.deepEqual(world.callEnding('a', 0).answers, ['ok']);
  world.checks[0]?.end(0);
  const [sample] = [...world.core.view.extensions()];
  t.deepEqual(
    Array.from(sample?.invocations ?? [], ([result, { count }]) => [result, count]),
    [['ok', 1]],
  );
  t.is(sample?.in_flight, 0);
});

test('a policy that comes, changes and goes is in force at once; what is not the interval moves no check', async (t) => {
  const world = checked({ policy: {} });
  world.onCheck = (check) => check.end(0);
  await world.pass(20_000);
  t.deepEqual(at(world), []);
  const change = (health_check: object | undefined, revision: number) =>
    world.feed$.next(
      changesOf(revision, [entry({ policy: health_check === undefined ? {} : { health_check }, revision })]),
    );
  world.random = 0.5;
  change({}, 2);
  await world.pass(6000);
  t.deepEqual(at(world), [25]);
  change({ subject: 'ext.other', payload: 1 }, 3);
  await world.pass(10_000);
  t.deepEqual(at(world), [25, 35]);
  t.like(world.checks[1], { body: '1', route: { subject: 'ext.other' } });
  change({ interval_seconds: 2 }, 4);
  await world.pass(2000);
  t.deepEqual(at(world), [25, 35, 37]);
  t.is(world.checks[2]?.route.subject, 'ext.a');
  change(undefined, 5);
  await world.pass(60_000);
  t.is(world.checks.length, 3);
  change({ interval_seconds: 2 }, 6);
  await world.pass(2000);
  t.is(world.checks.length, 4);
});

test('every version is checked, at its own subject; one that is promoted goes on, one that is gone or off is not', async (t) => {
  const v2 = versionRow('a', 'v2', { routing_rules: { tenant_id: 'x' }, timeout_ms: 300 });
  const world = checked({}, { versions: [v2] });
  world.onCheck = (check) => check.end(0);
  await world.pass(6000);
  t.deepEqual(world.checks.map(({ route, timeoutMs }) => [route.spec.version, route.subject, timeoutMs]).sort(), [
    ['v1', 'ext.a', 1000],
    ['v2', 'ext.a.v2', 300],
  ]);
  world.random = 0.5;
  const next = async (versions: (typeof v2)[], revision: number): Promise<string[]> => {
    world.feed$.next(changesOf(revision, [entry({ revision }, { versions })]));
    world.checks.length = 0;
    await world.pass(9000);
    return subjects(world.checks).sort();
  };
  t.deepEqual(await next([{ ...v2, routing_rules: {} }], 2), ['ext.a.v2'], 'the row stands for v1 no more');
  t.deepEqual(await next([{ ...v2, enabled: false }], 3), ['ext.a']);
  t.deepEqual(await next([], 4), ['ext.a']);
});

test('a new version is checked at a time of its own', async (t) => {
  const world = checked();
  world.onCheck = (check) => check.end(0);
  await world.pass(6000);
  world.random = 0.2;
  const versions = [versionRow('a', 'v2', { routing_rules: { tenant_id: 'x' } })];
  world.feed$.next(changesOf(2, [entry({ revision: 2 }, { versions })]));
  await world.pass(10_000);
  t.deepEqual(
    world.checks.map(({ route, atMs }) => [route.spec.version, atMs / 1000]),
    [
      ['v1', 5],
      ['v2', 8],
      ['v1', 15],
    ],
  );
});

test('PROBER-7: an extension that is removed is checked no more, and a check that is out ends without harm', async (t) => {
  const world = checked();
  const idle = world.clock.armed;
  await world.pass(5000);
  world.feed$.next(changesOf(2, [], ['a']));
  t.is(world.clock.armed, idle - 1);
  world.checks[0]?.end(500);
  await world.pass(60_000);
  t.is(world.checks.length, 1);
});

test('FM 53: C7: after the stop no check begins and no timer is left; those that are out end', async (t) => {
  const world = checked({}, twoInstances);
  await trip(world);
  await world.pass(60_000);
  world.core.prober.stop();
  await world.pass(20_000);
  t.deepEqual(world.checks, []);
  world.feed$.next(changesOf(2, [entry({ revision: 5 }, twoInstances)]));
  await world.pass(20_000);
  t.deepEqual(world.checks, [], 'nor where the row changes on the way down');

  const other = checked({}, twoInstances);
  await other.pass(5000);
  t.is(other.checks.length, 2);
  await other.core.stop();
  t.is(other.clock.armed, 0);
  for (const check of other.checks) check.end('disconnected');
  await other.pass(60_000);
  t.is(other.checks.length, 2);
  t.deepEqual(results(other), {});
});

test('PROBER-6: the checks of many extensions are spread over the interval, and stay so after a stall', async (t) => {
  const world = new ActorWorld();
  const ids = Array.from({ length: 300 }, (_, i) => `e${i}`);
  let seed = 1;
  const next = (): number => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  Object.defineProperty(world, 'random', { get: next });
  world.feed$.next(
    snapshotOf(1, ...ids.map((id) => registryEntry(extensionRow(id, { policy: { health_check: {} } })))),
  );
  world.onCheck = (check) => check.end(0);
  const busiest = (): number => {
    const counts = new Map<number, number>();
    for (const ms of world.checks.splice(0).map((check) => Math.floor(check.atMs)))
      counts.set(ms, (counts.get(ms) ?? 0) + 1);
    return Math.max(...counts.values());
  };
  await world.pass(10_000, 1000);
  t.is(world.checks.length, 300);
  t.true(busiest() <= 4);
  world.clock.stall(35_000);
  await world.pass(0);
  world.clock.advance(0);
  t.is(world.checks.splice(0).length, 300, 'one each, not one for each interval that passed');
  await world.pass(10_000, 1000);
  t.is(world.checks.length, 300);
  t.true(busiest() <= 4);
});

test('PROBER-6: a timer that fires early brings no second check', async (t) => {
  const world = checked();
  world.onCheck = (check) => check.end(0);
  world.clock.advance(4999.9);
  while (world.checks.length === 0 && world.clock.fireEarly());
  t.is(world.checks.length, 1);
  await world.pass(9000);
  t.is(world.checks.length, 1);
});

test('FM 4: a check that cannot be sent for a fault of ours keeps neither its permit nor the next round away', async (t) => {
  const world = checked();
  await trip(world);
  world.onCheck = () => {
    throw new TypeError('a bug');
  };
  await world.pass(70_000);
  t.is(state(world), 'half_open', 'no verdict');
  const target = world.core.supervisor.runtimes.get('a')?.defaultService?.target;
  t.is(target?.inFlight, 0);
  t.is(target?.probes, 0);
  world.onCheck = (check) => check.end(0);
  await world.pass(21_000);
  t.is(state(world), 'closed');
});

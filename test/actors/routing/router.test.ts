import test from 'ava';
import { ActorWorld, reasonOf, settle } from '../../helpers/actor-world.js';
import {
  changesOf,
  extensionRow,
  instanceRow,
  registryEntry,
  snapshotOf,
  versionRow,
} from '../../helpers/registry-rows.js';

test('an unknown extension is refused with extension_not_found, once', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1));
  const called = world.call('nobody');
  t.is(called.answers.length, 1);
  t.like(called.answers[0], { code: 'extension_not_found' });
});

test('a reply reaches the caller, with the number of attempts', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  const called = world.call('a');
  t.is(world.sent.length, 1);
  t.is(world.sent[0]?.route.subject, 'ext.a');
  t.deepEqual(called.answers, []);
  world.sent[0]?.end(0);
  t.deepEqual(called, { answers: ['ok'], attempts: [1] });
});

test('a service error below 500 passes through and counts as success', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  t.deepEqual(world.callEnding('a', 404).answers, ['ok']);
  t.is(world.core.view.one('a')?.health.success_count, 1);
});

const endings = test.macro({
  exec(t, how: Parameters<ActorWorld['callEnding']>[1], expected: object, failures: number) {
    const world = new ActorWorld();
    world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
    const called = world.callEnding('a', how);
    t.is(called.answers.length, 1);
    t.like(called.answers[0], expected);
    t.is(world.core.view.one('a')?.health.failure_count, failures);
    t.is(world.core.router.inFlight, 0);
  },
  title: (_, how, expected, failures) =>
    `FM 31: an attempt that ends with ${how} is told as ${JSON.stringify(expected)} and counts ${failures} failure(s)`,
});
test(endings, 'timeout', { code: 'extension_timeout' }, 1);
test(endings, 'no_responders', { code: 'extension_unavailable', details: { reason: 'no_responders' } }, 1);
test(endings, 'disconnected', { code: 'not_connected' }, 0);
test(endings, 'not_permitted', { code: 'not_connected', details: { reason: 'not_permitted' } }, 0);
test(endings, 'too_large', { code: 'payload_too_large', details: { direction: 'request' } }, 0);
test(endings, 500, { code: 'extension_error', details: { extension_code: 500, extension_error: 'no' } }, 1);

test('429 passes through, counts for nobody, and the instance rests for its Retry-After', (t) => {
  const world = new ActorWorld();
  const instances = [instanceRow('a', 'i1'), instanceRow('a', 'i2')];
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances })));
  const called = world.call('a');
  const busy = world.sent[0]?.route.subject;
  world.sent[0]?.end(429, 10_000);
  t.deepEqual(called.answers, ['ok']);
  t.is(world.core.view.one('a')?.health.latency_samples, 0);
  for (let i = 0; i < 6; i++) world.callEnding('a', 0);
  t.true(world.sent.slice(1).every((sent) => sent.route.subject !== busy));
});

test('CALL-2: the caller is answered when its budget ends, and the attempt goes on and is judged by its own timeout', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  const called = world.call('a', 100);
  t.is(world.sent[0]?.remainingMs, 100);
  t.is(world.sent[0]?.timeoutMs, 1000);
  world.clock.advance(100);
  t.like(called.answers[0], { code: 'deadline_exceeded' });
  t.is(world.core.router.inFlight, 1, 'it keeps its place');
  world.clock.advance(300);
  world.sent[0]?.end(0);
  t.is(called.answers.length, 1);
  t.is(world.core.router.inFlight, 0);
  t.is(world.core.view.one('a')?.health.success_count, 1);
});

test('a hang without a budget of the caller ends as extension_timeout, whenever it arrived: a sum of two times is rounded', (t) => {
  const world = new ActorWorld();
  world.feed$.next(
    snapshotOf(1, registryEntry(extensionRow('a', { policy: { breaker: { circuit_breaker_enabled: false } } }))),
  );
  const codes = new Set<unknown>();
  for (let n = 0; n < 100; n++) {
    world.clock.advance(n * 7.123456789);
    const called = world.call('a');
    world.clock.advance(1000);
    world.sent.at(-1)?.end('timeout');
    codes.add((called.answers[0] as { code: string }).code);
  }
  t.deepEqual([...codes], ['extension_timeout']);
});

test('FM 27: a thousand impatient callers open no breaker', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  for (let i = 0; i < 1000; i++) world.call('a', 10);
  world.clock.advance(10);
  for (const sent of world.sent) sent.end(0);
  t.is(world.core.view.one('a')?.health.circuit_breaker_state, 'closed');
});

test('retry: a failed attempt goes to another instance after its delay, inside the budget', async (t) => {
  const world = new ActorWorld();
  const instances = [instanceRow('a', 'i1'), instanceRow('a', 'i2')];
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', { retry: 1 }), { instances })));
  world.random = 1;
  const called = world.call('a');
  world.sent[0]?.end(500);
  t.is(world.sent.length, 1, 'not at once');
  await world.pass(25);
  t.is(world.sent[1]?.attempt, 2);
  world.sent[1]?.end(0);
  t.deepEqual(called, { answers: ['ok'], attempts: [2] });
  t.not(world.sent[0]?.route.subject, world.sent[1]?.route.subject);
});

test('FM 33: an open breaker ends the retry loop, and each attempt is counted once', async (t) => {
  const world = new ActorWorld();
  const policy = { breaker: { failure_threshold: 2, failure_rule: 'consecutive' } };
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', { retry: 5, policy }))));
  const called = world.call('a');
  for (let i = 0; i < 6; i++) {
    world.sent.at(-1)?.end(500);
    await world.pass(2000);
    if (called.answers.length > 0) break;
  }
  t.is(world.sent.length, 2);
  t.is(reasonOf(called), 'circuit_open');
  t.like(called.answers[0], { retryable: 'maybe_executed' }, 'the attempts before were sent');
  t.is(world.core.view.one('a')?.health.failure_count, 2);
});

test('FM 33: under a total outage retries stay within a fifth of the calls and three', async (t) => {
  const world = new ActorWorld();
  const policy = { breaker: { circuit_breaker_enabled: false } };
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', { retry: 3, policy }))));
  for (let i = 0; i < 200; i++) world.call('a');
  for (let ended = 0; ended < world.sent.length; ) {
    for (; ended < world.sent.length; ended++) world.sent[ended]?.end('timeout');
    await world.pass(1000);
  }
  t.true(world.sent.length <= 200 * 1.2 + 3, `${world.sent.length} attempts for 200 calls`);
  t.true(world.sent.length > 200, 'some retries are made');
});

test('no responders at a retry: what was sent before may have been executed', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', { retry: 1 }))));
  const called = world.call('a');
  world.sent[0]?.end('timeout');
  await world.pass(50);
  world.sent[1]?.end('no_responders');
  t.like(called.answers[0], { retryable: 'maybe_executed', details: { reason: 'no_responders' } });
});

test('EXTENSION-RUNTIME-1: what a person disables meanwhile is not tried again', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', { retry: 1 }))));
  const called = world.call('a');
  world.sent[0]?.end('timeout');
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('a', { retry: 1, enabled: false, revision: 2 }))]));
  await world.pass(50);
  t.is(world.sent.length, 1);
  t.like(called.answers, [{ retryable: 'maybe_executed', details: { reason: 'disabled' } }]);
  t.is(world.core.router.inFlight, 0);
});

test('EXTENSION-RUNTIME-1: a version that a person disables meanwhile is not tried again', async (t) => {
  const world = new ActorWorld();
  const told = (revision: number, enabled: boolean) =>
    registryEntry(extensionRow('a', { retry: 1 }), {
      versions: [versionRow('a', 'v1'), versionRow('a', 'v2', { retry: 1, enabled, revision })],
    });
  world.feed$.next(snapshotOf(1, told(1, true)));
  const called = world.call('a');
  t.is(world.sent[0]?.route.spec.version, 'v2');
  world.sent[0]?.end('timeout');
  world.feed$.next(changesOf(2, [told(2, false)]));
  await world.pass(50);
  t.is(world.sent.length, 1);
  t.like(called.answers, [{ retryable: 'maybe_executed', details: { reason: 'disabled' } }]);
});

test('a retry uses the instances there are by then', async (t) => {
  const world = new ActorWorld();
  const told = (revision: number, weight: number) =>
    registryEntry(extensionRow('a', { retry: 1 }), {
      instances: [instanceRow('a', 'i1'), instanceRow('a', 'i2', { weight, revision }), instanceRow('a', 'i3')],
    });
  world.feed$.next(snapshotOf(1, told(1, 100)));
  world.call('a');
  world.sent[0]?.end('timeout');
  world.feed$.next(changesOf(2, [told(2, 0)]));
  await world.pass(50);
  t.is(world.sent[1]?.route.spec.instanceId, 'i3');
});

test('CALL-2: where NATS stood still and an attempt gets its time once more, the caller is answered when his budget ends', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  const called = world.call('a');
  world.clock.advance(1200);
  t.deepEqual(called.answers, [], 'the timeout would have ended it');
  world.sent[0]?.delay();
  world.clock.advance(0);
  t.like(called.answers[0], { code: 'deadline_exceeded' });
  t.is(world.core.router.inFlight, 1, 'its attempt is out still');
  world.sent[0]?.end(0);
  t.is(world.core.router.inFlight, 0);
  t.is(called.answers.length, 1);
});

test('no responders: the attempt moves to another instance at once, outside retry', (t) => {
  const world = new ActorWorld();
  const instances = [instanceRow('a', 'i1'), instanceRow('a', 'i2'), instanceRow('a', 'i3')];
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances })));
  const called = world.call('a');
  world.sent[0]?.end('no_responders');
  world.sent[1]?.end('no_responders');
  world.sent[2]?.end(0);
  t.deepEqual(called, { answers: ['ok'], attempts: [3] });
  t.is(new Set(world.sent.map((sent) => sent.route.subject)).size, 3);
});

test('no responders on every instance is told as such, once', (t) => {
  const world = new ActorWorld();
  const instances = [instanceRow('a', 'i1'), instanceRow('a', 'i2')];
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances })));
  const called = world.call('a');
  world.sent[0]?.end('no_responders');
  world.sent[1]?.end('no_responders');
  t.is(called.answers.length, 1);
  t.is(reasonOf(called), 'no_responders');
});

test('FM 32: a rolling restart, absent for less than the grace, trips nothing', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  world.callEnding('a', 0);
  for (let i = 0; i < 50; i++) world.callEnding('a', 'no_responders');
  await world.pass(1900);
  for (let i = 0; i < 50; i++) world.callEnding('a', 'no_responders');
  t.is(world.core.view.one('a')?.health.circuit_breaker_state, 'closed');
  await world.pass(200);
  for (let i = 0; i < 5; i++) world.callEnding('a', 'no_responders');
  t.is(world.core.view.one('a')?.health.circuit_breaker_state, 'open', 'absent for longer than the grace');
});

test('FM 32: an error shows that somebody is there again, so the next restart has a grace of its own', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  for (let i = 0; i < 20; i++) world.callEnding('a', 0);
  world.callEnding('a', 'no_responders');
  await world.pass(1000);
  world.callEnding('a', 500);
  await world.pass(5000);
  for (let i = 0; i < 50; i++) world.callEnding('a', 'no_responders');
  t.is(world.core.view.one('a')?.health.circuit_breaker_state, 'closed');
  t.is(world.core.view.one('a')?.health.failure_count, 1);
});

test('an extension whose instances are all drained refuses with no_instance and keeps no permit', (t) => {
  const world = new ActorWorld();
  const instances = [instanceRow('a', 'i1', { weight: 0 }), instanceRow('a', 'i2', { enabled: false })];
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances })));
  t.is(reasonOf(world.call('a')), 'no_instance');
  t.is(world.core.router.inFlight, 0);
});

test('max_in_flight of the extension and of the daemon are refused as overloaded, and count against nobody', (t) => {
  const world = new ActorWorld({ maxInFlight: 3 });
  const policy = { max_in_flight: 2 };
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', { policy })), registryEntry(extensionRow('b'))));
  world.call('a');
  world.call('a');
  t.like(world.call('a').answers[0], { code: 'overloaded' });
  world.call('b');
  t.like(world.call('b').answers[0], { code: 'overloaded' });
  for (const sent of world.sent) sent.end(0);
  t.is(world.core.view.one('a')?.health.failure_count, 0);
  t.deepEqual(world.callEnding('a', 0).answers, ['ok']);
});

test('EXTENSION-RUNTIME-3: a replica admits its share of max_in_flight, as soon as their number or the policy is another one', (t) => {
  const world = new ActorWorld();
  const row = (max_in_flight: number) => registryEntry(extensionRow('a', { policy: { max_in_flight } }));
  world.feed$.next(snapshotOf(1, row(5), registryEntry(extensionRow('b'))));
  const admitted = (): number => {
    const answers = Array.from({ length: 12 }, () => world.call('a').answers);
    for (const sent of world.sent.splice(0)) sent.end(0);
    return answers.filter(([answer]) => answer === 'ok').length;
  };
  t.is(admitted(), 5);
  for (const [replicas, share] of [
    [2, 3],
    [5, 1],
    [64, 1],
    [1, 5],
  ] as const) {
    world.fleet.replicas = replicas;
    t.is(admitted(), share, `${replicas} replicas`);
  }
  world.fleet.replicas = 2;
  world.feed$.next(snapshotOf(2, row(10), registryEntry(extensionRow('b'))));
  t.is(admitted(), 5);
  for (let i = 0; i < 5; i++) world.call('a');
  t.like(world.call('a').answers[0], {
    code: 'overloaded',
    message: 'too many calls in flight for a (max_in_flight: 10; 5 here, the share of one of 2 replicas)',
  });
  t.deepEqual(world.callEnding('b', 0).answers, ['ok'], 'without a limit nothing is shared');
});

test('EXTENSION-RUNTIME-3: a replica grants its share of the reserve of retries', async (t) => {
  for (const [replicas, retries] of [
    [1, 3],
    [2, 2],
    [3, 1],
  ] as const) {
    const world = new ActorWorld();
    world.fleet.replicas = replicas;
    world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', { retry: 1 }))));
    for (let i = 0; i < 4; i++) world.callEnding('a', 500);
    await world.pass(2000);
    t.is(world.sent.length - 4, retries, `${replicas} replicas`);
  }
});

test('gates: disabled by a person, isolated, and every version disabled', (t) => {
  const world = new ActorWorld();
  world.feed$.next(
    snapshotOf(
      1,
      registryEntry(extensionRow('off', { enabled: false })),
      registryEntry(extensionRow('alone', { breaker_override: 'isolated' })),
      registryEntry(extensionRow('none'), { versions: [versionRow('none', 'v1', { enabled: false })] }),
    ),
  );
  t.is(reasonOf(world.call('off')), 'disabled');
  t.is(reasonOf(world.call('alone')), 'isolated');
  t.is(reasonOf(world.call('none')), 'disabled');
});

test('an auto-disabled extension is gated by its breaker alone, unless only a person may enable it', (t) => {
  const row = extensionRow('a', { enabled: false, auto_disabled: true });
  const automatic = new ActorWorld();
  automatic.feed$.next(snapshotOf(1, registryEntry(row)));
  t.deepEqual(automatic.callEnding('a', 0).answers, ['ok'], 'it has to prove itself, so it gets a probe');
  const manual = new ActorWorld({ autoEnableOnCircuitClose: false });
  manual.feed$.next(snapshotOf(1, registryEntry(row)));
  t.is(reasonOf(manual.call('a')), 'auto_disabled');
});

test('an open circuit fails fast and says how long it will', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  for (let i = 0; i < 5; i++) world.callEnding('a', 'timeout');
  const called = world.call('a');
  t.like(called.answers[0], {
    code: 'extension_unavailable',
    retryAfterMs: 60_000,
    details: { reason: 'circuit_open' },
  });
  t.is(world.sent.length, 5);
});

test('ROUTER-1: a bug while sending is answered and gives its place back', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  world.sent.push = () => {
    throw new TypeError('a bug');
  };
  const called = world.call('a');
  t.is(called.answers.length, 1);
  t.like(called.answers[0], { code: 'internal_error' });
  t.is(world.core.router.inFlight, 0);
  const target = world.core.supervisor.runtimes.get('a')?.defaultService?.target;
  t.is(target?.inFlight, 0, 'CALL-3: its attempt is settled');
  t.deepEqual({ ...target?.counters }, { successes: 0, failures: 0, trips: 0, recoveries: 0 }, 'and counts for nobody');
});

test('idle: resolves when the last caller has its answer', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  world.call('a');
  let isIdle = false;
  const idle = world.core.router.idle().then(() => {
    isIdle = true;
  });
  await settle();
  t.false(isIdle);
  world.sent[0]?.end(0);
  await idle;
  t.true(isIdle);
});

// What a breaker emits: openings with reason and evidence, recoveries, and warnings.
import test from 'ava';
import type { TripReason } from '../../src/domain/breaker/trip.js';
import type { BreakerSettings } from '../../src/domain/registry/policy.js';
import { LEASE_MS, MachineWorld } from '../helpers/machine-world.js';

test('opened: tells reason and evidence as they were before the window was emptied', (t) => {
  const world = new MachineWorld().succeed(3);
  world.window.recordFailure(world.clock.now());
  world.clock.advance(10);
  world.fail(4);
  t.deepEqual(world.emitted, [
    {
      type: 'breaker.opened',
      reason: 'failure_count',
      evidence: {
        failures: 5,
        outcomes: 8,
        slow: 0,
        overdue: 0,
        errorRate: 5 / 8,
        windowMs: 60_000,
        firstFailureMs: 1_000_000,
        lastFailureMs: 1_000_010,
      },
      reopened: false,
      nowMs: 1_000_010,
    },
  ]);
  t.is(world.context.tripReason, 'failure_count');
  t.is(world.context.openedAtMs, 1_000_010);
  t.is(world.window.outcomes(world.clock.now()), 0);
});

const reason = test.macro<
  [why: string, settings: Partial<BreakerSettings>, run: (w: MachineWorld) => MachineWorld, expected: TripReason]
>({
  exec(t, _, settings, run, expected) {
    const world = run(new MachineWorld(settings));
    t.is(world.state, 'open');
    const opened = world.emitted.findLast((event) => event.type === 'breaker.opened');
    t.is(opened?.reason ?? null, expected);
    t.is(world.context.tripReason, expected);
  },
  title: (_, why, __, ___, expected) => `opened: says ${expected} ${why}`,
});
test(
  reason,
  'after failures in a row',
  { failure_rule: 'consecutive' },
  (w) => w.succeed(100).fail(5),
  'consecutive_failures',
);
test(reason, 'above the threshold', { failure_threshold: 100 }, (w) => w.succeed(4).fail(5), 'error_rate');
test(reason, 'at a tick as at a failure', {}, (w) => w.recordFailures(5).send('tick'), 'failure_count');
test(reason, 'when a probe failed', {}, (w) => w.halfOpen().send('probe.started').endProbe('failed'), 'probe_failed');
test(
  reason,
  'when a lease was over',
  {},
  (w) => {
    w.halfOpen().send('probe.started').clock.advance(LEASE_MS);
    return w;
  },
  'lease_over',
);

test('opened: a re-opening tells how the probes went', (t) => {
  const world = new MachineWorld().halfOpen();
  world.send('probe.started').endProbe('succeeded').send('probe.started');
  world.clock.advance(5);
  world.endProbe('failed');
  t.deepEqual(world.emitted.at(-1), {
    type: 'breaker.opened',
    reason: 'probe_failed',
    evidence: {
      failures: 1,
      outcomes: 2,
      slow: 0,
      overdue: 0,
      errorRate: 0.5,
      windowMs: 60_000,
      firstFailureMs: world.clock.now(),
      lastFailureMs: world.clock.now(),
    },
    reopened: true,
    nowMs: world.clock.now(),
  });
});

test('a whole life is told in order: opened, half-opened, re-opened, half-opened, closed', (t) => {
  const world = new MachineWorld().halfOpen().send('probe.started').endProbe('failed');
  world.clock.advance(120_000);
  world.send('probe.started').send('probe.started').endProbe('succeeded').endProbe('succeeded');
  t.deepEqual(
    world.emitted.map((event) => ('reopened' in event ? `${event.type} again: ${event.reopened}` : event.type)),
    [
      'breaker.opened again: false',
      'breaker.half_opened',
      'breaker.opened again: true',
      'breaker.half_opened',
      'breaker.closed',
    ],
  );
  t.like(world.emitted.at(-1), { recovered: true });
  t.is(world.context.epoch, 5);
});

test('closed: a person who resets is told apart from a recovery', (t) => {
  const world = new MachineWorld().trip().send('breaker.reset');
  t.like(world.emitted.at(-1), { type: 'breaker.closed', recovered: false });
  t.is(world.context.openedAtMs, null);
});

// Warnings

test('circuit_breaker_enabled false: never opens, and says once per window that it would have', (t) => {
  const world = new MachineWorld({ circuit_breaker_enabled: false });
  for (let i = 0; i < 100; i++) {
    world.fail(1).send('tick');
    world.clock.advance(599);
  }
  t.is(world.state, 'closed');
  t.deepEqual(world.eventTypes, ['breaker.would_open']);
  world.clock.advance(3000);
  world.fail(1).send('tick').fail(1);
  t.deepEqual(world.eventTypes, ['breaker.would_open', 'breaker.would_open']);
  t.like(world.emitted[0], { reason: 'failure_count', evidence: { failures: 5 } });
});

test('circuit_breaker_enabled true again: opens at the next failure', (t) => {
  const world = new MachineWorld({ circuit_breaker_enabled: false }).fail(9).change({ circuit_breaker_enabled: true });
  t.is(world.state, 'closed');
  world.fail(1);
  t.is(world.state, 'open');
});

test('high_failure_count: told once per window while the floor holds the count back', (t) => {
  const world = new MachineWorld().succeed(1000).fail(4);
  t.deepEqual(world.eventTypes, []);
  world.fail(1);
  t.deepEqual(world.eventTypes, ['breaker.high_failure_count']);
  for (let i = 0; i < 5; i++) world.fail(1).send('tick');
  t.is(world.emitted.length, 1);
  world.clock.advance(60_000);
  world.succeed(1000).fail(5);
  t.deepEqual(world.eventTypes, ['breaker.high_failure_count', 'breaker.high_failure_count']);
  t.is(world.state, 'closed');
});

test('attempt.failed and tick: where there is nothing to warn of they are no transition', (t) => {
  for (const world of [new MachineWorld(), new MachineWorld().send('breaker.force_close')]) {
    let transitions = 0;
    world.actor.system.inspect((event) => {
      if (event.type === '@xstate.microstep') transitions += event._transitions.length;
    });
    world.fail(4).send('tick');
    t.is(transitions, 0);
    world.succeed(1000).fail(1);
    t.deepEqual([transitions, world.eventTypes], [1, ['breaker.high_failure_count']]);
    world.fail(1).send('tick');
    t.is(transitions, 1);
  }
});

test('forced closed: lets everything through, records, and says once per window what it would have done', (t) => {
  const world = new MachineWorld().send('breaker.force_close').fail(5).fail(5).send('tick');
  t.is(world.state, 'forcedClosed');
  t.deepEqual(world.eventTypes, ['breaker.would_open']);
  t.is(world.window.failures(world.clock.now()), 10);
});

test('release from forced closed: starts with an empty window, so that old failures open nothing', (t) => {
  const world = new MachineWorld().send('breaker.force_close').fail(50).send('breaker.release').fail(4);
  t.is(world.state, 'closed');
  world.fail(1);
  t.is(world.state, 'open');
});

test('isolated: no timer and no outcome ends it', (t) => {
  const world = new MachineWorld().trip().send('breaker.isolate');
  t.is(world.clock.armed, 0);
  world.clock.advance(1e9);
  t.is(world.state, 'isolated');
});

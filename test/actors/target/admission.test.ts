// Permits: who gets one, how many there are while half-open, and how they return.
import test from 'ava';
import {
  REFUSED_ACTOR_FAILED,
  REFUSED_HALF_OPEN_FULL,
  REFUSED_ISOLATED,
  REFUSED_OPEN,
} from '../../../src/actors/target/admission.js';
import type { BreakerMode } from '../../../src/actors/target/breaker-host.js';
import { breakerSettings } from '../../helpers/breaker-settings.js';
import { type Attempt, LEASE_MS, MODES, TargetWorld, TIMEOUT_MS } from '../../helpers/target-world.js';

test('FM 6, FM 7: 200 callers on the edge from open to half-open get exactly as many permits as there are, timer or not', (t) => {
  for (const isTimerLate of [false, true]) {
    const world = isTimerLate ? new TargetWorld().overdue() : new TargetWorld().halfOpen();
    t.is(world.mode, isTimerLate ? 'open' : 'halfOpen');
    const admissions = Array.from({ length: 200 }, () => world.admit().permit);
    t.is(admissions.filter((permit) => permit > 0).length, 3);
    t.true(admissions.slice(0, 3).every((permit) => permit > 0));
    t.true(admissions.slice(3).every((permit) => permit === REFUSED_HALF_OPEN_FULL));
    t.is(world.target.probes, 3);
  }
});

test('FM 6: a microsecond before the edge nobody is admitted', (t) => {
  const world = new TargetWorld().trip();
  world.clock.stall(59_999.999);
  t.deepEqual(
    Array.from({ length: 200 }, () => world.admit().permit).filter((permit) => permit !== REFUSED_OPEN),
    [],
  );
  t.is(world.mode, 'open');
});

test('FM 9: refusals are immediate, and nobody is let in by a later success who was refused before', (t) => {
  const world = new TargetWorld({ half_open_max_requests: 1 }).halfOpen();
  const probe = world.admit();
  t.deepEqual(
    Array.from({ length: 100 }, () => world.admit().permit),
    Array(100).fill(REFUSED_HALF_OPEN_FULL),
  );
  world.settle(probe, 'success');
  t.is(world.target.probes, 0);
});

test('FM 4: a neutral end gives the permit back and is no verdict, however often', (t) => {
  const world = new TargetWorld({ half_open_max_requests: 1 }).halfOpen();
  for (let i = 0; i < 100; i++) t.true(world.call('neutral') > 0);
  t.is(world.mode, 'halfOpen');
  t.is(world.target.health.read(world.clock.now()).samples, 5);
  world.calls(2, 'success');
  t.is(world.mode, 'closed');
});

test('FM 3: probes that never settle end with their lease, as a failure, and others are offered after the open time', (t) => {
  const world = new TargetWorld().halfOpen();
  const lost = [world.admit(), world.admit(), world.admit()];
  world.clock.advance(LEASE_MS - 1);
  t.is(world.admit().permit, REFUSED_HALF_OPEN_FULL);
  world.clock.advance(1);
  t.is(world.mode, 'open');
  t.is(world.target.lastTrip?.reason, 'lease_over');
  world.clock.advance(120_000);
  t.is(world.mode, 'halfOpen');
  for (const attempt of lost) world.settle(attempt, 'success');
  t.is(world.mode, 'halfOpen');
  world.calls(2, 'success');
  t.is(world.mode, 'closed');
});

test('FM 8: where fewer come than there are permits, those that come decide', (t) => {
  const world = new TargetWorld({ half_open_max_requests: 10 }).halfOpen();
  world.call('success');
  world.clock.advance(86_400_000);
  t.is(world.mode, 'halfOpen');
  world.call('success');
  t.is(world.mode, 'closed');
});

test('permits: more or fewer allowed while half-open applies at once to the next caller', (t) => {
  const world = new TargetWorld().halfOpen();
  for (let i = 0; i < 3; i++) world.admit();
  const set = (half_open_max_requests: number) =>
    world.target.setSettings(breakerSettings({ half_open_max_requests }), TIMEOUT_MS, world.clock.now());
  set(4);
  t.true(world.admit().permit > 0);
  set(2);
  t.is(world.admit().permit, REFUSED_HALF_OPEN_FULL);
  t.is(world.target.probes, 4);
});

test('FM 11: looking takes no permit and changes nothing', (t) => {
  const world = new TargetWorld({ half_open_max_requests: 1 }).overdue();
  const look = () => [
    world.target.facts(),
    world.target.mode,
    world.target.publishedState,
    world.target.lastTrip?.reason,
    world.target.probes,
    world.target.openRemainingMs(world.clock.now()),
  ];
  const first = look();
  for (let i = 0; i < 10; i++) t.deepEqual(look(), first);
  t.is(world.mode, 'open');
  t.true(world.admit().permit > 0);
  for (let i = 0; i < 10; i++) look();
  t.is(world.target.probes, 1);
});

const verbWithProbes = test.macro<[what: string, act: (w: TargetWorld) => unknown, expected: BreakerMode]>({
  exec(t, _, act, expected) {
    const world = new TargetWorld().halfOpen();
    const probes = [world.admit(), world.admit(), world.admit()];
    act(world);
    t.is(world.mode, expected);
    t.is(world.target.probes, 0);
    const { epoch } = world.target.facts();
    world.settle(probes[0] as Attempt, 'success');
    world.settle(probes[1] as Attempt, 'failure');
    world.settle(probes[2] as Attempt, 'neutral');
    world.clock.advance(LEASE_MS * 2);
    t.is(world.mode, expected);
    t.is(world.target.facts().epoch, epoch);
  },
  title: (_, what, __, expected) => `FM 13: ${what} while probes are out is ${expected}, and their ends are ignored`,
});
test(verbWithProbes, 'isolate', (w) => w.override('isolated'), 'isolated');
test(verbWithProbes, 'force closed', (w) => w.override('forced_closed'), 'forcedClosed');
test(verbWithProbes, 'isolate and release', (w) => w.override('isolated').override(null), 'halfOpen');
test(verbWithProbes, 'force closed and release', (w) => w.override('forced_closed').override(null), 'closed');
test(verbWithProbes, 'reset', (w) => w.send('breaker.reset'), 'closed');
test(verbWithProbes, 'renew', (w) => w.send('breaker.renew'), 'halfOpen');
test(verbWithProbes, 'probe', (w) => w.send('breaker.probe'), 'halfOpen');
test(verbWithProbes, 'another subject', (w) => w.send('subject.changed'), 'halfOpen');

const admission = test.macro<
  [
    now: string,
    reach: (w: TargetWorld) => TargetWorld,
    refusal: number | null,
    published: 'closed' | 'open' | 'half_open',
  ]
>({
  exec(t, _, reach, refusal, published) {
    const world = reach(new TargetWorld());
    t.is(world.target.publishedState, published);
    t.is(world.target.facts().state, published);
    const { permit } = world.admit();
    if (refusal === null) t.true(permit > 0);
    else t.is(permit, refusal);
  },
  title: (_, now, __, refusal, published) =>
    `admission: ${refusal === null ? 'granted' : `refused with ${refusal}`} while ${now}, shown as ${published}`,
});
test(admission, 'closed', MODES.closed, null, 'closed');
test(admission, 'open', MODES.open, REFUSED_OPEN, 'open');
test(admission, 'half-open', MODES.halfOpen, null, 'half_open');
test(admission, 'isolated', MODES.isolated, REFUSED_ISOLATED, 'open');
test(admission, 'forced closed', MODES.forcedClosed, null, 'closed');
test(admission, 'failed', MODES.failed, REFUSED_ACTOR_FAILED, 'closed');
test(admission, 'failed in half-open', (w) => w.halfOpen().crash(), REFUSED_ACTOR_FAILED, 'half_open');

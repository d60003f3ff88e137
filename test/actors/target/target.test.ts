// TARGET-1 of target.ts, what a settled attempt changes, what a tick judges, and the grace for absent responders.
import test from 'ava';
import { REFUSED_HALF_OPEN_FULL, REFUSED_OPEN } from '../../../src/actors/target/admission.js';
import type { Outcome } from '../../../src/domain/breaker/outcome.js';
import { breakerSettings } from '../../helpers/breaker-settings.js';
import { MODES, TargetWorld, TIMEOUT_MS } from '../../helpers/target-world.js';

const stale = test.macro<[now: keyof typeof MODES, outcome: Outcome]>({
  exec(t, now, outcome) {
    const world = new TargetWorld();
    const old = Array.from({ length: 50 }, () => world.admit());
    t.true(old.every(({ permit }) => permit > 0));
    MODES[now](world);
    const before = {
      mode: world.mode,
      probes: world.target.probes,
      told: world.eventTypes,
      facts: world.target.facts(),
    };
    const counters = { ...world.target.counters };
    if (now === 'closed') world.send('breaker.renew');
    for (const attempt of old) world.settle(attempt, outcome);
    t.deepEqual(
      { mode: world.mode, probes: world.target.probes, told: world.eventTypes, facts: world.target.facts() },
      before,
    );
    const recorded = outcome === 'neutral' ? 0 : 50;
    t.is(world.target.counters.successes - counters.successes, outcome === 'success' ? recorded : 0);
    t.is(world.target.counters.failures - counters.failures, outcome === 'failure' ? recorded : 0);
  },
  title: (_, now, outcome) =>
    `TARGET-1, FM 1, FM 2, FM 5: fifty outcomes of an earlier generation (${outcome}) change health only, now ${now}`,
});
for (const now of Object.keys(MODES) as (keyof typeof MODES)[])
  for (const outcome of ['success', 'failure', 'neutral'] as const) test(stale, now, outcome);

test('TARGET-1, FM 1: an old success while a probe is out neither closes nor counts as that probe', (t) => {
  const world = new TargetWorld({ half_open_successes: 1 });
  const old = world.admit();
  world.halfOpen();
  const probe = world.admit();
  world.settle(old, 'success');
  t.is(world.mode, 'halfOpen');
  t.is(world.target.probes, 1);
  world.settle(probe, 'success');
  t.is(world.mode, 'closed');
});

test('TARGET-1, FM 2: an old failure in half-open neither re-opens nor doubles the open time', (t) => {
  const world = new TargetWorld();
  const old = world.admit();
  world.halfOpen();
  world.settle(old, 'failure');
  t.is(world.mode, 'halfOpen');
  t.is(world.target.facts().trips, 1);
});

test('TARGET-1, FM 5: permits of an earlier half-open add none to the next', (t) => {
  const world = new TargetWorld().halfOpen();
  const old = [world.admit(), world.admit()];
  world.call('failure');
  t.is(world.mode, 'open');
  world.clock.advance(120_000);
  const probes = [world.admit(), world.admit(), world.admit()];
  t.true(probes.every(({ permit }) => permit > 0));
  for (const attempt of old) world.settle(attempt, 'neutral');
  t.is(world.admit().permit, REFUSED_HALF_OPEN_FULL);
});

test('TARGET-1: generations never repeat, not even between targets', (t) => {
  const permits = [new TargetWorld(), new TargetWorld()].flatMap((world) => [
    world.admit().permit,
    world.send('breaker.renew').admit().permit,
    world.send('breaker.reset').admit().permit,
  ]);
  t.is(new Set(permits).size, permits.length);
  t.true(permits.every((permit) => permit > 0));
});

// Settlement

test('FM 55: who is told of an event finds it in force', (t) => {
  const world = new TargetWorld().halfOpen().calls(1, 'failure');
  world.clock.advance(120_000);
  world.calls(2, 'success').send('breaker.probe').send('breaker.reset');
  t.deepEqual(
    world.eventTypes.map((event, i) => `${event} in ${world.modesAtEvents[i]}`),
    [
      'breaker.opened in open',
      'breaker.half_opened in halfOpen',
      'breaker.opened in open',
      'breaker.half_opened in halfOpen',
      'breaker.closed in recovering',
      'breaker.half_opened in halfOpen',
      'breaker.closed in closed',
    ],
  );
  t.is(world.target.counters.trips, 2);
  t.is(world.target.counters.recoveries, 1);
});

test('settle: counters, last times and latency follow each end that is not neutral', (t) => {
  const world = new TargetWorld();
  const attempt = world.admit();
  world.clock.advance(40);
  world.settle(attempt, 'success');
  world.clock.advance(60);
  world.settle(attempt, 'failure');
  world.settle(attempt, 'neutral');
  t.like(world.target.counters, { successes: 1, failures: 1 });
  t.deepEqual(world.target.last, { successMs: 1_000_040, failureMs: 1_000_100, latencyMs: 100 });
  t.is(world.target.health.read(world.clock.now()).avgMs, 70);
});

test('FM 22: calls under way do not dilute the rate', (t) => {
  const world = new TargetWorld({ failure_threshold: 1000, minimum_volume: 25 });
  for (let i = 0; i < 30; i++) world.admit();
  world.calls(24, 'failure');
  t.is(world.mode, 'closed');
  world.call('failure');
  t.is(world.mode, 'open');
});

test('FM 23: refusals are neither outcomes nor latencies', (t) => {
  const world = new TargetWorld().trip();
  const before = { reading: world.target.health.read(world.clock.now()), counters: { ...world.target.counters } };
  for (let i = 0; i < 1000; i++) t.is(world.call('failure'), REFUSED_OPEN);
  t.deepEqual({ reading: world.target.health.read(world.clock.now()), counters: { ...world.target.counters } }, before);
});

test('FM 27, FM 28: neutral ends never open', (t) => {
  t.is(new TargetWorld().calls(1000, 'neutral').mode, 'closed');
});

test('FM 47: a dependency that is up and down every 50 ms causes at most one opening per open time', (t) => {
  const world = new TargetWorld();
  for (let ms = 0; ms < 600_000; ms += 10) {
    world.call(Math.floor(ms / 50) % 2 === 0 ? 'success' : 'failure');
    world.clock.advance(10);
  }
  const opened = world.eventTypes.filter((type) => type === 'breaker.opened').length;
  t.true(opened >= 2 && opened <= 10, `${opened} openings in ten minutes`);
});

test('FM 14: refused calls and late failures do not push the end of the open time out', (t) => {
  const world = new TargetWorld();
  const late = Array.from({ length: 20 }, () => world.admit());
  world.trip();
  for (const attempt of late) {
    world.clock.advance(1000);
    world.settle(attempt, 'failure');
    world.call('failure');
  }
  t.is(world.target.openRemainingMs(world.clock.now()), 40_000);
});

test.serial('FM 18: the wall clock decides nothing, whichever way it jumps', (t) => {
  const { now } = Date;
  t.teardown(() => {
    Date.now = now;
  });
  const run = (jumpMs: number): unknown[] => {
    const seen: unknown[] = [];
    const world = new TargetWorld();
    for (let i = 0; i < 200; i++) {
      Date.now = () => now() + jumpMs * (i % 3);
      world.call(i % 50 < 10 ? 'failure' : 'success');
      world.clock.advance(1000);
      seen.push(world.mode, world.target.facts());
    }
    return [seen, world.events];
  };
  const still = run(0);
  t.deepEqual(run(86_400_000), still);
  t.deepEqual(run(-86_400_000), still);
});

// Ticks

test('tick: judges a target with traffic since the last one, also where that traffic was all successes', (t) => {
  const world = new TargetWorld({ failure_threshold: 1000, window_seconds: 12, minimum_volume: 5 });
  world.calls(10, 'success');
  world.clock.advance(6000);
  world.calls(6, 'failure');
  t.is(world.mode, 'closed');
  world.clock.advance(6000);
  world.target.tick(world.clock.now());
  t.is(world.mode, 'open', 'the successes have left the window by now');
});

test('tick: does nothing without traffic since the last one, nor twice for the same', (t) => {
  const world = new TargetWorld({ circuit_breaker_enabled: false });
  world.calls(4, 'failure');
  world.target.tick(world.clock.now());
  world.clock.advance(1000);
  world.target.setSettings(breakerSettings({ failure_threshold: 3 }), TIMEOUT_MS, world.clock.now());
  world.target.tick(world.clock.now());
  t.is(world.mode, 'closed');
  world.admit();
  world.target.tick(world.clock.now());
  t.is(world.mode, 'open');
});

test('tick: changes nothing while open, half-open or isolated', (t) => {
  for (const mode of ['open', 'halfOpen with a probe out', 'isolated'] as const) {
    const world = MODES[mode](new TargetWorld());
    world.admit();
    const before = { mode: world.mode, told: world.eventTypes, facts: world.target.facts() };
    world.target.tick(world.clock.now());
    t.deepEqual({ mode: world.mode, told: world.eventTypes, facts: world.target.facts() }, before);
  }
});

// Absence grace

const GRACE_MS = 2000;

const grace = test.macro<[id: string, when: string, prepare: (w: TargetWorld) => unknown, expected: boolean]>({
  exec(t, _, __, prepare, expected) {
    const world = new TargetWorld();
    prepare(world);
    t.is(world.target.isWithinAbsenceGrace(null, GRACE_MS, world.clock.now()), expected);
  },
  title: (_, id, when, __, expected) => `${id}: absence is ${expected ? 'within' : 'beyond'} its grace ${when}`,
});
const absent = (w: TargetWorld) => w.target.isWithinAbsenceGrace(null, GRACE_MS, w.clock.now());
test(grace, 'FM 32', 'right after a success', (w) => w.call('success'), true);
test(grace, 'FM 32', 'where it never succeeded', () => {}, false);
test(grace, 'FM 32', 'where it only failed', (w) => w.call('failure'), false);
test(
  grace,
  'FM 32',
  'where its last success is as old as the window',
  (w) => {
    w.call('success');
    w.clock.advance(60_000);
  },
  true,
);
test(
  grace,
  'FM 32',
  'where its last success is older than the window',
  (w) => {
    w.call('success');
    w.clock.advance(60_001);
  },
  false,
);
test(
  grace,
  'FM 32',
  'just before its time is over',
  (w) => {
    w.call('success');
    absent(w);
    w.clock.advance(GRACE_MS - 1);
  },
  true,
);
test(
  grace,
  'FM 32',
  'when its time is over',
  (w) => {
    w.call('success');
    absent(w);
    w.clock.advance(GRACE_MS);
  },
  false,
);
test(
  grace,
  'FM 32',
  'where somebody was there between two absences',
  (w) => {
    w.call('success');
    absent(w);
    w.clock.advance(1500);
    w.target.stats.notePresence(null);
    w.clock.advance(1500);
  },
  true,
);
test(grace, 'OUTCOME-3', 'in half-open', (w) => w.calls(1, 'success').halfOpen(), false);

test('OUTCOME-3: a grace of 0 ms is none', (t) => {
  const world = new TargetWorld();
  world.call('success');
  t.false(world.target.isWithinAbsenceGrace(null, 0, world.clock.now()));
});

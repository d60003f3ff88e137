// BREAKER-MACHINE-2, BREAKER-MACHINE-6 and BREAKER-MACHINE-7 of breaker-machine.ts: open time, ramp and lease, to the millisecond.
import test from 'ava';
import type { BreakerSettings } from '../../src/domain/registry/policy.js';
import type { BreakerFacts } from '../../src/machines/breaker-types.js';
import { CLOSED, LEASE_MS, MachineWorld } from '../helpers/machine-world.js';
import { isSafeDelay } from '../helpers/simulated-clock.js';

test('BREAKER-MACHINE-2: it half-opens exactly when its open time is over', (t) => {
  const world = new MachineWorld().trip();
  t.is(world.context.openUntilMs, 1_060_000);
  world.clock.advance(59_999);
  t.is(world.state, 'open');
  world.clock.advance(1);
  t.is(world.state, 'halfOpen.waiting');
  t.is(world.emitted.at(-1)?.nowMs, 1_060_000);
});

test('BREAKER-MACHINE-2: open time with a fraction of a millisecond is waited out', (t) => {
  const world = new MachineWorld();
  world.random = 0.123456789;
  world.trip();
  const leftMs = world.context.openUntilMs - world.clock.now();
  t.true(leftMs > 60_740 && leftMs % 1 !== 0);
  world.clock.advance(Math.floor(leftMs));
  t.is(world.state, 'open');
  world.clock.advance(1);
  t.is(world.state, 'halfOpen.waiting');
});

test('BREAKER-MACHINE-2, FM 19: a timer that fires before its time does not shorten the open time', (t) => {
  const world = new MachineWorld().trip();
  world.clock.advance(59_000);
  for (let i = 0; i < 5; i++) t.true(world.clock.fireEarly());
  t.is(world.state, 'open');
  t.is(world.context.openUntilMs, 1_060_000);
  world.clock.advance(999);
  t.is(world.state, 'open');
  world.clock.advance(1);
  t.is(world.state, 'halfOpen.waiting');
  t.deepEqual(world.eventTypes, ['breaker.opened', 'breaker.half_opened']);
});

test('BREAKER-MACHINE-2, FM 19: where the timer is late, the clock says that the time is over', (t) => {
  const world = new MachineWorld().trip();
  world.clock.stall(60_000);
  t.is(world.state, 'open');
  world.send('open.elapsed');
  t.is(world.state, 'halfOpen.waiting');
  world.clock.advance(0);
  t.is(world.state, 'halfOpen.waiting', 'the late timer finds nothing to do');
  t.deepEqual(world.eventTypes, ['breaker.opened', 'breaker.half_opened']);
});

test('FM 14: failures, ticks and renewals while open do not push its end out', (t) => {
  const world = new MachineWorld().trip();
  for (let i = 0; i < 50; i++) {
    world.clock.advance(1000);
    world.fail(10).send('tick');
    if (i % 10 === 0) world.send('breaker.renew');
  }
  t.is(world.state, 'open');
  t.is(world.context.openUntilMs, 1_060_000);
  world.clock.advance(10_000);
  t.is(world.state, 'halfOpen.waiting');
});

const openTime = test.macro<[title: string, change: (w: MachineWorld) => MachineWorld, leftMs: number]>({
  exec(t, _, change, leftMs) {
    const world = new MachineWorld({ open_seconds: 300 }).trip();
    world.clock.advance(20_000);
    const { generation, epoch, openedAtMs } = change(world).context;
    t.is(world.context.openUntilMs - world.clock.now(), leftMs);
    world.clock.advance(leftMs - 1);
    t.is(world.state, 'open');
    t.like(world.context, { generation, epoch, openedAtMs });
    world.clock.advance(1);
    t.is(world.state, 'halfOpen.waiting');
    t.deepEqual(world.eventTypes, ['breaker.opened', 'breaker.half_opened']);
  },
  title: (_, title) => `BREAKER-MACHINE-7: while open, ${title}`,
});
test(openTime, 'a shorter time counts from now', (w) => w.change({ open_seconds: 10 }), 10_000);
test(
  openTime,
  'a shorter time that is longer than what is left changes nothing',
  (w) => w.change({ open_seconds: 290 }),
  280_000,
);
test(openTime, 'a longer time changes nothing', (w) => w.change({ open_seconds: 600, open_max_seconds: 600 }), 280_000);
test(
  openTime,
  'a shorter time has no jitter',
  (w) => {
    w.random = 1;
    return w.change({ open_seconds: 10 });
  },
  10_000,
);
test(
  openTime,
  'the shortest of several counts, whatever comes after it',
  (w) => w.change({ open_seconds: 50 }).change({ open_seconds: 10 }).change({ open_seconds: 250 }),
  10_000,
);

test('BREAKER-MACHINE-7: while open, a shorter time is doubled as often as the breaker has tripped in a row, up to its cap', (t) => {
  const world = new MachineWorld({ open_seconds: 60 }).trip();
  for (let i = 0; i < 2; i++) {
    world.clock.advance(world.context.openUntilMs - world.clock.now());
    world.send('probe.started').endProbe('failed');
  }
  t.is(world.context.openUntilMs - world.clock.now(), 240_000);
  t.is(world.change({ open_seconds: 10 }).context.openUntilMs - world.clock.now(), 40_000);
  t.is(world.change({ open_max_seconds: 15 }).context.openUntilMs - world.clock.now(), 15_000);
});

test('BREAKER-MACHINE-7: settings that change while open apply to the next time it opens', (t) => {
  const world = new MachineWorld().trip().change({ open_seconds: 1 });
  world.clock.advance(1000);
  world.send('probe.started').endProbe('failed');
  t.is(world.context.openUntilMs - world.clock.now(), 2000);
});

const rampTime = test.macro<[title: string, change: (w: MachineWorld) => MachineWorld, leftMs: number]>({
  exec(t, _, change, leftMs) {
    const world = new MachineWorld({ recovery_ramp_seconds: 100 }).send('breaker.enable');
    world.clock.advance(20_000);
    const { generation } = world.context;
    change(world);
    world.clock.advance(leftMs - 1);
    t.is(world.state, leftMs > 0 ? 'closed.recovering' : 'closed');
    world.clock.advance(1);
    t.is(world.state, 'closed');
    t.is(world.context.generation, generation);
  },
  title: (_, title) => `BREAKER-MACHINE-7: while recovering, ${title}`,
});
test(rampTime, 'a shorter ramp counts from now', (w) => w.change({ recovery_ramp_seconds: 7 }), 7000);
test(
  rampTime,
  'a shorter ramp that is longer than what is left changes nothing',
  (w) => w.change({ recovery_ramp_seconds: 99 }),
  80_000,
);
test(rampTime, 'a longer ramp changes nothing', (w) => w.change({ recovery_ramp_seconds: 3600 }), 80_000);
test(rampTime, 'no ramp ends it at once', (w) => w.change({ recovery_ramp_seconds: 0 }), 0);

test('BREAKER-MACHINE-7: the lease of a probe that is in flight ends sooner with a shorter timeout, and never before that from now', (t) => {
  const world = new MachineWorld({}, { leaseMs: 60_000 }).trip();
  world.clock.advance(60_000);
  world.send('probe.started');
  world.clock.advance(10_000);
  world.send('probe.started').change({}, 8000);
  world.endProbe('released');
  world.clock.advance(7999);
  t.is(world.state, 'halfOpen.probing');
  world.clock.advance(1);
  t.is(world.state, 'open');
  t.is(world.context.tripReason, 'lease_over');
});

test('BREAKER-MACHINE-7: the lease of a probe is not lengthened by a longer timeout, that of the next one is', (t) => {
  const world = new MachineWorld().trip();
  world.clock.advance(60_000);
  world.send('probe.started').change({}, 60_000);
  world.clock.advance(LEASE_MS);
  t.is(world.state, 'open');
  world.clock.advance(120_000);
  world.send('probe.started');
  world.clock.advance(59_999);
  t.is(world.state, 'halfOpen.probing');
});

// Trips in a row

test('trips: the open time doubles with each trip in a row, up to its cap', (t) => {
  const world = new MachineWorld().trip();
  const openMs: number[] = [];
  for (let i = 0; i < 5; i++) {
    openMs.push(world.context.openUntilMs - world.clock.now());
    world.clock.advance(world.context.openUntilMs - world.clock.now());
    world.send('probe.started').endProbe('failed');
  }
  t.deepEqual(openMs, [60_000, 120_000, 240_000, 300_000, 300_000]);
});

const nextTrip = test.macro<[closedMs: number, expectedTrips: number]>({
  exec(t, closedMs, expectedTrips) {
    const world = new MachineWorld().recover();
    t.is(world.state, 'closed.recovering');
    t.is(world.context.trips, 1);
    world.clock.advance(closedMs);
    world.trip();
    t.is(world.state, 'open');
    t.is(world.context.trips, expectedTrips);
  },
  title: (_, closedMs, trips) => `FM 46: a trip ${closedMs} ms after closing is number ${trips} in a row`,
});
test(nextTrip, 0, 2);
test(nextTrip, 59_999, 2);
test(nextTrip, 60_000, 1);
test(nextTrip, 3_600_000, 1);

test('trips: a reset forgets them', (t) => {
  const world = new MachineWorld().recover().trip().send('breaker.reset').trip();
  t.is(world.context.trips, 1);
  t.is(world.context.openUntilMs - world.clock.now(), 60_000);
});

test('trips: a release from forced closed forgets them', (t) => {
  const world = new MachineWorld().recover().trip().send('breaker.force_close').send('breaker.release').trip();
  t.is(world.context.trips, 1);
});

// Delays

const safeDelays = test.macro<[settings: Partial<BreakerSettings>, leaseMs: number, facts: Partial<BreakerFacts>]>({
  exec(t, settings, leaseMs, facts) {
    const world = new MachineWorld(settings, { leaseMs, facts: { ...CLOSED, ...facts } });
    world.random = 1;
    world.send('breaker.reset').trip();
    for (let i = 0; i < 3; i++) {
      world.clock.advance(Math.ceil(world.context.openUntilMs - world.clock.now()));
      t.is(world.state, 'halfOpen.waiting');
      world.send('probe.started').send('probe.started').endProbe('released').endProbe('failed');
      t.is(world.state, 'open');
    }
    t.true(world.clock.delays.length >= 4);
    t.deepEqual(
      world.clock.delays.filter((ms) => !isSafeDelay(ms)),
      [],
    );
  },
  title: (_, settings, leaseMs, facts) =>
    `FM 12: every delay is one a timer waits for, with ${JSON.stringify(settings)}, a lease of ${leaseMs} ms and ${JSON.stringify(facts)}`,
});
test(safeDelays, { open_seconds: 86_400, open_max_seconds: 86_400 }, 86_401_000, { trips: 1_000_000 });
test(safeDelays, { open_seconds: 0.001, open_max_seconds: 0.001 }, 0.5, { trips: -1 });
test(safeDelays, {}, LEASE_MS, { state: 'open', openRemainingMs: 1e15, trips: Number.NaN });

const oddTime = test.macro<[openRemainingMs: number]>({
  exec(t, openRemainingMs) {
    const world = new MachineWorld({}, { facts: { ...CLOSED, state: 'open', openRemainingMs } });
    t.deepEqual(world.clock.delays, [2 ** 31 - 1]);
    world.clock.advance(2 ** 31 - 1);
    t.is(world.state, 'open', 'BREAKER-MACHINE-2: the time is not over when the longest timer is');
    world.send('breaker.probe');
    t.is(world.state, 'halfOpen.waiting');
  },
  title: (_, openRemainingMs) =>
    `BREAKER-MACHINE-2: with ${openRemainingMs} ms left no timer fires at once, and the clock decides`,
});
test(oddTime, 2 ** 31);
test(oddTime, 1e15);
test(oddTime, Number.POSITIVE_INFINITY);

test('BREAKER-MACHINE-2: an open time that is no number is over, so that nothing waits for ever', (t) => {
  const world = new MachineWorld();
  world.random = Number.NaN;
  world.trip();
  t.deepEqual(
    world.clock.delays.filter((ms) => !isSafeDelay(ms)),
    [],
  );
  world.clock.advance(0);
  t.is(world.state, 'halfOpen.waiting');
});

test('BREAKER-MACHINE-3: a lease that is no number is over, so that nothing waits for ever', (t) => {
  const world = new MachineWorld({}, { leaseMs: Number.NaN }).halfOpen().send('probe.started');
  t.deepEqual(
    world.clock.delays.filter((ms) => !isSafeDelay(ms)),
    [],
  );
  world.clock.advance(0);
  t.is(world.state, 'open');
});

// BREAKER-MACHINE-6

test('BREAKER-MACHINE-6: after probes closed it, it recovers for exactly its ramp', (t) => {
  const world = new MachineWorld().recover();
  world.clock.advance(4999);
  t.is(world.state, 'closed.recovering');
  const { generation, epoch } = world.context;
  world.clock.advance(1);
  t.is(world.state, 'closed');
  t.is(world.context.generation, generation, 'the same generation goes on');
  t.is(world.context.epoch, epoch, 'the world is told of no transition');
});

test('BREAKER-MACHINE-6: with a ramp of 0 it is closed at once, and no timer is armed', (t) => {
  const world = new MachineWorld({ recovery_ramp_seconds: 0 }).recover();
  t.is(world.state, 'closed');
  t.is(world.clock.armed, 0);
});

test('BREAKER-MACHINE-6: a boot, a reset and a release are followed by no slow start', (t) => {
  t.is(new MachineWorld().state, 'closed');
  t.is(new MachineWorld().trip().send('breaker.reset').state, 'closed');
  t.is(new MachineWorld().send('breaker.force_close').send('breaker.release').state, 'closed');
});

test('BREAKER-MACHINE-6: trips while recovering count as trips in a row', (t) => {
  const world = new MachineWorld().recover().trip();
  t.is(world.state, 'open');
  t.is(world.context.trips, 2);
});

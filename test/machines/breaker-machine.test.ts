import test, { type ExecutionContext } from 'ava';
import { createActor } from 'xstate';
import { getShortestPaths, getSimplePaths } from 'xstate/graph';
import { DecisionWindow } from '../../src/domain/breaker/decision-window.js';
import type { TripReason } from '../../src/domain/breaker/trip.js';
import type { BreakerSettings } from '../../src/domain/registry/policy.js';
import { breakerMachine } from '../../src/machines/breaker-machine.js';
import type { BreakerEmitted, BreakerEvent, BreakerFacts, BreakerInput } from '../../src/machines/breaker-types.js';
import { breakerSettings } from '../helpers/breaker-settings.js';
import { isSafeDelay, SimulatedClock } from '../helpers/simulated-clock.js';

type EventType = BreakerEvent['type'];
type PlainEvent = Exclude<
  EventType,
  'settings.changed' | 'attempt.succeeded' | `probe.${'succeeded' | 'failed' | 'released'}`
>;

const LEASE_MS = 6000;
const CLOSED: BreakerFacts = { state: 'closed', openRemainingMs: 0, openedAgoMs: null, trips: 0, epoch: 0 };

/** One breaker on a simulated clock, started at 1 000 000 ms. */
class World {
  readonly clock = new SimulatedClock(1_000_000);
  readonly emitted: BreakerEmitted[] = [];
  readonly errors: unknown[] = [];
  readonly window: DecisionWindow;
  readonly actor;
  settings: BreakerSettings;
  random = 0;
  #generation = 0;

  constructor(settings: Partial<BreakerSettings> = {}, input: Partial<BreakerInput> = {}) {
    this.settings = breakerSettings(settings);
    this.window = new DecisionWindow(this.settings.window_seconds * 1000);
    this.actor = createActor(breakerMachine, {
      clock: this.clock,
      input: {
        window: this.window,
        settings: this.settings,
        leaseMs: LEASE_MS,
        now: this.clock.now,
        random: () => this.random,
        nextGeneration: () => ++this.#generation,
        override: null,
        facts: CLOSED,
        mustProve: false,
        ...input,
      },
    });
    this.actor.on('*', (event) => this.emitted.push(event));
    this.actor.subscribe({ error: (error) => this.errors.push(error) });
    this.actor.start();
  }

  get state(): string {
    const { value } = this.actor.getSnapshot();
    if (typeof value === 'string') return value;
    if ('halfOpen' in value) return `halfOpen.${value.halfOpen}`;
    return value.closed === 'steady' ? 'closed' : 'closed.recovering';
  }

  get context() {
    return this.actor.getSnapshot().context;
  }

  get told(): string[] {
    return this.emitted.map((event) => event.type);
  }

  send(type: PlainEvent, nowMs = this.clock.now()): this {
    this.actor.send({ type, nowMs });
    return this;
  }

  endProbe(how: 'succeeded' | 'failed' | 'released', startedMs = this.context.probes[0] ?? this.clock.now()): this {
    this.actor.send({ type: `probe.${how}`, startedMs, nowMs: this.clock.now() });
    return this;
  }

  change(settings: Partial<BreakerSettings>, leaseMs = LEASE_MS): this {
    this.settings = { ...this.settings, ...settings };
    this.actor.send({ type: 'settings.changed', settings: this.settings, leaseMs, nowMs: this.clock.now() });
    return this;
  }

  /** Failures as a target records them, before the machine is told of the last one. */
  fail(times: number): this {
    for (let i = 0; i < times; i++) this.window.recordFailure(this.clock.now());
    return this.send('attempt.failed');
  }

  succeed(times: number): this {
    for (let i = 0; i < times; i++) this.window.recordSuccess(this.clock.now());
    return this;
  }

  trip(): this {
    return this.fail(5);
  }

  halfOpen(): this {
    this.trip();
    this.clock.advance(this.context.openUntilMs - this.clock.now());
    return this;
  }

  recover(): this {
    this.halfOpen();
    for (let i = 0; i < this.settings.half_open_successes; i++) this.send('probe.started').endProbe('succeeded');
    return this;
  }
}

const STATES = {
  closed: (w: World) => w,
  'closed.recovering': (w: World) => w.recover(),
  open: (w: World) => w.trip(),
  'halfOpen.waiting': (w: World) => w.halfOpen(),
  'halfOpen.probing': (w: World) => w.halfOpen().send('probe.started'),
  isolated: (w: World) => w.send('breaker.isolate'),
  forcedClosed: (w: World) => w.send('breaker.force_close'),
} as const;
type State = keyof typeof STATES;

const EVENTS = {
  'attempt.failed': (w: World) => w.fail(1),
  'attempt.failed, rules met': (w: World) => w.fail(5),
  'attempt.succeeded': (w: World) => {
    w.actor.send({ type: 'attempt.succeeded', successes: 3, nowMs: w.clock.now() });
  },
  tick: (w: World) => w.send('tick'),
  'tick, rules met': (w: World) => {
    for (let i = 0; i < 5; i++) w.window.recordFailure(w.clock.now());
    return w.send('tick');
  },
  'open.elapsed, too early': (w: World) => w.send('open.elapsed', w.context.openUntilMs - 0.001),
  'open.elapsed, in time': (w: World) => w.send('open.elapsed', w.context.openUntilMs),
  'probe.started': (w: World) => w.send('probe.started'),
  'probe.succeeded': (w: World) => w.endProbe('succeeded'),
  'probe.failed': (w: World) => w.endProbe('failed'),
  'probe.released': (w: World) => w.endProbe('released'),
  'breaker.isolate': (w: World) => w.send('breaker.isolate'),
  'breaker.force_close': (w: World) => w.send('breaker.force_close'),
  'breaker.release': (w: World) => w.send('breaker.release'),
  'breaker.reset': (w: World) => w.send('breaker.reset'),
  'breaker.probe': (w: World) => w.send('breaker.probe'),
  'breaker.enable': (w: World) => w.send('breaker.enable'),
  'ramp.completed': (w: World) => w.send('ramp.completed'),
  'breaker.renew': (w: World) => w.send('breaker.renew'),
  'subject.changed': (w: World) => w.send('subject.changed'),
  'settings.changed': (w: World) => w.change({ failure_threshold: 7 }),
} as const;
type EventName = keyof typeof EVENTS;

interface Effect {
  readonly to?: State;
  /** A new generation. */
  readonly renews?: true;
  /** A transition that the epoch counts. */
  readonly counts?: true;
  readonly tells?: readonly BreakerEmitted['type'][];
}

const RENEWED: Effect = { renews: true };
const moved = (to: State, ...tells: BreakerEmitted['type'][]): Effect => ({ to, renews: true, counts: true, tells });
const TRIPPED = moved('open', 'breaker.opened');
const HALF_OPENED = moved('halfOpen.waiting', 'breaker.half_opened');
const VERBS = {
  'breaker.isolate': moved('isolated'),
  'breaker.force_close': moved('forcedClosed'),
  'breaker.reset': moved('closed', 'breaker.closed'),
  'breaker.enable': moved('closed.recovering', 'breaker.closed'),
  'breaker.renew': RENEWED,
  'subject.changed': RENEWED,
} as const;
const BACK_TO_WAITING: Effect = { to: 'halfOpen.waiting', renews: true };

/** What is not named here does nothing in that state. */
const EFFECTS: Readonly<Record<State, Readonly<Partial<Record<EventName, Effect>>>>> = {
  closed: {
    ...VERBS,
    'attempt.failed, rules met': TRIPPED,
    'tick, rules met': TRIPPED,
    'breaker.probe': HALF_OPENED,
    'breaker.reset': { renews: true, counts: true },
    'breaker.enable': { to: 'closed.recovering', renews: true, counts: true },
  },
  'closed.recovering': {
    ...VERBS,
    'attempt.failed, rules met': TRIPPED,
    'tick, rules met': TRIPPED,
    'breaker.probe': HALF_OPENED,
    'breaker.reset': { to: 'closed', renews: true, counts: true },
    'breaker.enable': { renews: true, counts: true },
    'ramp.completed': { to: 'closed' },
  },
  open: {
    ...VERBS,
    'open.elapsed, in time': HALF_OPENED,
    'breaker.probe': HALF_OPENED,
    'subject.changed': HALF_OPENED,
  },
  'halfOpen.waiting': {
    ...VERBS,
    'probe.started': { to: 'halfOpen.probing' },
    'breaker.probe': RENEWED,
  },
  'halfOpen.probing': {
    ...VERBS,
    'probe.started': {},
    'probe.succeeded': { to: 'halfOpen.waiting' },
    'probe.released': { to: 'halfOpen.waiting' },
    'probe.failed': TRIPPED,
    'breaker.probe': BACK_TO_WAITING,
    'breaker.renew': BACK_TO_WAITING,
    'subject.changed': BACK_TO_WAITING,
  },
  isolated: { ...VERBS, 'breaker.release': HALF_OPENED },
  forcedClosed: {
    ...VERBS,
    'attempt.failed, rules met': { tells: ['breaker.would_open'] },
    'tick, rules met': { tells: ['breaker.would_open'] },
    'breaker.release': moved('closed'),
  },
};

const transition = test.macro<[from: State, event: EventName, effect: Effect]>({
  exec(t, from, event, { to = from, renews = false, counts = false, tells = [] }) {
    const world = STATES[from](new World());
    t.is(world.state, from);
    const { generation, epoch } = world.context;
    world.emitted.length = 0;
    EVENTS[event](world);
    t.is(world.state, to);
    t.is(world.context.generation > generation, renews);
    t.is(world.context.epoch, epoch + (counts ? 1 : 0));
    t.deepEqual(world.told, tells);
    if (renews)
      t.is(world.window.outcomes(world.clock.now()), 0, 'BREAKER-MACHINE-1: the window of a new generation is empty');
    if (renews) t.deepEqual(world.context.probes, []);
    t.deepEqual(world.errors, []);
  },
  title: (_, from, event, { to, renews, tells = [] }) =>
    `BREAKER-MACHINE-1: ${from}: ${event} ${to === undefined ? (renews || tells.length > 0 ? 'stays' : 'does nothing') : `leads to ${to}`}${tells.length > 0 ? `, telling ${tells.join(', ')}` : ''}${renews ? ', in a new generation' : ''}`,
});
for (const from of Object.keys(STATES) as State[])
  for (const event of Object.keys(EVENTS) as EventName[]) test(transition, from, event, EFFECTS[from][event] ?? {});

// BREAKER-MACHINE-4

const restored = test.macro<[facts: Partial<BreakerFacts>, input: Partial<BreakerInput>, expected: State]>({
  exec(t, facts, input, expected) {
    const world = new World({}, { facts: { ...CLOSED, epoch: 7, trips: 2, ...facts }, ...input });
    t.is(world.state, expected);
    t.is(world.context.trips, 2);
    t.deepEqual(world.told, [], 'what was so before is no news');
    t.is(world.context.epoch, expected.startsWith('halfOpen') ? 8 : 7);
  },
  title: (_, facts, input, expected) =>
    `BREAKER-MACHINE-4: ${facts.state}, ${facts.openRemainingMs} ms left, override ${input.override}${input.mustProve ? ', with something to prove,' : ''} is restored as ${expected}`,
});
for (const mustProve of [false, true]) {
  for (const openRemainingMs of [-1, 0, 5000]) {
    test(
      restored,
      { state: 'closed', openRemainingMs },
      { override: null, mustProve },
      mustProve ? 'halfOpen.waiting' : 'closed',
    );
    test(restored, { state: 'half_open', openRemainingMs }, { override: null, mustProve }, 'halfOpen.waiting');
    for (const state of ['closed', 'open', 'half_open'] as const) {
      test(restored, { state, openRemainingMs }, { override: 'isolated', mustProve }, 'isolated');
      test(restored, { state, openRemainingMs }, { override: 'forced_closed', mustProve }, 'forcedClosed');
    }
  }
  test(restored, { state: 'open', openRemainingMs: 5000 }, { override: null, mustProve }, 'open');
  test(restored, { state: 'open', openRemainingMs: 0.001 }, { override: null, mustProve }, 'open');
  for (const openRemainingMs of [0, -1, -1e12, Number.NaN])
    test(restored, { state: 'open', openRemainingMs }, { override: null, mustProve }, 'halfOpen.waiting');
}

test('M4, FM 51, FM 52: an open breaker that is restored stays open for exactly the time left', (t) => {
  const world = new World({}, { facts: { ...CLOSED, state: 'open', openRemainingMs: 12_000, openedAgoMs: 48_000 } });
  t.is(world.context.openedAtMs, 1_000_000 - 48_000);
  world.clock.advance(11_999);
  t.is(world.state, 'open');
  world.clock.advance(1);
  t.is(world.state, 'halfOpen.waiting');
  t.deepEqual(world.told, ['breaker.half_opened']);
});

test('M4, FM 51: an isolation that is restored can be released', (t) => {
  const world = new World({}, { override: 'isolated', facts: { ...CLOSED, state: 'open', openRemainingMs: 60_000 } });
  world.send('breaker.release');
  t.is(world.state, 'halfOpen.waiting');
});

// BREAKER-MACHINE-2

test('BREAKER-MACHINE-2: it half-opens exactly when its open time is over', (t) => {
  const world = new World().trip();
  t.is(world.context.openUntilMs, 1_060_000);
  world.clock.advance(59_999);
  t.is(world.state, 'open');
  world.clock.advance(1);
  t.is(world.state, 'halfOpen.waiting');
  t.is(world.emitted.at(-1)?.nowMs, 1_060_000);
});

test('BREAKER-MACHINE-2: open time with a fraction of a millisecond is waited out', (t) => {
  const world = new World();
  world.random = 0.123456789;
  world.trip();
  const leftMs = world.context.openUntilMs - world.clock.now();
  t.true(leftMs > 60_740 && leftMs % 1 !== 0);
  world.clock.advance(Math.floor(leftMs));
  t.is(world.state, 'open');
  world.clock.advance(1);
  t.is(world.state, 'halfOpen.waiting');
});

test('M2, FM 19: a timer that fires before its time does not shorten the open time', (t) => {
  const world = new World().trip();
  world.clock.advance(59_000);
  for (let i = 0; i < 5; i++) t.true(world.clock.fireEarly());
  t.is(world.state, 'open');
  t.is(world.context.openUntilMs, 1_060_000);
  world.clock.advance(999);
  t.is(world.state, 'open');
  world.clock.advance(1);
  t.is(world.state, 'halfOpen.waiting');
  t.deepEqual(world.told, ['breaker.opened', 'breaker.half_opened']);
});

test('M2, FM 19: where the timer is late, the clock says that the time is over', (t) => {
  const world = new World().trip();
  world.clock.stall(60_000);
  t.is(world.state, 'open');
  world.send('open.elapsed');
  t.is(world.state, 'halfOpen.waiting');
  world.clock.advance(0);
  t.is(world.state, 'halfOpen.waiting', 'the late timer finds nothing to do');
  t.deepEqual(world.told, ['breaker.opened', 'breaker.half_opened']);
});

test('FM 14: failures, ticks and renewals while open do not push its end out', (t) => {
  const world = new World().trip();
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

const openTime = test.macro<[title: string, change: (w: World) => World, leftMs: number]>({
  exec(t, _, change, leftMs) {
    const world = new World({ open_seconds: 300 }).trip();
    world.clock.advance(20_000);
    const { generation, epoch, openedAtMs } = change(world).context;
    t.is(world.context.openUntilMs - world.clock.now(), leftMs);
    world.clock.advance(leftMs - 1);
    t.is(world.state, 'open');
    t.like(world.context, { generation, epoch, openedAtMs });
    world.clock.advance(1);
    t.is(world.state, 'halfOpen.waiting');
    t.deepEqual(world.told, ['breaker.opened', 'breaker.half_opened']);
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
  const world = new World({ open_seconds: 60 }).trip();
  for (let i = 0; i < 2; i++) {
    world.clock.advance(world.context.openUntilMs - world.clock.now());
    world.send('probe.started').endProbe('failed');
  }
  t.is(world.context.openUntilMs - world.clock.now(), 240_000);
  t.is(world.change({ open_seconds: 10 }).context.openUntilMs - world.clock.now(), 40_000);
  t.is(world.change({ open_max_seconds: 15 }).context.openUntilMs - world.clock.now(), 15_000);
});

test('BREAKER-MACHINE-7: settings that change while open apply to the next time it opens', (t) => {
  const world = new World().trip().change({ open_seconds: 1 });
  world.clock.advance(1000);
  world.send('probe.started').endProbe('failed');
  t.is(world.context.openUntilMs - world.clock.now(), 2000);
});

const rampTime = test.macro<[title: string, change: (w: World) => World, leftMs: number]>({
  exec(t, _, change, leftMs) {
    const world = new World({ recovery_ramp_seconds: 100 }).send('breaker.enable');
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
  const world = new World({}, { leaseMs: 60_000 }).trip();
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
  const world = new World().trip();
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
  const world = new World().trip();
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
    const world = new World().recover();
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
  const world = new World().recover().trip().send('breaker.reset').trip();
  t.is(world.context.trips, 1);
  t.is(world.context.openUntilMs - world.clock.now(), 60_000);
});

test('trips: a release from forced closed forgets them', (t) => {
  const world = new World().recover().trip().send('breaker.force_close').send('breaker.release').trip();
  t.is(world.context.trips, 1);
});

// Evidence

test('opened: tells reason and evidence as they were before the window was emptied', (t) => {
  const world = new World().succeed(3);
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
  [why: string, settings: Partial<BreakerSettings>, run: (w: World) => World, expected: TripReason]
>({
  exec(t, _, settings, run, expected) {
    const world = run(new World(settings));
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
test(reason, 'at a tick as at a failure', {}, (w) => EVENTS['tick, rules met'](w), 'failure_count');
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
  const world = new World().halfOpen();
  world.send('probe.started').endProbe('succeeded').send('probe.started');
  world.clock.advance(5);
  world.endProbe('failed');
  t.deepEqual(world.emitted.at(-1), {
    type: 'breaker.opened',
    reason: 'probe_failed',
    evidence: {
      failures: 1,
      outcomes: 2,
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
  const world = new World().halfOpen().send('probe.started').endProbe('failed');
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
  const world = new World().trip().send('breaker.reset');
  t.like(world.emitted.at(-1), { type: 'breaker.closed', recovered: false });
  t.is(world.context.openedAtMs, null);
});

// BREAKER-MACHINE-3

test('BREAKER-MACHINE-3: it closes at the success that makes the number, not before, and starts with an empty window', (t) => {
  const world = new World({ half_open_successes: 3 }).halfOpen();
  for (let i = 0; i < 2; i++) world.send('probe.started').endProbe('succeeded');
  t.is(world.state, 'halfOpen.waiting');
  world.send('probe.started').endProbe('succeeded');
  t.is(world.state, 'closed.recovering');
  t.is(world.window.outcomes(world.clock.now()), 0);
});

test('BREAKER-MACHINE-3: probes side by side count like probes one after the other', (t) => {
  const world = new World({ half_open_successes: 3 }).halfOpen();
  world.send('probe.started').send('probe.started').send('probe.started');
  world.endProbe('succeeded').endProbe('succeeded');
  t.is(world.state, 'halfOpen.probing');
  t.is(world.context.probes.length, 1);
  world.endProbe('succeeded');
  t.is(world.state, 'closed.recovering');
});

test('BREAKER-MACHINE-3: one success closes where one is enough', (t) => {
  t.is(new World({ half_open_successes: 1 }).recover().state, 'closed.recovering');
});

test('M3, FM 14: successes of an earlier half-open do not count in the next', (t) => {
  const world = new World().halfOpen();
  world.send('probe.started').endProbe('succeeded').send('probe.started').endProbe('failed');
  world.clock.advance(120_000);
  world.send('probe.started').endProbe('succeeded');
  t.is(world.state, 'halfOpen.waiting');
});

test('BREAKER-MACHINE-3: a success that makes the number closes although another probe is still out', (t) => {
  const world = new World().halfOpen().send('probe.started').send('probe.started').send('probe.started');
  world.endProbe('succeeded').endProbe('succeeded');
  t.is(world.state, 'closed.recovering');
  t.deepEqual(world.context.probes, []);
  world.clock.advance(LEASE_MS * 2);
  t.is(world.state, 'closed', 'its lease went with the state');
});

test('M3, FM 3: a probe that never settles re-opens when its lease is over, and the next one is offered', (t) => {
  const world = new World().halfOpen().send('probe.started');
  world.clock.advance(LEASE_MS - 1);
  t.is(world.state, 'halfOpen.probing');
  world.clock.advance(1);
  t.is(world.state, 'open');
  t.is(world.context.openUntilMs - world.clock.now(), 120_000);
  world.clock.advance(120_000);
  t.is(world.state, 'halfOpen.waiting');
});

test('BREAKER-MACHINE-3: the lease is that of the oldest probe that is out', (t) => {
  const world = new World({ half_open_successes: 9 }).halfOpen();
  const first = world.clock.now();
  world.send('probe.started');
  world.clock.advance(1000);
  const second = world.clock.now();
  world.send('probe.started');
  world.clock.advance(1000);
  world.send('probe.started');
  world.endProbe('succeeded', first);
  world.clock.advance(LEASE_MS - 1001);
  t.is(world.state, 'halfOpen.probing', 'the first would be over by now');
  world.endProbe('released', second);
  world.clock.advance(1000);
  t.is(world.state, 'halfOpen.probing', 'the second would be over by now');
  t.is(world.context.probes.length, 1);
  world.clock.advance(1);
  t.is(world.state, 'open');
});

test('BREAKER-MACHINE-3: where a younger probe ends, the lease of the oldest goes on from when that one started', (t) => {
  const world = new World({ half_open_successes: 9 }).halfOpen();
  for (let i = 0; i < 3; i++) {
    world.send('probe.started');
    world.clock.advance(1000);
  }
  world.endProbe('succeeded', world.context.probes[1]);
  t.is(world.context.probes.length, 2);
  world.clock.advance(LEASE_MS - 3001);
  t.is(world.state, 'halfOpen.probing');
  world.clock.advance(1);
  t.is(world.state, 'open');
});

test('BREAKER-MACHINE-3: a probe that ends is the one that is named, whatever the order', (t) => {
  const world = new World({ half_open_successes: 9 }).halfOpen();
  const first = world.clock.now();
  world.send('probe.started');
  world.clock.advance(1000);
  world.send('probe.started').endProbe('succeeded', world.clock.now());
  t.deepEqual(world.context.probes, [first]);
  world.clock.advance(LEASE_MS - 1000);
  t.is(world.state, 'open');
});

test('M3, FM 8: with no probe out it stays half-open as long as nobody comes, and closes with the first that do', (t) => {
  const world = new World().halfOpen();
  t.is(world.clock.armed, 0);
  world.clock.advance(86_400_000);
  t.is(world.state, 'halfOpen.waiting');
  world.send('probe.started').endProbe('released');
  world.clock.advance(86_400_000);
  t.is(world.state, 'halfOpen.waiting');
  world.send('probe.started').endProbe('succeeded').send('probe.started').endProbe('succeeded');
  t.is(world.state, 'closed.recovering');
});

test('BREAKER-MACHINE-3: a lease that is shortened applies to the next probe', (t) => {
  const world = new World().halfOpen().change({}, 100).send('probe.started');
  world.clock.advance(99);
  t.is(world.state, 'halfOpen.probing');
  world.clock.advance(1);
  t.is(world.state, 'open');
});

test('BREAKER-MACHINE-3: fewer successes asked for while some are in close with the next', (t) => {
  const world = new World({ half_open_successes: 9 }).halfOpen();
  for (let i = 0; i < 4; i++) world.send('probe.started').endProbe('succeeded');
  world.change({ half_open_successes: 2 });
  t.is(world.state, 'halfOpen.waiting');
  world.send('probe.started').endProbe('succeeded');
  t.is(world.state, 'closed.recovering');
});

// Settings, in every state

const settingsIn = test.macro<[state: State]>({
  exec(t, state) {
    const world = STATES[state](new World());
    const { generation, epoch } = world.context;
    world.emitted.length = 0;
    world.change({ window_seconds: 120, failure_threshold: 2 }, 777);
    t.is(world.state, state);
    t.is(world.context.generation, generation);
    t.is(world.context.epoch, epoch);
    t.is(world.context.settings.failure_threshold, 2);
    t.is(world.context.leaseMs, 777);
    t.is(world.window.windowMs, 120_000);
    t.deepEqual(world.told, []);
    world.send('breaker.reset').fail(2);
    t.is(world.state, 'open');
  },
  title: (_, state) => `settings.changed: applies from the next evaluation on and renews nothing, while ${state}`,
});
for (const state of Object.keys(STATES) as State[]) test(settingsIn, state);

test('settings.changed: outcomes in the window are kept and judged by the new rules at the next failure', (t) => {
  const world = new World().fail(3).change({ failure_threshold: 4, window_seconds: 120 });
  t.is(world.state, 'closed');
  world.fail(1);
  t.is(world.state, 'open');
});

// Warnings

test('circuit_breaker_enabled false: never opens, and says once per window that it would have', (t) => {
  const world = new World({ circuit_breaker_enabled: false });
  for (let i = 0; i < 100; i++) {
    world.fail(1).send('tick');
    world.clock.advance(599);
  }
  t.is(world.state, 'closed');
  t.deepEqual(world.told, ['breaker.would_open']);
  world.clock.advance(3000);
  world.fail(1).send('tick').fail(1);
  t.deepEqual(world.told, ['breaker.would_open', 'breaker.would_open']);
  t.like(world.emitted[0], { reason: 'failure_count', evidence: { failures: 5 } });
});

test('circuit_breaker_enabled true again: opens at the next failure', (t) => {
  const world = new World({ circuit_breaker_enabled: false }).fail(9).change({ circuit_breaker_enabled: true });
  t.is(world.state, 'closed');
  world.fail(1);
  t.is(world.state, 'open');
});

test('high_failure_count: told once per window while the floor holds the count back', (t) => {
  const world = new World().succeed(1000).fail(4);
  t.deepEqual(world.told, []);
  world.fail(1);
  t.deepEqual(world.told, ['breaker.high_failure_count']);
  for (let i = 0; i < 5; i++) world.fail(1).send('tick');
  t.is(world.emitted.length, 1);
  world.clock.advance(60_000);
  world.succeed(1000).fail(5);
  t.deepEqual(world.told, ['breaker.high_failure_count', 'breaker.high_failure_count']);
  t.is(world.state, 'closed');
});

test('attempt.failed and tick: where there is nothing to warn of they are no transition', (t) => {
  for (const world of [new World(), new World().send('breaker.force_close')]) {
    let transitions = 0;
    world.actor.system.inspect((event) => {
      if (event.type === '@xstate.microstep') transitions += event._transitions.length;
    });
    world.fail(4).send('tick');
    t.is(transitions, 0);
    world.succeed(1000).fail(1);
    t.deepEqual([transitions, world.told], [1, ['breaker.high_failure_count']]);
    world.fail(1).send('tick');
    t.is(transitions, 1);
  }
});

test('forced closed: lets everything through, records, and says once per window what it would have done', (t) => {
  const world = new World().send('breaker.force_close').fail(5).fail(5).send('tick');
  t.is(world.state, 'forcedClosed');
  t.deepEqual(world.told, ['breaker.would_open']);
  t.is(world.window.failures(world.clock.now()), 10);
});

test('release from forced closed: starts with an empty window, so that old failures open nothing', (t) => {
  const world = new World().send('breaker.force_close').fail(50).send('breaker.release').fail(4);
  t.is(world.state, 'closed');
  world.fail(1);
  t.is(world.state, 'open');
});

test('isolated: no timer and no outcome ends it', (t) => {
  const world = new World().trip().send('breaker.isolate');
  t.is(world.clock.armed, 0);
  world.clock.advance(1e9);
  t.is(world.state, 'isolated');
});

// Delays

const safeDelays = test.macro<[settings: Partial<BreakerSettings>, leaseMs: number, facts: Partial<BreakerFacts>]>({
  exec(t, settings, leaseMs, facts) {
    const world = new World(settings, { leaseMs, facts: { ...CLOSED, ...facts } });
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
    const world = new World({}, { facts: { ...CLOSED, state: 'open', openRemainingMs } });
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
  const world = new World();
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
  const world = new World({}, { leaseMs: Number.NaN }).halfOpen().send('probe.started');
  t.deepEqual(
    world.clock.delays.filter((ms) => !isSafeDelay(ms)),
    [],
  );
  world.clock.advance(0);
  t.is(world.state, 'open');
});

test('FM 53: a breaker that is stopped leaves no timer behind, from any state', (t) => {
  for (const state of Object.keys(STATES) as State[]) {
    const world = STATES[state](new World());
    world.actor.stop();
    t.is(world.clock.armed, 0, state);
  }
});

// BREAKER-MACHINE-6

test('BREAKER-MACHINE-6: after probes closed it, it recovers for exactly its ramp', (t) => {
  const world = new World().recover();
  world.clock.advance(4999);
  t.is(world.state, 'closed.recovering');
  const { generation, epoch } = world.context;
  world.clock.advance(1);
  t.is(world.state, 'closed');
  t.is(world.context.generation, generation, 'the same generation goes on');
  t.is(world.context.epoch, epoch, 'the world is told of no transition');
});

test('BREAKER-MACHINE-6: with a ramp of 0 it is closed at once, and no timer is armed', (t) => {
  const world = new World({ recovery_ramp_seconds: 0 }).recover();
  t.is(world.state, 'closed');
  t.is(world.clock.armed, 0);
});

test('BREAKER-MACHINE-6: a boot, a reset and a release are followed by no slow start', (t) => {
  t.is(new World().state, 'closed');
  t.is(new World().trip().send('breaker.reset').state, 'closed');
  t.is(new World().send('breaker.force_close').send('breaker.release').state, 'closed');
});

test('BREAKER-MACHINE-6: trips while recovering count as trips in a row', (t) => {
  const world = new World().recover().trip();
  t.is(world.state, 'open');
  t.is(world.context.trips, 2);
});

// Paths through the statechart, found by the library and driven on a real actor

const OPEN_TIMER = 'xstate.after.openTime.breaker.open';
const RAMP_TIMER = 'xstate.after.rampTime.breaker.closed.recovering';
const LEASE_TIMER = 'xstate.after.lease.breaker.halfOpen.probing';

/** To find paths, the rules are met whenever somebody asks, and every time is over. */
class MetWindow extends DecisionWindow {
  override failures = () => 5;
  override outcomes = () => 5;
}

const PATH_INPUT: BreakerInput = {
  window: new MetWindow(60_000),
  settings: breakerSettings(),
  leaseMs: LEASE_MS,
  now: () => 1e12,
  random: () => 0,
  nextGeneration: () => 0,
  override: null,
  facts: CLOSED,
  mustProve: false,
};

/** A timer's event carries no time: the clock is asked. */
const at = (type: string): BreakerEvent =>
  (type.startsWith('xstate.') ? { type } : { type, nowMs: 0, startedMs: 0 }) as unknown as BreakerEvent;
const OWN_EVENTS = [
  'attempt.failed',
  'probe.started',
  'probe.succeeded',
  'probe.failed',
  'probe.released',
  'ramp.completed',
  OPEN_TIMER,
  LEASE_TIMER,
  RAMP_TIMER,
].map(at);
const PERSONS_EVENTS = [
  'breaker.isolate',
  'breaker.force_close',
  'breaker.release',
  'breaker.reset',
  'breaker.probe',
  'breaker.enable',
  'subject.changed',
].map(at);

const traversal = (events: readonly BreakerEvent[]) => ({
  input: PATH_INPUT,
  events,
  serializeState: (snapshot: ReturnType<typeof breakerMachine.resolveState>) =>
    JSON.stringify([snapshot.value, snapshot.context.probes.length, snapshot.context.probeSuccesses]),
  filterEvents: (snapshot: ReturnType<typeof breakerMachine.resolveState>, event: BreakerEvent) =>
    !(event.type === 'probe.started' && snapshot.context.probes.length >= 2) && snapshot.can(event),
});

function drive(t: ExecutionContext, world: World, type: string): void {
  if (type === OPEN_TIMER || type === LEASE_TIMER || type === RAMP_TIMER) {
    const before = world.state;
    const { openUntilMs, probes, closedAtMs } = world.context;
    const rampEndMs = closedAtMs + world.settings.recovery_ramp_seconds * 1000;
    const endMs =
      type === OPEN_TIMER ? openUntilMs : type === RAMP_TIMER ? rampEndMs : (probes[0] as number) + LEASE_MS;
    world.clock.advance(endMs - world.clock.now() - 1);
    t.is(world.state, before, `${type} does not fire a millisecond early`);
    world.clock.advance(1);
  } else if (type === 'attempt.failed') world.fail(5);
  else if (/^probe\.(succeeded|failed|released)$/.test(type))
    world.endProbe(type.slice('probe.'.length) as 'succeeded' | 'failed' | 'released');
  else world.send(type as PlainEvent);
}

function driveAll(t: ExecutionContext, paths: ReturnType<typeof getShortestPaths<typeof breakerMachine>>): number {
  let steps = 0;
  for (const path of paths) {
    const world = new World();
    for (const { event, state } of path.steps) {
      if ((event.type as string) !== 'xstate.init') drive(t, world, event.type);
      t.deepEqual(world.actor.getSnapshot().value, state.value, path.steps.map((s) => s.event.type).join(' > '));
      t.is(world.context.probes.length, state.context.probes.length);
      t.is(world.context.probeSuccesses, state.context.probeSuccesses);
      steps++;
    }
    t.deepEqual(world.errors, []);
    world.actor.stop();
    t.is(world.clock.armed, 0);
  }
  return steps;
}

test('paths: the shortest way into every state exists and goes as the statechart says', (t) => {
  const paths = getShortestPaths(breakerMachine, traversal([...OWN_EVENTS, ...PERSONS_EVENTS]));
  const reached = new Set(paths.map((path) => JSON.stringify(path.state.value)));
  t.is(reached.size, 7);
  t.true(driveAll(t, paths) >= 20);
});

test('paths: every simple way that traffic and timers can take goes as the statechart says', (t) => {
  const paths = getSimplePaths(breakerMachine, traversal(OWN_EVENTS));
  t.true(paths.length >= 10, `${paths.length} paths`);
  t.true(driveAll(t, paths) >= 40);
});

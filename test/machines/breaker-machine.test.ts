// Every event in every state, with which state a breaker is restored, and other settings in every state.
import test from 'ava';
import type { BreakerEmitted, BreakerFacts, BreakerInput } from '../../src/machines/breaker-types.js';
import { CLOSED, MachineWorld, STATES, type State } from '../helpers/machine-world.js';

const EVENTS = {
  'attempt.failed': (w: MachineWorld) => w.fail(1),
  'attempt.failed, rules met': (w: MachineWorld) => w.fail(5),
  'attempt.succeeded': (w: MachineWorld) => {
    w.actor.send({ type: 'attempt.succeeded', successes: 3, nowMs: w.clock.now() });
  },
  tick: (w: MachineWorld) => w.send('tick'),
  'tick, rules met': (w: MachineWorld) => w.recordFailures(5).send('tick'),
  'open.elapsed, too early': (w: MachineWorld) => w.send('open.elapsed', w.context.openUntilMs - 0.001),
  'open.elapsed, in time': (w: MachineWorld) => w.send('open.elapsed', w.context.openUntilMs),
  'probe.started': (w: MachineWorld) => w.send('probe.started'),
  'probe.succeeded': (w: MachineWorld) => w.endProbe('succeeded'),
  'probe.failed': (w: MachineWorld) => w.endProbe('failed'),
  'probe.released': (w: MachineWorld) => w.endProbe('released'),
  'breaker.isolate': (w: MachineWorld) => w.send('breaker.isolate'),
  'breaker.force_close': (w: MachineWorld) => w.send('breaker.force_close'),
  'breaker.release': (w: MachineWorld) => w.send('breaker.release'),
  'breaker.reset': (w: MachineWorld) => w.send('breaker.reset'),
  'breaker.probe': (w: MachineWorld) => w.send('breaker.probe'),
  'breaker.enable': (w: MachineWorld) => w.send('breaker.enable'),
  'ramp.completed': (w: MachineWorld) => w.send('ramp.completed'),
  'breaker.renew': (w: MachineWorld) => w.send('breaker.renew'),
  'subject.changed': (w: MachineWorld) => w.send('subject.changed'),
  'settings.changed': (w: MachineWorld) => w.change({ failure_threshold: 7 }),
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
    const world = STATES[from](new MachineWorld());
    t.is(world.state, from);
    const { generation, epoch } = world.context;
    world.emitted.length = 0;
    EVENTS[event](world);
    t.is(world.state, to);
    t.is(world.context.generation > generation, renews);
    t.is(world.context.epoch, epoch + (counts ? 1 : 0));
    t.deepEqual(world.eventTypes, tells);
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
    const world = new MachineWorld({}, { facts: { ...CLOSED, epoch: 7, trips: 2, ...facts }, ...input });
    t.is(world.state, expected);
    t.is(world.context.trips, 2);
    t.deepEqual(world.eventTypes, [], 'what was so before is no news');
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

test('BREAKER-MACHINE-4, FM 51, FM 52: an open breaker that is restored stays open for exactly the time left', (t) => {
  const world = new MachineWorld(
    {},
    { facts: { ...CLOSED, state: 'open', openRemainingMs: 12_000, openedAgoMs: 48_000 } },
  );
  t.is(world.context.openedAtMs, 1_000_000 - 48_000);
  world.clock.advance(11_999);
  t.is(world.state, 'open');
  world.clock.advance(1);
  t.is(world.state, 'halfOpen.waiting');
  t.deepEqual(world.eventTypes, ['breaker.half_opened']);
});

test('BREAKER-MACHINE-4, FM 51: an isolation that is restored can be released', (t) => {
  const world = new MachineWorld(
    {},
    { override: 'isolated', facts: { ...CLOSED, state: 'open', openRemainingMs: 60_000 } },
  );
  world.send('breaker.release');
  t.is(world.state, 'halfOpen.waiting');
});

// Settings, in every state

const settingsIn = test.macro<[state: State]>({
  exec(t, state) {
    const world = STATES[state](new MachineWorld());
    const { generation, epoch } = world.context;
    world.emitted.length = 0;
    world.change({ window_seconds: 120, failure_threshold: 2 }, 777);
    t.is(world.state, state);
    t.is(world.context.generation, generation);
    t.is(world.context.epoch, epoch);
    t.is(world.context.settings.failure_threshold, 2);
    t.is(world.context.leaseMs, 777);
    t.is(world.window.windowMs, 120_000);
    t.deepEqual(world.eventTypes, []);
    world.send('breaker.reset').fail(2);
    t.is(world.state, 'open');
  },
  title: (_, state) => `settings.changed: applies from the next evaluation on and renews nothing, while ${state}`,
});
for (const state of Object.keys(STATES) as State[]) test(settingsIn, state);

test('settings.changed: outcomes in the window are kept and judged by the new rules at the next failure', (t) => {
  const world = new MachineWorld().fail(3).change({ failure_threshold: 4, window_seconds: 120 });
  t.is(world.state, 'closed');
  world.fail(1);
  t.is(world.state, 'open');
});

test('FM 53: a breaker that is stopped leaves no timer behind, from any state', (t) => {
  for (const state of Object.keys(STATES) as State[]) {
    const world = STATES[state](new MachineWorld());
    world.actor.stop();
    t.is(world.clock.armed, 0, state);
  }
});

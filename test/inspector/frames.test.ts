import { createInspector, type StatelyInspectionEvent } from '@statelyai/inspect';
import test from 'ava';
import { type AnyEventObject, createActor, createMachine } from 'xstate';
import { toDirectedGraph } from 'xstate/graph';
import { DecisionWindow } from '../../src/domain/breaker/decision-window.js';
import { EpochTimes } from '../../src/inspector/epoch-times.js';
import {
  actorFrame,
  controlFrame,
  eventFrame,
  FORMAT_VERSION,
  SHOWN_CONTEXT,
  SHOWN_INPUT,
  snapshotFrame,
} from '../../src/inspector/frames.js';
import { breakerMachine } from '../../src/machines/breaker-machine.js';
import { supervisorMachine } from '../../src/machines/supervisor-machine.js';
import { breakerSettings } from '../helpers/breaker-settings.js';
import { SimulatedClock } from '../helpers/simulated-clock.js';
import { until } from '../helpers/until.js';
import type { Frame } from './helpers.js';

const stamp = {
  name: 'a@v1',
  boot: 'boot',
  atMs: 1_700_000_000_123.4,
  epochOf: (ms: number) => 1_700_000_000_000 + ms,
};
const TIMES = ['openedAtMs', 'openUntilMs', 'closedAtMs', 'rampUntilMs', 'probes', 'leasesUntilMs', 'warnedAtMs'];

/** What the real package sends of a breaker that fails, and what we send of the same. */
async function both(): Promise<{ theirs: StatelyInspectionEvent[]; ours: Frame[] }> {
  const theirs: StatelyInspectionEvent[] = [];
  const ours: Frame[] = [];
  const inspector = createInspector({ send: (event) => theirs.push(event) }, { serializationDepthLimit: 20 });
  const clock = new SimulatedClock(1000);
  const window = new DecisionWindow(60_000);
  const actor = createActor(breakerMachine, {
    id: 'a@v1',
    clock,
    input: {
      window,
      settings: breakerSettings({ failure_threshold: 2 }),
      leaseMs: 2000,
      now: clock.now,
      random: () => 0,
      nextGeneration: () => 1,
      override: null,
      facts: { state: 'closed', openRemainingMs: 0, openedAgoMs: null, trips: 0, epoch: 0 },
      mustProve: false,
    },
    inspect: (inspected) => {
      inspector.inspect.next?.(inspected);
      if (inspected.type === '@xstate.event')
        ours.push(frame(eventFrame(stamp, inspected.event, inspected.sourceRef !== undefined)));
      if (inspected.type === '@xstate.snapshot')
        ours.push(
          frame(snapshotFrame(stamp, inspected.event, inspected.snapshot as ReturnType<typeof actor.getSnapshot>)),
        );
    },
  });
  ours.push(frame(actorFrame(stamp, breakerMachine.config, actor.getSnapshot())));
  actor.start();
  for (let i = 0; i < 2; i++) {
    window.recordFailure(clock.now());
    actor.send({ type: 'attempt.failed', nowMs: clock.now() });
  }
  clock.advance(60_000);
  actor.stop();
  // It converts each of them in a timer of its own.
  await until('it has converted them all', () => theirs.length >= ours.length);
  return { theirs: JSON.parse(JSON.stringify(theirs)) as StatelyInspectionEvent[], ours };
}

const frame = (text: string): Frame => JSON.parse(text) as Frame;

test('frames are those of the real package: the same kinds in the same order with the same members', async (t) => {
  const { theirs, ours } = await both();
  t.is(theirs.length, 10);
  t.deepEqual(
    ours.map((one) => one.type),
    theirs.map((one) => one.type),
  );
  for (const [i, their] of theirs.entries()) {
    const our = ours[i] as Frame;
    t.deepEqual(Object.keys(our).sort(), Object.keys(their).sort());
    for (const [name, value] of Object.entries(their)) t.is(typeof our[name as keyof Frame], typeof value, name);
    if (their.type === '@xstate.actor' || our.type === '@xstate.actor') continue;
    t.is(our.event?.type, their.event.type);
    if (their.type === '@xstate.event') continue;
    const { snapshot } = their as unknown as { snapshot: NonNullable<Frame['snapshot']> };
    t.is(our.snapshot?.status, snapshot.status);
    t.deepEqual(our.snapshot?.value, snapshot.value);
    t.deepEqual(Object.keys(our.snapshot ?? {}).sort(), Object.keys(snapshot).sort());
    // By reference; theirs is read later.
    for (const [name, value] of Object.entries(our.snapshot?.context ?? {}))
      if (name !== 'window' && !TIMES.includes(name)) t.deepEqual(value, snapshot.context[name], name);
  }
});

test('the version is that of the package, and numbers and times are spelled as there', async (t) => {
  const { theirs } = await both();
  t.is(theirs[0]?._version, FORMAT_VERSION);
  const sent = frame(eventFrame(stamp, { type: 'tick', nowMs: 5 }, false)) as Record<string, unknown>;
  t.deepEqual(sent, {
    type: '@xstate.event',
    event: { type: 'tick', nowMs: 1_700_000_000_005 },
    sessionId: 'boot/a@v1',
    rootId: 'boot/a@v1',
    _version: '0.7.2',
    createdAt: '1700000000123',
    id: null,
  });
  t.is(frame(eventFrame(stamp, { type: 'xstate.after.lease' }, true)).sourceId, 'boot/a@v1');
});

test('FRAMES-1: session and root are one id, of the daemon and the actor; the name is that of the actor', async (t) => {
  const { ours } = await both();
  for (const one of ours as (Frame & { rootId?: string })[])
    t.deepEqual([one.sessionId, one.rootId], ['boot/a@v1', 'boot/a@v1']);
  t.is(ours[0]?.name, 'a@v1');
  const other = frame(eventFrame({ ...stamp, boot: 'other' }, { type: 'tick' }, false));
  t.not(other.sessionId, ours[0]?.sessionId, 'of another daemon');
});

test('FRAMES-5: times in a context are epoch milliseconds, and null for never', async (t) => {
  const { theirs, ours } = await both();
  const [opened] = ours.filter((one) => one.snapshot?.value === 'open');
  const at = theirs.map((one) => (one as { snapshot?: { value: unknown; context: Record<string, number> } }).snapshot);
  const monotonic = at.find((one) => one?.value === 'open')?.context;
  t.is(opened?.snapshot?.context.openUntilMs, stamp.epochOf(monotonic?.openUntilMs as number));
  t.is(opened?.snapshot?.context.openedAtMs, stamp.epochOf(1000));
  const first = ours.find((one) => one.snapshot?.value !== 'open');
  t.like(first?.snapshot?.context, {
    openedAtMs: null,
    probes: [],
    leasesUntilMs: [],
  });
});

test('FRAMES-5: infinite and missing times are null; lists and records keep their shape', (t) => {
  const epochOf = new EpochTimes({ now: () => 0 }, () => 100).at;
  const times = {
    openUntilMs: Number.NEGATIVE_INFINITY,
    openedAtMs: null,
    probes: [1, 2],
    warnedAtMs: { wouldOpen: Number.NEGATIVE_INFINITY, highFailureCount: 5 },
    leaseMs: 7,
  };
  const snapshot = createActor(createMachine({ id: 'breaker', context: times })).getSnapshot();
  const sent = frame(snapshotFrame({ ...stamp, epochOf }, { type: 'x' }, snapshot));
  t.deepEqual(sent.snapshot?.context, {
    openUntilMs: null,
    openedAtMs: null,
    probes: [101, 102],
    warnedAtMs: { wouldOpen: null, highFailureCount: 105 },
    leaseMs: 7,
  });
});

test('EPOCH-TIMES-1: a time is the same at each read, also while the clocks disagree by a little, until one is set', (t) => {
  let now = 1000;
  let ahead = 500;
  const times = new EpochTimes({ now: () => now }, () => now + ahead);
  const first = times.at(900.4);
  t.is(first, 1400);
  for (const off of [500.6, 499.4, 503, 490]) {
    now += 77.7;
    ahead = off;
    t.is(times.at(900.4), first);
  }
  ahead = 500 + 3_600_000;
  t.is(times.at(900.4), 1400 + 3_600_000, 'the wall clock was set');
});

test('FRAMES-2: every member of the context is shown, or kept back on purpose', async (t) => {
  const { theirs } = await both();
  const snapshot = theirs.find((one) => one.type === '@xstate.snapshot')?.snapshot as unknown as Frame['snapshot'];
  const KEPT_BACK = ['boot', 'now', 'random', 'nextGeneration'];
  t.deepEqual(
    Object.keys(snapshot?.context ?? {}).sort(),
    [...Object.keys(SHOWN_CONTEXT.breaker ?? {}), ...KEPT_BACK].sort(),
  );
});

test('FRAMES-2: every member of the context of the supervisor is shown', (t) => {
  const { context } = createActor(supervisorMachine).getSnapshot();
  t.deepEqual(Object.keys(SHOWN_CONTEXT.supervisor ?? {}).sort(), Object.keys(context).sort());
});

test('FRAMES-2: no function goes out, and of an input only what is listed', async (t) => {
  const { ours } = await both();
  const init = ours.find((one) => one.event?.type === 'xstate.init');
  t.deepEqual(Object.keys(init?.event?.input as object).sort(), [...SHOWN_INPUT].sort());
  t.notRegex(JSON.stringify(ours), /nextGeneration|"random"|"now"/);
  const secret = { ...createActor(createMachine({ context: { token: 'hidden', trips: 1 } })).getSnapshot() };
  t.notRegex(snapshotFrame(stamp, { type: 'x' }, secret), /hidden/);
});

test('FRAMES-2: the window shows its totals', async (t) => {
  const { ours } = await both();
  const failed = ours.find((one) => one.type === '@xstate.snapshot' && one.event?.type === 'attempt.failed');
  t.like(failed?.snapshot?.context.window, { failures: 1, successes: 0 });
});

test('FRAMES-3: a control frame is none of the format', (t) => {
  for (const control of [
    controlFrame({ control: 'watching', targets: ['a@v1'], left_out: 0 }),
    controlFrame({ control: 'dropped', target: 'a@v1', events: 1, snapshots: 2 }),
  ]) {
    const sent = JSON.parse(control) as AnyEventObject;
    t.false('type' in sent || '_version' in sent);
  }
});

test('FRAMES-4: a chart can be drawn from the definition, its states in the order they were written', async (t) => {
  const { ours } = await both();
  const definition = JSON.parse(ours[0]?.definition ?? '') as { states: Record<string, object> };
  t.deepEqual(Object.keys(definition.states), ['restoring', 'closed', 'open', 'halfOpen', 'isolated', 'forcedClosed']);
  const graph = toDirectedGraph(createMachine(definition));
  t.deepEqual(
    graph.children.map((child) => child.stateNode.key),
    Object.keys(definition.states),
  );
  t.true(
    graph.children.flatMap((child) => child.edges).some((edge) => edge.transition.eventType === 'attempt.succeeded'),
  );
  t.regex(ours[0]?.definition ?? '', /"guard":"shouldTrip"/);
});

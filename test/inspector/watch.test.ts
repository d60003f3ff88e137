// What a watch does to an actor, and that there is none without one.
import test, { type ExecutionContext } from 'ava';
import { Actor, type AnyActor, type AnyEventObject } from 'xstate';
import type { ActorObserver } from '../../src/actors/ports/api.js';
import { Watch } from '../../src/inspector/watch.js';
import { extensionRow, registryEntry, snapshotOf, versionRow } from '../helpers/registry-rows.js';
import { InspectedWorld, told } from './helpers.js';

/** Everything that any actor of this process is sent, and how many observers are attached to its systems. */
function spy(t: ExecutionContext): { readonly sent: { actor: string; type: string }[]; attached(): number } {
  const sent: { actor: string; type: string }[] = [];
  let attached = 0;
  const { subscribe } = Actor.prototype;
  // A target subscribes to each actor before anything else is done with it.
  Actor.prototype.subscribe = function (this: AnyActor, ...observers: never) {
    const { inspect } = this.system;
    this.system.inspect = (observer: Parameters<typeof inspect>[0]) => {
      attached++;
      const subscription = inspect(observer);
      return {
        unsubscribe: () => {
          attached--;
          subscription.unsubscribe();
        },
      };
    };
    const send = this.send.bind(this);
    this.send = (event: AnyEventObject) => {
      sent.push({ actor: this.id, type: event.type });
      send(event);
    };
    return subscribe.apply(this, observers);
  };
  t.teardown(() => {
    Actor.prototype.subscribe = subscribe;
  });
  return { sent, attached: () => attached };
}

const started = (...ids: string[]): InspectedWorld => {
  const world = new InspectedWorld();
  world.feed$.next(snapshotOf(1, ...ids.map((id) => registryEntry(extensionRow(id)))));
  return world;
};

test.serial(
  'BREAKER-HOST-3, ACTOR-INSPECTION-1: an actor that nobody watches has no observer and is sent no success',
  (t) => {
    const { sent, attached } = spy(t);
    const world = started('a', 'b');
    const viewer = world.view('extension=a');
    t.is(attached(), 1);
    world.calls('a', 3);
    world.calls('b', 3);
    const toTargets = sent.filter(({ actor }) => actor !== 'supervisor');
    t.deepEqual(toTargets, [{ actor: 'a@v1', type: 'attempt.succeeded' }], 'of three at once, one sample');
    viewer.left();
    t.is(attached(), 0);
    world.clock.advance(1000);
    sent.length = 0;
    world.calls('a', 3);
    t.deepEqual(sent, []);
  },
);

test.serial('HUB-1: an actor has one observer however many viewers it has, until the last one leaves', (t) => {
  const { attached } = spy(t);
  const world = started('a', 'b');
  const viewers = ['extension=a', 'extension=*&supervisor=false', 'extension=b&extension=a'].map((query) =>
    world.view(query),
  );
  t.is(attached(), 2);
  viewers[1]?.left();
  viewers[2]?.left();
  t.is(attached(), 1);
  viewers[0]?.left();
  t.is(attached(), 0);
  viewers[0]?.left();
  t.is(world.clock.armed, started('a', 'b').clock.armed, 'the hub keeps no timer');
});

test.serial('ACTOR-INSPECTION-1: an actor that is removed while it is watched keeps no observer', (t) => {
  const { attached } = spy(t);
  const world = started('a');
  const viewer = world.view('extension=a');
  world.feed$.next(snapshotOf(2));
  world.clock.advance(1000);
  t.is(attached(), 0);
  viewer.left();
  t.is(attached(), 0);
});

test.serial('HUB-1, HUB-2: without viewers nothing is observed, kept or timed, whatever happens', (t) => {
  const { attached } = spy(t);
  const world = started('a', 'b');
  const { armed } = world.clock;
  let observed = 0;
  const { eventReceived, snapshotTaken } = Watch.prototype;
  t.teardown(() => Object.assign(Watch.prototype, { eventReceived, snapshotTaken }));
  const count = () => {
    observed++;
  };
  Object.assign(Watch.prototype, { eventReceived: count, snapshotTaken: count });
  world.view('extension=*').left();
  observed = 0;
  world.calls('a', 4, 500);
  world.calls('b', 50);
  world.feed$.next(snapshotOf(2, ...['a', 'b'].map((id) => registryEntry(extensionRow(id)))));
  t.is(attached(), 0);
  t.is(observed, 0);
  t.is(world.clock.armed, armed);
});

test.serial('BREAKER-HOST-3: successes are sampled, and each sample says how many it stands for', (t) => {
  const world = started('a');
  const viewer = world.view('extension=a');
  viewer.taken();
  for (let i = 0; i < 100; i++) {
    world.calls('a', 1);
    world.clock.advance(10);
  }
  const samples = viewer.taken().filter((frame) => frame.event?.type === 'attempt.succeeded' && !frame.snapshot);
  t.is(samples.length, 20);
  t.deepEqual([...new Set(samples.map((frame) => frame.event?.successes))], [1, 5]);
});

test.serial('a sampled success changes nothing but the window, which had it before', (t) => {
  const world = started('a');
  const target = world.core.supervisor.runtimes.get('a')?.defaultService?.target;
  const before = target?.facts();
  world.view('extension=a');
  world.calls('a', 5);
  t.deepEqual(target?.facts(), before);
  t.deepEqual(world.kinds(), []);
  t.is(target?.counters.successes, 5);
});

test.serial('ACTOR-INSPECTION-2: an actor that fails shows its error, and its successor as a new one', async (t) => {
  const { attached } = spy(t);
  const world = started('a');
  const viewer = world.view('extension=a');
  viewer.taken();
  world.crash('a');
  world.clock.advance(50);
  const [event, snapshot, ...rest] = viewer.taken();
  t.is(event?.event?.type, 'settings.changed');
  t.is(snapshot?.snapshot?.status, 'error');
  t.is(snapshot?.snapshot?.error, 'Error: a bug');
  t.is(snapshot?.event?.type, 'xstate.error.actor.a@v1');
  t.deepEqual(snapshot?.snapshot?.value, { closed: 'steady' }, 'the state it failed in');
  t.deepEqual(rest, []);
  await world.pass(1000);
  t.deepEqual(told(viewer.taken()).slice(0, 3), [
    'actor {"closed":"steady"}',
    'event xstate.init',
    'snapshot {"closed":"steady"}',
  ]);
  t.is(attached(), 1, 'nothing is left on the one that failed');
  world.calls('a', 1);
  world.clock.advance(50);
  t.deepEqual(told(viewer.taken()), ['event attempt.succeeded', 'snapshot {"closed":"steady"}']);
});

test.serial('ACTOR-INSPECTION-2: whoever joins while an actor has failed sees the error', (t) => {
  const world = started('a');
  world.crash('a');
  t.deepEqual(told(world.view('extension=a').taken()), [
    'watching a@v1',
    'actor {"closed":"steady"} error',
    'snapshot {"closed":"steady"} error',
  ]);
});

test.serial(
  'ACTOR-INSPECTION-2: an extension that is removed shows as stopped, and is watched again when it comes back',
  (t) => {
    const world = started('a');
    const viewer = world.view('extension=a');
    viewer.taken();
    world.feed$.next(snapshotOf(2));
    world.clock.advance(1000);
    t.deepEqual(told(viewer.taken()), ['snapshot {"closed":"steady"} stopped', 'watching ']);
    t.deepEqual(viewer.closed, []);
    world.feed$.next(snapshotOf(3, registryEntry(extensionRow('a', { revision: 3 }))));
    world.clock.advance(1000);
    t.deepEqual(told(viewer.taken()), ['watching a@v1', 'actor {"closed":"steady"}', 'snapshot {"closed":"steady"}']);
  },
);

test.serial('HUB-5: a version that takes over from another is followed', (t) => {
  const world = started('a');
  const viewer = world.view('extension=a');
  viewer.taken();
  const row = extensionRow('a', { revision: 2 });
  world.feed$.next(snapshotOf(2, registryEntry(row, { versions: [versionRow('a', 'v2')] })));
  world.clock.advance(1000);
  const frames = viewer.taken();
  t.deepEqual(told(frames), [
    'snapshot {"closed":"steady"} stopped',
    'watching a@v2',
    'actor {"closed":"steady"}',
    'snapshot {"closed":"steady"}',
  ]);
  t.deepEqual(
    frames.map((frame) => frame.sessionId),
    ['boot/a@v1', undefined, 'boot/a@v2', 'boot/a@v2'],
  );
});

test.serial('ACTOR-INSPECTION-3: an observer that throws is told no more, and its actor goes on', (t) => {
  const { attached } = spy(t);
  const world = started('a');
  const target = world.core.supervisor.runtimes.get('a')?.defaultService?.target;
  let events = 0;
  const broken: ActorObserver = {
    actorStarted: () => undefined,
    eventReceived: () => {
      events++;
      throw new Error('a bug in an observer');
    },
    snapshotTaken: () => undefined,
  };
  target?.watch(broken);
  t.is(attached(), 1);
  world.calls('a', 5, 500);
  t.is(target?.mode, 'open');
  t.is(events, 1);
  t.is(attached(), 0);
});

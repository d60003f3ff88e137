// BREAKER-HOST-2 of breaker-host.ts: what is in force while the breaker's actor is down, and after it was rebuilt.
import test from 'ava';
import { keepAlive } from '../../../src/actors/extension/actor-supervision.js';
import type { Clock } from '../../../src/actors/ports/clock.js';
import { REFUSED_ACTOR_FAILED } from '../../../src/actors/target/admission.js';
import type { BreakerMode } from '../../../src/actors/target/breaker-host.js';
import { Attempt as Sent } from '../../../src/actors/target/in-flight.js';
import { Target } from '../../../src/actors/target/target.js';
import { breakerSettings } from '../../helpers/breaker-settings.js';
import { SimulatedClock } from '../../helpers/simulated-clock.js';
import { CLOSED, MODES, TargetWorld, targetOptions } from '../../helpers/target-world.js';

test('BREAKER-HOST-2: an actor that throws while tripping fails alone: refused, told, rebuilt, its sibling untouched', (t) => {
  const clock = new SimulatedClock(1_000_000);
  const world = new TargetWorld({}, {}, clock);
  const sibling = new TargetWorld({}, { version: 'v2' }, clock);
  sibling.calls(4, 'failure');
  world.random = () => {
    throw new Error('no randomness left');
  };
  const out = world.admit();
  world.calls(5, 'failure');
  t.is(world.mode, 'failed');
  t.is(world.admit().permit, REFUSED_ACTOR_FAILED);
  t.like(world.failures[0]?.error, { message: 'no randomness left' });
  t.false(world.failures[0]?.givenUp);
  t.deepEqual(world.eventTypes, [], 'what did not come into force is not told');

  t.is(sibling.mode, 'closed');
  sibling.call('failure');
  t.is(sibling.mode, 'open', 'its window still held the four failures');

  clock.advance(50);
  t.is(world.mode, 'closed');
  world.settle(out, 'failure');
  world.random = () => 0;
  world.trip();
  t.is(world.mode, 'open');
  t.is(world.target.facts().trips, 1);
});

test('BREAKER-HOST-2: what is out when its actor fails is settled for health only, also after it is rebuilt', (t) => {
  const world = new TargetWorld({ half_open_successes: 1 }).halfOpen();
  const probe = world.admit();
  world.crash();
  world.settle(probe, 'success');
  t.is(world.mode, 'failed');
  world.clock.advance(50);
  t.is(world.mode, 'halfOpen');
  t.is(world.target.probes, 0);
  world.settle(probe, 'success');
  t.is(world.mode, 'halfOpen');
  t.is(world.target.counters.successes, 2);
});

const survives = test.macro<[now: string, reach: (w: TargetWorld) => TargetWorld, expected: BreakerMode]>({
  exec(t, _, reach, expected) {
    const world = reach(new TargetWorld());
    const before = world.target.facts();
    world.crash();
    t.is(world.mode, 'failed');
    t.deepEqual(world.target.facts(), before);
    world.clock.advance(50);
    t.is(world.mode, expected);
    const after = world.target.facts();
    t.is(after.state, before.state);
    t.is(after.trips, before.trips);
    t.true(after.epoch >= before.epoch);
  },
  title: (_, now, __, expected) =>
    `BREAKER-HOST-2: an actor that fails while ${now} comes back ${expected} with its facts`,
});
test(survives, 'closed', MODES.closed, 'closed');
test(survives, 'open', MODES.open, 'open');
test(survives, 'half-open', MODES.halfOpen, 'halfOpen');
test(survives, 'half-open with a probe out', MODES['halfOpen with a probe out'], 'halfOpen');
test(survives, 'closed again', MODES.recovered, 'closed');
test(survives, 'isolated', MODES.isolated, 'isolated');
test(survives, 'forced closed', MODES.forcedClosed, 'forcedClosed');

test('BREAKER-HOST-2: the end of the open time is the same for the next actor, however long it took to rebuild', (t) => {
  const world = new TargetWorld().trip();
  world.clock.advance(10_000);
  world.crash();
  t.is(world.target.facts().openRemainingMs, 50_000);
  world.clock.advance(50);
  t.is(world.target.openRemainingMs(world.clock.now()), 49_950);
  t.is(world.target.facts().openedAgoMs, 10_050);
  world.clock.advance(49_949);
  t.is(world.mode, 'open');
  world.clock.advance(1);
  t.is(world.mode, 'halfOpen');
});

test('BREAKER-HOST-2: an open time that ends while the actor is down is over for the next', (t) => {
  const world = new TargetWorld().trip();
  for (let i = 0; i < 6; i++) {
    world.crash();
    if (i < 5) world.clock.advance(1000);
  }
  t.true(world.failures.at(-1)?.givenUp);
  world.clock.advance(60_000);
  t.is(world.mode, 'halfOpen');
});

const whileFailed = test.macro<
  [what: string, reach: (w: TargetWorld) => TargetWorld, act: (w: TargetWorld) => unknown, expected: BreakerMode]
>({
  exec(t, _, reach, act, expected) {
    const world = reach(new TargetWorld()).crash();
    act(world);
    t.is(world.mode, 'failed');
    world.clock.advance(50);
    t.is(world.mode, expected);
  },
  title: (_, what, __, ___, expected) =>
    `BREAKER-HOST-2: ${what} while the actor is down is in force for the next: ${expected}`,
});
test(whileFailed, 'nothing', MODES.open, () => {}, 'open');
test(whileFailed, 'reset of an open one', MODES.open, (w) => w.send('breaker.reset'), 'closed');
test(whileFailed, 'reset of a half-open one', MODES.halfOpen, (w) => w.send('breaker.reset'), 'closed');
test(whileFailed, 'probe of an open one', MODES.open, (w) => w.send('breaker.probe'), 'halfOpen');
test(whileFailed, 'probe of a closed one', MODES.closed, (w) => w.send('breaker.probe'), 'halfOpen');
test(whileFailed, 'another subject of an open one', MODES.open, (w) => w.send('subject.changed'), 'halfOpen');
test(whileFailed, 'another subject of a closed one', MODES.closed, (w) => w.send('subject.changed'), 'closed');
test(whileFailed, 'renewal of an open one', MODES.open, (w) => w.send('breaker.renew'), 'open');
test(whileFailed, 'isolation', MODES.closed, (w) => w.override('isolated'), 'isolated');
test(whileFailed, 'forced closed', MODES.open, (w) => w.override('forced_closed'), 'forcedClosed');
test(whileFailed, 'release of an isolated one', MODES.isolated, (w) => w.override(null), 'halfOpen');
test(whileFailed, 'release of a forced closed one', MODES.forcedClosed, (w) => w.override(null), 'closed');

test('BREAKER-HOST-2: settings that come while the actor is down are those of the next', (t) => {
  const world = new TargetWorld().crash();
  world.target.setSettings(breakerSettings({ failure_threshold: 2, minimum_volume: 100 }), 10, world.clock.now());
  world.clock.advance(50);
  world.calls(2, 'failure');
  t.is(world.mode, 'open');
});

test('BREAKER-HOST-2, BREAKER-MACHINE-7: a shorter open time that comes while the actor is down counts from then, a longer one changes nothing', (t) => {
  for (const [open_seconds, leftMs] of [
    [10, 10_000],
    [3600, 60_000],
  ] as const) {
    const world = new TargetWorld().calls(5, 'failure').crash();
    world.target.setSettings(breakerSettings({ open_seconds, open_max_seconds: 3600 }), 10, world.clock.now());
    world.clock.advance(leftMs - 1);
    t.is(world.mode, 'open', `${open_seconds}`);
    world.clock.advance(1);
    t.is(world.mode, 'halfOpen', `${open_seconds}`);
  }
});

test('BREAKER-HOST-2: what has proved itself once need not do so again after its actor failed', (t) => {
  const world = new TargetWorld({}, { mustProve: true });
  t.is(world.mode, 'halfOpen');
  world.calls(2, 'success');
  t.is(world.mode, 'recovering');
  world.crash().clock.advance(50);
  t.is(world.mode, 'closed');
});

test('BREAKER-HOST-2: what has to prove itself still has to when its first actor could not start', (t) => {
  const clock = new SimulatedClock(1_000_000);
  let isBroken = false;
  const failing: Clock = {
    ...clock,
    now: () => {
      if (isBroken) throw new Error('no time');
      return clock.now();
    },
    setTimeout: clock.setTimeout,
    clearTimeout: clock.clearTimeout,
  };
  const target = new Target(
    targetOptions(failing, {
      facts: { ...CLOSED, epoch: 3 },
      mustProve: true,
      random: () => {
        throw new Error('unused');
      },
    }),
  );
  t.is(target.tryAdmit(clock.now()), REFUSED_ACTOR_FAILED, 'no actor, no permit');
  isBroken = true;
  const errors: unknown[] = [];
  target.life$.subscribe({ error: (error) => errors.push(error) });
  t.is(errors.length, 1);
  isBroken = false;
  target.life$.subscribe();
  t.is(target.mode, 'halfOpen');
});

test('BREAKER-HOST-2: an opening whose actor failed in the same breath is not told', (t) => {
  const clock = new SimulatedClock(1_000_000);
  let isBroken = false;
  const emitted: string[] = [];
  const failing: Clock = {
    now: clock.now,
    clearTimeout: clock.clearTimeout,
    setTimeout: (fn, ms) => {
      if (isBroken) throw new Error('no timer');
      return clock.setTimeout(fn, ms);
    },
  };
  const target = new Target(targetOptions(failing, { onEvent: (_, event) => emitted.push(event.type) }));
  const life = keepAlive(target.life$, clock, () => {}).subscribe();
  isBroken = true;
  for (let i = 0; i < 5; i++) {
    const sent = new Sent();
    target.begin(sent, target.tryAdmit(clock.now()), null, false, clock.now());
    target.settle(sent, 'failure', 1, clock.now());
  }
  t.is(target.mode, 'failed');
  isBroken = false;
  clock.advance(50);
  t.is(target.mode, 'closed');
  t.deepEqual(emitted, []);
  t.is(target.counters.trips, 0);
  life.unsubscribe();
});

test('restart intensity: an actor that fails at once every time is refused and tried once a minute', (t) => {
  const world = new TargetWorld();
  for (let i = 0; i < 6; i++) {
    world.crash();
    if (i < 5) world.clock.advance(50 * 2 ** i);
  }
  t.deepEqual(
    world.failures.map(({ givenUp }) => givenUp),
    [false, false, false, false, false, true],
  );
  world.clock.advance(59_999);
  t.is(world.admit().permit, REFUSED_ACTOR_FAILED);
  world.clock.advance(1);
  t.true(world.admit().permit > 0);
});

test('FM 53: after its life has ended no timer is left, and a half-open target admits nobody without an actor', (t) => {
  for (const mode of Object.keys(MODES) as (keyof typeof MODES)[]) {
    const world = MODES[mode](new TargetWorld());
    world.life.unsubscribe();
    t.is(world.clock.armed, 0, mode);
  }
  const world = new TargetWorld().halfOpen();
  world.life.unsubscribe();
  t.is(world.admit().permit, REFUSED_ACTOR_FAILED);
});

test('BREAKER-MACHINE-4: facts of one target are the start of the next, in every state', (t) => {
  for (const mode of ['closed', 'open', 'halfOpen', 'recovered', 'isolated', 'forcedClosed'] as const) {
    const world = MODES[mode](new TargetWorld());
    const facts = world.target.facts();
    const next = new TargetWorld({}, { facts });
    const expected =
      mode === 'isolated' ? 'halfOpen' : mode === 'forcedClosed' || mode === 'recovered' ? 'closed' : mode;
    t.is(next.mode, expected, mode);
    t.is(next.target.facts().trips, facts.trips);
    if (mode === 'open') t.is(next.target.openRemainingMs(next.clock.now()), 60_000);
  }
});

test('setOverride: the same again changes nothing', (t) => {
  const world = new TargetWorld().override('isolated');
  const { epoch } = world.target.facts();
  world.override('isolated');
  t.is(world.target.facts().epoch, epoch);
  const plain = new TargetWorld();
  plain.override(null);
  t.is(plain.target.facts().epoch, 0);
});

test('an isolated breaker, which the world is told is open, says since when', (t) => {
  const world = new TargetWorld().override('isolated');
  world.clock.advance(7000);
  t.is(world.target.facts().openedAgoMs, 7000);
  const open = new TargetWorld().trip();
  open.clock.advance(1000);
  open.override('isolated').clock.advance(1000);
  t.is(open.target.facts().openedAgoMs, 2000, 'where it was open before, since then');
});

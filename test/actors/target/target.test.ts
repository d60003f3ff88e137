import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import { keepAlive } from '../../../src/actors/extension/actor-supervision.js';
import type { Clock } from '../../../src/actors/ports/clock.js';
import {
  type Admission,
  REFUSED_ACTOR_FAILED,
  REFUSED_HALF_OPEN_FULL,
  REFUSED_ISOLATED,
  REFUSED_OPEN,
} from '../../../src/actors/target/admission.js';
import type { BreakerMode } from '../../../src/actors/target/breaker-host.js';
import { Attempt as Sent } from '../../../src/actors/target/in-flight.js';
import { Target, type TargetOptions } from '../../../src/actors/target/target.js';
import type { Outcome } from '../../../src/domain/breaker/outcome.js';
import type { BreakerSettings } from '../../../src/domain/registry/policy.js';
import type { BreakerEmitted, BreakerFacts } from '../../../src/machines/breaker-types.js';
import { breakerSettings } from '../../helpers/breaker-settings.js';
import { runs } from '../../helpers/depth.js';
import { SimulatedClock } from '../../helpers/simulated-clock.js';

const TIMEOUT_MS = 5000;
const LEASE_MS = 2 * TIMEOUT_MS + 7000;

type Verb = 'breaker.reset' | 'breaker.probe' | 'breaker.renew' | 'subject.changed';

interface Attempt {
  readonly permit: Admission;
  readonly sent: Sent;
}

/** A target with a live actor on a simulated clock. */
class World {
  readonly clock: SimulatedClock;
  readonly target: Target;
  readonly events: BreakerEmitted[] = [];
  readonly modesAtEvents: BreakerMode[] = [];
  readonly failures: { readonly error: unknown; readonly givenUp: boolean }[] = [];
  readonly life;
  settings: BreakerSettings;
  random: () => number = () => 0;

  constructor(settings: Partial<BreakerSettings> = {}, options: Partial<TargetOptions> = {}, clock?: SimulatedClock) {
    this.clock = clock ?? new SimulatedClock(1_000_000);
    this.settings = breakerSettings(settings);
    this.target = new Target({
      extensionId: 'a',
      version: 'v1',
      settings: this.settings,
      timeoutMs: TIMEOUT_MS,
      override: null,
      facts: null,
      mustProve: false,
      clock: this.clock,
      random: () => this.random(),
      onEvent: (target, event) => {
        this.events.push(event);
        this.modesAtEvents.push(target.mode);
      },
      onRotation: () => {},
      ...options,
    });
    this.life = keepAlive(this.target.life$, this.clock, (error, givenUp) =>
      this.failures.push({ error, givenUp }),
    ).subscribe();
  }

  get mode(): BreakerMode {
    return this.target.mode;
  }

  get told(): string[] {
    return this.events.map((event) => event.type);
  }

  admit(): Attempt {
    const nowMs = this.clock.now();
    const permit = this.target.tryAdmit(nowMs);
    const sent = new Sent();
    if (permit > 0) this.target.begin(sent, permit, null, false, nowMs);
    return { permit, sent };
  }

  settle({ sent }: Attempt, outcome: Outcome): void {
    const nowMs = this.clock.now();
    this.target.settle(sent, outcome, nowMs - sent.startedMs, nowMs);
  }

  call(outcome: Outcome): Admission {
    const attempt = this.admit();
    if (attempt.permit > 0) this.settle(attempt, outcome);
    return attempt.permit;
  }

  calls(times: number, outcome: Outcome): this {
    for (let i = 0; i < times; i++) this.call(outcome);
    return this;
  }

  send(type: Verb): this {
    this.target.send({ type, nowMs: this.clock.now() });
    return this;
  }

  override(override: 'isolated' | 'forced_closed' | null): this {
    this.target.setOverride(override, this.clock.now());
    return this;
  }

  trip(): this {
    return this.calls(5, 'failure');
  }

  /** Open with its time over, and no timer has shown it yet. */
  overdue(): this {
    this.trip();
    this.clock.stall(this.target.openRemainingMs(this.clock.now()));
    return this;
  }

  halfOpen(): this {
    this.trip();
    this.clock.advance(this.target.openRemainingMs(this.clock.now()));
    return this;
  }

  recover(): this {
    return this.halfOpen().calls(2, 'success');
  }

  /** A bug in the actor, in whatever state it is. */
  crash(): this {
    const settings = {
      ...this.settings,
      get window_seconds(): number {
        throw new Error('a bug');
      },
    };
    this.target.setSettings(settings, TIMEOUT_MS, this.clock.now());
    this.target.setSettings(this.settings, TIMEOUT_MS, this.clock.now());
    return this;
  }
}

const CLOSED: BreakerFacts = { state: 'closed', openRemainingMs: 0, openedAgoMs: null, trips: 0, epoch: 0 };

// TARGET-1

const MODES = {
  closed: (w: World) => w,
  open: (w: World) => w.trip(),
  halfOpen: (w: World) => w.halfOpen(),
  'halfOpen with a probe out': (w: World) => {
    w.halfOpen().admit();
    return w;
  },
  recovered: (w: World) => w.recover(),
  isolated: (w: World) => w.override('isolated'),
  forcedClosed: (w: World) => w.override('forced_closed'),
  failed: (w: World) => w.crash(),
  'rebuilt after a failure': (w: World) => {
    w.crash().clock.advance(50);
    return w;
  },
  renewed: (w: World) => w.send('breaker.renew'),
  reset: (w: World) => w.send('breaker.reset'),
  'with another subject': (w: World) => w.send('subject.changed'),
} as const;

const stale = test.macro<[now: keyof typeof MODES, outcome: Outcome]>({
  exec(t, now, outcome) {
    const world = new World();
    const old = Array.from({ length: 50 }, () => world.admit());
    t.true(old.every(({ permit }) => permit > 0));
    MODES[now](world);
    const before = { mode: world.mode, probes: world.target.probes, told: world.told, facts: world.target.facts() };
    const counters = { ...world.target.counters };
    if (now === 'closed') world.send('breaker.renew');
    for (const attempt of old) world.settle(attempt, outcome);
    t.deepEqual(
      { mode: world.mode, probes: world.target.probes, told: world.told, facts: world.target.facts() },
      before,
    );
    const recorded = outcome === 'neutral' ? 0 : 50;
    t.is(world.target.counters.successes - counters.successes, outcome === 'success' ? recorded : 0);
    t.is(world.target.counters.failures - counters.failures, outcome === 'failure' ? recorded : 0);
  },
  title: (_, now, outcome) =>
    `G1, FM 1, FM 2, FM 5: fifty outcomes of an earlier generation (${outcome}) change health only, now ${now}`,
});
for (const now of Object.keys(MODES) as (keyof typeof MODES)[])
  for (const outcome of ['success', 'failure', 'neutral'] as const) test(stale, now, outcome);

test('G1, FM 1: an old success while a probe is out neither closes nor counts as that probe', (t) => {
  const world = new World({ half_open_successes: 1 });
  const old = world.admit();
  world.halfOpen();
  const probe = world.admit();
  world.settle(old, 'success');
  t.is(world.mode, 'halfOpen');
  t.is(world.target.probes, 1);
  world.settle(probe, 'success');
  t.is(world.mode, 'closed');
});

test('G1, FM 2: an old failure in half-open neither re-opens nor doubles the open time', (t) => {
  const world = new World();
  const old = world.admit();
  world.halfOpen();
  world.settle(old, 'failure');
  t.is(world.mode, 'halfOpen');
  t.is(world.target.facts().trips, 1);
});

test('G1, FM 5: permits of an earlier half-open add none to the next', (t) => {
  const world = new World().halfOpen();
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
  const permits = [new World(), new World()].flatMap((world) => [
    world.admit().permit,
    world.send('breaker.renew').admit().permit,
    world.send('breaker.reset').admit().permit,
  ]);
  t.is(new Set(permits).size, permits.length);
  t.true(permits.every((permit) => permit > 0));
});

// Permits

test('FM 6, FM 7: 200 callers on the edge from open to half-open get exactly as many permits as there are, timer or not', (t) => {
  for (const isTimerLate of [false, true]) {
    const world = isTimerLate ? new World().overdue() : new World().halfOpen();
    t.is(world.mode, isTimerLate ? 'open' : 'halfOpen');
    const admissions = Array.from({ length: 200 }, () => world.admit().permit);
    t.is(admissions.filter((permit) => permit > 0).length, 3);
    t.true(admissions.slice(0, 3).every((permit) => permit > 0));
    t.true(admissions.slice(3).every((permit) => permit === REFUSED_HALF_OPEN_FULL));
    t.is(world.target.probes, 3);
  }
});

test('FM 6: a microsecond before the edge nobody is admitted', (t) => {
  const world = new World().trip();
  world.clock.stall(59_999.999);
  t.deepEqual(
    Array.from({ length: 200 }, () => world.admit().permit).filter((permit) => permit !== REFUSED_OPEN),
    [],
  );
  t.is(world.mode, 'open');
});

test('FM 9: refusals are immediate, and nobody is let in by a later success who was refused before', (t) => {
  const world = new World({ half_open_max_requests: 1 }).halfOpen();
  const probe = world.admit();
  t.deepEqual(
    Array.from({ length: 100 }, () => world.admit().permit),
    Array(100).fill(REFUSED_HALF_OPEN_FULL),
  );
  world.settle(probe, 'success');
  t.is(world.target.probes, 0);
});

test('FM 4: a neutral end gives the permit back and is no verdict, however often', (t) => {
  const world = new World({ half_open_max_requests: 1 }).halfOpen();
  for (let i = 0; i < 100; i++) t.true(world.call('neutral') > 0);
  t.is(world.mode, 'halfOpen');
  t.is(world.target.health.read(world.clock.now()).samples, 5);
  world.calls(2, 'success');
  t.is(world.mode, 'closed');
});

test('FM 3: probes that never settle end with their lease, as a failure, and others are offered after the open time', (t) => {
  const world = new World().halfOpen();
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
  const world = new World({ half_open_max_requests: 10 }).halfOpen();
  world.call('success');
  world.clock.advance(86_400_000);
  t.is(world.mode, 'halfOpen');
  world.call('success');
  t.is(world.mode, 'closed');
});

test('permits: more or fewer allowed while half-open applies at once to the next caller', (t) => {
  const world = new World().halfOpen();
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
  const world = new World({ half_open_max_requests: 1 }).overdue();
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

const verbWithProbes = test.macro<[what: string, act: (w: World) => unknown, expected: BreakerMode]>({
  exec(t, _, act, expected) {
    const world = new World().halfOpen();
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

// Admission and what is told

const admission = test.macro<
  [now: string, reach: (w: World) => World, refusal: number | null, published: 'closed' | 'open' | 'half_open']
>({
  exec(t, _, reach, refusal, published) {
    const world = reach(new World());
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

test('FM 55: who is told of an event finds it in force', (t) => {
  const world = new World().halfOpen().calls(1, 'failure');
  world.clock.advance(120_000);
  world.calls(2, 'success').send('breaker.probe').send('breaker.reset');
  t.deepEqual(
    world.told.map((event, i) => `${event} in ${world.modesAtEvents[i]}`),
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
  const world = new World();
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
  const world = new World({ failure_threshold: 1000, minimum_volume: 25 });
  for (let i = 0; i < 30; i++) world.admit();
  world.calls(24, 'failure');
  t.is(world.mode, 'closed');
  world.call('failure');
  t.is(world.mode, 'open');
});

test('FM 23: refusals are neither outcomes nor latencies', (t) => {
  const world = new World().trip();
  const before = { reading: world.target.health.read(world.clock.now()), counters: { ...world.target.counters } };
  for (let i = 0; i < 1000; i++) t.is(world.call('failure'), REFUSED_OPEN);
  t.deepEqual({ reading: world.target.health.read(world.clock.now()), counters: { ...world.target.counters } }, before);
});

test('FM 27, FM 28: neutral ends never open', (t) => {
  t.is(new World().calls(1000, 'neutral').mode, 'closed');
});

test('FM 47: a dependency that is up and down every 50 ms causes at most one opening per open time', (t) => {
  const world = new World();
  for (let ms = 0; ms < 600_000; ms += 10) {
    world.call(Math.floor(ms / 50) % 2 === 0 ? 'success' : 'failure');
    world.clock.advance(10);
  }
  const opened = world.told.filter((type) => type === 'breaker.opened').length;
  t.true(opened >= 2 && opened <= 10, `${opened} openings in ten minutes`);
});

test('FM 14: refused calls and late failures do not push the end of the open time out', (t) => {
  const world = new World();
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
    const world = new World();
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
  const world = new World({ failure_threshold: 1000, window_seconds: 12, minimum_volume: 5 });
  world.calls(10, 'success');
  world.clock.advance(6000);
  world.calls(6, 'failure');
  t.is(world.mode, 'closed');
  world.clock.advance(6000);
  world.target.tick(world.clock.now());
  t.is(world.mode, 'open', 'the successes have left the window by now');
});

test('tick: does nothing without traffic since the last one, nor twice for the same', (t) => {
  const world = new World({ circuit_breaker_enabled: false });
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
    const world = MODES[mode](new World());
    world.admit();
    const before = { mode: world.mode, told: world.told, facts: world.target.facts() };
    world.target.tick(world.clock.now());
    t.deepEqual({ mode: world.mode, told: world.told, facts: world.target.facts() }, before);
  }
});

// Absence grace

const GRACE_MS = 2000;

const grace = test.macro<[id: string, when: string, prepare: (w: World) => unknown, expected: boolean]>({
  exec(t, _, __, prepare, expected) {
    const world = new World();
    prepare(world);
    t.is(world.target.isWithinAbsenceGrace(null, GRACE_MS, world.clock.now()), expected);
  },
  title: (_, id, when, __, expected) => `${id}: absence is ${expected ? 'within' : 'beyond'} its grace ${when}`,
});
const absent = (w: World) => w.target.isWithinAbsenceGrace(null, GRACE_MS, w.clock.now());
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
    w.target.measured.notePresence(null);
    w.clock.advance(1500);
  },
  true,
);
test(grace, 'O3', 'in half-open', (w) => w.calls(1, 'success').halfOpen(), false);

test('OUTCOME-3: a grace of 0 ms is none', (t) => {
  const world = new World();
  world.call('success');
  t.false(world.target.isWithinAbsenceGrace(null, 0, world.clock.now()));
});

// BREAKER-HOST-2

test('BREAKER-HOST-2: an actor that throws while tripping fails alone: refused, told, rebuilt, its sibling untouched', (t) => {
  const clock = new SimulatedClock(1_000_000);
  const world = new World({}, {}, clock);
  const sibling = new World({}, { version: 'v2' }, clock);
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
  t.deepEqual(world.told, [], 'what did not come into force is not told');

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
  const world = new World({ half_open_successes: 1 }).halfOpen();
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

const survives = test.macro<[now: string, reach: (w: World) => World, expected: BreakerMode]>({
  exec(t, _, reach, expected) {
    const world = reach(new World());
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
  const world = new World().trip();
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
  const world = new World().trip();
  for (let i = 0; i < 6; i++) {
    world.crash();
    if (i < 5) world.clock.advance(1000);
  }
  t.true(world.failures.at(-1)?.givenUp);
  world.clock.advance(60_000);
  t.is(world.mode, 'halfOpen');
});

const whileFailed = test.macro<
  [what: string, reach: (w: World) => World, act: (w: World) => unknown, expected: BreakerMode]
>({
  exec(t, _, reach, act, expected) {
    const world = reach(new World()).crash();
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
  const world = new World().crash();
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
    const world = new World().calls(5, 'failure').crash();
    world.target.setSettings(breakerSettings({ open_seconds, open_max_seconds: 3600 }), 10, world.clock.now());
    world.clock.advance(leftMs - 1);
    t.is(world.mode, 'open', `${open_seconds}`);
    world.clock.advance(1);
    t.is(world.mode, 'halfOpen', `${open_seconds}`);
  }
});

test('BREAKER-HOST-2: what has proved itself once need not do so again after its actor failed', (t) => {
  const world = new World({}, { mustProve: true });
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
  const target = new Target({
    extensionId: 'a',
    version: 'v1',
    settings: breakerSettings(),
    timeoutMs: TIMEOUT_MS,
    override: null,
    facts: { ...CLOSED, epoch: 3 },
    mustProve: true,
    clock: failing,
    random: () => {
      throw new Error('unused');
    },
    onEvent: () => {},
    onRotation: () => {},
  });
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
  const told: string[] = [];
  const target = new Target({
    extensionId: 'a',
    version: 'v1',
    settings: breakerSettings(),
    timeoutMs: TIMEOUT_MS,
    override: null,
    facts: null,
    mustProve: false,
    clock: {
      now: clock.now,
      clearTimeout: clock.clearTimeout,
      setTimeout: (fn, ms) => {
        if (isBroken) throw new Error('no timer');
        return clock.setTimeout(fn, ms);
      },
    },
    random: () => 0,
    onEvent: (_, event) => told.push(event.type),
    onRotation: () => {},
  });
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
  t.deepEqual(told, []);
  t.is(target.counters.trips, 0);
  life.unsubscribe();
});

test('restart intensity: an actor that fails at once every time is refused and tried once a minute', (t) => {
  const world = new World();
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
    const world = MODES[mode](new World());
    world.life.unsubscribe();
    t.is(world.clock.armed, 0, mode);
  }
  const world = new World().halfOpen();
  world.life.unsubscribe();
  t.is(world.admit().permit, REFUSED_ACTOR_FAILED);
});

test('BREAKER-MACHINE-4: facts of one target are the start of the next, in every state', (t) => {
  for (const mode of ['closed', 'open', 'halfOpen', 'recovered', 'isolated', 'forcedClosed'] as const) {
    const world = MODES[mode](new World());
    const facts = world.target.facts();
    const next = new World({}, { facts });
    const expected =
      mode === 'isolated' ? 'halfOpen' : mode === 'forcedClosed' || mode === 'recovered' ? 'closed' : mode;
    t.is(next.mode, expected, mode);
    t.is(next.target.facts().trips, facts.trips);
    if (mode === 'open') t.is(next.target.openRemainingMs(next.clock.now()), 60_000);
  }
});

test('setOverride: the same again changes nothing', (t) => {
  const world = new World().override('isolated');
  const { epoch } = world.target.facts();
  world.override('isolated');
  t.is(world.target.facts().epoch, epoch);
  const plain = new World();
  plain.override(null);
  t.is(plain.target.facts().epoch, 0);
});

// Interleavings

type Step =
  | { readonly what: 'admit'; readonly times: number }
  | { readonly what: 'settle'; readonly which: number; readonly outcome: Outcome }
  | { readonly what: 'advance' | 'stall'; readonly ms: number }
  | { readonly what: 'override'; readonly to: 'isolated' | 'forced_closed' | null }
  | { readonly what: 'verb'; readonly verb: Verb }
  | { readonly what: 'permits'; readonly max: number }
  | { readonly what: 'tick' | 'early timer' | 'crash' | 'break randomness' };

const duration = fc.oneof(
  fc.integer({ min: 0, max: 2000 }),
  fc.constantFrom(LEASE_MS - 1, LEASE_MS, 59_999, 60_000, 120_000, 330_000),
);

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: fc.record({ what: fc.constant('admit' as const), times: fc.integer({ min: 1, max: 8 }) }) },
  {
    weight: 16,
    arbitrary: fc.record({
      what: fc.constant('settle' as const),
      which: fc.nat(),
      outcome: fc.constantFrom<Outcome>('success', 'failure', 'failure', 'neutral'),
    }),
  },
  { weight: 5, arbitrary: fc.record({ what: fc.constantFrom('advance' as const, 'stall' as const), ms: duration }) },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('override' as const),
      to: fc.constantFrom('isolated' as const, 'forced_closed' as const, null),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('verb' as const),
      verb: fc.constantFrom<Verb>('breaker.reset', 'breaker.probe', 'breaker.renew', 'subject.changed'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant('permits' as const), max: fc.integer({ min: 1, max: 5 }) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constantFrom('tick' as const, 'early timer' as const, 'crash' as const, 'break randomness' as const),
    }),
  },
);

/** Does what the steps say and checks after each what must hold at any time. */
function interleave(t: ExecutionContext, steps: readonly Step[]): World {
  const world = new World();
  const out: Attempt[] = [];
  /** The earliest that it may admit again; a command of a person may bring that forward. */
  let openUntilMs = Number.NEGATIVE_INFINITY;
  let seen = 0;
  let isRandomBroken = false;
  world.random = () => {
    if (!isRandomBroken) return 0.5;
    isRandomBroken = false;
    throw new Error('no randomness left');
  };

  const follow = (): void => {
    for (; seen < world.events.length; seen++) {
      const event = world.events[seen] as BreakerEmitted;
      if (event.type === 'breaker.opened') openUntilMs = event.nowMs + world.settings.open_seconds * 1000;
    }
  };
  const admit = (): void => {
    const wasProbing = world.mode === 'halfOpen' || world.mode === 'open';
    const attempt = world.admit();
    follow();
    if (attempt.permit < 0) {
      t.not(world.mode, 'closed');
      t.not(world.mode, 'forcedClosed');
      return;
    }
    t.true(world.clock.now() >= openUntilMs, 'never open shorter than its time');
    out.push(attempt);
    if (!wasProbing) return;
    const probes = out.filter(({ permit }) => permit === attempt.permit).length;
    t.is(world.target.probes, probes, 'only its own end gives a permit back');
    t.true(probes <= world.settings.half_open_max_requests, 'never more permits out than there are');
  };

  for (const one of steps) {
    switch (one.what) {
      case 'admit':
        for (let i = 0; i < one.times; i++) admit();
        break;
      case 'settle': {
        const [attempt] = out.length === 0 ? [] : out.splice(one.which % out.length, 1);
        if (attempt !== undefined) world.settle(attempt, one.outcome);
        break;
      }
      case 'advance':
        world.clock.advance(one.ms);
        break;
      case 'stall':
        world.clock.stall(one.ms);
        break;
      case 'override':
        world.override(one.to);
        openUntilMs = Number.NEGATIVE_INFINITY;
        break;
      case 'verb':
        world.send(one.verb);
        if (one.verb !== 'breaker.renew') openUntilMs = Number.NEGATIVE_INFINITY;
        break;
      case 'permits':
        world.settings = { ...world.settings, half_open_max_requests: one.max };
        world.target.setSettings(world.settings, TIMEOUT_MS, world.clock.now());
        break;
      case 'tick':
        world.target.tick(world.clock.now());
        break;
      case 'early timer':
        world.clock.fireEarly();
        break;
      case 'crash':
        if (world.mode !== 'failed') world.crash();
        break;
      case 'break randomness':
        isRandomBroken = true;
        break;
      default:
        one satisfies never;
    }
    follow();
    t.true(world.target.probes <= Math.max(world.settings.half_open_max_requests, 5));
    t.true(world.target.facts().trips >= 0);
  }
  isRandomBroken = false;
  return world;
}

/** Open times, a lease, and the minute after an actor was given up, several times over. */
const LONG_ENOUGH_SECONDS = 1500;

test('invariants: under any interleaving of callers, outcomes, time, verbs and failing actors permits are bounded and it recovers', (t) => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), (steps) => {
      const world = interleave(t, steps);
      world.override(null);
      for (let second = 0; second < LONG_ENOUGH_SECONDS && world.mode !== 'closed'; second++) {
        world.clock.advance(1000);
        world.call('success');
      }
      t.is(world.mode, 'closed', 'never wedged');
      t.is(world.target.probes, 0);
      t.true(world.call('success') > 0);
      world.life.unsubscribe();
      t.is(world.clock.armed, 0);
    }),
    { numRuns: runs(300), seed: 20_260_101 },
  );
});

test('invariants: events come in an order that makes sense, under any interleaving without verbs', (t) => {
  const plain = step.filter((one) => ['admit', 'settle', 'advance', 'stall', 'tick'].includes(one.what));
  fc.assert(
    fc.property(fc.array(plain, { maxLength: 120 }), (steps) => {
      const { told } = interleave(t, steps);
      const following: Record<string, readonly BreakerEmitted['type'][]> = {
        'breaker.opened': ['breaker.half_opened'],
        'breaker.half_opened': ['breaker.opened', 'breaker.closed'],
        'breaker.closed': ['breaker.opened'],
      };
      const transitions = told.filter((type) => type in following);
      if (transitions.length > 0) t.is(transitions[0], 'breaker.opened');
      transitions.slice(1).forEach((type, i) => {
        t.true((following[transitions[i] as string] as readonly string[]).includes(type));
      });
    }),
    { numRuns: runs(300), seed: 20_260_102 },
  );
});

test('an isolated breaker, which the world is told is open, says since when', (t) => {
  const world = new World().override('isolated');
  world.clock.advance(7000);
  t.is(world.target.facts().openedAgoMs, 7000);
  const open = new World().trip();
  open.clock.advance(1000);
  open.override('isolated').clock.advance(1000);
  t.is(open.target.facts().openedAgoMs, 2000, 'where it was open before, since then');
});

// The record of a target and its replay: under the policy that was in force, exactly what happened.
import test from 'ava';
import fc from 'fast-check';
import { Attempt as Sent } from '../../../src/actors/target/in-flight.js';
import { ReplayedBreaker } from '../../../src/actors/target/replayed-breaker.js';
import type { Outcome } from '../../../src/domain/breaker/outcome.js';
import type { BreakerSettings } from '../../../src/domain/registry/policy.js';
import { done } from '../../../src/domain/steps.js';
import { runs } from '../../helpers/depth.js';
import { LEASE_MS, TargetWorld, type Verb } from '../../helpers/target-world.js';

const SUBJECTS = ['a', 'b', 'c'];

/** A recorded target with three endpoints, or none. */
class RecordedWorld extends TargetWorld {
  readonly out: Sent[] = [];

  constructor(settings: Partial<BreakerSettings>, capacity: number, isPool: boolean) {
    super(settings);
    this.target.recordUpTo(capacity);
    if (isPool) done(this.target.rotation.keeping(new Set(SUBJECTS), new Set(SUBJECTS)));
  }

  send1(which: number): void {
    const nowMs = this.clock.now();
    const permit = this.target.tryAdmit(nowMs);
    if (permit <= 0) return;
    const usable = this.target.rotation.usable;
    const endpoint = usable[which % Math.max(usable.length, 1)] ?? null;
    if (which % 11 === 10) return this.target.returnPermit(permit, nowMs);
    const sent = new Sent();
    this.target.begin(sent, permit, endpoint, endpoint !== null && !endpoint.isInRotation, nowMs);
    this.out.push(sent);
  }

  settle1(which: number, outcome: Outcome): void {
    const [sent] = this.out.splice(which % Math.max(this.out.length, 1), 1);
    if (sent !== undefined) this.settle({ permit: sent.permit, sent }, outcome);
  }

  replay(settings: Partial<BreakerSettings> = {}, sinceMs = Number.NEGATIVE_INFINITY) {
    const record = this.target.record?.copy();
    if (record === undefined) throw new Error('nothing is recorded');
    return done(new ReplayedBreaker(record, { ...this.settings, ...settings }, LEASE_MS, sinceMs).replaying());
  }

  /** What really happened. */
  get opened() {
    return this.events.flatMap((event) => {
      if (event.type !== 'breaker.opened') return [];
      const { nowMs: atMs, reason, reopened, evidence } = event;
      return [{ atMs, reason, reopened, evidence }];
    });
  }
}

const duration = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 1500 }) },
  { weight: 2, arbitrary: fc.constantFrom(LEASE_MS, 5000, 59_999, 60_000, 66_000, 330_000) },
);
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ what: fc.constant('send' as const), which: fc.nat(50) }) },
  {
    weight: 12,
    arbitrary: fc.record({
      what: fc.constant('settle' as const),
      which: fc.nat(50),
      outcome: fc.constantFrom<Outcome>('success', 'failure', 'failure', 'failure', 'neutral'),
    }),
  },
  { weight: 8, arbitrary: fc.record({ what: fc.constant('advance' as const), ms: duration }) },
  { weight: 3, arbitrary: fc.record({ what: fc.constant('tick' as const) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constantFrom<Verb>('breaker.reset', 'breaker.probe', 'breaker.renew', 'subject.changed'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constant('override' as const),
      to: fc.constantFrom('isolated' as const, 'forced_closed' as const, null),
    }),
  },
);
const policy = fc.record({
  failure_threshold: fc.integer({ min: 1, max: 4 }),
  failure_rule: fc.constantFrom<BreakerSettings['failure_rule']>('window', 'consecutive'),
  half_open_max_requests: fc.integer({ min: 1, max: 3 }),
  half_open_successes: fc.integer({ min: 1, max: 3 }),
  open_seconds: fc.constantFrom(1, 7.3, 60),
  window_seconds: fc.integer({ min: 1, max: 60 }),
  slow_call_ms: fc.constantFrom(1, 500, 4000),
});

test('REPLAYED-BREAKER-1: under the policy that was in force it opens exactly when the real one did', (t) => {
  let trips = 0;
  fc.assert(
    fc.property(
      policy,
      policy,
      fc.boolean(),
      fc.array(step, { minLength: 30, maxLength: 250 }),
      fc.infiniteStream(fc.double({ min: 0, max: 0.999, noNaN: true })),
      (settings, otherPolicy, isPool, steps, draws) => {
        const world = new RecordedWorld(settings, 5000, isPool);
        world.random = () => draws.next().value ?? 0;
        // So that attempts can be overdue.
        for (let i = 0; i < 20; i++) world.call('success');
        for (const one of steps)
          if (one.what === 'send') world.send1(one.which);
          else if (one.what === 'settle') world.settle1(one.which, one.outcome);
          else if (one.what === 'advance') world.clock.advance(one.ms);
          else if (one.what === 'tick') world.target.tick(world.clock.now());
          else if (one.what === 'override') world.override(one.to);
          else world.send(one.what);
        const { would, did } = world.replay();
        // A timer that was due behind the last entry is not replayed.
        const known = world.opened.filter(({ atMs }) => atMs <= lastAtMs(world));
        trips += known.length;
        t.deepEqual(would.first, known);
        // Under another policy there is no such yardstick, but time moves on and the breaker lives.
        const other = world.replay(otherPolicy).would;
        t.deepEqual(
          other.first,
          other.first.toSorted((a, b) => a.atMs - b.atMs),
        );
        t.true(other.first.every(({ atMs }) => atMs <= lastAtMs(world)));
        t.is(
          world.replay({ circuit_breaker_enabled: false }).would.first.filter(({ reopened }) => !reopened).length,
          0,
        );
        t.deepEqual(
          did.first.map(({ evidence: _, ...trip }) => trip),
          known.map(({ evidence: _, ...trip }) => trip),
        );
      },
    ),
    { numRuns: runs(160) },
  );
  // Some fifty in forty runs.
  t.true(trips > 15, `${trips} trips`);
});

function lastAtMs(world: RecordedWorld): number {
  const copy = world.target.record?.copy();
  return copy === undefined || copy.written === 0 ? 0 : copy.entry(copy.written - 1).atMs;
}

const BEGUN: Readonly<Record<string, (world: RecordedWorld) => unknown>> = {
  open: (world) => world.trip(),
  halfOpen: (world) => world.halfOpen(),
  isolated: (world) => world.override('isolated'),
  forcedClosed: (world) => world.override('forced_closed'),
};
for (const [mode, begin] of Object.entries(BEGUN))
  test(`REPLAYED-BREAKER-1: so it does if the record begins while it is ${mode}`, (t) => {
    const world = new RecordedWorld({}, 0, false);
    begin(world);
    t.is(world.mode, mode as never);
    const before = world.opened.length;
    world.target.recordUpTo(100);
    world.target.tick(world.clock.now());
    world.calls(3, 'failure');
    world.override(null).calls(3, 'failure');
    world.clock.advance(70_000);
    world.calls(12, 'failure');
    world.clock.advance(1000);
    world.target.tryAdmit(world.clock.now());
    t.true(world.opened.length > before);
    t.deepEqual(world.replay().would.first, world.opened.slice(before));
  });

test('REPLAYED-BREAKER-2: a stricter policy would have opened earlier, a laxer one not', (t) => {
  const world = new RecordedWorld({}, 100, false);
  for (let i = 0; i < 5; i++) {
    world.clock.advance(1000);
    world.call('failure');
  }
  const [real] = world.opened;
  t.is(world.replay({ failure_threshold: 3 }).would.first[0]?.atMs, (real?.atMs ?? 0) - 2000);
  t.deepEqual(world.replay({ failure_threshold: 10, minimum_volume: 10 }).would, { count: 0, first: [] });
  t.is(world.replay({}, world.clock.now() + 1).did.count, 0, 'what was before is not reported');
});

test('REPLAYED-BREAKER-2: slow_call_ms is judged by the latencies that were recorded', (t) => {
  const world = new RecordedWorld({}, 100, false);
  for (let i = 0; i < 6; i++) {
    const attempt = world.admit();
    world.clock.advance(400.5);
    world.settle(attempt, 'success');
  }
  t.is(world.replay({ slow_call_ms: 400 }).would.count, 1);
  t.like(world.replay({ slow_call_ms: 400 }).would.first[0]?.evidence, { slow: 5, failures: 5 });
  t.is(world.replay({ slow_call_ms: 401 }).would.count, 0);
});

test('ATTEMPT-RECORD-1: a full ring keeps the last entries, and nothing is allocated before the first', (t) => {
  const world = new RecordedWorld({}, 8, false);
  t.is(world.target.record?.copy().written, 0);
  world.calls(20, 'success');
  const copy = world.target.record?.copy();
  t.deepEqual([copy?.first, copy?.written], [12, 20]);
  t.is(copy?.start, null);
  t.is(world.replay().attempts, 8);
  const { record } = world.target;
  world.target.recordUpTo(8);
  t.is(world.target.record, record, 'the same length goes on');
  world.target.recordUpTo(0);
  t.is(world.target.record, null);
});

test('REPLAYED-BREAKER-2: it can be put aside every few entries', (t) => {
  const world = new RecordedWorld({ circuit_breaker_enabled: false }, 1000, false).calls(1000, 'failure');
  const record = world.target.record?.copy();
  if (record === undefined) throw new Error('nothing is recorded');
  let steps = 0;
  for (const _ of new ReplayedBreaker(record, world.settings, LEASE_MS, 0).replaying()) steps++;
  t.true(steps >= 1000 / 32, `${steps} steps`);
});

// BREAKER-START-1: what is started from the snapshot of a closed breaker does all that one does which decides by itself how to begin.
import test from 'ava';
import fc from 'fast-check';
import { evidenceOf } from '../../src/domain/breaker/trip-evidence.js';
import { closedFromStart } from '../../src/machines/breaker-start.js';
import type { BreakerFacts } from '../../src/machines/breaker-types.js';
import { CLOSED, MachineWorld, type PlainEvent } from '../helpers/machine-world.js';

const PLAIN: readonly PlainEvent[] = [
  ...(['attempt.failed', 'tick', 'open.elapsed', 'probe.started', 'ramp.completed', 'subject.changed'] as const),
  ...(['breaker.isolate', 'breaker.force_close', 'breaker.release', 'breaker.reset'] as const),
  ...(['breaker.probe', 'breaker.enable', 'breaker.renew'] as const),
];

type Step = (world: MachineWorld) => unknown;

const steps = fc.oneof(
  fc.constantFrom(...PLAIN).map(
    (type): Step =>
      (world) =>
        world.send(type),
  ),
  fc.constantFrom('succeeded', 'failed', 'released').map(
    (how): Step =>
      (world) =>
        world.endProbe(how),
  ),
  fc.integer({ min: 1, max: 6 }).map(
    (times): Step =>
      (world) =>
        world.fail(times),
  ),
  fc.integer({ min: 1, max: 20 }).map(
    (times): Step =>
      (world) =>
        world.succeed(times),
  ),
  fc.integer({ min: 1, max: 90_000 }).map(
    (ms): Step =>
      (world) =>
        world.clock.advance(ms),
  ),
  fc
    .record({
      failure_threshold: fc.integer({ min: 1, max: 9 }),
      recovery_ramp_seconds: fc.integer({ min: 0, max: 60 }),
    })
    .map(
      (settings): Step =>
        (world) =>
          world.change(settings),
    ),
);

const closedFacts = fc.record<BreakerFacts>({
  state: fc.constant('closed' as const),
  openRemainingMs: fc.integer({ min: 0, max: 100_000 }),
  openedAgoMs: fc.option(fc.integer({ min: 0, max: 100_000 })),
  trips: fc.integer({ min: 0, max: 5 }),
  epoch: fc.integer({ min: 0, max: 1000 }),
});

/** What can be seen of it, besides functions. */
function seen(world: MachineWorld) {
  const { window, now: _now, random: _random, nextGeneration: _next, boot: _boot, ...context } = world.context;
  const evidence = evidenceOf(window, world.clock.now());
  return { state: world.state, context, evidence, emitted: world.emitted, timers: world.clock.armed };
}

test('BREAKER-START-1: whatever happens to it afterwards, it is the breaker that its input would have made', (t) => {
  fc.assert(
    fc.property(
      closedFacts,
      fc.integer({ min: 0, max: 60 }),
      fc.array(steps, { maxLength: 25 }),
      (facts, recovery_ramp_seconds, sequence) => {
        const worlds = [() => null, closedFromStart].map(
          (snapshotOf) => new MachineWorld({ recovery_ramp_seconds }, { facts }, snapshotOf),
        );
        const [own, started] = worlds as [MachineWorld, MachineWorld];
        t.deepEqual(seen(started), seen(own));
        for (const step of sequence) {
          for (const world of worlds) step(world);
          t.deepEqual(seen(started), seen(own));
        }
      },
    ),
    { numRuns: 300 },
  );
});

test('BREAKER-START-1: outcomes from before are gone, as with every start', (t) => {
  const { window } = new MachineWorld();
  window.recordFailure(1_000_000);
  const world = new MachineWorld({}, { window }, closedFromStart);
  t.is(world.state, 'closed');
  t.is(window.outcomes(1_000_000), 0);
});

for (const [what, input] of [
  ['open', { facts: { ...CLOSED, state: 'open', openRemainingMs: 1000 } }],
  ['half-open', { facts: { ...CLOSED, state: 'half_open' } }],
  ['isolated', { override: 'isolated' }],
  ['forced closed', { override: 'forced_closed' }],
  ['disabled automatically, so that it has to prove itself', { mustProve: true }],
] as const)
  test(`BREAKER-START-1: one that was ${what} is made by its input`, (t) => {
    let snapshot: unknown;
    const world = new MachineWorld({}, input, (own) => {
      snapshot = closedFromStart(own);
      return null;
    });
    t.is(snapshot, null);
    t.not(world.state, 'closed');
  });

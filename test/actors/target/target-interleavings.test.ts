// What holds for a target under any interleaving of callers, outcomes, time, verbs and failing actors.
import test, { type ExecutionContext } from 'ava';
import fc from 'fast-check';
import type { Outcome } from '../../../src/domain/breaker/outcome.js';
import type { BreakerEmitted } from '../../../src/machines/breaker-types.js';
import { runs } from '../../helpers/depth.js';
import { type Attempt, LEASE_MS, TargetWorld, TIMEOUT_MS, type Verb } from '../../helpers/target-world.js';

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
function interleave(t: ExecutionContext, steps: readonly Step[]): TargetWorld {
  const world = new TargetWorld();
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
      const { eventTypes } = interleave(t, steps);
      const following: Record<string, readonly BreakerEmitted['type'][]> = {
        'breaker.opened': ['breaker.half_opened'],
        'breaker.half_opened': ['breaker.opened', 'breaker.closed'],
        'breaker.closed': ['breaker.opened'],
      };
      const transitions = eventTypes.filter((type) => type in following);
      if (transitions.length > 0) t.is(transitions[0], 'breaker.opened');
      transitions.slice(1).forEach((type, i) => {
        t.true((following[transitions[i] as string] as readonly string[]).includes(type));
      });
    }),
    { numRuns: runs(300), seed: 20_260_102 },
  );
});

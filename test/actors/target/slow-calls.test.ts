// Successes that take longer than slow_call_ms: failures for the breaker, successes for everything else.
import test from 'ava';
import fc from 'fast-check';
import { runs } from '../../helpers/depth.js';
import { TargetWorld } from '../../helpers/target-world.js';

const SLOW_MS = 300;
const slow = (world: TargetWorld, ms = SLOW_MS + 1): void => {
  const attempt = world.admit();
  world.clock.advance(ms);
  if (attempt.permit > 0) world.settle(attempt, 'success');
};

test('TARGET-4: five slow successes open the breaker; the success rate knows of no failure', (t) => {
  const world = new TargetWorld({ slow_call_ms: SLOW_MS });
  for (let i = 0; i < 4; i++) slow(world);
  t.is(world.mode, 'closed');
  slow(world, SLOW_MS);
  t.is(world.mode, 'closed');
  slow(world);
  t.is(world.mode, 'open');
  t.deepEqual(world.target.health.counts(world.clock.now()), { successes: 6, failures: 0 });
  t.deepEqual([world.target.counters.successes, world.target.counters.failures], [6, 0]);
  const [opened] = world.events;
  t.like(opened, { type: 'breaker.opened', reason: 'failure_count', evidence: { failures: 5, slow: 5, outcomes: 6 } });
});

test('TARGET-4: a slow probe is a failed probe', (t) => {
  const world = new TargetWorld({ slow_call_ms: SLOW_MS }).halfOpen();
  slow(world);
  t.is(world.mode, 'open');
  t.like(world.events.at(-1), {
    reason: 'probe_failed',
    reopened: true,
    evidence: { failures: 1, slow: 1, outcomes: 1 },
  });
  world.clock.advance(world.target.openRemainingMs(world.clock.now()));
  world.call('failure');
  t.like(world.events.at(-1), { reason: 'probe_failed', evidence: { failures: 1, slow: 0 } });
});

test('TARGET-4: where the breaker never opens, circuit_would_open shows it', (t) => {
  const world = new TargetWorld({ slow_call_ms: SLOW_MS, circuit_breaker_enabled: false });
  for (let i = 0; i < 5; i++) slow(world);
  t.deepEqual(world.eventTypes, ['breaker.would_open']);
  t.like(world.events[0], { evidence: { failures: 5, slow: 5 } });
  t.is(world.mode, 'closed');
});

test('TARGET-4: what was in flight while this process stood still has its full time from there on', (t) => {
  let stalledUntilMs = Number.NEGATIVE_INFINITY;
  const world = new TargetWorld({ slow_call_ms: SLOW_MS }, { stalledUntil: () => stalledUntilMs });
  for (let round = 0; round < 2; round++) {
    const attempts = Array.from({ length: 10 }, () => world.admit());
    world.clock.advance(2000);
    stalledUntilMs = world.clock.now();
    world.clock.advance(SLOW_MS + round);
    for (const attempt of attempts) if (attempt.permit > 0) world.settle(attempt, 'success');
    t.is(world.mode, round === 0 ? 'closed' : 'open');
  }
});

test('TARGET-4: it is off without the setting, and a change of it applies to what settles from then on', (t) => {
  const world = new TargetWorld();
  for (let i = 0; i < 20; i++) slow(world, 1000);
  t.is(world.mode, 'closed');
  world.target.setSettings({ ...world.settings, slow_call_ms: SLOW_MS }, 5000, world.clock.now());
  for (let i = 0; i < 4; i++) slow(world);
  t.is(world.mode, 'closed');
  slow(world);
  t.is(world.mode, 'open');
});

test('TARGET-4: slow successes do to the breaker what failures do, at any times', (t) => {
  const step = fc.record({
    kind: fc.constantFrom('ok', 'bad', 'neutral', 'tick'),
    gapMs: fc.nat(30_000),
    ms: fc.nat(SLOW_MS),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const [ofSlow, ofFailures] = [new TargetWorld({ slow_call_ms: SLOW_MS }), new TargetWorld()];
      for (const { kind, gapMs, ms } of steps)
        for (const world of [ofSlow, ofFailures]) {
          world.clock.advance(gapMs);
          if (kind === 'tick') {
            world.target.tick(world.clock.now());
            continue;
          }
          const attempt = world.admit();
          world.clock.advance(kind === 'bad' ? SLOW_MS + 1 : ms);
          if (attempt.permit <= 0) continue;
          const bad = world === ofSlow ? 'success' : 'failure';
          world.settle(attempt, kind === 'bad' ? bad : kind === 'ok' ? 'success' : 'neutral');
        }
      const plain = (world: TargetWorld) =>
        world.events.map((event) =>
          'evidence' in event ? { ...event, evidence: { ...event.evidence, slow: 0 } } : event,
        );
      t.deepEqual(plain(ofSlow), plain(ofFailures));
      t.is(ofSlow.mode, ofFailures.mode);
    }),
    { numRuns: runs(200) },
  );
});

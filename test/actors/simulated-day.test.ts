// Whole days of traffic against one target: settled, ticked and judged as in the daemon, on a simulated clock.
import test from 'ava';
import { every, keepAlive } from '../../src/actors/extension/actor-supervision.js';
import { Attempt } from '../../src/actors/target/in-flight.js';
import { Target } from '../../src/actors/target/target.js';
import type { BreakerSettings } from '../../src/domain/registry/policy.js';
import type { BreakerEmitted } from '../../src/machines/breaker-types.js';
import { ActorWorld, reasonOf } from '../helpers/actor-world.js';
import { breakerSettings } from '../helpers/breaker-settings.js';
import { isDeep } from '../helpers/depth.js';
import { extensionRow, registryEntry, snapshotOf } from '../helpers/registry-rows.js';
import { seededRandom } from '../helpers/seeded-random.js';
import { SimulatedClock } from '../helpers/simulated-clock.js';
import { targetOptions } from '../helpers/target-world.js';

const TICK_MS = 1000;
const DAY_MS = 86_400_000;
/** What of a day is simulated; no rule looks back further than minutes. */
const SHARE = isDeep ? 1 : 0.25;
const SPAN_MS = DAY_MS * SHARE;

class Traffic {
  readonly clock = new SimulatedClock();
  readonly events: BreakerEmitted[] = [];
  readonly target: Target;
  readonly #attempt = new Attempt();
  calls = 0;
  refused = 0;
  failures = 0;

  constructor(settings: Partial<BreakerSettings>, random: () => number) {
    this.target = new Target(
      targetOptions(this.clock, {
        settings: breakerSettings(settings),
        random,
        onEvent: (_, event) => this.events.push(event),
      }),
    );
    keepAlive(this.target.life$, this.clock, () => {}).subscribe();
    every(TICK_MS, this.clock).subscribe(() => this.target.tick(this.clock.now()));
  }

  /** A call every `everyMs`, each as long as that (at most 10 ms), until the time is over or `isOver` says so. */
  run(ms: number, everyMs: number, succeeds: () => boolean, isOver: () => boolean = () => false): this {
    const { clock, target } = this;
    const attempt = this.#attempt;
    const latencyMs = Math.min(everyMs, 10);
    const untilMs = clock.now() + ms;
    while (clock.now() < untilMs && !isOver()) {
      const permit = target.tryAdmit(clock.now());
      this.calls++;
      if (permit > 0) target.begin(attempt, permit, null, false, clock.now());
      else this.refused++;
      clock.advance(latencyMs);
      if (permit > 0) {
        const isSuccess = succeeds();
        if (!isSuccess) this.failures++;
        target.settle(attempt, isSuccess ? 'success' : 'failure', latencyMs, clock.now());
      }
      if (everyMs > latencyMs) clock.advance(everyMs - latencyMs);
    }
    return this;
  }

  told(type: BreakerEmitted['type']): number {
    return this.events.filter((event) => event.type === type).length;
  }
}

test('a day of 100 calls a second at 99.9 % never opens, and tells of its failures at most once a window', (t) => {
  const random = seededRandom(1);
  const day = new Traffic({}, random).run(SPAN_MS, 10, () => random() >= 0.001);
  t.is(day.calls, 8_640_000 * SHARE);
  t.is(day.refused, 0);
  t.true(day.failures > 8000 * SHARE && day.failures < 9000 * SHARE);
  t.is(day.target.counters.trips, 0);
  const warnings = day.told('breaker.high_failure_count');
  t.is(day.events.length, warnings, 'nothing else was told');
  t.true(warnings > 1000 * SHARE && warnings <= SPAN_MS / 60_000);
});

test('failure_rate_floor 0: by the count alone the same day is spent open for the most part', (t) => {
  const random = seededRandom(1);
  const day = new Traffic({ failure_rate_floor: 0 }, random).run(SPAN_MS, 10, () => random() >= 0.001);
  t.is(day.calls, 8_640_000 * SHARE);
  t.true(day.refused / day.calls > 0.5, `${day.refused} of ${day.calls} refused`);
  t.true(day.target.counters.trips > 200 * SHARE);
  t.true(day.events.every((event) => event.type !== 'breaker.opened' || event.reason !== 'error_rate'));
});

interface Dead {
  readonly everyMs: number;
  readonly rule: 'count' | 'rate';
  /** How it was before: an hour without a failure, or never called. */
  readonly before: 'well' | 'new';
  /** Failures that it takes. */
  readonly failures: readonly [least: number, most: number];
}

const COUNT_ALONE = { error_rate_threshold: 1 };
const RATE_ALONE = { failure_threshold: 1_000_000 };

const dead = test.macro<[Dead]>({
  exec(t, { everyMs, rule, before, failures: [least, most] }) {
    const traffic = new Traffic(rule === 'count' ? COUNT_ALONE : RATE_ALONE, () => 0);
    if (before === 'well') traffic.run(3_600_000, everyMs, () => true);
    t.deepEqual(traffic.events, []);
    traffic.run(
      600_000,
      everyMs,
      () => false,
      () => traffic.target.mode === 'open',
    );
    t.is(traffic.target.mode, 'open');
    const { reason = null, evidence: { failures = 0 } = {} } = traffic.target.lastTrip ?? {};
    t.is(reason, rule === 'count' ? 'failure_count' : 'error_rate');
    t.true(failures >= least && failures <= most, `${failures} failures`);
  },
  title: (_, { everyMs, rule, before, failures: [least, most] }) =>
    `a dead extension called every ${everyMs} ms opens by ${rule} ` +
    `after ${least === most ? least : `${least} to ${most}`} failures, where it was ${before} before`,
});
// A twentieth, and more than half, of the calls of 55 to 60 s; and five, which both rules ask for at least.
test(dead, { everyMs: 10, rule: 'count', before: 'well', failures: [275, 301] });
test(dead, { everyMs: 10, rule: 'rate', before: 'well', failures: [2751, 3001] });
test(dead, { everyMs: 1000, rule: 'count', before: 'well', failures: [5, 5] });
test(dead, { everyMs: 1000, rule: 'rate', before: 'well', failures: [28, 31] });
test(dead, { everyMs: 10_000, rule: 'count', before: 'well', failures: [5, 5] });
test(dead, { everyMs: 10_000, rule: 'rate', before: 'well', failures: [3, 4] });
for (const everyMs of [10, 1000, 10_000])
  for (const rule of ['count', 'rate'] as const) test(dead, { everyMs, rule, before: 'new', failures: [5, 5] });

/** A life with a trip, a failed probe and a recovery, as the caller and the operator see it. */
async function lifeOf(world: ActorWorld, jump: () => void): Promise<unknown[]> {
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  const seen: unknown[] = [];
  for (let second = 0; second < 400; second++) {
    if (second % 7 === 3) jump();
    // It is down from 20 s to 100 s; 20 calls a second, so that the count needs more than the five failures.
    const isDown = second >= 20 && second < 100;
    for (let i = 0; i < 20; i++) {
      const called = world.callEnding('a', isDown ? 500 : 0);
      seen.push(reasonOf(called));
      world.clock.advance(50);
    }
    const health = world.core.view.one('a')?.health;
    seen.push([health?.circuit_breaker_state, health?.success_rate, health?.latency_samples, health?.p95_latency_ms]);
  }
  await world.core.stop();
  return [...seen, ...world.events.map(({ event, reason, evidence }) => [event, reason, evidence?.failures])];
}

const wallJumps = test.macro<[jumpMs: number]>({
  async exec(t, jumpMs) {
    const steady = new ActorWorld();
    const expected = await lifeOf(steady, () => {});
    t.deepEqual(
      steady.kinds().filter((kind) => kind.startsWith('circuit')),
      ['circuit_opened', 'circuit_half_opened', 'circuit_opened', 'circuit_half_opened', 'circuit_closed'],
    );
    const jumping = new ActorWorld();
    const seen = await lifeOf(jumping, () => {
      jumping.wallAheadMs += jumpMs;
    });
    t.deepEqual(seen, expected);
  },
  title: (_, jumpMs) => `FM 18: a wall clock that jumps by ${jumpMs} ms every few seconds changes nothing`,
});
test(wallJumps, DAY_MS);
test(wallJumps, -DAY_MS);
test(wallJumps, -1000);

// A time that runs is never lengthened by another policy: it ends when it would have, or sooner, as the policy in force says.
import test from 'ava';
import { ActorWorld, reasonOf, settle } from '../../helpers/actor-world.js';
import {
  changesOf,
  extensionRow,
  instanceRow,
  registryEntry,
  snapshotOf,
  versionRow,
} from '../../helpers/registry-rows.js';

type Changes = Parameters<typeof extensionRow>[1];

const INSTANCES = [instanceRow('a', 'i1'), instanceRow('a', 'i2')];

/** What is disabled automatically would be enabled by the next row that says `enabled`: only where that is the subject. */
function begin(changes: Changes, instances: typeof INSTANCES = [], autoDisableOnCircuitOpen = false): ActorWorld {
  const world = new ActorWorld({ autoDisableOnCircuitOpen });
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', changes), { instances })));
  return world;
}

/** The registry's next change. */
function change(world: ActorWorld, changes: Changes, instances: typeof INSTANCES = []): void {
  const revision = world.applied.length + 1;
  world.feed$.next(changesOf(revision, [registryEntry(extensionRow('a', { revision, ...changes }), { instances })]));
}

const breaker = (settings: object): Changes => ({ policy: { breaker: settings } });
const health = (world: ActorWorld) => world.core.view.one('a')?.health;

async function trip(world: ActorWorld): Promise<void> {
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  await settle();
}

test('open_seconds: an open breaker half-opens after the shorter time, and the row says so at once', async (t) => {
  const world = begin(breaker({ open_seconds: 300 }));
  await trip(world);
  await world.pass(2000);
  t.true((world.flushed.at(-1)?.open_remaining_ms ?? 0) >= 298_000);
  change(world, breaker({ open_seconds: 10 }));
  const refusal = world.call('a').answers[0];
  t.is(refusal === 'ok' ? null : refusal?.retryAfterMs, 10_000);
  await world.pass(2000);
  const { open_remaining_ms = null, circuit_breaker_state } = world.flushed.at(-1) ?? {};
  t.is(circuit_breaker_state, 'open');
  t.true(open_remaining_ms !== null && open_remaining_ms <= 10_000 && open_remaining_ms > 8000);
  const written = world.flushed.length;
  await world.pass(3000);
  t.is(world.flushed.length, written, 'once');
  change(world, breaker({ open_seconds: 300 }));
  await world.pass(5050);
  t.is(health(world)?.circuit_breaker_state, 'half_open');
});

test('open_seconds: that of the configuration counts where the policy has none any more', async (t) => {
  const world = begin(breaker({ open_seconds: 300 }));
  await trip(world);
  // The daemon's own, 60 s, is in force again.
  change(world, { policy: null });
  await world.pass(59_900);
  t.is(health(world)?.circuit_breaker_state, 'open');
  await world.pass(200);
  t.is(health(world)?.circuit_breaker_state, 'half_open');
});

test('recovery_ramp_seconds: a slow start ends after the shorter time', async (t) => {
  const slow = { half_open_max_requests: 1, half_open_successes: 1, open_seconds: 1 };
  const world = begin(breaker({ ...slow, recovery_ramp_seconds: 600 }));
  for (let i = 0; i < 10; i++) world.call('a');
  for (const attempt of world.sent.slice(0, 5)) attempt.end(500);
  await world.pass(1100);
  world.callEnding('a', 0);
  t.is(world.call('a').answers.length, 0, 'the one that is let in');
  t.is(reasonOf(world.call('a')), 'recovering');
  change(world, breaker({ ...slow, recovery_ramp_seconds: 5 }));
  t.is(reasonOf(world.call('a')), 'recovering');
  await world.pass(4950);
  t.is(reasonOf(world.call('a')), 'recovering');
  await world.pass(50);
  t.is(world.call('a').answers.length, 0);
});

const ramp = test.macro<[seconds: number, calls: 'pass' | 'are refused']>({
  async exec(t, seconds, calls) {
    const slow = { half_open_max_requests: 1, half_open_successes: 1, open_seconds: 1 };
    const world = begin(breaker({ ...slow, recovery_ramp_seconds: 100 }));
    for (let i = 0; i < 10; i++) world.call('a');
    for (const attempt of world.sent.slice(0, 5)) attempt.end(500);
    await world.pass(1100);
    world.callEnding('a', 0);
    world.call('a');
    change(world, breaker({ ...slow, recovery_ramp_seconds: seconds }));
    t.is(reasonOf(world.call('a')), calls === 'pass' ? undefined : 'recovering');
    await world.pass(100_000, 10_000);
    t.is(reasonOf(world.call('a')), undefined, 'when it would have ended');
  },
  title: (_, seconds, calls) => `recovery_ramp_seconds: with ${seconds} instead of 100, calls ${calls} at once`,
});
test(ramp, 0, 'pass');
test(ramp, 3600, 'are refused');

/** Instance i1 is out of rotation from now on. */
async function ejected(seconds: number): Promise<ActorWorld> {
  const world = begin(breaker({ failure_threshold: 1000, minimum_volume: 1000, ejection_seconds: seconds }), INSTANCES);
  for (let i = 0; i < 12; i++) {
    world.call('a');
    const attempt = world.sent.at(-1);
    attempt?.end(attempt.route.subject === 'ext.a.i1' ? 500 : 0);
  }
  await settle();
  return world;
}
const subjects = (world: ActorWorld, calls: number): Set<string | undefined> => {
  const before = world.sent.length;
  for (let i = 0; i < calls; i++) world.callEnding('a', 0);
  return new Set(world.sent.slice(before).map((attempt) => attempt.route.subject));
};

test('ejection_seconds: an instance that is out is tried after the shorter time, and not later after a longer one', async (t) => {
  for (const [before, after, dueMs] of [
    [300, 10, 10_000],
    [20, 300, 20_000],
    [20, 15, 15_000],
  ] as const) {
    const world = await ejected(before);
    change(world, breaker({ failure_threshold: 1000, minimum_volume: 1000, ejection_seconds: after }), INSTANCES);
    await world.pass(dueMs - 100, 1000);
    t.deepEqual([...subjects(world, 4)], ['ext.a.i2'], `${before} to ${after}`);
    await world.pass(150);
    t.deepEqual([...subjects(world, 4)].toSorted(), ['ext.a.i1', 'ext.a.i2'], `${before} to ${after}`);
  }
});

test('window_seconds: failures that a shorter window does not hold count no more, and those of a longer one are not forgotten', async (t) => {
  for (const [after, state] of [
    [30, 'closed'],
    [3600, 'open'],
    [600, 'open'],
  ] as const) {
    const world = begin(breaker({ window_seconds: 600 }));
    for (let i = 0; i < 4; i++) world.callEnding('a', 500);
    await world.pass(60_000, 10_000);
    change(world, breaker({ window_seconds: after }));
    world.callEnding('a', 500);
    t.is(health(world)?.circuit_breaker_state, state, `${after}`);
  }
});

test('window_seconds: damping of automatic enabling lasts for the shorter window', async (t) => {
  const settings = { half_open_successes: 1, open_seconds: 1, window_seconds: 600 };
  const world = begin(breaker(settings), [], true);
  // What was written is what the feed tells.
  const auto = (enabled: boolean) => ({ enabled, auto_disabled: !enabled, revision: 10 + world.autoChanges.length });
  for (let i = 0; i < 2; i++) {
    await trip(world);
    await world.pass(2300);
    world.callEnding('a', 0);
    await settle();
  }
  t.deepEqual(
    world.autoChanges.map(({ change: one }) => one),
    ['auto_disable', 'auto_enable', 'auto_disable'],
  );
  change(world, { ...breaker({ ...settings, window_seconds: 30 }), ...auto(false) });
  await world.pass(28_000, 1000);
  t.is(world.autoChanges.length, 3);
  await world.pass(4000, 1000);
  t.is(world.autoChanges.at(-1)?.change, 'auto_enable');
});

test('timeout_ms: what is in flight is limited where it is shorter, and left alone where it is longer', (t) => {
  const world = begin({ timeout_ms: 5000, policy: { health_check: { timeout_ms: 4000 } } });
  change(world, { timeout_ms: 6000, policy: { health_check: { timeout_ms: 4000 } } });
  t.deepEqual(world.limits, []);
  change(world, { timeout_ms: 700, policy: { health_check: { timeout_ms: 4000 } } });
  t.deepEqual(world.limits, [['a', 'v1', false, 700]]);
});

test('timeout_ms: of a version that has its own, and of checks that are in flight', async (t) => {
  const world = new ActorWorld();
  const entry = (timeout_ms: number, checkMs: number, revision: number) =>
    registryEntry(extensionRow('a', { policy: { health_check: { timeout_ms: checkMs } }, revision }), {
      versions: [versionRow('a', 'v1', { timeout_ms: 5000 }), versionRow('a', 'v2', { timeout_ms, revision })],
    });
  world.feed$.next(snapshotOf(1, entry(5000, 5000, 1)));
  await world.pass(10_000, 1000);
  t.is(world.checks.length, 2);
  world.feed$.next(changesOf(2, [entry(300, 5000, 2)]));
  t.deepEqual(world.limits.splice(0), [
    ['a', 'v2', false, 300],
    ['a', 'v2', true, 300],
  ]);
  world.feed$.next(changesOf(3, [entry(300, 200, 3)]));
  t.deepEqual(world.limits.toSorted(), [
    ['a', 'v1', true, 200],
    ['a', 'v2', true, 200],
  ]);
});

test('interval_seconds: the next check comes after the shorter interval, and not later after a longer one', async (t) => {
  const at = async (before: number, after: number): Promise<number[]> => {
    const world = new ActorWorld();
    world.random = 0.9;
    const policy = (interval_seconds: number): Changes => ({ policy: { health_check: { interval_seconds } } });
    world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', policy(before)))));
    world.onCheck = (check) => check.end(0);
    await world.pass(80_000, 1000);
    change(world, policy(after));
    await world.pass(120_000, 1000);
    return world.checks.map((check) => check.atMs / 1000);
  };
  t.deepEqual((await at(100, 10)).slice(0, 3), [89, 99, 109]);
  t.deepEqual((await at(100, 1000)).slice(0, 3), [90]);
  t.deepEqual((await at(100, 50)).slice(0, 3), [90, 140, 190]);
});

// What the metrics page reads of one extension, by what the actors did.
import test from 'ava';
import type { ExtensionSample } from '../../../src/actors/ports/metrics.js';
import { ActorWorld } from '../../helpers/actor-world.js';
import { extensionRow, instanceRow, registryEntry, snapshotOf } from '../../helpers/registry-rows.js';

const sample = (world: ActorWorld): ExtensionSample => {
  const [first] = world.core.view.extensions();
  if (first === undefined) throw new Error('there is no extension');
  return first;
};
const attempts = (world: ActorWorld) =>
  Array.from(sample(world).attempts, ({ version, outcome, durations }) => [version, outcome, durations.count]);

test('sample: an extension without calls has neither durations, percentiles nor counts of calls', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  t.like(sample(world), { calls: null, instances: null, last_trip: null, override: null, outcomes: 0, probes: 0 });
  t.deepEqual([attempts(world), [...sample(world).invocations], [...sample(world).latency_seconds]], [[], [], []]);
});

test('sample: failures open the breaker; refusals are no attempts', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  for (let i = 0; i < 12; i++) world.callEnding('a', 0);
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  for (let i = 0; i < 3; i++) world.call('a');
  t.like(sample(world), { state: 1, outcomes: 17, last_trip: { reason: 'failure_count', failures: 5 } });
  t.deepEqual(attempts(world), [
    ['v1', 'success', 12],
    ['v1', 'failure', 5],
  ]);
  t.is(sample(world).calls?.permits_refused, 3);
  t.deepEqual(
    Array.from(sample(world).invocations, ([result, { count }]) => [result, count]),
    [
      ['ok', 12],
      ['extension_error', 5],
      ['extension_unavailable', 3],
    ],
  );
  t.deepEqual(
    sample(world).latency_seconds.map(([quantile]) => quantile),
    ['0.5', '0.95', '0.99'],
  );
});

test('sample: retries that the budget grants and denies', async (t) => {
  const world = new ActorWorld();
  const policy = { retry: { budget_reserve: 1, budget_share: 0 }, breaker: { failure_threshold: 100 } };
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', { retry: 1, policy }))));
  world.callEnding('a', 0);
  t.like(sample(world).calls, { retries: 0, retries_denied: 0, retry_budget: 1 });
  world.callEnding('a', 500);
  t.like(sample(world).calls, { retries: 1, retries_denied: 0, retry_budget: 0 });
  world.callEnding('a', 500);
  t.like(sample(world).calls, { retries: 1, retries_denied: 1, retry_budget: 0 });
  await world.pass(20_000, 1000);
  t.is(sample(world).calls?.retry_budget, 1, 'ten seconds later there is a budget again');
});

test('sample: an instance that fails alone is ejected, and counted', (t) => {
  const world = new ActorWorld();
  const instances = ['i1', 'i2', 'i3'].map((id) => instanceRow('a', id));
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { instances })));
  t.deepEqual(sample(world).instances, { ejections: 0, ejected: 0 });
  for (let i = 0; i < 40; i++) {
    const before = world.sent.length;
    world.call('a');
    const sent = world.sent[before];
    sent?.end(sent.route.spec.instanceId === 'i1' ? 500 : 0);
  }
  t.deepEqual(sample(world).instances, { ejections: 1, ejected: 1 });
});

test('sample: the override of the default version', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', { breaker_override: 'isolated' }))));
  t.like(sample(world), { state: 1, override: 'isolated' });
});

test('health flush: the lag grows while the database is away, and is gone with the first complete flush', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  await world.pass(3000);
  t.true(world.core.writer.lagMs <= 1000);
  world.isDatabaseAway = true;
  world.callEnding('a', 0);
  await world.pass(10_000, 1000);
  t.true(world.core.writer.lagMs >= 10_000, `${world.core.writer.lagMs}`);
  t.is(world.core.writer.pending, 1);
  world.isDatabaseAway = false;
  await world.pass(3000, 1000);
  t.true(world.core.writer.lagMs <= 1000, `${world.core.writer.lagMs}`);
  t.is(world.core.writer.pending, 0);
});

import test from 'ava';
import type { Logger } from '../../../src/telemetry/log.js';
import { createLogger } from '../../../src/telemetry/log.js';
import { ActorWorld, reportOf, settle } from '../../helpers/actor-world.js';
import { changesOf, extensionRow, registryEntry, snapshotOf, versionRow } from '../../helpers/registry-rows.js';

/** Extensions whose breakers only watch, so that the rate alone decides. */
const watched = (id: string) =>
  registryEntry(extensionRow(id, { policy: { breaker: { circuit_breaker_enabled: false } } }));

function running(ids: readonly string[], log?: Logger): ActorWorld {
  const world = new ActorWorld({}, log);
  world.feed$.next(snapshotOf(1, ...ids.map(watched)));
  return world;
}

function calls(world: ActorWorld, id: string, successes: number, failures: number, latencyMs = 0): void {
  for (let i = 0; i < successes + failures; i++) {
    world.call(id);
    world.clock.advance(latencyMs);
    world.sent.at(-1)?.end(i < successes ? 0 : 500);
  }
}

const minute = (world: ActorWorld): void => world.clock.advance(60_000);
const told = (world: ActorWorld) => world.events.filter(({ event }) => event === 'high_failure_rate');

test('the aggregate is computed once a minute: what the health report sums up, and one line in the log', async (t) => {
  const lines: string[] = [];
  const world = running(['a', 'b', 'idle'], createLogger('info', { write: (line) => lines.push(line) }));
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('off', { enabled: false }))]));
  calls(world, 'a', 1, 1, 10);
  calls(world, 'b', 1, 0, 40);
  t.is(world.core.aggregate.last, null);
  minute(world);
  const expected = {
    total: 4,
    enabled: 3,
    healthy: 3,
    unhealthy: 1,
    avg_success_rate: 0.75,
    avg_latency_ms: 25,
    avg_p95_latency_ms: (await reportOf(world)).summary.avg_p95_latency_ms,
  };
  t.deepEqual(world.core.aggregate.last, expected);
  t.deepEqual(world.core.aggregate.last, (await reportOf(world)).summary);
  const logged = () =>
    lines
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter(({ event }) => event === 'health_aggregate');
  t.deepEqual(
    logged().map(({ ts: _, ...fields }) => fields),
    [{ level: 'info', component: 'aggregate', event: 'health_aggregate', ...expected }],
  );
  for (let i = 0; i < 10; i++) minute(world);
  t.is(logged().length, 11);
  t.like(world.core.aggregate.last, { total: 4, avg_success_rate: null, avg_latency_ms: null });
});

test('the counts of the metrics page are those of the report', async (t) => {
  const world = running(['a', 'b']);
  world.feed$.next(
    changesOf(2, [registryEntry(extensionRow('off', { enabled: false })), registryEntry(extensionRow('c'))]),
  );
  for (let i = 0; i < 5; i++) world.callEnding('c', 500);
  await settle();
  const { total, enabled, healthy, unhealthy } = (await reportOf(world)).summary;
  // For every /admin/status and every scrape: kept, and not counted over all extensions.
  Object.assign(world.core.supervisor.runtimes, { values: () => t.fail('all extensions are walked through') });
  t.like(world.core.board.summary(), { total, enabled, healthy, unhealthy });
  Reflect.deleteProperty(world.core.supervisor.runtimes, 'values');
  t.deepEqual([total, healthy, unhealthy], [4, 2, 2]);
});

test('AGGREGATE-1: those with calls are read in slices, each in a turn of its own, and all of them count', (t) => {
  const ids = Array.from({ length: 1200 }, (_, i) => `e${i}`);
  const world = running(ids);
  for (const id of ids.slice(0, 60)) world.callEnding(id, 0);
  let turns = 0;
  world.clock.advance(59_999);
  // Each look at the clock takes a quarter of a millisecond.
  const { now } = world.clock;
  let looks = 0;
  (world.clock as { now: () => number }).now = () => now.call(world.clock) + looks++ / 4;
  world.clock.setTimeout(function turn() {
    if (world.core.aggregate.last !== null) return;
    turns++;
    world.clock.setTimeout(turn, 0);
  }, 1);
  world.clock.advance(1);
  t.like(world.core.aggregate.last, { total: 1200, avg_success_rate: 1 });
  t.true(turns >= 3, `${turns} turns`);
});

test('a stop ends it', async (t) => {
  const world = running(['a']);
  await world.core.stop();
  minute(world);
  t.is(world.core.aggregate.last, null);
  t.is(world.clock.armed, 0);
});

test('high_failure_rate: tells version, numbers and health, in the events and the log, not in the audit trail', (t) => {
  const world = running(['a']);
  calls(world, 'a', 7, 3, 10);
  minute(world);
  t.like(told(world)[0], {
    extension_id: 'a',
    version: 'v1',
    actor: 'system:registry',
    reason: 'success_rate_under_minimum',
    evidence: {
      failures: 3,
      outcomes: 10,
      error_rate: 0.3,
      window_seconds: 300,
      first_failure: null,
      last_failure: '2026-01-01T00:00:00.100Z',
    },
  });
  t.like(told(world)[0]?.health, { success_rate: 0.7, latency_samples: 10, circuit_breaker_state: 'closed' });
  t.deepEqual(
    world.audits.filter(({ action }) => action === 'high_failure_rate'),
    [],
  );
});

const judged = test.macro<[successes: number, failures: number, isTold: boolean]>({
  exec(t, successes, failures, isTold) {
    const world = running(['a', 'b']);
    calls(world, 'a', successes, failures);
    calls(world, 'b', 20, 0);
    minute(world);
    t.deepEqual(
      told(world).map((event) => event.extension_id),
      isTold ? ['a'] : [],
    );
  },
  title: (_, successes, failures, isTold) =>
    `high_failure_rate: ${successes} successes and ${failures} failures ${isTold ? 'are told' : 'are not told'}`,
});
test(judged, 8, 2, false);
test(judged, 7, 3, true);
test(judged, 0, 9, false);
test(judged, 0, 10, true);

test('high_failure_rate: the minimum is health_based_routing_min_success_rate', (t) => {
  const world = new ActorWorld({ minSuccessRate: 0.5 });
  world.feed$.next(snapshotOf(1, watched('a'), watched('b')));
  calls(world, 'a', 5, 5);
  calls(world, 'b', 4, 6);
  minute(world);
  t.deepEqual(
    told(world).map((event) => event.extension_id),
    ['b'],
  );
});

test('AGGREGATE-2: high_failure_rate is told once, and again only after the rate was back', (t) => {
  const world = running(['a']);
  calls(world, 'a', 0, 10);
  minute(world);
  minute(world);
  t.is(told(world).length, 1);
  calls(world, 'a', 40, 0);
  minute(world);
  t.is(told(world).length, 1);
  calls(world, 'a', 0, 10);
  minute(world);
  t.is(told(world).length, 2);
});

test('AGGREGATE-2: a time without calls between is no way back', (t) => {
  const world = running(['a']);
  calls(world, 'a', 0, 10);
  for (let i = 0; i < 10; i++) minute(world);
  t.is(world.core.view.one('a')?.health.latency_samples, 0);
  calls(world, 'a', 0, 10);
  minute(world);
  t.is(told(world).length, 1);
});

test('high_failure_rate: judges the default version, and a new one for itself', (t) => {
  const world = running(['a']);
  calls(world, 'a', 0, 10);
  minute(world);
  const { extension } = watched('a');
  world.feed$.next(changesOf(2, [registryEntry({ ...extension, revision: 2 }, { versions: [versionRow('a', 'v2')] })]));
  calls(world, 'a', 0, 10);
  minute(world);
  t.deepEqual(
    told(world).map((event) => event.version),
    ['v1', 'v2'],
  );
});

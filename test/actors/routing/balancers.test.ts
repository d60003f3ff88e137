// Which balancer a pool has, and what its endpoints know of what is out to them.
import test from 'ava';
import type { Endpoint } from '../../../src/actors/target/endpoint.js';
import type { InstanceRow } from '../../../src/domain/registry/registry-rows.js';
import { ActorWorld, type Ending, settle } from '../../helpers/actor-world.js';
import { changesOf, extensionRow, instanceRow, registryEntry, snapshotOf } from '../../helpers/registry-rows.js';
import { seededRandom } from '../../helpers/seeded-random.js';

type Changes = Parameters<typeof extensionRow>[1];

const entry = (size: number, changes: Changes = {}, row: Partial<InstanceRow> = {}) =>
  registryEntry(extensionRow('a', changes), {
    instances: Array.from({ length: size }, (_, i) => instanceRow('a', `i${i + 1}`, row)),
  });

function worldOf(size: number, changes: Changes = {}): ActorWorld {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, entry(size, changes)));
  return world;
}

const targetOf = (world: ActorWorld) => {
  const target = world.core.supervisor.runtimes.get('a')?.defaultService?.target;
  if (target === undefined) throw new Error('a has no target');
  return target;
};
const endpoints = (world: ActorWorld): Endpoint[] => [...targetOf(world).rotation.endpoints];
const inFlight = (world: ActorWorld): number[] => endpoints(world).map((endpoint) => endpoint.inFlight);
const rates = (world: ActorWorld): number[] =>
  endpoints(world).map((endpoint) => endpoint.successRate(world.clock.now()));

/** Far from every threshold. */
const PATIENT = { breaker: { failure_threshold: 1000, minimum_volume: 1000 } };
const LEAST = { policy: { ...PATIENT, balancer: 'least_inflight' as const } };

const ENDINGS: readonly { how: Ending; rate: number }[] = [
  { how: 0, rate: 1 },
  { how: 404, rate: 1 },
  { how: 429, rate: 0.8 },
  { how: 500, rate: 0.8 },
  { how: 'timeout', rate: 0.8 },
  { how: 'no_responders', rate: 0.8 },
  { how: 'disconnected', rate: 1 },
  { how: 'not_permitted', rate: 1 },
  { how: 'too_large', rate: 1 },
];

for (const { how, rate } of ENDINGS)
  test(`inFlight: an attempt is out until it ends by ${how}, and leaves a success rate of ${rate}`, (t) => {
    const world = worldOf(1);
    world.call('a');
    t.deepEqual(inFlight(world), [1]);
    world.sent[0]?.end(how);
    t.deepEqual(inFlight(world), [0]);
    t.deepEqual(rates(world), [rate]);
    world.sent[0]?.end(how);
    t.deepEqual(inFlight(world), [0], 'once');
  });

test('inFlight: each endpoint counts its own attempts, retries and moves included', async (t) => {
  const world = worldOf(3, { retry: 2, policy: PATIENT });
  world.call('a');
  world.call('a');
  t.deepEqual(inFlight(world), [1, 1, 0]);
  world.sent[0]?.end('no_responders');
  t.deepEqual(inFlight(world), [0, 1, 1], 'moved');
  world.sent[1]?.end(500);
  t.deepEqual(inFlight(world), [0, 0, 1]);
  await world.pass(2000);
  t.is(world.sent.length, 4, 'tried again');
  t.is(
    inFlight(world).reduce((a, b) => a + b),
    2,
  );
  for (const sent of world.sent) sent.end(0);
  t.deepEqual(inFlight(world), [0, 0, 0]);
});

test('inFlight: an attempt whose caller has given up is out until it ends', async (t) => {
  const world = worldOf(1);
  const called = world.call('a', 300);
  await world.pass(400);
  t.is(called.answers.length, 1);
  t.deepEqual(inFlight(world), [1]);
  world.sent[0]?.end('timeout');
  t.deepEqual(inFlight(world), [0]);
});

test('inFlight: what cannot be sent for a fault of ours is not out', (t) => {
  const world = worldOf(2);
  world.onSent = () => {
    throw new TypeError('a bug');
  };
  for (let i = 0; i < 4; i++) world.call('a');
  t.deepEqual(inFlight(world), [0, 0]);
  t.deepEqual(rates(world), [1, 1]);
});

test('inFlight: attempts of another term and of another generation end like any other', async (t) => {
  const world = worldOf(2);
  for (let i = 0; i < 20; i++) world.call('a');
  t.deepEqual(inFlight(world), [10, 10]);
  const [first = [], second = []] = ['i1', 'i2'].map((id) =>
    world.sent.filter((attempt) => attempt.route.spec.instanceId === id),
  );
  second[0]?.end(0);
  for (const attempt of first.slice(0, 3)) attempt.end(500);
  second[1]?.end(0);
  first[3]?.end(500);
  await settle();
  t.true(world.kinds().includes('instance_ejected'), 'its term is over');
  for (const attempt of second.slice(2, 8)) attempt.end(500);
  await settle();
  t.not(targetOf(world).mode, 'closed', 'so is the generation');
  for (const attempt of world.sent) attempt.end(0);
  t.deepEqual(inFlight(world), [0, 0]);
});

for (const how of [0, 500, 429, 'timeout', 'disconnected'] as const)
  test(`inFlight: the trial of one that is ejected ends by ${how}`, async (t) => {
    const world = worldOf(2, { policy: PATIENT });
    world.onSent = (attempt) => attempt.end(attempt.route.spec.instanceId === 'i1' ? 500 : 0);
    for (let i = 0; i < 10; i++) world.call('a');
    t.false(endpoints(world)[0]?.isInRotation);
    await world.pass(31_000);
    world.onSent = () => undefined;
    const trial = world.sent.length;
    world.call('a');
    t.deepEqual(inFlight(world), [1, 0]);
    const before = rates(world)[0] as number;
    world.sent[trial]?.end(how);
    t.is(inFlight(world)[0], 0);
    const after = rates(world)[0] as number;
    t.is(Math.sign(after - before), how === 0 ? 1 : how === 'disconnected' ? 0 : -1);
    for (const attempt of world.sent) attempt.end(0);
    t.deepEqual(inFlight(world), [0, 0]);
  });

test('inFlight: active checks are out like calls', async (t) => {
  const world = worldOf(2, { policy: { ...PATIENT, health_check: {} } });
  await world.pass(10_000);
  t.is(world.checks.length, 2);
  t.deepEqual(inFlight(world), [1, 1]);
  world.checks[0]?.end(0);
  world.checks[1]?.end('timeout');
  t.deepEqual(inFlight(world), [0, 0]);
  t.deepEqual(rates(world), [1, 0.8]);
  world.onCheck = () => {
    throw new TypeError('a bug');
  };
  await world.pass(10_000);
  t.deepEqual(inFlight(world), [0, 0]);
});

test('inFlight: an instance that goes and comes back begins at 0, whatever is still out', (t) => {
  const world = worldOf(2);
  world.call('a');
  world.call('a');
  const [gone] = endpoints(world);
  world.feed$.next(
    changesOf(2, [registryEntry(extensionRow('a', { revision: 2 }), { instances: [instanceRow('a', 'i2')] })]),
  );
  world.feed$.next(changesOf(3, [entry(2, { revision: 3 })]));
  t.deepEqual(inFlight(world).toSorted(), [0, 1]);
  for (const attempt of world.sent) attempt.end(0);
  t.deepEqual(inFlight(world), [0, 0]);
  t.is(gone?.inFlight, 0);
});

test("a person's reset forgets how an instance did, and not what is out to it", (t) => {
  const world = worldOf(1);
  world.callEnding('a', 500);
  world.call('a');
  t.deepEqual([inFlight(world), rates(world)], [[1], [0.8]]);
  targetOf(world).send({ type: 'breaker.reset', nowMs: world.clock.now() });
  t.deepEqual([inFlight(world), rates(world)], [[1], [1]]);
  world.sent[1]?.end(0);
  t.deepEqual(inFlight(world), [0]);
});

test('inFlight: a thousand calls, retries, checks and ejections later nothing is out', async (t) => {
  const world = worldOf(4, {
    retry: 1,
    policy: {
      balancer: 'least_inflight',
      breaker: { failure_threshold: 20, open_seconds: 0.2, open_max_seconds: 0.2 },
      health_check: { interval_seconds: 1 },
    },
  });
  const random = seededRandom(8);
  const ends: readonly Ending[] = [0, 0, 0, 0, 0, 0, 429, 500, 'timeout', 'no_responders', 'disconnected', 'too_large'];
  const later = (end: (how: Ending) => void) => {
    const how = ends[Math.floor(random() * ends.length)] as Ending;
    world.clock.setTimeout(() => end(how), Math.floor(random() * 900));
  };
  world.onSent = (attempt) => later((how) => attempt.end(how));
  world.onCheck = (check) => later((how) => check.end(how));
  let highest = 0;
  for (let i = 0; i < 1000; i++) {
    world.random = random();
    world.call('a', random() < 0.2 ? 100 : null);
    await world.pass(20);
    highest = Math.max(highest, ...inFlight(world));
    t.true(inFlight(world).every((count) => count >= 0));
    t.is(
      inFlight(world).reduce((a, b) => a + b),
      targetOf(world).inFlight,
    );
  }
  t.true(world.kinds().includes('circuit_opened') && world.kinds().includes('circuit_closed'));
  t.true(highest >= 3 && world.sent.length > 300 && world.checks.length > 20);
  world.feed$.next(changesOf(2, [entry(4, { revision: 2 })]));
  await world.pass(10_000);
  t.deepEqual(inFlight(world), [0, 0, 0, 0]);
  t.is(targetOf(world).inFlight, 0);
});

test('policy.balancer: without one it is weighted round-robin', (t) => {
  const world = worldOf(3);
  for (let i = 0; i < 6; i++) world.call('a');
  t.deepEqual(
    world.sent.map((attempt) => attempt.route.spec.instanceId),
    ['i1', 'i2', 'i3', 'i1', 'i2', 'i3'],
  );
});

test('policy.balancer least_inflight: the less busy one takes the calls; a new policy makes another pool at once', (t) => {
  const world = worldOf(2, LEAST);
  const random = seededRandom(1);
  const call = () => {
    world.random = random();
    world.call('a');
    return world.sent.at(-1)?.route.spec.instanceId;
  };
  for (let i = 0; i < 40; i++) call();
  t.true(Math.abs((inFlight(world)[0] as number) - 20) <= 1, 'both are filled alike');
  for (const attempt of world.sent) if (attempt.route.spec.instanceId === 'i1') attempt.end(0);
  t.deepEqual(
    Array.from({ length: 10 }, call),
    Array.from({ length: 10 }, () => 'i1'),
  );
  const before = world.core.supervisor.runtimes.get('a')?.defaultService?.pool;
  world.feed$.next(changesOf(2, [entry(2, { ...LEAST, revision: 2 })]));
  t.is(world.core.supervisor.runtimes.get('a')?.defaultService?.pool, before, 'nothing has changed');
  world.random = 0;
  world.feed$.next(changesOf(3, [entry(2, { policy: PATIENT, revision: 3 })]));
  t.not(world.core.supervisor.runtimes.get('a')?.defaultService?.pool, before);
  world.call('a');
  world.call('a');
  t.deepEqual(
    world.sent.slice(-2).map((attempt) => attempt.route.spec.instanceId),
    ['i1', 'i2'],
  );
});

test('LEAST-INFLIGHT-1, FM 45: under least_inflight one that fails at once, or refuses as too busy, draws no calls from one that works', async (t) => {
  for (const how of [500, 429] as const) {
    const world = worldOf(2, LEAST);
    const random = seededRandom(45);
    world.onSent = (attempt) => {
      if (attempt.route.spec.instanceId === 'i1') attempt.end(how);
      else world.clock.setTimeout(() => attempt.end(0), 500);
    };
    for (let i = 0; i < 300; i++) {
      world.random = random();
      world.call('a');
      await world.pass(10, 10);
    }
    const share = world.sent.filter((attempt) => attempt.route.spec.instanceId === 'i1').length / 300;
    t.true(share > 0 && share < 0.05, `${how}: ${share}`);
    t.false(world.kinds().includes('instance_ejected'), 'before anything has to be ejected');
  }
});

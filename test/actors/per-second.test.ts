// What a second costs: it is counted which extensions are looked at, by the methods that each look begins with.
import anyTest, { type TestFn } from 'ava';
import { InstanceStatuses } from '../../src/actors/extension/instance-status.js';
import { HealthView } from '../../src/actors/reporting/health-view.js';
import { BreakerHost } from '../../src/actors/target/breaker-host.js';
import { Target } from '../../src/actors/target/target.js';
import { ActorWorld, settle } from '../helpers/actor-world.js';
import { changesOf, extensionRow, instanceRow, registryEntry, snapshotOf } from '../helpers/registry-rows.js';

const test = anyTest as TestFn;
const EXTENSIONS = 300;
const LOOKS = [
  [Target.prototype, 'tick'],
  [Target.prototype, 'facts'],
  [BreakerHost.prototype, 'send'],
  [InstanceStatuses.prototype, 'takePending'],
  [HealthView.prototype, 'extension'],
] as const;

const looks = new Map<string, number>();
for (const [prototype, name] of LOOKS) {
  const of = prototype as unknown as Record<string, (...given: unknown[]) => unknown>;
  const original = of[name] as (...given: unknown[]) => unknown;
  of[name] = function counted(...given: unknown[]) {
    looks.set(name, (looks.get(name) ?? 0) + 1);
    return original.apply(this, given);
  };
}

const entry = (id: string, changes: Parameters<typeof extensionRow>[1] = {}) =>
  registryEntry(extensionRow(id, changes), { instances: [instanceRow(id, 'i1')] });
const ids = Array.from({ length: EXTENSIONS }, (_, i) => `e${String(i).padStart(3, '0')}`);

async function runningWorld(): Promise<ActorWorld> {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, ...ids.map((id) => entry(id))));
  await world.pass(3000);
  looks.clear();
  return world;
}

test.serial(
  'TICKS-1, HEALTH-WRITER-6, INSTANCE-STATUS-WRITER-1, AGGREGATE-1: an idle registry is not looked at',
  async (t) => {
    const world = await runningWorld();
    await world.pass(180_000, 1000);
    t.deepEqual([...looks], []);
  },
);

test.serial(
  'TICKS-1, HEALTH-WRITER-6, INSTANCE-STATUS-WRITER-1, AGGREGATE-1: of one that has calls, as many are looked at as have any',
  async (t) => {
    const world = await runningWorld();
    for (let i = 0; i < 20; i++) {
      world.callEnding('e007', 0);
      world.callEnding('e008', 0);
      await world.pass(1000);
    }
    for (const [name, count] of looks) t.true(count > 0 && count <= 2 * 20 * 4, `${name}: ${count} looks`);
    t.true((looks.get('tick') ?? 0) > 0);
    t.is(looks.get('send'), undefined, 'without a failure there is nothing to judge');
    t.is(world.flushed.length, 40);
  },
);

test.serial('TICKS-1: one whose call hangs is evaluated until it ends, and is idle then', async (t) => {
  const world = await runningWorld();
  world.call('e001');
  await world.pass(3000, 1000);
  t.is(looks.get('tick'), 3);
  world.sent.at(-1)?.end(0);
  await world.pass(5000, 1000);
  t.true((looks.get('tick') ?? 0) <= 5);
});

test.serial('HEALTH-WRITER-6, DISABLE-GUARD-1: a change of one row looks at one extension', async (t) => {
  const world = await runningWorld();
  world.feed$.next(changesOf(2, [entry('e003', { revision: 2, timeout_ms: 1234 })]));
  await world.pass(5000, 1000);
  t.true(looks.size > 0);
  for (const [name, count] of looks) t.true(count <= 8, `${name}: ${count} looks`);
});

test.serial(
  'HEALTH-WRITER-4, HEALTH-WRITER-6: after its window is over an extension is written once more, and is idle',
  async (t) => {
    const world = await runningWorld();
    world.callEnding('e005', 0);
    await world.pass(420_000, 1000);
    t.deepEqual(
      world.flushed.map(({ extension_id, latency_samples }) => [extension_id, latency_samples]),
      [
        ['e005', 1],
        ['e005', 0],
      ],
    );
    await settle();
    looks.clear();
    await world.pass(120_000, 1000);
    t.deepEqual([...looks], []);
  },
);

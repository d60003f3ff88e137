// INSTANCES-1 of instances.ts: when a drain is answered, and what is in flight then.
import test from 'ava';
import { InForce } from '../../../src/actors/management/in-force.js';
import { Instances } from '../../../src/actors/management/instances.js';
import type { SetWeight, WeightAnswer } from '../../../src/actors/ports/instances.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { ActorWorld, settle } from '../../helpers/actor-world.js';
import { changesOf, extensionRow, instanceRow, registryEntry, snapshotOf } from '../../helpers/registry-rows.js';

const entry = (weight: number, revision = 1) =>
  registryEntry(extensionRow('a'), {
    instances: [instanceRow('a', 'i', { weight, revision }), instanceRow('a', 'j', { subject: 'ext.other' })],
  });

function deskOf(world: ActorWorld, set: SetWeight) {
  const inForce = new InForce(world.core.supervisor, world.clock);
  const { supervisor: registry } = world.core;
  const instances = new Instances({ set, inForce, registry, newId: () => 'id', clock: world.clock, log: silentLogger });
  return { instances, inForce };
}
const drain = { extensionId: 'a', instanceId: 'i', reason: 'x', actor: 'admin' };

test('INSTANCES-1: a drain is answered when it is in force, with what is still in flight to the instance', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, entry(70)));
  for (let i = 0; i < 6; i++) world.call('a');
  const mine = world.sent.filter(({ route }) => route.subject === 'ext.a.i');
  t.true(mine.length > 1);
  const { instances, inForce } = deskOf(world, async (command) => {
    t.like(command, { extension_id: 'a', instance_id: 'i', weight: 0, reason: 'x' });
    return { kind: 'written', weight: 0, was: 70, rowRevision: 2, revision: 2 };
  });
  let answer: WeightAnswer | null = null;
  const answered = instances.drain(drain).then((one) => {
    answer = one;
  });
  await settle();
  t.is(answer, null, 'the feed has not delivered it');
  world.feed$.next(changesOf(2, [entry(0, 2)]));
  inForce.noteApplied();
  await answered;
  const expected = { kind: 'set', weight: 0, was: 70, revision: 2, inForce: true, inFlight: mine.length } as const;
  t.deepEqual(answer, expected as never);
  mine[0]?.end(0);
  const later = deskOf(world, async () => ({ kind: 'unchanged', weight: 0, was: 0, rowRevision: 2, revision: 2 }));
  t.like(await later.instances.drain(drain), { was: 0, inForce: true, inFlight: mine.length - 1 });
});

test('INSTANCES-1: what the daemon does not deliver in time is answered as not in force', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, entry(0)));
  const { instances } = deskOf(world, async () => ({
    kind: 'written',
    weight: 50,
    was: 0,
    rowRevision: 2,
    revision: 2,
  }));
  const answer = instances.undrain({ ...drain, weight: null, reason: null });
  await world.pass(3100);
  t.like(await answer, { weight: 50, was: 0, inForce: false });
});

test('instances: a database that is away or silent, and what is not there', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, entry(0)));
  const answers = async (set: SetWeight) => {
    const answer = deskOf(world, set).instances.drain(drain);
    await world.pass(5000);
    return answer;
  };
  t.like(await answers(() => Promise.reject(new Error('refused'))), {
    kind: 'database_unavailable',
    message: 'weights are in the database: refused',
  });
  t.like(await answers(() => new Promise(() => undefined)), {
    kind: 'database_unavailable',
    message: 'weights are in the database: no answer within 5 s; it may have been written',
  });
  t.deepEqual(await answers(async () => ({ kind: 'instance_not_found' })), {
    kind: 'instance_not_found',
    message: "no instance 'i' of a",
  });
  t.like(await answers(async () => ({ kind: 'extension_not_found' })), { message: "no extension 'a'" });
});

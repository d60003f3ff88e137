// Rows that were deleted and inserted again, and a registry whose history is another one: REGISTRY-DIFF-4 of domain/registry/registry-diff.ts, SERVICE-SET-3 of
// actors/extension/service-set.ts, SERVICE-1 of actors/extension/service.ts, REGISTRY-VALIDATION-1 of domain/registry/registry-validation.ts, SUPERVISOR-6 of actors/management/supervisor.ts.
import test from 'ava';
import type { RegistryEntry, RegistryUpdate } from '../../../src/domain/registry/registry-rows.js';
import { ActorWorld, reasonOf } from '../../helpers/actor-world.js';
import {
  changesOf,
  extensionRow,
  factsRow,
  instanceRow,
  registryEntry,
  snapshotOf,
  versionRow,
} from '../../helpers/registry-rows.js';
import { RegistryWorld } from '../../helpers/registry-world.js';

const uid = (n: number): string => `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
const stateOf = (world: ActorWorld, version?: string) =>
  version === undefined
    ? world.core.view.one('a')?.health.circuit_breaker_state
    : world.core.view.one('a')?.versions?.find((v) => v.version === version)?.circuit_breaker_state;

const UPDATES = [
  ['changes', (revision: number, entry: RegistryEntry): RegistryUpdate => changesOf(revision, [entry])],
  ['a snapshot', (revision: number, entry: RegistryEntry): RegistryUpdate => snapshotOf(revision, entry)],
] as const;

for (const [how, update] of UPDATES) {
  test(`REGISTRY-DIFF-4: an extension that was deleted and inserted again between two looks starts fresh, by ${how}`, async (t) => {
    const world = new ActorWorld();
    world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', { uid: uid(1) }))));
    const first = world.core.supervisor.runtimes.get('a');
    for (let i = 0; i < 5; i++) world.callEnding('a', 500);
    t.is(stateOf(world), 'open');
    await world.pass(50);
    t.is(world.autoChanges.length, 1);
    world.feed$.next(update(2, registryEntry(extensionRow('a', { uid: uid(2) }))));
    t.not(world.core.supervisor.runtimes.get('a'), first);
    t.is(stateOf(world), 'closed');
    t.deepEqual(world.callEnding('a', 0).answers, ['ok']);
    t.like(world.core.view.one('a')?.health, { failure_count: 0, success_count: 1 });
    await world.pass(2000);
    t.is(world.autoChanges.length, 1, 'what was decided about the earlier one is not done to the later one');
  });

  test(`SERVICE-SET-3: a version that was deleted and inserted again starts fresh, its siblings go on, by ${how}`, (t) => {
    const world = new ActorWorld();
    const versions = (second: number) => [
      versionRow('a', 'v1', { uid: uid(11) }),
      versionRow('a', 'v2', { uid: uid(second), routing_rules: { tenant_id: 'x' } }),
    ];
    const row = extensionRow('a', { uid: uid(1) });
    world.feed$.next(snapshotOf(1, registryEntry(row, { versions: versions(12) })));
    const sibling = world.core.supervisor.runtimes.get('a')?.service('v1')?.target;
    const failing = () => {
      const before = world.sent.length;
      world.call('a', null, { tenant_id: 'x' });
      world.sent[before]?.end(500);
    };
    for (let i = 0; i < 5; i++) failing();
    t.is(stateOf(world, 'v2'), 'open');
    world.feed$.next(update(2, registryEntry(row, { versions: versions(13) })));
    t.is(stateOf(world, 'v2'), 'closed');
    t.is(world.core.supervisor.runtimes.get('a')?.service('v1')?.target, sibling as never);
    failing();
    t.is(world.sent.at(-1)?.route.subject, 'ext.a.v2');
  });

  test(`SERVICE-1: an instance that was deleted and inserted again is in rotation, by ${how}`, (t) => {
    const world = new ActorWorld();
    const entry = (first: number, second: number) =>
      registryEntry(extensionRow('a', { uid: uid(1) }), {
        instances: [
          instanceRow('a', 'i1', { uid: uid(first), health_status: first === 21 ? 'unhealthy' : 'unknown' }),
          instanceRow('a', 'i2', { uid: uid(second) }),
        ],
      });
    const ejected = () =>
      world.core.view.one('a')?.instances?.flatMap(({ id, ejected_until }) => (ejected_until === null ? [] : [id]));
    world.feed$.next(snapshotOf(1, entry(21, 22)));
    t.deepEqual(ejected(), ['i1']);
    world.feed$.next(update(2, entry(21, 23)));
    t.deepEqual(ejected(), ['i1'], 'that another one was inserted again says nothing of this one');
    world.feed$.next(update(3, entry(24, 23)));
    t.deepEqual(ejected(), []);
  });
}

test('SERVICE-1: what is known of a subject stays while another instance with it stays', (t) => {
  const world = new ActorWorld();
  const entry = (...others: number[]) =>
    registryEntry(extensionRow('a'), {
      instances: [
        instanceRow('a', 'i1', { uid: uid(21), subject: 'ext.a.x', health_status: 'unhealthy' }),
        ...others.map((other) => instanceRow('a', 'i2', { uid: uid(other), subject: 'ext.a.x' })),
        instanceRow('a', 'i3', { uid: uid(29) }),
      ],
    });
  world.feed$.next(snapshotOf(1, entry()));
  t.truthy(world.core.view.one('a')?.instances?.[0]?.ejected_until);
  world.feed$.next(changesOf(2, [entry(22)]));
  world.feed$.next(changesOf(3, [entry(23)]));
  t.truthy(world.core.view.one('a')?.instances?.[0]?.ejected_until);
});

test('REGISTRY-VALIDATION-1: of a row that was deleted and inserted again there is no last valid form', (t) => {
  const world = new ActorWorld();
  const entry = (n: number, subject: string) =>
    registryEntry(extensionRow('a', { uid: uid(1) }), {
      versions: [
        versionRow('a', 'v1', { uid: uid(10) }),
        versionRow('a', 'v2', { uid: uid(n), ...subjectOf(subject) }),
      ],
      instances: [instanceRow('a', 'i1', { uid: uid(n + 100), version: 'v1', ...subjectOf(subject) })],
    });
  const subjectOf = (subject: string) => (subject === '' ? {} : { subject });
  world.feed$.next(snapshotOf(1, entry(11, '')));
  world.feed$.next(changesOf(2, [entry(11, 'bad.*')]));
  t.deepEqual([...(world.core.supervisor.runtimes.get('a')?.services ?? [])].map((s) => s.version.version).sort(), [
    'v1',
    'v2',
  ]);
  t.is(world.core.view.one('a')?.instances?.length, 1);
  world.feed$.next(changesOf(3, [entry(12, 'bad.*')]));
  t.deepEqual(
    [...(world.core.supervisor.runtimes.get('a')?.services ?? [])].map((s) => s.version.version),
    ['v1'],
  );
  t.is(world.core.view.one('a')?.instances?.length, 0);
  world.feed$.next(changesOf(4, [registryEntry(extensionRow('a', { uid: uid(2), subject: 'bad.*' }))]));
  t.is(reasonOf(world.call('a')), 'row_invalid');
});

test('REGISTRY-VALIDATION-1: a policy that was removed and set again, in a row that is refused, is not the one before', (t) => {
  const world = new ActorWorld();
  const row = (policy_uid: string, policy: unknown, revision: number) =>
    registryEntry(extensionRow('a', { policy, policy_uid, revision }));
  world.feed$.next(snapshotOf(1, row(uid(1), { max_in_flight: 1 }, 1)));
  const inForce = () => world.core.supervisor.runtimes.get('a')?.extension.policy;
  world.feed$.next(changesOf(2, [row(uid(1), { max_in_flight: 'many' }, 2)]));
  t.deepEqual(inForce(), { max_in_flight: 1 });
  world.feed$.next(changesOf(3, [row(uid(2), { max_in_flight: 'many' }, 4)]));
  t.deepEqual(inForce(), {});
});

const another = (revision: number, ...entries: RegistryEntry[]): RegistryUpdate => ({
  ...snapshotOf(revision, ...entries),
  kind: 'snapshot',
  historyChange: 'it was restored',
});

test('SUPERVISOR-6: another history is reported and counted, and the registry that it brings is in force', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(7, registryEntry(extensionRow('a', { revision: 5 }))));
  world.feed$.next(another(3, registryEntry(extensionRow('a', { revision: 2, subject: 'ext.restored' }))));
  t.like(world.events[0], {
    event: 'registry_history_changed',
    extension_id: '_',
    revision: 3,
    reason: 'it was restored',
  });
  t.is(world.core.supervisor.historyChanges, 1);
  t.is(world.core.supervisor.revision, 3);
  world.callEnding('a', 0);
  t.is(world.sent.at(-1)?.route.subject, 'ext.restored');
  await world.pass(50);
  t.is(world.audits.filter((fact) => fact.action === 'registry_history_changed').length, 1);
});

test('SUPERVISOR-6: what was written to the history before is not in force, and is decided again', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(7, registryEntry(extensionRow('a', { revision: 5 }))));
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  await world.pass(50);
  t.like(world.autoChanges, [{ change: 'auto_disable', revision: 5 }]);
  t.true(world.core.view.one('a')?.auto_disabled);
  // The same revision, in which nobody has disabled anything.
  world.feed$.next(another(7, registryEntry(extensionRow('a', { revision: 5 }))));
  await world.pass(50);
  t.like(world.autoChanges, [{ revision: 5 }, { change: 'auto_disable', revision: 5 }]);
  t.is(stateOf(world), 'open');
});

test('SUPERVISOR-6: an automatic disable that only the other history knows is undone where the breaker is closed', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(7, registryEntry(extensionRow('a', { revision: 5 }))));
  const off = { enabled: false, auto_disabled: true, switched_by: 'system:auto-manager', revision: 3 };
  world.feed$.next(another(7, registryEntry(extensionRow('a', off))));
  await world.pass(50);
  t.like(world.autoChanges, [{ change: 'auto_enable', revision: 3 }]);
});

test('SUPERVISOR-6: a report of an instance counts by the revisions of the history that is in force', (t) => {
  const world = new ActorWorld();
  const entry = (revision: number, health_status: string) =>
    registryEntry(extensionRow('a'), {
      instances: [instanceRow('a', 'i1', { revision, health_status }), instanceRow('a', 'i2')],
    });
  const isOut = () => world.core.view.one('a')?.instances?.[0]?.ejected_until !== null;
  world.feed$.next(snapshotOf(7, entry(9, 'healthy')));
  world.feed$.next(another(3, entry(2, 'healthy')));
  world.feed$.next(changesOf(4, [entry(3, 'unhealthy')]));
  t.true(isOut());
});

test('SUPERVISOR-6: what is pending counts as decided on the history that is found, and health is written again', async (t) => {
  const world = new RegistryWorld();
  await world.pass(1000);
  world.isDatabaseAway = true;
  t.like(await world.say('isolate'), { kind: 'in_force', owed: true });
  world.isDatabaseAway = false;
  const flushed = world.flushed.length;
  world.trail.length = 0;
  world.revision = 40;
  world.feed$.next(another(40, world.entry()));
  await world.pass(1000);
  t.is(world.verbs.at(-1)?.decidedEarlier?.revision, 40);
  t.is(world.row.breaker_override, 'isolated');
  t.true(world.flushed.length > flushed);
});

test('HEALTH-QUERIES-8: what is flushed names the rows that it was measured for', async (t) => {
  const world = new ActorWorld();
  const versions = [versionRow('a', 'v2', { uid: uid(2) })];
  const facts = factsRow({ version: 'v2', epoch: 1 });
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', { uid: uid(1) }), { versions, facts })));
  world.callEnding('a', 0);
  await world.pass(1000);
  t.like(world.flushed.at(-1), { version: 'v2', extension_uid: uid(1), version_uid: uid(2) });
});

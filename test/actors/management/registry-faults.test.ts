// One bad row alone, and many rows in slices: SUPERVISOR-2, SUPERVISOR-4, SUPERVISOR-5 of actors/management/supervisor.ts, REGISTRY-DIFF-5 of domain/registry/registry-diff.ts.
import test from 'ava';
import type { RegistryEntry, RegistryUpdate } from '../../../src/domain/registry/registry-rows.js';
import { ActorWorld, reasonOf } from '../../helpers/actor-world.js';
import { isDeep } from '../../helpers/depth.js';
import {
  changesOf,
  extensionRow,
  instanceRow,
  registryEntry,
  snapshotOf,
  versionRow,
} from '../../helpers/registry-rows.js';

const nested = (depth: number): unknown => JSON.parse(`${'{"x":'.repeat(depth)}1${'}'.repeat(depth)}`);

const rejected = (world: ActorWorld) =>
  world.events
    .filter(({ event }) => event === 'registry_row_rejected')
    .map(({ extension_id, version, reason }) => `${extension_id}${version ? `@${version}` : ''}: ${reason}`);

test('SUPERVISOR-2: JSON that is nested thousands deep is refused in its row alone, and what ran before goes on', (t) => {
  const world = new ActorWorld();
  const versions = (config: unknown, routing_rules: unknown) => [
    versionRow('a', 'v1', { config, revision: 2 }),
    versionRow('a', 'v2', { routing_rules: routing_rules as object, revision: 2 }),
    versionRow('a', 'v3', { timeout_ms: 77, routing_rules: { tenant_id: 'x' } }),
  ];
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a')), registryEntry(extensionRow('b'))));
  const deep = nested(100_000);
  const entries = [
    registryEntry(extensionRow('a', { config: deep, policy: deep, revision: 2 }), { versions: versions(deep, deep) }),
    registryEntry(extensionRow('b', { subject: 'ext.b2', revision: 2 })),
  ];
  world.feed$.next(changesOf(2, entries));
  world.feed$.next(snapshotOf(2, ...entries));
  t.deepEqual(rejected(world), [
    'a@v1: config must be nested at most 64 levels deep',
    'a@v2: routing_rules must be nested at most 64 levels deep',
    'a: config must be nested at most 64 levels deep; policy must be nested at most 64 levels deep',
  ]);
  t.deepEqual(world.callEnding('a', 0).answers, ['ok']);
  world.call('a', null, { tenant_id: 'x' });
  t.is(world.sent.at(-1)?.timeoutMs, 77);
  world.callEnding('b', 0);
  t.is(world.sent.at(-1)?.route.subject, 'ext.b2');
});

test('SUPERVISOR-2: JSON that is too large is refused', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', { config: { x: 'x'.repeat(262_144) } }))));
  t.deepEqual(rejected(world), ['a: config must be at most 262144 bytes of JSON']);
  world.feed$.next(
    changesOf(2, [registryEntry(extensionRow('a', { config: { x: 'x'.repeat(262_000) }, revision: 2 }))]),
  );
  t.deepEqual(world.callEnding('a', 0).answers, ['ok']);
});

/** A row whose reading throws, as nothing that the database hands over does. */
const throwing = (id: string): RegistryEntry =>
  registryEntry(
    Object.defineProperty(extensionRow(id), 'subject', {
      get: () => {
        throw new Error('a bug in a getter');
      },
    }),
  );
/** A row that is valid, and that no route can be made of. */
const unroutable = (id: string, revision = 2): RegistryEntry =>
  registryEntry(
    extensionRow(id, {
      revision,
      config: {
        x: 1,
        toJSON: () => {
          throw new Error('a bug in a route');
        },
      },
    }),
  );
const unreadable = (update: RegistryUpdate, ...ids: string[]): RegistryUpdate => ({
  ...update,
  unreadable: ids.map((id) => ({ id, error: 'missing chunk number 0' })),
});

const good = (id: string, revision = 2) => registryEntry(extensionRow(id, { revision, subject: `ext.${id}.new` }));

const FAULTS: [what: string, update: RegistryUpdate, reason: RegExp][] = [
  [
    'whose reading throws',
    changesOf(2, [good('a'), throwing('b'), good('c')]),
    /^b: its rows cannot be read: .*a bug in a getter/,
  ],
  [
    'that cannot be applied',
    changesOf(2, [good('a'), unroutable('b'), good('c')]),
    /^b: its rows cannot be applied: .*a bug in a route/,
  ],
  [
    'that the database cannot hand over',
    unreadable(snapshotOf(2, good('a'), good('c')), 'b'),
    /^b: the database cannot hand over its rows: missing chunk number 0/,
  ],
];

for (const [what, update, reason] of FAULTS)
  test(`SUPERVISOR-2: a row ${what} is reported alone, what ran before goes on, and it is read again`, async (t) => {
    const world = new ActorWorld();
    const plain = ['a', 'b', 'c'].map((id) => registryEntry(extensionRow(id)));
    world.feed$.next(snapshotOf(1, ...plain));
    world.feed$.next(update);
    t.is(rejected(world).length, 1);
    t.regex(rejected(world)[0] ?? '', reason);
    for (const id of ['a', 'c']) {
      world.callEnding(id, 0);
      t.is(world.sent.at(-1)?.route.subject, `ext.${id}.new`);
    }
    world.callEnding('b', 0);
    t.is(world.sent.at(-1)?.route.subject, 'ext.b');
    await world.pass(1000);
    t.is(world.snapshotRequests, 1);
    world.feed$.next(snapshotOf(2, good('a'), good('b'), good('c')));
    world.callEnding('b', 0);
    t.is(world.sent.at(-1)?.route.subject, 'ext.b.new');
    await world.pass(120_000, 1000);
    t.is(world.snapshotRequests, 1);
  });

for (const [what, update] of FAULTS)
  test(`SUPERVISOR-2: a row ${what} and that never was valid is refused as invalid`, async (t) => {
    const world = new ActorWorld();
    world.feed$.next(update.kind === 'snapshot' ? update : { ...update, kind: 'snapshot' });
    t.is(reasonOf(world.call('b')), 'row_invalid');
    t.deepEqual(world.callEnding('a', 0).answers, ['ok']);
    await world.pass(1000);
    world.feed$.next(snapshotOf(3, good('a'), good('b', 3), good('c')));
    t.deepEqual(world.callEnding('b', 0).answers, ['ok']);
  });

test('SUPERVISOR-2: a row that stays bad is read again ever later, up to once a minute', async (t) => {
  const world = new ActorWorld();
  const asked: number[] = [];
  world.feed$.next(snapshotOf(1, unroutable('b')));
  for (let second = 1; second <= 200; second++) {
    const before = world.snapshotRequests;
    await world.pass(1000, 1000);
    if (world.snapshotRequests === before) continue;
    asked.push(second);
    world.feed$.next(snapshotOf(1, unroutable('b')));
  }
  t.deepEqual(asked, [1, 3, 7, 15, 31, 63, 123, 183]);
  t.is(rejected(world).length, 1);
});

test('SUPERVISOR-2: an update that cannot be taken over at all is followed by a whole reading', async (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  world.feed$.next({ kind: 'changes', revision: 2, entries: null as never, removedIds: [] });
  t.is(world.core.supervisor.revision, 1);
  await world.pass(1000);
  t.is(world.snapshotRequests, 1);
  world.feed$.next(snapshotOf(2, good('a')));
  t.is(world.core.supervisor.revision, 2);
});

test('SUPERVISOR-4: a removed extension that comes back as bad as it was is reported again', (t) => {
  const world = new ActorWorld();
  const bad = registryEntry(extensionRow('a', { subject: 'ext.*' }));
  world.feed$.next(snapshotOf(1, bad));
  world.feed$.next(snapshotOf(1, bad));
  world.feed$.next(changesOf(2, [], ['a']));
  world.feed$.next(changesOf(3, [bad]));
  t.is(rejected(world).length, 2);
});

/** Every look at the clock is a hundredth of a millisecond later than the one before. */
class BusyWorld extends ActorWorld {
  constructor() {
    super();
    const now = this.clock.now.bind(this.clock);
    let looks = 0;
    Object.defineProperty(this.clock, 'now', { value: () => now() + ++looks / 100 });
  }

  /** False while the registry of that revision is still being taken over. */
  isAt(revision: number): boolean {
    return this.core.supervisor.revision === revision;
  }
}

const ROWS = isDeep ? 20_000 : 2000;
const big = (changes: object = {}): RegistryEntry =>
  registryEntry(extensionRow('big', { revision: 1, ...changes }), {
    versions: Array.from({ length: ROWS }, (_, i) =>
      versionRow('big', `v${i}`, i % 2 === 0 ? {} : { routing_rules: { tenant_id: `t${i}` } }),
    ),
    instances: Array.from({ length: ROWS }, (_, i) =>
      instanceRow('big', `i${i}`, { version: `v${i % 3}`, health_status: i % 10 === 1 ? 'unhealthy' : 'unknown' }),
    ),
  });

test(`SUPERVISOR-5: ${ROWS} versions and as many instances are taken over in slices, in which calls and changes are served`, async (t) => {
  const world = new BusyWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('small'))));
  const before = process.cpuUsage();
  world.feed$.next(changesOf(2, [big()]));
  world.feed$.next(changesOf(3, [registryEntry(extensionRow('small', { timeout_ms: 77, revision: 2 }))]));
  t.true(world.isAt(1));
  t.deepEqual(world.callEnding('small', 0).answers, ['ok']);
  t.is(reasonOf(world.call('big')), 'extension_not_found');
  while (!world.isAt(3)) await world.pass(1);
  t.true(world.clock.delays.filter((ms) => ms === 0).length > 10, 'slices');
  world.call('big', null, { tenant_id: `t${ROWS - 1}` });
  t.regex(String(world.sent.at(-1)?.route.subject), new RegExp(`^ext.big.v${ROWS - 1}$`));
  world.callEnding('small', 0);
  t.is(world.sent.at(-1)?.timeoutMs, 77);

  // What changes nothing, or one row, makes no new target.
  const target = world.core.supervisor.runtimes.get('big')?.service('v5')?.target;
  world.feed$.next(snapshotOf(4, big({ timeout_ms: 55, revision: 2 }), registryEntry(extensionRow('small'))));
  while (!world.isAt(4)) await world.pass(1);
  t.is(world.core.supervisor.runtimes.get('big')?.service('v5')?.target, target as never);
  world.feed$.next(changesOf(5, [], ['big']));
  t.is(reasonOf(world.call('big')), 'extension_not_found');
  while (!world.isAt(5)) await world.pass(1);
  const { user, system } = process.cpuUsage(before);
  // In time that grows with the square of them it would be minutes.
  t.true((user + system) / 1e6 < ROWS / 200, `${(user + system) / 1e6} s`);
});

test('SUPERVISOR-5: a decision while an earlier change is not done yet is in force, and each target obeys both once', async (t) => {
  const world = new BusyWorld();
  world.feed$.next(snapshotOf(1, big()));
  while (!world.isAt(1)) await world.pass(1);
  const runtime = world.core.supervisor.runtimes.get('big');
  const modes = () => new Set([...(runtime?.services ?? [])].map(({ target }) => target.mode));
  world.feed$.next(changesOf(2, [big({ breaker_override: 'isolated', revision: 2 })]));
  t.deepEqual([...modes()], ['closed'], 'it has begun');
  runtime?.noteAutoChange(false, 3);
  while (!world.isAt(2) || modes().size > 1) await world.pass(1);
  t.deepEqual([...modes()], ['isolated']);
  world.feed$.next(changesOf(3, [big({ enabled: false, auto_disabled: true, revision: 3 })]));
  while (!world.isAt(3)) await world.pass(1);
  t.deepEqual([...modes()], ['halfOpen']);
});

test('SUPERVISOR-5: more rows than an extension may have are refused, and reported in one', (t) => {
  const world = new ActorWorld();
  const instances = Array.from({ length: 150 }, (_, i) => instanceRow('a', `i${i}`, { subject: 'ext.shared' }));
  const versions = Array.from({ length: 150 }, (_, i) => versionRow('a', `v${i}`, { subject: 'ext.shared' }));
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { versions, instances })));
  // Each of them serves every version.
  t.is(world.core.view.one('a')?.instances?.length, 133);
  t.is(world.events.length, 1);
  t.regex(
    world.events[0]?.reason ?? '',
    /at most 20000 instances, counted once for each version that they serve: 17 are/,
  );
});

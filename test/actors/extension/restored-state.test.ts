// What a target begins with: RESTORED-STATE-1..RESTORED-STATE-3 of restored-state.ts.
import test from 'ava';
import type { BreakerFactsRow, ExtensionRow, PutBack, VersionRow } from '../../../src/domain/registry/registry-rows.js';
import { ActorWorld, settle } from '../../helpers/actor-world.js';
import {
  changesOf,
  extensionRow,
  factsRow,
  registryEntry,
  snapshotOf,
  versionRow,
} from '../../helpers/registry-rows.js';

type State = 'closed' | 'open' | 'half_open';

const OPEN = factsRow({ state: 'open', opened_ago_ms: 10_000, open_remaining_ms: 50_000, trips: 2, epoch: 7 });

const stateOf = (world: ActorWorld, version: string) =>
  world.core.view.one('a')?.versions?.find((v) => v.version === version)?.circuit_breaker_state;

const published = test.macro<[what: string, names: string | null, own: BreakerFactsRow | null, v1: State, v2: State]>({
  exec(t, _, names, own, v1, v2) {
    const world = new ActorWorld();
    const versions = [versionRow('a', 'v2'), versionRow('a', 'v1', { routing_rules: { tenant_id: 'x' } })];
    const entry = registryEntry(extensionRow('a'), {
      versions,
      facts: { ...OPEN, version: names },
      versionFacts: own === null ? {} : { v2: own },
    });
    world.feed$.next(snapshotOf(1, entry));
    t.is(stateOf(world, 'v1'), v1);
    t.is(stateOf(world, 'v2'), v2);
  },
  title: (_, what, __, ___, v1, v2) =>
    `RESTORED-STATE-1: a published row that ${what}: v1 ${v1}, v2, the default, ${v2}`,
});
test(published, 'names the default', 'v2', null, 'closed', 'open');
test(published, 'names no version', null, null, 'closed', 'open');
test(published, 'names another version', 'v1', null, 'open', 'closed');
test(published, 'names a version that is gone', 'v0', null, 'closed', 'closed');
test(
  published,
  'names another version, beside a row of its own',
  'v1',
  { ...OPEN, state: 'half_open' },
  'open',
  'half_open',
);

const WHEN = { before: 20_000, after: 5000 } as const;

const putBack = test.macro<[row: Partial<ExtensionRow>, to: PutBack['to'], when: keyof typeof WHEN, expected: State]>({
  async exec(t, row, to, when, expected) {
    const world = new ActorWorld();
    const put_back = { id: 'x', to, ago_ms: WHEN[when] };
    const stored = { facts: OPEN, versions: [versionRow('a', 'v2')], versionFacts: {} };
    world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a', { ...row, put_back }), stored)));
    await world.pass(1000);
    const health = world.core.view.one('a')?.health;
    t.like(health, { circuit_breaker_state: expected, circuit_breaker_trips: expected === 'closed' ? 0 : 2 });
    t.is(world.autoChanges.length, expected === 'open' && row.enabled !== false ? 1 : 0);
    if (expected === 'open') return;
    t.like(world.flushed.at(-1), { circuit_breaker_state: expected });
    t.true((world.flushed.at(-1)?.epoch ?? 0) > OPEN.epoch);
  },
  title: (_, row, to, when, expected) =>
    `RESTORED-STATE-2: put back to ${to} ${when} it opened, now ${JSON.stringify(row)}: ${expected}, and nothing switches off what a person switched on`,
});
test(putBack, {}, 'closed', 'after', 'closed');
test(putBack, {}, 'half_open', 'after', 'half_open');
test(putBack, {}, 'closed', 'before', 'open');
test(putBack, {}, 'half_open', 'before', 'open');
test(putBack, { enabled: false }, 'closed', 'after', 'closed');

test('RESTORED-STATE-2: where it is not known when it opened, what is stored counts', (t) => {
  const world = new ActorWorld();
  const row = extensionRow('a', { put_back: { id: 'x', to: 'closed', ago_ms: 0 } });
  world.feed$.next(snapshotOf(1, registryEntry(row, { facts: { ...OPEN, opened_ago_ms: null } })));
  t.is(world.core.view.one('a')?.health.circuit_breaker_state, 'open');
});

const version = test.macro<[what: string, extension: PutBack | null, own: VersionRow['put_back'], expected: State]>({
  exec(t, _, extension, own, expected) {
    const world = new ActorWorld();
    const versions = [
      versionRow('a', 'v2'),
      versionRow('a', 'v1', { routing_rules: { tenant_id: 'x' }, put_back: own }),
    ];
    const row = extensionRow('a', { put_back: extension });
    world.feed$.next(snapshotOf(1, registryEntry(row, { versions, versionFacts: { v1: OPEN } })));
    t.is(stateOf(world, 'v1'), expected);
  },
  title: (_, what, __, ___, expected) => `RESTORED-STATE-2: of a version that was put back ${what}: ${expected}`,
});
test(version, 'by nobody', null, null, 'open');
test(version, 'itself', null, { id: 'y', to: 'closed', ago_ms: 1 }, 'closed');
test(version, 'with its extension', { id: 'x', to: 'half_open', ago_ms: 1 }, null, 'half_open');
test(
  version,
  'last with its extension',
  { id: 'x', to: 'half_open', ago_ms: 1 },
  { id: 'y', to: 'closed', ago_ms: 2 },
  'half_open',
);
test(version, 'last itself', { id: 'x', to: 'half_open', ago_ms: 2 }, { id: 'y', to: 'closed', ago_ms: 1 }, 'closed');

test('RESTORED-STATE-3: what is stored is open no longer than the settings of today allow', async (t) => {
  const world = new ActorWorld();
  const facts = { ...OPEN, trips: 1, open_remaining_ms: 9_000_000 };
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { facts })));
  await world.pass(67_000, 1000);
  t.is(world.core.view.one('a')?.health.circuit_breaker_state, 'half_open');
});

test('a version that becomes the default is published at once, and the one before it kept as what it is now', async (t) => {
  const world = new ActorWorld({ autoDisableOnCircuitOpen: false });
  // Without a tenant chance decides, and this is not the canary's.
  world.random = 0.5;
  const canary = versionRow('a', 'v2', { rollout_percent: 5 });
  const old = versionRow('a', 'v1');
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { versions: [old, canary] })));
  for (let i = 0; i < 5; i++) world.callEnding('a', 500);
  await settle();
  t.like(world.flushed.at(-1), { version: 'v1', published: true, circuit_breaker_state: 'open', epoch: 1 });
  const versions = [old, { ...canary, rollout_percent: null, revision: 2 }];
  world.feed$.next(changesOf(2, [registryEntry(extensionRow('a'), { versions })]));
  const before = world.flushed.length;
  await world.pass(3000);
  t.like(
    world.flushed.slice(before).toSorted((a, b) => (a.version < b.version ? -1 : 1)),
    [
      { version: 'v1', published: false, circuit_breaker_state: 'open', epoch: 1, failure_delta: 0 },
      { version: 'v2', published: true, circuit_breaker_state: 'closed', epoch: 0, success_delta: 0 },
    ],
  );
  t.is(world.flushed.length, before + 2);
});

test('a daemon that begins with another default than the published row names puts that right, and nothing else', async (t) => {
  const world = new ActorWorld();
  const entry = registryEntry(extensionRow('a', { version: 'v1' }), { facts: { ...OPEN, version: 'v0' } });
  world.feed$.next(snapshotOf(1, entry, registryEntry(extensionRow('b'), { facts: { ...OPEN, version: 'v1' } })));
  await world.pass(3000);
  t.deepEqual(
    world.flushed
      .filter((row) => row.extension_id === 'a')
      .map((row) => [row.version, row.published, row.circuit_breaker_state]),
    [['v1', true, 'closed']],
  );
});

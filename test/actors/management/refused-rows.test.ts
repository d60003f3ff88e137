// REFUSED-ROWS-1, and where refused rows are seen.
import test from 'ava';
import { ActorWorld, START_WALL_MS } from '../../helpers/actor-world.js';
import {
  changesOf,
  extensionRow,
  instanceRow,
  registryEntry,
  snapshotOf,
  versionRow,
} from '../../helpers/registry-rows.js';

const isoAfter = (ms: number): string => new Date(START_WALL_MS + ms).toISOString();

const sinceOf = (world: ActorWorld, id = 'a') =>
  [...world.core.supervisor.refusedRows(id)].map(({ since, version, problems }) => [since, version, problems[0]]);

test('REFUSED-ROWS-1: a row is refused since it was first, whatever is wrong with it later, and anew once it was valid', (t) => {
  const world = new ActorWorld();
  const row = (revision: number, subject: string) => registryEntry(extensionRow('a', { subject, revision }));
  world.feed$.next(snapshotOf(1, row(1, 'ext.a')));
  t.deepEqual(sinceOf(world), []);
  world.clock.advance(1000);
  world.feed$.next(changesOf(2, [row(2, 'ext.*')]));
  world.clock.advance(1000);
  world.feed$.next(changesOf(3, [row(3, 'ext. ')]));
  world.feed$.next(snapshotOf(3, row(3, 'ext. ')));
  t.is(sinceOf(world).length, 1);
  t.is(sinceOf(world)[0]?.[0], isoAfter(1000));
  world.feed$.next(changesOf(4, [row(4, 'ext.b')]));
  t.deepEqual(sinceOf(world), []);
  world.clock.advance(1000);
  world.feed$.next(changesOf(5, [row(5, 'ext.*')]));
  t.is(sinceOf(world)[0]?.[0], isoAfter(3000));
  world.feed$.next(changesOf(6, [], ['a']));
  world.clock.advance(1000);
  world.feed$.next(changesOf(7, [row(7, 'ext.*')]));
  t.is(sinceOf(world)[0]?.[0], isoAfter(4000), 'a row that was deleted and inserted again');
});

test('REFUSED-ROWS-1: each row of an extension counts by itself', (t) => {
  const world = new ActorWorld();
  const entry = (revision: number, v2: number, v3: number) =>
    registryEntry(extensionRow('a'), {
      versions: [
        versionRow('a', 'v2', { timeout_ms: v2, revision }),
        versionRow('a', 'v3', { timeout_ms: v3, revision }),
      ],
    });
  world.feed$.next(snapshotOf(1, entry(1, 0, 1000)));
  world.clock.advance(500);
  world.feed$.next(changesOf(2, [entry(2, 0, 0)]));
  t.deepEqual(
    sinceOf(world).map(([since, version]) => [version, since]),
    [
      ['v2', isoAfter(0)],
      ['v3', isoAfter(500)],
    ],
  );
  world.feed$.next(changesOf(3, [entry(3, 1000, 0)]));
  t.deepEqual(
    sinceOf(world).map(([since, version]) => [version, since]),
    [['v3', isoAfter(500)]],
  );
});

test('refused rows: health and explain show the same of them, with the last valid form in force', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  const bad = registryEntry(extensionRow('a', { subject: 'ext.*', revision: 2 }), {
    versions: [versionRow('a', 'v2', { timeout_ms: 0 })],
    instances: [instanceRow('a', 'i1', { weight: 101 })],
  });
  world.clock.advance(250);
  world.feed$.next(changesOf(2, [bad]));
  const shown = world.core.view.one('a')?.refused_rows;
  t.deepEqual(
    shown?.map(({ extension_id, version, instance_id, since }) => ({ extension_id, version, instance_id, since })),
    [
      { extension_id: 'a', version: 'v2', instance_id: null, since: isoAfter(250) },
      { extension_id: 'a', version: null, instance_id: 'i1', since: isoAfter(250) },
      { extension_id: 'a', version: null, instance_id: null, since: isoAfter(250) },
    ],
  );
  const explained = world.core.explain('a', {});
  t.deepEqual(explained?.refused_rows, shown);
  t.is(explained?.in_force, false);
  t.like(explained?.answer, { kind: 'taken', subject: 'ext.a' });
  world.feed$.next(changesOf(3, [registryEntry(extensionRow('a', { revision: 3 }), { versions: bad.versions })]));
  t.like(world.core.explain('a', {}), { in_force: true, refused_rows: [{ version: 'v2' }] });
  world.feed$.next(changesOf(4, [registryEntry(extensionRow('a', { revision: 4 }))]));
  t.true(world.core.explain('a', {})?.in_force);
  t.deepEqual(world.core.explain('a', {})?.refused_rows, []);
});

test('refused rows: of an extension that was never valid, health says why there is nothing, and explain that it is refused', (t) => {
  const world = new ActorWorld();
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('bad', { type: 'nonsense' }))));
  t.is(world.core.health.one('bad'), null);
  t.regex(
    world.core.health.absence('bad'),
    /^nothing of extension 'bad' is in force, since its row is refused: type must/,
  );
  t.is(world.core.health.absence('none'), "no extension 'none'");
  t.like(world.core.explain('bad', { Plan: 'x' }), {
    in_force: false,
    warnings: [],
    refused_rows: [{ extension_id: 'bad', since: isoAfter(0) }],
    answer: { kind: 'refused', reason: 'row_invalid', retryable: false },
  });
});

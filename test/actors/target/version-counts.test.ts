// VERSION-COUNTS-1 and VERSION-COUNTS-2 of version-counts.ts: counters are counters, whatever becomes of the versions that they count.
import test from 'ava';
import fc from 'fast-check';
import type { ExtensionSample } from '../../../src/actors/ports/metrics.js';
import { ActorWorld } from '../../helpers/actor-world.js';
import { runs } from '../../helpers/depth.js';
import {
  changesOf,
  extensionRow,
  factsRow,
  registryEntry,
  snapshotOf,
  versionRow,
} from '../../helpers/registry-rows.js';

const NAMES = ['v1', 'v2', 'v3'] as const;
type Name = (typeof NAMES)[number];

/** Each version is asked for by a tenant of its name; the plain one with the highest name is the default as well. */
interface Shape {
  readonly present: readonly Name[];
  readonly disabled: readonly Name[];
  /** Reached by its rule alone. */
  readonly ruled: readonly Name[];
}

const entryOf = ({ present, disabled, ruled }: Shape) =>
  registryEntry(extensionRow('a'), {
    versions: present.map((name) =>
      versionRow('a', name, {
        enabled: !disabled.includes(name),
        ...(ruled.includes(name) ? { routing_rules: { tenant_id: name } } : {}),
      }),
    ),
  });

const sampleOf = (world: ActorWorld): ExtensionSample => {
  const [sample] = world.core.view.extensions();
  if (sample === undefined) throw new Error('the extension is gone');
  return sample;
};

const totals = ({ failures_total, trips_total, recoveries_total }: ExtensionSample) => [
  failures_total,
  trips_total,
  recoveries_total,
];

const shapes: fc.Arbitrary<Shape> = fc.record({
  present: fc.subarray([...NAMES], { minLength: 1 }),
  disabled: fc.subarray([...NAMES]),
  ruled: fc.subarray([...NAMES]),
});
const steps = fc.oneof(
  shapes.map((shape) => ({ kind: 'change', shape }) as const),
  fc.record({
    kind: fc.constant('call' as const),
    tenant: fc.constantFrom(...NAMES),
    fails: fc.boolean(),
    waitMs: fc.constantFrom(0, 0, 70_000),
  }),
);

test('METRICS-3, VERSION-COUNTS-1, VERSION-COUNTS-2: no total decreases, and the failures of all versions are counted, under any changes', (t) => {
  fc.assert(
    fc.property(fc.array(steps, { minLength: 10, maxLength: 40 }), (sequence) => {
      const world = new ActorWorld({ autoDisableOnCircuitOpen: false });
      world.feed$.next(snapshotOf(1, entryOf({ present: ['v1'], disabled: [], ruled: [] })));
      let revision = 1;
      let failures = 0;
      let before = totals(sampleOf(world));
      for (const step of sequence) {
        if (step.kind === 'change') world.feed$.next(changesOf(++revision, [entryOf(step.shape)]));
        else {
          world.clock.advance(step.waitMs);
          const sent = world.sent.length;
          world.call('a', null, { tenant_id: step.tenant });
          for (let i = sent; i < world.sent.length; i++) {
            world.sent[i]?.end(step.fails ? 500 : 0);
            if (step.fails) failures++;
          }
        }
        const sample = sampleOf(world);
        const after = totals(sample);
        for (const [i, value] of after.entries()) t.true(value >= (before[i] as number));
        t.is(sample.failures_total, failures);
        before = after;
      }
    }),
    { numRuns: runs(100) },
  );
});

test("VERSION-COUNTS-1: a canary's failures and trips are its own, and the extension's; a new default changes none of them", async (t) => {
  const world = new ActorWorld({ autoDisableOnCircuitOpen: false });
  const canary = { present: ['v1', 'v2'], disabled: [], ruled: ['v2'] } as const;
  world.feed$.next(snapshotOf(1, entryOf(canary)));
  for (let i = 0; i < 5; i++) {
    const sent = world.sent.length;
    world.call('a', null, { tenant_id: 'v2' });
    world.sent[sent]?.end(500);
  }
  const counted = [
    { version: 'v1', failures: 0, trips: 0 },
    { version: 'v2', failures: 5, trips: 1 },
  ];
  const looks = (when: string) => {
    const sample = sampleOf(world);
    t.like(sample, { failures_total: 5, trips_total: 1 }, when);
    t.deepEqual(
      sample.version_counts
        .map(({ version, failures, trips }) => ({ version, failures, trips }))
        .sort((a, b) => a.version.localeCompare(b.version)),
      counted,
      when,
    );
  };
  looks('as a canary');
  await world.pass(1000);
  world.feed$.next(changesOf(2, [entryOf({ ...canary, ruled: [] })]));
  t.is(world.core.view.one('a')?.version, 'v2');
  looks('as the default');
  t.like(world.core.view.one('a')?.health, { failure_count: 5 });
  world.feed$.next(changesOf(3, [entryOf({ ...canary, disabled: ['v2'] })]));
  looks('disabled');
  t.like(
    world.core.view.one('a')?.versions.find(({ version }) => version === 'v2'),
    { enabled: false, success_count: 0, failure_count: 5 },
  );
  world.feed$.next(changesOf(4, [entryOf(canary)]));
  looks('enabled again');
  await world.pass(2000);
  const written = world.flushed.filter(({ version }) => version === 'v2').map((row) => row.failure_delta);
  t.is(
    written.reduce((sum, delta) => sum + delta, 0),
    5,
    'and none is written twice',
  );
  world.feed$.next(changesOf(5, [entryOf({ ...canary, present: ['v1'] })]));
  t.like(sampleOf(world), { failures_total: 5, trips_total: 1, version_counts: [] }, 'deleted');
});

test('VERSION-COUNTS-1: what is stored of a version that is disabled is shown, also where it never ran here', (t) => {
  const world = new ActorWorld();
  const versions = [versionRow('a', 'v1'), versionRow('a', 'v2', { enabled: false })];
  const versionFacts = { v2: factsRow({ success_count: 70, failure_count: 8 }) };
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'), { versions, versionFacts })));
  t.like(
    world.core.view.one('a')?.versions.find(({ version }) => version === 'v2'),
    { enabled: false, success_count: 70, failure_count: 8 },
  );
});

test("VERSION-COUNTS-1: the calls of an extension's own row are counted on where a version took its place for a while", (t) => {
  const world = new ActorWorld();
  const routed = () => sampleOf(world).routed;
  const own = { version: 'v1', by: 'default' };
  world.feed$.next(snapshotOf(1, registryEntry(extensionRow('a'))));
  world.callEnding('a', 0);
  world.callEnding('a', 0);
  t.deepEqual(routed(), [{ ...own, calls: 2 }]);
  world.feed$.next(changesOf(2, [entryOf({ present: ['v2'], disabled: [], ruled: [] })]));
  t.deepEqual(routed(), [{ ...own, calls: 2 }]);
  world.feed$.next(changesOf(3, [registryEntry(extensionRow('a'))]));
  world.callEnding('a', 0);
  t.deepEqual(routed(), [{ ...own, calls: 3 }]);
});

import test from 'ava';
import fc from 'fast-check';
import type { Extension } from '../../../src/domain/registry/extension.js';
import { parseEntry } from '../../../src/domain/registry/registry-validation.js';
import {
  allotSlots,
  NO_SLOTS,
  parseSlots,
  type RolloutSlots,
  SLOTS,
  slotOf,
} from '../../../src/domain/registry/rollout-slots.js';
import type { Context } from '../../../src/domain/routing/routing-rules.js';
import { RoutingTable } from '../../../src/domain/routing/routing-table.js';
import { chiSquare, criticalAt } from '../../helpers/chi-square.js';
import { propertyRuns } from '../../helpers/hostile-text.js';
import { extensionRow, registryEntry, versionRow } from '../../helpers/registry-rows.js';

const slots = (given: Readonly<Record<string, number[][]>>): RolloutSlots => parseSlots(given);
const wanted = (given: Readonly<Record<string, number>>) => new Map(Object.entries(given));

const allotted = test.macro<
  [title: string, held: Record<string, number[][]>, wanted: Record<string, number>, Record<string, number[][]>]
>({
  exec: (t, _, held, want, expected) => {
    t.deepEqual(Object.fromEntries(allotSlots(slots(held), wanted(want))), expected as never);
  },
  title: (_, title) => `ROLLOUT-SLOTS-2, ROLLOUT-SLOTS-3: ${title}`,
});
test(
  allotted,
  'the first of all begin at 0, in order of names',
  {},
  { b: 10, a: 5, c: 0 },
  { a: [[0, 5]], b: [[5, 15]] },
);
test(
  allotted,
  'who grows takes the lowest that are free',
  { a: [[0, 5]], b: [[5, 15]] },
  { a: 8, b: 10 },
  {
    a: [
      [0, 5],
      [15, 18],
    ],
    b: [[5, 15]],
  },
);
test(
  allotted,
  'who shrinks gives up the highest',
  {
    a: [
      [0, 5],
      [15, 18],
    ],
    b: [[5, 15]],
  },
  { a: 6, b: 4 },
  {
    a: [
      [0, 5],
      [15, 16],
    ],
    b: [[5, 9]],
  },
);
test(
  allotted,
  'who leaves gives up all, and who comes takes them',
  { a: [[0, 5]], b: [[5, 15]] },
  { b: 10, c: 9990 },
  {
    b: [[5, 15]],
    c: [
      [0, 5],
      [15, 10_000],
    ],
  },
);
test(
  allotted,
  'what grows together again is one range',
  { a: [[0, 5]], b: [[5, 15]], c: [[15, 20]] },
  { a: 20, c: 5 },
  {
    a: [
      [0, 15],
      [20, 25],
    ],
    c: [[15, 20]],
  },
);
test(
  allotted,
  'no slot has two, whatever was kept',
  { a: [[0, 50]], b: [[40, 60]] },
  { a: 50, b: 20 },
  { a: [[0, 50]], b: [[50, 70]] },
);
test(
  allotted,
  'what is too much has what is free',
  { a: [[0, 5]] },
  { a: 9000, b: 9000 },
  { a: [[0, 9000]], b: [[9000, 10_000]] },
);

test('parseSlots: what is no range of slots counts as not there', (t) => {
  for (const nothing of [null, undefined, 7, 'x']) t.deepEqual(parseSlots(nothing), NO_SLOTS);
  const given = {
    a: [[3, 5], [0, 3], [7, 7], [9, 8], [-1, 2], [0.5, 2], [9999, 10_001], ['0', 1], [1], null],
    b: 5,
    __proto__: null,
  };
  t.deepEqual(
    parseSlots(given),
    new Map<string, [number, number][]>([
      ['a', [[0, 5]]],
      ['b', []],
    ]),
  );
});

test('ROLLOUT-SLOTS-1: the slots of keys are all slots, each as often', (t) => {
  t.deepEqual([0, 2 ** 32 - 1, 2 ** 31].map(slotOf), [0, SLOTS - 1, SLOTS / 2]);
});

const VERSIONS = ['v2', 'v3', 'v4', 'v5', 'v6'];
type Percents = Readonly<Record<string, number | null>>;

/** As the daemon takes over one state of the rows after the other; the stored slots are those of the state before. */
function takeOver(percents: Percents, previous: Extension | null, withDefault = true): Extension {
  const rows = Object.entries(percents).map(([version, rollout_percent]) =>
    versionRow('a', version, rollout_percent === null ? { enabled: false } : { rollout_percent }),
  );
  const own = withDefault ? [versionRow('a', 'v1')] : [versionRow('a', 'v1', { enabled: false })];
  const entry = registryEntry(extensionRow('a'), { versions: [...own, ...rows] });
  const { extension, refused } = parseEntry(entry, { ownPrefix: 'extreg.v1', allowedPrefixes: [] }, previous);
  if (extension === null || refused.length > 0) throw new Error('refused');
  return extension;
}

const KEYS: Context<never>[] = Array.from({ length: 400 }, (_, i) => new Map([['tenant_id', `tenant-${i}`]]));
const never = (): number => {
  throw new Error('chance was asked');
};
const versionsOf = (extension: Extension): (string | null)[] => {
  const table = new RoutingTable(extension);
  return KEYS.map((context) => table.choose(context, never)?.version ?? null);
};

/** Changes of one version at a time, as far as they leave the sum at 100 or below. */
const changes = fc.array(
  fc.tuple(
    fc.constantFrom(...VERSIONS),
    fc.oneof(
      fc.constant(null),
      fc.constantFrom(0, 100),
      fc.nat(SLOTS).map((n) => n / 100),
      fc.nat(3000).map((n) => n / 100),
    ),
  ),
  { minLength: 1, maxLength: 30 },
);

test('FM 49, SL2: whatever the sequence of percentages, a change moves keys between its version and the default alone', (t) => {
  fc.assert(
    fc.property(changes, (sequence) => {
      let percents: Percents = Object.fromEntries(VERSIONS.map((version) => [version, null]));
      let extension = takeOver(percents, null);
      let before = versionsOf(extension);
      for (const [version, percent] of sequence) {
        const others = VERSIONS.filter((name) => name !== version).reduce(
          (sum, name) => sum + Math.round((percents[name] ?? 0) * 100),
          0,
        );
        if (others + Math.round((percent ?? 0) * 100) > SLOTS) continue;
        const grows = (percent ?? 0) > (percents[version] ?? 0);
        percents = { ...percents, [version]: percent };
        extension = takeOver(percents, extension);
        const after = versionsOf(extension);
        after.forEach((now, i) => {
          if (now !== before[i]) t.deepEqual([before[i], now], grows ? ['v1', version] : [version, 'v1']);
        });
        for (const name of VERSIONS) {
          const ranges = extension.rolloutSlots.get(name) ?? [];
          t.is(
            ranges.reduce((sum, [from, to]) => sum + to - from, 0),
            Math.round((percents[name] ?? 0) * 100),
          );
        }
        before = after;
      }
    }),
    { numRuns: propertyRuns(60, 3000) },
  );
});

test('ROLLOUT-SLOTS-1: no slot has two versions, whatever the sequence', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.dictionary(fc.constantFrom(...VERSIONS), fc.nat(SLOTS / 5)), { maxLength: 20 }),
      (sequence) => {
        let held = NO_SLOTS;
        for (const want of sequence) {
          held = allotSlots(held, wanted(want));
          const all = [...held.values()].flat().toSorted(([a], [b]) => a - b);
          t.true(all.every(([from, to], i) => from < to && to <= (all[i + 1]?.[0] ?? SLOTS)));
        }
      },
    ),
    { numRuns: propertyRuns(200, 10_000) },
  );
});

const TENANTS: Context<never>[] = Array.from({ length: 40_000 }, (_, i) => new Map([['tenant_id', `tenant-${i}`]]));
function counts(extension: Extension): Map<string, number> {
  const table = new RoutingTable(extension);
  const found = new Map<string, number>();
  for (const context of TENANTS) {
    const { version = 'none' } = table.choose(context, never) ?? {};
    found.set(version, (found.get(version) ?? 0) + 1);
  }
  return found;
}

test('FM 42, RT2: after many changes each version still has its share of the keys, the default the rest', (t) => {
  let extension = takeOver({ v2: 10, v3: 10, v4: 10 }, null);
  for (const percents of [
    { v2: 30, v3: 1, v4: 10 },
    { v2: 5, v3: 41.5, v4: 10 },
    { v2: 17.25, v3: 20, v4: 33.33, v5: 12 },
  ])
    extension = takeOver(percents, extension);
  const found = counts(extension);
  const shares = { v1: 17.42, v2: 17.25, v3: 20, v4: 33.33, v5: 12 };
  const expected = Object.values(shares).map((percent) => (TENANTS.length * percent) / 100);
  t.true(
    chiSquare(
      Object.keys(shares).map((version) => found.get(version) ?? 0),
      expected,
    ) < criticalAt(4),
  );
});

test('ROUTING-TABLE-2: without a default each version has its share of everything, and keeps the keys it had beside a default', (t) => {
  const percents = { v2: 5, v3: 15, v4: 20 };
  const beside = takeOver(percents, null);
  const without = takeOver(percents, beside, false);
  const found = counts(without);
  const expected = Object.values(percents).map((percent) => (TENANTS.length * percent) / 40);
  t.true(
    chiSquare(
      Object.keys(percents).map((version) => found.get(version) ?? 0),
      expected,
    ) < criticalAt(2),
  );
  const before = versionsOf(beside);
  versionsOf(without).forEach((now, i) => {
    if (before[i] !== 'v1') t.is(now, before[i] as string);
  });
});

test('ROLLOUT-SLOTS-2: a version that an operator disables and enables again has its keys back', (t) => {
  const on = takeOver({ v2: 20, v3: 30 }, null);
  const off = takeOver({ v2: null, v3: 30 }, on);
  t.deepEqual(versionsOf(takeOver({ v2: 20, v3: 30 }, off)), versionsOf(on));
});

test('parseSlots: of more ranges than there can be, those that are too many are not read', (t) => {
  const many = Array.from({ length: 60_000 }, (_, i) => [i % 10_000, (i % 10_000) + 1]);
  t.deepEqual(parseSlots({ v2: many }), new Map([['v2', [[0, 5000]]]]));
});

// REGISTRY-ROLLOUT-1 of rollout.ts, through the reading of rows, and what each version gets of the calls.
import test from 'ava';
import fc from 'fast-check';
import type { Extension } from '../../../src/domain/registry/extension.js';
import type { RegistryEntry, VersionRow } from '../../../src/domain/registry/registry-rows.js';
import { parseEntry } from '../../../src/domain/registry/registry-validation.js';
import { percentProblem, sharesOf } from '../../../src/domain/registry/rollout.js';
import { runs } from '../../helpers/depth.js';
import { extensionRow, registryEntry, versionRow } from '../../helpers/registry-rows.js';

const RULES = { ownPrefix: 'extreg.v1', allowedPrefixes: [] };
const parse = (entry: RegistryEntry, previous: Extension | null = null) => parseEntry(entry, RULES, previous);

type Row = Partial<VersionRow> & { readonly percent?: number | null; readonly key?: string | null };

const entryOf = (versions: Readonly<Record<string, Row>>, changes = {}): RegistryEntry =>
  registryEntry(extensionRow('a', changes), {
    versions: Object.entries(versions).map(([name, { percent = null, key = null, ...row }]) =>
      versionRow('a', name, { rollout_percent: percent, rollout_key: key, ...row }),
    ),
  });

const inForce = ({ extension }: { extension: Extension | null }) =>
  Object.fromEntries((extension?.versions ?? []).map((v) => [v.version, v.rolloutPercent]));

/** The percentages in force after each reading, and names of those that are refused then. */
const readings = test.macro<
  [
    title: string,
    steps: readonly [
      rows: Readonly<Record<string, Row>>,
      percents: Readonly<Record<string, number | null>>,
      refused?: readonly string[],
    ][],
  ]
>({
  exec(t, _, steps) {
    let previous: Extension | null = null;
    for (const [rows, percents, refused = []] of steps) {
      const parsed = parse(entryOf(rows), previous);
      t.deepEqual(inForce(parsed), percents);
      t.deepEqual(
        parsed.refused.map((row) => row.version),
        refused,
      );
      previous = parsed.extension;
    }
  },
  title: (_, title) => `REGISTRY-ROLLOUT-1: ${title}`,
});
test(readings, 'percentages that add up to 100 are taken, in hundredths', [
  [
    { v2: { percent: 33.33 }, v3: { percent: 33.33 }, v4: { percent: 33.34 } },
    { v2: 33.33, v3: 33.33, v4: 33.34 },
  ],
  // As doubles, these add up to more than 100, and a hundred times each to more than 10 000.
  [
    { v2: { percent: 0.56 }, v3: { percent: 79.43 }, v4: { percent: 20.01 } },
    { v2: 0.56, v3: 79.43, v4: 20.01 },
  ],
]);
test(readings, 'a hundredth over 100 is refused', [
  [
    { v2: { percent: 50 }, v3: { percent: 50 } },
    { v2: 50, v3: 50 },
  ],
  [{ v2: { percent: 50.01 }, v3: { percent: 50 } }, { v2: 50, v3: 50 }, ['v2']],
]);
test(
  readings,
  'without a form from before, the rows that were changed first are taken, and what came later counts as 0',
  [
    [
      { v1: {}, v2: { percent: 60, revision: 5 }, v3: { percent: 50, revision: 2 }, v4: { percent: 40, revision: 9 } },
      { v1: null, v2: 0, v3: 50, v4: 40 },
      ['v2'],
    ],
  ],
);
test(readings, 'what was in force stays, also where other percentages of the same reading could be taken', [
  [
    { v2: { percent: 60 }, v3: { percent: 10 } },
    { v2: 60, v3: 10 },
  ],
  [{ v2: { percent: 40 }, v3: { percent: 70 } }, { v2: 60, v3: 10 }, ['v2', 'v3']],
  [
    { v2: { percent: 40 }, v3: { percent: 60 } },
    { v2: 40, v3: 60 },
  ],
]);
test(readings, 'a version that comes counts as 0 until it fits', [
  [{ v2: { percent: 60 } }, { v2: 60 }],
  [{ v2: { percent: 60 }, v3: { percent: 50 } }, { v2: 60, v3: 0 }, ['v3']],
  [
    { v2: { percent: 50 }, v3: { percent: 50 } },
    { v2: 50, v3: 50 },
  ],
]);
test(readings, 'a version that is enabled counts as 0; a disabled one does not count', [
  [
    { v2: { percent: 60 }, v3: { percent: 50, enabled: false } },
    { v2: 60, v3: 50 },
  ],
  [{ v2: { percent: 60 }, v3: { percent: 50 } }, { v2: 60, v3: 0 }, ['v3']],
  [
    { v2: { percent: 60, enabled: false }, v3: { percent: 50 } },
    { v2: 60, v3: 50 },
  ],
]);
test(readings, 'a version that loses its rules for a percentage counts as 0', [
  [
    { v2: { percent: 60 }, v3: { routing_rules: { tenant_id: 't' } } },
    { v2: 60, v3: null },
  ],
  [{ v2: { percent: 60 }, v3: { percent: 50 } }, { v2: 60, v3: 0 }, ['v3']],
]);
test(readings, 'the default that is given too much stays the default', [
  [
    { v1: {}, v2: { percent: 60 } },
    { v1: null, v2: 60 },
  ],
  [{ v1: { percent: 50 }, v2: { percent: 60 } }, { v1: null, v2: 60 }, ['v1']],
]);
test(readings, 'a row that is refused for something else counts with what it had', [
  [
    { v2: { percent: 60 }, v3: { percent: 40 } },
    { v2: 60, v3: 40 },
  ],
  [{ v2: { percent: 10, subject: '*' }, v3: { percent: 50 } }, { v2: 60, v3: 40 }, ['v2', 'v3']],
]);
test(readings, 'percent zero is a percentage, and null is none', [
  [
    { v2: { percent: 0 }, v3: { percent: 100 }, v4: {} },
    { v2: 0, v3: 100, v4: null },
  ],
]);

test('REGISTRY-ROLLOUT-1: the problem names the versions, their percentages and the sum, for the row that is refused', (t) => {
  const problems = ['rollout_percent of all versions must add up to at most 100, got 110.5: v2 60.25, v3 50.25'];
  const { refused } = parse(
    entryOf({ v1: {}, v2: { percent: 60.25, revision: 3 }, v3: { percent: 50.25, revision: 7 } }),
  );
  t.deepEqual(refused, [{ extensionId: 'a', version: 'v3', revision: 7, problems }]);
});

test('REGISTRY-ROLLOUT-1: a row with problems of its own is told once, with all of them', (t) => {
  const before = parse(entryOf({ v2: { percent: 60 }, v3: { percent: 50, enabled: false } })).extension;
  const { refused, extension } = parse(
    entryOf({ v2: { percent: 60 }, v3: { percent: 50, subject: '*', revision: 2 } }),
    before,
  );
  t.deepEqual(inForce({ extension }), { v2: 60, v3: 0 });
  t.deepEqual(
    refused.map(({ version, revision, problems }) => [version, revision, ...problems]),
    [
      [
        'v3',
        2,
        'subject must be plain tokens joined by dots, without wildcards, got "*"',
        'rollout_percent of all versions must add up to at most 100, got 110: v2 60, v3 50',
      ],
    ],
  );
});

test('REGISTRY-ROLLOUT-1: versions with two rollout keys are refused, and keep the key and the percentage they had', (t) => {
  const rows = { v1: {}, v2: { percent: 10, key: 'user_id' }, v3: { percent: 10 } };
  const before = parse(entryOf(rows));
  t.deepEqual(before.refused, []);
  const { extension, refused } = parse(
    entryOf({ ...rows, v3: { percent: 20, key: 'session' }, v4: { percent: 5, key: 'user_id' } }),
    before.extension,
  );
  t.deepEqual(
    extension?.versions.map((v) => [v.version, v.rolloutPercent, v.rolloutKey]),
    [
      ['v1', null, null],
      ['v2', 10, 'user_id'],
      ['v3', 10, null],
      ['v4', 0, null],
    ],
  );
  const problems = [
    'rollout_key must be one for all versions in the rollout, got v2 "user_id", v3 "session", v4 "user_id"',
  ];
  t.deepEqual(
    refused.map((row) => [row.version, row.problems]),
    [
      ['v3', problems],
      ['v4', problems],
    ],
  );
  const off = { ...rows, v3: { percent: 20, key: 'session', enabled: false } };
  t.deepEqual(parse(entryOf(off), before.extension).refused, [], 'one that is not in the rollout may have any key');
});

const PERCENTS = [null, 0, 0.01, 10, 33.33, 33.34, 50, 60, 99.99, 100];
const rowArbitrary = fc.record({
  percent: fc.constantFrom(...PERCENTS),
  key: fc.constantFrom(null, null, null, 'k', 'l'),
  enabled: fc.constantFrom(true, true, false),
  routing_rules: fc.constantFrom({}, {}, {}, { tenant_id: 't' }),
  subject: fc.constantFrom('ext.a', 'ext.a', '*'),
});

test('REGISTRY-ROLLOUT-1: whatever becomes of the rows, what is in force never adds up to more than 100, and has one key', (t) => {
  const steps = fc.array(fc.dictionary(fc.constantFrom('v1', 'v2', 'v3', 'v4'), rowArbitrary), { maxLength: 8 });
  let refusals = 0;
  fc.assert(
    fc.property(steps, (sequence) => {
      let previous: Extension | null = null;
      for (const rows of sequence) {
        const parsed = parse(entryOf(rows), previous);
        const shared = (parsed.extension?.versions ?? []).filter(
          (v) => v.enabled && v.rolloutPercent !== null && Object.keys(v.routingRules).length === 0,
        );
        const sum = shared.reduce((total, v) => total + BigInt(((v.rolloutPercent ?? 0) * 100).toFixed(0)), 0n);
        if (sum > 10_000n) return false;
        if (new Set(shared.flatMap((v) => v.rolloutKey ?? [])).size > 1) return false;
        // What differs from its row is refused, and what is refused differs or has an invalid row.
        const refused = new Set(parsed.refused.map((row) => row.version));
        for (const v of parsed.extension?.versions ?? []) {
          const { percent = null, key = null } = rows[v.version] ?? {};
          if ((v.rolloutPercent !== percent || v.rolloutKey !== key) && !refused.has(v.version)) return false;
        }
        if (refused.size !== parsed.refused.length) return false;
        refusals += refused.size;
        previous = parsed.extension;
      }
      return true;
    }),
    { numRuns: runs(500) },
  );
  t.true(refusals > 500, 'there was something to refuse');
});

const shares = test.macro<
  [title: string, rows: Readonly<Record<string, Row>>, expected: Readonly<Record<string, number>>]
>({
  exec(t, _, rows, expected) {
    const { extension } = parse(entryOf(rows));
    t.deepEqual(extension && Object.fromEntries(sharesOf(extension)), expected);
  },
  title: (_, title) => `sharesOf: ${title}`,
});
test(
  shares,
  'the default takes what is left',
  { v1: {}, v2: { percent: 33.33 }, v3: { percent: 0 } },
  { v1: 66.67, v2: 33.33, v3: 0 },
);
test(shares, 'the own row is the default where there is no other', { v2: { percent: 30 } }, { v1: 70, v2: 30 });
test(
  shares,
  'without a default the others share everything in proportion',
  { v1: { percent: 20 }, v2: { percent: 30 } },
  { v1: 40, v2: 60 },
);
test(shares, 'without a default and with nothing but 0 nobody takes anything', { v1: { percent: 0 } }, { v1: 0 });
test(
  shares,
  'versions with rules and disabled ones have none, older ones nothing',
  { v1: {}, v2: {}, v3: { percent: 5, enabled: false }, v4: { routing_rules: { tenant_id: 't' } } },
  { v1: 0, v2: 100 },
);

for (const percent of [0, 0.01, 5.5, 33.33, 99.99, 100])
  test(`percentProblem: ${percent} may be given`, (t) => t.is(percentProblem(percent), null));
for (const percent of [-1, -0.01, 100.01, 101, 12.345, 1e-7, Number.NaN, Number.POSITIVE_INFINITY])
  test(`percentProblem: ${percent} may not be given`, (t) =>
    t.is(
      percentProblem(percent),
      `must be a number from 0 to 100 with at most two digits after the point, got ${percent}`,
    ));

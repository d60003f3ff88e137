// M20 and M21 of drizzle/0003_slots_and_reports.sql: the slots of a rollout follow its shares, whoever writes them.
import anyTest, { type TestFn } from 'ava';
import fc from 'fast-check';
import type { Database } from '../../../src/db/client.js';
import { readEntries } from '../../../src/db/queries/registry-queries.js';
import { allotSlots, NO_SLOTS, parseSlots, type RolloutSlots } from '../../../src/domain/registry/rollout-slots.js';
import { propertyRuns } from '../../helpers/hostile-text.js';
import { onBothEngines, onPostgres } from '../../helpers/postgres.js';

const test = anyTest as TestFn;
const onBoth = onBothEngines(test);
const onPostgresOnly = onPostgres(test);

async function slotsOf(db: Database, id = 'a'): Promise<RolloutSlots | null> {
  const [entry] = await readEntries(db, [id]);
  return entry?.rolloutSlots ? parseSlots(entry.rolloutSlots) : null;
}

/** Names that sort apart by code unit, by code point and by any language. */
const VERSIONS = ['v2', 'V3', 'v10', '\uffee', '🎉'];

async function withVersions({ $client }: Database): Promise<void> {
  await $client`insert into extensions (id, type, subject) values ('a', 'pre', 'x')`;
  await $client`insert into extension_versions (id, version, subject)
    select 'a', version, 'x' from jsonb_array_elements_text(${JSON.stringify(VERSIONS)}::text::jsonb) as version`;
}

const share = fc.oneof(
  fc.constant(null),
  fc.constantFrom(0, 0.01, 33.33, 100),
  fc.nat(4000).map((n) => n / 100),
);
const transaction = fc.dictionary(fc.constantFrom(...VERSIONS), share, {
  minKeys: 1,
  maxKeys: 3,
  noNullPrototype: true,
});

onBoth(
  'M20, M21: whatever is written, the slots are those that allotSlots() gives; too much leaves them',
  async (t, database) => {
    const db = database.open();
    const { $client } = db;
    await withVersions(db);
    const percents: Record<string, number | null> = {};
    let expected = NO_SLOTS;
    let refused = 0;
    for (const changes of fc.sample(transaction, { numRuns: propertyRuns(40, 1000), seed: 5 })) {
      Object.assign(percents, changes);
      await $client`update extension_versions set rollout_percent = (${JSON.stringify(changes)}::text::jsonb ->> version)::numeric
      where ${JSON.stringify(changes)}::text::jsonb ? version`;
      const wanted = new Map(
        Object.entries(percents).flatMap(([version, percent]) =>
          percent === null ? [] : [[version, Math.round(percent * 100)]],
        ),
      );
      if ([...wanted.values()].reduce((sum, count) => sum + count, 0) <= 10_000)
        expected = allotSlots(expected, wanted);
      else refused++;
      if (wanted.size === 0) expected = NO_SLOTS;
      t.deepEqual(Object.fromEntries((await slotsOf(db)) ?? NO_SLOTS), Object.fromEntries(expected));
    }
    t.true(refused > 3);
  },
);

onBoth(
  'M20: disabled, given rules, deleted and inserted versions give up and take slots, and an extension takes its row with it',
  async (t, database) => {
    const db = database.open();
    const { $client } = db;
    await withVersions(db);
    const steps: [change: string, expected: Record<string, [number, number][]> | null][] = [
      [
        `update extension_versions set rollout_percent = 10 where version in ('v2', 'V3')`,
        { V3: [[0, 1000]], v2: [[1000, 2000]] },
      ],
      [`update extension_versions set enabled = false where version = 'V3'`, { v2: [[1000, 2000]] }],
      [
        `update extension_versions set rollout_percent = 5.5 where version = 'v10'`,
        { v2: [[1000, 2000]], v10: [[0, 550]] },
      ],
      [
        `update extension_versions set enabled = true where version = 'V3'`,
        {
          v2: [[1000, 2000]],
          v10: [[0, 550]],
          V3: [
            [550, 1000],
            [2000, 2550],
          ],
        },
      ],
      [
        `update extension_versions set routing_rules = '{"a": "b"}' where version = 'v2'`,
        {
          v10: [[0, 550]],
          V3: [
            [550, 1000],
            [2000, 2550],
          ],
        },
      ],
      [
        `update extension_versions set version = 'v11' where version = 'v10'`,
        {
          v11: [[0, 550]],
          V3: [
            [550, 1000],
            [2000, 2550],
          ],
        },
      ],
      [
        `delete from extension_versions where version = 'v11'`,
        {
          V3: [
            [550, 1000],
            [2000, 2550],
          ],
        },
      ],
      [
        `insert into extension_versions (id, version, subject, rollout_percent) values ('a', 'v12', 'x', 6)`,
        {
          V3: [
            [550, 1000],
            [2000, 2550],
          ],
          v12: [
            [0, 550],
            [1000, 1050],
          ],
        },
      ],
      [
        `update extension_versions set subject = 'y'`,
        {
          V3: [
            [550, 1000],
            [2000, 2550],
          ],
          v12: [
            [0, 550],
            [1000, 1050],
          ],
        },
      ],
      [`update extension_versions set rollout_percent = null`, {}],
      [`update extension_versions set rollout_percent = 1 where version = 'v12'`, { v12: [[0, 100]] }],
      [`truncate extension_versions`, null],
      [
        `insert into extension_versions (id, version, subject, rollout_percent) values ('a', 'v2', 'x', 1)`,
        { v2: [[0, 100]] },
      ],
      [`delete from extensions`, null],
    ];
    for (const [change, expected] of steps) {
      await $client.unsafe(change);
      const rows = await $client<{ slots: unknown }[]>`select slots from extension_rollouts where extension_id = 'a'`;
      t.deepEqual(rows[0]?.slots ?? null, expected, change);
    }
  },
);

onPostgresOnly('M20: thousands of shares that change in one transaction are allotted once', async (t, database) => {
  const db = database.open();
  const { $client } = db;
  await withVersions(db);
  // By hand, what allotSlots() would never give.
  await $client`insert into extension_rollouts values ('a', '{"w1": "none", "w2": [[0, 1e9], 7]}', '')`;
  await $client`insert into extension_versions (id, version, subject, rollout_percent)
    select 'a', 'w' || n, 'x', 0.02 from generate_series(1, 4000) as n`;
  const slots = (await slotsOf(db)) ?? NO_SLOTS;
  t.is(slots.size, 4000);
  t.is(
    [...slots.values()].flat().reduce((sum, [from, to]) => sum + to - from, 0),
    8000,
  );
  await $client`update extension_versions set rollout_percent = 0.01 where version like 'w%'`;
  t.is((await slotsOf(db))?.size, 4000);
  const [row] = await $client`select seen from extension_rollouts`;
  t.regex(row?.seen, /^\d+\/4000$/);
});

onPostgresOnly('M20: two transactions that grow two versions at once take no slot twice', async (t, database) => {
  const db = database.open();
  await withVersions(db);
  const [one, two] = [database.open(1), database.open(1)];
  const grow = ({ $client }: Database, version: string) =>
    $client`update extension_versions set rollout_percent = 20 where version = ${version}`;
  for (const { $client } of [one, two]) await $client`begin`;
  await grow(one, 'v2');
  await grow(two, 'V3');
  const commits = [one.$client`commit`, two.$client`commit`];
  await Promise.all(commits);
  const all = [...((await slotsOf(db)) ?? NO_SLOTS).values()].flat().toSorted(([a], [b]) => a - b);
  t.deepEqual(all, [
    [0, 2000],
    [2000, 4000],
  ]);
});

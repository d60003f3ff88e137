// A version's rollout percentage in the database: ROLLOUT-QUERIES-1–ROLLOUT-QUERIES-4 of rollout-queries.ts, and what is read of it.
import { randomUUID } from 'node:crypto';
import anyTest, { type TestFn } from 'ava';
import type { RolloutCommand, RolloutResult } from '../../../src/actors/ports/storage.js';
import type { Database } from '../../../src/db/client.js';
import { readAudit } from '../../../src/db/queries/audit-queries.js';
import { readRevision } from '../../../src/db/queries/registry-queries.js';
import { readRollout, setRollout as setRolloutInTime } from '../../../src/db/queries/rollout-queries.js';
import { onBothEngines, onPostgres } from '../../helpers/postgres.js';
import { until } from '../../helpers/until.js';

const test = anyTest as TestFn;
const onBoth = onBothEngines(test);
const onPostgresOnly = onPostgres(test);

const command = (version: string, percent: number | null, over: Partial<RolloutCommand> = {}): RolloutCommand => ({
  id: randomUUID(),
  extension_id: 'a',
  version,
  percent,
  actor: 'admin:ada',
  reason: 'looks well',
  ...over,
});

/** With time enough for any machine. */
const setRollout = (db: Database, told: RolloutCommand) => setRolloutInTime(db, told, () => 60_000);

interface Row {
  readonly percent?: number;
  readonly key?: string;
  readonly rules?: unknown;
  readonly enabled?: boolean;
}

async function withVersions({ $client }: Database, rows: Readonly<Record<string, Row>>, id = 'a'): Promise<void> {
  await $client`insert into extensions (id, type, subject) values (${id}, 'pre', 'x')`;
  for (const [version, { percent = null, key = null, rules = {}, enabled = true }] of Object.entries(rows))
    await $client`insert into extension_versions (id, version, subject, rollout_percent, rollout_key, routing_rules, enabled)
      values (${id}, ${version}, 'x', ${percent}, ${key}, ${JSON.stringify(rules)}::text::jsonb, ${enabled})`;
}

async function percents({ $client }: Database, id = 'a'): Promise<Record<string, number | null>> {
  const rows = await $client`
    select version, rollout_percent::float8 as percent from extension_versions where id = ${id} order by version`;
  return Object.fromEntries(rows.map((row) => [row.version, row.percent]));
}

onBoth('rollout: a percentage is written with who and why, once', async (t, database) => {
  const db = database.open();
  await withVersions(db, { v1: {}, v2: {} });
  const steps: [number | null, number | null][] = [
    [5, null],
    [33.33, 5],
    [100, 33.33],
    [0, 100],
    [null, 0],
  ];
  for (const [percent, was] of steps) {
    const before = await readRevision(db);
    const told = command('v2', percent, { reason: `it's "well" \\ ä 🙂; copy` });
    t.deepEqual(await setRollout(db, told), { kind: 'written', was, revision: before + 1 });
    t.deepEqual(await percents(db), { v1: null, v2: percent });
    t.is(await readRevision(db), before + 1);
    const [audit] = await readAudit(db, { extensionId: 'a', limit: 1 });
    t.like(audit, {
      id: told.id,
      action: 'version_rollout',
      changed_by: 'admin:ada',
      reason: `it's "well" \\ ä 🙂; copy`,
      revision: before + 1,
    });
    t.like(audit?.old_values, { version: 'v2', rollout_percent: was });
    t.like(audit?.new_values, { version: 'v2', rollout_percent: percent });
  }
});

onBoth('ROLLOUT-QUERIES-4: a percentage that is there already makes no revision', async (t, database) => {
  const db = database.open();
  await withVersions(db, { v1: {}, v2: { percent: 12.5 } });
  const revision = await readRevision(db);
  t.deepEqual(await setRollout(db, command('v2', 12.5)), { kind: 'unchanged', revision });
  t.deepEqual(await setRollout(db, command('v1', null)), { kind: 'unchanged', revision });
  t.is(await readRevision(db), revision);
});

onBoth('ROLLOUT-QUERIES-2: a command that is sent twice is done once', async (t, database) => {
  const db = database.open();
  await withVersions(db, { v2: { percent: 5 } });
  const told = command('v2', 10);
  const first = await setRollout(db, told);
  await setRollout(db, command('v2', 20));
  t.deepEqual(await setRollout(db, told), first);
  t.deepEqual(await percents(db), { v2: 20 });
});

const others = (rows: Readonly<Record<string, Row>>) =>
  Object.entries(rows).map(([version, { percent = 0, key = null }]) => ({ version, percent, key }));

const REFUSED: [title: string, rows: Readonly<Record<string, Row>>, told: RolloutCommand, result: RolloutResult][] = [
  ['no such extension', {}, command('v2', 5, { extension_id: 'b' }), { kind: 'extension_not_found' }],
  ['no such version', { v2: {} }, command('v3', 5), { kind: 'version_not_found', isOwnRow: false }],
  ['the own row', { v2: {} }, command('v1', 5), { kind: 'version_not_found', isOwnRow: true }],
  ['a version with rules', { v2: { rules: { tenant_id: 't' } } }, command('v2', 0), { kind: 'version_has_rules' }],
  ['a version whose rules are no object', { v2: { rules: [] } }, command('v2', 5), { kind: 'version_has_rules' }],
  [
    'over 100 together',
    { v2: {}, v3: { percent: 60 }, v4: { percent: 10.5, key: 'k' } },
    command('v2', 29.51),
    { kind: 'rollout_over_100', key: null, others: others({ v3: { percent: 60 }, v4: { percent: 10.5, key: 'k' } }) },
  ],
  [
    'over 100 together of a version that is disabled',
    { v2: { enabled: false }, v3: { percent: 60 } },
    command('v2', 41),
    { kind: 'rollout_over_100', key: null, others: others({ v3: { percent: 60 } }) },
  ],
  [
    'what is there, where it is over 100 already',
    { v2: { percent: 50 }, v3: { percent: 60 } },
    command('v2', 50),
    { kind: 'rollout_over_100', key: null, others: others({ v3: { percent: 60 } }) },
  ],
  [
    'another rollout key',
    { v2: { key: 'l' }, v3: { percent: 60, key: 'k' }, v4: { percent: 1 } },
    command('v2', 5),
    { kind: 'rollout_keys_differ', key: 'l', others: others({ v3: { percent: 60, key: 'k' }, v4: { percent: 1 } }) },
  ],
];
for (const [title, rows, told, result] of REFUSED)
  onBoth(`rollout: ${title} is refused, and nothing is written`, async (t, database) => {
    const db = database.open();
    await withVersions(db, rows);
    const before = [await readRevision(db), await percents(db)];
    t.deepEqual(await setRollout(db, told), result);
    t.deepEqual([await readRevision(db), await percents(db)], before);
  });

const TAKEN: [title: string, rows: Readonly<Record<string, Row>>, told: RolloutCommand][] = [
  ['exactly 100 together', { v2: {}, v3: { percent: 33.33 }, v4: { percent: 33.34 } }, command('v2', 33.33)],
  [
    'what disabled versions and those with rules say does not count',
    { v2: {}, v3: { percent: 100, enabled: false }, v4: { percent: 100, rules: { a: 1 } } },
    command('v2', 100),
  ],
  ['its own old percentage does not count', { v2: { percent: 90 } }, command('v2', 95)],
  ['none, of a version that has rules too', { v2: { percent: 5, rules: { a: 1 } } }, command('v2', null)],
  ['none, where it is over 100', { v2: { percent: 60 }, v3: { percent: 60, key: 'k' } }, command('v2', null)],
  ['the same rollout key', { v2: { key: 'k' }, v3: { percent: 60, key: 'k' } }, command('v2', 5)],
  ['a rollout key beside none', { v2: { key: 'k' }, v3: { percent: 60 } }, command('v2', 5)],
  ['rules that are none', { v2: { rules: null } }, command('v2', 5)],
];
for (const [title, rows, told] of TAKEN)
  onBoth(`rollout: taken is ${title}`, async (t, database) => {
    const db = database.open();
    await withVersions(db, rows);
    t.like(await setRollout(db, told), { kind: 'written', was: rows.v2?.percent ?? null });
    t.is((await percents(db)).v2, told.percent);
  });

onBoth('ROLLOUT-QUERIES-3: nothing is written when the time is over, wherever it was spent', async (t, database) => {
  const db = database.open();
  await withVersions(db, { v2: {} });
  const before = await readRevision(db);
  for (const left of [[0], [1000, 0], [1000, 0.001]]) {
    const remaining = [...left];
    const late = setRolloutInTime(db, command('v2', 5), () => remaining.shift() ?? 0);
    await t.throwsAsync(late, { message: 'the database took too long; nothing was written' });
  }
  t.is(await readRevision(db), before);
});

onBoth('rollout: rejects while the database is away, and reading too', async (t, database) => {
  const db = database.open();
  await withVersions(db, { v2: {} });
  await database.stopServer();
  await t.throwsAsync(() => setRolloutInTime(db, command('v2', 5), () => 2000));
  await t.throwsAsync(() => readRollout(db, 'a', 20));
});

/** Resolves once as many wait for a lock. */
async function waiting({ $client }: Database, count: number): Promise<void> {
  await until(`${count} wait for a lock`, async () => {
    const [row] = await $client`
      select count(*)::int as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    return row?.waiting >= count;
  });
}

onPostgresOnly('ROLLOUT-QUERIES-1: two people who set at once cannot exceed 100 together', async (t, database) => {
  const [one, two, reader] = [database.open(1), database.open(1), database.open()];
  for (let round = 0; round < 20; round++) {
    await reader.$client`truncate extensions cascade`;
    await withVersions(reader, { v2: {}, v3: { percent: 10 } });
    const results = await Promise.all([setRollout(one, command('v2', 60)), setRollout(two, command('v3', 60))]);
    t.deepEqual(results.map((result) => result.kind).sort(), ['rollout_over_100', 'written']);
  }
});

/** Somebody's own transaction, which is committed when both wait. */
const HELD: [title: string, statement: string, result: string][] = [
  [
    'another version is given a percentage',
    `update extension_versions set rollout_percent = 60 where version = 'v3'`,
    'rollout_over_100',
  ],
  [
    'another version is enabled',
    `update extension_versions set enabled = true where version = 'v4'`,
    'rollout_over_100',
  ],
  [
    'a version comes with a percentage',
    `insert into extension_versions (id, version, subject, rollout_percent) values ('a', 'v5', 'x', 60)`,
    'rollout_over_100',
  ],
  [
    'the version is given rules',
    `update extension_versions set routing_rules = '{"t": 1}' where version = 'v2'`,
    'version_has_rules',
  ],
  ['the version goes', `delete from extension_versions where version = 'v2'`, 'version_not_found'],
  ['the extension goes', 'delete from extensions', 'extension_not_found'],
  ['another version makes room', `update extension_versions set rollout_percent = 0 where version = 'v6'`, 'written'],
];
for (const [title, statement, expected] of HELD)
  onPostgresOnly(
    `ROLLOUT-QUERIES-1: where ${title} in a transaction that is under way, it is waited for`,
    async (t, database) => {
      const db = database.open();
      await withVersions(db, { v2: {}, v3: {}, v4: { percent: 60, enabled: false }, v6: { percent: 1 } });
      const { $client: holder } = database.open(1);
      await holder`begin`;
      await holder.unsafe(statement);
      const percent = expected === 'written' ? 100 : 60;
      const result = setRollout(db, command('v2', percent));
      await waiting(database.open(1), 1);
      await holder`commit`;
      t.is((await result).kind, expected as never);
    },
  );

onPostgresOnly('ROLLOUT-QUERIES-3: who holds the rows for long is not waited for', async (t, database) => {
  const db = database.open();
  await withVersions(db, { v2: {} });
  const { $client: holder } = database.open(1);
  for (const table of ['extensions', 'extension_versions']) {
    await holder`begin`;
    await holder.unsafe(`select from ${table} for update`);
    await t.throwsAsync(() => setRolloutInTime(db, command('v2', 5), () => 1000), { message: /lock timeout/ });
    await holder`rollback`;
  }
  t.deepEqual(await percents(db), { v2: null });
});

onPostgresOnly('ROLLOUT-QUERIES-2: a connection that is lost on the way is made up for', async (t, database) => {
  const db = database.open(1);
  const reader = database.open();
  await withVersions(reader, { v2: {} });
  const { $client: holder } = database.open(1);
  await holder`begin`;
  await holder`select from extensions for update`;
  const result = setRollout(db, command('v2', 5));
  await waiting(reader, 1);
  await reader.$client`
    select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  await holder`rollback`;
  t.like(await result, { kind: 'written', was: null });
  t.is(
    (await readAudit(reader, { extensionId: 'a', limit: 10 })).filter((row) => row.action === 'version_rollout').length,
    1,
  );
});

// Reading

onBoth(
  'rollout: reads versions and every change of a percentage, newest first, whoever made it',
  async (t, database) => {
    const db = database.open();
    const sql = db.$client;
    t.is(await readRollout(db, 'a', 20), null);
    await withVersions(db, { v1: {}, v2: { percent: 5, key: 'k' }, v3: { rules: { t: 1 }, enabled: false } });
    await withVersions(db, { v2: { percent: 99 } }, 'b');
    await setRollout(db, command('v2', 12.5));
    await sql`update extension_versions set subject = 'y' where id = 'a'`;
    await sql`insert into extension_instances (extension_id, instance_id, subject) values ('a', 'i', 'x')`;
    await sql`update extensions set subject = 'y' where id = 'a'`;
    await sql.unsafe(`
    select set_config('extreg.actor', 'bob', true);
    update extension_versions set rollout_percent = 50, enabled = false where id = 'a' and version = 'v2'`);
    await sql`update extension_versions set rollout_percent = null where id = 'a' and version = 'v2'`;
    await sql`update extension_versions set rollout_percent = 7 where id = 'a' and version = 'v1'`;
    await sql`delete from extension_versions where id = 'a' and version = 'v1'`;
    const found = await readRollout(db, 'a', 20);
    t.is(found?.revision, await readRevision(db));
    t.deepEqual(found?.versions, [
      { version: 'v2', enabled: false, has_rules: false, rollout_percent: null, rollout_key: 'k' },
      { version: 'v3', enabled: false, has_rules: true, rollout_percent: null, rollout_key: null },
    ]);
    const history = found?.history ?? [];
    t.deepEqual(
      history.map(({ version, action, from, to, by, reason }) => [version, action, from, to, by, reason]),
      [
        ['v1', 'version_delete', 7, null, 'db:postgres', null],
        ['v1', 'version_update', null, 7, 'db:postgres', null],
        ['v2', 'version_update', 50, null, 'db:postgres', null],
        ['v2', 'version_disable', 12.5, 50, 'bob', null],
        ['v2', 'version_rollout', 5, 12.5, 'admin:ada', 'looks well'],
        ['v2', 'version_create', null, 5, 'db:postgres', null],
      ],
    );
    const revisions = history.map((row) => row.revision);
    t.deepEqual(
      revisions,
      [...revisions].sort((a, b) => b - a),
    );
    for (const { at } of history) {
      t.regex(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      t.true(Math.abs(Date.now() - Date.parse(at)) < 600_000);
    }
    t.deepEqual((await readRollout(db, 'a', 2))?.history, history.slice(0, 2));
  },
);

// The weight of an instance in the database: WEIGHT-QUERIES-1–WEIGHT-QUERIES-4 of weight-queries.ts.
import { randomUUID } from 'node:crypto';
import anyTest, { type TestFn } from 'ava';
import type { WeightCommand } from '../../../src/actors/ports/instances.js';
import type { Database } from '../../../src/db/client.js';
import { readAudit } from '../../../src/db/queries/audit-queries.js';
import { readRevision } from '../../../src/db/queries/registry-queries.js';
import { setWeight as setWeightInTime } from '../../../src/db/queries/weight-queries.js';
import { onBothEngines, onPostgres } from '../../helpers/postgres.js';
import { until } from '../../helpers/until.js';

const test = anyTest as TestFn;
const onBoth = onBothEngines(test);
const onPostgresOnly = onPostgres(test);

const command = (weight: number | null, over: Partial<WeightCommand> = {}): WeightCommand => ({
  id: randomUUID(),
  extension_id: 'a',
  instance_id: 'i-1',
  weight,
  actor: 'admin:ada',
  reason: 'a new machine',
  ...over,
});
const setWeight = (db: Database, told: WeightCommand) => setWeightInTime(db, told, () => 60_000);

async function withInstance({ $client }: Database, weight: number | null = 70): Promise<void> {
  await $client`insert into extensions (id, type, subject) values ('a', 'pre', 'x')`;
  await $client`insert into extension_instances (extension_id, instance_id, subject, weight) values ('a', 'i-1', 'x', ${weight})`;
}
const update = ({ $client }: Database, weight: number) =>
  $client`update extension_instances set weight = ${weight} where instance_id = 'i-1'`;
async function actions(db: Database): Promise<string[]> {
  return (await readAudit(db, { extensionId: 'a', limit: 20 })).map(({ action }) => action);
}

onBoth('WEIGHT-QUERIES-2: a drain and an undrain are in the trail, each with who and why', async (t, database) => {
  const db = database.open();
  await withInstance(db);
  const before = await readRevision(db);
  const drain = command(0);
  t.deepEqual(await setWeight(db, drain), {
    kind: 'written',
    weight: 0,
    was: 70,
    rowRevision: 2,
    revision: before + 1,
  });
  const [fact] = await readAudit(db, { extensionId: 'a', limit: 1 });
  t.like(fact, { id: drain.id, action: 'instance_drain', changed_by: 'admin:ada', reason: 'a new machine' });
  t.like(await setWeight(db, command(null, { reason: null })), { kind: 'written', weight: 70, was: 0, rowRevision: 3 });
  const [undrained] = await readAudit(db, { extensionId: 'a', limit: 1 });
  t.like(undrained, { action: 'instance_undrain', reason: null, revision: before + 2 });
});

onBoth(
  'WEIGHT-QUERIES-2: what is so already is no change, and a command that is sent twice is done once',
  async (t, database) => {
    const db = database.open();
    await withInstance(db);
    t.like(await setWeight(db, command(null)), { kind: 'unchanged', weight: 70, was: 70, rowRevision: 1 });
    const drain = command(0);
    await setWeight(db, drain);
    t.like(await setWeight(db, drain), { kind: 'written', weight: 0, was: 70, rowRevision: 2 });
    t.like(await setWeight(db, command(0)), { kind: 'unchanged', weight: 0, was: 0, rowRevision: 2 });
    t.deepEqual(
      (await actions(db)).filter((action) => action.endsWith('drain')),
      ['instance_drain'],
    );
    t.like(await setWeight(db, command(null)), { weight: 70 }, 'the second drain took nothing');
  },
);

onBoth('WEIGHT-QUERIES-3: an undrain gives back what the last drain of this row took', async (t, database) => {
  const db = database.open();
  await withInstance(db);
  await setWeight(db, command(0));
  await update(db, 30);
  await update(db, 0);
  t.like(await setWeight(db, command(null)), { weight: 70, was: 0 }, 'not what was set otherwise');
  await update(db, 40);
  await setWeight(db, command(0));
  t.like(await setWeight(db, command(25)), { weight: 25, was: 0 }, 'a weight that is named');
  t.like(await setWeight(db, command(null)), { kind: 'unchanged', weight: 25 }, 'it is not drained');
  await setWeight(db, command(0));
  t.like(await setWeight(db, command(null)), { weight: 25 });
  await setWeight(db, command(0));
  await db.$client`delete from extension_instances`;
  await db.$client`insert into extension_instances (extension_id, instance_id, subject, weight) values ('a', 'i-1', 'x', 0)`;
  t.like(await setWeight(db, command(null)), { weight: 100, was: 0 }, 'another row of the same name');
});

onBoth(
  'WEIGHT-QUERIES-3: what was never drained gets the default, and no weight in the column is the default',
  async (t, database) => {
    const db = database.open();
    await withInstance(db, 0);
    t.like(await setWeight(db, command(0)), { kind: 'unchanged', weight: 0, was: 0 });
    t.like(await setWeight(db, command(null)), { weight: 100, was: 0 });
    await db.$client`update extension_instances set weight = null`;
    t.like(await setWeight(db, command(null)), { kind: 'unchanged', weight: 100, was: 100 });
    t.like(await setWeight(db, command(0)), { weight: 0, was: 100 });
    t.like(await setWeight(db, command(null)), { weight: 100 });
  },
);

onBoth('weight: no such extension, no such instance, no time left', async (t, database) => {
  const db = database.open();
  await withInstance(db);
  t.deepEqual(await setWeight(db, command(0, { extension_id: 'b' })), { kind: 'extension_not_found' });
  t.deepEqual(await setWeight(db, command(0, { instance_id: `'; drop table x` })), { kind: 'instance_not_found' });
  await t.throwsAsync(
    setWeightInTime(db, command(0), () => 0),
    { message: /too long/ },
  );
  t.deepEqual(await actions(db), ['instance_create', 'create']);
});

onPostgresOnly('WEIGHT-QUERIES-1: of a drain and another change at one moment, none is lost', async (t, database) => {
  const db = database.open();
  const other = database.open();
  await withInstance(db);
  let draining: ReturnType<typeof setWeight> | null = null;
  await other.$client.begin(async (held) => {
    await held`update extension_instances set weight = 55 where instance_id = 'i-1'`;
    draining = setWeight(db, command(0));
    await until('the drain waits', async () => {
      const [row] = await other.$client`select count(*)::int as n from pg_stat_activity where wait_event_type = 'Lock'`;
      return row?.n > 0;
    });
  });
  t.like(await draining, { kind: 'written', weight: 0, was: 55, rowRevision: 3 });
  t.like(await setWeight(db, command(null)), { weight: 55 });
});

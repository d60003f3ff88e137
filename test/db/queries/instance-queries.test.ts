// What is written of instances: INSTANCE-QUERIES-1 and INSTANCE-QUERIES-3 of instance-queries.ts, M22 of drizzle/0003_slots_and_reports.sql.
import anyTest, { type TestFn } from 'ava';
import type { InstanceStatusRow } from '../../../src/actors/ports/storage.js';
import { closeDatabase, type Database } from '../../../src/db/client.js';
import { writeInstanceStatus } from '../../../src/db/queries/instance-queries.js';
import { readEntries, readRevision } from '../../../src/db/queries/registry-queries.js';
import { onBothEngines } from '../../helpers/postgres.js';

const test = anyTest as TestFn;
const onBoth = onBothEngines(test);

const row = (instance_id: string, changes: Partial<InstanceStatusRow> = {}): InstanceStatusRow => ({
  extension_id: 'a',
  instance_id,
  health_status: 'healthy',
  checked_ago_ms: 1000,
  ...changes,
});

async function withInstances(db: Database, ...ids: string[]): Promise<void> {
  await db.$client`insert into extensions (id, type, subject) values ('a', 'pre', 'x')`;
  for (const id of ids)
    await db.$client`insert into extension_instances (extension_id, instance_id, subject) values ('a', ${id}, ${`x.${id}`})`;
}

const read = async (db: Database) => {
  const rows = await db.$client`
    select instance_id, health_status, revision::int as revision,
      extract(epoch from now() - last_health_check)::float8 as checked_age
    from extension_instances order by instance_id`;
  return rows.map((one) => ({ ...one }));
};

onBoth(
  'INSTANCE-QUERIES-1: each row gets its status and the time of its last outcome, and no revision',
  async (t, database) => {
    const db = database.open();
    await withInstances(db, 'i1', 'i2', 'i3');
    const revision = await readRevision(db);
    const [audited] = await db.$client`select count(*)::int as rows from extension_audit_log`;
    await writeInstanceStatus(db, [row('i2', { health_status: 'unhealthy' }), row('i1', { checked_ago_ms: 60_000 })]);
    const rows = await read(db);
    t.deepEqual(
      rows.map(({ instance_id, health_status, revision }) => [instance_id, health_status, revision]),
      [
        ['i1', 'healthy', 1],
        ['i2', 'unhealthy', 1],
        ['i3', 'unknown', 1],
      ],
    );
    t.true(Math.abs(rows[0]?.checked_age - 60) < 20);
    t.is(rows[2]?.checked_age, null);
    t.is(await readRevision(db), revision);
    t.deepEqual((await db.$client`select count(*)::int as rows from extension_audit_log`)[0], audited);
  },
);

onBoth('INSTANCE-QUERIES-1: the time of the last check only moves forward', async (t, database) => {
  const db = database.open();
  await withInstances(db, 'i1');
  await writeInstanceStatus(db, [row('i1', { checked_ago_ms: 0 })]);
  await writeInstanceStatus(db, [row('i1', { checked_ago_ms: 3_600_000, health_status: 'degraded' })]);
  const [one] = await read(db);
  t.is(one?.health_status, 'degraded');
  t.true(one?.checked_age < 60);
});

onBoth(
  'INSTANCE-QUERIES-1: an instance that is gone drops out, and nothing is written for none',
  async (t, database) => {
    const db = database.open();
    await withInstances(db, 'i1');
    await writeInstanceStatus(db, [row('gone'), row('i1'), row('i1', { extension_id: 'gone' })]);
    await writeInstanceStatus(db, []);
    t.deepEqual(
      (await read(db)).map((one) => one.health_status),
      ['healthy'],
    );
  },
);

onBoth(
  'M22, INSTANCE-QUERIES-3: each report has an id of its own, and is overwritten only by a daemon that has seen it',
  async (t, database) => {
    const db = database.open();
    const { $client } = db;
    await withInstances(db, 'i1');
    const stored = async () => {
      const [entry] = await readEntries(db, ['a']);
      const [instance] = entry?.instances ?? [];
      return { status: instance?.health_status, report: instance?.health_report };
    };
    const report = async (status: string): Promise<string> => {
      await $client`update extension_instances set health_status = ${status}`;
      const { status: now, report: id } = await stored();
      t.is(now, status);
      return id ?? t.fail('no id');
    };
    const NONE = '00000000-0000-0000-0000-000000000000';
    t.deepEqual(await stored(), { status: 'unknown', report: null });
    await writeInstanceStatus(db, [row('i1', { seen_report: NONE })]);
    t.deepEqual(await stored(), { status: 'healthy', report: null });

    const first = await report('unhealthy');
    await writeInstanceStatus(db, [row('i1', { seen_report: NONE })]);
    t.deepEqual(await stored(), { status: 'unhealthy', report: first }, 'not seen');
    await $client`update extension_instances set weight = 50, health_report = ${NONE}::uuid`;
    t.deepEqual(await stored(), { status: 'unhealthy', report: first }, 'a change of something else');
    const second = await report('degraded');
    t.not(second, first);
    await writeInstanceStatus(db, [row('i1', { seen_report: first })]);
    t.deepEqual(await stored(), { status: 'degraded', report: second }, 'another was seen');
    const revision = await readRevision(db);
    await writeInstanceStatus(db, [row('i1', { seen_report: second })]);
    t.deepEqual(await stored(), { status: 'healthy', report: null });
    t.is(await readRevision(db), revision);
    await writeInstanceStatus(db, [row('i1', { seen_report: first, health_status: 'degraded' })]);
    t.is((await stored()).status, 'degraded', 'there is no report any more');

    await $client`insert into extension_instances (extension_id, instance_id, subject, health_status) values ('a', 'i0', 'x', 'unhealthy')`;
    t.truthy((await stored()).report);
  },
);

onBoth('writeInstanceStatus: rejects while the database is away', async (t, database) => {
  const db = database.open();
  await closeDatabase(db);
  await t.throwsAsync(() => writeInstanceStatus(db, [row('i1')]));
});

// What another transaction holds: rows that are skipped (HEALTH-QUERIES-9, INSTANCE-QUERIES-4), and writes that wait for a limited time (TRANSACTION-1..TRANSACTION-3).
import { randomUUID } from 'node:crypto';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import type { Database } from '../../../src/db/client.js';
import { writeAudit } from '../../../src/db/queries/audit-queries.js';
import { applyAutoChange } from '../../../src/db/queries/auto-queries.js';
import { flushHealth } from '../../../src/db/queries/health-queries.js';
import { writeInstanceStatus } from '../../../src/db/queries/instance-queries.js';
import { writeRegistryChanges } from '../../../src/db/queries/registry-file-queries.js';
import { readPosition, readSnapshot } from '../../../src/db/queries/registry-queries.js';
import { readRollout, setRollout } from '../../../src/db/queries/rollout-queries.js';
import { applyVerb } from '../../../src/db/queries/verb-queries.js';
import { HeldError } from '../../../src/domain/registry/held-error.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { healthRow } from '../../helpers/health-rows.js';
import { holding } from '../../helpers/holding.js';
import { onPostgres, type TestDatabase } from '../../helpers/postgres.js';

const test = anyTest as TestFn;
const onServer = onPostgres(test);

async function registry(database: TestDatabase): Promise<Database> {
  const db = database.open();
  await db.$client.unsafe(`
    insert into extensions (id, type, subject) select name, 'pre', 'x' from unnest(array['a', 'b', 'c']) as name;
    insert into extension_versions (id, version, subject) select id, 'v2', 'x' from extensions;
    insert into extension_instances (extension_id, instance_id, subject) select id, 'i', 'x' from extensions;
    insert into extension_health (extension_id) values ('a'), ('b')`);
  return db;
}

const flush = () => ({ writer: randomUUID(), number: 1 });
const rows = (...ids: string[]) => ids.map((extension_id) => healthRow({ extension_id }));
const counts = async (db: Database) =>
  Object.fromEntries(
    (await db.$client`select extension_id, success_count::int as n from extension_health order by 1`).map((row) => [
      row.extension_id,
      row.n,
    ]),
  );

const HEALTH_LOCKS: [title: string, statement: string, held: string][] = [
  ['a health row', "update extension_health set avg_latency_ms = 1 where extension_id = 'b'", 'b'],
  ['a health row that is locked alone', "select from extension_health where extension_id = 'b' for update", 'b'],
  ['a health row that is being inserted', "insert into extension_health (extension_id) values ('c')", 'c'],
  ['an extension that is being deleted', "delete from extensions where id = 'c'", 'c'],
];

for (const [title, statement, held] of HEALTH_LOCKS)
  onServer(
    `HEALTH-QUERIES-9: ${title} is skipped, and named with its holder; the others are written`,
    async (t, database) => {
      const db = await registry(database);
      const end = await holding(t, database, statement);
      const result = await flushHealth(db, flush(), rows('a', 'b', 'c'));
      t.deepEqual(result.dropped, []);
      t.deepEqual(
        result.held.map((one) => one.extension_id),
        [held],
      );
      t.regex(
        result.held[0]?.error ?? '',
        /locked by process \d+ \(psql of ada, user postgres\), in a transaction for \d+ s/,
      );
      const written = await counts(db);
      for (const id of ['a', 'b', 'c']) t.is(written[id] ?? 0, id === held ? 0 : 10);
      await end();
      t.deepEqual(await flushHealth(db, flush(), rows(held)), { dropped: [], held: [] });
      t.is((await counts(db))[held], 10);
    },
  );

for (const locked of ['v1', 'v2'])
  onServer(
    `HEALTH-QUERIES-10: no count is lost if the default changes while the other row of ${locked} is held`,
    async (t, database) => {
      const db = await registry(database);
      const { $client } = db;
      await $client`insert into extension_versions (id, version, subject) values ('a', 'v1', 'x')`;
      await flushHealth(db, flush(), [healthRow({ success_delta: 100 }), ...rows('b')]);
      await $client`insert into extension_version_health (extension_id, version, success_count) values ('a', 'v1', 0), ('a', 'v2', 7)`;
      const select = `select from extension_version_health where extension_id = 'a' and version = '${locked}' for update`;
      const end = await holding(t, database, select);
      let given = [
        healthRow({ version: 'v2', success_delta: 1 }),
        healthRow({ version: 'v1', success_delta: 1, published: false }),
        ...rows('b'),
      ];
      const first = await flushHealth(db, flush(), given);
      t.deepEqual(first.dropped, []);
      t.is((await counts(db)).b, 20);
      await end();
      given = given.filter(({ version }) =>
        first.held.some((one) => one.extension_id === 'a' && one.version === version),
      );
      t.deepEqual(await flushHealth(db, flush(), given), { dropped: [], held: [] });
      const [found] = await $client`
        select h.success_count::int as v2, o.success_count::int as v1
        from extension_health as h join extension_version_health as o on o.extension_id = h.extension_id and o.version = 'v1'
        where h.extension_id = 'a' and h.version = 'v2'`;
      t.deepEqual({ ...found }, { v1: 101, v2: 8 });
    },
  );

onServer(
  'INSTANCE-QUERIES-4: an instance that is held is skipped, and named; the others are written',
  async (t, database) => {
    const db = await registry(database);
    const end = await holding(t, database, "update extension_instances set weight = 5 where extension_id = 'b'");
    const statuses = ['a', 'b', 'gone'].map((extension_id) => ({
      ...{ extension_id, instance_id: 'i', health_status: 'unhealthy', checked_ago_ms: 0 },
    })) as Parameters<typeof writeInstanceStatus>[1];
    const held = await writeInstanceStatus(db, statuses);
    t.deepEqual(
      held.map((one) => one.extension_id),
      ['b'],
    );
    t.regex(held[0]?.error ?? '', /psql of ada/);
    const status = async () =>
      (
        await db.$client`select health_status from extension_instances where extension_id in ('a', 'b') order by extension_id`
      ).map((row) => row.health_status);
    t.deepEqual(await status(), ['unhealthy', 'unknown']);
    await end();
    t.deepEqual(await writeInstanceStatus(db, statuses), []);
    t.deepEqual(await status(), ['unhealthy', 'unhealthy']);
  },
);

const change = (extension_id: string) =>
  ({ id: randomUUID(), extension_id, change: 'auto_disable', revision: 1, reason: 'circuit' }) as const;
const command = { version: null, verb: 'disable', actor: 'admin:ada', reason: 'why', decidedEarlier: null } as const;
const rollout = { version: 'v2', percent: 5, actor: 'admin:ada', reason: 'why' } as const;
const fact = {
  id: randomUUID(),
  extension_id: 'a',
  action: 'x',
  new_values: {},
  changed_by: 'x',
  reason: null,
  at_ms: 0,
};
const inTime = () => {
  const end = performance.now() + 1500;
  return () => end - performance.now();
};

type Write = (db: Database) => Promise<unknown>;
const WRITES: Record<string, Write> = {
  'automatic change': (db) => applyAutoChange(db, change('a')),
  verb: (db) => applyVerb(db, { ...command, id: randomUUID(), extension_id: 'a' }, inTime()),
  rollout: (db) => setRollout(db, { ...rollout, id: randomUUID(), extension_id: 'a' }, inTime()),
  import: (db) =>
    writeRegistryChanges(
      db,
      [
        {
          ...{ action: 'change', kind: 'extension', extensionId: 'a', name: '', revision: 1 },
          fields: { subject: { old: 'x', new: 'z' } },
        } as Parameters<typeof writeRegistryChanges>[1][number],
      ],
      { actor: 'cli:ada', reason: '' },
    ),
};
const FLUSHES: Record<string, Write> = {
  health: (db) => flushHealth(db, flush(), rows('a', 'b')),
  'instance status': (db) =>
    writeInstanceStatus(db, [{ extension_id: 'a', instance_id: 'i', health_status: 'healthy', checked_ago_ms: 0 }]),
  audit: (db) => writeAudit(db, [fact], silentLogger),
};
const READS: Record<string, Write> = {
  position: readPosition,
  snapshot: readSnapshot,
  'rollout report': (db) => readRollout(db, 'a', 10),
};

async function held(t: ExecutionContext, name: string, db: Database, write: Write): Promise<HeldError> {
  const error = await t.throwsAsync(() => write(db), { instanceOf: HeldError, message: /psql of ada/ }, name);
  return error as HeldError;
}

onServer(
  "TRANSACTION-3: a write to an extension's row that is held says so, and others are written",
  async (t, database) => {
    const db = await registry(database);
    const end = await holding(t, database, "update extensions set subject = 'y' where id = 'a'");
    for (const [name, write] of Object.entries(WRITES)) {
      const error = await held(t, name, db, write);
      t.is(error.row, "extensions 'a'", name);
      t.regex(error.message, /extensions 'a' is locked by process \d+ \(psql of ada, user postgres\)/, name);
    }
    t.like(await applyAutoChange(db, change('b')), { applied: true });
    await end();
    t.like(await applyAutoChange(db, change('a')), { applied: true });
  },
);

onServer(
  "TRANSACTION-3: the registry's revision that is held keeps every change waiting, and is named",
  async (t, database) => {
    const db = await registry(database);
    await holding(t, database, 'select from registry_revision for update');
    for (const [name, write] of Object.entries(WRITES)) {
      const error = await held(t, name, db, write);
      t.is(error.row, null, name);
      t.regex(error.message, /the row of registry_revision/, name);
    }
    for (const [name, write] of Object.entries(FLUSHES)) await t.notThrowsAsync(() => write(db), name);
  },
);

onServer(
  'TRANSACTION-1: tables that are locked as a whole keep nobody waiting for ever, readers neither',
  async (t, database) => {
    const db = await registry(database);
    const all =
      'extensions, extension_versions, extension_instances, extension_health, extension_audit_log, registry_revision';
    const end = await holding(t, database, `lock table ${all} in access exclusive mode`);
    for (const [name, work] of Object.entries({ ...WRITES, ...FLUSHES, ...READS })) {
      const error = await held(t, name, db, work);
      t.is(error.row, null, name);
      t.regex(error.message, /a table of the registry is locked by/, name);
    }
    await end();
    for (const [name, work] of Object.entries({ ...FLUSHES, ...READS })) await t.notThrowsAsync(() => work(db), name);
  },
);

onServer(
  'TRANSACTION-2: a deadlock is the fault of no row: what was given up is sent again, within the request',
  async (t, database) => {
    const db = await registry(database);
    await db.$client.unsafe(`
    create table gave_up (state text);
    create sequence tries;
    create function give_up() returns trigger language plpgsql as $$
    begin
      if nextval('tries') <= 2 then
        raise exception 'given up' using errcode = tg_argv[0];
      end if;
      return new;
    end $$`);
    for (const state of ['40001', '40P01', '57014']) {
      await db.$client.unsafe(`
      create or replace trigger give_up before insert or update on extension_health for each row execute function give_up('${state}');
      create or replace trigger give_up before insert on extension_audit_log for each row execute function give_up('${state}');
      alter sequence tries restart`);
      t.deepEqual(await flushHealth(db, flush(), rows('a')), { dropped: [], held: [] }, state);
      await db.$client`alter sequence tries restart`;
      await writeAudit(db, [{ ...fact, id: randomUUID() }], silentLogger);
    }
    t.is((await counts(db)).a, 30);
    t.is((await db.$client`select from extension_audit_log where action = 'x'`).length, 3);
  },
);

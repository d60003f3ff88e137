// What the database itself does when somebody changes the registry: M1..M5 of drizzle/0000_registry.sql.

import anyTest, { type TestFn } from 'ava';
import type { Database } from '../../src/db/client.js';
import { writeInstanceStatus } from '../../src/db/queries/instance-queries.js';
import { onBothEngines, onPostgres } from '../helpers/postgres.js';

const test = anyTest as TestFn;
const onBoth = onBothEngines(test);
const onPostgresOnly = onPostgres(test);

interface Trail {
  extension_id: string;
  action: string;
  changed_by: string;
  reason: string | null;
  revision: number;
}

async function trail(db: Database): Promise<Trail[]> {
  const rows = await db.$client<Trail[]>`
    select extension_id, action, changed_by, reason, revision::int from extension_audit_log order by revision, changed_at`;
  return rows.map((row) => ({ ...row }));
}

async function actions(db: Database): Promise<string[]> {
  return (await trail(db)).map((row) => `${row.revision} ${row.extension_id} ${row.action}`);
}

async function revision(db: Database): Promise<number> {
  const [row] = await db.$client`select revision::int from registry_revision`;
  return row?.revision;
}

async function addExtension(db: Database, id: string): Promise<void> {
  await db.$client`insert into extensions (id, type, subject) values (${id}, 'pre', ${`ext.${id}`})`;
}

onBoth('M1: every change leaves one audit row, with who made it and why', async (t, database) => {
  const db = database.open();
  const { $client } = db;
  await addExtension(db, 'a');
  await $client`insert into extension_versions (id, version, subject) values ('a', 'v2', 'ext.a.v2')`;
  await $client`insert into extension_instances (extension_id, instance_id, subject) values ('a', 'one', 'ext.a')`;
  await $client.begin(async (tx) => {
    await tx`select set_config('extreg.actor', 'alice', true), set_config('extreg.reason', 'maintenance', true)`;
    await tx`update extensions set enabled = false where id = 'a'`;
  });
  await $client`update extensions set breaker_override = 'isolated' where id = 'a'`;
  await $client`update extensions set breaker_override = null where id = 'a'`;
  await $client`update extension_versions set enabled = false where id = 'a'`;
  await $client`update extension_instances set weight = 0 where extension_id = 'a'`;
  await $client`delete from extension_instances`;
  const rows = await trail(db);
  t.deepEqual(
    rows.map((row) => row.action),
    [
      'create',
      'version_create',
      'instance_create',
      'disable',
      'isolate',
      'release',
      'version_disable',
      'instance_update',
      'instance_delete',
    ],
  );
  t.deepEqual(
    rows.map((row) => row.revision),
    [1, 2, 3, 4, 5, 6, 7, 8, 9],
  );
  t.like(rows[3], { changed_by: 'alice', reason: 'maintenance' });
  t.like(rows[4], { changed_by: 'db:postgres', reason: null });
  const [change] = await $client`select old_values, new_values from extension_audit_log where action = 'disable'`;
  t.like(change?.old_values, { enabled: true, revision: 1 });
  t.like(change?.new_values, { enabled: false, revision: 2 });
});

onBoth('M1: what is rolled back leaves nothing', async (t, database) => {
  const db = database.open();
  await addExtension(db, 'a');
  await t.throwsAsync(() =>
    db.$client.begin(async (tx) => {
      await tx`update extensions set subject = 'ext.other'`;
      throw new Error('changed my mind');
    }),
  );
  t.deepEqual(await actions(db), ['1 a create']);
  t.is(await revision(db), 1);
});

onBoth('M2: the changes of one transaction share a revision', async (t, database) => {
  const db = database.open();
  await db.$client.begin(async (tx) => {
    for (const id of ['a', 'b', 'c'])
      await tx`insert into extensions (id, type, subject) values (${id}, 'pre', 'ext.x')`;
  });
  await addExtension(db, 'd');
  t.deepEqual(await actions(db), ['1 a create', '1 b create', '1 c create', '2 d create']);
});

onBoth('M2: a change made inside a savepoint is numbered too', async (t, database) => {
  const db = database.open();
  await db.$client.begin(async (tx) => {
    await tx`insert into extensions (id, type, subject) values ('a', 'pre', 'ext.x')`;
    await tx.savepoint((sp) => sp`insert into extensions (id, type, subject) values ('b', 'pre', 'ext.x')`);
    await tx`set constraints all immediate`;
    await tx.savepoint((sp) => sp`insert into extensions (id, type, subject) values ('c', 'pre', 'ext.x')`);
  });
  await addExtension(db, 'd');
  const rows = await trail(db);
  t.deepEqual(
    rows.map((row) => row.extension_id),
    ['a', 'b', 'c', 'd'],
  );
  t.true(rows.every((row, index) => index === 0 || row.revision >= (rows[index - 1]?.revision ?? 0)));
  t.is(rows.at(-1)?.revision, await revision(db));
});

onPostgresOnly('M2: of two transactions the one that commits last has the higher revision', async (t, database) => {
  const db = database.open();
  await addExtension(db, 'early');
  await addExtension(db, 'late');
  const { $client: late } = database.open(1);
  await late`begin`;
  await late`update extensions set subject = 'ext.1' where id = 'late'`;
  await db.$client`update extensions set subject = 'ext.2' where id = 'early'`;
  await late`commit`;
  t.deepEqual((await actions(db)).slice(2), ['3 early update', '4 late update']);
});

onPostgresOnly('M2: many writers at a time take every number once', async (t, database) => {
  const db = database.open(8);
  const ids = Array.from({ length: 60 }, (_, index) => `e${index}`);
  await Promise.all(ids.map((id) => addExtension(db, id)));
  const revisions = (await trail(db)).map((row) => row.revision);
  t.deepEqual(
    revisions,
    ids.map((_, index) => index + 1),
  );
});

const DECISIONS: [statement: string, enabled: boolean, autoDisabled: boolean][] = [
  ["update extensions set enabled = true where id = 'a'", true, false],
  ["update extensions set enabled = false where id = 'a'", false, false],
  ["update extensions set enabled = enabled where id = 'a'", false, false],
  [
    "insert into extensions (id, type, subject) values ('a', 'pre', 'x') on conflict (id) do update set enabled = false",
    false,
    false,
  ],
  ["update extensions set subject = 'ext.other' where id = 'a'", false, true],
  ["update extensions set policy = '{}' where id = 'a'", false, true],
];

for (const [statement, enabled, autoDisabled] of DECISIONS)
  onBoth(`M3: after auto-disable, \`${statement}\` leaves auto_disabled ${autoDisabled}`, async (t, database) => {
    const db = database.open();
    await addExtension(db, 'a');
    await db.$client.begin(async (tx) => {
      await tx`select set_config('extreg.actor', 'system:auto-manager', true)`;
      await tx`update extensions set enabled = false, auto_disabled = true where id = 'a'`;
    });
    const before = await revision(db);
    await db.$client.unsafe(statement);
    const [row] = await db.$client`select enabled, auto_disabled from extensions where id = 'a'`;
    t.deepEqual({ ...row }, { enabled, auto_disabled: autoDisabled });
    t.is(await revision(db), before + 1);
  });

onBoth('M4: what is only measured, and what changes nothing, makes no revision', async (t, database) => {
  const db = database.open();
  const { $client } = db;
  await addExtension(db, 'a');
  await $client`insert into extension_instances (extension_id, instance_id, subject) values ('a', 'one', 'ext.a')`;
  const before = await actions(db);
  await $client`update extension_instances set health_status = health_status, last_health_check = now()`;
  await $client`update extensions set updated_at = now() + interval '1 hour', revision = 99`;
  await $client`update extensions set enabled = enabled, subject = subject`;
  await $client`insert into extension_health (extension_id, circuit_breaker_state) values ('a', 'open')`;
  await $client`update extension_health set success_count = 7`;
  t.deepEqual(await actions(db), before);
  t.deepEqual([...(await $client`select revision::int from extensions`)], [{ revision: 1 }]);
});

onBoth(
  'M9: a health_status is a change where somebody reports it, and none where a daemon measured it',
  async (t, database) => {
    const db = database.open();
    const { $client } = db;
    await addExtension(db, 'a');
    await $client`insert into extension_instances (extension_id, instance_id, subject) values ('a', 'one', 'ext.a')`;
    const before = await actions(db);
    const row = { extension_id: 'a', instance_id: 'one', health_status: 'healthy', checked_ago_ms: 0 } as const;
    await writeInstanceStatus(db, [row]);
    t.deepEqual(await actions(db), before);
    await $client`update extension_instances set health_status = 'unhealthy'`;
    t.is((await actions(db)).length, before.length + 1);
    await writeInstanceStatus(db, [row]);
    t.is((await actions(db)).length, before.length + 1);
    t.deepEqual(
      [...(await $client`select health_status, revision::int from extension_instances`)],
      [{ health_status: 'healthy', revision: 2 }],
    );
  },
);

onBoth('extreg_touch: moves revision and updated_at, whatever the statement says about them', async (t, database) => {
  const db = database.open();
  await addExtension(db, 'a');
  await db.$client`update extensions set subject = 'ext.new', revision = 50, updated_at = '2001-01-01'`;
  const [row] = await db.$client`
    select revision::int, updated_at > now() - interval '1 hour' as recent from extensions`;
  t.deepEqual({ ...row }, { revision: 2, recent: true });
});

onBoth(
  'M5: deleting an extension leaves one row for each thing that went, and keeps the trail',
  async (t, database) => {
    const db = database.open();
    const { $client } = db;
    await addExtension(db, 'a');
    await $client`insert into extension_versions (id, version, subject) values ('a', 'v1', 'x'), ('a', 'v2', 'x')`;
    await $client`insert into extension_instances (extension_id, instance_id, subject) values ('a', 'one', 'x')`;
    await $client`insert into extension_version_health (extension_id, version) values ('a', 'v2')`;
    await $client`delete from extensions where id = 'a'`;
    t.deepEqual((await actions(db)).slice(-4).sort(), [
      '4 a delete',
      '4 a instance_delete',
      '4 a version_delete',
      '4 a version_delete',
    ]);
    t.is((await actions(db)).length, 8);
    t.is((await $client`select 1 from extension_versions union all select 1 from extension_version_health`).length, 0);
  },
);

onBoth(
  'extreg_forget_version: a version made again starts without breaker facts of the old one',
  async (t, database) => {
    const { $client } = database.open();
    await $client`insert into extensions (id, type, subject) values ('a', 'pre', 'x')`;
    await $client`insert into extension_versions (id, version, subject) values ('a', 'v1', 'x'), ('a', 'v2', 'x')`;
    await $client`insert into extension_version_health (extension_id, version) values ('a', 'v1'), ('a', 'v2')`;
    await $client`delete from extension_versions where version = 'v2'`;
    t.deepEqual([...(await $client`select version from extension_version_health`)], [{ version: 'v1' }]);
  },
);

onBoth('M27: what gets the name of what was renamed or truncated begins afresh', async (t, database) => {
  const { $client } = database.open();
  const begin = async () => {
    await $client`truncate extensions cascade`;
    await $client`insert into extensions (id, type, subject) values ('a', 'pre', 'x'), ('b', 'pre', 'x')`;
    await $client`insert into extension_versions (id, version, subject) values ('a', 'v1', 'x'), ('a', 'v2', 'x')`;
    await $client`insert into extension_version_health (extension_id, version, circuit_breaker_state) values ('a', 'v2', 'open')`;
    await $client`insert into extension_health (extension_id, version, circuit_breaker_state, success_count, circuit_breaker_failure_threshold)
      values ('a', 'v1', 'open', 3, 9), ('b', 'v1', 'open', 3, 9)`;
  };
  const facts = async () => [
    ...(await $client`
      select extension_id || ' ' || version || ' ' || circuit_breaker_state || ' ' || success_count as facts from extension_health
      union all select extension_id || ' ' || version || ' ' || circuit_breaker_state from extension_version_health order by 1`),
  ];
  const are = async (...expected: string[]) =>
    t.deepEqual(
      (await facts()).map((row) => row.facts),
      expected,
    );
  await begin();
  await $client`update extension_versions set version = 'v2', subject = 'y' where version = 'v2'`;
  await are('a v1 open 3', 'a v2 open', 'b v1 open 3');
  await $client`update extension_versions set version = 'v3' where version = 'v2'`;
  await are('a v1 open 3', 'b v1 open 3');
  await $client`update extension_versions set version = 'v4' where version = 'v1'`;
  await are('a v1 closed 0', 'b v1 open 3');
  t.is((await $client`select 1 from extension_health where circuit_breaker_failure_threshold = 9`).length, 2);
  await begin();
  await $client`truncate extension_versions`;
  await are('a v1 closed 0', 'b v1 open 3');
  // As an adopted database may be.
  await $client.unsafe('alter table extension_health drop constraint if exists extension_health_extension_id_fkey');
  await $client.unsafe(
    'alter table extension_health drop constraint if exists extension_health_extension_id_extensions_id_fk',
  );
  await $client`update extensions set id = 'c' where id = 'b'`;
  await are('a v1 closed 0');
});

onBoth('extreg_record_truncate: an emptied table is recorded as one change of everything', async (t, database) => {
  const db = database.open();
  await addExtension(db, 'a');
  await db.$client`truncate extension_instances`;
  t.deepEqual(await actions(db), ['1 a create', '2 * instance_truncate']);
});

onPostgresOnly('M1: whoever may change a table is audited, with no rights on the trail', async (t, database) => {
  const db = database.open();
  const { $client } = db;
  await addExtension(db, 'a');
  await $client.unsafe(`
    do $$ begin create role clerk login; exception when duplicate_object then null; end $$;
    grant select, update on extensions to clerk;`);
  const { connection } = database;
  if (connection.kind !== 'url') return t.fail();
  const clerk = database.open(1, { kind: 'url', url: connection.url.replace('postgres@', 'clerk@') });
  await clerk.$client`update extensions set subject = 'ext.b'`;
  t.like((await trail(db)).at(-1), { action: 'update', changed_by: 'db:clerk' });
});

onBoth('M1: a client that looks elsewhere for its functions may write all the same', async (t, database) => {
  const db = database.open(1);
  const { $client } = db;
  await addExtension(db, 'a');
  await $client`insert into extension_versions (id, version, subject) values ('a', 'v2', 'ext.a.v2')`;
  await $client.begin(async (tx) => {
    await tx`set local search_path = ''`;
    await tx`update public.extensions set enabled = false, breaker_resets = breaker_resets + 1`;
    await tx`update public.extension_versions set breaker_override = 'isolated'`;
    await tx`insert into public.extension_instances (extension_id, instance_id, subject) values ('a', 'one', 'ext.a')`;
    await tx`update public.extension_instances set health_status = 'unhealthy'`;
    await tx`delete from public.extension_versions`;
  });
  t.is((await trail(db)).length, 7);
});

onBoth(
  'M23: a threshold column that changes is one audit row and a revision, whoever writes it',
  async (t, database) => {
    const db = database.open();
    const { $client } = db;
    await addExtension(db, 'a');
    const changes = async () => {
      const rows = await $client`
      select changed_by, reason, old_values ->> 'half_open_max_requests' as was, new_values ->> 'half_open_max_requests' as is_now
      from extension_audit_log where action = 'thresholds_update' and revision is not null order by revision`;
      return rows.map(({ was, is_now }) => [was, is_now]);
    };
    await $client`insert into extension_health (extension_id) values ('a')`;
    await $client`update extension_health set success_count = 1, circuit_breaker_state = 'open'`;
    t.deepEqual(await changes(), []);
    const before = await revision(db);
    await $client`update extension_health set half_open_max_requests = 7`;
    await $client`update extension_health set half_open_max_requests = 7, circuit_breaker_window_seconds = null`;
    t.deepEqual(await changes(), [[null, '7']]);
    t.is(await revision(db), before + 1);
    await $client.begin(async (tx) => {
      await tx`select set_config('extreg.actor', 'ada', true), set_config('extreg.reason', 'try', true)`;
      await tx`update extension_health set half_open_max_requests = 8`;
    });
    const [by] =
      await $client`select changed_by, reason from extension_audit_log where new_values ->> 'half_open_max_requests' = '8'`;
    t.deepEqual({ ...by }, { changed_by: 'ada', reason: 'try' });
    await $client`delete from extension_health`;
    await $client`insert into extension_health (extension_id, half_open_max_requests) values ('a', 9)`;
    t.deepEqual(await changes(), [
      [null, '7'],
      ['7', '8'],
      ['8', null],
      [null, '9'],
    ]);
    await $client`delete from extensions`;
    t.is((await changes()).length, 4, 'what goes with its extension');
  },
);

// A database that a predecessor built and filled is taken over as it is.
import { randomUUID } from 'node:crypto';
import anyTest, { type TestFn } from 'ava';
import type { Database } from '../../../src/db/client.js';
import { migrateDatabase } from '../../../src/db/migrate/migrate.js';
import { previewMigration } from '../../../src/db/migrate/migration-preview.js';
import { AdoptionError, MigrationRefusedError } from '../../../src/db/migrate/version-errors.js';
import { applyAutoChange } from '../../../src/db/queries/auto-queries.js';
import { flushHealth } from '../../../src/db/queries/health-queries.js';
import { writeInstanceStatus } from '../../../src/db/queries/instance-queries.js';
import { readSnapshot } from '../../../src/db/queries/registry-queries.js';
import { HEALTH_STATUSES } from '../../../src/domain/registry/extension.js';
import { diffRegistry } from '../../../src/domain/registry/registry-diff.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { healthRow } from '../../helpers/health-rows.js';
import { onBothEngines } from '../../helpers/postgres.js';
import { PREDECESSOR } from './predecessor.js';
import { OLD_ROWS, REFUSED, REFUSED_UNCHECKED, refusedNames, UNCHECKED_ROWS } from './predecessor-rows.js';

const test = anyTest as TestFn;
const onEmpty = onBothEngines(test, 'empty');

const RULES = { ownPrefix: 'extreg.v1', allowedPrefixes: [] };
const TABLES = {
  extensions: 'id',
  extension_versions: 'id, version',
  extension_instances: 'extension_id, instance_id',
  extension_health: 'extension_id',
  extension_audit_log: 'id',
};

type Rows = Record<string, Record<string, string | null>[]>;

/** Every row of every table, each column as PostgreSQL writes it, so that no digit is lost on the way. */
async function dump({ $client }: Database): Promise<Rows> {
  const rows: Rows = {};
  for (const [table, key] of Object.entries(TABLES)) {
    const columns = await $client<{ name: string }[]>`
      select attname as name from pg_attribute where attrelid = ${table}::regclass and attnum > 0 and not attisdropped`;
    const texts = columns.map(({ name }) => `${name}::text as ${name}`).join(', ');
    rows[table] = (await $client.unsafe(`select ${texts} from ${table} order by ${key}`)).map((row) => ({ ...row }));
  }
  return rows;
}

/** The columns that `before` has, of every row that is there after it. */
function inColumnsOf(before: Rows, after: Rows): Rows {
  return Object.fromEntries(
    Object.entries(after).map(([table, rows]) => {
      const columns = Object.keys(before[table]?.[0] ?? {});
      return [table, rows.map((row) => Object.fromEntries(columns.map((name) => [name, row[name] ?? null])))];
    }),
  );
}

async function catalogue({ $client }: Database): Promise<unknown> {
  const [row] = await $client`
    select
      (select jsonb_agg(to_jsonb(c) order by table_schema, table_name, column_name) from information_schema.columns as c
        where table_schema not in ('pg_catalog', 'information_schema')) as columns,
      (select jsonb_agg(conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid) order by conrelid, conname)
        from pg_constraint where conrelid <> 0) as constraints,
      (select jsonb_agg(tgname || ' ' || pg_get_triggerdef(oid) order by tgname, oid) from pg_trigger where not tgisinternal) as triggers,
      (select jsonb_agg(proname order by proname) from pg_proc where proname like 'extreg%') as functions,
      (select jsonb_agg(nspname order by nspname) from pg_namespace) as schemas`;
  return JSON.parse(JSON.stringify(row));
}

/** How the daemon judges what it reads. */
async function refused(db: Database): Promise<string[]> {
  const { entries } = await readSnapshot(db);
  const plan = diffRegistry(new Map(), { kind: 'snapshot', revision: 0, entries }, RULES, 'all');
  return refusedNames(plan.refused.map((row) => ({ ...row, extension_id: row.extensionId, ...instance(row) })));
}
const instance = (row: { instanceId?: string }) =>
  row.instanceId === undefined ? {} : { instance_id: row.instanceId };

const begins = (found: readonly string[], expected: readonly string[]): string[] =>
  found.map((line, i) => (line.startsWith(expected[i] ?? '\0') ? (expected[i] ?? '') : line));

for (const [what, more, expected] of [
  ['whole', '', REFUSED],
  ['without some constraints', UNCHECKED_ROWS, [...REFUSED, ...REFUSED_UNCHECKED].sort()],
] as const)
  onEmpty(
    `adoption: a predecessor ${what}: no row and no value is lost, every bad row is named`,
    async (t, database) => {
      const db = database.open();
      await db.$client.unsafe(PREDECESSOR + OLD_ROWS + more);
      const before = await dump(db);
      t.true(Object.values(before).every((rows) => rows.length > 0));
      await migrateDatabase(database.connection, silentLogger);
      const after = await dump(db);
      t.deepEqual(inColumnsOf(before, after), before);

      const found = await refused(db);
      t.deepEqual(begins(found, expected), [...expected]);
      t.deepEqual(
        (await db.$client`select id from extensions where auto_disabled order by id`).map((row) => row.id),
        ['recovered', 'tripped'],
      );

      await migrateDatabase(database.connection, silentLogger);
      t.deepEqual(await dump(db), after);
    },
  );

onEmpty("adoption: the trail outlives its extension, and the seeds' SQL works as written", async (t, database) => {
  const { $client } = database.open();
  await $client.unsafe(PREDECESSOR + OLD_ROWS);
  await migrateDatabase(database.connection, silentLogger);
  await $client.unsafe(`
    ALTER TABLE extension_health
    ADD COLUMN IF NOT EXISTS half_open_request_count INTEGER DEFAULT 0,
    ADD COLUMN IF NOT EXISTS half_open_max_requests INTEGER DEFAULT 3,
    ADD COLUMN IF NOT EXISTS auto_disabled BOOLEAN DEFAULT FALSE;`);
  await $client`delete from extension_instances where extension_id = 'normalize_text'`;
  await $client.unsafe(`
    INSERT INTO extension_versions (id, version, subject, timeout_ms, retry, routing_rules) VALUES
        ('normalize_text', 'v1', 'beamline.ext.pre.normalize_text.v1', 100, 0, '{}'),
        ('normalize_text', 'v2', 'beamline.ext.pre.normalize_text.v2', 80, 0, '{"tenant_id": ["tenant1", "tenant2"]}');`);
  await $client.unsafe(`
    INSERT INTO extension_instances (extension_id, instance_id, subject, weight, health_status) VALUES
        ('normalize_text', 'instance-1', 'beamline.ext.pre.normalize_text.v1', 100, 'healthy'),
        ('normalize_text', 'instance-2', 'beamline.ext.pre.normalize_text.v1', 50, 'healthy');`);
  await $client`delete from extensions where id = 'off'`;
  const trail = await $client`select action from extension_audit_log where extension_id = 'off' order by action`;
  t.deepEqual(
    trail.map((row) => row.action),
    ['delete', 'disable', 'update'],
  );
});

onEmpty('MIGRATION-PREVIEW-1: a preview tells what a migration does, and nothing of it stays', async (t, database) => {
  const db = database.open();
  await db.$client.unsafe(PREDECESSOR + OLD_ROWS);
  const before = [await dump(db), await catalogue(db)];
  const preview = await previewMigration(database.connection, silentLogger);
  t.deepEqual([await dump(db), await catalogue(db)], before);

  t.deepEqual(preview.versions, { found: 0, known: preview.migrations.length });
  t.deepEqual(preview.rows, {
    extensions: 11,
    extension_versions: 8,
    extension_instances: 5,
    extension_health: 7,
    extension_audit_log: 3,
  });
  const { changes } = preview;
  t.deepEqual(changes.tables_added, [
    ...['extension_health_writers', 'extension_rollouts', 'extension_tokens'],
    ...['extension_version_health', 'registry_revision'],
  ]);
  for (const column of [
    'extensions.policy jsonb',
    'extension_audit_log.reason text',
    'extension_instances.version character varying(32)',
  ])
    t.true(changes.columns_added.includes(column), column);
  t.false(changes.columns_added.some((column) => column.startsWith('extension_health.auto_disabled')));
  t.deepEqual(
    changes.constraints_dropped.map((text) => text.split(':')[0]),
    [
      'extension_audit_log_action_check on extension_audit_log',
      'extension_audit_log_extension_id_fkey on extension_audit_log',
    ],
  );
  t.deepEqual(changes.defaults_dropped.map((text) => text.split(':')[0]).sort(), [
    'extension_health.circuit_breaker_error_rate_threshold',
    'extension_health.circuit_breaker_failure_threshold',
    'extension_health.circuit_breaker_window_seconds',
    'extension_health.half_open_max_requests',
  ]);
  t.deepEqual(changes.defaults_set, ['extension_versions.timeout_ms: 5000', 'extension_versions.retry: 0']);
  t.true(changes.triggers_added.includes('extreg_record on extensions'));
  t.true(changes.indexes_added.includes('idx_extension_audit_log_revision on extension_audit_log'));
  t.is(preview.entries.length, 11);

  // Another session is not in the way of it, nor is what it did.
  await migrateDatabase(database.connection, silentLogger);
  const again = await previewMigration(database.connection, silentLogger);
  t.deepEqual(again.migrations, []);
  t.true(Object.values(again.changes).every((names) => names.length === 0));
});

const UNFIT: [what: string, statements: string, problems: readonly string[]][] = [
  [
    'columns are missing and have other types',
    `alter table extensions drop column subject, alter column config type json using config::json;
     alter table extension_versions alter column created_at type timestamp, alter column retry type text;
     alter table extension_audit_log drop column action, drop column id;`,
    [
      'extensions.subject is missing: varchar(512)',
      'extensions.config is json, expected jsonb',
      'extension_versions.retry is text, expected integer',
      'extension_versions.created_at is timestamp without time zone, expected timestamp with time zone',
      'extension_audit_log.id is missing: uuid',
      'extension_audit_log.action is missing: varchar(64)',
    ],
  ],
  [
    'a column that came later is there with another type',
    'alter table extensions add column policy text; alter table extension_health add column auto_disabled integer;',
    ['extensions.policy is text, expected jsonb', 'extension_health.auto_disabled is integer, expected boolean'],
  ],
  [
    'keys are checked at the end of a transaction, which on conflict cannot use',
    `alter table extension_health drop constraint extension_health_pkey;
     alter table extension_health add primary key (extension_id) deferrable;
     alter table extension_versions drop constraint extension_versions_pkey;
     alter table extension_versions add unique (id, version) deferrable initially deferred;`,
    [
      'extension_versions has no primary key or unique index on (id, version) that is valid and not deferrable',
      'extension_health has no primary key or unique index on (extension_id) that is valid and not deferrable',
    ],
  ],
  [
    'keys are missing',
    `alter table extensions drop constraint extensions_pkey cascade; create index on extensions (id);
     alter table extension_health drop constraint extension_health_pkey; create unique index on extension_health (extension_id)
       where extension_id is not null;`,
    [
      'extensions has no primary key or unique index on (id) that is valid and not deferrable',
      'extension_health has no primary key or unique index on (extension_id) that is valid and not deferrable',
    ],
  ],
  [
    'a column that nobody knows would refuse every row',
    'alter table extension_audit_log add column tenant text; update extension_audit_log set tenant = $$x$$; alter table extension_audit_log alter column tenant set not null;',
    ['extension_audit_log.tenant is not null and has no default: no row can be added that does not name it'],
  ],
  [
    'a view is in its place',
    'alter table extension_instances rename to instances; create view extension_instances as select * from instances;',
    ['extension_instances must be a table, it is a view'],
  ],
  [
    'what the daemon writes would be refused for another reason',
    `alter table extension_health drop column avg_latency_ms, add column avg_latency_ms numeric(10, 2) generated always as (latency_sum::numeric) stored;
     create table users (name varchar(255) primary key); alter table extensions add constraint editor foreign key (updated_by) references users;`,
    [
      'extensions.updated_by is in the foreign key editor: the daemon writes names of its own into it',
      'extension_health.avg_latency_ms is generated, expected a column that can be written',
    ],
  ],
];

for (const [what, statements, problems] of UNFIT)
  onEmpty(`ADOPTION-1: a database in which ${what} is refused with all of it, and untouched`, async (t, database) => {
    const db = database.open();
    await db.$client.unsafe(PREDECESSOR);
    await db.$client.unsafe(statements);
    const before = await catalogue(db);
    for (const attempt of [migrateDatabase, previewMigration]) {
      const error = await t.throwsAsync(() => attempt(database.connection, silentLogger), {
        instanceOf: AdoptionError,
      });
      t.deepEqual(error?.problems, problems);
    }
    t.deepEqual(await catalogue(db), before);
  });

onEmpty('ADOPTION-2: what can be completed is, and no row is lost', async (t, database) => {
  const db = database.open();
  const { $client } = db;
  await $client.unsafe(`${PREDECESSOR}
    alter table extensions drop column timeout_ms, drop column enabled, drop column config, drop column version, drop column updated_by;
    alter table extension_versions drop column routing_rules, drop column created_at;
    alter table extension_instances drop column weight, drop column last_health_check;
    alter table extension_health drop column success_count, drop column updated_at, alter column failure_count type integer,
      alter column last_failure set default now(), alter column avg_latency_ms type double precision;
    update extension_health set last_failure = now();
    alter table extension_health alter column last_failure set not null;
    alter table extension_health drop constraint extension_health_pkey;
    create unique index on extension_health (extension_id) include (failure_count);
    alter table extension_audit_log drop constraint extension_audit_log_action_check, alter column action type varchar(10),
      alter column extension_id type text, drop column changed_at, drop column old_values;`);
  await migrateDatabase(database.connection, silentLogger);
  const { entries } = await readSnapshot(db);
  t.like(entries[0], { extension: { id: 'guard', timeout_ms: 5000, enabled: true, version: 'v1', config: {} } });
  t.deepEqual(
    entries.map((entry) => [entry.versions.length, entry.instances.length]),
    [
      [2, 0],
      [0, 1],
    ],
  );
  await $client`update extensions set breaker_override = 'forced_closed'`;
  const trail =
    await $client`select action, changed_at is not null as dated from extension_audit_log order by revision`;
  t.deepEqual(
    trail.map((row) => ({ ...row })),
    [
      { action: 'force_closed', dated: true },
      { action: 'force_closed', dated: true },
      { action: 'create', dated: true },
    ],
  );
  await $client`insert into extensions (id, type, subject) values ('fresh', 'pre', 'x')`;
  await $client`insert into extension_health (extension_id, last_failure, failure_count) values ('fresh', null, 9000000000)`;
});

onEmpty('ADOPTION-4: columns and checks are made wide enough for what the daemon writes', async (t, database) => {
  const db = database.open();
  const { $client } = db;
  await $client.unsafe(`${PREDECESSOR}
    alter table extensions alter column updated_by type varchar(10);
    alter table extension_instances drop constraint extension_instances_health_status_check, alter column health_status type varchar(8),
      add constraint "three ""words" check (health_status is null or health_status::text = any (array['healthy', 'sick', 'unknown']));
    alter table extension_health drop constraint extension_health_circuit_breaker_state_check,
      add constraint spelled check (circuit_breaker_state in ('closed', 'open', 'half-open')), add constraint counted check (success_count >= 0),
      alter column avg_latency_ms type numeric(6, 4), alter column p95_latency_ms type numeric(5, 2),
      alter column last_latency_ms type smallint, alter column half_open_requests_count type smallint;
    update extension_health set avg_latency_ms = 12.3456;`);
  await migrateDatabase(database.connection, silentLogger);
  const [kept] = await $client`select avg_latency_ms::text as latency from extension_health limit 1`;
  t.is(kept?.latency, '12.3456');
  const left =
    await $client`select conname as name from pg_constraint where conname in ('three "words', 'spelled', 'counted')`;
  t.deepEqual(
    left.map(({ name }) => name),
    ['counted'],
  );
  const change = { id: randomUUID(), extension_id: 'guard', revision: 1, reason: 'a test' };
  t.like(await applyAutoChange(db, { ...change, change: 'auto_disable' }), { applied: true });
  const instance = { extension_id: 'normalize_text', instance_id: 'instance-1', uid: null };
  for (const health_status of HEALTH_STATUSES) {
    await writeInstanceStatus(db, [{ ...instance, health_status, checked_ago_ms: 1, seen_report: randomUUID() }]);
    const [row] = await $client`select health_status from extension_instances`;
    t.is(row?.health_status, health_status);
  }
  const slow = { last_latency_ms: 86_400_000, avg_latency_ms: 86_400_000, p95_latency_ms: 86_400_000 };
  const rows = [
    healthRow({
      extension_id: 'guard',
      ...slow,
      circuit_breaker_state: 'half_open',
      half_open_requests_count: 100_000,
    }),
  ];
  t.deepEqual(await flushHealth(db, { writer: randomUUID(), number: 1 }, rows), { dropped: [], held: [] });
});

onEmpty('MIGRATE-3: what the database refuses is said in words, and nothing is written', async (t, database) => {
  const db = database.open();
  await db.$client.unsafe(`${PREDECESSOR} alter table extension_audit_log drop constraint extension_audit_log_action_check,
    alter column action type varchar(10); create view actions as select action from extension_audit_log;`);
  const before = await catalogue(db);
  for (const attempt of [migrateDatabase, previewMigration])
    await t.throwsAsync(() => attempt(database.connection, silentLogger), {
      instanceOf: MigrationRefusedError,
      message: /nothing was written: cannot alter type of a column used by a view.* \(SQLSTATE 0A000\)$/,
    });
  t.deepEqual(await catalogue(db), before);
});

onEmpty('MIGRATION-PREVIEW-1: a preview that fails leaves no transaction behind', async (t, database) => {
  const db = database.open();
  await db.$client`create table extensions (id integer)`;
  await t.throwsAsync(() => previewMigration(database.connection, silentLogger));
  t.deepEqual(
    [
      ...(await db.$client`select count(*)::int as tables from pg_class where relname like 'extension%' and relkind = 'r'`),
    ],
    [{ tables: 1 }],
  );
});

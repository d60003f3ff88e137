// The schema and the mechanisms in it: M1..M5 of drizzle/0000_registry.sql, MIGRATE-1 and MIGRATE-2 of migrate.ts.
import anyTest, { type TestFn } from 'ava';
import { getTableConfig, type PgTable } from '#drizzle-orm/pg-core';
import type { Database } from '../../../src/db/client.js';
import { checkSchema, knownMigrations, migrateDatabase } from '../../../src/db/migrate/migrate.js';
import { SchemaVersionError } from '../../../src/db/migrate/version-errors.js';
import { readSnapshot } from '../../../src/db/queries/registry-queries.js';
import * as schema from '../../../src/db/schema.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { onBothEngines, onPostgres } from '../../helpers/postgres.js';
import { PREDECESSOR } from './predecessor.js';

const test = anyTest as TestFn;
const onEmpty = onBothEngines(test, 'empty');
const onMigrated = onBothEngines(test);
const onPostgresOnly = onPostgres(test, 'empty');

const KNOWN = knownMigrations().length;

const SEED_INSERTS = `
  INSERT INTO extension_versions (id, version, subject, timeout_ms, retry, routing_rules) VALUES
    ('normalize_text', 'v1', 'beamline.ext.pre.normalize_text.v1', 100, 0, '{}'),
    ('normalize_text', 'v2', 'beamline.ext.pre.normalize_text.v2', 80, 0, '{"tenant_id": ["tenant1", "tenant2"]}');
  INSERT INTO extension_instances (extension_id, instance_id, subject, weight, health_status) VALUES
    ('normalize_text', 'instance-1', 'beamline.ext.pre.normalize_text.v1', 100, 'healthy'),
    ('normalize_text', 'instance-2', 'beamline.ext.pre.normalize_text.v1', 50, 'healthy');`;

/** Everything of the catalogue that a migration decides. */
async function catalogue(db: Database): Promise<unknown> {
  const columns = await db.$client`
    select table_name, column_name, data_type, character_maximum_length, numeric_precision, numeric_scale, is_nullable, column_default
    from information_schema.columns where table_schema = 'public' order by table_name, column_name`;
  const constraints = await db.$client`
    select conrelid::regclass::text as on_table, conname, pg_get_constraintdef(oid) as definition
    from pg_constraint where connamespace = 'public'::regnamespace and contype <> 'n' order by 1, 2`;
  const triggers = await db.$client`
    select tgrelid::regclass::text as on_table, tgname, pg_get_triggerdef(oid) as definition
    from pg_trigger where not tgisinternal order by 1, 2`;
  const indexes = await db.$client`select indexname, indexdef from pg_indexes where schemaname = 'public' order by 1`;
  return JSON.parse(JSON.stringify({ columns, constraints, triggers, indexes }));
}

onEmpty('migrateDatabase: makes the schema, and a second run changes nothing', async (t, database) => {
  t.deepEqual(await migrateDatabase(database.connection, silentLogger), { found: 0, known: KNOWN });
  const db = database.open();
  const first = await catalogue(db);
  t.deepEqual(await migrateDatabase(database.connection, silentLogger), { found: KNOWN, known: KNOWN });
  t.deepEqual(await catalogue(db), first);
  t.deepEqual(await checkSchema(database.connection, silentLogger), { found: KNOWN, known: KNOWN });
});

onEmpty(
  'migrateDatabase: running the statements again over a migrated database changes nothing',
  async (t, database) => {
    await migrateDatabase(database.connection, silentLogger);
    const db = database.open();
    const first = await catalogue(db);
    await db.$client`delete from drizzle.__drizzle_migrations`;
    await migrateDatabase(database.connection, silentLogger);
    t.deepEqual(await catalogue(db), first);
  },
);

onEmpty('checkSchema: says which version is there and which is needed', async (t, database) => {
  const error = await t.throwsAsync(() => checkSchema(database.connection, silentLogger), {
    instanceOf: SchemaVersionError,
  });
  t.like(error, { found: 0, known: KNOWN });
});

onMigrated('MIGRATE-2: a schema newer than the daemon is refused untouched', async (t, database) => {
  const db = database.open();
  await db.$client`insert into drizzle.__drizzle_migrations (hash, created_at) values ('later', 9999999999999)`;
  for (const attempt of [migrateDatabase, checkSchema]) {
    const error = await t.throwsAsync(() => attempt(database.connection, silentLogger), {
      instanceOf: SchemaVersionError,
    });
    t.like(error, { found: KNOWN + 1, known: KNOWN });
  }
});

onPostgresOnly('MIGRATE-1: of several migrators at a time one migrates', async (t, database) => {
  const runs = await Promise.all(Array.from({ length: 4 }, () => migrateDatabase(database.connection, silentLogger)));
  t.deepEqual(runs.map((run) => run.found).sort(), [0, KNOWN, KNOWN, KNOWN]);
});

onEmpty("migrateDatabase: takes over a predecessor's database without losing a row", async (t, database) => {
  const db = database.open();
  const { $client } = db;
  await $client.unsafe(PREDECESSOR);
  await migrateDatabase(database.connection, silentLogger);

  const [counts] = await $client`
    select (select count(*)::int from extensions) as extensions, (select count(*)::int from extension_versions) as versions,
      (select count(*)::int from extension_instances) as instances, (select count(*)::int from extension_health) as health,
      (select count(*)::int from extension_audit_log) as audit`;
  t.deepEqual({ ...counts }, { extensions: 2, versions: 2, instances: 1, health: 2, audit: 1 });
  t.deepEqual(
    [
      ...(await $client`select half_open_request_count, half_open_requests_count from extension_health where extension_id = 'guard'`),
    ],
    [{ half_open_request_count: 1, half_open_requests_count: 0 }],
  );
  const { entries } = await readSnapshot(db);
  t.like(entries[1], {
    extension: {
      id: 'normalize_text',
      timeout_ms: null,
      retry: null,
      enabled: null,
      version: null,
      auto_disabled: false,
    },
    instances: [{ weight: null, version: null, health_status: 'unknown' }],
    thresholds: { failure_threshold: null, half_open_max_requests: null },
  });
  t.like(entries[0], { extension: { id: 'guard' }, thresholds: { failure_threshold: 9, window_seconds: null } });
  // What a flush inserts must not bring the predecessor's thresholds back.
  await $client`insert into extensions (id, type, subject) values ('fresh', 'pre', 'ext.fresh')`;
  await $client`insert into extension_health (extension_id) values ('fresh')`;
  t.deepEqual(
    [
      ...(await $client`
      select circuit_breaker_failure_threshold as a, circuit_breaker_error_rate_threshold as b, circuit_breaker_window_seconds as c,
        half_open_max_requests as d from extension_health where extension_id = 'fresh'`),
    ],
    [{ a: null, b: null, c: null, d: null }],
  );
  // M5, although the predecessor's trail went with its extension and knew few actions.
  await $client`delete from extensions where id = 'guard'`;
  const trail = await $client`select action from extension_audit_log where extension_id = 'guard' order by action`;
  t.deepEqual(
    trail.map((row) => row.action),
    ['create', 'delete', 'version_delete', 'version_delete'],
  );
  t.is((await $client`select 1 from extension_health where extension_id = 'guard'`).length, 0);
});

onMigrated("schema: the seeds' SQL works as written", async (t, database) => {
  const { $client } = database.open();
  await $client`insert into extensions (id, type, subject) values ('normalize_text', 'pre', 'beamline.ext.pre.normalize_text')`;
  await $client.unsafe(SEED_INSERTS);
  t.is((await $client`select 1 from extension_versions`).length, 2);
  t.is((await $client`select 1 from extension_instances`).length, 2);
  await t.throwsAsync(() => $client`update extension_instances set weight = 101`, { message: /check constraint/ });
});

onMigrated(
  'schema.ts: names the columns of the database, all of them, with type and nullability',
  async (t, database) => {
    const { $client } = database.open();
    const rows = await $client`
    select c.relname as table, a.attname as column, format_type(a.atttypid, a.atttypmod) as type, a.attnotnull as not_null
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 and not a.attisdropped`;
    const inDatabase = rows.map((row) => `${row.table}.${row.column} ${row.type}${row.not_null ? ' not null' : ''}`);
    const inCode = Object.values(schema).flatMap((table) => {
      const { name, columns, primaryKeys } = getTableConfig(table as PgTable);
      const keys = new Set(primaryKeys.flatMap((key) => key.columns.map((column) => column.name)));
      return columns.map((column) => {
        const type = column
          .getSQLType()
          .replace(/^varchar/, 'character varying')
          .replace(', ', ',');
        const required = column.notNull || column.primary || keys.has(column.name);
        return `${name}.${column.name} ${type}${required ? ' not null' : ''}`;
      });
    });
    t.true(inCode.length > 80);
    t.deepEqual(inDatabase.sort(), inCode.sort());
  },
);

// The source of a daemon's registry on databases that other versions left: every earlier schema is brought to this one with its rows,
// and a newer one ends the daemon and stays as it is.
import { randomUUID } from 'node:crypto';
import anyTest, { type TestFn } from 'ava';
import { readMigrationFiles } from '#drizzle-orm/migrator';
import { Subscription } from '#rxjs';
import { loadConfig } from '../../src/config/config.js';
import { createRegistrySource } from '../../src/daemon/registry-source.js';
import type { Database } from '../../src/db/client.js';
import { checkSchema, knownMigrations } from '../../src/db/migrate/migrate.js';
import { SchemaVersionError } from '../../src/db/migrate/version-errors.js';
import { flushHealth } from '../../src/db/queries/health-queries.js';
import type { RegistryUpdate } from '../../src/domain/registry/registry-rows.js';
import { silentLogger } from '../../src/telemetry/log.js';
import { healthRow } from '../helpers/health-rows.js';
import { onPostgres, type TestDatabase, temporaryDirectory } from '../helpers/postgres.js';
import { until } from '../helpers/until.js';

const test = anyTest as TestFn;
const onEmpty = onPostgres(test, 'empty');
const onMigrated = onPostgres(test);

const KNOWN = knownMigrations().length;
const CLOCK = {
  now: () => performance.now(),
  setTimeout: (fn: () => void, ms: number) => setTimeout(fn, ms),
  clearTimeout: (id: unknown) => clearTimeout(id as NodeJS.Timeout),
};

/** Rows that every version had columns for, and a decision that its triggers have recorded. */
const ROWS = `
  insert into extensions (id, type, subject, timeout_ms, metadata) values
    ('guard', 'pre', 'ext.guard', 120, '{"team": "safety"}'), ('plain', 'post', 'ext.plain', 80, '{}');
  insert into extension_versions (id, version, subject, routing_rules) values ('guard', 'v2', 'ext.guard.v2', '{"tenant_id": ["a"]}');
  insert into extension_instances (extension_id, instance_id, subject, weight) values ('guard', 'one', 'ext.guard.one', 30);
  insert into extension_health (extension_id, success_count, failure_count) values ('guard', 41, 7)
    on conflict (extension_id) do update set success_count = 41, failure_count = 7;
  update extensions set enabled = false where id = 'plain'`;

/** As the daemon of the first `count` migrations left it. */
async function leaveAt({ $client }: Database, count: number): Promise<void> {
  const applied = readMigrationFiles({ migrationsFolder: 'drizzle' }).slice(0, count);
  for (const { sql } of applied) for (const statement of sql) await $client.unsafe(statement);
  await $client.unsafe(`create schema drizzle;
    create table drizzle.__drizzle_migrations (id serial primary key, hash text not null, created_at bigint)`);
  for (const { hash, folderMillis } of applied)
    await $client`insert into drizzle.__drizzle_migrations (hash, created_at) values (${hash}, ${folderMillis})`;
}

type Ended = (teardown: () => void) => void;

/** The source as a daemon has it: what it reads, and why it could not go on. */
function sourceOf(database: TestDatabase, dataDir: string, ended: Ended, flags: Record<string, unknown> = {}) {
  const source = createRegistrySource({
    config: loadConfig({ flags: { data_dir: dataDir, ...flags }, env: {}, cwd: dataDir }),
    direct: database.connection,
    connect: () => database.open(),
    housekeeping: () => new Subscription(),
    clock: CLOCK,
    log: silentLogger,
  });
  const updates: RegistryUpdate[] = [];
  const subscription = source.feed$.subscribe((update) => updates.push(update));
  ended(() => subscription.unsubscribe());
  return { source, updates, stop: () => subscription.unsubscribe() };
}

for (const [index, name] of knownMigrations().slice(0, -1).entries()) {
  const count = index + 1;
  onEmpty(
    `registry source: a database of schema version ${count} (${name}) is migrated with its rows, and served`,
    async (t, database) => {
      const db = database.open();
      const { $client } = db;
      await leaveAt(db, count);
      await $client.unsafe(ROWS);
      const [before] = await $client`select count(*)::int as rows from extension_audit_log`;
      const { updates, stop } = sourceOf(database, temporaryDirectory(t), t.teardown);
      await until('the registry is read', () => updates.length > 0);
      stop();
      t.deepEqual(await checkSchema(database.connection, silentLogger), { found: KNOWN, known: KNOWN });
      const update = updates[0];
      if (update === undefined || !('entries' in update)) throw new Error('it begins with all rows');
      t.like(update.entries[0], {
        extension: {
          id: 'guard',
          type: 'pre',
          subject: 'ext.guard',
          timeout_ms: 120,
          enabled: true,
          auto_disabled: false,
        },
        versions: [{ version: 'v2', subject: 'ext.guard.v2', routing_rules: { tenant_id: ['a'] } }],
        instances: [{ instance_id: 'one', subject: 'ext.guard.one', weight: 30 }],
      });
      t.like(update.entries[1], { extension: { id: 'plain', enabled: false } });
      const [health] =
        await $client`select success_count::int, failure_count::int from extension_health where extension_id = 'guard'`;
      t.deepEqual({ ...health }, { success_count: 41, failure_count: 7 });
      const [after] = await $client`select count(*)::int as rows from extension_audit_log`;
      t.true(Number(before?.rows) > 0 && Number(after?.rows) >= Number(before?.rows), 'the trail is kept');
      // What this version writes finds its place.
      await $client`update extensions set breaker_override = 'isolated' where id = 'guard'`;
      const [last] =
        await $client`select action from extension_audit_log where revision is not null order by revision desc limit 1`;
      t.is(last?.action, 'isolate');
      t.deepEqual(await flushHealth(db, { writer: randomUUID(), number: 1 }, [healthRow({ extension_id: 'guard' })]), {
        dropped: [],
        held: [],
      });
    },
  );
}

onMigrated(
  'MIGRATE-2: a daemon that is older than its database ends, says so, and changes nothing',
  async (t, database) => {
    const { $client } = database.open();
    await $client`insert into drizzle.__drizzle_migrations (hash, created_at) values ('later', 9999999999999)`;
    await $client`insert into extensions (id, type, subject) values ('guard', 'pre', 'ext.guard')`;
    const { source, updates } = sourceOf(database, temporaryDirectory(t), t.teardown);
    const error = await source.failed;
    t.true(error instanceof SchemaVersionError);
    t.is(
      error.message,
      `the database has schema version ${KNOWN + 1}, newer than this daemon, which knows ${KNOWN}: run a newer daemon`,
    );
    t.deepEqual(updates, []);
    t.is((await $client`select 1 from drizzle.__drizzle_migrations`).length, KNOWN + 1);
  },
);

onEmpty(
  'registry source: without migrate, a daemon that is newer than its database ends, and says what to do',
  async (t, database) => {
    await leaveAt(database.open(), 1);
    const { source } = sourceOf(database, temporaryDirectory(t), t.teardown, { migrate: false });
    t.is(
      (await source.failed).message,
      `the database has schema version 1, this daemon needs ${KNOWN}: run \`extreg migrate\``,
    );
  },
);

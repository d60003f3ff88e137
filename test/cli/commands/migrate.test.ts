import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import anyTest, { type TestFn } from 'ava';
import type { DatabaseConnection } from '../../../src/db/client.js';
import { PREDECESSOR } from '../../db/migrate/predecessor.js';
import { OLD_ROWS, REFUSED, refusedNames } from '../../db/migrate/predecessor-rows.js';
import { onBothEngines, onPostgres } from '../../helpers/postgres.js';
import { directory, run } from '../run.js';

const test = anyTest as TestFn;
const onEmpty = onBothEngines(test, 'empty');
const onMigrated = onPostgres(test);

/** How a command is told which database to use. */
const envOf = (connection: DatabaseConnection): Record<string, string> =>
  connection.kind === 'url'
    ? { DATABASE_URL: connection.url }
    : { EXTENSION_REGISTRY_DATA_DIR: connection.kind === 'embedded' ? connection.socketDir : '' };

const matches = (found: readonly string[]): string[] =>
  found.map((line, i) => (line.startsWith(REFUSED[i] ?? '\0') ? (REFUSED[i] ?? '') : line));

onEmpty(
  'migrate --dry-run: says what would be done, for people and for programs, and does none of it',
  async (t, database) => {
    const db = database.open();
    await db.$client.unsafe(PREDECESSOR + OLD_ROWS);
    const options = { cwd: directory(t), env: envOf(database.connection) };

    const text = await run(['migrate', '--dry-run'], options);
    t.is(text.code, 0, text.stderr);
    for (const line of [
      /^the schema would go from version 0 to \d+: 0000_registry.*; nothing was changed\n/,
      /\ntables added: 5\n {2}extension_health_writers\n {2}extension_rollouts\n {2}extension_tokens\n {2}extension_version_health\n {2}registry_revision\n/,
      /\ncolumns added: \d+\n/,
      /\n {2}extensions\.auto_disabled boolean default false\n/,
      /\nconstraints dropped: 2\n {2}extension_audit_log_action_check on extension_audit_log: CHECK /,
      /\ndefaults dropped: 4\n/,
      /\nTABLE +ROWS\n(?:extension_.*\n)*extensions +11\n/,
      /\nthe daemon refuses 11 rows, and keeps to the rest:\n/,
      /\n {2}extension guard, version v4-list: routing_rules must be a JSON object, got a list\n/,
      /\n {2}extension guard, instance has blanks: instance_id must be /,
    ])
      t.regex(text.stdout, line);

    const json = JSON.parse((await run(['migrate', '--dry-run', '--json'], options)).stdout);
    t.like(json, { dry_run: true, from: 0, makes_database: false, rows: { extensions: 11, extension_versions: 8 } });
    t.deepEqual(matches(refusedNames(json.refused)), [...REFUSED]);
    const [found] = await db.$client`
    select (select count(*)::int from pg_namespace where nspname = 'drizzle') as schemas, to_regclass('registry_revision') as added`;
    t.deepEqual({ ...found }, { schemas: 0, added: null });

    const migrated = await run(['migrate', '--json'], options);
    t.is(migrated.code, 0, migrated.stderr);
    t.deepEqual(JSON.parse(migrated.stdout), { from: 0, to: json.to, refused: json.refused });
    const again = await run(['migrate'], options);
    t.regex(
      again.stdout,
      /^the schema is at version \d+ already\nthe daemon refuses 11 rows, and keeps to the rest:\n/,
    );
    const nothing = await run(['migrate', '--dry-run'], options);
    t.regex(nothing.stdout, /^the schema is at version \d+ already; nothing was changed\nTABLE +ROWS\n/);
    t.false(nothing.stdout.includes('added'));
  },
);

onMigrated('migrate: subjects are judged by the prefixes that the daemon is told', async (t, database) => {
  await database.open().$client`insert into extensions (id, type, subject) values ('a', 'pre', 'elsewhere.a')`;
  const options = { cwd: directory(t), env: envOf(database.connection) };
  t.notRegex((await run(['migrate'], options)).stdout, /refuses/);
  const { stdout } = await run(['migrate', '--subject-prefixes', 'beamline.ext'], options);
  t.regex(
    stdout,
    /\nthe daemon refuses 1 row, and keeps to the rest:\n {2}extension a: subject must be under beamline\.ext, /,
  );
});

onMigrated('MAIN-1: migrate: a schema newer than the daemon is refused with both numbers', async (t, database) => {
  const { $client } = database.open();
  const [row] = await $client`select count(*)::int as known from drizzle.__drizzle_migrations`;
  await $client`insert into drizzle.__drizzle_migrations (hash, created_at) values ('later', 9999999999999)`;
  const options = { cwd: directory(t), env: envOf(database.connection) };
  for (const args of [['migrate'], ['migrate', '--dry-run'], ['export'], ['serve', '--http-port', '0']]) {
    const { code, stderr } = await run(args, options);
    t.is(code, 65, args.join(' '));
    t.true(
      stderr.includes(
        `the database has schema version ${row?.known + 1}, newer than this daemon, which knows ${row?.known}`,
      ),
      stderr,
    );
  }
});

test('migrate --dry-run: makes no embedded database where there is none', async (t) => {
  const cwd = directory(t);
  const { code, stdout } = await run(['migrate', '--dry-run'], { cwd });
  t.is(code, 0);
  t.regex(stdout, /^an embedded database would be made in .*\.extreg, with schema version \d+; nothing was changed\n$/);
  t.like(JSON.parse((await run(['migrate', '--dry-run', '--json'], { cwd })).stdout), {
    makes_database: true,
    rows: {},
  });
  t.false(existsSync(join(cwd, '.extreg')));
  t.deepEqual(readdirSync(cwd), []);
});

onEmpty('migrate: tables that cannot be taken over are named, and nothing is written', async (t, database) => {
  const db = database.open();
  await db.$client.unsafe(
    `${PREDECESSOR} alter table extension_versions drop column subject, alter column retry type text;`,
  );
  const options = { cwd: directory(t), env: envOf(database.connection) };
  for (const args of [['migrate'], ['migrate', '--dry-run']]) {
    const { code, stderr } = await run(args, options);
    t.is(code, 78);
    t.is(
      stderr,
      `extreg: the tables of this database cannot be taken over, and nothing was written:
  extension_versions.subject is missing: varchar(512)
  extension_versions.retry is text, expected integer
`,
    );
  }
  const [found] = await db.$client`select to_regclass('registry_revision') as added`;
  t.is(found?.added, null);
});

// Commands that need what another transaction holds: they say who has it, and end.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { CuttingProxy } from '../helpers/cutting-proxy.js';
import { onPostgres, type TestDatabase, temporaryDirectory } from '../helpers/postgres.js';
import { run } from './run.js';

const test = anyTest as TestFn;
const onServer = onPostgres(test);

const FILE = { format: 1, extensions: { a: { type: 'pre', subject: 'ext.z' } } };

async function world(t: ExecutionContext, database: TestDatabase) {
  const { connection } = database;
  if (connection.kind !== 'url') throw new Error('not a URL');
  const cwd = temporaryDirectory(t);
  writeFileSync(join(cwd, 'registry.json'), JSON.stringify(FILE));
  const sql = database.open(1).$client;
  await sql`insert into extensions (id, type, subject) values ('a', 'pre', 'ext.a')`;
  return { cwd, sql, env: { DATABASE_URL: connection.url } };
}

const HELD: [title: string, lock: string, what: RegExp][] = [
  ['a row', "update extensions set timeout_ms = 7 where id = 'a'", /extensions 'a' is locked by/],
  ['the revision', 'select from registry_revision for update', /the row of registry_revision.* is locked by/],
  ['a table', 'lock table extensions in access exclusive mode', /a table of the registry is locked by/],
];

for (const [title, lock, what] of HELD)
  onServer(`${title} that is held: import and sql say by whom, and write nothing`, async (t, database) => {
    const { cwd, sql, env } = await world(t, database);
    await sql`set application_name = 'psql of ada'`;
    await sql`begin`;
    await sql.unsafe(lock);
    for (const args of [
      ['import', 'registry.json'],
      ['sql', "update extensions set subject = 'ext.z' where id = 'a'"],
    ]) {
      const began = performance.now();
      const { code, stderr } = await run(args, { env, cwd });
      t.true(performance.now() - began < 15_000);
      t.is(code, 1, args[0]);
      t.regex(stderr, what);
      t.regex(stderr, /process \d+ \(psql of ada, user postgres\), in a transaction for \d+ s; nothing was written/);
    }
    await sql`rollback`;
    t.is((await run(['import', 'registry.json'], { env, cwd })).code, 0);
  });

onServer('another migrator, or a table that it needs, is named by migrate', async (t, database) => {
  const { cwd, sql, env } = await world(t, database);
  await sql`set application_name = 'deploy job'`;
  for (const [lock, what] of [
    [
      'select pg_advisory_xact_lock(7310299837465912)',
      /the lock of another migrator is held by process \d+ \(deploy job/,
    ],
    ['lock table drizzle.__drizzle_migrations in access exclusive mode', /is locked by/],
  ] as const) {
    await sql`begin`;
    await sql.unsafe(lock);
    const { code, stderr } = await run(['migrate'], { env, cwd });
    t.is(code, 1);
    t.regex(stderr, what);
    await sql`rollback`;
  }
  t.is((await run(['migrate'], { env, cwd })).code, 0);
});

onServer('an import whose answer is lost says that it may be run again, which changes nothing', async (t, database) => {
  const { cwd, sql, env } = await world(t, database);
  const proxy = await CuttingProxy.before(t, database.connection);
  const far = { DATABASE_URL: proxy.connection.kind === 'url' ? proxy.connection.url : '' };
  proxy.cutAnswerTo('extreg.import');
  const { code, stderr } = await run(['import', 'registry.json'], { env: far, cwd });
  t.is(code, 69);
  t.regex(stderr, /lost after COMMIT was sent.*run it again, if it was written, that changes nothing/);
  t.is((await sql`select subject from extensions`)[0]?.subject, 'ext.z');
  t.regex((await run(['import', 'registry.json'], { env, cwd })).stdout, /0 changed, 1 unchanged/);
  t.is(proxy.cuts, 1);
});

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import { openEmbedded } from '../../src/embedded/postgres/embedded.js';
import { TEMPLATE_FILE } from '../../src/embedded/postgres/embedded-template.js';
import { copyTemplateFile } from '../helpers/embedded-template.js';
import { directory, run } from './run.js';

test('migrate and sql: make, fill and read the embedded database, also while another process has it open', async (t) => {
  const cwd = directory(t);
  await copyTemplateFile(join(cwd, '.extreg'));
  const first = await run(['migrate'], { cwd });
  t.regex(first.stdout, /^the schema went from version 0 to \d+\n$/, first.stderr);
  t.is(first.code, 0);

  const database = await openEmbedded(join(cwd, '.extreg'), { onFailure: (error) => t.fail(error.message) });
  t.teardown(() => database.close());
  const again = await run(['migrate'], { cwd });
  t.regex(again.stdout, /^the schema is at version \d+ already\n$/, again.stderr);
  const { from, to } = JSON.parse((await run(['migrate', '--json'], { cwd })).stdout) as { from: number; to: number };
  t.is(from, to);

  const insert = "insert into extensions (id, type, subject) values ('a', 'pre', 'x.a'), ('b', 'post', 'x.b')";
  t.deepEqual(await run(['sql', insert], { cwd }), { code: 0, stdout: 'INSERT 2\n', stderr: '' });
  const table = await run(
    [
      'sql',
      "select id, null as none, id as id, '{\"k\":[1]}'::jsonb as j, E'a\\nb' as text from extensions order by id limit 1",
    ],
    { cwd },
  );
  t.is(table.stdout, 'id  none  id  j          text\na   null  a   {"k":[1]}  a\\nb\n(1 row)\n');
  const json = await run(['sql', '--json', 'select id, enabled from extensions order by id'], { cwd });
  t.deepEqual(JSON.parse(json.stdout), {
    command: 'SELECT',
    count: 2,
    rows: [
      { id: 'a', enabled: true },
      { id: 'b', enabled: true },
    ],
  });
  const commented = await run(['sql', '-- how many\nselect 1 as one'], { cwd });
  t.is(commented.stdout, 'one\n1\n(1 row)\n');
  const none = await run(['sql', "select id from extensions where id = 'none'"], { cwd });
  t.is(none.stdout, 'id\n(0 rows)\n');

  for (const [statement, expected] of [
    ['nonsense', /^extreg: SQLSTATE 42601: syntax error/],
    ['copy extensions to stdout', /^extreg: COPY .* use psql\n$/],
    [insert, /^extreg: SQLSTATE 23505: duplicate key .*: Key \(id\)=\(a\) already exists\.\n$/],
    [
      "insert into extension_versions (id, version, subject) values ('none', 'v1', 'x.n')",
      /^extreg: SQLSTATE 23503: .*: Key \(id\)=\(none\) is not present in table "extensions"\.\n$/,
    ],
    [
      "insert into extensions (id, type, subject) values ('c', 'filter', 'x.c')",
      /^extreg: SQLSTATE 23514: .* "extensions_type_check": CHECK .*'pre'.*'validator'.*'post'.*'provider'.*\n$/,
    ],
    ['select * from nowhere', /^extreg: SQLSTATE 42P01: relation "nowhere" does not exist\n$/],
  ] as const) {
    const { code, stdout, stderr } = await run(['sql', statement], { cwd });
    t.is(code, 1, statement);
    t.is(stdout, '');
    t.regex(stderr, expected);
  }
  for (const [statement, found] of [
    ['select 1; select 2', 'one SQL statement, got several; run one at a time, or use psql'],
    [
      "update extensions set enabled = false where id = 'a'; -- off\nselect 2;",
      'one SQL statement, got several; run one at a time, or use psql',
    ],
    ['', 'an SQL statement, got none'],
    [' ; ', 'an SQL statement, got none'],
    ['-- nothing', 'an SQL statement, got none'],
  ] as const)
    t.deepEqual(
      await run(['sql', statement], { cwd }),
      { code: 64, stdout: '', stderr: `extreg: statement: expected ${found}\nnext: extreg sql --help has examples\n` },
      statement,
    );
  const kept = await run(['sql', '--json', "select enabled from extensions where id = 'a'"], { cwd });
  t.like(JSON.parse(kept.stdout), { rows: [{ enabled: true }] });
});

test('sql, export, token ls and token revoke: where there is no database none is made, with or without a data directory', async (t) => {
  for (const makeDataDir of [false, true])
    for (const args of [
      ['sql', 'select 1'],
      ['export'],
      ['token', 'ls'],
      ['token', 'revoke', 'ada', '--reason', 'left', '--yes'],
    ]) {
      const cwd = directory(t);
      const dataDir = join(cwd, '.extreg');
      if (makeDataDir) await copyTemplateFile(dataDir);
      const { code, stderr } = await run(args, { cwd });
      t.is(code, 69, args[0]);
      t.regex(stderr, /^extreg: there is no database in .*; 'extreg migrate' makes one\n$/);
      t.deepEqual(
        readdirSync(cwd, { recursive: true }),
        makeDataDir ? ['.extreg', join('.extreg', TEMPLATE_FILE)] : [],
      );
    }
});

test('MAIN-1: migrate and sql: a database that does not answer is unreachable', async (t) => {
  const cwd = directory(t);
  const env = { DATABASE_URL: 'postgres://u:geheim@127.0.0.1:1/x' };
  for (const args of [['sql', 'select 1'], ['migrate']]) {
    const { code, stdout, stderr } = await run(args, { cwd, env });
    t.is(code, 69);
    t.is(stdout, '');
    t.is(stderr, 'extreg: the database cannot be reached: connect ECONNREFUSED 127.0.0.1:1\n');
  }
});

test('MAIN-1: a data directory whose path is too long for a socket is a matter of configuration', async (t) => {
  const { code, stderr } = await run(['migrate', '--data-dir', join('/tmp', 'x'.repeat(200))], { cwd: directory(t) });
  t.is(code, 78);
  t.regex(stderr, /too long for a Unix socket/);
});

// CLIENT-1..CLIENT-3 of client.ts, and what an error says about whom.
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import anyTest, { type TestFn } from 'ava';
import { sql } from '#drizzle-orm';
import { pino } from '#pino';
import { closeDatabase, openDatabase } from '../../src/db/client.js';
import { errorText, isRowError, sqlState } from '../../src/db/database-errors.js';
import { migrateDatabase } from '../../src/db/migrate/migrate.js';
import { ServerVersionError } from '../../src/db/migrate/version-errors.js';
import { listenExclusively } from '../../src/embedded/postgres/socket-lock.js';
import { frame, int32 } from '../../src/embedded/postgres/wire-frames.js';
import { WireServer } from '../../src/embedded/postgres/wire-server.js';
import { silentLogger } from '../../src/telemetry/log.js';
import { onBothEngines, onPostgres, temporaryDirectory } from '../helpers/postgres.js';

const test = anyTest as TestFn;
const onBoth = onBothEngines(test);
const onPostgresOnly = onPostgres(test);

onPostgresOnly('CLIENT-1: no PG* variable of the environment decides anything', async (t, database) => {
  const misleading = {
    PGHOST: '192.0.2.1',
    PGPORT: '1',
    PGUSER: 'nobody_of_that_name',
    PGDATABASE: 'nothing_of_that_name',
    PGPASSWORD: 'x',
    PGAPPNAME: 'other',
    PGSSL: 'require',
    PGTARGETSESSIONATTRS: 'standby',
    PGMAX: '0',
  };
  Object.assign(process.env, misleading);
  try {
    const db = database.open(1);
    const [row] = await db.$client`select current_user as name, current_setting('application_name') as application`;
    t.deepEqual({ ...row }, { name: 'postgres', application: 'test' });
  } finally {
    t.is(process.env.PGHOST, '192.0.2.1');
    for (const name of Object.keys(misleading)) delete process.env[name];
  }
});

onPostgresOnly('openDatabase: every form of a connection reaches the server', async (t, database) => {
  const db = database.open(1);
  const [row] = await db.$client`
    select current_setting('unix_socket_directories') as directory, current_setting('port') as port, current_database() as name`;
  const { directory, port, name } = row ?? {};
  const parts = { kind: 'parts', port: Number(port), database: name, user: 'postgres', sslMode: 'prefer' } as const;
  for (const connection of [
    { ...parts, host: '127.0.0.1', password: 'ignored' },
    { ...parts, host: directory, password: null, sslMode: 'disable' },
    { kind: 'url', url: `postgresql://postgres@/${name}?host=${encodeURIComponent(directory)}&port=${port}` },
    { kind: 'url', url: `postgres://postgres@127.0.0.1:${port}/${name}?sslmode=disable&channel_binding=prefer` },
    {
      kind: 'url',
      url: `postgres://postgres@127.0.0.1:${port}/${name}?sslmode=prefer&target_session_attrs=read-write`,
    },
  ] as const) {
    const client = database.open(1, connection);
    t.deepEqual([...(await client.$client`select current_database() as name`)], [{ name }]);
  }
});

onBoth('CLIENT-2: what the server notices goes to the log', async (t, database) => {
  const lines: string[] = [];
  const db = openDatabase(database.connection, {
    max: 1,
    prepare: false,
    applicationName: 'test',
    log: pino({ level: 'debug' }, { write: (line: string) => lines.push(line) }),
  });
  await db.$client.unsafe("do $$ begin raise notice 'look here'; end $$");
  await closeDatabase(db);
  t.like(JSON.parse(lines[0] ?? '{}'), { event: 'database_notice', text: 'look here' });
});

test('CLIENT-3: nothing in src/db holds a connection over more than one statement', (t) => {
  const directory = fileURLToPath(new URL('../../../src/db', import.meta.url));
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  t.true(files.length >= 15);
  for (const name of files)
    t.notRegex(readFileSync(`${directory}/${name}`, 'utf8'), /\.(begin|transaction|reserve)\(/, name);
});

onBoth('isRowError: tells what was sent from the way to the database', async (t, database) => {
  const db = database.open(1);
  const failure = async (statement: string): Promise<unknown> => {
    try {
      await db.execute(sql.raw(statement));
    } catch (error) {
      return error;
    }
  };
  for (const [statement, state, ofRow] of [
    ["insert into extensions (id, type, subject) values ('a', 'nonsense', 'x')", '23514', true],
    ["select 'x'::int", '22P02', true],
    ["do $$ begin raise exception 'no'; end $$", 'P0001', true],
    ['select 1 from nowhere', '42P01', false],
    ["do $$ begin raise exception using errcode = '53100'; end $$", '53100', false],
  ] as const) {
    const error = await failure(statement);
    t.deepEqual([sqlState(error), isRowError(error)], [state, ofRow], statement);
  }
  t.is(errorText(await failure('select 1 from nowhere')), 'relation "nowhere" does not exist');
  await database.stopServer();
  const away = await failure('select 1');
  t.deepEqual([sqlState(away), isRowError(away)], [null, false]);
});

test('migrateDatabase: refuses a server older than PostgreSQL 13', async (t) => {
  const directory = temporaryDirectory(t);
  const text = (...values: string[]) =>
    frame(
      'D',
      Buffer.from([0, values.length]),
      ...values.map((value) => Buffer.concat([int32(value.length), Buffer.from(value)])),
    );
  const column = (name: string) =>
    Buffer.concat([
      Buffer.from(`${name}\0`),
      int32(0),
      Buffer.from([0, 0]),
      int32(25),
      Buffer.from([255, 255]),
      int32(-1),
      Buffer.from([0, 0]),
    ]);
  const wire = new WireServer({
    idleHolderMs: 1000,
    onLost: (error) => t.fail(String(error)),
    execute: async (messages) =>
      messages[0] === 0
        ? Buffer.concat([frame('R', int32(0)), frame('Z', Buffer.from('I'))])
        : Buffer.concat([
            frame('T', Buffer.from([0, 2]), column('number'), column('name')),
            text('120019', '12.19'),
            frame('C', 'SELECT 1'),
            frame('Z', Buffer.from('I')),
          ]),
  });
  const server = createServer((socket) => wire.accept(socket));
  await listenExclusively(server, directory);
  await wire.start();
  const error = await t.throwsAsync(() => migrateDatabase({ kind: 'embedded', socketDir: directory }, silentLogger), {
    instanceOf: ServerVersionError,
  });
  t.regex(error.message, /PostgreSQL 13 or newer is needed, the server is 12\.19/);
  await new Promise((done) => server.close(done));
});

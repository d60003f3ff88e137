// The embedded database: SOCKET-LOCK-1..SOCKET-LOCK-3 of socket-lock.ts, EMBEDDED-WORKER-1..EMBEDDED-1 of embedded.ts and its worker, WIRE-SERVER-1..WIRE-SERVER-5 of wire-server.ts.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { closeDatabase, type Database, openDatabase } from '../../../src/db/client.js';
import {
  DatabaseDamagedError,
  DatabaseMissingError,
  DataDirectoryInUseError,
  DataDirectoryPathError,
  openEmbedded,
  socketDirectory,
} from '../../../src/embedded/postgres/embedded.js';
import { TEMPLATE_FILE } from '../../../src/embedded/postgres/embedded-template.js';
import { listenExclusively, SOCKET_NAME } from '../../../src/embedded/postgres/socket-lock.js';
import {
  frame,
  framesOf,
  frameType,
  int32,
  SSL_REQUEST,
  startupMessage,
} from '../../../src/embedded/postgres/wire-frames.js';
import { WireServer } from '../../../src/embedded/postgres/wire-server.js';
import { createLogger, silentLogger } from '../../../src/telemetry/log.js';
import { runs } from '../../helpers/depth.js';
import { copyEmbedded, copyTemplateFile } from '../../helpers/embedded-template.js';
import { onPglite, type TestDatabase, temporaryDirectory } from '../../helpers/postgres.js';
import { endOf } from '../../helpers/processes.js';
import { until } from '../../helpers/until.js';

const test = anyTest as TestFn;
const onEmbedded = onPglite(test);

/** Of killed processes. */
const ROUNDS = runs(8);
const PROGRAM = fileURLToPath(new URL('./embedded-process.js', import.meta.url));

/** The process, and what it has told so far. */
function start(t: ExecutionContext, mode: 'lock' | 'open' | 'write', dataDir: string) {
  const args = ['--liftoff-only', PROGRAM, mode, dataDir];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'ignore'] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  t.teardown(() => kill(child));
  return { child, lines };
}

function kill(child: ChildProcess): Promise<void> {
  if (endOf(child) !== null) return Promise.resolve();
  return new Promise((done) => {
    child.once('exit', () => done());
    child.kill('SIGKILL');
  });
}

function open(t: ExecutionContext, socketDir: string): Database {
  const connection = { kind: 'embedded', socketDir } as const;
  const db = openDatabase(connection, { max: 2, prepare: true, applicationName: 'test', log: silentLogger });
  t.teardown(() => closeDatabase(db));
  return db;
}

/** A client that speaks the protocol by hand. */
class RawClient {
  readonly frames: Buffer[] = [];
  closed = false;
  private constructor(readonly socket: Socket) {
    let rest = Buffer.alloc(0);
    socket.on('data', (bytes) => {
      rest = Buffer.concat([rest, bytes]);
      while (rest.length >= 5 && rest.length >= rest.readInt32BE(1) + 1) {
        const end = rest.readInt32BE(1) + 1;
        this.frames.push(rest.subarray(0, end));
        rest = rest.subarray(end);
      }
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.closed = true;
    });
  }

  static async connect(t: ExecutionContext, to: TestDatabase | string): Promise<RawClient> {
    const directory = typeof to === 'string' ? to : to.connection.kind === 'embedded' ? to.connection.socketDir : '';
    const client = new RawClient(connect(join(directory, SOCKET_NAME)));
    t.teardown(() => client.socket.destroy());
    client.socket.write(startupMessage({ user: 'anybody', database: 'anything' }));
    await client.until('Z');
    client.frames.length = 0;
    return client;
  }

  types(): string {
    return this.frames.map(frameType).join('');
  }

  until(type: string): Promise<boolean> {
    return until(`a frame ${type}`, () => this.types().includes(type));
  }

  async query(text: string): Promise<string> {
    this.frames.length = 0;
    this.socket.write(frame('Q', text));
    await this.until('Z');
    return this.types();
  }
}

async function withNumbers(database: TestDatabase): Promise<Database> {
  const db = database.open(4);
  await db.$client`create table if not exists scratch (n int)`;
  await db.$client`truncate scratch`;
  return db;
}

const count = async (db: Database): Promise<number> => (await db.$client`select 1 from scratch`).length;

test.serial('openEmbedded: makes a database once, keeps it private, and gives the directory back', async (t) => {
  const dataDir = join(temporaryDirectory(t), 'deep', 'data');
  // In the way of the template that it would keep.
  mkdirSync(join(dataDir, TEMPLATE_FILE), { recursive: true });
  const lines: { event: string; path?: string }[] = [];
  const first = await openEmbedded(dataDir, {
    templates: [],
    log: createLogger('info', { write: (line) => void lines.push(JSON.parse(line)) }),
    onFailure: (error) => t.fail(error.message),
  });
  t.true(first.created);
  t.is(statSync(join(dataDir, SOCKET_NAME)).mode & 0o777, 0o600);
  const error = await t.throwsAsync(() => openEmbedded(dataDir, { onFailure: () => t.fail() }), {
    instanceOf: DataDirectoryInUseError,
  });
  t.true(error.message.includes(dataDir));
  await first.close();
  await first.close();
  t.false(existsSync(join(dataDir, SOCKET_NAME)));
  t.deepEqual(
    lines.map(({ event, path }) => [event, path]),
    [
      ['embedded_database_made', undefined],
      ['database_migrated', undefined],
      ['embedded_template_not_kept', join(dataDir, TEMPLATE_FILE)],
    ],
  );
  t.deepEqual(readdirSync(dataDir).sort(), [TEMPLATE_FILE, 'pgdata']);

  const second = await openEmbedded(dataDir, { onFailure: (error) => t.fail(error.message) });
  t.false(second.created);
  await second.close();
});

test.serial('EMBEDDED-WORKER-2: a database whose making was interrupted is made anew', async (t) => {
  const dataDir = temporaryDirectory(t);
  await copyTemplateFile(dataDir);
  mkdirSync(join(dataDir, 'pgdata.new'));
  writeFileSync(join(dataDir, 'pgdata.new', 'PG_VERSION'), '18\n');
  writeFileSync(join(dataDir, `${TEMPLATE_FILE}.new`), 'half');
  const embedded = await openEmbedded(dataDir, { onFailure: (error) => t.fail(error.message) });
  t.true(embedded.created);
  await embedded.close();
  t.deepEqual(readdirSync(dataDir).sort(), [TEMPLATE_FILE, 'pgdata']);
});

test.serial('openEmbedded: a database whose files are damaged is told in a sentence, and left as it is', async (t) => {
  const dataDir = await copyEmbedded(temporaryDirectory(t));
  const control = join(dataDir, 'pgdata', 'global', 'pg_control');
  writeFileSync(control, 'nonsense');
  const error = await t.throwsAsync(() => openEmbedded(dataDir, { onFailure: () => t.fail() }), {
    instanceOf: DatabaseDamagedError,
  });
  t.regex(error.message, /pgdata cannot be opened \(.+\): restore a copy of it, or move it away/);
  t.is(readFileSync(control, 'utf8'), 'nonsense');
  t.false(existsSync(join(dataDir, SOCKET_NAME)), 'the directory is given back');
});

test.serial('openEmbedded: a database that is not to be made is not, and the directory is given back', async (t) => {
  const dataDir = temporaryDirectory(t);
  await copyTemplateFile(dataDir);
  const error = await t.throwsAsync(() => openEmbedded(dataDir, { make: false, onFailure: () => t.fail() }), {
    instanceOf: DatabaseMissingError,
  });
  t.is(error.message, `there is no database in ${dataDir}; 'extreg migrate' makes one`);
  t.deepEqual(readdirSync(dataDir), [TEMPLATE_FILE]);
});

test('openEmbedded: tells a path that is too long for a socket, and uses a relative one where that fits', async (t) => {
  const long = join('/', ...Array.from({ length: 20 }, () => 'directory'), 'data');
  const error = await t.throwsAsync(() => openEmbedded(long, { onFailure: () => t.fail() }), {
    instanceOf: DataDirectoryPathError,
  });
  t.regex(error.message, /at most \d+ bytes, it is \d+/);
  t.is(socketDirectory('/short'), '/short');
  t.is(socketDirectory(join(process.cwd(), 'x'.repeat(80))).length < 107, true);
});

test.serial('openEmbedded: SIGKILL loses no acknowledged commit, however often', async (t) => {
  const dataDir = await copyEmbedded(temporaryDirectory(t));
  const acknowledged: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const { child, lines } = start(t, 'write', dataDir);
    const told = () => lines.filter((line) => line.startsWith('acknowledged')).length;
    await until('some commits', () => told() >= 40 + round * 17, 60_000);
    await kill(child);
    acknowledged.push(
      ...lines.filter((line) => line.startsWith('acknowledged')).map((line) => Number(line.split(' ')[1])),
    );
  }
  const embedded = await openEmbedded(dataDir, { onFailure: (error) => t.fail(error.message) });
  const db = open(t, embedded.socketDir);
  const rows = await db.$client<{ n: number; twice: number }[]>`select n, twice from numbers`;
  const kept = new Set(rows.map((row) => row.n));
  t.deepEqual(
    acknowledged.filter((n) => !kept.has(n)),
    [],
  );
  t.true(rows.every((row) => row.twice === row.n * 2));
  t.true(acknowledged.length >= ROUNDS * 40);
  t.log(`${acknowledged.length} commits acknowledged, ${rows.length} kept`);
  await closeDatabase(db);
  await embedded.close();
});

test.serial('SOCKET-LOCK-2: a stale socket is taken over by exactly one of six starters', async (t) => {
  const dataDir = temporaryDirectory(t);
  for (let round = 0; round < ROUNDS; round += 1) {
    const starters = Array.from({ length: 6 }, () => start(t, 'lock', dataDir));
    await until('a word of each', () => starters.every(({ lines }) => lines.length > 0), 60_000);
    const words = starters.flatMap(({ lines }) => lines).sort();
    t.deepEqual(words, [...Array(5).fill('DataDirectoryInUseError'), 'won']);
    await Promise.all(starters.map(({ child }) => kill(child)));
    t.true(existsSync(join(dataDir, SOCKET_NAME)));
  }
});

test.serial('SOCKET-LOCK-2: of three processes at a time one opens the database', async (t) => {
  const dataDir = await copyEmbedded(temporaryDirectory(t));
  const starters = Array.from({ length: 3 }, () => start(t, 'open', dataDir));
  await until('a word of each', () => starters.every(({ lines }) => lines.length > 0), 90_000);
  t.deepEqual(starters.flatMap(({ lines }) => lines).sort(), [
    'DataDirectoryInUseError',
    'DataDirectoryInUseError',
    'won',
  ]);
});

for (const [when, seconds] of [
  ['long ago', 0],
  ['after what the clock says now', 4_000_000_000],
] as const)
  test(`SOCKET-LOCK-2: a guard whose owner died is cleared away: made ${when}`, async (t) => {
    t.timeout(10_000);
    const dataDir = temporaryDirectory(t);
    const guard = join(dataDir, '.takeover');
    mkdirSync(guard);
    utimesSync(guard, seconds, seconds);
    const server = createServer();
    await listenExclusively(server, dataDir);
    t.false(existsSync(guard));
    await new Promise((done) => server.close(done));
  });

onEmbedded('WIRE-SERVER-1: an open transaction makes every other connection wait for its end', async (t, database) => {
  const db = await withNumbers(database);
  const other = database.open(1);
  const seen: string[] = [];
  let waiting: Promise<unknown> = Promise.resolve();
  await db.$client.begin(async (tx) => {
    await tx`insert into scratch values (1)`;
    waiting = count(other).then((rows) => seen.push(`other sees ${rows}`));
    for (let n = 2; n <= 5; n += 1) {
      await tx`insert into scratch values (${n})`;
      seen.push('inserted');
    }
  });
  await waiting;
  t.deepEqual(seen, ['inserted', 'inserted', 'inserted', 'inserted', 'other sees 5']);
});

onEmbedded('WIRE-SERVER-1: contending transactions from many connections lose no update', async (t, database) => {
  await withNumbers(database);
  await database.open(1).$client`insert into scratch values (0)`;
  const clients = Array.from({ length: 6 }, () => database.open(1));
  await Promise.all(
    clients.flatMap(({ $client }) =>
      Array.from({ length: 5 }, () =>
        $client.begin(async (tx) => {
          const [row] = await tx`select n from scratch`;
          await tx`update scratch set n = ${row?.n + 1}`;
        }),
      ),
    ),
  );
  const [row] = await database.open(1).$client`select n from scratch`;
  t.is(row?.n, 30);
});

onEmbedded('WIRE-SERVER-1: an unfinished extended query keeps the session until Sync', async (t, database) => {
  const db = await withNumbers(database);
  const raw = await RawClient.connect(t, database);
  const parse = frame('P', '', 'select 42', Buffer.from([0, 0]));
  raw.socket.write(Buffer.concat([parse, frame('H')]));
  await raw.until('1');
  const seen: string[] = [];
  const other = count(db).then(() => seen.push('other'));
  const bind = frame('B', '', '', Buffer.from([0, 0, 0, 0, 0, 0]));
  raw.socket.write(Buffer.concat([bind, frame('E', '', int32(0)), frame('S')]));
  await raw.until('Z');
  await other;
  const answer = raw.frames.find((part) => frameType(part) === 'D');
  t.true(answer?.toString('latin1').endsWith('42'));
});

onEmbedded(
  'WIRE-SERVER-2: a connection that dies inside a transaction rolls it back and frees the others',
  async (t, database) => {
    const db = await withNumbers(database);
    const raw = await RawClient.connect(t, database);
    await raw.query('begin');
    await raw.query('insert into scratch values (1)');
    const waiting = count(db);
    raw.socket.destroy();
    t.is(await waiting, 0);
    // Also from within a failed extended query, where everything up to Sync is skipped.
    const failed = await RawClient.connect(t, database);
    await failed.query('begin');
    failed.socket.write(Buffer.concat([frame('P', '', 'selct', Buffer.from([0, 0])), frame('H')]));
    await failed.until('E');
    failed.socket.destroy();
    t.is(await count(db), 0);
  },
);

onEmbedded('WIRE-SERVER-2: prepared statements go with their connection', async (t, database) => {
  const db = await withNumbers(database);
  const raw = await RawClient.connect(t, database);
  raw.socket.write(Buffer.concat([frame('P', 'mine', 'select 1', Buffer.from([0, 0])), frame('S')]));
  await raw.until('Z');
  const names = async () => (await db.$client`select name from pg_prepared_statements where name = 'mine'`).length;
  t.is(await names(), 1);
  raw.socket.destroy();
  await until('that it is gone', async () => (await names()) === 0);
});

onEmbedded(
  'WIRE-SERVER-3: a notification goes to all who listen to its channel, and to nobody else',
  async (t, database) => {
    const [one, two, deaf] = await Promise.all([0, 1, 2].map(() => RawClient.connect(t, database)));
    if (!one || !two || !deaf) return t.fail();
    await one.query('listen news');
    await two.query('LISTEN "news"');
    await deaf.query('listen other');
    await database.open(1).$client`select pg_notify('news', 'first')`;
    await Promise.all([one.until('A'), two.until('A')]);
    // An UNLISTEN of one is not the others'.
    await one.query('unlisten news');
    two.frames.length = 0;
    await database.open(1).$client`select pg_notify('news', 'second')`;
    await two.until('A');
    t.true(two.frames.at(-1)?.toString('latin1').includes('second'));
    t.false(one.types().includes('A'));
    t.false(deaf.types().includes('A'));
  },
);

onEmbedded(
  'WIRE-SERVER-3: who notifies itself hears it, and a rolled back notification is not heard',
  async (t, database) => {
    const raw = await RawClient.connect(t, database);
    await raw.query('listen news');
    await raw.query('begin');
    await raw.query("notify news, 'no'");
    await raw.query('rollback');
    t.false(raw.types().includes('A'));
    await raw.query("notify news, 'yes'");
    await raw.until('A');
    t.pass();
  },
);

test.serial('WIRE-SERVER-4: a connection that sits in a transaction while others wait is ended', async (t) => {
  const dataDir = await copyEmbedded(temporaryDirectory(t));
  const embedded = await openEmbedded(dataDir, { onFailure: (error) => t.fail(error.message), idleHolderMs: 100 });
  const db = open(t, dataDir);
  await db.$client`create table scratch (n int)`;
  const holder = await RawClient.connect(t, embedded.socketDir);
  await holder.query('begin');
  await holder.query('insert into scratch values (1)');
  t.is(await count(db), 0);
  await until('its end', () => holder.closed);
  t.is(frameType(holder.frames.at(-1) ?? Buffer.alloc(1)), 'E');
  await closeDatabase(db);
  await embedded.close();
});

onEmbedded(
  'WIRE-SERVER-5: COPY from the client, stray data and Terminate do not end the session',
  async (t, database) => {
    const db = await withNumbers(database);
    const raw = await RawClient.connect(t, database);
    t.is(await raw.query('copy scratch from stdin'), 'GEZ');
    raw.socket.write(Buffer.concat([frame('d', Buffer.from('1\n')), frame('c')]));
    t.is(await raw.query('select 1 as one'), 'TDCZ');
    t.true((await raw.query('copy (select 1) to stdout')).startsWith('H'));
    raw.socket.write(frame('X'));
    await until('the end', () => raw.closed);
    t.is(await count(db), 0);
  },
);

onEmbedded(
  'greet: refuses encryption politely, ignores a cancel, and ends what is not the protocol',
  async (t, database) => {
    const { connection } = database;
    if (connection.kind !== 'embedded') return t.fail();
    const send = (bytes: Buffer) => {
      const socket = connect(join(connection.socketDir, SOCKET_NAME));
      const answer: Buffer[] = [];
      const ended = new Promise<Buffer>((done) => socket.once('close', () => done(Buffer.concat(answer))));
      socket.on('data', (chunk) => answer.push(chunk));
      socket.on('error', () => undefined);
      socket.write(bytes);
      t.teardown(() => socket.destroy());
      return { socket, answer, ended };
    };
    const ssl = send(int32(8, SSL_REQUEST));
    await until('an answer', () => ssl.answer.length > 0);
    t.is(Buffer.concat(ssl.answer).toString(), 'N');
    ssl.socket.write(startupMessage({ user: 'postgres' }));
    await until('a greeting', () => Buffer.concat(ssl.answer).length > 100);
    t.is((await send(int32(16, 80877102, 1, 2)).ended).length, 0);
    for (const garbage of [int32(8, 1 << 16), Buffer.from('GET / HTTP/1.1\r\n\r\n')]) {
      const [error] = framesOf(await send(garbage).ended);
      t.is(frameType(error ?? Buffer.alloc(1)), 'E');
    }
  },
);

onEmbedded('WIRE-SERVER-6: the settings of a connection are its own, and go with it', async (t, database) => {
  const db = await withNumbers(database);
  const setting = async (one: Database, name: string) =>
    (await one.$client.unsafe(`select nullif(current_setting('${name}', true), '') as is`))[0]?.is;
  for (const [statement, name, value] of [
    ['set search_path = nowhere', 'search_path', 'nowhere'],
    ['-- as pg_dump does\nset row_security = off', 'row_security', 'off'],
    ["select pg_catalog.set_config('search_path', '', false)", 'search_path', null],
    ['set default_transaction_read_only = on', 'default_transaction_read_only', 'on'],
    ['set session_replication_role = replica', 'session_replication_role', 'replica'],
    ["set timezone = 'Asia/Tokyo'", 'TimeZone', 'Asia/Tokyo'],
    ['set session work_mem = 64', 'work_mem', '64kB'],
    ["do $$ begin set my.own = 'it''s'; end $$", 'my.own', "it's"],
    ['set role extreg_nobody', 'role', 'extreg_nobody'],
  ] as const) {
    const other = database.open(1);
    await db.$client`drop role if exists extreg_nobody`;
    await db.$client`create role extreg_nobody`;
    const before = await setting(db, name);
    await other.$client.unsafe(statement);
    t.is(await setting(db, name), before, statement);
    await db.$client`insert into scratch values (1)`;
    t.is(await setting(other, name), value, statement);
    await other.$client.unsafe('begin');
    t.is(await setting(other, name), value, statement);
    await closeDatabase(other);
    t.is(await setting(db, name), before, `${statement}: in a transaction that was left`);
  }
  const other = database.open(1);
  await other.$client`set search_path = nowhere`;
  await other.$client`reset search_path`;
  t.is(await setting(other, 'search_path'), await setting(db, 'search_path'));
});

onEmbedded('WireServer: a large answer and a large argument arrive whole', async (t, database) => {
  const { $client } = database.open(1);
  const text = 'ä'.repeat(3_000_000);
  const [row] = await $client`select ${text}::text as echo, repeat('x', 5000000) as large`;
  t.is(row?.echo, text);
  t.is(row?.large.length, 5_000_000);
});

test.serial(
  'EMBEDDED-1, EMBEDDED-2: a thread that hangs is ended and told once, and its directory is free again',
  async (t) => {
    const dataDir = await copyEmbedded(temporaryDirectory(t));
    const failures: Error[] = [];
    const embedded = await openEmbedded(dataDir, { onFailure: (error) => failures.push(error), hungMs: 400 });
    const db = open(t, dataDir);
    await db.$client`create table scratch (n int)`;
    const endless = db.$client.unsafe('select count(*) from generate_series(1, 1000000000000)');
    await t.throwsAsync(async () => endless);
    await until('the failure', () => failures.length > 0);
    await embedded.close();
    t.is(failures.length, 1);
    const again = await openEmbedded(dataDir, { onFailure: (error) => t.fail(error.message) });
    t.false(again.created);
    const after = open(t, dataDir);
    t.is(await count(after), 0);
    await closeDatabase(after);
    await again.close();
  },
);

test('W: a session that is lost ends its connections and is told once', async (t) => {
  const dataDir = temporaryDirectory(t);
  const lost: unknown[] = [];
  let calls = 0;
  const wire = new WireServer({
    idleHolderMs: 1000,
    onLost: (error) => lost.push(error),
    execute: async () => {
      calls += 1;
      if (calls > 1) throw new Error('no memory left');
      return Buffer.concat([frame('R', int32(0)), frame('Z', Buffer.from('I'))]);
    },
  });
  const server = createServer((socket) => wire.accept(socket));
  await listenExclusively(server, dataDir);
  await wire.start();
  const [one, two] = [await RawClient.connect(t, dataDir), await RawClient.connect(t, dataDir)];
  one.socket.write(frame('Q', 'select 1'));
  await until('the end of both', () => one.closed && two.closed);
  t.is(lost.length, 1);
  t.is(calls, 2);
  await new Promise((done) => server.close(done));
});

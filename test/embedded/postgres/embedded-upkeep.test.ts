// EMBEDDED-UPKEEP-1..EMBEDDED-UPKEEP-3 of embedded-upkeep.ts, and WIRE-SERVER-7 of wire-server.ts: an embedded database that stays open takes no more and more space.
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { closeDatabase, openDatabase } from '../../../src/db/client.js';
import { openEmbedded } from '../../../src/embedded/postgres/embedded.js';
import { EmbeddedUpkeep } from '../../../src/embedded/postgres/embedded-upkeep.js';
import { listenExclusively, SOCKET_NAME } from '../../../src/embedded/postgres/socket-lock.js';
import {
  fatalError,
  frame,
  frameType,
  int32,
  startupMessage,
  statementText,
} from '../../../src/embedded/postgres/wire-frames.js';
import { WireServer } from '../../../src/embedded/postgres/wire-server.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { copyEmbedded } from '../../helpers/embedded-template.js';
import { temporaryDirectory } from '../../helpers/postgres.js';
import { until } from '../../helpers/until.js';

const test = anyTest as TestFn;

const WAL_BYTES = 1024 * 1024;
const READY = frame('Z', Buffer.from('I'));

/** A migrated one, looked after every 10 ms. */
async function openLookedAfter(t: ExecutionContext) {
  const dataDir = await copyEmbedded(temporaryDirectory(t));
  const embedded = await openEmbedded(dataDir, {
    onFailure: (error) => t.fail(error.message),
    log: { ...silentLogger, warn: (fields: unknown) => t.fail(JSON.stringify(fields)) } as typeof silentLogger,
    upkeep: { lookMs: 10, walBytes: WAL_BYTES },
  });
  const connection = { kind: 'embedded', socketDir: embedded.socketDir } as const;
  const db = openDatabase(connection, { max: 2, prepare: true, applicationName: 'test', log: silentLogger });
  t.teardown(async () => {
    await closeDatabase(db);
    await embedded.close();
  });
  return db.$client;
}

test.serial('EMBEDDED-UPKEEP-1, EMBEDDED-UPKEEP-2: neither its log nor a trail that is pruned grows on', async (t) => {
  const sql = await openLookedAfter(t);
  const sinceCheckpoint = async (): Promise<number> => {
    const [row] = await sql`select (pg_current_wal_lsn() - redo_lsn)::float8 as bytes from pg_control_checkpoint()`;
    return row?.bytes;
  };
  const trail = async (): Promise<{ bytes: number; vacuumed: number }> => {
    const [row] = await sql`
      select pg_total_relation_size(relid)::float8 as bytes, vacuum_count::int as vacuumed
      from pg_stat_user_tables where relname = 'extension_audit_log'`;
    return row as { bytes: number; vacuumed: number };
  };
  const sizes: number[] = [];
  let written = 0;
  for (let round = 0; round < 3; round += 1) {
    const before = await sql`select pg_current_wal_lsn() - '0/0' as at`;
    // Too large for the row, and not to be compressed: such a value is in the toast table.
    await sql`
      insert into extension_audit_log (extension_id, action, new_values, changed_at)
      select 'a', 'opened', to_jsonb((select string_agg(md5(random()::text), '') from generate_series(1, 100 + i % 2))), 'epoch'
      from generate_series(1, 600) i`;
    await sql`delete from extension_audit_log`;
    sizes.push((await trail()).bytes);
    const after = await sql`select pg_current_wal_lsn() - '0/0' as at`;
    written += Number(after[0]?.at) - Number(before[0]?.at);
    await until('a checkpoint', async () => (await sinceCheckpoint()) < WAL_BYTES);
    await until('a vacuum', async () => (await trail()).vacuumed > round);
  }
  t.true(written > 3 * WAL_BYTES, `${written} bytes of log`);
  const [first = 0] = sizes;
  t.true(first > 1_000_000);
  t.true(Math.max(...sizes) < first * 1.3, `sizes ${sizes}`);
});

/** An engine that answers each query with a row of what `answers` has for it. */
function upkeepOf(answer: (statement: string) => Buffer) {
  const ran: string[] = [];
  const failures: string[] = [];
  const upkeep = new EmbeddedUpkeep({
    times: { lookMs: 1, walBytes: 5 },
    execute: async (message) => {
      const statement = statementText(message) ?? '';
      ran.push(statement);
      return answer(statement);
    },
    onFailure: (statement, error) => failures.push(`${statement}: ${error}`),
  });
  return { upkeep, ran, failures };
}

const row = (text: string): Buffer =>
  frame('D', Buffer.from([0, 1]), int32(Buffer.byteLength(text)), Buffer.from(text));

test('EMBEDDED-UPKEEP-3: what fails is reported once until it succeeds, and holds up no other statement', async (t) => {
  let isFull = true;
  const { upkeep, ran, failures } = upkeepOf((statement) => {
    if (statement.includes('pg_control_checkpoint')) return Buffer.concat([row('checkpoint'), READY]);
    if (statement.includes('pg_stat_all_tables')) return Buffer.concat([row('vacuum one'), row('vacuum "Two"'), READY]);
    if (isFull && (statement === 'checkpoint' || statement === 'vacuum one'))
      return Buffer.concat([fatalError('53100', 'no space left on device'), READY]);
    return READY;
  });
  const count = (statement: string) => ran.filter((other) => other === statement).length;
  upkeep.start();
  await until('three vacuums', () => count('vacuum "Two"') >= 3);
  t.deepEqual(failures, ['checkpoint: no space left on device']);
  isFull = false;
  const looks = count('checkpoint');
  await until('a round that succeeds', () => count('checkpoint') > looks + 8);
  isFull = true;
  await until('a second report', () => failures.length > 1);
  await upkeep.stop();
  t.is(failures.length, 2);
});

test('EMBEDDED-UPKEEP-3: a session that is lost ends in a report, not in an exception', async (t) => {
  const { upkeep, failures } = upkeepOf(() => {
    throw new Error('the session has ended');
  });
  upkeep.start();
  await until('a report', () => failures.length > 0);
  await upkeep.stop();
  t.regex(failures.join(), /pg_control_checkpoint[\s\S]*: the session has ended$/);
});

/** A wire server before a session of which only transactions are real, and a client of it. */
async function simulatedSession(t: ExecutionContext) {
  const ran: string[] = [];
  let isOpen = false;
  let isLost = false;
  const wire = new WireServer({
    idleHolderMs: 60_000,
    onLost: () => undefined,
    execute: async (messages) => {
      if (messages[0] === 0) return Buffer.concat([frame('R', int32(0)), READY]);
      if (isLost) throw new Error('no memory left');
      const statement = statementText(messages) ?? frameType(messages);
      ran.push(statement);
      if (statement === 'begin') isOpen = true;
      // 'S': how the server begins to roll back what a connection left open.
      if (['commit', 'S'].includes(statement)) isOpen = false;
      return frame('Z', Buffer.from(isOpen ? 'T' : 'I'));
    },
  });
  const dataDir = temporaryDirectory(t);
  const server = createServer((socket) => wire.accept(socket));
  await listenExclusively(server, dataDir);
  await wire.start();
  const client: Socket = connect(join(dataDir, SOCKET_NAME));
  client.on('error', () => undefined).resume();
  client.write(startupMessage({ user: 'postgres', database: 'postgres' }));
  t.teardown(() => {
    client.destroy();
    return new Promise<void>((done) => server.close(() => done()));
  });
  const say = async (statement: string) => {
    client.write(frame('Q', statement));
    await until(statement, () => ran.includes(statement));
  };
  return { wire, ran, say, lose: () => (isLost = true) };
}

const CHECKPOINT = frame('Q', 'checkpoint');

test('WIRE-SERVER-7: the owner of the session waits for the end of a transaction', async (t) => {
  const { wire, ran, say } = await simulatedSession(t);
  await say('begin');
  const own = wire.executeOwn(CHECKPOINT);
  await say('select 1');
  await say('commit');
  t.deepEqual(await own, READY);
  t.deepEqual(ran, ['begin', 'select 1', 'commit', 'checkpoint']);
  for (let i = 0; i < 3; i += 1) await wire.executeOwn(CHECKPOINT);
  t.is(ran.length, 7, 'also one after another, without a connection that says something');
  await wire.stop();
});

test('WIRE-SERVER-7: what waits for a transaction that a stop ends is executed then', async (t) => {
  const { wire, ran, say } = await simulatedSession(t);
  await say('begin');
  const own = wire.executeOwn(CHECKPOINT);
  await wire.stop();
  t.deepEqual(await own, READY);
  t.deepEqual(ran, ['begin', 'S', 'checkpoint']);
  await t.throwsAsync(wire.executeOwn(CHECKPOINT), { message: 'the session has ended' });
});

test('WIRE-SERVER-7: what waits for a session that is lost is rejected', async (t) => {
  const { wire, say, lose } = await simulatedSession(t);
  await say('begin');
  const waiting = wire.executeOwn(CHECKPOINT);
  lose();
  const refused = t.throwsAsync(waiting, { message: 'no memory left' });
  await wire.stop();
  await refused;
});

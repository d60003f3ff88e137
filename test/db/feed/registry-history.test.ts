// The identity of the registry's history and of its rows: M10..M15 of drizzle/0002_history.sql, REGISTRY-FEED-6 and REGISTRY-FEED-7 of registry-feed.ts.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import type { Database } from '../../../src/db/client.js';
import { openDatabase } from '../../../src/db/client.js';
import { registryFeed } from '../../../src/db/feed/registry-feed.js';
import { readPosition, readSnapshot } from '../../../src/db/queries/registry-queries.js';
import type { RegistryPosition, RegistryUpdate } from '../../../src/domain/registry/registry-rows.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { onBothEngines, onPostgres, type TestDatabase, temporaryDirectory } from '../../helpers/postgres.js';
import { until } from '../../helpers/until.js';

const test = anyTest as TestFn;
const onBoth = onBothEngines(test);
const onPostgresOnly = onPostgres(test);

const add = ({ $client }: Database, id: string, subject = 'x') =>
  $client`insert into extensions (id, type, subject) values (${id}, 'pre', ${subject})`;

const revisionOf = async ({ $client }: Database): Promise<number> => {
  const [row] = await $client`select revision::float8 as revision from registry_revision`;
  return row?.revision;
};

interface Followed {
  readonly updates: RegistryUpdate[];
  readonly changes: string[];
  readonly subjects: Map<string, string>;
  readonly states: string[];
}

/** The registry as a subscriber knows it, and every report that its history is another one. */
function follow(
  t: ExecutionContext,
  { connection }: TestDatabase,
  startedFrom: RegistryPosition | null = null,
): Followed {
  const followed: Followed = { updates: [], changes: [], subjects: new Map(), states: [] };
  const subscription = registryFeed({
    connect: () => openDatabase(connection, { max: 1, prepare: true, applicationName: 'feed', log: silentLogger }),
    onState: (state) => followed.states.push(state),
    startedFrom: () => startedFrom,
    pollMs: 20,
  }).subscribe((update) => {
    followed.updates.push(update);
    if (update.kind === 'snapshot') {
      followed.subjects.clear();
      if (update.historyChange) followed.changes.push(update.historyChange);
    } else for (const id of update.removedIds) followed.subjects.delete(id);
    for (const { extension } of update.entries) followed.subjects.set(extension.id, extension.subject);
  });
  t.teardown(() => subscription.unsubscribe());
  return followed;
}

const TABLES = ['extension_audit_log', 'registry_revision', 'extensions'];

/** What a restore does, without its tools: the tables as they were, loaded while no trigger runs. */
const BACKUP = TABLES.map((table) => `create table backup_${table} as table ${table};`).join('\n');
const RESTORE = `savepoint restore; set local session_replication_role = replica;
  ${TABLES.map((table) => `delete from ${table}; insert into ${table} select * from backup_${table};`).join('\n')}
  set local session_replication_role = origin; release savepoint restore;`;
const CLEAN = TABLES.map((table) => `drop table if exists backup_${table};`).join('\n');

const change = (subject: string) =>
  `update extensions set subject = '${subject}' where id = 'a'; set constraints all immediate;`;

/** Statements of one transaction, over a registry in which `a` was 'old' in the backup and 'new' in force. */
const HISTORIES: [what: string, statements: string, subject: string, reported: RegExp][] = [
  ['restored from a backup', RESTORE, 'old', /is at revision 2, although revision 3 was in force/],
  [
    'restored, and then changed as often as before',
    `${RESTORE} ${change('other')}`,
    'other',
    /revision 3 is another one than was in force/,
  ],
  [
    'restored, and then changed more often than before',
    // After a savepoint's change the next one takes a further number.
    `${RESTORE} savepoint s; ${change('other')} release savepoint s; ${change('last')}`,
    'last',
    /the changes up to revision 4 do not follow revision 3, which was in force/,
  ],
  [
    'counted down by hand while no trigger runs',
    `set local session_replication_role = replica; update registry_revision set revision = 1;
     update extensions set subject = 'by hand' where id = 'a'; set local session_replication_role = origin;`,
    'by hand',
    /is at revision 1, although revision 3 was in force/,
  ],
  [
    'changed while its triggers are disabled, as pg_restore --disable-triggers does',
    `alter table extensions disable trigger all; update extensions set subject = 'by hand' where id = 'a';
     alter table extensions enable trigger all;`,
    'by hand',
    /triggers of the registry's tables were disabled since revision 3/,
  ],
  [
    'changed while triggers are disabled, and then as usual',
    `alter table extensions disable trigger extreg_record; update extensions set subject = 'by hand' where id = 'a';
     alter table extensions enable trigger extreg_record; update extensions set subject = 'usual' where id = 'b'`,
    'by hand',
    /triggers of the registry's tables were disabled since revision 3/,
  ],
  [
    'changed while no trigger runs, under the same number',
    `set local session_replication_role = replica; update registry_revision set revision = revision;
     update extensions set subject = 'by hand' where id = 'a'; set local session_replication_role = origin;`,
    'by hand',
    /revision 3 was written again/,
  ],
  ['counted down by hand', 'update registry_revision set revision = 1', 'new', /revision 3 is another one/],
  [
    'counted up by hand',
    'update registry_revision set revision = 70',
    'new',
    /up to revision 70 do not follow revision 3/,
  ],
  ['without its number', 'delete from registry_revision', 'new', /another registry: revision 4 of history/],
  [
    'exchanged for another one',
    `update registry_revision set history = gen_random_uuid(), token = gen_random_uuid(), revision = 9`,
    'new',
    /another registry: revision 9 of history/,
  ],
];

for (const [what, statements, subject, reported] of HISTORIES)
  onBoth(`REGISTRY-FEED-6: a registry that is ${what} is read again, and reported`, async (t, database) => {
    const db = database.open(1);
    t.teardown(() => db.$client.unsafe(CLEAN));
    await add(db, 'a', 'old');
    await add(db, 'b');
    await db.$client.unsafe(CLEAN + BACKUP);
    await db.$client`update extensions set subject = 'new' where id = 'a'`;
    const feed = follow(t, database);
    await until('the snapshot', () => feed.subjects.get('a') === 'new');
    await db.$client.begin((tx) => tx.unsafe(statements));
    await until('the report', () => feed.changes.length > 0);
    t.regex(feed.changes[0] ?? '', reported);
    t.is(feed.subjects.get('a'), subject);
    // What follows is a change like any other.
    await db.$client`update extensions set subject = 'next' where id = 'b'`;
    await until('the next change', () => feed.subjects.get('b') === 'next');
    const last = feed.updates.at(-1);
    t.is(last?.kind, 'changes');
    t.is(feed.changes.length, 1);
  });

onBoth(
  'REGISTRY-FEED-6: a position from the snapshot file is compared with the registry that is found',
  async (t, database) => {
    const db = database.open(1);
    await add(db, 'a');
    const position = { ...(await readPosition(db)), source: null };
    await add(db, 'b');
    const same = follow(t, database, position);
    const other = follow(t, database, { ...position, token: '00000000-0000-4000-8000-000000000000' });
    await until('both', () => same.updates.length === 1 && other.updates.length === 1);
    t.deepEqual(same.changes, []);
    t.regex(other.changes[0] ?? '', /do not follow revision 1/);
  },
);

onPostgresOnly('REGISTRY-FEED-6: pg_restore into the running database, as it is done by hand', async (t, database) => {
  const { connection } = database;
  if (connection.kind !== 'url') return t.fail();
  const file = join(temporaryDirectory(t), 'registry.dump');
  const db = database.open(1);
  for (let i = 0; i < 12; i++) await add(db, `e${i}`, 'old');
  execFileSync('pg_dump', ['-Fc', '-f', file, '-d', connection.url]);
  await db.$client`update extensions set subject = 'new'`;
  const feed = follow(t, database);
  await until('the snapshot', () => feed.subjects.get('e0') === 'new');
  execFileSync('pg_restore', ['--clean', '--if-exists', '-d', connection.url, file], { stdio: 'ignore' });
  await until('the backup', () => feed.subjects.get('e0') === 'old');
  t.is(feed.subjects.size, 12);
  t.regex(feed.changes[0] ?? '', /is at revision 12, although revision 13 was in force/);
  // A registry that is half there was never taken for the registry.
  t.deepEqual([...new Set(feed.updates.map(({ entries }) => entries.length))], [12]);
  await database.open(1).$client`update extensions set subject = 'next' where id = 'e1'`;
  await until('the next change', () => feed.subjects.get('e1') === 'next');
  t.is(feed.changes.length, 1);
});

onBoth(
  'REGISTRY-FEED-6: tables without their triggers are no registry: the last one stays in force',
  async (t, database) => {
    const db = database.open(1);
    await add(db, 'a');
    const feed = follow(t, database);
    await until('the snapshot', () => feed.updates.length === 1);
    const DROP = 'drop trigger extreg_record on extensions';
    const MAKE = `create constraint trigger extreg_record after insert or update or delete on extensions
    deferrable initially deferred for each row execute function extreg_record()`;
    await db.$client.unsafe(`${DROP}; delete from extensions; delete from registry_revision`);
    try {
      await until('that it is away', () => feed.states.at(-1) === 'down');
    } finally {
      await db.$client.unsafe(`insert into extensions (id, type, subject) values ('b', 'pre', 'x'); ${MAKE}`);
    }
    await until('the registry', () => feed.states.at(-1) === 'up');
    t.deepEqual([...feed.subjects.keys()], ['b']);
    t.is(feed.updates.filter(({ entries }) => entries.length === 0).length, 0);
  },
);

for (const [what, statement, first] of [
  ['is missing', 'delete from registry_revision', 3],
  ['was counted down', 'update registry_revision set revision = 0', 3],
  ['is below zero', 'update registry_revision set revision = -7', 3],
  ['is at the end of its range', 'update registry_revision set revision = 9223372036854775807', 3],
  ['is at the end of what readers count', 'update registry_revision set revision = 9007199254740991', 3],
] as const)
  onBoth(`M12: where the number ${what}, the next change is written, behind the trail`, async (t, database) => {
    const db = database.open(1);
    await add(db, 'a');
    await add(db, 'b');
    // A row of the trail that nobody can count on.
    await db.$client`insert into extension_audit_log (extension_id, action, revision) values ('a', 'odd', 9223372036854775807)`;
    await db.$client.unsafe(statement);
    await add(db, 'c');
    t.is(await revisionOf(db), first);
    await add(db, 'd');
    t.is(await revisionOf(db), first + 1);
  });

onBoth('M12: what somebody replaces in two statements is left to him', async (t, database) => {
  const db = database.open(1);
  await add(db, 'a');
  const feed = follow(t, database);
  await until('the snapshot', () => feed.updates.length === 1);
  await db.$client`delete from registry_revision`;
  await until('that it is missing', () => feed.states.at(-1) === 'down');
  await db.$client`insert into registry_revision (revision) values (5)`;
  await until('the report', () => feed.changes.length === 1);
  t.is(await revisionOf(db), 5);
});

onBoth('M10: the revisions are a chain, and the rows of a transaction share a link of it', async (t, database) => {
  const db = database.open(1);
  const { token: first } = await readPosition(db);
  await db.$client.begin(async (tx) => {
    for (const id of ['a', 'b']) await tx`insert into extensions (id, type, subject) values (${id}, 'pre', 'x')`;
  });
  await add(db, 'c');
  const rows = await db.$client<{ revision: number; token: string; follows: string }[]>`
    select distinct revision::float8 as revision, token, follows from extension_audit_log order by revision`;
  t.deepEqual(
    rows.map((row) => row.revision),
    [1, 2],
  );
  t.is(rows[0]?.follows, first);
  t.is(rows[1]?.follows, rows[0]?.token ?? '');
  t.is((await readPosition(db)).token, rows[1]?.token ?? '');
});

onBoth(
  'M13: a row keeps its uid, and one that is inserted again has another, whatever a statement says',
  async (t, database) => {
    const db = database.open(1);
    const { $client } = db;
    const uids = async () => {
      const [row] = await $client`
      select e.uid as extension, e.policy_uid as policy, v.uid as version, i.uid as instance from extensions as e
      join extension_versions as v on v.id = e.id join extension_instances as i on i.extension_id = e.id`;
      return { ...row } as Record<'extension' | 'policy' | 'version' | 'instance', string | null>;
    };
    const make = () =>
      $client.unsafe(`insert into extensions (id, type, subject, uid, policy, policy_uid)
        values ('a', 'pre', 'x', '00000000-0000-4000-8000-000000000000', '{}', '00000000-0000-4000-8000-000000000000');
      insert into extension_versions (id, version, subject, uid) values ('a', 'v1', 'x', '00000000-0000-4000-8000-000000000000');
      insert into extension_instances (extension_id, instance_id, subject, uid)
        values ('a', 'i', 'x', '00000000-0000-4000-8000-000000000000');`);
    await make();
    const first = await uids();
    t.is(new Set([...Object.values(first), '00000000-0000-4000-8000-000000000000']).size, 5);
    await $client.unsafe(`update extensions set subject = 'y', uid = gen_random_uuid(), policy = '{"panic": "fail"}', policy_uid = null;
    update extension_versions set subject = 'y', uid = gen_random_uuid(); update extension_instances set uid = gen_random_uuid()`);
    t.deepEqual(await uids(), first);
    await $client`update extensions set policy = null`;
    t.is((await uids()).policy, null);
    await $client`update extensions set policy = '{}'`;
    const again = await uids();
    t.true(again.policy !== null && again.policy !== first.policy);
    await $client`delete from extensions`;
    await make();
    const made = await uids();
    for (const what of ['extension', 'policy', 'version', 'instance'] as const) t.not(made[what], again[what], what);
  },
);

onBoth('M14: what was measured of a version that is deleted is not in the published row', async (t, database) => {
  const db = database.open(1);
  const { $client } = db;
  await add(db, 'a');
  const make = () =>
    $client`insert into extension_versions (id, version, subject) values ('a', 'v1', 'x'), ('a', 'v2', 'x')`;
  await make();
  await $client`
    insert into extension_health (extension_id, version, circuit_breaker_state, circuit_breaker_opened_at, circuit_breaker_trips,
      circuit_breaker_epoch, success_count, circuit_breaker_failure_threshold) values ('a', 'v2', 'open', now(), 3, 8, 9, 77)`;
  const published = async () => (await readSnapshot(db)).entries[0];
  await $client`delete from extension_versions where version = 'v1'`;
  t.like((await published())?.facts, { state: 'open', trips: 3, epoch: 8, success_count: 9 });
  await $client`delete from extension_versions where version = 'v2'`;
  await make();
  t.like((await published())?.facts, { state: 'closed', opened_ago_ms: null, trips: 0, epoch: 0, success_count: 0 });
  t.is((await published())?.thresholds?.failure_threshold, 77);
});

onBoth('M15: counters at the end of their range make no write fail', async (t, database) => {
  const db = database.open(1);
  const { $client } = db;
  await $client`insert into extensions (id, type, subject, revision, breaker_resets)
    values ('a', 'pre', 'x', 9223372036854775807, 2147483647)`;
  await $client`insert into extension_instances (extension_id, instance_id, subject, revision) values ('a', 'i', 'x', -5)`;
  await $client`update extensions set enabled = false, breaker_resets = breaker_resets + 1`;
  await $client`update extension_instances set weight = 1`;
  const [row] = await $client`
    select e.revision::float8 as revision, breaker_resets, i.revision::float8 as instance from extensions as e, extension_instances as i`;
  t.deepEqual({ ...row }, { revision: 2, breaker_resets: 1, instance: 2 });
});

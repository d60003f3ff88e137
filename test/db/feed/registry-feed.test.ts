// Reading the registry and following it: REGISTRY-QUERIES-1..REGISTRY-QUERIES-3 of registry-queries.ts, REGISTRY-FEED-1..REGISTRY-FEED-5 of registry-feed.ts.
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { Subject } from '#rxjs';
import { closeDatabase, openDatabase } from '../../../src/db/client.js';
import { registryFeed } from '../../../src/db/feed/registry-feed.js';
import { readChanges, readEntries, readPosition, readSnapshot } from '../../../src/db/queries/registry-queries.js';
import type { RegistryPosition, RegistryUpdate } from '../../../src/domain/registry/registry-rows.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { onBothEngines, onPostgres, type TestDatabase } from '../../helpers/postgres.js';
import { until } from '../../helpers/until.js';

const test = anyTest as TestFn;
const onBoth = onBothEngines(test);
const onPostgresOnly = onPostgres(test);

/** The registry as a listener knows it: what the updates add up to. */
function follow(t: ExecutionContext, database: TestDatabase, options: { pollMs?: number; snapshotMs?: number } = {}) {
  const updates: RegistryUpdate[] = [];
  const subjects = new Map<string, string>();
  const states: string[] = [];
  const snapshotRequests$ = new Subject<number>();
  const subscription = registryFeed({
    connect: () => feedClient(database),
    onState: (state) => states.push(state),
    snapshotRequests$,
    ...options,
  }).subscribe((update) => {
    updates.push(update);
    if (update.kind === 'snapshot') subjects.clear();
    else for (const id of update.removedIds) subjects.delete(id);
    for (const { extension } of update.entries) subjects.set(extension.id, extension.subject);
  });
  t.teardown(() => subscription.unsubscribe());
  return { updates, subjects, states, snapshotRequests$ };
}

/** The feed closes its clients itself. */
const feedClient = ({ connection }: TestDatabase) =>
  openDatabase(connection, { max: 1, prepare: true, applicationName: 'feed', log: silentLogger });

const add = (database: TestDatabase, id: string, subject: string) =>
  database.open(1).$client`insert into extensions (id, type, subject) values (${id}, 'pre', ${subject})`;

onBoth('readSnapshot: tells all of an extension, ages by the database clock, in order of id', async (t, database) => {
  const db = database.open();
  const { $client } = db;
  await $client.unsafe(`
    insert into extensions (id, type, subject, config, policy) values
      ('b', 'post', 'ext.b', '{"x": 1}', '{"max_in_flight": 3}'), ('a', 'pre', 'ext.a', null, null);
    insert into extension_versions (id, version, subject, routing_rules, rollout_percent, rollout_key) values
      ('b', 'v2', 'ext.b.v2', '{"tenant_id": ["t"]}', 12.5, 'tenant_id'), ('b', 'v1', 'ext.b.v1', '{}', null, null),
      ('b', '__proto__', 'ext.b.p', '{}', null, null);
    insert into extension_instances (extension_id, instance_id, subject, weight, version) values ('b', 'i', 'ext.b.v2', 50, 'v2');
    insert into extension_health (extension_id, success_count, failure_count, last_failure, circuit_breaker_state,
      circuit_breaker_opened_at, circuit_breaker_open_until, circuit_breaker_trips, circuit_breaker_epoch,
      circuit_breaker_failure_threshold, circuit_breaker_error_rate_threshold, circuit_breaker_window_seconds, half_open_max_requests)
      values ('b', 10, 3, '2025-01-27T11:55:00.25Z', 'open', now() - interval '30 seconds', now() + interval '30 seconds', 2, 7, 5, 0.5, 30, 3);
    insert into extension_version_health (extension_id, version, circuit_breaker_state, success_count) values
      ('b', '__proto__', 'half_open', 4);`);
  const { revision, entries } = await readSnapshot(db);
  t.is(revision, 1);
  t.deepEqual(
    entries.map((entry) => entry.extension.id),
    ['a', 'b'],
  );
  t.like(entries[0], { versions: [], instances: [], facts: null, thresholds: null });
  const b = entries[1];
  if (b === undefined) return t.fail();
  t.like(b.extension, { type: 'post', config: { x: 1 }, policy: { max_in_flight: 3 }, revision: 1, switched_by: null });
  t.deepEqual(
    b.versions.map((version) => version.version),
    ['__proto__', 'v1', 'v2'],
  );
  t.like(b.versions[2], { routing_rules: { tenant_id: ['t'] }, rollout_percent: 12.5, rollout_key: 'tenant_id' });
  t.like(b.instances[0], { instance_id: 'i', weight: 50, version: 'v2', health_status: 'unknown' });
  t.like(b.facts, {
    state: 'open',
    trips: 2,
    epoch: 7,
    success_count: 10,
    failure_count: 3,
    last_failure: '2025-01-27T11:55:00.250Z',
    last_success: null,
  });
  t.true(Math.abs((b.facts?.opened_ago_ms ?? 0) - 30_000) < 10_000);
  t.true(Math.abs((b.facts?.open_remaining_ms ?? 0) - 30_000) < 10_000);
  // REGISTRY-QUERIES-3: 5, 0.50 and 3 are what the predecessor's columns held by default.
  t.deepEqual(b.thresholds, {
    failure_threshold: null,
    error_rate_threshold: null,
    window_seconds: 30,
    half_open_max_requests: null,
  });
  t.deepEqual(Object.keys(b.versionFacts), ['__proto__']);
  t.like(Object.values(b.versionFacts)[0], { state: 'half_open', success_count: 4, opened_ago_ms: null });
});

onBoth('readSnapshot: reads a registry of several pages, each extension once', async (t, database) => {
  const db = database.open();
  await db.$client`
    insert into extensions (id, type, subject) select 'e' || n, 'pre', 'ext.' || n from generate_series(1, 2500) as n`;
  await db.$client`insert into extension_versions (id, version, subject) select id, 'v1', subject from extensions`;
  const { entries } = await readSnapshot(db);
  t.is(new Set(entries.map((entry) => entry.extension.id)).size, 2500);
  t.is(entries.length, 2500);
  t.true(entries.every((entry) => entry.versions.length === 1));
});

onBoth('readEntries: tells who switched it last, and leaves out what does not exist', async (t, database) => {
  const db = database.open();
  await add(database, 'a', 'ext.a');
  await db.$client.begin(async (tx) => {
    await tx`select set_config('extreg.actor', 'alice', true)`;
    await tx`update extensions set enabled = false`;
  });
  await db.$client`update extensions set subject = 'ext.b'`;
  const entries = await readEntries(db, ['a', 'nobody']);
  t.deepEqual(
    entries.map((entry) => entry.extension.switched_by),
    ['alice'],
  );
  t.deepEqual(await readEntries(db, []), []);
});

onBoth('readChanges: names what changed, also under its old id, and is incomplete after a gap', async (t, database) => {
  const db = database.open();
  const positions: RegistryPosition[] = [];
  const noted = async (change: Promise<unknown>) => {
    await change;
    const position = await readPosition(db);
    positions[position.revision] = position;
  };
  await noted(add(database, 'a', 'x'));
  await noted(add(database, 'b', 'x'));
  await noted(db.$client`insert into extension_instances (extension_id, instance_id, subject) values ('a', 'i', 'x')`);
  await db.$client`update extensions set id = 'c' where id = 'b'`;
  const ids = ({ entries, removedIds }: Awaited<ReturnType<typeof readChanges>>) => ({
    entries: entries.map((entry) => entry.extension.id),
    removedIds,
  });
  const at = positions[3] as RegistryPosition;
  t.deepEqual(ids(await readChanges(db, positions[2] as RegistryPosition)), { entries: ['a', 'c'], removedIds: ['b'] });
  t.deepEqual(ids(await readChanges(db, at)), { entries: ['c'], removedIds: ['b'] });
  await db.$client`delete from extension_audit_log where revision < 4`;
  t.is((await readChanges(db, positions[2] as RegistryPosition)).kind, 'gap');
  t.is((await readChanges(db, at)).kind, 'complete');
  t.is((await readChanges(db, await readPosition(db))).kind, 'complete');
});

onBoth('readSnapshot: what changes while it is read is in it', async (t, database) => {
  const db = database.open();
  await db.$client`
    insert into extensions (id, type, subject) select 'e' || n, 'pre', 'old' from generate_series(1, 3000) as n`;
  let done = false;
  const reading = readSnapshot(db).finally(() => {
    done = true;
  });
  const writer = database.open(1);
  for (let n = 1; !done && n <= 3000; n += 1)
    await writer.$client`update extensions set subject = 'new' where id = ${`e${n}`}`;
  const { revision, entries } = await reading;
  t.is(entries.length, 3000);
  // Every change up to the revision is in, and none after it.
  t.is(entries.filter((entry) => entry.extension.subject === 'new').length, revision - 1);
});

onBoth('readChanges: many changes at a time are read in pages, each extension once', async (t, database) => {
  const db = database.open();
  await db.$client`
    insert into extensions (id, type, subject) select 'e' || n, 'pre', 'x' from generate_series(1, 1300) as n`;
  const before = await readPosition(db);
  await db.$client`update extensions set subject = 'new' where id <> 'e7'`;
  await db.$client`delete from extensions where id in ('e8', 'e9')`;
  const { kind, revision, entries, removedIds } = await readChanges(db, before);
  t.deepEqual([kind, revision, removedIds], ['complete', before.revision + 2, ['e8', 'e9']]);
  t.deepEqual(
    entries.map(({ extension }) => extension.id).sort(),
    Array.from({ length: 1300 }, (_, i) => `e${i + 1}`)
      .filter((id) => !['e7', 'e8', 'e9'].includes(id))
      .sort(),
  );
  t.true(entries.every(({ extension }) => extension.subject === 'new'));
});

onPostgresOnly('readChanges: too many changes at a time count as a gap', async (t, database) => {
  const db = database.open();
  const before = await readPosition(db);
  await db.$client`
    insert into extensions (id, type, subject) select 'e' || n, 'pre', 'x' from generate_series(1, 10001) as n`;
  t.like(await readChanges(db, before), { revision: 1, kind: 'gap', entries: [] });
});

onBoth('readChanges: nothing follows the present position', async (t, database) => {
  const db = database.open();
  await add(database, 'a', 'x');
  const now = await readPosition(db);
  t.like(await readChanges(db, now), { kind: 'complete', entries: [], removedIds: [], revision: 1 });
  t.is((await readChanges(db, { ...now, revision: 17 })).kind, 'other_history');
});

onBoth('REGISTRY-FEED-1: a snapshot first, then only what changed, deletes included', async (t, database) => {
  await add(database, 'a', 'ext.1');
  await add(database, 'b', 'ext.1');
  const feed = follow(t, database);
  await until('the snapshot', () => feed.updates.length === 1);
  t.like(feed.updates[0], { kind: 'snapshot', revision: 2 });
  const { $client } = database.open();
  await $client`update extensions set subject = 'ext.2' where id = 'b'`;
  await until('the change', () => feed.subjects.get('b') === 'ext.2');
  await $client`insert into extension_instances (extension_id, instance_id, subject) values ('a', 'i', 'x')`;
  await until('the instance', () => feed.updates.at(-1)?.revision === 4);
  await $client`delete from extensions where id = 'b'`;
  await until('the delete', () => !feed.subjects.has('b'));
  t.deepEqual(
    feed.updates.map((update) => [update.kind, update.revision, update.entries.map((entry) => entry.extension.id)]),
    [
      ['snapshot', 2, ['a', 'b']],
      ['changes', 3, ['b']],
      ['changes', 4, ['a']],
      ['changes', 5, []],
    ],
  );
  t.deepEqual(feed.states, ['up']);
});

onBoth('REGISTRY-FEED-2: a notification is enough, without a poll', async (t, database) => {
  const feed = follow(t, database, { pollMs: 3_600_000 });
  await until('the snapshot', () => feed.updates.length === 1);
  for (const id of ['a', 'b', 'c']) {
    await add(database, id, 'x');
    await until(`the change of ${id}`, () => feed.subjects.has(id));
  }
  t.deepEqual([...feed.subjects.keys()], ['a', 'b', 'c']);
});

onPostgresOnly('REGISTRY-FEED-2: losing the listening connection loses nothing', async (t, database) => {
  const feed = follow(t, database, { pollMs: 100 });
  await until('the snapshot', () => feed.updates.length === 1);
  const { $client } = database.open();
  const listeners = () => $client<{ pid: number }[]>`
    select pid from pg_stat_activity where query ilike 'listen%' and datname = current_database()`;
  const [first] = await until('the listener', async () => {
    const rows = await listeners();
    return rows.length > 0 ? [...rows] : null;
  });
  await $client`select pg_terminate_backend(${first?.pid ?? 0})`;
  await add(database, 'a', 'ext.1');
  await until('the change', () => feed.subjects.has('a'));
  await until('a new listener', async () => (await listeners()).some((row) => row.pid !== first?.pid));
  await add(database, 'b', 'ext.1');
  await until('the change after', () => feed.subjects.has('b'));
  t.true(feed.updates.slice(1).every((update) => update.kind === 'changes'));
});

onPostgresOnly('REGISTRY-FEED-2: a transaction that commits late is not missed', async (t, database) => {
  await add(database, 'late', 'ext.old');
  const feed = follow(t, database);
  await until('the snapshot', () => feed.updates.length === 1);
  const { $client: late } = database.open(1);
  await late`begin`;
  await late`update extensions set subject = 'ext.new' where id = 'late'`;
  await add(database, 'early', 'x');
  await until('the early one', () => feed.subjects.has('early'));
  await late`commit`;
  await until('the late one', () => feed.subjects.get('late') === 'ext.new');
  t.true(feed.updates.slice(1).every((update) => update.kind === 'changes'));
});

onPostgresOnly(
  'REGISTRY-FEED-4: under many writers every change arrives, in far fewer updates',
  async (t, database) => {
    const feed = follow(t, database);
    await until('the snapshot', () => feed.updates.length === 1);
    const db = database.open(8);
    const ids = Array.from({ length: 300 }, (_, index) => `e${index}`);
    await Promise.all(
      ids.map((id) => db.$client`insert into extensions (id, type, subject) values (${id}, 'pre', 'x')`),
    );
    await until('all of them', () => ids.every((id) => feed.subjects.has(id)));
    t.true(feed.updates.length < 300);
    t.is(feed.updates.at(-1)?.revision, 300);
  },
);

onBoth('REGISTRY-FEED-1: after a gap in the trail it tells everything again', async (t, database) => {
  await add(database, 'a', 'ext.1');
  const feed = follow(t, database, { pollMs: 20 });
  await until('the snapshot', () => feed.updates.length === 1);
  const { $client } = database.open(1);
  // As after a long absence during which the trail was pruned.
  await $client.begin(async (tx) => {
    await tx`update registry_revision set revision = 40`;
    await tx`update extensions set subject = 'ext.2'`;
    await tx`delete from extension_audit_log`;
  });
  await until('a second snapshot', () => feed.updates.length === 2);
  t.like(feed.updates[1], { kind: 'snapshot' });
  t.is(feed.subjects.get('a'), 'ext.2');
});

onBoth('REGISTRY-FEED-1: an emptied table is told as a snapshot', async (t, database) => {
  await add(database, 'a', 'ext.1');
  const feed = follow(t, database);
  await until('the snapshot', () => feed.updates.length === 1);
  await database.open(1).$client`truncate extensions cascade`;
  await until('an empty registry', () => feed.subjects.size === 0);
  t.like(feed.updates.at(-1), { kind: 'snapshot', entries: [] });
});

onBoth('REGISTRY-FEED-1: a snapshot on request, and one every snapshotMs', async (t, database) => {
  const asked = follow(t, database);
  const timed = follow(t, database, { snapshotMs: 30, pollMs: 3_600_000 });
  await until('the first one', () => asked.updates.length === 1);
  asked.snapshotRequests$.next(1);
  await until('the second one', () => asked.updates.length === 2);
  t.deepEqual(
    asked.updates.map((update) => update.kind),
    ['snapshot', 'snapshot'],
  );
  await until('three of them', () => timed.updates.length >= 3);
  t.true(timed.updates.every((update) => update.kind === 'snapshot'));
});

onBoth(
  'REGISTRY-FEED-1, REGISTRY-FEED-3: while the database is away it says so once, and reads everything when it is back',
  async (t, database) => {
    await add(database, 'a', 'ext.1');
    const feed = follow(t, database, { pollMs: 20 });
    await until('the snapshot', () => feed.updates.length === 1);
    await database.stopServer();
    await until('that it is away', () => feed.states.length === 2);
    await database.startServer();
    await until('that it is back', () => feed.states.length === 3);
    t.deepEqual(feed.states, ['up', 'down', 'up']);
    await add(database, 'b', 'ext.1');
    await until('the change', () => feed.subjects.has('b'));
    t.deepEqual(
      feed.updates.map((update) => [update.kind, update.kind === 'snapshot' ? (update.historyChange ?? null) : null]),
      [
        ['snapshot', null],
        ['snapshot', null],
        ['changes', null],
      ],
    );
  },
);

onBoth('REGISTRY-FEED-3: a database that is away at the start is waited for', async (t, database) => {
  await add(database, 'a', 'ext.1');
  await database.stopServer();
  const feed = follow(t, database, { pollMs: 20 });
  await until('that it is away', () => feed.states.length === 1);
  await database.startServer();
  await until('the snapshot', () => feed.updates.length === 1);
  t.deepEqual(feed.states, ['down', 'up']);
  await add(database, 'b', 'ext.1');
  await until('a notification', () => feed.subjects.has('b'));
});

onPostgresOnly(
  'REGISTRY-FEED-3: connections killed again and again, in the middle of whatever, lose no change',
  async (t, database) => {
    const feed = follow(t, database, { pollMs: 50 });
    await until('the snapshot', () => feed.updates.length === 1);
    const killer = database.open(1);
    const writer = database.open(1);
    for (let n = 0; n < 60; n += 1) {
      // The writer is one of those killed: it says so, and tries again.
      await until('the write', () =>
        writer.$client`insert into extensions (id, type, subject) values (${`e${n}`}, 'pre', 'x') on conflict do nothing`.then(
          () => true,
          () => false,
        ),
      );
      if (n % 4 === 0)
        await killer.$client`
        select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`;
    }
    await until('all of them', () => feed.subjects.size === 60);
    await add(database, 'last', 'x');
    await until('the last one', () => feed.subjects.has('last'));
    t.is(feed.subjects.size, 61);
  },
);

onPostgresOnly('REGISTRY-FEED-5: a look that takes too long is given up with its client', async (t, database) => {
  await add(database, 'a', 'ext.1');
  const { $client: blocker } = database.open(1);
  await blocker`begin`;
  await blocker`lock table extensions in access exclusive mode`;
  const states: string[] = [];
  const clients: unknown[] = [];
  const updates: RegistryUpdate[] = [];
  const subscription = registryFeed({
    connect: () => {
      const client = feedClient(database);
      clients.push(client);
      return client;
    },
    onState: (state) => states.push(state),
    lookMs: 200,
  }).subscribe((update) => updates.push(update));
  t.teardown(() => subscription.unsubscribe());
  await until('a second client', () => clients.length >= 2);
  t.deepEqual(states, ['down']);
  await blocker`rollback`;
  await until('the snapshot', () => updates.length > 0);
  t.deepEqual(states, ['down', 'up']);
});

onBoth('registryFeed: leaves no connection behind when nobody listens any more', async (t, database) => {
  const client = database.open(1);
  const subscription = registryFeed({ connect: () => client, onState: () => undefined }).subscribe();
  subscription.unsubscribe();
  await t.throwsAsync(async () => client.$client`select 1`, { code: 'CONNECTION_ENDED' });
  await closeDatabase(client);
});

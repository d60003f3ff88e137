// What the flush writes: HEALTH-QUERIES-1..HEALTH-QUERIES-6 of health-queries.ts.
import { randomUUID } from 'node:crypto';
import anyTest, { type TestFn } from 'ava';
import type { HealthFlushRow } from '../../../src/actors/ports/storage.js';
import { closeDatabase, type Database } from '../../../src/db/client.js';
import { flushHealth } from '../../../src/db/queries/health-queries.js';
import { healthRow as row } from '../../helpers/health-rows.js';
import { onBothEngines, onPostgres } from '../../helpers/postgres.js';

const test = anyTest as TestFn;
const onBoth = onBothEngines(test);
const onPostgresOnly = onPostgres(test);

/** As the first of a daemon. */
const flushNext = (db: Database, rows: readonly HealthFlushRow[]) =>
  flushHealth(db, { writer: randomUUID(), number: 1 }, rows);

async function withExtensions(db: Database, ...ids: string[]): Promise<void> {
  for (const id of ids) await db.$client`insert into extensions (id, type, subject) values (${id}, 'pre', 'x')`;
}

async function health(db: Database, id = 'a') {
  const [found] = await db.$client`
    select *, success_count::int as successes, failure_count::int as failures, circuit_breaker_epoch::int as epoch,
      extract(epoch from now() - last_success)::float8 as success_age,
      extract(epoch from now() - circuit_breaker_opened_at)::float8 as opened_age,
      extract(epoch from circuit_breaker_open_until - now())::float8 as remaining
    from extension_health where extension_id = ${id}`;
  return found ?? {};
}

const near = (value: number, expected: number) => Math.abs(value - expected) < 20;

onBoth('HEALTH-QUERIES-2: counts are added, times only move forward, latencies are the latest', async (t, database) => {
  const db = database.open();
  await withExtensions(db, 'a');
  t.deepEqual(await flushNext(db, [row()]), { dropped: [], held: [] });
  t.like(await health(db), {
    successes: 10,
    failures: 2,
    avg_latency_ms: '11.50',
    p95_latency_ms: '20.25',
    latency_samples: '12',
    latency_sum: '138',
    last_failure: null,
  });
  const first = await health(db);
  await flushNext(db, [
    row({
      success_delta: 5,
      failure_delta: 0,
      last_success_ago_ms: 3_600_000,
      avg_latency_ms: null,
      last_latency_ms: null,
    }),
  ]);
  const second = await health(db);
  t.like(second, { successes: 15, failures: 2, avg_latency_ms: null, last_latency_ms: '12.34' });
  t.deepEqual(second.last_success, first.last_success);
});

onBoth('flushHealth: ages become times of the database clock', async (t, database) => {
  const db = database.open();
  await withExtensions(db, 'a');
  await flushNext(db, [
    row({
      last_success_ago_ms: 100_000,
      circuit_breaker_state: 'open',
      opened_ago_ms: 200_000,
      open_remaining_ms: 300_000,
    }),
  ]);
  const found = await health(db);
  t.true(near(found.success_age, 100) && near(found.opened_age, 200) && near(found.remaining, 300));
});

onBoth(
  'HEALTH-QUERIES-3: breaker columns of an older epoch are left alone, those of the same or a newer one written',
  async (t, database) => {
    const db = database.open();
    await withExtensions(db, 'a');
    const open = {
      circuit_breaker_state: 'open',
      opened_ago_ms: 0,
      open_remaining_ms: 60_000,
      trips: 2,
      auto_disabled: true,
    } as const;
    await flushNext(db, [row({ ...open, epoch: 5, half_open_requests_count: 3 })]);
    await flushNext(db, [row({ epoch: 4 })]);
    t.like(await health(db), {
      successes: 20,
      circuit_breaker_state: 'open',
      circuit_breaker_trips: 2,
      epoch: 5,
      half_open_requests_count: 3,
      auto_disabled: true,
    });
    await flushNext(db, [row({ epoch: 5, circuit_breaker_state: 'half_open' })]);
    t.like(await health(db), { circuit_breaker_state: 'half_open', epoch: 5, circuit_breaker_opened_at: null });
    await flushNext(db, [row({ epoch: 6 })]);
    t.like(await health(db), { circuit_breaker_state: 'closed', epoch: 6, auto_disabled: false });
  },
);

onBoth(
  'HEALTH-QUERIES-3: another version than that of the row is written whatever its epoch, and named',
  async (t, database) => {
    const db = database.open();
    await withExtensions(db, 'a');
    await db.$client`insert into extension_health (extension_id, circuit_breaker_epoch) values ('a', 5)`;
    const open = { circuit_breaker_state: 'open', opened_ago_ms: 0, open_remaining_ms: 60_000, trips: 2 } as const;
    await flushNext(db, [row({ ...open, epoch: 4 })]);
    t.like(await health(db), { version: null, circuit_breaker_state: 'closed', epoch: 5 });
    await flushNext(db, [row({ ...open, epoch: 5 })]);
    t.like(await health(db), { version: 'v1', circuit_breaker_state: 'open', epoch: 5 });
    await flushNext(db, [row({ version: 'v2', epoch: 1 })]);
    t.like(await health(db), { version: 'v2', circuit_breaker_state: 'closed', circuit_breaker_trips: 0, epoch: 1 });
    await flushNext(db, [row({ ...open, version: 'v2', epoch: 0 })]);
    t.like(await health(db), { version: 'v2', circuit_breaker_state: 'closed', epoch: 1 });
  },
);

onBoth('HEALTH-QUERIES-4: the threshold columns are never written', async (t, database) => {
  const db = database.open();
  await withExtensions(db, 'a', 'b');
  await db.$client`
    insert into extension_health (extension_id, circuit_breaker_failure_threshold, circuit_breaker_error_rate_threshold,
      circuit_breaker_window_seconds, half_open_max_requests) values ('a', 9, 0.7, 30, 1)`;
  await flushNext(db, [row(), row({ extension_id: 'b' })]);
  const thresholds = ({
    circuit_breaker_failure_threshold: a,
    circuit_breaker_error_rate_threshold: b,
    circuit_breaker_window_seconds: c,
    half_open_max_requests: d,
  }: Record<string, unknown>) => [a, b, c, d];
  t.deepEqual(thresholds(await health(db)), [9, '0.70', 30, 1]);
  t.deepEqual(thresholds(await health(db, 'b')), [null, null, null, null]);
});

onBoth('flushHealth: other targets go to their own table, in the same statement', async (t, database) => {
  const db = database.open();
  await withExtensions(db, 'a');
  const batch = [
    row(),
    row({ version: 'v2', published: false, failure_delta: 7, circuit_breaker_state: 'open', epoch: 3 }),
  ];
  await flushNext(db, batch);
  await flushNext(db, batch);
  const versions = await db.$client`
    select version, success_count::int, failure_count::int, circuit_breaker_state from extension_version_health`;
  t.deepEqual([...versions], [{ version: 'v2', success_count: 20, failure_count: 14, circuit_breaker_state: 'open' }]);
  t.like(await health(db), { successes: 20, failures: 4, circuit_breaker_state: 'closed' });
});

onBoth('HEALTH-QUERIES-5: an extension that is gone drops out, and so does an empty batch', async (t, database) => {
  const db = database.open();
  await withExtensions(db, 'a');
  t.deepEqual(await flushNext(db, [row(), row({ extension_id: 'gone' })]), { dropped: [], held: [] });
  t.deepEqual(await flushNext(db, []), { dropped: [], held: [] });
  t.deepEqual([...(await db.$client`select extension_id from extension_health`)], [{ extension_id: 'a' }]);
});

onBoth('HEALTH-QUERIES-5: a poisoned row is dropped alone, with its error', async (t, database) => {
  const db = database.open();
  await withExtensions(db, 'a', 'b', 'c', 'd');
  const { dropped } = await flushNext(db, [
    row({ extension_id: 'd' }),
    row({ extension_id: 'b', p99_latency_ms: 1e12 }),
    row({ extension_id: 'c', circuit_breaker_state: 'ajar' as 'open' }),
    row({ extension_id: 'a' }),
  ]);
  t.deepEqual(
    dropped.map((one) => one.extension_id),
    ['b', 'c'],
  );
  t.regex(dropped[0]?.error ?? '', /numeric field overflow/);
  t.regex(dropped[1]?.error ?? '', /check constraint/);
  const written = await db.$client`select extension_id, success_count::int from extension_health order by 1`;
  t.deepEqual(
    [...written],
    [
      { extension_id: 'a', success_count: 10 },
      { extension_id: 'd', success_count: 10 },
    ],
  );
});

onBoth('flushHealth: the same target twice in a batch is added twice', async (t, database) => {
  const db = database.open();
  await withExtensions(db, 'a');
  t.deepEqual(await flushNext(db, [row(), row({ success_delta: 1 })]), { dropped: [], held: [] });
  t.like(await health(db), { successes: 11 });
});

onBoth('flushHealth: writes into a database that a predecessor left null in', async (t, database) => {
  const db = database.open();
  await withExtensions(db, 'a');
  await db.$client`insert into extension_health (extension_id, success_count, failure_count) values ('a', null, null)`;
  await flushNext(db, [row()]);
  t.like(await health(db), { successes: 10, failures: 2 });
});

onPostgresOnly(
  'HEALTH-QUERIES-1: two flushers over the same rows add up, and never wait for each other in a circle',
  async (t, database) => {
    const ids = Array.from({ length: 40 }, (_, index) => `e${index}`);
    const [one, two] = [database.open(), database.open()];
    await withExtensions(one, ...ids);
    const batch = (order: string[]) => order.map((id) => row({ extension_id: id, success_delta: 1, failure_delta: 0 }));
    const rounds = Array.from({ length: 25 }, () => [
      flushNext(one, batch(ids)),
      flushNext(two, batch(ids.toReversed())),
    ]).flat();
    const results = await Promise.all(rounds);
    t.true(results.every((result) => result.dropped.length === 0));
    // On a machine that stands still, the other one may hold them for too long: those are to be flushed again.
    const held = results.reduce((total, result) => total + result.held.length, 0);
    const [sum] = await one.$client`select sum(success_count)::int as total from extension_health`;
    t.is(sum?.total + held, 40 * 50);
  },
);

onBoth('HEALTH-QUERIES-6: rejects while the database is away, and writes nothing', async (t, database) => {
  const db = database.open();
  await withExtensions(db, 'a');
  await database.stopServer();
  await t.throwsAsync(() => flushNext(db, [row()]));
  await database.startServer();
  const again = database.open();
  await flushNext(again, [row()]);
  t.like(await health(again), { successes: 10 });
  await closeDatabase(db);
});

onBoth('flushHealth: makes no revision and no audit row', async (t, database) => {
  const db = database.open();
  await withExtensions(db, 'a');
  await flushNext(db, [row({ circuit_breaker_state: 'open', epoch: 9 })]);
  t.is((await db.$client`select 1 from extension_audit_log`).length, 1);
});

onBoth(
  'HEALTH-QUERIES-10: successes and failures stay with their version, whichever is published',
  async (t, database) => {
    const db = database.open();
    await withExtensions(db, 'a');
    for (const version of ['v1', 'v2', 'v3'])
      await db.$client`insert into extension_versions (id, version, subject) values ('a', ${version}, 'x')`;
    /** Of every version, wherever it stands; each once. */
    const counts = async () => {
      const rows = await db.$client<{ version: string; counts: string; published: boolean }[]>`
      select version, success_count || '/' || failure_count as counts, true as published from extension_health
      union all select version, success_count || '/' || failure_count, false from extension_version_health
      where success_count + failure_count > 0 order by version`;
      return rows.map(({ version, counts, published }) => `${version} ${counts}${published ? ' published' : ''}`);
    };
    const measured = (version: string, published: boolean, success_delta: number, failure_delta: number) =>
      row({ version, published, success_delta, failure_delta });
    await flushNext(db, [measured('v1', true, 100, 1), measured('v2', false, 10, 2)]);
    t.deepEqual(await counts(), ['v1 100/1 published', 'v2 10/2']);
    // Both are flushed when another version becomes the default.
    await flushNext(db, [measured('v1', false, 1, 0), measured('v2', true, 0, 1)]);
    t.deepEqual(await counts(), ['v1 101/1', 'v2 10/3 published']);
    // The one that goes is disabled, and has no target any more.
    await flushNext(db, [measured('v3', true, 7, 0)]);
    t.deepEqual(await counts(), ['v1 101/1', 'v2 10/3', 'v3 7/0 published']);
    await flushNext(db, [measured('v1', true, 0, 0), measured('v2', false, 5, 0), measured('v3', false, 0, 0)]);
    t.deepEqual(await counts(), ['v1 101/1 published', 'v2 15/3', 'v3 7/0']);
    // Row by row, as where one of a batch is refused.
    await flushNext(db, [
      measured('v1', false, 0, 0),
      measured('v2', true, 0, 0),
      { ...measured('v3', false, 1, 0), epoch: 1e30 },
    ]);
    t.deepEqual(await counts(), ['v1 101/1', 'v2 15/3 published', 'v3 7/0']);
    await db.$client`delete from extension_versions where version = 'v2'`;
    await flushNext(db, [measured('v1', true, 0, 0)]);
    t.deepEqual(await counts(), ['v1 101/1 published', 'v3 7/0']);
  },
);

onBoth(
  "HEALTH-QUERIES-10: successes and failures of an extension's own row stay with it when a version takes its place",
  async (t, database) => {
    const db = database.open();
    await withExtensions(db, 'a');
    const measured = (version: string, success_delta: number) =>
      row({ version, published: true, success_delta, failure_delta: 1 });
    await flushNext(db, [measured('v1', 100)]);
    await db.$client`insert into extension_versions (id, version, subject) values ('a', 'v2', 'x')`;
    await flushNext(db, [measured('v2', 5)]);
    t.like(await health(db), { version: 'v2', successes: 5, failures: 1 });
    await flushNext(db, [measured('v1', 1)]);
    t.like(await health(db), { version: 'v1', successes: 101, failures: 2 });
  },
);

onBoth(
  'HEALTH-QUERIES-7, HEALTH-QUERIES-10: counts that somebody emptied keep nothing from being written',
  async (t, database) => {
    const db = database.open();
    await withExtensions(db, 'a');
    for (const version of ['v1', 'v2'])
      await db.$client`insert into extension_versions (id, version, subject) values ('a', ${version}, 'x')`;
    const measured = (version: string, published: boolean, success_delta: number) =>
      row({ version, published, success_delta, failure_delta: 1 });
    await flushNext(db, [measured('v1', true, 5)]);
    await db.$client`update extension_health set success_count = null, failure_count = null`;
    // The version that leaves is flushed no more.
    t.deepEqual(await flushNext(db, [measured('v2', true, 7)]), { dropped: [], held: [] });
    t.like(await health(db), { version: 'v2', successes: 7, failures: 1 });
    await db.$client`update extension_health set success_count = null, failure_count = null`;
    // It is flushed with the one that comes.
    t.deepEqual(await flushNext(db, [measured('v2', false, 2), measured('v1', true, 3)]), { dropped: [], held: [] });
    t.like(await health(db), { version: 'v1', successes: 3, failures: 1 });
    t.deepEqual(
      [
        ...(await db.$client`select version, success_count::int, failure_count::int from extension_version_health order by version`),
      ],
      [
        { version: 'v1', success_count: 0, failure_count: 0 },
        { version: 'v2', success_count: 2, failure_count: 1 },
      ],
    );
  },
);

// A daemon on a database that is read but takes no writes, that is locked, and that loses answers.

import type { ExecutionContext } from 'ava';
import test from 'ava';
import type { DatabaseConnection } from '../../src/db/client.js';
import { CuttingProxy } from '../helpers/cutting-proxy.js';
import { DaemonProcess, invoke } from '../helpers/daemon-process.js';
import { startExtension, TestServer } from '../helpers/nats-server.js';
import { onPostgres, type TestDatabase } from '../helpers/postgres.js';
import { until } from '../helpers/until.js';

const testOnPostgres = onPostgres(test);

const urlOf = (connection: DatabaseConnection): string => (connection.kind === 'url' ? connection.url : '');

/** A daemon with `echo`, which answers, and `down`, `gone`, which nobody serves; each with a health row. */
async function world(t: ExecutionContext, database: TestDatabase, url = urlOf(database.connection)) {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const daemon = await DaemonProcess.startReady(t, {
    DATABASE_URL: url,
    NATS_URL: server.url,
    EXTENSION_REGISTRY_ABSENCE_GRACE_SECONDS: '0',
  });
  const nc = await daemon.connect();
  const sql = database.open(1).$client;
  await sql.unsafe(`
    insert into extensions (id, type, subject) select id, 'pre', 'ext.' || id from unnest(array['echo', 'down', 'gone']) as id;
    insert into extension_health (extension_id) select id from extensions`);
  await startExtension(nc, 'ext.echo', (request) => ({ body: request.data }));
  await until('the extension is called', async () => (await invoke(nc, 'echo')).error === '');
  const degraded = async () =>
    ((await (await daemon.fetch('/readyz')).json()) as { degraded: string[] }).degraded.join();
  const isOff = async (id: string) =>
    (await sql`select auto_disabled from extensions where id = ${id}`)[0]?.auto_disabled;
  const fail = async (id: string) => {
    for (let i = 0; i < 6; i++) await invoke(nc, id);
  };
  const logged = (event: string) => daemon.log.filter((line) => line.event === event);
  return { daemon, nc, sql, degraded, isOff, fail, logged };
}

testOnPostgres(
  'a database that takes no writes is degraded, and what was pending is written when it does',
  async (t, database) => {
    const { daemon, nc, sql, degraded, isOff, fail, logged } = await world(t, database);
    const readOnly = async (state: 'on' | 'off') => {
      const [{ name } = { name: '' }] = await sql`select current_database() as name`;
      await sql.unsafe(
        `begin; set transaction read write; alter database ${name} set default_transaction_read_only = ${state}; commit`,
      );
      await sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = ${name} and application_name like 'extreg%'`;
    };
    await until('nothing is pending', async () => (await degraded()) === '');
    await readOnly('on');
    await until('it is found out without any traffic', async () => (await degraded()) === 'database');
    t.is((await daemon.fetch('/readyz')).status, 200);
    await fail('down');
    t.is((await invoke(nc, 'echo')).error, '');
    t.like(await daemon.tell('gone', 'isolate'), { owed: true, override: 'isolated' });
    await until('a flush was tried', () => daemon.has('health_flush_delayed'));
    const lines = logged('database_not_writable');
    t.is(lines.length, 1, JSON.stringify(lines));
    t.regex(String(lines[0]?.error), /read-only transaction/);
    await readOnly('off');
    await until('all is written', async () => {
      const [facts] = await sql`select
      (select count(*) from extension_audit_log where action = 'circuit_opened' and extension_id = 'down')::int as opened,
      (select count(*) from extension_audit_log where action = 'isolate')::int as isolated,
      (select failure_count from extension_health where extension_id = 'down')::int as failures`;
      return facts?.opened === 1 && facts?.isolated === 1 && facts?.failures === 5 && (await isOff('down'));
    });
    await until('it is healed', async () => (await degraded()) === '');
    // A session that began before, and is terminated after a later one, may fail once more.
    const reports = (event: string) => logged(event).length;
    await until('each is reported', () => reports('database_writable') === reports('database_not_writable'));
    t.true(reports('database_writable') > 0);
  },
);

testOnPostgres('a right that is missing is named, also where nothing is pending', async (t, database) => {
  const { daemon, sql, degraded, logged } = await world(t, database);
  await sql.unsafe(`create role limited login in role pg_read_all_data, pg_write_all_data`);
  t.teardown(() => sql.unsafe('drop owned by limited; drop role limited'));
  const url = new URL(urlOf(database.connection));
  url.username = 'limited';
  await daemon.stop();
  const limited = await DaemonProcess.startReady(t, { DATABASE_URL: url.href, EXTENSION_REGISTRY_MIGRATE: 'false' });
  t.is(await degraded().catch(() => ''), '');
  await sql`revoke pg_write_all_data from limited`;
  await until('it is degraded', () => limited.has('database_not_writable'));
  const [line] = limited.log.filter(({ event }) => event === 'database_not_writable');
  t.regex(String(line?.error), /permission denied/);
  await sql`grant pg_write_all_data to limited`;
  await until('it is healed', () => limited.has('database_writable'));
  t.is(logged('database_not_writable').length, 0);
});

testOnPostgres(
  'one row that is held keeps nothing else from being written, and a verb for it is answered',
  async (t, database) => {
    const { daemon, sql, isOff, fail, logged } = await world(t, database);
    const other = database.open(1).$client;
    await other.unsafe(`
    begin;
    update extensions set timeout_ms = 7 where id = 'down';
    update extension_health set avg_latency_ms = 1 where extension_id = 'down'`);
    await fail('down');
    await fail('gone');
    await until('the other is disabled and its health is written', async () => {
      const [health] =
        await sql`select circuit_breaker_state as state from extension_health where extension_id = 'gone'`;
      return health?.state === 'open' && (await isOff('gone'));
    });
    const answer = await daemon.tell('down', 'disable');
    t.is(answer.code, 'database_unavailable');
    t.regex(String(answer.message), /extensions 'down' is locked by process \d+/);
    await until('the held rows are told', () => logged('row_held').length >= 2);
    await other`commit`;
    await until('it is disabled too', () => isOff('down'));
    await until('and its health is written', async () => {
      const [health] =
        await sql`select circuit_breaker_state as state from extension_health where extension_id = 'down'`;
      return health?.state === 'open';
    });
    await until('it is reported', () => logged('row_released').length >= 1);
  },
);

testOnPostgres('tables that are locked are reported as degraded within seconds', async (t, database) => {
  const { sql, degraded } = await world(t, database);
  await until('it is well', async () => (await degraded()) === '');
  const other = database.open(1).$client;
  await other.unsafe('begin; lock table extensions, registry_revision in access exclusive mode');
  await until('it is degraded', async () => (await degraded()) === 'database', 10_000);
  await other`rollback`;
  await until('it is healed', async () => (await degraded()) === '');
  t.is((await sql`select from extensions`).length, 3);
});

testOnPostgres(
  'over a connection that loses answers, a daemon writes each fact once and publishes what it did',
  async (t, database) => {
    const proxy = await CuttingProxy.before(t, database.connection);
    const { daemon, nc, sql, isOff, fail, logged } = await world(t, database, urlOf(proxy.connection));
    for (const text of ['extension_health_writers', 'circuit_opened', 'system:auto-manager']) {
      const id = text === 'extension_health_writers' ? 'echo' : text === 'circuit_opened' ? 'down' : 'gone';
      const cuts = proxy.cuts;
      proxy.cutAnswerTo(id === 'echo' ? text : Buffer.from(text).toString('hex'));
      if (id === 'echo') await invoke(nc, 'echo');
      else await fail(id);
      await until(`the answer is lost: ${text}`, () => proxy.cuts > cuts);
    }
    await until('both are disabled, and told to be', async () => {
      const told = logged('auto_disabled').map((line) => line.extension_id);
      return (await isOff('down')) && (await isOff('gone')) && told.includes('down') && told.includes('gone');
    });
    await until('the counts are written', async () => {
      const [row] = await sql`select failure_count::int as n from extension_health where extension_id = 'gone'`;
      return row?.n === 5;
    });
    const trail = await sql`
    select extension_id, action, count(*)::int as n from extension_audit_log
    where action in ('circuit_opened', 'disable') group by 1, 2 order by 1, 2`;
    t.deepEqual(
      trail.map(({ extension_id, action, n }) => [extension_id, action, n]),
      ['down', 'gone'].flatMap((id) => ['circuit_opened', 'disable'].map((action) => [id, action, 1])),
    );
    t.is(logged('auto_disabled').length, 2);
    const health = (await daemon.health('echo')) as { health: { success_count: number } };
    await until('and no call is counted twice', async () => {
      const [row] = await sql`select success_count::int as n from extension_health where extension_id = 'echo'`;
      return row?.n === health.health.success_count;
    });
  },
);

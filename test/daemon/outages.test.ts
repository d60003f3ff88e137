import test from 'ava';
import { connect } from '#@nats-io/transport-node';
import { DaemonProcess, invoke } from '../helpers/daemon-process.js';
import { startExtension, TestServer } from '../helpers/nats-server.js';
import { onPostgres } from '../helpers/postgres.js';
import { until } from '../helpers/until.js';

const testOnPostgres = onPostgres(test);

/** `postgres://…` of a test database. */
function urlOf(connection: { readonly kind: string; readonly url?: string }): string {
  if (connection.url === undefined) throw new Error(`not a URL but ${connection.kind}`);
  return connection.url;
}

testOnPostgres('PostgreSQL: a call, a change by SQL, an auto-disable, and migrations at start', async (t, database) => {
  const server = await TestServer.start('authorization { token: "geheim-nats" }');
  t.teardown(() => server.stop());
  const url = new URL(urlOf(database.connection));
  url.password = 'geheim-database';
  const daemon = await DaemonProcess.startReady(t, {
    DATABASE_URL: url.href,
    NATS_URL: server.url,
    EXTENSION_REGISTRY_NATS_TOKEN: 'geheim-nats',
    EXTENSION_REGISTRY_ABSENCE_GRACE_SECONDS: '0',
    EXTENSION_REGISTRY_LOG_LEVEL: 'trace',
  });
  const nc = await connect({ servers: server.url, token: 'geheim-nats' });
  t.teardown(() => nc.close());
  const sql = database.open().$client;
  await sql`insert into extensions (id, type, subject) values ('echo', 'pre', 'ext.echo')`;
  const extension = await startExtension(nc, 'ext.echo', (request) => ({ body: request.data }));
  await until('the extension is called', async () => (await invoke(nc, 'echo')).error === '');
  extension.stop();
  await nc.flush();
  // One success in the window, so that it takes the fifth failure.
  for (let i = 0; i < 6; i++) await invoke(nc, 'echo');
  await until('it is disabled', async () => {
    const [row] = await sql`select enabled, auto_disabled from extensions where id = 'echo'`;
    return row?.enabled === false && row?.auto_disabled === true;
  });
  await until('its breaker is written', async () => {
    const [health] = await sql`select circuit_breaker_state from extension_health where extension_id = 'echo'`;
    return health?.circuit_breaker_state === 'open';
  });
  t.is(await daemon.state('echo'), 'open');
  server.reconfigure('authorization { token: "another" }');
  await until('the login is refused', () => daemon.has('nats_connect_failed'));
  await database.stopServer();
  await until('the database is away', () => daemon.has('database_away'));
  t.is(await daemon.stop(), 0);
  t.deepEqual(
    daemon.log.filter((line) => JSON.stringify(line).includes('geheim')),
    [],
  );
  await database.startServer();
});

testOnPostgres(
  'the database goes away and comes back: calls are served, readyz says so, and what was owed is written',
  async (t, database) => {
    const server = await TestServer.start();
    t.teardown(() => server.stop());
    const daemon = await DaemonProcess.startReady(t, {
      DATABASE_URL: urlOf(database.connection),
      NATS_URL: server.url,
      EXTENSION_REGISTRY_ABSENCE_GRACE_SECONDS: '0',
    });
    const nc = await daemon.connect();
    await database.open().$client`
    insert into extensions (id, type, subject) values ('echo', 'pre', 'ext.echo'), ('down', 'pre', 'ext.down')`;
    await startExtension(nc, 'ext.echo', (request) => ({ body: request.data }));
    await until(
      'the extensions are known',
      async () => (await daemon.state('down')) === 'closed' && (await invoke(nc, 'echo')).error === '',
    );
    await database.stopServer();
    await until('readyz says so', async () => {
      const answer = await daemon.fetch('/readyz');
      const body = (await answer.json()) as { degraded: string[] };
      return answer.status === 200 && body.degraded.includes('database');
    });
    for (let i = 0; i < 10; i++) t.is((await invoke(nc, 'echo')).error, '');
    for (let i = 0; i < 5; i++) await invoke(nc, 'down');
    t.is(await daemon.state('down'), 'open');
    await until('the flush was tried', () => daemon.has('health_flush_delayed'));
    const delayed = daemon.log.filter((line) => line.event.endsWith('_delayed')).map((line) => JSON.stringify(line));
    const longest = delayed.sort((a, b) => b.length - a.length)[0] ?? '';
    t.true(longest.length < 1000, `a line tried again every second tells the error, not the rows: ${longest}`);
    await database.startServer();
    const sql = database.open().$client;
    await until(
      'what was owed is written',
      async () => {
        const [row] = await sql`select enabled, auto_disabled from extensions where id = 'down'`;
        const [health] =
          await sql`select success_count::int as calls from extension_health where extension_id = 'echo'`;
        const facts =
          await sql`select 1 from extension_audit_log where extension_id = 'down' and action = 'circuit_opened'`;
        return row?.auto_disabled === true && health?.calls >= 11 && facts.length === 1;
      },
      30_000,
    );
    await sql`delete from extensions where id = 'echo'`;
    await until('the feed is back', async () => (await invoke(nc, 'echo')).error === 'extension_not_found');
  },
);

testOnPostgres(
  'a start without the database serves from the last good snapshot, and takes the registry when it is back',
  async (t, database) => {
    const server = await TestServer.start();
    t.teardown(() => server.stop());
    const env = { DATABASE_URL: urlOf(database.connection), NATS_URL: server.url };
    const first = await DaemonProcess.startReady(t, env);
    const nc = await first.connect();
    await startExtension(nc, 'ext.echo', (request) => ({ body: request.data }));
    await database.open().$client`insert into extensions (id, type, subject) values ('echo', 'pre', 'ext.echo')`;
    await until('the extension is called', async () => (await invoke(nc, 'echo')).error === '');
    t.is(await first.stop(), 0);
    await database.stopServer();
    const second = await DaemonProcess.start(t, env, first.dataDir);
    t.is((await second.fetch('/livez')).status, 200);
    await until('it waits for a registry alone', async () => {
      const answer = await second.fetch('/readyz');
      const { waiting_for } = (await answer.json()) as { waiting_for: string[] };
      return answer.status === 503 && waiting_for.join() === 'registry';
    });
    await second.ready();
    t.deepEqual(((await (await second.fetch('/readyz')).json()) as { degraded: string[] }).degraded, [
      'database',
      'registry_snapshot_file',
    ]);
    t.is((await invoke(nc, 'echo')).error, '');
    await database.startServer();
    await database.open().$client`delete from extensions where id = 'echo'`;
    await until(
      'the registry is taken',
      async () => (await invoke(nc, 'echo')).error === 'extension_not_found',
      30_000,
    );
    t.deepEqual(((await (await second.fetch('/readyz')).json()) as { degraded: string[] }).degraded, []);
  },
);

test.serial(
  'NATS goes away and comes back: readyz is 503 meanwhile, no breaker opens, and calls are served again',
  async (t) => {
    const server = await TestServer.start();
    t.teardown(() => server.stop());
    const daemon = await DaemonProcess.startReady(t, { NATS_URL: server.url });
    const nc = await server.connect();
    await daemon.sql()`insert into extensions (id, type, subject) values ('hang', 'pre', 'ext.hang'), ('echo', 'pre', 'ext.echo')`;
    await startExtension(nc, 'ext.hang', () => null);
    await startExtension(nc, 'ext.echo', (request) => ({ body: request.data }));
    await until('the extension is called', async () => (await invoke(nc, 'echo')).error === '');
    const hanging = Array.from({ length: 20 }, () => invoke(nc, 'hang', '{}', {}, 2000).catch(() => null));
    await until('the calls are under way', async () =>
      /extension_registry_in_flight 20/.test(await (await daemon.fetch('/metrics')).text()),
    );
    await server.kill();
    await until('readyz says so', async () => (await daemon.fetch('/readyz')).status === 503);
    await server.restart();
    await daemon.ready();
    await until(
      'calls are served',
      async () => (await invoke(nc, 'echo', '{}', {}, 500).catch(() => null))?.error === '',
    );
    await Promise.all(hanging);
    t.is(await daemon.state('hang'), 'closed');
    t.false(daemon.has('circuit_opened'));
  },
);

test.serial('a start without NATS lives, is not ready, and takes calls as soon as there is one', async (t) => {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const { url } = server;
  await server.kill();
  const daemon = await DaemonProcess.start(t, { NATS_URL: url });
  t.is((await daemon.fetch('/livez')).status, 200);
  await until('it waits for NATS', async () => {
    const answer = await daemon.fetch('/readyz');
    return answer.status === 503 && ((await answer.json()) as { waiting_for: string[] }).waiting_for.join() === 'nats';
  });
  t.false(daemon.has('daemon_ready'));
  await server.restart();
  await daemon.ready();
  const nc = await server.connect();
  t.is((await invoke(nc, 'nobody')).error, 'extension_not_found');
});

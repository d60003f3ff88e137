// The clocks of daemon and database need not agree: what is written and read travels as ages.
import test from 'ava';
import { DaemonProcess, invoke } from '../helpers/daemon-process.js';
import { TestServer } from '../helpers/nats-server.js';
import { onPostgres } from '../helpers/postgres.js';
import { until } from '../helpers/until.js';

const testOnPostgres = onPostgres(test);
const HOUR_MS = 3_600_000;

/** A process whose wall clock is `ms` ahead of this machine's. */
const ahead = (ms: number): string =>
  `--import=data:text/javascript,${encodeURIComponent(`const now = Date.now; Date.now = () => now() + ${ms};`)}`;

testOnPostgres(
  'FM 18: a daemon an hour ahead of the database, and one an hour behind after it, keep an open breaker for its time',
  async (t, database) => {
    const server = await TestServer.start();
    t.teardown(() => server.stop());
    const env = {
      DATABASE_URL: 'url' in database.connection ? database.connection.url : '',
      NATS_URL: server.url,
      EXTENSION_REGISTRY_ABSENCE_GRACE_SECONDS: '0',
      EXTENSION_REGISTRY_CIRCUIT_BREAKER_TIMEOUT_SECONDS: '600',
      EXTENSION_REGISTRY_OPEN_MAX_SECONDS: '600',
    };
    const early = await DaemonProcess.startReady(t, { ...env, NODE_OPTIONS: ahead(HOUR_MS) });
    const nc = await early.connect();
    const sql = database.open().$client;
    await sql`insert into extensions (id, type, subject) values ('down', 'pre', 'ext.down')`;
    await until('the extension is known', async () => (await early.state('down')) === 'closed');
    for (let i = 0; i < 5; i++) await invoke(nc, 'down');
    const stored = await until('the transition is written', async () => {
      const [row] = await sql`
        select extract(epoch from now() - circuit_breaker_opened_at)::float8 as opened_ago,
          extract(epoch from circuit_breaker_open_until - now())::float8 as remaining,
          extract(epoch from now() - last_failure)::float8 as failed_ago
        from extension_health where extension_id = 'down' and circuit_breaker_state = 'open'`;
      return row;
    });
    t.true(stored.opened_ago >= 0 && stored.opened_ago < 300, `opened ${stored.opened_ago} s ago by the database`);
    t.true(stored.failed_ago >= 0 && stored.failed_ago < 300);
    t.true(stored.remaining > 300 && stored.remaining <= 661);
    await early.stop('SIGKILL');

    const late = await DaemonProcess.startReady(t, { ...env, NODE_OPTIONS: ahead(-HOUR_MS) });
    const { health } = await late.health('down');
    t.is(health.circuit_breaker_state, 'open');
    const leftMs = Date.parse(health.circuit_breaker_open_until ?? '') - (Date.now() - HOUR_MS);
    t.true(leftMs > 0 && leftMs <= 661_000, `open for ${leftMs} ms more by the daemon's clock`);
    t.is((await invoke(nc, 'down')).details.reason, 'circuit_open');
  },
);

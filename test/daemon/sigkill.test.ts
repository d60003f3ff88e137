import { existsSync, readFileSync } from 'node:fs';
import test from 'ava';
import { DaemonProcess, invoke } from '../helpers/daemon-process.js';
import { isDeep } from '../helpers/depth.js';
import { startExtension, TestServer } from '../helpers/nats-server.js';
import { until } from '../helpers/until.js';

const KILLS = isDeep ? 20 : 6;
/** The load must change nothing itself. */
const NEVER_OPENS = '{"breaker":{"circuit_breaker_enabled":false}}';

/** Alive and not a zombie that nobody has collected. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

test(`${KILLS} times SIGKILL under load: nothing is orphaned, and every acknowledged change and its audit row are there`, async (t) => {
  t.timeout(600_000);
  let daemon = await DaemonProcess.startReady(t);
  const { dataDir } = daemon;
  let acknowledged = 0;
  for (let kill = 1; kill <= KILLS; kill++) {
    const nc = await daemon.connect();
    const sql = daemon.sql();
    await startExtension(nc, 'ext.echo', (request) => ({ body: request.data }));
    let isLoaded = true;
    const calls = Array.from({ length: 8 }, async () => {
      while (isLoaded) await invoke(nc, 'echo', '{}', {}, 300).catch(() => undefined);
    });
    const writes = (async () => {
      for (let n = acknowledged; isLoaded; ) {
        n++;
        try {
          await sql`insert into extensions (id, type, subject, config, policy)
            values ('echo', 'pre', 'ext.echo', jsonb_build_object('n', ${n}::int), ${NEVER_OPENS}::text::jsonb)
            on conflict (id) do update set config = excluded.config`;
          acknowledged = n;
        } catch {
          return;
        }
      }
    })();
    const before = acknowledged;
    try {
      await until('there is load', () => acknowledged >= before + 5 + 2 * kill);
    } finally {
      // A load without an end would keep a failed test from ending.
      isLoaded = acknowledged >= before + 5 + 2 * kill;
    }
    const server = daemon.log.find((line) => line.event === 'nats_server_started')?.pid as number;
    daemon.child.kill('SIGKILL');
    await daemon.exited;
    isLoaded = false;
    await Promise.all([...calls, writes, nc.close()]);
    await until('its nats-server is gone', () => !isRunning(server));
    daemon = await DaemonProcess.startReady(t, {}, dataDir);
    const check = daemon.sql();
    const [row] = await check`select (config ->> 'n')::int as n from extensions where id = 'echo'`;
    // The change under way when it was killed may or may not have been committed.
    t.true(
      row?.n === acknowledged || row?.n === acknowledged + 1,
      `kill ${kill}: ${row?.n}, acknowledged ${acknowledged}`,
    );
    acknowledged = row?.n as number;
    const [trail] = await check`
      select count(*)::int as changes, max(revision)::int as last, count(distinct revision)::int as distinct_revisions,
        (select revision::int from registry_revision) as revision
      from extension_audit_log where revision is not null`;
    t.deepEqual(trail, {
      changes: acknowledged,
      last: acknowledged,
      distinct_revisions: acknowledged,
      revision: acknowledged,
    });
  }
  t.is(await daemon.stop(), 0);
  t.false(existsSync(`${dataDir}/daemon.json`));
});

test('breaker facts are restored after SIGKILL once the transition was written', async (t) => {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const nats = { NATS_URL: server.url, EXTENSION_REGISTRY_ABSENCE_GRACE_SECONDS: '0' };
  const first = await DaemonProcess.startReady(t, nats);
  const nc = await first.connect();
  const sql = first.sql();
  await sql`insert into extensions (id, type, subject) values ('down', 'pre', 'ext.down')`;
  await until('the extension is known', async () => (await first.state('down')) === 'closed');
  // A call may come before the server knows the daemon's subscription.
  await until('five calls have failed', async () => {
    await invoke(nc, 'down').catch(() => undefined);
    return (await first.health('down')).health?.failure_count === 5;
  });
  await until('the transition is written', async () => {
    const [row] = await sql`select circuit_breaker_state from extension_health where extension_id = 'down'`;
    return row?.circuit_breaker_state === 'open';
  });
  await first.stop('SIGKILL');
  const second = await DaemonProcess.startReady(t, nats, first.dataDir);
  t.is(await second.state('down'), 'open');
  t.is((await invoke(nc, 'down')).details.reason, 'circuit_open');
});

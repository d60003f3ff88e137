// Active checks from the row to the wire and back.

import test from 'ava';
import { headers, type Msg } from '#@nats-io/nats-core';
import { DaemonProcess, invoke } from '../helpers/daemon-process.js';
import { startExtension, TestServer } from '../helpers/nats-server.js';
import { until } from '../helpers/until.js';

const POLICY = JSON.stringify({
  breaker: { open_seconds: 0.2 },
  health_check: { interval_seconds: 0.1, payload: { ping: 1 } },
});
const well = () => ({ body: 'well' });

test.serial(
  'FM 38: FM 53: an extension that fails its checks is opened and disabled, comes back without a caller, and is left alone once the daemon stops',
  async (t) => {
    // Outlives the daemon, so that a late check would be heard.
    const server = await TestServer.start();
    t.teardown(() => server.stop());
    const daemon = await DaemonProcess.startReady(t, { NATS_URL: server.url });
    const nc = await server.connect();
    const sql = daemon.sql();
    let isBroken = false;
    const extension = await startExtension(nc, 'ext.flaky', () => {
      if (!isBroken) return well();
      const h = headers();
      h.set('Nats-Service-Error-Code', '500');
      return { headers: h };
    });
    const row = async () => (await sql`select enabled, auto_disabled from extensions where id = 'flaky'`)[0];

    await sql`insert into extensions (id, type, subject, policy) values ('flaky', 'pre', 'ext.flaky', ${POLICY}::text::jsonb)`;
    await until('it is checked', () => extension.received.length > 2);
    const check = extension.received[0] as Msg;
    t.is(check.headers?.get('Extreg-Probe'), '1');
    t.is(check.headers?.get('Extreg-Extension-Id'), 'flaky');
    t.is(check.string(), '{"ping":1}');
    isBroken = true;
    await until('it is disabled', async () => (await row())?.auto_disabled === true);
    isBroken = false;
    await until('it is enabled again', async () => (await row())?.enabled === true);
    t.like(await row(), { enabled: true, auto_disabled: false });
    t.is(await daemon.state('flaky'), 'closed');
    const metrics = await (await daemon.fetch('/metrics')).text();
    t.regex(metrics, /extension_health_checks_total\{extension_id="flaky",result="success"\} [1-9]/);
    t.regex(metrics, /extension_health_checks_total\{extension_id="flaky",result="failure"\} [1-9]/);
    t.notRegex(metrics, /extension_invocations_total\{/, 'nobody called');

    // A call that hangs for ten intervals keeps the daemon from ending at once.
    await startExtension(nc, 'ext.hang', () => null);
    await sql`insert into extensions (id, type, subject, timeout_ms) values ('hang', 'pre', 'ext.hang', 1000)`;
    await until('the hanging one is known', async () => (await daemon.state('hang')) === 'closed');
    const called = invoke(nc, 'hang');
    await until('the call is under way', async () =>
      /extension_registry_in_flight 1/.test(await (await daemon.fetch('/metrics')).text()),
    );
    daemon.child.kill('SIGTERM');
    await until('it stops', () => daemon.has('stop_step'));
    await nc.flush();
    const heard = extension.received.length;
    t.is((await called).error, 'extension_timeout');
    t.is(await daemon.exited, 0);
    await nc.flush();
    t.is(extension.received.length, heard);
  },
);

const shared = DaemonProcess.shared(test);

test.serial(
  'FM 38: each instance with a subject of its own is checked, and none of what a person disables',
  async (t) => {
    const daemon = await shared();
    const nc = await daemon.connect();
    const sql = daemon.sql();
    const one = await startExtension(nc, 'ext.pool.1', well);
    const two = await startExtension(nc, 'ext.pool.2', well);
    const other = await startExtension(nc, 'ext.other', well);
    for (const id of ['pool', 'other'])
      await sql`insert into extensions (id, type, subject, policy) values (${id}, 'pre', ${`ext.${id}`}, ${POLICY}::text::jsonb)`;
    await sql`insert into extension_instances (extension_id, instance_id, subject) values ('pool', 'i-1', 'ext.pool.1'), ('pool', 'i-2', 'ext.pool.2')`;
    await until('both are checked', () => one.received.length > 1 && two.received.length > 1);
    t.is(two.received.at(-1)?.headers?.get('Extreg-Instance-Id'), 'i-2');
    await sql`update extensions set enabled = false where id = 'pool'`;
    await until('it is off', async () => (await daemon.health('pool')).enabled === false);
    await nc.flush();
    const heard = () => one.received.length + two.received.length;
    const before = heard();
    const meanwhile = other.received.length;
    await until('another one was checked often', () => other.received.length > meanwhile + 5);
    t.true(heard() <= before + 2, 'but for a round that was on its way');
  },
);

test.serial('a health_check at a subject of the daemon is a problem of the row', async (t) => {
  const daemon = await shared();
  const policy = JSON.stringify({ health_check: { subject: 'extreg.v1.invoke.bad' } });
  await daemon.sql()`insert into extensions (id, type, subject, policy) values ('bad', 'pre', 'ext.bad', ${policy}::text::jsonb)`;
  await until('it is refused', () => daemon.has('registry_row_rejected'));
  const line = daemon.log.find(({ event }) => event === 'registry_row_rejected');
  t.regex(String(line?.reason), /^policy\.health_check\.subject must not be under this daemon's own prefix/);
});

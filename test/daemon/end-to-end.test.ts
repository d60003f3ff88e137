import test from 'ava';
import { headers } from '#@nats-io/nats-core';
import { run } from '../cli/run.js';
import { DaemonProcess, invoke } from '../helpers/daemon-process.js';
import { startExtension } from '../helpers/nats-server.js';
import { until } from '../helpers/until.js';

const QUICK_BREAKER = {
  EXTENSION_REGISTRY_CIRCUIT_BREAKER_TIMEOUT_SECONDS: '0.3',
  EXTENSION_REGISTRY_ABSENCE_GRACE_SECONDS: '0',
};

/** Both settings concern each extension by itself, and an extension is told the environment. */
const shared = DaemonProcess.shared(test, { ...QUICK_BREAKER, EXTENSION_REGISTRY_ENVIRONMENT: 'stage' });

test.serial('a row inserted by plain SQL is callable at once, and one that is deleted is gone', async (t) => {
  const daemon = await shared();
  const nc = await daemon.connect();
  const sql = daemon.sql();
  await startExtension(nc, 'ext.echo', (request) => ({ body: request.data }));
  t.is((await invoke(nc, 'echo')).error, 'extension_not_found');
  await sql`insert into extensions (id, type, subject) values ('echo', 'pre', 'ext.echo')`;
  await until('the extension is called', async () => (await invoke(nc, 'echo')).error === '');
  const answer = await invoke(nc, 'echo', 'né\u0000 any bytes');
  t.is(answer.body, 'né\u0000 any bytes');
  t.is(answer.header('Extreg-Version'), 'v1');
  t.is(answer.header('Extreg-Attempts'), '1');
  await sql`delete from extensions where id = 'echo'`;
  await until('the extension is gone', async () => (await invoke(nc, 'echo')).error === 'extension_not_found');
  const trail =
    await sql`select action, changed_by from extension_audit_log where extension_id = 'echo' order by revision`;
  t.deepEqual(
    trail.map((row) => row.action),
    ['create', 'delete'],
  );
});

test.serial(
  'a failing extension is opened, disabled with an audit row and events, and comes back by itself',
  async (t) => {
    const daemon = await shared();
    const nc = await daemon.connect();
    const sql = daemon.sql();
    const events: string[] = [];
    nc.subscribe('extreg.v1.event.*.flaky', {
      callback: (_, message) => void events.push(message.subject.split('.')[3] ?? ''),
    });
    let isBroken = true;
    await startExtension(nc, 'ext.flaky', () => {
      if (!isBroken) return { body: 'well' };
      const h = headers();
      h.set('Nats-Service-Error-Code', '500');
      h.set('Nats-Service-Error', 'broken');
      return { headers: h };
    });
    await sql`insert into extensions (id, type, subject) values ('flaky', 'pre', 'ext.flaky')`;
    await until('the extension is known', async () => (await daemon.state('flaky')) === 'closed');
    for (let i = 0; i < 5; i++) t.is((await invoke(nc, 'flaky')).error, 'extension_error');
    t.deepEqual((await invoke(nc, 'flaky')).details, { reason: 'circuit_open' });
    await until('it is disabled', async () => {
      const [row] = await sql`select enabled, auto_disabled from extensions where id = 'flaky'`;
      return row?.enabled === false && row.auto_disabled === true;
    });
    isBroken = false;
    await until('it is enabled again', async () => {
      await invoke(nc, 'flaky');
      const [row] = await sql`select enabled, auto_disabled from extensions where id = 'flaky'`;
      return row?.enabled === true && row.auto_disabled === false;
    });
    t.is((await invoke(nc, 'flaky')).body, 'well');
    const told = ['circuit_opened', 'auto_disabled', 'circuit_half_opened', 'circuit_closed', 'auto_enabled'];
    await until('every event is out', () => told.every((kind) => events.includes(kind)));
    t.is(events[0], 'circuit_opened');
    t.true(events.indexOf('auto_disabled') < events.indexOf('auto_enabled'));
    const trail = await sql`
    select action, changed_by from extension_audit_log where extension_id = 'flaky' and revision is not null order by revision`;
    t.deepEqual(
      trail.map((row) => [row.action, row.changed_by]),
      [
        ['create', 'db:postgres'],
        ['disable', 'system:auto-manager'],
        ['enable', 'system:auto-manager'],
      ],
    );
  },
);

test.serial('an extension that a person disabled while it was auto-disabled stays off', async (t) => {
  const daemon = await shared();
  const nc = await daemon.connect();
  const sql = daemon.sql();
  await sql`insert into extensions (id, type, subject) values ('gone', 'pre', 'ext.gone')`;
  await until('the extension is known', async () => (await daemon.state('gone')) === 'closed');
  for (let i = 0; i < 5; i++) await invoke(nc, 'gone');
  await until('it is disabled', async () => (await daemon.health('gone')).auto_disabled);
  await sql`update extensions set enabled = false where id = 'gone'`;
  await until('a person disabled it', async () => (await invoke(nc, 'gone')).details.reason === 'disabled');
  await startExtension(nc, 'ext.gone', () => ({ body: 'back' }));
  await until('the open time is over', async () => (await daemon.state('gone')) === 'half_open');
  t.is((await invoke(nc, 'gone')).details.reason, 'disabled');
});

test.serial(
  'a row that is refused is seen with the same time and reason over HTTP, NATS and by the command line',
  async (t) => {
    const daemon = await shared();
    const nc = await daemon.connect();
    const sql = daemon.sql();
    await sql`insert into extensions (id, type, subject) values ('seen', 'pre', 'ext.seen')`;
    await until('the extension is known', async () => (await daemon.state('seen')) === 'closed');
    await sql`update extensions set subject = 'ext.>' where id = 'seen'`;
    const http = async (path: string) => (await (await daemon.fetch(`/admin/extensions/${path}`)).json()) as Seen;
    await until('the row is refused', async () => (await http('seen')).refused !== null);
    const row = await http('seen');
    const { since, problems } = row.refused ?? { since: '', problems: [] };
    t.false(row.in_force);
    t.regex(problems.join(), /wildcards/);
    t.true(Math.abs(Date.now() - Date.parse(since)) < 600_000);
    const shown = { extension_id: 'seen', version: null, instance_id: null, since, problems };
    const nats = async (verb: string) =>
      (await nc.request(`extreg.v1.admin.${verb}`, '{"extension_id": "seen"}', { timeout: 20_000 })).json<Seen>();
    for (const seen of [
      await http('seen/health'),
      await http('seen/explain'),
      await nats('health'),
      await nats('explain'),
    ])
      t.like(seen.refused_rows, [shown]);
    t.like(
      (await http('health')).refused_rows?.filter((one) => one.extension_id === 'seen'),
      [shown],
    );
    t.false((await http('seen/explain')).in_force);
    for (const command of ['health', 'explain', 'show']) {
      const { stdout } = await run([command, 'seen', '--data-dir', '.'], { cwd: daemon.dataDir });
      t.true(stdout.includes(since) && stdout.includes(problems[0] as string), stdout);
    }
  },
);

interface Seen {
  readonly in_force?: boolean;
  readonly refused?: { readonly since: string; readonly problems: readonly string[] } | null;
  readonly refused_rows?: readonly { readonly extension_id: string }[];
}

test.serial('a call in flight gets its answer when the daemon is told to stop, and it exits 0', async (t) => {
  const daemon = await DaemonProcess.startReady(t);
  const nc = await daemon.connect();
  const sql = daemon.sql();
  let answer: () => void = () => {};
  nc.subscribe('ext.slow', {
    callback: (_, message) => {
      answer = () => message.respond('at last');
    },
  });
  await sql`insert into extensions (id, type, subject) values ('slow', 'pre', 'ext.slow')`;
  await until('the extension is known', async () => (await daemon.state('slow')) === 'closed');
  const called = invoke(nc, 'slow');
  await until('the call is under way', async () =>
    /extension_registry_in_flight 1/.test(await (await daemon.fetch('/metrics')).text()),
  );
  daemon.child.kill('SIGTERM');
  await until('the daemon drains', () => daemon.has('stopping'));
  await until('readyz says so', async () => (await daemon.fetch('/readyz')).status === 503);
  answer();
  t.is((await called).body, 'at last');
  t.is(await daemon.exited, 0);
});

test.serial('calls that outlast the time to stop are told not_connected', async (t) => {
  const daemon = await DaemonProcess.startReady(t, { EXTENSION_REGISTRY_SHUTDOWN_TIMEOUT_SECONDS: '1' });
  const nc = await daemon.connect();
  await startExtension(nc, 'ext.hang', () => null);
  await daemon.sql()`insert into extensions (id, type, subject) values ('hang', 'pre', 'ext.hang')`;
  await until('the extension is known', async () => (await daemon.state('hang')) === 'closed');
  const called = invoke(nc, 'hang');
  await until('the call is under way', async () =>
    /extension_registry_in_flight 1/.test(await (await daemon.fetch('/metrics')).text()),
  );
  daemon.child.kill('SIGTERM');
  t.is((await called).error, 'not_connected');
  t.is(await daemon.exited, 0);
});

test.serial('health is written, and breaker facts are restored after a restart', async (t) => {
  const first = await DaemonProcess.startReady(t, { EXTENSION_REGISTRY_ABSENCE_GRACE_SECONDS: '0' });
  const nc = await first.connect();
  await first.sql()`insert into extensions (id, type, subject) values ('down', 'pre', 'ext.down')`;
  await until('the extension is known', async () => (await first.state('down')) === 'closed');
  for (let i = 0; i < 5; i++) await invoke(nc, 'down');
  const before = await first.health('down');
  t.is(before.health.circuit_breaker_state, 'open');
  t.is(await first.stop(), 0);
  const second = await DaemonProcess.startReady(t, {}, first.dataDir);
  const after = await second.health('down');
  t.like(after, { enabled: false, auto_disabled: true });
  t.is(after.health.circuit_breaker_state, 'open');
  t.is(after.health.failure_count, 5);
  t.is(after.health.circuit_breaker_trips, 1);
  const until0 = Date.parse(before.health.circuit_breaker_open_until ?? '');
  const until1 = Date.parse(after.health.circuit_breaker_open_until ?? '');
  t.true(Math.abs(until0 - until1) < 2000, `it would have opened until ${until0}, now ${until1}`);
});

test.serial(
  'the nats-server of the daemon dies: it is started again and calls are served, with no breaker opened',
  async (t) => {
    const daemon = await DaemonProcess.startReady(t);
    const nc = await daemon.connect();
    await startExtension(nc, 'ext.echo', (request) => ({ body: request.data }));
    await daemon.sql()`insert into extensions (id, type, subject) values ('echo', 'pre', 'ext.echo')`;
    await until('the extension is called', async () => (await invoke(nc, 'echo')).error === '');
    const pid = daemon.log.find((line) => line.event === 'nats_server_started')?.pid as number;
    process.kill(pid, 'SIGKILL');
    await until(
      'it was started again',
      () => daemon.log.filter((line) => line.event === 'nats_server_started').length === 2,
    );
    await until('calls are served', async () => {
      const answer = await invoke(nc, 'echo', '{}', {}, 500).catch(() => null);
      return answer?.error === '';
    });
    t.is(await daemon.state('echo'), 'closed');
    t.false(daemon.has('circuit_opened'));
  },
);

test.serial(
  'an extension is told its version, its configuration, the tenant of the subject and the environment',
  async (t) => {
    const daemon = await shared();
    const nc = await daemon.connect();
    const extension = await startExtension(nc, 'ext.told', () => ({ body: 'ok' }));
    await daemon.sql()`insert into extensions (id, type, subject, config) values ('told', 'pre', 'ext.told', '{"limit": 3}'::text::jsonb)`;
    await until('the extension is called', async () => (await invoke(nc, 'told')).error === '');
    const claims = { 'Extreg-Tenant-Id': 'liar', 'Extreg-Environment': 'prod', 'X-Own': 'kept' };
    t.is((await invoke(nc, 'told.acme', '{}', claims)).error, '');
    const told = extension.received.at(-1)?.headers;
    t.is(told?.get('Extreg-Extension-Id'), 'told');
    t.is(told?.get('Extreg-Version'), 'v1');
    t.is(told?.get('Extreg-Config'), '{"limit":3}');
    t.is(told?.get('Extreg-Tenant-Id'), 'acme');
    t.is(told?.get('Extreg-Environment'), 'stage');
    t.is(told?.get('X-Own'), 'kept');
  },
);

// An operator's verbs against the whole daemon: with a database, without one, and over its death.
import test from 'ava';
import { DaemonProcess, invoke } from '../helpers/daemon-process.js';
import { startExtension, TestServer } from '../helpers/nats-server.js';
import { onPostgres } from '../helpers/postgres.js';
import { until } from '../helpers/until.js';

const testOnPostgres = onPostgres(test);

const reasonOf = async (...call: Parameters<typeof invoke>): Promise<unknown> => {
  const { error, details } = await invoke(...call);
  return error === '' ? 'ok' : details.reason;
};

test.serial('verbs: each is in force as it is answered, is in the trail, and outlives a SIGKILL', async (t) => {
  t.timeout(300_000);
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const env = { NATS_URL: server.url, EXTENSION_REGISTRY_ABSENCE_GRACE_SECONDS: '0' };
  let daemon = await DaemonProcess.startReady(t, env);
  const { dataDir } = daemon;
  const nc = await server.connect();
  await startExtension(nc, 'ext.echo', (request) => ({ body: request.data }));
  await daemon.sql()`insert into extensions (id, type, subject) values ('echo', 'pre', 'ext.echo'), ('down', 'pre', 'ext.down')`;
  await until('the extension is called', async () => (await reasonOf(nc, 'echo')) === 'ok');

  const restart = async () => {
    await daemon.stop('SIGKILL');
    daemon = await DaemonProcess.startReady(t, env, dataDir);
    await until('calls are taken', async () => (await invoke(nc, 'echo').catch(() => null)) !== null);
  };

  /** Its breaker opens, and it is switched off for that. */
  const fail = async () => {
    const sql = daemon.sql();
    await until('it fails', async () => (await reasonOf(nc, 'down')) === 'circuit_open');
    await until('it is disabled, and its breaker is stored', async () => {
      const [row] = await sql`
        select auto_disabled and exists (
          select from extension_health where extension_id = id and circuit_breaker_state = 'open') as is_off
        from extensions where id = 'down'`;
      return row?.is_off === true;
    });
  };

  await fail();
  t.like(await daemon.tell('down', 'enable'), { enabled: true, circuit_breaker_state: 'half_open' });
  t.like(await daemon.tell('echo', 'isolate'), { override: 'isolated', circuit_breaker_state: 'open', owed: false });
  t.is(await reasonOf(nc, 'echo'), 'isolated');
  await restart();
  t.is(await reasonOf(nc, 'echo'), 'isolated');
  t.is(await daemon.state('down'), 'half_open', 'what it had opened for is not held against it');
  t.like(await daemon.health('down'), { enabled: true, auto_disabled: false });

  await fail();
  t.like(await daemon.tell('down', 'reset'), { enabled: true, circuit_breaker_state: 'closed' });
  t.like(await daemon.tell('echo', 'force-closed'), { override: 'forced_closed', circuit_breaker_state: 'closed' });
  t.is(await reasonOf(nc, 'echo'), 'ok');
  t.like(await daemon.tell('echo', 'disable'), { enabled: false, override: 'forced_closed' });
  t.is(await reasonOf(nc, 'echo'), 'disabled');
  await restart();
  t.is(await reasonOf(nc, 'echo'), 'disabled');
  t.is(await daemon.state('down'), 'closed');
  t.like(await daemon.health('down'), { enabled: true, auto_disabled: false });
  t.like(await daemon.tell('echo', 'enable'), { enabled: true, override: 'forced_closed' });
  t.like(await daemon.tell('echo', 'release'), { override: null, circuit_breaker_state: 'closed' });
  t.is(await reasonOf(nc, 'echo'), 'ok');

  const trail = await daemon.sql()`
    select action, changed_by, reason from extension_audit_log
    where extension_id = 'echo' and revision is not null order by revision`;
  t.deepEqual(
    trail.map((row) => row.action),
    ['create', 'isolate', 'force_closed', 'disable', 'enable', 'release'],
  );
  t.true(trail.slice(1).every((row) => row.changed_by === 'admin:ada' && row.reason === 'a test'));
});

test.serial('what a person enables while no daemon runs is not disabled for what was before', async (t) => {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const env = { NATS_URL: server.url, EXTENSION_REGISTRY_ABSENCE_GRACE_SECONDS: '0' };
  const first = await DaemonProcess.startReady(t, env);
  const nc = await server.connect();
  const sql = first.sql();
  await sql`insert into extensions (id, type, subject) values ('down', 'pre', 'ext.down')`;
  await until('it fails', async () => (await reasonOf(nc, 'down')) === 'circuit_open');
  await until('it is disabled', async () => {
    const [row] = await sql`select auto_disabled from extensions where id = 'down'`;
    return row?.auto_disabled === true;
  });
  await sql`update extensions set enabled = true where id = 'down'`;
  await first.stop('SIGKILL');
  const second = await DaemonProcess.startReady(t, env, first.dataDir);
  t.is(await second.state('down'), 'half_open');
  t.false(second.has('auto_disabled'));
});

testOnPostgres(
  'PostgreSQL stops and starts: verbs of the breaker are in force at once, written later, and void where an operator decided since',
  async (t, database) => {
    if (database.connection.kind !== 'url') return t.fail();
    const server = await TestServer.start();
    t.teardown(() => server.stop());
    const env = { DATABASE_URL: database.connection.url, NATS_URL: server.url };
    const daemon = await DaemonProcess.startReady(t, env);
    const nc = await server.connect();
    await startExtension(nc, 'ext.x', (request) => ({ body: request.data }));
    const ids = ['kept', 'lost', 'other'];
    for (const id of ids)
      await database.open().$client`insert into extensions (id, type, subject) values (${id}, 'pre', 'ext.x')`;
    await until('they are called', async () => {
      for (const id of ids) if ((await reasonOf(nc, id)) !== 'ok') return false;
      return true;
    });
    await database.stopServer();
    t.like(await daemon.tell('other', 'disable'), { code: 'database_unavailable' });
    t.like(await daemon.tell('kept', 'isolate'), { owed: true, revision: null, override: 'isolated' });
    t.like(await daemon.tell('lost', 'isolate'), { owed: true });
    t.is(await reasonOf(nc, 'kept'), 'isolated');
    t.is(await reasonOf(nc, 'lost'), 'isolated');
    t.is(await reasonOf(nc, 'other'), 'ok');
    t.regex(await (await daemon.fetch('/metrics')).text(), /\nextension_registry_verbs_owed 2\n/);
    // The daemon is held, so that a person is first when the database is back.
    daemon.child.kill('SIGSTOP');
    await database.startServer();
    const sql = database.open().$client;
    await sql`update extensions set breaker_override = 'forced_closed' where id = 'lost'`;
    daemon.child.kill('SIGCONT');
    await until(
      'what was owed is written',
      async () => {
        const [row] = await sql`select breaker_override from extensions where id = 'kept'`;
        return row?.breaker_override === 'isolated';
      },
      30_000,
    );
    await until('what is void is told', () => daemon.has('verb_void'));
    await until('the registry is in force', async () => (await reasonOf(nc, 'lost')) === 'ok', 30_000);
    t.is(await reasonOf(nc, 'kept'), 'isolated');
    await until('the feed has told it', async () => (await daemon.health('lost')).override === 'forced_closed');
    const [row] = await sql`select breaker_override from extensions where id = 'lost'`;
    t.is(row?.breaker_override, 'forced_closed');
    await until('and is in the trail', async () => {
      const facts =
        await sql`select reason from extension_audit_log where extension_id = 'lost' and action = 'verb_void'`;
      return /^isolate by admin:ada \(a test\) was not written: db:postgres decided force_closed since$/.test(
        facts[0]?.reason,
      );
    });
    t.like(await daemon.tell('other', 'disable'), { enabled: false });
    t.is(await reasonOf(nc, 'other'), 'disabled');
  },
);

testOnPostgres('two daemons on one registry: a verb told to one is in force on the other', async (t, database) => {
  if (database.connection.kind !== 'url') return t.fail();
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const env = { DATABASE_URL: database.connection.url, NATS_URL: server.url };
  const one = await DaemonProcess.startReady(t, env);
  const two = await DaemonProcess.startReady(t, env);
  const sql = database.open().$client;
  await sql`insert into extensions (id, type, subject) values ('a', 'pre', 'ext.a')`;
  await sql`insert into extension_versions (id, version, subject) values ('a', 'v1', 'ext.a'), ('a', 'v2', 'ext.a2')`;
  await until(
    'both know it',
    async () => ((await one.state('a')) ?? '') + ((await two.state('a')) ?? '') === 'closedclosed',
  );
  const seen = async () => {
    const { override, enabled, versions = [] } = await two.health('a');
    const states = Object.fromEntries(
      versions.filter((v) => v.enabled).map((v) => [v.version, v.circuit_breaker_state]),
    );
    return [enabled, override, states.v1, states.v2].join();
  };
  for (const [verb, version, expected] of [
    ['isolate', 'v1', 'true,,open,closed'],
    ['reset', 'v1', 'true,,closed,closed'],
    ['isolate', undefined, 'true,isolated,open,open'],
    ['release', undefined, 'true,,half_open,half_open'],
    ['enable', undefined, 'true,,closed,closed'],
    ['disable', undefined, 'false,,closed,closed'],
  ] as const) {
    t.is((await one.tell('a', verb, version)).owed, false);
    await until(`the other has it: ${verb} ${version ?? ''}`, async () => (await seen()) === expected);
  }
});

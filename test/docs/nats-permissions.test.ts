// What docs/nats-permissions.md says of one account: its configuration on a real server. What it forbids is tried by the user of the page, and
// by one who has one permission more: the first must fail and the second must not.
import anyTest, { type ExecutionContext, type TestFn } from 'ava';
import { type Msg, type NatsConnection, headers as natsHeaders } from '#@nats-io/nats-core';
import { DaemonProcess } from '../helpers/daemon-process.js';
import { startExtension, type TestServer } from '../helpers/nats-server.js';
import { until } from '../helpers/until.js';
import {
  connect,
  EVENT,
  entryOf,
  listen,
  loginOf,
  ONE_ACCOUNT,
  PAGE,
  SUBJECT,
  serverOf,
  startDaemonWire,
  withVariant,
} from './nats-permissions-rig.js';

interface Attempt {
  readonly what: string;
  /** Who tries it, and the change with which it succeeds. */
  readonly user: string;
  readonly from: string;
  readonly to: string;
  /** Whether it has succeeded. Nothing is pending when it resolves. */
  readonly succeeds: (client: NatsConnection, world: World) => Promise<boolean>;
}

interface World {
  server: TestServer;
  /** As the page has them. */
  acme: NatsConnection;
  gateway: NatsConnection;
  ops: NatsConnection;
  extension: NatsConnection;
  /** May do everything. */
  other: NatsConnection;
  /** What the extension received, in order. */
  received: Msg[];
}

const test = anyTest as TestFn<World>;

const invoke = (client: NatsConnection, tail: string): Promise<Msg> =>
  client.request(`extreg.v1.invoke.${tail}`, 'a call', { timeout: 20_000 });

/** What `listener` receives at `subject` while `act` is done. */
async function overheard(listener: NatsConnection, subject: string, act: () => Promise<unknown>): Promise<Msg[]> {
  const received = await listen(listener, subject);
  await act();
  await listener.flush();
  return received;
}

/** Published by `client`, and then seen by `listener`, who may subscribe to it. */
const arrives = async (client: NatsConnection, listener: NatsConnection, subject: string): Promise<boolean> => {
  const received = await overheard(listener, subject, async () => {
    client.publish(subject, 'x', { reply: '_INBOX.acme.x' });
    await client.flush();
  });
  return received.length > 0;
};

const PUBLISH_ACME = 'publish: "extreg.v1.invoke.*.acme"';
const SUBSCRIBE_ACME = 'subscribe: "_INBOX.acme.>"';
const publishing = (subject: string) => ({
  from: PUBLISH_ACME,
  to: `publish: ["extreg.v1.invoke.*.acme", "${subject}"]`,
});
const subscribing = (subject: string) => ({ from: SUBSCRIBE_ACME, to: `subscribe: ["_INBOX.acme.>", "${subject}"]` });
const overhears =
  (subject: string) =>
  async (client: NatsConnection, { gateway }: World) =>
    (await overheard(client, subject, () => invoke(gateway, 'normalize_text'))).length > 0;

const ATTEMPTS: readonly Attempt[] = [
  {
    what: 'a caller sends a request to an extension directly',
    user: 'acme',
    ...publishing('beamline.ext.>'),
    succeeds: async (client, { extension, received }) => {
      const before = received.length;
      client.publish(SUBJECT, 'directly', { reply: '_INBOX.acme.x' });
      await client.flush();
      await extension.flush();
      return received.slice(before).some((message) => message.string() === 'directly');
    },
  },
  {
    what: 'a caller poses as an extension',
    user: 'acme',
    ...subscribing('beamline.ext.>'),
    succeeds: overhears(SUBJECT),
  },
  {
    what: 'a caller poses as the daemon',
    user: 'acme',
    ...subscribing('extreg.v1.invoke.>'),
    succeeds: overhears('extreg.v1.invoke.>'),
  },
  {
    what: 'a caller reads the replies of another one',
    user: 'acme',
    ...subscribing('_INBOX.>'),
    succeeds: overhears('_INBOX.gateway.>'),
  },
  {
    what: 'a caller reads the replies of extensions',
    user: 'acme',
    ...subscribing('_INBOX_extreg.>'),
    succeeds: overhears('_INBOX_extreg.>'),
  },
  {
    what: 'a caller names another tenant in the subject',
    user: 'acme',
    ...publishing('extreg.v1.invoke.>'),
    succeeds: async (client, { received }) => {
      const before = received.length;
      await invoke(client, 'normalize_text.globex').catch(() => null);
      return received.slice(before).some(({ headers }) => headers?.get('Extreg-Tenant-Id') === 'globex');
    },
  },
  {
    what: 'a caller names no tenant in the subject, and another one in a header',
    user: 'acme',
    ...publishing('extreg.v1.invoke.*'),
    succeeds: async (client, { received }) => {
      const before = received.length;
      const headers = natsHeaders();
      headers.set('Extreg-Tenant-Id', 'globex');
      await client.request('extreg.v1.invoke.normalize_text', '', { headers, timeout: 20_000 }).catch(() => null);
      return received.slice(before).some((message) => message.headers?.get('Extreg-Tenant-Id') === 'globex');
    },
  },
  {
    what: 'a caller publishes an event',
    user: 'acme',
    ...publishing('extreg.v1.event.>'),
    succeeds: (client, { ops }) => arrives(client, ops, EVENT),
  },
  {
    what: 'a caller asks for an admin verb',
    user: 'acme',
    ...publishing('extreg.v1.admin.>'),
    succeeds: (client, { other }) => arrives(client, other, 'extreg.v1.admin.health'),
  },
  {
    what: 'a caller poses as a replica',
    user: 'acme',
    ...publishing('extreg.v1.fleet.>'),
    succeeds: (client, { other }) => arrives(client, other, 'extreg.v1.fleet.f1.hb'),
  },
  {
    what: 'a caller reads what replicas say',
    user: 'acme',
    ...subscribing('extreg.v1.fleet.>'),
    succeeds: (client, { other }) => arrives(other, client, 'extreg.v1.fleet.f1.hb'),
  },
  {
    what: 'an extension poses as a replica',
    user: 'normalize_text',
    from: 'subscribe:',
    to: 'publish: "extreg.v1.fleet.>", subscribe:',
    succeeds: (client, { other }) => arrives(client, other, 'extreg.v1.fleet.f1.bye'),
  },
  {
    what: 'an extension publishes an event',
    user: 'normalize_text',
    from: 'subscribe:',
    to: 'publish: "extreg.v1.event.>", subscribe:',
    succeeds: (client, { ops }) => arrives(client, ops, EVENT),
  },
  {
    what: 'an extension calls',
    user: 'normalize_text',
    from: 'subscribe:',
    to: 'publish: "extreg.v1.invoke.>", subscribe:',
    succeeds: (client, { other }) => arrives(client, other, 'extreg.v1.invoke.normalize_text'),
  },
  {
    what: 'an extension writes to the inbox of a caller',
    user: 'normalize_text',
    from: 'subscribe:',
    to: 'publish: "_INBOX.>", subscribe:',
    succeeds: (client, { acme }) => arrives(client, acme, '_INBOX.acme.unasked'),
  },
  {
    what: 'an extension gets the requests of another one',
    user: 'normalize_text',
    from: '"beamline.ext.pre.normalize_text.>"',
    to: '"beamline.ext.>"',
    succeeds: (client, { other }) => arrives(other, client, 'beamline.ext.pre.other.v1'),
  },
  {
    what: 'an extension replies twice',
    user: 'normalize_text',
    from: 'max: 1',
    to: 'max: 2',
    succeeds: async (client, { other }) => {
      const subscription = client.subscribe('beamline.ext.pre.normalize_text.twice', {
        callback: (error, request) => {
          if (error === null) for (const body of ['1', '2']) request.respond(body);
        },
      });
      await client.flush();
      const replies = await overheard(other, '_INBOX.other.twice', async () => {
        other.publish('beamline.ext.pre.normalize_text.twice', '', { reply: '_INBOX.other.twice' });
        await other.flush();
        // It has the request now; what it replied is with the server when it has flushed.
        await client.flush();
        await client.flush();
      });
      subscription.unsubscribe();
      return replies.length === 2;
    },
  },
  {
    what: 'a client of operators calls',
    user: 'ops',
    from: '"$SRV.>"',
    to: '"$SRV.>", "extreg.v1.invoke.>"',
    succeeds: (client, { other }) => arrives(client, other, 'extreg.v1.invoke.normalize_text'),
  },
];

const variantOf = (i: number): string => `variant_${i}`;

test.before(async (t) => {
  let block = ONE_ACCOUNT;
  for (const [i, { user, from, to }] of ATTEMPTS.entries()) block = withVariant(block, user, variantOf(i), from, to);
  block = block.replace('users = [', 'users = [ { user: other, password: "secret-OTHER_PASSWORD" }');
  const server = await serverOf({ teardown: () => undefined } as unknown as ExecutionContext, block);
  const [acme, gateway, ops, extension, other] = await Promise.all(
    ['acme', 'gateway', 'ops', 'normalize_text', 'other'].map((user) => connect(server, user)),
  );
  Object.assign(t.context, { server, acme, gateway, ops, extension, other });
  const { received } = await startExtension(extension as NatsConnection, SUBJECT, () => ({ body: 'normal' }));
  t.context.received = received;
});
test.after.always((t) => t.context.server.stop());

for (const [i, { what, user, succeeds }] of ATTEMPTS.entries())
  test.serial(`permissions: ${what}: not without the permission, which it takes`, async (t) => {
    const { server } = t.context;
    await startDaemonWire(t, server);
    t.false(await succeeds(await connect(server, user), t.context));
    t.true(await succeeds(await connect(server, variantOf(i), user), t.context));
  });

test.serial('permissions: what the page allows works, and the daemon is denied nothing', async (t) => {
  const { server, acme, gateway, ops, received } = t.context;
  const { rig, publishEvent, denied, replicas } = await startDaemonWire(t, server);
  await until('its greeting', () => replicas.includes('daemon'));
  t.is((await invoke(acme, 'normalize_text.acme')).string(), 'normal');
  t.is(received.at(-1)?.headers?.get('Extreg-Tenant-Id'), 'acme');
  t.is((await invoke(gateway, 'normalize_text.globex')).string(), 'normal');
  t.is(received.at(-1)?.headers?.get('Extreg-Tenant-Id'), 'globex');
  t.is((await ops.request('$SRV.PING.extreg', '', { timeout: 20_000 })).json<{ name: string }>().name, 'extreg');
  t.deepEqual((await ops.request('extreg.v1.admin.health', '', { timeout: 20_000 })).json(), { well: true });
  const events = await listen(ops, 'extreg.v1.event.>');
  publishEvent();
  await until('the event', () => events.length === 1);
  await rig.selfCheck.passed;
  t.is(rig.selfCheck.problem, null);
  t.deepEqual(denied(), []);
});

const DAEMON = entryOf(ONE_ACCOUNT, 'extreg');
const DAEMON_SUBSCRIBES = DAEMON.slice(DAEMON.indexOf('subscribe:'));
const NEEDED = [...DAEMON.matchAll(/"([^"]+)"/g)].map(([, subject = '']) => subject);

test('permissions: the daemon needs each of its permissions', async (t) => {
  t.is(NEEDED.length, 10);
  let block = ONE_ACCOUNT;
  // The subject of the fleet is there twice: to publish, and to subscribe.
  const lacking = (subject: string, i: number) =>
    NEEDED.indexOf(subject) === i
      ? [`"${subject}"`, '']
      : [DAEMON_SUBSCRIBES, DAEMON_SUBSCRIBES.replace(`"${subject}"`, '')];
  for (const [i, subject] of NEEDED.entries()) {
    const [from = '', to = ''] = lacking(subject, i);
    block = withVariant(block, 'extreg', `lacks_${i}`, from, to);
  }
  const server = await serverOf(t, block);
  for (const [i, subject] of NEEDED.entries()) {
    const { rig, publishEvent, denied } = await startDaemonWire(t, server, `lacks_${i}`);
    publishEvent();
    rig.connection.publish(SUBJECT, '', '', Buffer.alloc(0));
    await until(`the error for ${subject}`, () => denied().length > 0);
    const start = subject.replace('>', '');
    t.true(String(denied()[0]?.subject).startsWith(start), `${subject}: ${JSON.stringify(denied())}`);
    await rig.close();
  }
});

test('permissions: a caller who has a tenant in the subject gets no other by a header or a body; nor is a reply published as an event', async (t) => {
  const server = await serverOf(t, ONE_ACCOUNT);
  const [acme, ops, extension] = [
    await connect(server, 'acme'),
    await connect(server, 'ops'),
    await connect(server, 'normalize_text'),
  ];
  const { received } = await startExtension(extension, SUBJECT, () => ({ body: 'normal' }));
  const headers = natsHeaders();
  headers.set('Extreg-Tenant-Id', 'globex');
  const events = await listen(ops, 'extreg.v1.event.>');
  const claim = async (): Promise<void> => {
    const subject = 'extreg.v1.invoke.normalize_text.acme';
    await acme.request(subject, '{"context": {"tenant_id": "globex"}, "tenant_id": "globex"}', {
      headers,
      timeout: 20_000,
    });
    acme.publish(subject, '', { reply: EVENT });
    await acme.request(subject, '', { timeout: 20_000 });
    await ops.flush();
  };
  const tenants = () => received.splice(0).map((message) => message.headers?.get('Extreg-Tenant-Id'));

  const daemon = await startDaemonWire(t, server);
  await claim();
  t.deepEqual(tenants(), ['acme', 'acme']);
  t.is(events.length, 0);
  await daemon.rig.close();

  // The same with the settings that the page warns of.
  await startDaemonWire(t, server, 'extreg', {
    contextFrom: ['header', 'subject'],
    settings: { replyPrefixes: ['_INBOX', 'extreg.v1.event'] },
  });
  await claim();
  t.deepEqual(tenants(), ['globex', 'acme', 'acme']);
  t.is(events.length, 1);
});

test('permissions: a daemon with the settings of the page serves calls, and is denied nothing', async (t) => {
  for (const setting of ['nats_user: extreg', 'subject_prefixes:\n    - beamline.ext\n'])
    t.true(PAGE.includes(setting));
  const server = await serverOf(t, ONE_ACCOUNT);
  const { user, pass } = loginOf('extreg');
  const [acme, ops, extension] = [
    await connect(server, 'acme'),
    await connect(server, 'ops'),
    await connect(server, 'normalize_text'),
  ];
  await startExtension(extension, SUBJECT, () => ({ body: 'normal' }));
  const events = await listen(ops, 'extreg.v1.event.>');
  const daemon = await DaemonProcess.startReady(t, {
    NATS_URL: server.url,
    EXTENSION_REGISTRY_NATS_USER: user,
    EXTENSION_REGISTRY_NATS_PASSWORD: pass,
    EXTENSION_REGISTRY_SUBJECT_PREFIXES: 'beamline.ext',
  });
  const sql = daemon.sql();
  await sql`insert into extensions (id, type, subject) values ('normalize_text', 'pre', ${SUBJECT}), ('bad', 'pre', 'elsewhere')`;
  await until('the call', async () => (await invoke(acme, 'normalize_text.acme')).string() === 'normal');
  await until('the event', () => events.some(({ subject }) => subject === 'extreg.v1.event.registry_row_rejected.bad'));
  t.is((await ops.request('$SRV.INFO.extreg', '', { timeout: 20_000 })).json<{ name: string }>().name, 'extreg');
  t.deepEqual(
    daemon.log.filter(({ event }) => event === 'nats_permission_denied'),
    [],
  );
});

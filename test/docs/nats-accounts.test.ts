// What docs/nats-permissions.md says of callers in accounts of their own: its configuration on a real server, and what happens without a part of it.
import test, { type ExecutionContext } from 'ava';
import { type Msg, type NatsConnection, headers as natsHeaders } from '#@nats-io/nats-core';
import { startExtension, TestServer } from '../helpers/nats-server.js';
import { until } from '../helpers/until.js';
import {
  ACCOUNTS,
  configOf,
  connect,
  listen,
  loginOf,
  SUBJECT,
  serverOf,
  startDaemonWire,
} from './nats-permissions-rig.js';

const invoke = (client: NatsConnection, tail: string, timeout = 20_000): Promise<Msg> =>
  client.request(`extreg.v1.invoke.${tail}`, 'a call', { timeout });

/** The block with one change, which must be one. */
function changed(block: string, from: string, to: string): string {
  if (!block.includes(from)) throw new Error(`the page has no ${from}`);
  return block.replace(from, to);
}

async function worldOf(t: ExecutionContext, block: string) {
  const server = await serverOf(t, block);
  const extension = await connect(server, 'normalize_text');
  const { received } = await startExtension(extension, SUBJECT, () => {
    const headers = natsHeaders();
    headers.set('X-Kept', 'yes');
    return { body: 'normal', headers };
  });
  return { server, extension, received, daemon: await startDaemonWire(t, server) };
}

const tenantOf = (message: Msg | undefined): string | undefined => message?.headers?.get('Extreg-Tenant-Id');

test('accounts: calls of each account arrive with its tenant, and the replies flow back', async (t) => {
  const { server, received, daemon } = await worldOf(t, ACCOUNTS);
  for (const tenant of ['acme', 'globex']) {
    const caller = await server.connect(loginOf(tenant));
    const headers = natsHeaders();
    headers.set('Extreg-Tenant-Id', 'initech');
    const reply = await caller.request('extreg.v1.invoke.normalize_text', '', { headers, timeout: 20_000 });
    t.is(reply.string(), 'normal');
    t.is(reply.headers?.get('X-Kept'), 'yes');
    t.is(reply.headers?.get('Extreg-Version'), 'v1');
    t.is(tenantOf(received.at(-1)), tenant);
    const refused = await invoke(caller, 'not$an-id');
    t.is(refused.headers?.get('Extreg-Error'), 'invalid_request');
  }
  const ops = await server.connect(loginOf('ops'));
  const events = await listen(ops, 'extreg.v1.event.>');
  daemon.publishEvent();
  await until('the event', () => events.length === 1);
  t.deepEqual((await ops.request('extreg.v1.admin.health', '', { timeout: 20_000 })).json(), { well: true });
  t.is((await ops.request('$SRV.PING.extreg', '', { timeout: 20_000 })).json<{ name: string }>().name, 'extreg');
  await daemon.rig.selfCheck.passed;
  t.deepEqual(daemon.denied(), []);
});

test('accounts: discovery reaches every daemon, each of which answers', async (t) => {
  const { server } = await worldOf(t, ACCOUNTS);
  await startDaemonWire(t, server);
  const ops = await server.connect(loginOf('ops'));
  const pings = await listen(ops, 'ops.pings');
  ops.publish('$SRV.PING', '', { reply: 'ops.pings' });
  await until('both', () => pings.length === 2);
  t.pass();
});

/** Whether what `client` publishes reaches the extension. */
async function reaches(
  client: NatsConnection,
  subject: string,
  extension: NatsConnection,
  received: Msg[],
): Promise<boolean> {
  const before = received.length;
  client.publish(subject, 'directly', { reply: '_INBOX.x' });
  await client.flush();
  await extension.flush();
  return received.slice(before).some((message) => message.string() === 'directly');
}

test('accounts: a caller does not reach an extension, which it does where its subject is exported', async (t) => {
  const shown = await worldOf(t, ACCOUNTS);
  t.false(await reaches(await shown.server.connect(loginOf('acme')), SUBJECT, shown.extension, shown.received));

  const exported = changed(ACCOUNTS, 'exports = [', 'exports = [ { service: "beamline.ext.>" }');
  const imported = changed(
    exported,
    'imports = [\n      { service: { account: REGISTRY, subject: "extreg.v1.invoke.*.acme"',
    'imports = [ { service: { account: REGISTRY, subject: "beamline.ext.>" } }\n { service: { account: REGISTRY, subject: "extreg.v1.invoke.*.acme"',
  );
  const open = await worldOf(t, imported);
  t.true(await reaches(await open.server.connect(loginOf('acme')), SUBJECT, open.extension, open.received));
});

test('accounts: no account imports the tenant of another one, which it can where the export names no accounts', async (t) => {
  const claim = {
    from: 'subject: "extreg.v1.invoke.*.globex" }, to:',
    to: 'subject: "extreg.v1.invoke.*.acme" }, to:',
  };
  const claiming = changed(ACCOUNTS, claim.from, claim.to);
  await t.throwsAsync(TestServer.start(configOf(claiming)), { message: /not authorized|import/i });

  const open = changed(
    claiming,
    '{ service: "extreg.v1.invoke.*.acme", accounts: [ACME] }',
    '{ service: "extreg.v1.invoke.*.acme" }',
  );
  const { server, received } = await worldOf(t, open);
  await invoke(await server.connect(loginOf('globex')), 'normalize_text');
  t.is(tenantOf(received.at(-1)), 'acme');
});

test('accounts: a caller names no tenant itself, which it can where the import leaves it open', async (t) => {
  const shown = await worldOf(t, ACCOUNTS);
  const acme = await shown.server.connect(loginOf('acme'));
  t.false(await reaches(acme, 'extreg.v1.invoke.normalize_text.globex', shown.extension, shown.received));

  const block = changed(
    changed(ACCOUNTS, '"extreg.v1.invoke.*.acme", accounts: [ACME]', '"extreg.v1.invoke.>", accounts: [ACME]'),
    '{ service: { account: REGISTRY, subject: "extreg.v1.invoke.*.acme" }, to: "extreg.v1.invoke.*" }',
    '{ service: { account: REGISTRY, subject: "extreg.v1.invoke.>" } }',
  );
  const open = await worldOf(t, block);
  await invoke(await open.server.connect(loginOf('acme')), 'normalize_text.globex');
  t.is(tenantOf(open.received.at(-1)), 'globex');
});

test('accounts: replies are read by clients of the same account alone', async (t) => {
  const spying = (account: string) =>
    changed(
      ACCOUNTS,
      `${account} {\n    users = [`,
      `${account} {\n    users = [ { user: spy, password: "secret-SPY_PASSWORD" },`,
    );
  const heardIn = async (account: string): Promise<number> => {
    const { server } = await worldOf(t, spying(account));
    const spy = await server.connect(loginOf('spy'));
    const heard = await listen(spy, '>');
    await invoke(await server.connect(loginOf('acme')), 'normalize_text');
    await spy.flush();
    return heard.length;
  };
  t.is(await heardIn('GLOBEX'), 0);
  t.true((await heardIn('ACME')) > 0);
});

test('accounts: a daemon that may not publish to _R_.> answers no caller of another account', async (t) => {
  const { server, daemon } = await worldOf(t, changed(ACCOUNTS, '"_R_.>"', ''));
  const acme = await server.connect(loginOf('acme'));
  acme.publish('extreg.v1.invoke.normalize_text', '', { reply: '_INBOX.x' });
  await until('the error', () => daemon.denied().length > 0);
  t.regex(String(daemon.denied()[0]?.subject), /^_R_\./);
});

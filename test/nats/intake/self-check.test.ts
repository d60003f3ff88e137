// SELF-CHECK-1..SELF-CHECK-4 of self-check.ts: whether a call would be answered, on a real server.
import test, { type ExecutionContext } from 'ava';
import type { Msg } from '#@nats-io/nats-core';
import { TestServer } from '../../helpers/nats-server.js';
import { SimulatedClock } from '../../helpers/simulated-clock.js';
import { until } from '../../helpers/until.js';
import { errorOf, invoke, PREFIX, Rig, type RigOptions, recordingLogger } from '../wire-rig.js';

const EVERY_MS = 5000;
const DAEMON = { connection: { user: 'daemon', password: 'daemon' } };
const permitting = (permissions: string): string => `authorization { users: [
  { user: "admin", password: "admin" }, { user: "daemon", password: "daemon", permissions: { ${permissions} } }
] }`;

async function serverOf(t: ExecutionContext, config = ''): Promise<TestServer> {
  const server = await TestServer.start(config);
  t.teardown(() => server.stop());
  return server;
}

/** Its self check is started. */
async function rigOf(t: ExecutionContext, server: TestServer, options: RigOptions = {}) {
  const { log, lines } = recordingLogger();
  const rig = await Rig.start(server, { log, ...options });
  t.teardown(() => rig.close());
  rig.selfCheck.start();
  const says = (event: string) => until(event, () => lines.some((line) => line.event === event));
  return { rig, lines, passes: () => says('nats_self_check_passed'), fails: () => says('nats_self_check_failed') };
}

test('SELF-CHECK-1: each of two daemons in the queue group answers its own message, and neither counts it as a call', async (t) => {
  const server = await serverOf(t);
  const both = [await rigOf(t, server), await rigOf(t, server)];
  for (const { rig, passes } of both) {
    await passes();
    t.is(rig.selfCheck.problem, null);
  }
  for (const { rig } of both) t.like(rig.intake.counts(), { accepted: 0, notAccepted: 0, inFlight: 0 });
});

test('SELF-CHECK-1: a daemon whose subscription the server did not take is not ready, whatever the other of its group does', async (t) => {
  // Replies, receipts and invocations: one more is over the limit, which the server says of no subscription in particular.
  const server = await serverOf(t, 'max_subscriptions: 3');
  const well = await rigOf(t, server);
  await well.passes();
  const { rig, fails } = await rigOf(t, server, { subscribeFirst: 1 });
  await fails();
  t.true(rig.intake.listening, 'nothing was said of it');
  t.regex(String(rig.selfCheck.problem), /^no message arrives through the subscription of extreg\.v1\.invoke\.>/);
  t.is(well.rig.selfCheck.problem, null);
});

test('SELF-CHECK-2: it is checked again every five seconds, and what was refused is asked for again', async (t) => {
  const server = await serverOf(t, 'max_subscriptions: 3');
  const clock = new SimulatedClock();
  const { rig, fails, passes } = await rigOf(t, server, { subscribeFirst: 1, clock });
  await fails();
  await server.kill();
  await until('the disconnect', () => !rig.connection.connected);
  t.regex(String(rig.selfCheck.problem), /has arrived yet$/);
  await server.restart('');
  await passes();
  t.is(rig.selfCheck.problem, null);
  const client = await server.connect();
  const seen: Msg[] = [];
  client.subscribe(`${PREFIX}.invoke.>`, { callback: (_, message) => void seen.push(message) });
  await client.flush();
  clock.advance(EVERY_MS - 1);
  await client.flush();
  t.is(seen.length, 0);
  clock.advance(1);
  await until('the next check', () => seen.length > 0);
});

test('SELF-CHECK-1: without the permission to reply it is not ready, and with allow_responses it is', async (t) => {
  const check = '"extreg.v1.invoke.$ready.>"';
  const server = await serverOf(t, permitting(`publish: { allow: ["ext.>", ${check}] }, subscribe: ">"`));
  const { rig, fails } = await rigOf(t, server, DAEMON);
  await fails();
  t.regex(String(rig.selfCheck.problem), /^the server does not permit replies: publishing to _INBOX\.extreg_ready\./);
  const other = await serverOf(
    t,
    permitting(`publish: { allow: ["ext.>", ${check}] }, subscribe: ">", allow_responses: true`),
  );
  const permitted = await rigOf(t, other, DAEMON);
  await permitted.passes();
  t.is(permitted.rig.selfCheck.problem, null);
});

test('SELF-CHECK-3: a daemon that may not send the message is judged by what the server says, and asks once', async (t) => {
  const server = await serverOf(t, permitting('publish: { allow: ["ext.>", "_INBOX.>"] }, subscribe: ">"'));
  const clock = new SimulatedClock();
  const { rig, lines, passes } = await rigOf(t, server, { ...DAEMON, clock });
  await passes();
  t.is(rig.selfCheck.problem, null);
  t.is(lines.find(({ event }) => event === 'nats_self_check_passed')?.tried, false);
  clock.advance(EVERY_MS * 3);
  await rig.connection.flush();
  t.is(lines.filter(({ event }) => event === 'nats_permission_denied').length, 1);
});

test('SELF-CHECK-1: what looks like a check and is none of a daemon is answered as any call of a wrong subject', async (t) => {
  const server = await serverOf(t);
  await rigOf(t, server);
  const client = await server.connect();
  for (const rest of ['$ready', '$ready.x', `$ready.${'0'.repeat(17)}`, '$ready.0123456789abcdef'])
    t.is(errorOf(await invoke(client, rest)).code, 'invalid_request', rest);
});

for (const [config, reason] of [
  ['no_header_support: true', 'the server does not support headers (no_header_support)'],
  ['max_payload: 64', "the server's max_payload is 64 bytes; answers with their headers need 256"],
] as const)
  test(`SELF-CHECK-4: a server with ${config} makes it not ready, and a call does not cost the connection`, async (t) => {
    const server = await serverOf(t, config);
    const { rig, lines, fails } = await rigOf(t, server);
    await fails();
    t.is(rig.selfCheck.problem, reason);
    const client = await server.connect();
    await t.throwsAsync(client.request(`${PREFIX}.invoke.echo`, '{}', { timeout: 200 }), { name: 'TimeoutError' });
    await rig.connection.flush();
    t.true(rig.connection.connected);
    t.false(lines.some(({ event }) => event === 'nats_disconnected'));
  });

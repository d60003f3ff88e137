import test from 'ava';
import type { Msg } from '#@nats-io/nats-core';
import type { Invocation } from '../../../src/actors/ports/transport.js';
import { startExtension, TestServer } from '../../helpers/nats-server.js';
import { SimulatedClock } from '../../helpers/simulated-clock.js';
import { until } from '../../helpers/until.js';
import { Ends, invoke, PREFIX, Rig, type RigOptions, recordingLogger, systemClock } from '../wire-rig.js';

type Context = { teardown(fn: () => unknown): void };

async function serverOf(t: Context, config = ''): Promise<TestServer> {
  const server = await TestServer.start(config);
  t.teardown(() => server.stop());
  return server;
}

async function rigOf(t: Context, server: TestServer, options: RigOptions = {}): Promise<Rig> {
  const rig = await Rig.start(server, options);
  t.teardown(() => rig.close());
  return rig;
}

test('REQUESTER-2: losing the connection ends what is pending, and what follows ends at once, until it is back', async (t) => {
  const server = await serverOf(t);
  const client = await server.connect();
  const extension = await startExtension(client, 'ext.normalize', () => null);
  const seen: Invocation[] = [];
  const rig = await rigOf(t, server, { handle: () => (invocation) => void seen.push(invocation) });
  client.publish(`${PREFIX}.invoke.normalize`, 'x', { reply: '_INBOX.a' });
  await until('the invocation', () => seen.length === 1);
  const pending = new Ends();
  for (let i = 0; i < 10; i += 1) rig.requester.send(rig.route, seen[0] as Invocation, 1, 60_000, 60_000, pending);
  await until('the requests', () => extension.received.length === 10);
  await server.kill();
  await until('the disconnect', () => !rig.connection.connected);
  t.deepEqual(pending.kinds, Array(10).fill('disconnected'));
  const refused = new Ends();
  rig.requester.send(rig.route, seen[0] as Invocation, 1, 60_000, 60_000, refused);
  t.deepEqual(refused.kinds, ['disconnected']);
  await server.restart();
  await until('the reconnect', () => rig.connection.connected);
  extension.stop();
  const answering = await server.connect();
  await startExtension(answering, 'ext.normalize', () => ({ body: 'back' }));
  const again = new Ends();
  rig.requester.send(rig.route, seen[0] as Invocation, 1, 60_000, 60_000, again);
  await until('the reply', () => again.kinds.length === 1);
  t.deepEqual(again.kinds, ['reply']);
});

test('REPLIES-1, REPLIES-2: an answer owed over an outage reaches a caller who comes back later than we do', async (t) => {
  const server = await serverOf(t);
  const caller = await server.connect({ reconnectTimeWait: 700 });
  const seen: Invocation[] = [];
  const rig = await rigOf(t, server, { handle: () => (invocation) => void seen.push(invocation) });
  const replies: Msg[] = [];
  caller.subscribe('_INBOX.owed', { callback: (_, message) => void replies.push(message) });
  caller.publish(`${PREFIX}.invoke.normalize`, 'x', { reply: '_INBOX.owed' });
  await until('the invocation', () => seen.length === 1);
  await server.kill();
  await until('the disconnect', () => !rig.connection.connected);
  seen[0]?.refuse({ code: 'not_connected', message: 'the connection was lost' });
  t.is(rig.replies.counts().pending, 1);
  await server.restart();
  await until('the answer', () => replies.length > 0);
  await until('the end of the debt', () => rig.replies.counts().pending === 0);
  t.is(replies.length, 1);
  t.is(replies[0]?.headers?.get('Extreg-Error'), 'not_connected');
  t.is(rig.replies.counts().dropped, 0);
});

test('REPLIES-1: an answer owed past its deadline is dropped and counted', async (t) => {
  const server = await serverOf(t);
  const clock = new SimulatedClock();
  const rig = await rigOf(t, server, { clock });
  await server.kill();
  await until('the disconnect', () => !rig.connection.connected);
  rig.replies.send('_INBOX.a', '', Buffer.from('x'), clock.now() + 1000);
  rig.replies.send('_INBOX.b', '', Buffer.from('x'), clock.now());
  t.deepEqual(rig.replies.counts(), { pending: 1, dropped: 1 });
  clock.advance(1000);
  await server.restart();
  await until('the reconnect', () => rig.connection.connected);
  t.deepEqual(rig.replies.counts(), { pending: 0, dropped: 2 });
});

test('REPLIES-1: owed answers are bounded in number and in bytes', async (t) => {
  const server = await serverOf(t);
  const rig = await rigOf(t, server);
  await server.kill();
  await until('the disconnect', () => !rig.connection.connected);
  const deadline = systemClock.now() + 60_000;
  const large = Buffer.alloc(1024 * 1024);
  for (let i = 0; i < 40; i += 1) rig.replies.send('_INBOX.a', '', large, deadline);
  t.deepEqual(rig.replies.counts(), { pending: 32, dropped: 8 });
  rig.replies.close();
  t.is(rig.replies.counts().pending, 0);
  for (let i = 0; i < 10_001; i += 1) rig.replies.send('_INBOX.a', '', Buffer.alloc(0), deadline);
  t.is(rig.replies.counts().pending, 10_000);
});

test('CONNECTION-2: the first connect may come long after the start, and subscriptions wait for it', async (t) => {
  const server = await serverOf(t);
  await server.kill();
  const { log, lines } = recordingLogger();
  const rig = new Rig(server, { log });
  t.teardown(() => rig.close());
  const states: string[] = [];
  rig.connection.onState((state) => states.push(state));
  await until('a failed attempt', () => lines.some((line) => line.event === 'nats_connect_failed'));
  t.false(rig.connection.connected);
  await server.restart();
  await rig.connection.firstConnected;
  await rig.connection.flush();
  const client = await server.connect();
  await startExtension(client, 'ext.normalize', () => ({ body: 'first' }));
  t.is((await invoke(client, 'normalize')).string(), 'first');
  t.deepEqual(states, ['connected']);
});

test('CONNECTION-2: close() ends the attempts to connect', async (t) => {
  const server = await serverOf(t);
  await server.kill();
  const rig = new Rig(server);
  await rig.close();
  await server.restart();
  const client = await server.connect();
  await t.throwsAsync(client.request('$SYS.REQ.none', ''), { message: /no responders/ });
  t.false(rig.connection.connected);
});

test('BROKER-SUBSCRIPTION-1: a callback that throws does not end the reader', async (t) => {
  const server = await serverOf(t);
  const { log, lines } = recordingLogger();
  const rig = await rigOf(t, server, { log });
  const heard: string[] = [];
  rig.connection.subscribe('bomb', null, () => {
    throw new Error('boom');
  });
  rig.connection.subscribe('fine', null, (message) => void heard.push(Buffer.from(message.body).toString()));
  const client = await server.connect();
  await rig.connection.flush();
  client.publish('bomb', '1');
  client.publish('fine', '2');
  await until('the message', () => heard.length === 1);
  t.is(lines.filter((line) => line.event === 'nats_callback_failed').length, 1);
});

test('CONNECTION-3: a state listener that throws keeps no other from hearing', async (t) => {
  const server = await serverOf(t);
  const rig = new Rig(server);
  t.teardown(() => rig.close());
  const states: string[] = [];
  rig.connection.onState(() => {
    throw new Error('boom');
  });
  rig.connection.onState((state) => states.push(state));
  await rig.connection.firstConnected;
  await server.kill();
  await until('the disconnect', () => states.length === 2);
  t.deepEqual(states, ['connected', 'disconnected']);
});

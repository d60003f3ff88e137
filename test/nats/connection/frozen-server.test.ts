// A nats-server that stands still without dying: its connections stay open and nothing comes.

import test from 'ava';
import { NatsConnectionImpl } from '#@nats-io/nats-core/internal';
import { startExtension, TestServer } from '../../helpers/nats-server.js';
import { until } from '../../helpers/until.js';
import { errorOf, invoke, PREFIX, Rig, type RigOptions, recordingLogger } from '../wire-rig.js';

type Context = { teardown(fn: () => unknown): void };

/** Longer than the client waits for a server that does not answer. */
const NOTICED_MS = 20_000;

async function worldOf(t: Context, options: RigOptions = {}) {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const rig = await Rig.start(server, options);
  t.teardown(() => rig.close());
  return { server, rig, client: await server.connect() };
}

// Serial: it counts what every connection of this process does.
test.serial('ROUND-TRIPS-1: one round trip is out at a time, and all who ask meanwhile share the next', async (t) => {
  const { server, rig } = await worldOf(t);
  const { flush } = NatsConnectionImpl.prototype;
  let sent = 0;
  NatsConnectionImpl.prototype.flush = function (this: NatsConnectionImpl) {
    sent += 1;
    return flush.call(this);
  };
  t.teardown(() => {
    NatsConnectionImpl.prototype.flush = flush;
  });
  await server.freeze();
  const trips: Promise<boolean>[] = [];
  for (let turn = 0; turn < 20; turn += 1) {
    for (let i = 0; i < 5; i += 1) trips.push(rig.connection.roundTrip());
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.is(sent, 1);
  server.thaw();
  t.deepEqual(await Promise.all(trips), Array(100).fill(true));
  t.is(sent, 2);
});

test('ROUND-TRIPS-1: a round trip takes in what the server had for us when it began', async (t) => {
  const { rig, client } = await worldOf(t);
  let heard = 0;
  rig.connection.subscribe('many', null, () => {
    heard += 1;
  });
  await rig.connection.flush();
  for (let i = 0; i < 1000; i += 1) client.publish('many', new Uint8Array(5000));
  await client.flush();
  t.true(await rig.connection.roundTrip());
  t.is(heard, 1000);
});

test('ROUND-TRIPS-1: without a connection a round trip is none, and what waits for one is run', async (t) => {
  const { server, rig } = await worldOf(t);
  await server.kill();
  await until('the disconnect', () => !rig.connection.connected);
  t.false(await rig.connection.roundTrip());
  let runs = 0;
  rig.requester.afterRoundTrip(() => {
    runs += 1;
  });
  await until('the run', () => runs === 1);
});

test('ROUND-TRIPS-1, CONNECTION-4: what waits for a server that stands still waits until it is left, and then runs, once', async (t) => {
  const { log, lines } = recordingLogger();
  const { server, rig } = await worldOf(t, { log });
  await server.freeze();
  const runs: string[] = [];
  let stalls = 0;
  rig.connection.onStall(() => {
    stalls += 1;
  });
  rig.requester.afterRoundTrip(() => runs.push(rig.connection.connected ? 'connected' : 'disconnected'));
  const trips = [rig.connection.roundTrip(), rig.connection.roundTrip()];
  await until('it is noticed', () => stalls > 3);
  t.deepEqual(runs, []);
  await until('the disconnect', () => !rig.connection.connected, NOTICED_MS);
  t.deepEqual(await Promise.all(trips), [false, false]);
  t.deepEqual(runs, ['disconnected']);
  server.thaw();
  await until('the reconnect', () => rig.connection.connected, NOTICED_MS);
  t.true(await rig.connection.roundTrip());
  t.deepEqual(runs, ['disconnected']);
  const trouble = lines.filter((line) => line.event === 'nats_trouble').map((line) => line.kind);
  t.deepEqual(trouble, ['stalled', 'staleConnection']);
});

test('CONNECTION-4: a server that stands still is left also where more is written than the network holds, and is used again', async (t) => {
  const { server, rig, client } = await worldOf(t);
  await startExtension(client, 'ext.normalize', () => ({ body: 'back' }));
  await server.freeze();
  const body = new Uint8Array(1_000_000);
  for (let i = 0; i < 40; i += 1) t.true(rig.connection.publish('somewhere', '', '', body));
  await until('the disconnect', () => !rig.connection.connected, NOTICED_MS);
  server.thaw();
  await until('the reconnect', () => rig.connection.connected, NOTICED_MS);
  // The server may hand what comes first to the connection that we have left.
  const call = () => client.request(`${PREFIX}.invoke.normalize`, 'x', { timeout: 500 }).catch(() => null);
  await until('calls are served', async () => (await call())?.string() === 'back', NOTICED_MS);
  t.pass();
});

test('afterRoundTrip: tells until when the server stood still', async (t) => {
  const { server, rig } = await worldOf(t);
  const ask = (): Promise<number> => new Promise((resolve) => rig.requester.afterRoundTrip(resolve));
  // A busy machine may have made it stand still before.
  await ask();
  let stalls = 0;
  rig.connection.onStall(() => {
    stalls += 1;
  });
  await server.freeze();
  await until('it is noticed', () => stalls > 0);
  const noticedMs = performance.now();
  const asked = ask();
  await until('it goes on standing still', () => stalls > 3);
  const thawedMs = performance.now();
  server.thaw();
  const untilMs = await asked;
  t.true(untilMs > noticedMs && untilMs < performance.now());
  t.true(untilMs >= thawedMs, 'the round trip itself has waited');
  t.is(await ask(), untilMs);
});

// Serial: it holds up every test of this process.
test.serial('CONNECTION-4: while we stand still ourselves the server does not', async (t) => {
  const { rig } = await worldOf(t);
  let stalls = 0;
  rig.connection.onStall(() => {
    stalls += 1;
  });
  for (let i = 0; i < 5; i += 1) {
    const end = performance.now() + 400;
    while (performance.now() < end);
    await new Promise((resolve) => setImmediate(resolve));
  }
  t.true(await rig.connection.roundTrip());
  t.is(stalls, 0);
  t.true(rig.connection.connected);
});

test('REQUESTER-3, REQUESTER-7: attempts whose time is over while the server stands still are out when it goes on, and can be answered', async (t) => {
  const { server, rig, client } = await worldOf(t, { timeoutMs: 1000 });
  const extension = await startExtension(client, 'ext.normalize', () => null);
  let stalls = 0;
  rig.connection.onStall(() => {
    stalls += 1;
  });
  const answers = Array.from({ length: 50 }, (_, i) => invoke(client, 'normalize', '', String(i)));
  await until('they are out', () => extension.received.length === 50);
  await server.freeze();
  await until('their time is over', () => stalls > 8);
  server.thaw();
  t.true(await rig.connection.roundTrip());
  t.is(rig.requester.counts().pending, 50);
  for (const request of extension.received) request.respond(request.data);
  const bodies = (await Promise.all(answers)).map((answer) => answer.string());
  t.deepEqual(
    bodies,
    Array.from({ length: 50 }, (_, i) => String(i)),
  );
  t.deepEqual(rig.requester.counts(), { pending: 0, strayReplies: 0 });
});

test('REQUESTER-3: attempts that are overdue while the server stands still end as disconnected when it is left', async (t) => {
  const { server, rig, client } = await worldOf(t, { timeoutMs: 1000 });
  const extension = await startExtension(client, 'ext.normalize', () => null);
  const first = Array.from({ length: 10 }, () => invoke(client, 'normalize'));
  await until('they are out', () => extension.received.length === 10);
  await server.freeze();
  await until('the disconnect', () => !rig.connection.connected, NOTICED_MS);
  t.is(rig.requester.counts().pending, 0);
  server.thaw();
  await until('the reconnect', () => rig.connection.connected, NOTICED_MS);
  for (const answer of await Promise.all(first)) t.is(errorOf(answer).message, 'attempt ended: disconnected');
});

// The servers change while the daemon is connected: their limit on messages, and which of them are there. LAME-DUCK-1 of lame-duck.ts,
// PAYLOAD-LIMIT-1 and PAYLOAD-LIMIT-2 of payload-limit.ts, REQUESTER-9 of requester.ts.
import test, { type ExecutionContext } from 'ava';
import type { NatsConnection } from '#@nats-io/nats-core';
import { LIMIT_FRESH_MS, PayloadLimit, SMALL_MESSAGE_BYTES } from '../../../src/nats/connection/payload-limit.js';
import { freePort } from '../../helpers/nats-port.js';
import { startExtension, TestServer } from '../../helpers/nats-server.js';
import { until } from '../../helpers/until.js';
import { errorOf, invoke, Rig, type RigOptions, recordingLogger } from '../wire-rig.js';

const payloadLimit = (bytes: number): string => `max_payload: ${bytes}`;

async function serverOf(t: ExecutionContext, config = ''): Promise<TestServer> {
  const server = await TestServer.start(config);
  t.teardown(() => server.stop());
  return server;
}

async function rigOf(t: ExecutionContext, server: TestServer, options: RigOptions = {}): Promise<Rig> {
  const rig = await Rig.start(server, options);
  t.teardown(() => rig.close());
  return rig;
}

/** One of a cluster that knows the others by gossip; `seed`: the cluster port of one that is there already. */
async function clustered(t: ExecutionContext, seed: number | null): Promise<{ server: TestServer; port: number }> {
  const port = await freePort();
  const routes = seed === null ? '' : `routes: ["nats://127.0.0.1:${seed}"]`;
  const config = `cluster { name: c, listen: "127.0.0.1:${port}", ${routes} }
    lame_duck_duration: "60s", lame_duck_grace_period: "30s"`;
  return { server: await serverOf(t, config), port };
}

async function clusterOf(t: ExecutionContext, size: number): Promise<TestServer[]> {
  const first = await clustered(t, null);
  const servers = [first.server];
  while (servers.length < size) servers.push((await clustered(t, first.port)).server);
  for (const server of servers) {
    const client = await server.connect();
    await until('the cluster', () => client.getServers().length === size);
  }
  return servers;
}

/** Calls that the extension answers when the test says so. */
async function heldCalls(t: ExecutionContext, caller: TestServer, callee: TestServer, count: number) {
  const [calls, works] = [await caller.connect(), await callee.connect()];
  const held: (() => void)[] = [];
  works.subscribe('ext.slow', {
    callback: (_, request) => void held.push(() => request.respond(`answer to ${request.string()}`)),
  });
  await works.flush();
  const replies = Array.from({ length: count }, (_, i) => invoke(calls, 'slow', '', `${i}`));
  await until('the requests', () => held.length === count);
  return {
    release: () => {
      for (const answer of held.splice(0)) answer();
    },
    areAnswered: async () => {
      const texts = (await Promise.all(replies)).map((reply) => reply.string());
      t.deepEqual(
        texts,
        replies.map((_, i) => `answer to ${i}`),
      );
    },
  };
}

const SLOW = { extensionId: 'slow', version: 'v1', instanceId: null, subject: 'ext.slow', config: null };

test('PAYLOAD-LIMIT-1, REQUESTER-9: a limit that was lowered refuses the one call that it is too small for, and ends no other', async (t) => {
  const server = await serverOf(t, payloadLimit(65_536));
  const { log, lines } = recordingLogger();
  await rigOf(t, server, {
    log,
    handle: (rig) => {
      const route = rig.prepare(null, SLOW);
      return (invocation) => rig.attempt(invocation, 1, invocation.extensionId === 'slow' ? route : rig.route);
    },
  });
  const client = await server.connect();
  const extension = await startExtension(client, 'ext.normalize', (request) => ({ body: request.data }));
  const slow = await heldCalls(t, server, server, 20);
  await server.reload(payloadLimit(16_384), (info) => info.max_payload === 16_384);

  // The request fits as the caller sends it, and not with the headers of the daemon.
  const body = new Uint8Array(16_384);
  const refused = await invoke(client, 'normalize', '', body);
  t.like(errorOf(refused), { code: 'extension_unavailable', message: 'attempt ended: too_large' });
  t.is(extension.received.length, 0);
  const taken = await invoke(client, 'normalize', '', new Uint8Array(12_000));
  t.is(taken.data.length, 12_000);

  slow.release();
  await slow.areAnswered();
  t.deepEqual(
    lines.filter(({ event }) => event === 'nats_disconnected'),
    [],
  );
});

test('PAYLOAD-LIMIT-1: a limit that was raised is used', async (t) => {
  const server = await serverOf(t, payloadLimit(16_384));
  const rig = await rigOf(t, server);
  const client = await server.connect();
  await startExtension(client, 'ext.normalize', (request) => ({ body: `${request.data.length}` }));
  t.is(rig.connection.maxPayload, 16_384);
  await server.reload(payloadLimit(262_144), (info) => info.max_payload === 262_144);
  const caller = await server.connect();
  // A server that does not answer in time is asked again by the next call (PAYLOAD-LIMIT-2).
  await until('the raised limit to be used', async () => {
    const { data } = await invoke(caller, 'normalize', '', new Uint8Array(200_000));
    return Buffer.from(data).toString() === '200000';
  });
  t.is(rig.connection.maxPayload, 262_144);
});

test('REQUESTER-9: a reply that a lowered limit refuses is the answer to its call alone', async (t) => {
  const server = await serverOf(t, payloadLimit(65_536));
  const { log, lines } = recordingLogger();
  await rigOf(t, server, { log });
  const client = await server.connect();
  const sizes = [16_384, 12_000];
  await startExtension(client, 'ext.normalize', () => ({ body: new Uint8Array(sizes.shift() ?? 0) }));
  await server.reload(payloadLimit(16_384), (info) => info.max_payload === 16_384);
  t.like(errorOf(await invoke(client, 'normalize')), {
    code: 'payload_too_large',
    details: { direction: 'reply', limit_bytes: 16_384 },
  });
  t.is((await invoke(client, 'normalize')).data.length, 12_000);
  t.false(lines.some(({ event }) => event === 'nats_disconnected'));
});

/** A limit on simulated time, with a server that says what the test says. */
function limitOf(answer: () => Promise<NatsConnection>) {
  const world = { nowMs: 0, asked: 0, info: { max_payload: 9000 } };
  const limit = new PayloadLimit(
    () => world.nowMs,
    () => world.info,
    () => {
      world.asked += 1;
      return answer();
    },
  );
  return { world, limit };
}

const clientOf = (max_payload: number) =>
  ({ info: { max_payload }, close: () => Promise.resolve() }) as unknown as NatsConnection;

test('PAYLOAD-LIMIT-1: a limit is asked for by large messages alone, once for all of them, and again before it is old', async (t) => {
  const { world, limit } = limitOf(() => Promise.resolve(clientOf(5000)));
  t.is(limit.bytes, 9000);
  t.true(limit.isKnownFor(SMALL_MESSAGE_BYTES));
  t.is(world.asked, 0);
  t.false(limit.isKnownFor(SMALL_MESSAGE_BYTES + 1));
  await Promise.all([limit.ask(), limit.ask()]);
  t.is(world.asked, 1);
  t.is(limit.bytes, 5000);
  t.true(limit.isKnownFor(SMALL_MESSAGE_BYTES + 1));
  t.is(world.asked, 1);
  world.nowMs += LIMIT_FRESH_MS * 0.75;
  t.true(limit.isKnownFor(SMALL_MESSAGE_BYTES + 1));
  await limit.ask();
  t.is(world.asked, 2);
  world.nowMs += LIMIT_FRESH_MS * 0.75;
  t.true(limit.isKnownFor(SMALL_MESSAGE_BYTES + 1));
});

test('PAYLOAD-LIMIT-1: what the connection itself says meanwhile counts, not the answer to an earlier question', async (t) => {
  let tell: (nc: NatsConnection) => void = () => undefined;
  const answer = new Promise<NatsConnection>((resolve) => {
    tell = resolve;
  });
  const { world, limit } = limitOf(() => answer);
  const asked = limit.ask();
  world.info = { max_payload: 7000 };
  tell(clientOf(9000));
  await asked;
  t.is(limit.bytes, 7000);
});

test('PAYLOAD-LIMIT-1: an INFO that is read for the first time while the server is asked is older than the answer', async (t) => {
  const { limit } = limitOf(() => Promise.resolve(clientOf(5000)));
  const asked = limit.ask();
  t.is(limit.bytes, 9000);
  await asked;
  t.is(limit.bytes, 5000);
});

test('PAYLOAD-LIMIT-2: while the server cannot be asked, the limit that was known stays, and holds nothing back', async (t) => {
  const { world, limit } = limitOf(() => Promise.reject(new Error('maximum connections exceeded')));
  world.nowMs = LIMIT_FRESH_MS;
  t.false(limit.isKnownFor(100_000));
  await limit.ask();
  t.true(limit.isKnownFor(100_000));
  t.is(limit.bytes, 9000);
});

test('PAYLOAD-LIMIT-2: large messages pass also where the server takes no further client', async (t) => {
  const server = await serverOf(t, 'max_connections: 2');
  await rigOf(t, server);
  const client = await server.connect();
  await startExtension(client, 'ext.normalize', (request) => ({ body: request.data }));
  t.is((await invoke(client, 'normalize', '', new Uint8Array(100_000))).data.length, 100_000);
});

test('LAME-DUCK-1: a server in lame-duck mode is left before it cuts, without losing a call', async (t) => {
  const [first, second, third] = (await clusterOf(t, 3)) as [TestServer, TestServer, TestServer];
  const { log, lines } = recordingLogger();
  const rig = await rigOf(t, first, { log, route: SLOW });
  const states: string[] = [];
  rig.connection.onState((state) => states.push(state));
  // Callers and extensions are on servers that stay.
  const before = await heldCalls(t, second, third, 50);
  first.enterLameDuckMode();
  const caller = await second.connect();
  const through: Promise<unknown>[] = [];
  await until('the move', () => {
    through.push(invoke(caller, 'slow', '', 'on the way'));
    return lines.some(({ event }) => event === 'nats_moved');
  });
  before.release();
  await before.areAnswered();
  const pump = setInterval(before.release, 5);
  t.teardown(() => clearInterval(pump));
  await Promise.all(through);
  await first.gone;
  t.is((await invoke(caller, 'slow', '', 'after')).string(), 'answer to after');
  t.deepEqual(states, []);
});

test('LAME-DUCK-1: a server in lame-duck mode that has no peer serves until it cuts, and its return is noticed', async (t) => {
  const server = await serverOf(t, 'lame_duck_duration: "60s", lame_duck_grace_period: "30s"');
  const rig = await rigOf(t, server);
  const client = await server.connect();
  await startExtension(client, 'ext.normalize', () => ({ body: 'fine' }));
  server.enterLameDuckMode();
  t.is((await invoke(client, 'normalize')).string(), 'fine');
  t.true(rig.connection.connected, 'there is nowhere to go');
  // Its end would cut its clients one after the other, over half a minute.
  await server.kill();
  await until('the cut', () => !rig.connection.connected);
  await server.restart();
  await until('the reconnect', () => rig.connection.connected);
  await rig.connection.flush();
  const other = await server.connect();
  await startExtension(other, 'ext.normalize', () => ({ body: 'fine' }));
  t.is((await invoke(other, 'normalize')).string(), 'fine');
});

test('CONNECTION-2: servers that are discovered are used when the configured one is gone, and it is when they are', async (t) => {
  const [first, second] = (await clusterOf(t, 2)) as [TestServer, TestServer];
  const { log, lines } = recordingLogger();
  const rig = await rigOf(t, first, { log });
  const answersThrough = async (server: TestServer): Promise<void> => {
    await until(`the connection to ${server.url}`, () => {
      const { server: last } = lines.findLast(({ event }) => event === 'nats_connected') ?? {};
      return rig.connection.connected && String(last).endsWith(`:${server.port}`);
    });
    await rig.connection.flush();
    const client = await server.connect();
    const extension = await startExtension(client, 'ext.normalize', () => ({ body: server.url }));
    t.is((await invoke(client, 'normalize')).string(), server.url);
    extension.stop();
  };
  await answersThrough(first);
  await first.kill();
  await answersThrough(second);
  await first.restart();
  await second.kill();
  await answersThrough(first);
});

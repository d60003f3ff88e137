import { createServer, type Socket } from 'node:net';
import test from 'ava';
import { headers } from '#@nats-io/nats-core';
import { BrokerClient } from '../../../src/nats/connection/broker-client.js';
import { BrokerConnection } from '../../../src/nats/connection/connection.js';
import type { BrokerMessage } from '../../../src/nats/wire/message.js';
import { silentLogger } from '../../../src/telemetry/log.js';
import { TestServer } from '../../helpers/nats-server.js';
import { until } from '../../helpers/until.js';
import { recordingLogger } from '../wire-rig.js';

type Context = { teardown(fn: () => unknown): void; fail(message: string): void };

async function clientOf(t: Context, server: TestServer, isDirect: boolean) {
  const nc = await server.connect();
  const client = new BrokerClient(nc, isDirect, (error) => t.fail(String(error)));
  const received: string[] = [];
  const onMessage = ({ subject, reply, block, body }: BrokerMessage): void =>
    void received.push(JSON.stringify([subject, reply, block.text, Buffer.from(body).toString('base64')]));
  const subscribe = (subject: string) => client.subscribe(subject, null, onMessage, (error) => t.fail(String(error)));
  return { nc, client, received, subscribe };
}

/** Of many sizes, with headers and without, in one order. */
function publishMany(publish: (subject: string, body: Uint8Array, reply: string, block: string) => void): number {
  let count = 0;
  for (const size of [0, 1, 255, 4096, 16_385, 70_000, 300_000, 2, 65_536, 12])
    for (const block of ['', 'NATS/1.0\r\nA: é\r\nB: 2\r\n\r\n'])
      for (const reply of ['', '_INBOX.x.1']) {
        count += 1;
        publish(`t.${count}`, Buffer.alloc(size, count), reply, Buffer.from(block).toString('latin1'));
      }
  return count;
}

test('BROKER-CLIENT-1: what is published and received is the same, directly and through the client, also after a reconnect', async (t) => {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const direct = await clientOf(t, server, true);
  const through = await clientOf(t, server, false);
  for (const each of [direct, through]) {
    each.subscribe('t.>');
    await each.nc.flush();
  }
  const exchange = async (): Promise<void> => {
    for (const from of [direct, through]) {
      for (const each of [direct, through]) each.received.length = 0;
      const before = direct.nc.stats().inMsgs;
      const count = publishMany((subject, body, reply, block) => from.client.outbox.put(subject, reply, block, body));
      await until('the messages', () => direct.received.length === count && through.received.length === count);
      t.deepEqual(direct.received, through.received);
      t.is(direct.nc.stats().inMsgs, before, 'a message passed through the client');
    }
    t.true(through.nc.stats().inMsgs > 0);
  };
  await exchange();
  const statuses = direct.nc.status();
  const back = through.nc.status();
  await server.kill();
  await server.restart();
  for (const [each, status] of [
    [direct, statuses],
    [through, back],
  ] as const) {
    for await (const { type } of status) if (type === 'reconnect') break;
    each.client.connected();
    await each.nc.flush();
  }
  await exchange();
});

test('CLIENT-INTERNALS-2: no message is lost or doubled while reading is taken over', async (t) => {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const sender = await server.connect();
  const total = 20_000;
  const body = Buffer.alloc(100);
  const received: number[] = [];
  const nc = await server.connect();
  const sub = nc.subscribe('n.*', { callback: (_, message) => void received.push(Number(message.subject.slice(2))) });
  await nc.flush();
  for (let i = 0; i < total; i += 1) sender.publish(`n.${i}`, body);
  const sent = sender.flush();
  await until('the first messages', () => received.length > 0);
  // In the middle of the stream: what the client did not parse so far is its own.
  const client = new BrokerClient(nc, true, (error) => t.fail(String(error)));
  const other = client.subscribe(
    'n.*',
    null,
    () => undefined,
    (error) => t.fail(String(error)),
  );
  await sent;
  await until('the last message', () => received.length >= total);
  t.deepEqual(
    received,
    [...received].sort((a, b) => a - b),
  );
  t.deepEqual([received.length, received[0], received.at(-1)], [total, 0, total - 1]);
  sub.unsubscribe();
  other.unsubscribe();
});

test('outbox: what is put before the client\u2019s own command leaves before it, and after it after it', async (t) => {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const { client, nc, received, subscribe } = await clientOf(t, server, true);
  // The subscription is in the client's own queue when the message is written past it.
  subscribe('own.>');
  client.outbox.put('own.1', '', '', Buffer.from('1'));
  client.outbox.flush();
  await nc.flush();
  t.deepEqual(received.length, 1);
});

test('a subscription that ends within its callback gets nothing of what was read with that message', async (t) => {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const sender = await server.connect();
  for (const isDirect of [true, false]) {
    const connection = BrokerConnection.open({ url: server.url, name: 't', isDirect }, silentLogger);
    t.teardown(() => connection.close());
    await connection.firstConnected;
    let received = 0;
    const subscription = connection.subscribe('o', null, () => {
      received += 1;
      subscription.unsubscribe();
    });
    await connection.flush();
    for (let i = 0; i < 50; i += 1) sender.publish('o', 'x');
    await sender.flush();
    await connection.flush();
    t.is(received, 1);
  }
});

test('CLIENT-INTERNALS-2: a socket is taken over once, however often the client says that it has one', async (t) => {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const { client, nc, received, subscribe } = await clientOf(t, server, true);
  const sender = await server.connect();
  subscribe('c.>');
  await nc.flush();
  const body = Buffer.alloc(300_000, 'x');
  for (let i = 0; i < 40; i += 1) {
    sender.publish('c.1', body);
    client.connected();
    await new Promise(setImmediate);
  }
  await sender.flush();
  await until('the messages', () => received.length === 40);
  t.is(nc.stats().inMsgs, 0);
});

test('a subscription that is over gets nothing more, and one that is drained all that was on its way', async (t) => {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const { nc, received, subscribe } = await clientOf(t, server, true);
  const sender = await server.connect();
  const first = subscribe('d.>');
  await nc.flush();
  for (let i = 0; i < 1000; i += 1) sender.publish('d.1', 'x');
  await sender.flush();
  await first.drain();
  t.is(received.length, 1000);
  const second = subscribe('d.>');
  await nc.flush();
  second.unsubscribe();
  sender.publish('d.1', 'x');
  await sender.flush();
  await nc.flush();
  t.is(received.length, 1000);
});

test('BROKER-CLIENT-2: bytes that are no NATS protocol end the socket, and a new one is read', async (t) => {
  const sockets: Socket[] = [];
  const listener = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    socket.write('INFO {"server_id":"a","version":"2.9.10","headers":true,"max_payload":1048576,"proto":1}\r\n');
    socket.on('data', (bytes) => {
      for (let pings = bytes.toString().split('PING\r\n').length - 1; pings > 0; pings -= 1) socket.write('PONG\r\n');
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
  const { port } = listener.address() as { port: number };
  const { log, lines } = recordingLogger();
  const connection = BrokerConnection.open({ url: `nats://127.0.0.1:${port}`, name: 't', reconnectMaxMs: 10 }, log);
  t.teardown(() => connection.close());
  await connection.firstConnected;
  const received: string[] = [];
  connection.subscribe('a', null, ({ body }) => void received.push(Buffer.from(body).toString()));
  await connection.flush();
  sockets.at(-1)?.write('MSG a 1 2\r\nab\r\nHTTP/1.1 400 Bad Request\r\n');
  await until('the second socket', () => sockets.length === 2 && connection.connected);
  await connection.flush();
  sockets.at(-1)?.write('MSG a 1 2\r\ncd\r\n');
  await until('the message after it', () => received.length === 2);
  t.deepEqual(received, ['ab', 'cd']);
  t.is(lines.filter(({ event }) => event === 'nats_read_failed').length, 1);
});

test('client: no header block is written that the client would not write', async (t) => {
  const server = await TestServer.start();
  t.teardown(() => server.stop());
  const { client, nc } = await clientOf(t, server, true);
  const theirs = await server.connect();
  const sub = theirs.subscribe('h', { max: 2 });
  await theirs.flush();
  const given = headers();
  given.set('A', '1');
  client.outbox.put('h', '', 'NATS/1.0\r\nA: 1\r\n\r\n', Buffer.from('x'));
  nc.publish('h', 'x', { headers: given });
  const seen: string[] = [];
  for await (const message of sub) seen.push(`${message.headers} ${message.string()}`);
  t.is(seen[0], seen[1]);
});

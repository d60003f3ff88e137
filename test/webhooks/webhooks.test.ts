import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test, { type ExecutionContext } from 'ava';
import { Webhook } from 'standardwebhooks';
import type { EventKind, RegistryEvent } from '../../src/domain/registry/events.js';
import { createLogger, silentLogger } from '../../src/telemetry/log.js';
import { MAX_WAITING } from '../../src/webhooks/webhook-receiver.js';
import { createPost, formerSignatureOf, keyOf, signatureOf } from '../../src/webhooks/webhook-request.js';
import { createWebhooks, type WebhookOptions, type Webhooks } from '../../src/webhooks/webhooks.js';
import { CERTIFICATE } from '../helpers/certificate.js';
import { endOf } from '../helpers/processes.js';
import { SimulatedClock } from '../helpers/simulated-clock.js';
import { until } from '../helpers/until.js';
import { hang, type Received, type Receiver, startReceiver, status } from '../helpers/webhook-receiver.js';

const WALL_MS = Date.UTC(2025, 0, 27, 12);
const TIMEOUT_MS = 5000;
const SECRET = 'Schlüssel';
/** A process may take long to start where others want the machine too. */
const PROCESS_MS = 60_000;

/** A server that does this with each connection, and speaks no HTTP of its own accord. */
async function startTcp(t: ExecutionContext, connected: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createTcpServer((socket) => {
    sockets.add(socket.on('error', () => undefined));
    connected(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

interface World {
  readonly webhooks: Webhooks;
  readonly clock: SimulatedClock;
  readonly log: Record<string, unknown>[];
}

function start(t: ExecutionContext, urls: readonly string[], options: Partial<WebhookOptions> = {}): World {
  const clock = new SimulatedClock();
  const log: Record<string, unknown>[] = [];
  const webhooks = createWebhooks({
    urls,
    secret: SECRET,
    kinds: ['circuit_opened', 'auto_disabled'],
    timeoutMs: TIMEOUT_MS,
    clock,
    wall: () => WALL_MS + clock.now(),
    random: () => 0.5,
    log: createLogger('debug', { write: (line) => void log.push(JSON.parse(line)) }),
    ...options,
  });
  t.teardown(() => webhooks.close());
  return { webhooks, clock, log };
}

const event = (extension_id: string, kind: EventKind = 'circuit_opened'): RegistryEvent => ({
  event: kind,
  extension_id,
  version: 'v1',
  at: '2025-01-27T12:00:00.000Z',
  reason: 'failure_count of „ключ“',
  actor: 'system:breaker',
});

const settled = ({ webhooks }: World): number => {
  const { delivered, failed, dropped } = webhooks.counts();
  return delivered + failed + dropped;
};

const logged = ({ log }: World, name: string) => log.filter((line) => line.event === name);

/** Moves the time on by each pause that a retry takes, until `count` deliveries are settled; the pauses, in ms. */
async function settle(world: World, count: number): Promise<number[]> {
  let seen = 0;
  await until(`${count} are settled`, () => {
    const retries = logged(world, 'webhook_try_failed');
    for (; seen < retries.length; seen += 1) world.clock.advance(retries[seen]?.pause_ms as number);
    return settled(world) === count;
  });
  return logged(world, 'webhook_try_failed').map((line) => line.pause_ms as number);
}

const idsOf = ({ received }: Receiver): string[] =>
  received.map(({ body }) => (JSON.parse(body.toString()) as RegistryEvent).extension_id);

test('WEBHOOK-REQUEST-1: a notice is the event as JSON, with kind, id, timestamp and a signature of just these bytes', async (t) => {
  const receiver = await startReceiver(t, status(200));
  const world = start(t, [receiver.url]);
  world.webhooks.publish(event('a'));
  await settle(world, 1);
  const [{ headers, body, path }] = receiver.received as [Received];
  t.is(path, '/hook');
  t.is(body.toString(), JSON.stringify(event('a')));
  t.is(headers['content-type'], 'application/json');
  t.is(headers['extreg-event'], 'circuit_opened');
  t.regex(
    headers['extreg-delivery'] as string,
    /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
  t.is(headers['webhook-timestamp'], String(WALL_MS / 1000));
  t.is(headers['webhook-id'], headers['extreg-delivery']);
  t.is(headers['extreg-timestamp'], headers['webhook-timestamp']);
  t.is(headers['extreg-signature'], formerSignatureOf(keyOf(SECRET), String(WALL_MS / 1000), body));
  t.is(headers.authorization, undefined);
  t.deepEqual(world.webhooks.counts(), { delivered: 1, failed: 0, dropped: 0, waiting: 0 });
});

test('WEBHOOK-REQUEST-1: the former signature is that of openssl dgst -sha256 -hmac', (t) => {
  const expected = 'v1=576d0d26fb084cc26dcc0da372d3541a3885e3617122dc9a0eb3a4b30eef5689';
  t.is(formerSignatureOf(Buffer.from('secret'), '1737979200', Buffer.from('{"event":"circuit_opened"}')), expected);
});

test('WEBHOOK-REQUEST-1: the signature is that of the example of the Standard Webhooks specification', (t) => {
  const key = keyOf('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw');
  const body = Buffer.from('{"test": 2432232314}');
  const signature = signatureOf(key, 'msg_p5jXN8AQM9LWM0D4loKWxJek', '1614265330', body);
  t.is(signature, 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=');
});

for (const [title, secret, format] of [
  ['whsec_ and base64', `whsec_${Buffer.alloc(32, 7).toString('base64')}`, {}],
  ['any text', SECRET, { format: 'raw' }],
  ['text beyond ASCII', 'Schlüssel ключ', { format: 'raw' }],
] as const)
  test(`WEBHOOK-REQUEST-1: a library for Standard Webhooks verifies what is signed, and refuses what was changed: ${title}`, async (t) => {
    const receiver = await startReceiver(t, status(200));
    // The library compares the timestamp with the present.
    const world = start(t, [receiver.url], { secret, wall: Date.now });
    world.webhooks.publish(event('a'));
    await settle(world, 1);
    const [{ headers, body }] = receiver.received as [Received];
    const key = 'format' in format ? new Uint8Array(Buffer.from(secret)) : secret;
    const verifier = new Webhook(key, format);
    const text = body.toString();
    const signed = headers as Record<string, string>;
    t.deepEqual(verifier.verify(text, signed), JSON.parse(JSON.stringify(event('a'))));
    for (const changed of [
      { ...signed, 'webhook-id': 'another' },
      { ...signed, 'webhook-timestamp': String(Number(signed['webhook-timestamp']) + 1) },
    ])
      t.throws(() => verifier.verify(text, changed), { message: 'No matching signature found' });
    t.throws(() => verifier.verify(`${text} `, signed), { message: 'No matching signature found' });
  });

test('without a secret nothing is signed', async (t) => {
  const receiver = await startReceiver(t, status(200));
  const world = start(t, [receiver.url], { secret: null });
  world.webhooks.publish(event('a'));
  await settle(world, 1);
  t.false('webhook-signature' in (receiver.received[0]?.headers ?? {}));
  t.false('extreg-signature' in (receiver.received[0]?.headers ?? {}));
});

test('only the chosen kinds are sent', async (t) => {
  const receiver = await startReceiver(t, status(200));
  const world = start(t, [receiver.url]);
  world.webhooks.publish(event('a', 'circuit_half_opened'));
  world.webhooks.publish(event('b', 'auto_disabled'));
  world.webhooks.publish(event('c', 'high_failure_count'));
  world.webhooks.publish(event('d'));
  await settle(world, 2);
  t.deepEqual(idsOf(receiver), ['b', 'd']);
});

test('path and query of a URL are kept; a login within it becomes an Authorization header', async (t) => {
  const receiver = await startReceiver(t, status(200));
  const world = start(t, [`http://me%40x:p%3Ass%zz@${receiver.host}/a/b?token=c&d`]);
  world.webhooks.publish(event('a'));
  await settle(world, 1);
  t.is(receiver.received[0]?.path, '/a/b?token=c&d');
  t.is(receiver.received[0]?.headers.authorization, `Basic ${Buffer.from('me@x:p:ss%zz').toString('base64')}`);
});

test('every receiver gets every event, each with an id of its own', async (t) => {
  const first = await startReceiver(t, status(200));
  const second = await startReceiver(t, status(204));
  const world = start(t, [first.url, second.url]);
  for (const id of ['a', 'b']) world.webhooks.publish(event(id));
  await settle(world, 4);
  t.deepEqual(idsOf(first), ['a', 'b']);
  t.deepEqual(idsOf(second), ['a', 'b']);
  const ids = [...first.received, ...second.received].map(({ headers }) => headers['webhook-id']);
  t.is(new Set(ids).size, 4);
});

test('WEBHOOK-RECEIVER-1: one request at a time, in the order of the events', async (t) => {
  let underWay = 0;
  let most = 0;
  const receiver = await startReceiver(t, (response) => {
    underWay += 1;
    most = Math.max(most, underWay);
    setImmediate(() => {
      underWay -= 1;
      response.end();
    });
  });
  const world = start(t, [receiver.url]);
  const ids = Array.from({ length: 50 }, (_, i) => `e${i}`);
  for (const id of ids) world.webhooks.publish(event(id));
  await settle(world, 50);
  t.deepEqual(idsOf(receiver), ids);
  t.is(most, 1);
});

test('WEBHOOK-RECEIVER-1: a delivery that is tried again is not overtaken', async (t) => {
  const receiver = await startReceiver(t, (response) =>
    status(receiver.received.length === 1 ? 500 : 200)(response, receiver.received[0] as Received),
  );
  const world = start(t, [receiver.url]);
  for (const id of ['a', 'b']) world.webhooks.publish(event(id));
  await settle(world, 2);
  t.deepEqual(idsOf(receiver), ['a', 'a', 'b']);
});

test('WEBHOOK-RECEIVER-1: a receiver that hangs delays no other', async (t) => {
  const dead = await startReceiver(t, hang);
  const alive = await startReceiver(t, status(200));
  const world = start(t, [dead.url, alive.url]);
  for (const id of ['a', 'b', 'c']) world.webhooks.publish(event(id));
  await settle(world, 3);
  t.deepEqual(idsOf(alive), ['a', 'b', 'c']);
  t.deepEqual(world.webhooks.counts(), { delivered: 3, failed: 0, dropped: 0, waiting: 2 });
});

const ends = test.macro<[code: number, tries: number, headers?: Record<string, string>]>({
  async exec(t, code, tries, headers = {}) {
    const receiver = await startReceiver(t, status(code, headers));
    const world = start(t, [receiver.url]);
    world.webhooks.publish(event('a'));
    const pauses = await settle(world, 1);
    t.is(receiver.received.length, tries);
    t.deepEqual(pauses, [500, 2000, 8000].slice(0, tries - 1));
    t.is(world.webhooks.counts().delivered, code < 300 ? 1 : 0);
    t.is(world.webhooks.counts().failed, code < 300 ? 0 : 1);
    t.is(world.clock.armed, 0);
    const told = { level: 'warn', reason: `status ${code}`, tries, receiver: receiver.host, extension_id: 'a' };
    if (code < 300) t.deepEqual(logged(world, 'webhook_failed'), []);
    else t.like(logged(world, 'webhook_failed')[0], told);
  },
  title: (_, code, tries) =>
    `WEBHOOK-RECEIVER-3: an answer ${code} ends after ${tries} ${tries === 1 ? 'try' : 'tries'}`,
});
for (const code of [200, 201, 202, 204, 299]) test(ends, code, 1);
for (const code of [301, 302, 303, 307, 308]) test(ends, code, 1, { location: '/elsewhere' });
for (const code of [304, 400, 401, 403, 404, 410, 413, 422, 425, 499]) test(ends, code, 1);
for (const code of [408, 429, 500, 502, 503, 504, 599]) test(ends, code, 4);

test('WEBHOOK-REQUEST-2: a redirect is not followed, to this host or another', async (t) => {
  const elsewhere = await startReceiver(t, status(200));
  const receiver = await startReceiver(t, status(307, { location: elsewhere.url }));
  const world = start(t, [receiver.url]);
  world.webhooks.publish(event('a'));
  await settle(world, 1);
  t.is(receiver.received.length, 1);
  t.is(elsewhere.received.length, 0);
});

test('WEBHOOK-RECEIVER-3: a repetition has the id and the body of the first try, and a timestamp and signature of its own', async (t) => {
  const receiver = await startReceiver(t, (response, request) =>
    status(receiver.received.length < 4 ? 503 : 200)(response, request),
  );
  const world = start(t, [receiver.url]);
  world.webhooks.publish(event('a'));
  t.deepEqual(await settle(world, 1), [500, 2000, 8000]);
  t.is(world.webhooks.counts().delivered, 1);
  t.is(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size, 1);
  const seconds = receiver.received.map(({ headers }) => Number(headers['webhook-timestamp']) - WALL_MS / 1000);
  t.deepEqual(seconds, [0, 0, 2, 10]);
  for (const { headers, body } of receiver.received) {
    t.is(body.toString(), JSON.stringify(event('a')));
    const [id, timestamp] = [headers['webhook-id'] as string, headers['webhook-timestamp'] as string];
    t.is(headers['webhook-signature'], signatureOf(keyOf(SECRET), id, timestamp, body));
  }
});

test('WEBHOOK-RECEIVER-3: the jitter is full: a retry may come at once, and at the latest at its ceiling', async (t) => {
  const receiver = await startReceiver(t, status(500));
  const world = start(t, [receiver.url], { random: () => 0 });
  world.webhooks.publish(event('a'));
  t.deepEqual(await settle(world, 1), [0, 0, 0]);
});

const asked = test.macro<[value: string, pauseMs: number]>({
  async exec(t, value, pauseMs) {
    const receiver = await startReceiver(t, (response, request) =>
      status(receiver.received.length === 1 ? 429 : 200, { 'retry-after': value })(response, request),
    );
    const world = start(t, [receiver.url]);
    world.webhooks.publish(event('a'));
    t.deepEqual(await settle(world, 1), [pauseMs]);
  },
  title: (_, value, pauseMs) => `WEBHOOK-RECEIVER-3: Retry-After '${value}' is a pause of ${pauseMs} ms`,
});
test(asked, '7', 7000);
test(asked, '0', 500);
test(asked, '0.2', 500);
test(asked, '1.5', 1500);
test(asked, '-1', 500);
test(asked, '1e9', 500);
test(asked, '2026-01-01', 500);
test(asked, '60', 60_000);
test(asked, '3600', 60_000);
test(asked, '99999999999999999999', 60_000);
test(asked, new Date(WALL_MS + 9000).toUTCString(), 9000);
test(asked, new Date(WALL_MS + 9_000_000).toUTCString(), 60_000);
test(asked, new Date(WALL_MS - 9000).toUTCString(), 500);
test(asked, 'soon', 500);
test(asked, '', 500);

const broken = test.macro<[what: string, reason: RegExp, connected: (socket: Socket) => void]>({
  async exec(t, _, reason, connected) {
    const world = start(t, [await startTcp(t, connected)]);
    world.webhooks.publish(event('a'));
    t.deepEqual(await settle(world, 1), [500, 2000, 8000]);
    t.deepEqual(world.webhooks.counts(), { delivered: 0, failed: 1, dropped: 0, waiting: 0 });
    t.regex(String(logged(world, 'webhook_failed')[0]?.reason), reason);
    t.is(world.clock.armed, 0);
  },
  title: (_, what) => `WEBHOOK-RECEIVER-3: ${what} is tried again`,
});
test(broken, 'a connection that is cut', /^(ECONNRESET|EPIPE)$/, (socket) => socket.destroy());
test(broken, 'an answer that is no HTTP', /^HPE_/, (socket) => socket.end('220 mail.example ESMTP\r\n'));
test(broken, 'an answer that wants another protocol', /^(no answer|ECONNRESET)$/, (socket) =>
  socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: other\r\nconnection: upgrade\r\n\r\n'),
);
test(broken, 'a head without an end', /^HPE_HEADER_OVERFLOW$/, (socket) =>
  socket.write(`HTTP/1.1 200 OK\r\n${'x-more: 0123456789abcdef\r\n'.repeat(4000)}`),
);

test('WEBHOOK-RECEIVER-3: a receiver that is not there is tried again, and given up', async (t) => {
  const world = start(t, ['http://127.0.0.1:1/']);
  world.webhooks.publish(event('a'));
  t.deepEqual(await settle(world, 1), [500, 2000, 8000]);
  t.like(logged(world, 'webhook_failed')[0], { reason: 'ECONNREFUSED', receiver: '127.0.0.1:1' });
});

test('a request that cannot be begun ends as one that is not answered, and rejects nothing', async (t) => {
  const post = createPost('http://127.0.0.1:1/', null, () => WALL_MS);
  const delivery = { id: 'x', kind: 'not\na header' as EventKind, extensionId: 'a', body: Buffer.from('{}') };
  t.deepEqual(await post(delivery, new AbortController().signal), {
    end: 'unavailable',
    reason: 'ERR_INVALID_CHAR',
    retryAfterMs: null,
  });
});

test('WEBHOOK-RECEIVER-3: a receiver that hangs is cut off after the timeout, and tried again', async (t) => {
  let cut = 0;
  const receiver = await startReceiver(t, (response) => void response.on('close', () => (cut += 1)));
  const world = start(t, [receiver.url]);
  world.webhooks.publish(event('a'));
  await until('it hangs', () => receiver.received.length === 1);
  world.clock.advance(TIMEOUT_MS - 1);
  t.is(world.clock.armed, 1);
  receiver.answer = status(200);
  world.clock.advance(1);
  t.deepEqual(await settle(world, 1), [500]);
  t.is(logged(world, 'webhook_try_failed')[0]?.reason, 'timeout');
  t.is(world.webhooks.counts().delivered, 1);
  await until('the connection was cut', () => cut === 1);
  t.is(world.clock.armed, 0);
});

test('WEBHOOK-REQUEST-2: an answer 200 whose body never ends counts, is cut off, and holds up nothing', async (t) => {
  let cut = 0;
  const receiver = await startReceiver(t, (response) => {
    response.on('close', () => (cut += 1));
    const pour = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536)));
    };
    response.on('drain', pour);
    pour();
  });
  const world = start(t, [receiver.url]);
  for (const id of ['a', 'b', 'c']) world.webhooks.publish(event(id));
  await settle(world, 3);
  t.is(world.webhooks.counts().delivered, 3);
  await until('the connections were cut', () => cut === 3);
});

test('WEBHOOK-REQUEST-2: a body that comes later than its head is not waited for', async (t) => {
  const receiver = await startReceiver(
    t,
    (response) => void response.writeHead(200, { 'content-length': '5' }).flushHeaders(),
  );
  const world = start(t, [receiver.url]);
  for (const id of ['a', 'b']) world.webhooks.publish(event(id));
  await settle(world, 2);
  t.is(world.webhooks.counts().delivered, 2);
});

test('WEBHOOK-RECEIVER-2: of what is too much the oldest is dropped, counted and logged; the next is the one after it', async (t) => {
  let release: () => void = () => undefined;
  const receiver = await startReceiver(t, (response) => {
    release = () => response.end();
  });
  const world = start(t, [receiver.url]);
  const ids = Array.from({ length: MAX_WAITING + 4 }, (_, i) => `e${i}`);
  world.webhooks.publish(event('first'));
  await until('the first is under way', () => receiver.received.length === 1);
  for (const id of ids) world.webhooks.publish(event(id));
  t.deepEqual(world.webhooks.counts(), { delivered: 0, failed: 0, dropped: 4, waiting: MAX_WAITING });
  const lines = logged(world, 'webhook_dropped');
  t.is(lines.length, 1);
  t.like(lines[0], { level: 'warn', reason: 'queue_full', extension_id: 'e0', receiver: receiver.host });
  release();
  await until('the next is under way', () => receiver.received.length === 2);
  t.deepEqual(idsOf(receiver), ['first', 'e4']);
  world.webhooks.close();
  t.deepEqual(world.webhooks.counts(), { delivered: 1, failed: 0, dropped: MAX_WAITING + 4, waiting: 0 });
});

test('WEBHOOK-RECEIVER-4: close drops what waits and cuts off what is under way, counted and logged; nothing is left behind', async (t) => {
  let cut = 0;
  const receiver = await startReceiver(t, (response) => void response.on('close', () => (cut += 1)));
  const world = start(t, [receiver.url]);
  for (const id of ['a', 'b', 'c']) world.webhooks.publish(event(id));
  await until('one is under way', () => receiver.received.length === 1);
  const drained = world.webhooks.drain();
  world.webhooks.close();
  await drained;
  t.is(world.clock.armed, 0);
  t.deepEqual(world.webhooks.counts(), { delivered: 0, failed: 0, dropped: 3, waiting: 0 });
  t.like(logged(world, 'webhook_dropped')[0], { level: 'warn', reason: 'stopped', deliveries: 3 });
  await until('the request was cut off', () => cut === 1);
  world.webhooks.publish(event('d'));
  world.webhooks.close();
  await world.webhooks.drain();
  t.deepEqual(world.webhooks.counts(), { delivered: 0, failed: 0, dropped: 4, waiting: 0 });
  t.deepEqual(idsOf(receiver), ['a']);
});

test('WEBHOOK-RECEIVER-4: close ends the pause before a retry', async (t) => {
  const receiver = await startReceiver(t, status(500));
  const world = start(t, [receiver.url]);
  world.webhooks.publish(event('a'));
  await until('a retry is due', () => logged(world, 'webhook_try_failed').length === 1);
  world.webhooks.close();
  await world.webhooks.drain();
  t.is(world.clock.armed, 0);
  t.is(receiver.received.length, 1);
  t.is(world.webhooks.counts().dropped, 1);
});

test('WEBHOOK-RECEIVER-4: close in the turn of the publishing sends nothing', async (t) => {
  const receiver = await startReceiver(t, status(200));
  const world = start(t, [receiver.url]);
  world.webhooks.publish(event('a'));
  world.webhooks.close();
  await world.webhooks.drain();
  t.is(receiver.received.length, 0);
  t.is(world.webhooks.counts().dropped, 1);
});

test('drain resolves when everything is sent, and leaves no timer', async (t) => {
  const receiver = await startReceiver(t, status(200));
  const world = start(t, [receiver.url]);
  for (const id of ['a', 'b', 'c']) world.webhooks.publish(event(id));
  await world.webhooks.drain();
  t.is(world.webhooks.counts().delivered, 3);
  t.is(world.clock.armed, 0);
});

test('drain without anything to send resolves', async (t) => {
  const none = start(t, []);
  none.webhooks.publish(event('a'));
  await none.webhooks.drain();
  none.webhooks.close();
  t.deepEqual(none.webhooks.counts(), { delivered: 0, failed: 0, dropped: 0, waiting: 0 });
});

test('drain waits two seconds for a receiver that hangs', async (t) => {
  const receiver = await startReceiver(t, hang);
  const world = start(t, [receiver.url]);
  world.webhooks.publish(event('a'));
  await until('it hangs', () => receiver.received.length === 1);
  let isOver = false;
  const drained = world.webhooks.drain().then(() => (isOver = true));
  world.clock.advance(1999);
  await new Promise((resolve) => setImmediate(resolve));
  t.false(isOver);
  world.clock.advance(1);
  await drained;
  world.webhooks.close();
  t.is(world.webhooks.counts().dropped, 1);
});

test('WEBHOOKS-1: publish begins no request in the turn of the core', async (t) => {
  const receiver = await startReceiver(t, status(200));
  const world = start(t, [receiver.url]);
  world.webhooks.publish(event('a'));
  await Promise.resolve();
  t.is(world.clock.armed, 0);
  await settle(world, 1);
  t.deepEqual(world.clock.delays, [TIMEOUT_MS]);
});

test('WEBHOOKS-2: whatever goes wrong, the log has the host and the place in the list, and no more of the URL', async (t) => {
  const well = await startReceiver(t, status(200));
  const refusing = await startReceiver(t, status(403));
  const failing = await startReceiver(t, status(500));
  const hanging = await startReceiver(t, hang);
  const secret = (host: string) => `http://geheim:geheim@${host}/geheim?token=geheim#geheim`;
  const hosts = [well.host, refusing.host, failing.host, hanging.host, '127.0.0.1:1', 'host.invalid'];
  const world = start(t, hosts.map(secret), { secret: 'geheim' });
  for (let i = 0; i <= MAX_WAITING + 1; i += 1) world.webhooks.publish(event(`e${i}`));
  await until('it hangs', () => hanging.received.length === 1);
  await until('every failure was seen', () => {
    const pauses = logged(world, 'webhook_try_failed').map((line) => line.receiver);
    return [failing.host, '127.0.0.1:1', 'host.invalid'].every((host) => pauses.includes(host));
  });
  await until('a refusal was seen', () => logged(world, 'webhook_failed').length > 0);
  world.webhooks.close();
  t.true(logged(world, 'webhook_dropped').length > 3);
  t.true(world.log.every((line) => line.receiver === hosts[(line.receiver_number as number) - 1]));
  t.deepEqual(
    world.log.filter((line) => JSON.stringify(line).includes('geheim')),
    [],
  );
});

/** A process that posts one notice to each of them; what it prints, once it has ended by itself after its close. */
async function postFromProcess(t: ExecutionContext, receivers: readonly Receiver[], env = {}): Promise<string> {
  const script = fileURLToPath(new URL('webhook-process.js', import.meta.url));
  const urls = receivers.map(({ url }) => url);
  const child = spawn(process.execPath, [script, ...urls], { stdio: 'pipe', env: { ...process.env, ...env } });
  t.teardown(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.on('data', (text) => (output += text));
  await until('all have the notice', () => receivers.every(({ received }) => received.length === 1), PROCESS_MS);
  child.stdin.end();
  await until('the process ended', () => endOf(child) !== null, PROCESS_MS);
  t.is(child.exitCode, 0);
  return output;
}

test.serial('WEBHOOK-RECEIVER-4: after close nothing keeps the process', async (t) => {
  const well = await startReceiver(t, status(200));
  const failing = await startReceiver(t, status(500, { 'retry-after': '60' }));
  const hanging = await startReceiver(t, hang);
  const printed = await postFromProcess(t, [well, failing, hanging]);
  t.is(printed, '{"delivered":1,"failed":0,"dropped":2,"waiting":0}');
});

test('https: a certificate that nobody vouches for is not accepted', async (t) => {
  const receiver = await startReceiver(t, status(200), 'https');
  const world = start(t, [receiver.url]);
  world.webhooks.publish(event('a'));
  t.deepEqual(await settle(world, 1), [500, 2000, 8000]);
  t.is(logged(world, 'webhook_failed')[0]?.reason, 'DEPTH_ZERO_SELF_SIGNED_CERT');
  t.is(receiver.received.length, 0);
});

test.serial('https: NODE_EXTRA_CA_CERTS names an authority of one’s own', async (t) => {
  const file = join(mkdtempSync(join(tmpdir(), 'extreg-ca-')), 'ca.pem');
  t.teardown(() => rmSync(dirname(file), { recursive: true }));
  writeFileSync(file, CERTIFICATE);
  const receiver = await startReceiver(t, status(200), 'https');
  const printed = await postFromProcess(t, [receiver], { NODE_EXTRA_CA_CERTS: file });
  t.is(printed, '{"delivered":1,"failed":0,"dropped":0,"waiting":0}');
});

test('without kinds nothing is sent', async (t) => {
  const receiver = await startReceiver(t, status(200));
  const world = start(t, [receiver.url], { kinds: [], log: silentLogger });
  world.webhooks.publish(event('a'));
  await world.webhooks.drain();
  t.is(receiver.received.length, 0);
});

// A client that takes its time holds a socket for as long as is configured, and no longer.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import test, { type ExecutionContext } from 'ava';
import { until } from '../helpers/until.js';
import { listen } from './helpers.js';

const SLOW_MS = 400;
/** For one that is to be served, on a machine that is busy. */
const PATIENT_MS = 1500;

async function clientOf(t: ExecutionContext, url: string): Promise<{ socket: Socket; received: () => string }> {
  const socket = connect({ port: Number(new URL(url).port), host: '127.0.0.1' });
  t.teardown(() => socket.destroy());
  socket.on('error', () => undefined);
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(socket, 'connect');
  return { socket, received: () => text };
}

/** Sends a character now and then until the socket is closed. */
function trickle(t: ExecutionContext, socket: Socket): void {
  const timer = setInterval(() => socket.write('x'), 50);
  t.teardown(() => clearInterval(timer));
}

const isClosed = (socket: Socket) => until('the cut', () => socket.closed || socket.readableEnded);

for (const [what, head] of [
  ['nothing at all', ''],
  ['its headers', 'GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: '],
  [
    'its body',
    'POST /admin/extensions/a/reset HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 5000\r\n\r\n',
  ],
] as const)
  test(`a client that does not send ${what} in time is cut`, async (t) => {
    const { url } = await listen(t, { slowMs: SLOW_MS });
    const { socket, received } = await clientOf(t, url);
    socket.write(head);
    if (head !== '') trickle(t, socket);
    await isClosed(socket);
    if (head !== '') t.regex(received(), /^HTTP\/1\.1 408 /);
    t.is((await fetch(`${url}/livez`)).status, 200, 'nobody else is');
  });

test('a client that does not read its answer in time is cut', async (t) => {
  const chunk = 'x'.repeat(1_000_000);
  let given = 0;
  let isEnded = false;
  const metrics = async function* () {
    try {
      for (; given < 1000; given++) yield chunk;
    } finally {
      isEnded = true;
    }
  };
  const { url } = await listen(t, { slowMs: SLOW_MS, metrics });
  const { socket } = await clientOf(t, url);
  socket.pause();
  socket.write('GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
  await until('its end', () => isEnded);
  t.true(given < 1000);
});

test('a client that reads slowly, but reads, gets all of its answer', async (t) => {
  const chunk = 'x'.repeat(500_000);
  const metrics = async function* () {
    for (let i = 0; i < 20; i++) yield chunk;
  };
  const { url } = await listen(t, { slowMs: PATIENT_MS, metrics });
  const response = await fetch(`${url}/metrics`);
  let size = 0;
  const started = performance.now();
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    size += part.length;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  t.is(size, chunk.length * 20);
  t.true(performance.now() - started > PATIENT_MS);
});

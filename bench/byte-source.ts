// Answers every request with as many bytes as its third argument says, in parts and with pauses as a list of health is sent: what a reader of it costs the
// machine, and none of what it costs the daemon.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { report } from './client.js';

const PART = Buffer.alloc(32_768, '0');
const size = Number(process.argv[4]);
/** As json-stream.ts has it. */
const PAUSE_MS = 1;

const server = createServer(async (request, response) => {
  if (request.url?.endsWith('/events')) return void response.writeHead(200).flushHeaders();
  for (let left = size; left > 0; left -= PART.length) {
    response.write(PART);
    await setTimeout(PAUSE_MS);
  }
  response.end();
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
process.on('message', (message) => {
  if (message === 'http') process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
report();

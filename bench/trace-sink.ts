// A collector of traces that reads what is sent and keeps nothing.
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { report } from './client.js';

const server = createServer((request, response) => {
  request.resume();
  request.once('end', () => response.end('{}'));
});
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
process.on('message', (message) => {
  if (message === 'url') process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
report();

// Reads the list of health again and again between 'start' and 'stop', beside one stream of live updates where the server has them, and counts
// what it got.
import { type ClientRequest, request } from 'node:http';
import { report } from './client.js';

export interface Reads {
  readonly lists: number;
  readonly bytes: number;
  /** Of live updates. */
  readonly streamed: number;
}

const url = process.argv[3];
if (url === undefined) throw new Error('usage: node health-reader.js <nats url> <http url>');
let isReading = false;
let lists = 0;
let bytes = 0;
let streamed = 0;
let stream: ClientRequest | null = null;

function read(): void {
  request(`${url}/admin/extensions/health`, (response) => {
    response.on('data', (part: Buffer) => {
      bytes += part.length;
    });
    response.on('end', () => {
      lists += 1;
      if (isReading) read();
    });
  }).end();
}

function follow(): void {
  stream = request(`${url}/admin/events`, (response) => {
    response.on('data', (part: Buffer) => {
      streamed += part.length;
    });
    response.on('error', () => undefined);
  });
  stream.on('error', () => undefined);
  stream.end();
}

process.on('message', (message) => {
  if (message === 'start') {
    isReading = true;
    lists = 0;
    bytes = 0;
    streamed = 0;
    read();
    follow();
    process.send?.('started');
  }
  if (message === 'stop') {
    isReading = false;
    stream?.destroy();
    process.send?.({ lists, bytes, streamed } satisfies Reads);
  }
});
report();

// Reads the list of health again and again between 'start' and 'stop', and counts what it got.
import { request } from 'node:http';
import { report } from './wire.js';

export interface Reads {
  readonly lists: number;
  readonly bytes: number;
}

const url = process.argv[3];
if (url === undefined) throw new Error('usage: node health-reader.js <nats url> <http url>');
let isReading = false;
let lists = 0;
let bytes = 0;

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

process.on('message', (message) => {
  if (message === 'start') {
    isReading = true;
    lists = 0;
    bytes = 0;
    read();
    process.send?.('started');
  }
  if (message === 'stop') {
    isReading = false;
    process.send?.({ lists, bytes } satisfies Reads);
  }
});
report();

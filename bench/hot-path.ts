// What a call costs from the bytes that come to those that go, beside a forwarder that decides nothing on nats.js, in one process and without a socket.
// Writes its section of bench/RESULTS.md. Options: --rounds N, --turn-ms N, --no-write.
import { loadavg } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { BARE, CALLS, callRows, HARNESS } from './hot-path-rows.js';
import { machine, packageVersion, table, writeSection } from './results-file.js';
import { STEPS, stepRows } from './step-rows.js';
import { measure } from './turns.js';

/** Until the registry of each row is in force. */
const START_MS = 300;

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '60' },
    'turn-ms': { type: 'string', default: '8' },
    'no-write': { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const turnMs = Number(values['turn-ms']);

const loadBefore = loadavg()[0] ?? 0;
const calls = callRows();
await delay(START_MS);
const costs = await measure([...calls.rows, ...stepRows()], rounds, turnMs);
await calls.stop();

const micros = (name: string): number => (costs.get(name) ?? Number.NaN) / CALLS / 1000;
const ofCall = (name: string): number => micros(name) - micros(HARNESS);
const rows = calls.rows.map(({ name }) => name).filter((name) => name !== HARNESS);

const section = `## A call from bytes to bytes

Written by \`npm run bench:hot-path\`.

- Machine: ${machine()}
- Node ${process.version}, ${packageVersion('@nats-io/nats-core')}
- ${rounds} rounds, each row ${turnMs} ms in each, all rows taking turns in one process; the lower quartile counts
- Load average of the machine before the start: ${loadBefore.toFixed(1)}

A call, that is two messages in and two out, microseconds of processor time:

${table(
  ['what is between', 'µs', '÷ bare'],
  rows.map((name) => [name, ofCall(name).toFixed(2), (ofCall(name) / ofCall(BARE)).toFixed(2)]),
)}
Steps of it, microseconds of processor time each:

${table(
  ['step', 'µs'],
  STEPS.map((name) => [name, micros(name).toFixed(2)]),
)}
### What is measured

- Processor time of the process, as for the breaker. 32 calls are in each chunk of bytes: a request of three headers and 256 bytes, a reply of
  256 bytes without headers. What the benchmark itself does in place of extension and server is measured apart and subtracted.
- The bare forwarder has the parser and the publisher of nats.js, as in \`npm run bench:wire\`. What each spends per chunk on the socket, and the kernel, is not in here.
- With three versions: two of them have rules, for tenant and environment, so both are read from the call.
`;
console.log(section);
if (!values['no-write']) writeSection('hot-path', section);

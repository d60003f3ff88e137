// What a breaker costs, ours beside opossum and cockatiel in the same run: processor time of each step, memory of each
// breaker, and what ten thousand of them take while nobody calls. Writes its section of bench/RESULTS.md.
// Options: --rounds N, --turn-ms N, --count N, --idle-ms N, --no-write.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { attemptRows } from './attempt-rows.js';
import type { Held } from './breaker-memory.js';
import { callRow, callRows, contenders, OPOSSUM_LATENCIES, samplesRow, samplesRows } from './call-rows.js';
import { machine, nanoseconds, packageVersion, table, writeSection } from './results-file.js';
import { BUSY_CALLS, OPOSSUM_BUSY_CALLS } from './targets.js';
import { measure } from './turns.js';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    'turn-ms': { type: 'string', default: '8' },
    count: { type: 'string', default: '10000' },
    'idle-ms': { type: 'string', default: '2000' },
    'no-write': { type: 'boolean', default: false },
  },
});
const rounds = Number(values.rounds);
const turnMs = Number(values['turn-ms']);
const count = Number(values.count);
const idleMs = Number(values['idle-ms']);
const SAMPLES = [1000, 100_000];

/** In a process of its own, where nothing else is on the heap. */
async function measureMemory(): Promise<Held[]> {
  const child = fork(fileURLToPath(new URL('breaker-memory.js', import.meta.url)), [`${count}`, `${idleMs}`], {
    execArgv: ['--expose-gc'],
  });
  const ended = once(child, 'exit').then(() => {
    throw new Error('the process that measures memory ended');
  });
  const [held] = await Promise.race([once(child, 'message'), ended]);
  return held as Held[];
}

const loadBefore = loadavg()[0] ?? 0;
const held = await measureMemory();
const all = await contenders();
const attempts = attemptRows();
const costs = await measure([...attempts, ...all.flatMap(callRows), ...SAMPLES.flatMap(samplesRows)], rounds, turnMs);
const ns = (name: string): string => nanoseconds(costs.get(name));

const section = `## The breaker, beside opossum and cockatiel

Written by \`npm run bench:breaker\`.

- Machine: ${machine()}
- Node ${process.version}, ${['xstate', 'opossum', 'cockatiel'].map(packageVersion).join(', ')}
- ${rounds} rounds, each row ${turnMs} ms in each, all rows taking turns in one process; the lower quartile counts
- Load average of the machine before the start: ${loadBefore.toFixed(1)}

What this daemon does for an attempt, nanoseconds of processor time:

${table(
  ['step', 'ns'],
  attempts.map(({ name }) => [name, ns(name)]),
)}
One awaited call of each, nanoseconds of processor time:

${table(
  ['behind', 'succeeds', 'fails', 'refused: open'],
  all.map(({ name }) => [name, ...(['success', 'failure', 'refusal'] as const).map((kind) => ns(callRow(name, kind)))]),
)}
Over a window that holds so many latencies, nanoseconds of processor time:

${table(
  [
    'latencies',
    'this daemon: percentiles',
    'opossum: percentiles',
    'this daemon: a call fails',
    'opossum: a call fails',
  ],
  SAMPLES.map((samples) => [
    String(samples),
    ...(['read', 'failure'] as const).flatMap((kind) =>
      ['this daemon', 'opossum'].map((contender) => ns(samplesRow(contender, kind, samples))),
    ),
  ]),
)}
Memory of each of ${count} (busy: ${count / 10}), the timers that each keeps running, and what all of them take of a
processor while nobody calls, over ${idleMs / 1000} s:

${table(
  ['what', 'bytes', 'timers', '% of a processor'],
  held.map(({ name, bytes, timers, idleShare }) => [
    name,
    bytes.toFixed(0),
    String(timers),
    idleShare === null ? '' : (idleShare * 100).toFixed(2),
  ]),
)}
### What is measured

- Processor time of the process, user and system, garbage collection included, so that what else the machine does counts
  less; on an idle machine it is the time that passes. It only ever makes a round slower: hence the lower quartile.
- The steps take the time as an argument and wait for nothing: no promise, no clock, no message. "With an instance": the
  version has two, one takes the calls. The failure is below every threshold: the actor looks at its window and stays
  closed. The cycle is seven attempts and four transitions with their timers; it runs some hundred times, too rarely for
  all of it to be compiled. The tick with attempts out finds none that is overdue; a tick reads percentiles at most every
  five seconds.
- The awaited calls have one shape: \`await\` of a call that resolves or rejects at once, behind the breaker. Ours admits,
  reads the clock twice and settles, as the daemon does for each attempt (which waits for a message in place of a promise),
  and answers a refusal with a value; opossum and cockatiel reject with an error. Failures find them closed and leave them
  so. opossum's default is a timer for each call; ours has its timeouts where messages are sent, cockatiel's are a policy
  of their own: neither is in here. opossum's failures are measured with ${OPOSSUM_LATENCIES} latencies in its window.
- Memory is V8's heap and array buffers after collection, divided by their number. Busy: 20 calls a second, so ${BUSY_CALLS} in
  the five minutes of our health window and ${OPOSSUM_BUSY_CALLS} in the ten seconds of opossum's, latencies spread over six octaves (1
  to 64 ms). Ours grows with the octaves that it has seen, and once more where one counter of a slice passes 255, or 65 535.
- Idle: extensions in a running daemon without its edges (ticks, writers and all), opossum with its defaults.

### What is not

- Messages, connections, routing, retries: the daemon as a whole is measured above.
- What opossum does between calls: once a second each of its breakers sorts its latencies for a snapshot.
- Calls side by side: all of it is one call after another.
`;
console.log(section);
if (!values['no-write']) writeSection('breaker', section);

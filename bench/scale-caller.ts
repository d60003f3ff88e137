// The calls of the benchmark of scale: a few one after another while something else happens, or each extension once.
import { BODY_BYTES, connectTo, DAEMON_PREFIX, EXTENSION_ID, report, serverUrl } from './client.js';

export interface Calls {
  readonly calls: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

export interface Each {
  readonly seconds: number;
  readonly failed: number;
}

const CALLERS = 8;
const IN_FLIGHT = 256;
const TIMEOUT_MS = 30_000;

const client = await connectTo(serverUrl(), 'caller');
const body = Buffer.alloc(BODY_BYTES, 'x');
let isCalling = false;
let latencies: number[] = [];
let callers: Promise<unknown> = Promise.resolve();

async function call(id: string): Promise<boolean> {
  const answer = await client.request(`${DAEMON_PREFIX}.invoke.${id}`, body, { timeout: TIMEOUT_MS });
  return answer.data.length === BODY_BYTES;
}

async function caller(): Promise<void> {
  while (isCalling) {
    const startMs = performance.now();
    if (!(await call(EXTENSION_ID))) throw new Error('an answer was wrong');
    latencies.push(performance.now() - startMs);
  }
}

async function stop(): Promise<Calls> {
  isCalling = false;
  await callers;
  const sorted = latencies.sort((a, b) => a - b);
  return {
    calls: sorted.length,
    p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? 0,
    maxMs: sorted.at(-1) ?? 0,
  };
}

/** `idle-1` to `idle-<count>`. */
async function each(count: number): Promise<Each> {
  const startMs = performance.now();
  let next = 1;
  let failed = 0;
  const worker = async (): Promise<void> => {
    for (let n = next++; n <= count; n = next++) if (!(await call(`idle-${n}`))) failed++;
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  return { seconds: (performance.now() - startMs) / 1000, failed };
}

process.on('message', (message) => {
  if (message === 'start') {
    isCalling = true;
    latencies = [];
    callers = Promise.all(Array.from({ length: CALLERS }, caller));
    process.send?.('started');
  }
  if (message === 'stop') void stop().then((calls) => process.send?.(calls));
  if (typeof message === 'object' && message !== null && 'each' in message)
    void each(Number(message.each)).then((answer) => process.send?.(answer));
});
report();

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

/** `idle-1` to `idle-<count>`. Without a promise and a timer for each call, which would take longer than the daemon does. */
function each(count: number): Promise<Each> {
  return new Promise((resolve) => {
    const startMs = performance.now();
    const reply = '_INBOX.each.1';
    let called = 0;
    let answered = 0;
    let failed = 0;
    const next = (): void => {
      called += 1;
      if (called <= count) client.publish(`${DAEMON_PREFIX}.invoke.idle-${called}`, body, { reply });
    };
    const answers = client.subscribe(reply, {
      callback: (error, answer) => {
        if (error !== null || answer.data.length !== BODY_BYTES) failed += 1;
        answered += 1;
        if (answered < count) return next();
        answers.unsubscribe();
        resolve({ seconds: (performance.now() - startMs) / 1000, failed });
      },
    });
    for (let i = 0; i < IN_FLIGHT; i += 1) next();
  });
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

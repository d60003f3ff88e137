// The calls of the benchmark of writes: to each of many extensions in turn, at a rate.
import { connectTo, DAEMON_PREFIX, report, serverUrl } from './client.js';

/** To `<prefix>-1` to `<prefix>-<count>`, `rate` a second, all of them `times` times. */
interface Pace {
  readonly prefix: string;
  readonly count: number;
  readonly rate: number;
  readonly times: number;
}

export interface Paced {
  /** Without an answer, or with an error of the daemon. */
  readonly failed: number;
}

const TICK_MS = 5;
const IN_FLIGHT_MAX = 2000;
const LAST_MS = 10_000;

const client = await connectTo(serverUrl(), 'caller');
const base = `_INBOX_caller.${process.pid}.`;
const body = Buffer.alloc(64, 'x');
let answered = 0;
let errors = 0;
client.subscribe(`${base}*`, {
  callback: (_, message) => {
    answered += 1;
    if (message.headers?.has('Extreg-Error') === true) errors += 1;
  },
});
await client.flush();

async function run({ prefix, count, rate, times }: Pace): Promise<Paced> {
  const total = count * times;
  answered = 0;
  errors = 0;
  let sent = 0;
  const startMs = performance.now();
  while (sent < total) {
    const due = Math.min(total, Math.floor(((performance.now() - startMs) * rate) / 1000), answered + IN_FLIGHT_MAX);
    for (; sent < due; sent += 1)
      client.publish(`${DAEMON_PREFIX}.invoke.${prefix}-${(sent % count) + 1}`, body, { reply: base + sent });
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  const lastMs = performance.now() + LAST_MS;
  while (answered < total && performance.now() < lastMs) await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  return { failed: total - answered + errors };
}

process.on('message', (message) => {
  if (typeof message === 'object' && message !== null && 'paced' in message)
    void run(message.paced as Pace).then((paced) => process.send?.(paced));
});
report();

// The load: calls one subject for a while and measures each of them. Closed loop: a number of requests is in flight all the time. Open loop: requests are due
// at a rate, whatever became of those before, and each is measured from when it was due.
import { headers, type MsgHdrsImpl } from '#@nats-io/nats-core';
import type { MsgImpl } from '#@nats-io/nats-core/internal';
import { connectTo, RawHeaders, report, serverUrl } from './client.js';

interface Closed {
  readonly inFlight: number;
}

interface Open {
  /** Requests a second. */
  readonly rate: number;
}

export type Load = (Closed | Open) & {
  readonly subject: string;
  readonly headers: number;
  readonly bodyBytes: number;
  readonly durationMs: number;
};

export interface Measured {
  readonly requests: number;
  /** Answers that were not the body we sent, and requests without any. */
  readonly wrong: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const MAX_SAMPLES = 1_000_000;
/** More than are ever in flight. */
const SLOTS = 65_536;
/** Open loop: how often what is due is sent. */
const TICK_MS = 1;
/** Open loop: how long the last answers are waited for. */
const LAST_MS = 2000;

const client = await connectTo(serverUrl(), 'generator');
const base = `_INBOX_generator.${process.pid}.`;
const latencies = new Float64Array(MAX_SAMPLES);
/** When the request of each slot was sent, or due; NaN: none is in flight. */
const sinceMs = new Float64Array(SLOTS).fill(Number.NaN);
const callerHeaders = new RawHeaders();
let load: Load | null = null;
let body = Buffer.alloc(0);
let requests = 0;
let wrong = 0;
let open = 0;
/** Closed loop: until then an answer is followed by a request. */
let endMs = 0;
let finished: () => void = () => undefined;

function send(slot: number, dueMs: number): void {
  if (load === null) return;
  sinceMs[slot] = dueMs;
  const reply = base + slot;
  client.publish(load.subject, body, load.headers > 0 ? { reply, headers: callerHeaders } : { reply });
}

client.subscribe(`${base}*`, {
  callback: (error, message) => {
    if (error !== null) return;
    const subject = (message as MsgImpl)._msg.subject;
    let slot = 0;
    for (let i = base.length; i < subject.length; i += 1) slot = slot * 10 + ((subject[i] as number) - 48);
    const now = performance.now();
    if (message.data.length !== body.length || Number.isNaN(sinceMs[slot])) wrong += 1;
    if (requests < MAX_SAMPLES) latencies[requests] = now - (sinceMs[slot] as number);
    sinceMs[slot] = Number.NaN;
    requests += 1;
    if (now < endMs) return send(slot, now);
    open -= 1;
    if (open === 0) finished();
  },
});
await client.flush();

async function runClosed({ inFlight }: Closed, durationMs: number): Promise<void> {
  open = inFlight;
  endMs = performance.now() + durationMs;
  await new Promise<void>((resolve) => {
    finished = resolve;
    for (let slot = 0; slot < inFlight; slot += 1) send(slot, performance.now());
  });
}

async function runOpen({ rate }: Open, durationMs: number): Promise<void> {
  endMs = 0;
  const total = Math.round((rate * durationMs) / 1000);
  open = total;
  let sent = 0;
  const startMs = performance.now();
  await new Promise<void>((resolve) => {
    finished = resolve;
    const sendDue = (): void => {
      const due = Math.min(total, Math.floor(((performance.now() - startMs) * rate) / 1000) + 1);
      for (; sent < due; sent += 1) send(sent % SLOTS, startMs + (sent * 1000) / rate);
      if (sent < total) return void setTimeout(sendDue, TICK_MS);
      // What is not answered by then is wrong.
      setTimeout(() => {
        wrong += open;
        open = 0;
        resolve();
      }, LAST_MS).unref();
    };
    sendDue();
  });
}

async function run(wanted: Load): Promise<Measured> {
  load = wanted;
  body = Buffer.alloc(wanted.bodyBytes, 'x');
  const given = headers();
  given.set('X-Request-Id', '7f3c9a52-41be-4f0e-9d0a-6f8f0a8b1c2d');
  given.set('Extreg-Tenant-Id', 'tenant-17');
  given.set('Content-Type', 'application/json');
  callerHeaders.bytes = (given as MsgHdrsImpl).encode();
  sinceMs.fill(Number.NaN);
  requests = 0;
  wrong = 0;
  const startMs = performance.now();
  await ('rate' in wanted ? runOpen(wanted, wanted.durationMs) : runClosed(wanted, wanted.durationMs));
  const seconds = (performance.now() - startMs) / 1000;
  const sorted = latencies.subarray(0, Math.min(requests, MAX_SAMPLES)).sort();
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { requests, wrong, seconds, p50Ms: at(0.5), p99Ms: at(0.99) };
}

process.on('message', (message) => {
  if (typeof message === 'object' && message !== null && 'subject' in message)
    void run(message as Load).then((measured) => process.send?.(measured));
});
report();

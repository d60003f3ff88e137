// The load: keeps a number of requests in flight on one subject for a while and measures each of them.
import { headers, type MsgHdrsImpl } from '#@nats-io/nats-core';
import type { MsgImpl } from '#@nats-io/nats-core/internal';
import { BODY_BYTES, connectTo, RawHeaders, report, serverUrl } from './wire.js';

export interface Load {
  readonly subject: string;
  readonly inFlight: number;
  readonly headers: number;
  readonly durationMs: number;
}

export interface Measured {
  readonly requests: number;
  /** Answers that were not the body we sent. */
  readonly wrong: number;
  readonly seconds: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const MAX_SAMPLES = 1_000_000;

const client = await connectTo(serverUrl(), 'generator');
const base = `_INBOX_generator.${process.pid}.`;
const body = Buffer.alloc(BODY_BYTES, 'x');
const latencies = new Float64Array(MAX_SAMPLES);
const sentMs = new Float64Array(1024);
const callerHeaders = new RawHeaders();
let load: Load | null = null;
let requests = 0;
let wrong = 0;
let open = 0;
let endMs = 0;
let finished: () => void = () => undefined;

function send(slot: number): void {
  if (load === null) return;
  sentMs[slot] = performance.now();
  client.publish(
    load.subject,
    body,
    load.headers > 0 ? { reply: base + slot, headers: callerHeaders } : { reply: base + slot },
  );
}

client.subscribe(`${base}*`, {
  callback: (error, message) => {
    if (error !== null) return;
    const subject = (message as MsgImpl)._msg.subject;
    let slot = 0;
    for (let i = base.length; i < subject.length; i += 1) slot = slot * 10 + ((subject[i] as number) - 48);
    const now = performance.now();
    if (message.data.length !== BODY_BYTES) wrong += 1;
    if (requests < MAX_SAMPLES) latencies[requests] = now - (sentMs[slot] as number);
    requests += 1;
    if (now < endMs) return send(slot);
    open -= 1;
    if (open === 0) finished();
  },
});
await client.flush();

async function run(wanted: Load): Promise<Measured> {
  load = wanted;
  const given = headers();
  given.set('X-Request-Id', '7f3c9a52-41be-4f0e-9d0a-6f8f0a8b1c2d');
  given.set('Extreg-Tenant-Id', 'tenant-17');
  given.set('Content-Type', 'application/json');
  callerHeaders.bytes = (given as MsgHdrsImpl).encode();
  requests = 0;
  wrong = 0;
  open = wanted.inFlight;
  const startMs = performance.now();
  endMs = startMs + wanted.durationMs;
  await new Promise<void>((resolve) => {
    finished = resolve;
    for (let slot = 0; slot < wanted.inFlight; slot += 1) send(slot);
  });
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

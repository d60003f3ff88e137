// The same call through Moleculer: a caller, a gateway that calls the extension with its circuit breaker on, and the extension, a process each.
// Arguments: the NATS URL, a directory that is not used, and the role. It talks to the orchestrator as the other processes do (bench/client.ts).
import { ServiceBroker } from 'moleculer';

const [url, , role] = process.argv.slice(2);
const CALL_TIMEOUT_MS = 5000;
const MAX_SAMPLES = 1_000_000;

const broker = new ServiceBroker({
  nodeID: role,
  transporter: url,
  logger: false,
  requestTimeout: CALL_TIMEOUT_MS,
  circuitBreaker: { enabled: role === 'gateway' },
});
if (role === 'extension') broker.createService({ name: 'extension', actions: { echo: (ctx) => ctx.params } });
if (role === 'gateway')
  broker.createService({ name: 'gateway', actions: { echo: (ctx) => ctx.call('extension.echo', ctx.params) } });
await broker.start();
if (role === 'gateway') await broker.waitForServices('extension');
if (role === 'caller') await broker.waitForServices('gateway');

/** As the generator of bench/generator.ts, closed loop. */
async function run({ inFlight, durationMs, bodyBytes }) {
  const body = 'x'.repeat(bodyBytes);
  const meta = {
    request_id: '7f3c9a52-41be-4f0e-9d0a-6f8f0a8b1c2d',
    tenant: 'tenant-17',
    content_type: 'application/json',
  };
  const latencies = new Float64Array(MAX_SAMPLES);
  let requests = 0;
  let wrong = 0;
  const startMs = performance.now();
  const endMs = startMs + durationMs;
  const caller = async () => {
    for (let now = performance.now(); now < endMs; ) {
      const sentMs = now;
      const answer = await broker.call('gateway.echo', { body }, { meta }).catch(() => null);
      now = performance.now();
      if (answer?.body.length !== bodyBytes) wrong += 1;
      if (requests < MAX_SAMPLES) latencies[requests] = now - sentMs;
      requests += 1;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, caller));
  const seconds = (performance.now() - startMs) / 1000;
  const sorted = latencies.subarray(0, Math.min(requests, MAX_SAMPLES)).sort();
  const at = (share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { requests, wrong, seconds, p50Ms: at(0.5), p99Ms: at(0.99) };
}

process.on('message', (message) => {
  if (message === 'cpu') {
    const { user, system } = process.cpuUsage();
    process.send({ cpuMicros: user + system });
  } else if (typeof message === 'object' && 'subject' in message)
    void run(message).then((measured) => process.send(measured));
});
process.on('disconnect', () => process.exit(0));
process.send('ready');

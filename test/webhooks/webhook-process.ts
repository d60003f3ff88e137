// A process of its own that posts one notice to each URL it is given. When its input has ended and one has taken it, it
// closes its webhooks and prints their counts; then it ends if nothing keeps it.
import { once } from 'node:events';
import { silentLogger } from '../../src/telemetry/log.js';
import { createWebhooks } from '../../src/webhooks/webhooks.js';

const webhooks = createWebhooks({
  urls: process.argv.slice(2),
  secret: null,
  kinds: ['actor_failed'],
  timeoutMs: 2 ** 31 - 1,
  clock: {
    now: () => performance.now(),
    setTimeout: (fn, ms) => setTimeout(fn, ms),
    clearTimeout: (id) => clearTimeout(id as NodeJS.Timeout),
  },
  wall: Date.now,
  random: Math.random,
  log: silentLogger,
});
webhooks.publish({ event: 'actor_failed', extension_id: 'a', at: new Date().toISOString(), actor: 'system:breaker' });
process.stdin.resume();
await once(process.stdin, 'end');
while (webhooks.counts().delivered === 0) await new Promise((resolve) => setImmediate(resolve));
webhooks.close();
process.stdout.write(JSON.stringify(webhooks.counts()));

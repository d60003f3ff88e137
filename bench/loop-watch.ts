// Preloaded into the daemon of the benchmark of scale: the longest turn of its event loop, and the longest pause for garbage collection, between
// two questions. The daemon's own histogram looks 20 times in a second; this one each millisecond, which costs too much to be always there.
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';

export interface Turns {
  readonly turnMs: number;
  readonly gcMs: number;
}

const RESOLUTION_MS = 1;
const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
let gcMs = 0;
const collections = new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) gcMs = Math.max(gcMs, duration);
});

process.on('message', (message) => {
  if (message === 'watch') {
    delays.reset();
    delays.enable();
    gcMs = 0;
    collections.observe({ entryTypes: ['gc'] });
  } else if (message === 'watched') {
    delays.disable();
    collections.disconnect();
    process.send?.({ turnMs: Math.max(delays.max / 1e6 - RESOLUTION_MS, 0), gcMs } satisfies Turns);
  }
});
// The daemon ends as it would without it.
process.channel?.unref();

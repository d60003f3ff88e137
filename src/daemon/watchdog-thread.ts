// The thread of watchdog.ts. It shares a counter with the thread that it watches, and nothing else.
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import { Hang, TICK_MS } from './hang.js';
import type { WatchdogData } from './watchdog.js';

const STANDARD_ERROR = 2;

const { turns, hangMs } = workerData as WatchdogData;
const counter = new Int32Array(turns);
const hang = new Hang(hangMs, performance.now());

function tick(): void {
  const silentMs = hang.tick(Atomics.load(counter, 0), performance.now());
  if (silentMs === null) return;
  const seconds = (silentMs / 1000).toFixed(1);
  const line = `extreg: the event loop has not turned for ${seconds} s (hang_seconds): the daemon ends itself\n`;
  try {
    writeSync(STANDARD_ERROR, line);
  } finally {
    process.kill(process.pid, 'SIGKILL');
  }
}

setInterval(tick, TICK_MS);

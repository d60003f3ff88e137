// The thread of watchdog.ts. It shares a counter with the thread that it watches, and nothing else.
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';
import type { WatchdogData } from './watchdog.js';

const TICK_MS = 250;
/** A tick that is later by more than this: this thread stood still, too. */
const LATE_MS = 600;
const STANDARD_ERROR = 2;

const { turns, hangMs } = workerData as WatchdogData;
const counter = new Int32Array(turns);
let last = -1;
let raisedMs = performance.now();
let tickedMs = raisedMs;

function tick(): void {
  const nowMs = performance.now();
  const isLate = nowMs - tickedMs > TICK_MS + LATE_MS;
  tickedMs = nowMs;
  const now = Atomics.load(counter, 0);
  // WATCHDOG-2.
  if (now !== last || isLate) {
    last = now;
    raisedMs = nowMs;
    return;
  }
  if (nowMs - raisedMs < hangMs) return;
  const seconds = ((nowMs - raisedMs) / 1000).toFixed(1);
  const line = `extreg: the event loop has not turned for ${seconds} s (hang_seconds): the daemon ends itself\n`;
  try {
    writeSync(STANDARD_ERROR, line);
  } finally {
    process.kill(process.pid, 'SIGKILL');
  }
}

setInterval(tick, TICK_MS);

// Ends a process whose event loop hangs: a daemon that stands still keeps its share of the calls, and answers none of them.
//
// WATCHDOG-1. A thread of its own watches; what hangs cannot end itself.
// WATCHDOG-2. A process that was suspended as a whole (SIGSTOP, a frozen machine) has not hung: the thread stood still with it.
// WATCHDOG-3. A thread that ends by an error is logged once, and the daemon serves without it.
import { Worker } from 'node:worker_threads';
import type { Logger } from '../telemetry/log.js';

export interface WatchdogData {
  /** One counter, raised by the watched thread. */
  readonly turns: SharedArrayBuffer;
  readonly hangMs: number;
}

interface Watchdog {
  /** The event loop turns. */
  readonly raise: () => void;
  readonly stop: () => Promise<void>;
}

/** It needs hardly any memory of its own. */
const LIMITS = { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 1, stackSizeMb: 1 };

const PROGRAM = new URL('./watchdog-thread.js', import.meta.url);

/** `hangSeconds`: not raised for so long, the process is ended with SIGKILL and a line on standard error; 0: never. */
export function startWatchdog(hangSeconds: number, log: Logger, program = PROGRAM): Watchdog {
  if (hangSeconds === 0) return { raise: () => undefined, stop: async () => undefined };
  const turns = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  const counter = new Int32Array(turns);
  const workerData: WatchdogData = { turns, hangMs: hangSeconds * 1000 };
  const thread = new Worker(program, { workerData, resourceLimits: LIMITS, execArgv: [] });
  // WATCHDOG-3.
  thread.once('error', (error) => log.error({ event: 'watchdog_failed', error: String(error) }));
  thread.unref();
  return {
    raise: () => void Atomics.add(counter, 0, 1),
    stop: async () => void (await thread.terminate()),
  };
}

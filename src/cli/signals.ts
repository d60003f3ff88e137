// How a running daemon is told to end, and that it then ends.
//
// G1. The first SIGINT or SIGTERM starts the stop, once; when it is through, the process exits 0.
// G2. A further signal within 1 s of the first is a repeat (npm forwards a Ctrl-C that the terminal sends as well): ignored.
//     A later one ends the process at once, with 128 and the signal's number.
// G3. A stop that takes longer than its deadline, or fails, ends the process with 1.
// G4. A terminal that is gone ends what ran in it: SIGHUP, a parent that changed, output that nobody reads any more.
//     A service without a terminal reloads on SIGHUP instead. A broken output never ends a process by an exception.
import { constants } from 'node:os';

export type StopReason = 'SIGINT' | 'SIGTERM' | 'SIGHUP' | 'parent_gone' | 'output_closed';

export interface StopSignals {
  /** The orderly end. Called at most once. */
  readonly stop: (reason: StopReason) => Promise<void>;
  readonly deadlineMs: number;
  /** `stop`: SIGHUP means that the terminal is gone. A function: it means to reload. */
  readonly onHangup: 'stop' | (() => void);
  /** The parent whose end means ours; left out: the parent does not matter. */
  readonly parentPid?: number;
  /** What a closed standard output means. Left out: nothing; what is written there is lost. */
  readonly onOutputClosed?: 'stop';
}

const REPEAT_MS = 1000;
const PARENT_POLL_MS = 250;

/** Takes the process's signals until it ends. */
export function stopOnSignals(options: StopSignals): void {
  let stoppingSinceMs: number | null = null;

  const begin = async (reason: StopReason): Promise<void> => {
    if (stoppingSinceMs !== null) return;
    stoppingSinceMs = performance.now();
    setTimeout(() => process.exit(1), options.deadlineMs);
    try {
      await options.stop(reason);
      process.exit(0);
    } catch {
      process.exit(1);
    }
  };
  const onSignal = (signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP'): void => {
    if (stoppingSinceMs === null) void begin(signal);
    else if (performance.now() - stoppingSinceMs >= REPEAT_MS) process.exit(128 + constants.signals[signal]);
  };

  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  process.on('SIGHUP', (signal) => {
    if (options.onHangup === 'stop') onSignal(signal as 'SIGHUP');
    else if (stoppingSinceMs === null) options.onHangup();
  });
  for (const output of [process.stdout, process.stderr])
    output.on('error', () => {
      if (options.onOutputClosed === 'stop') void begin('output_closed');
    });
  const { parentPid } = options;
  if (parentPid === undefined) return;
  setInterval(() => {
    if (process.ppid !== parentPid) void begin('parent_gone');
  }, PARENT_POLL_MS).unref();
}

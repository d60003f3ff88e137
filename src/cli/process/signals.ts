// Signals that stop a running daemon, and that it then ends.
//
// SIGNALS-1. The first SIGINT, SIGTERM or SIGQUIT starts the stop, once; when it is through, the process exits 0.
// SIGNALS-2. A further signal within 1 s of the first is a repeat (npm forwards a Ctrl-C that the terminal sends as well): ignored.
//     A later one ends the process immediately, with 128 and the signal's number.
// SIGNALS-3. A stop that takes longer than its deadline, or fails, ends the process with 1.
// SIGNALS-4. A terminal that is gone ends what ran in it: SIGHUP, a parent that changed, output without a reader.
//     A service without a terminal reloads on SIGHUP instead. A broken output never ends a process by an exception.
// SIGNALS-5. No reader of the output can hold the process: if what is buffered for it cannot be written, the process kills itself, because
//     an exit would wait for the write that is in progress.
// SIGNALS-6. SIGUSR1 and SIGUSR2 do nothing: the first would open a debugger port, the second would end the process.
import { constants } from 'node:os';

type StopReason = 'SIGINT' | 'SIGTERM' | 'SIGQUIT' | 'SIGHUP' | 'parent_gone' | 'output_closed';

export interface StopSignals {
  /** The orderly end. Called at most once. */
  readonly stop: (reason: StopReason) => Promise<void>;
  readonly deadlineMs: number;
  /** `stop`: SIGHUP means that the terminal is gone. A function: it means to reload. */
  readonly onHangup: 'stop' | (() => void);
  /** The parent whose end means ours; absent: the parent does not matter. */
  readonly parentPid?: number;
  /** What a closed standard output means. Absent: nothing; what is written there is lost. */
  readonly onOutputClosed?: 'stop';
  /** SIGNALS-5. Resolves, soon, with whether all that is buffered for the output has been written. Absent: nothing is buffered. */
  readonly flush?: () => Promise<boolean>;
  /** SIGNALS-6. Of the signals that do nothing. */
  readonly onIgnored?: (signal: NodeJS.Signals) => void;
}

/** Of a command that holds the terminal: `restore` when the process ends, by whatever it can notice; `stop` on a signal. */
export function whenEnding(restore: () => void, stop: () => void): () => void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
  for (const signal of signals) process.on(signal, stop);
  process.on('exit', restore);
  return () => {
    for (const signal of signals) process.off(signal, stop);
    process.off('exit', restore);
  };
}

const REPEAT_MS = 1000;
const PARENT_POLL_MS = 250;

/** SIGNALS-5. */
export async function endProcess(code: number, flush: () => Promise<boolean>): Promise<never> {
  if (await flush().catch(() => false)) process.exit(code);
  process.kill(process.pid, 'SIGKILL');
  return new Promise(() => {});
}

/** Takes the process's signals until it ends. */
export function stopOnSignals(options: StopSignals): void {
  let stoppingSinceMs: number | null = null;
  const flush = options.flush ?? (async () => true);
  const end = (code: number): void => void endProcess(code, flush);

  const begin = async (reason: StopReason): Promise<void> => {
    if (stoppingSinceMs !== null) return;
    stoppingSinceMs = performance.now();
    setTimeout(() => end(1), options.deadlineMs);
    try {
      await options.stop(reason);
      end(0);
    } catch {
      end(1);
    }
  };
  const onSignal = (signal: 'SIGINT' | 'SIGTERM' | 'SIGQUIT' | 'SIGHUP'): void => {
    if (stoppingSinceMs === null) void begin(signal);
    else if (performance.now() - stoppingSinceMs >= REPEAT_MS) end(128 + constants.signals[signal]);
  };

  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  process.on('SIGQUIT', onSignal);
  for (const signal of ['SIGUSR1', 'SIGUSR2'] as const) process.on(signal, () => options.onIgnored?.(signal));
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

// Waiting for something, but not for ever.

/** Timers of the process, or of a simulated clock. */
interface Timers {
  readonly setTimeout: (fn: () => void, ms: number) => unknown;
  readonly clearTimeout: (timer: unknown) => void;
}

const PROCESS: Timers = {
  setTimeout: (fn, ms) => setTimeout(fn, ms),
  clearTimeout: (timer) => clearTimeout(timer as NodeJS.Timeout),
};

/** What `work` resolves with, or `late` after `ms`; rejects if it rejects before. The work itself goes on. No timer is left. */
export async function within<T, Late>(
  ms: number,
  work: Promise<T>,
  late: Late,
  timers: Timers = PROCESS,
): Promise<T | Late> {
  let timer: unknown;
  const deadline = new Promise<Late>((resolve) => {
    timer = timers.setTimeout(() => resolve(late), ms);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    timers.clearTimeout(timer);
  }
}

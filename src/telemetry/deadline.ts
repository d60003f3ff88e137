// Waiting for something, but not for ever.

/** Timers of the process, or of a simulated clock. */
export interface Timers {
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

const LATE = Symbol('late');

/** As within(), but rejects if it is late. `moreover`: ends the message. */
export async function answerWithin<T>(ms: number, work: Promise<T>, timers?: Timers, moreover = ''): Promise<T> {
  const result = await within<T, typeof LATE>(ms, work, LATE, timers);
  if (result === LATE) throw new Error(`no answer within ${ms / 1000} s${moreover}`);
  return result;
}

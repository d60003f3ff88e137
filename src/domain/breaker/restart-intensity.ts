// How soon a failed actor is rebuilt, after Erlang/OTP's restart intensity: quickly at first, then once a minute.

const WINDOW_MS = 10_000;
const MAX_RESTARTS = 5;
const GIVEN_UP_MS = 60_000;

export interface Restart {
  readonly delayMs: number;
  /** The limit was reached: until it is tried again, and works, calls are refused. */
  readonly givenUp: boolean;
}

/** It was given up, was tried after its minute, and failed within a window: that was its one try. */
function failedItsTry(failedAtMs: readonly number[]): boolean {
  const [before, newest] = failedAtMs.slice(-2);
  if (before === undefined || newest === undefined || newest - before >= GIVEN_UP_MS + WINDOW_MS) return false;
  return nextRestart(failedAtMs.slice(0, -1)).givenUp;
}

/** `failedAtMs`: the failures so far, the newest last; delays double from 50 ms. */
export function nextRestart(failedAtMs: readonly number[]): Restart {
  const newest = failedAtMs.at(-1) ?? 0;
  const recent = failedAtMs.filter((at) => newest - at < WINDOW_MS).length;
  if (recent > MAX_RESTARTS || failedItsTry(failedAtMs)) return { delayMs: GIVEN_UP_MS, givenUp: true };
  return { delayMs: 50 * 2 ** (recent - 1), givenUp: false };
}

// A log line that a client can provoke as often as it likes: written at most once per period, with how many were held back.
import type { Logger } from './log.js';

const PERIOD_MS = 10_000;

export type LimitedWarn = (fields: Readonly<Record<string, unknown>>) => void;

/** Warns `event` with the fields of its first occurrence in each period; `suppressed` counts those left out since the last line. */
export function createLimitedWarn(log: Logger, event: string, nowMs: () => number): LimitedWarn {
  let nextMs = Number.NEGATIVE_INFINITY;
  let suppressed = 0;
  return (fields) => {
    const now = nowMs();
    if (now < nextMs) {
      suppressed += 1;
      return;
    }
    nextMs = now + PERIOD_MS;
    log.warn({ event, ...fields, suppressed });
    suppressed = 0;
  };
}

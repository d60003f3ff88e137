// Log lines that a client can provoke as often as it likes: written so many times per period, with how many were held back.
import type { Logger } from './log.js';

const WARN_PERIOD_MS = 10_000;
const DEBUG_PERIOD_MS = 1000;
const DEBUG_LINES = 50;

type Fields = Readonly<Record<string, unknown>>;
export type LimitedWarn = (fields: Fields) => void;

/** Warns `event` with the fields of its first occurrence in ten seconds; `suppressed` counts those left out since the last line. */
export function createLimitedWarn(log: Logger, event: string, nowMs: () => number): LimitedWarn {
  const mayWrite = limiter(1, WARN_PERIOD_MS);
  return (fields) => {
    const suppressed = mayWrite(nowMs());
    if (suppressed !== null) log.warn({ event, ...fields, suppressed });
  };
}

/**
 * A line at level debug for what happens at every call or request: the first fifty of a second, the first of them with the number of those left
 * out before (`suppressed`), if there are any. `fields` is asked only for what is written.
 */
export function createSampledDebug(log: Logger, event: string, nowMs: () => number): (fields: () => Fields) => void {
  const mayWrite = limiter(DEBUG_LINES, DEBUG_PERIOD_MS);
  return (fields) => {
    if (!log.isLevelEnabled('debug')) return;
    const suppressed = mayWrite(nowMs());
    if (suppressed !== null) log.debug({ event, ...fields(), ...(suppressed === 0 ? {} : { suppressed }) });
  };
}

/** Asked for each line: how many were left out since the last one, or null: this one is, too. */
function limiter(lines: number, periodMs: number): (nowMs: number) => number | null {
  let periodEndMs = Number.NEGATIVE_INFINITY;
  let written = 0;
  let suppressed = 0;
  return (nowMs) => {
    if (nowMs >= periodEndMs) {
      periodEndMs = nowMs + periodMs;
      written = 0;
    }
    if (written === lines) {
      suppressed += 1;
      return null;
    }
    written += 1;
    const before = suppressed;
    suppressed = 0;
    return before;
  };
}

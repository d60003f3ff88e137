// How tests wait: they ask again and again until something is so, at first quickly, then more rarely. Asking costs processor time on both
// sides, mostly while something else is to get on.
import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_PAUSE_MS = 4;
const GROWTH = 1.3;
const LONGEST_PAUSE_MS = 25;

/**
 * Resolves with what `look` gives as soon as that is neither null, undefined nor false; rejects after `deadlineMs`, naming what was waited
 * for. `longestPauseMs`: for what is dear to ask.
 */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  deadlineMs = 30_000,
  longestPauseMs = LONGEST_PAUSE_MS,
): Promise<NonNullable<T>> {
  const end = performance.now() + deadlineMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * GROWTH, longestPauseMs)) {
    const value = await look();
    if (value !== null && value !== undefined && value !== false) return value as NonNullable<T>;
    if (performance.now() > end) throw new Error(`waited ${deadlineMs} ms in vain: ${what}`);
    await sleep(pauseMs);
  }
}

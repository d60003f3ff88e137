// How the daemon waits for a database: pauses that grow, and end with the daemon.
import type { Clock } from '../actors/ports/clock.js';

export const FIRST_RETRY_MS = 250;
/** However long it was away, its return is noticed within two seconds. */
export const MAX_RETRY_MS = 1500;

/** Resolves after `ms`, or when it is stopped. */
export function pause(ms: number, clock: Clock, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clock.clearTimeout(timer);
      stopped.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.setTimeout(end, ms);
    stopped.addEventListener('abort', end);
  });
}

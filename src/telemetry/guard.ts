// The last guard: what is thrown outside of any handler is logged, and the daemon carries on.
import { config as rxjs } from '#rxjs';
import { stackOf } from './error-text.js';
import type { Logger } from './log.js';

const EVENT = 'unexpected_error';

/** `where`: what was being done. */
export function logUnexpected(log: Logger, where: string, error: unknown): void {
  log.error({ event: EVENT, where, error: stackOf(error) });
}

/** The same function, which never throws. */
export function guarded<Args extends unknown[]>(
  log: Logger,
  where: string,
  fn: (...args: Args) => void,
): (...args: Args) => void {
  return (...args) => {
    try {
      fn(...args);
    } catch (error) {
      logUnexpected(log, where, error);
    }
  };
}

/** For a promise that is not awaited. */
export function unawaited(log: Logger, where: string, promise: Promise<unknown>): void {
  promise.catch((error: unknown) => logUnexpected(log, where, error));
}

/** Of this process: subscribers of streams, and whatever else throws out of a library's callback. Called once, at start. */
export function guardProcess(log: Logger): void {
  rxjs.onUnhandledError = (error) => logUnexpected(log, 'a subscriber', error);
  process.on('uncaughtException', (error) => logUnexpected(log, 'a callback', error));
  process.on('unhandledRejection', (error) => logUnexpected(log, 'a promise', error));
}

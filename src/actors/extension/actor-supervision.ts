// Keeps one actor alive: a life that ends in an error is followed by another after a delay that grows, and after too many
// in a short time by one a minute. Nothing else notices: siblings keep their actors and lose no event.
import { Observable, repeat, type Subscription } from '#rxjs';
import { nextRestart } from '../../domain/breaker/restart-intensity.js';
import type { Clock } from '../ports/clock.js';

const MAX_FAILURES = 20;

/** `onFailed` is called for each failure, with whether it reached the restart limit. Never errors, never completes. */
export function keepAlive(
  life$: Observable<never>,
  clock: Clock,
  onFailed: (error: unknown, givenUp: boolean) => void,
): Observable<never> {
  // Not with `retry`, which takes a kilobyte for each of them before anything has failed.
  return new Observable((subscriber) => {
    const failedAtMs: number[] = [];
    let life: Subscription | null = null;
    let pause: Subscription | null = null;
    const live = (): void => {
      life = life$.subscribe({ error: failed });
    };
    const failed = (error: unknown): void => {
      failedAtMs.push(clock.now());
      if (failedAtMs.length > MAX_FAILURES) failedAtMs.shift();
      const { delayMs, givenUp } = nextRestart(failedAtMs);
      onFailed(error, givenUp);
      if (!subscriber.closed) pause = after(delayMs, clock).subscribe(live);
    };
    live();
    return () => {
      life?.unsubscribe();
      pause?.unsubscribe();
    };
  });
}

/** Emits once after `ms` on the given clock, so that a simulated one drives it. */
export function after(ms: number, clock: Clock): Observable<0> {
  return new Observable((subscriber) => {
    const timer = clock.setTimeout(() => {
      subscriber.next(0);
      subscriber.complete();
    }, ms);
    return () => clock.clearTimeout(timer);
  });
}

/** Emits every `ms` on the given clock, while it has a subscriber. */
export function every(ms: number, clock: Clock): Observable<0> {
  return after(ms, clock).pipe(repeat());
}

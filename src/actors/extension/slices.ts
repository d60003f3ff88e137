// Runs work in slices, so that nothing else waits for it: each slice is a few milliseconds of steps (domain/steps.ts), the
// next one comes with a turn of its own. What is done within the first slice is done before the call returns.
import { Observable } from '#rxjs';
import type { Steps } from '../../domain/steps.js';
import type { Clock } from '../ports/clock.js';

/** A slice ends with the first step after this time, unless another one is given. */
const SLICE_MS = 4;

/**
 * Completes when the work is done, with an error if a step throws. What is left is dropped with the subscription. `pauseMs`: between two
 * slices.
 */
export function inSlices(steps: Steps<void>, clock: Clock, sliceMs = SLICE_MS, pauseMs = 0): Observable<never> {
  return new Observable((subscriber) => {
    let timer: unknown = null;
    const slice = (): void => {
      timer = null;
      try {
        const endMs = clock.now() + sliceMs;
        while (!steps.next().done) {
          if (subscriber.closed) return;
          if (clock.now() < endMs) continue;
          timer = clock.setTimeout(slice, pauseMs);
          return;
        }
      } catch (error) {
        subscriber.error(error);
        return;
      }
      subscriber.complete();
    };
    slice();
    return () => {
      if (timer !== null) clock.clearTimeout(timer);
    };
  });
}

/** Resolves with the result of the work; rejects if a step throws. */
export function resultInSlices<Result>(
  steps: Steps<Result>,
  clock: Clock,
  sliceMs = SLICE_MS,
  pauseMs = 0,
): Promise<Result> {
  return new Promise((resolve, reject) => {
    let result: { readonly value: Result } | null = null;
    const keeping = function* (): Steps<void> {
      result = { value: yield* steps };
    };
    inSlices(keeping(), clock, sliceMs, pauseMs).subscribe({
      error: reject,
      complete: () => resolve((result as unknown as { readonly value: Result }).value),
    });
  });
}

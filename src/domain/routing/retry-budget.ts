// How many retries an extension may spend: a share of its calls of the last ten seconds (a fifth), and always a few (three).
//
// RETRY-BUDGET-1. A retry is granted only while those of the last ten seconds are fewer than the reserve or than that share of the calls
//     in them, so an outage is not multiplied.
import { BucketRing } from '../bucket-ring.js';
import { DEFAULT_RETRY_BUDGET, type RetryPolicy } from '../registry/policy.js';

const SECONDS = 10;
const { share: SHARE, reserve: RESERVE } = DEFAULT_RETRY_BUDGET;

const CALLS = 0;
const RETRIES = 1;

export class RetryBudget {
  /** A bucket per second. */
  readonly #recent = new BucketRing(SECONDS, 2);

  countCall(nowMs: number): void {
    this.#recent.moveTo(Math.floor(nowMs / 1000));
    this.#recent.add(CALLS);
  }

  /** How many retries it would grant now, without taking any; 0: it is spent. */
  available(
    nowMs: number,
    { budget_reserve: reserve = RESERVE, budget_share: share = SHARE }: RetryPolicy = {},
  ): number {
    this.#recent.moveTo(Math.floor(nowMs / 1000));
    const most = Math.max(reserve, this.#recent.total(CALLS) * share);
    return Math.max(Math.ceil(most - this.#recent.total(RETRIES)), 0);
  }

  /** Takes one retry from the budget; false: it is spent. */
  tryTake(nowMs: number, policy: RetryPolicy = {}): boolean {
    if (this.available(nowMs, policy) === 0) return false;
    this.#recent.add(RETRIES);
    return true;
  }
}

const MIN_RETRY_DELAY_MS = 25;
const MAX_RETRY_DELAY_MS = 1000;

/** Wait before retry number `retry` (from 1), in ms: exponential from 25 ms to 1 s, full jitter by `random` (0..1). */
export function retryDelayMs(retry: number, random: number): number {
  return Math.min(MIN_RETRY_DELAY_MS * 2 ** (retry - 1), MAX_RETRY_DELAY_MS) * random;
}

/** How long all attempts and the waits between them may take: how long a caller that names no time waits. */
export const longestMs = ({ timeoutMs, retry }: { readonly timeoutMs: number; readonly retry: number }): number =>
  (retry + 1) * timeoutMs + retry * MAX_RETRY_DELAY_MS;

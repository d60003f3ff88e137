// How many retries an extension may spend: a share of its calls of the last ten seconds (a fifth), and always a few (three).
//
// RETRY-BUDGET-1. A retry is granted only while those of the last ten seconds are fewer than the reserve or than that share of the calls
//     in them, so an outage is not multiplied.
import { DEFAULT_RETRY_BUDGET, type RetryPolicy } from '../registry/policy.js';

const SECONDS = 10;
const { share: SHARE, reserve: RESERVE } = DEFAULT_RETRY_BUDGET;

export class RetryBudget {
  readonly #calls = new Uint32Array(SECONDS);
  readonly #retries = new Uint32Array(SECONDS);
  #second = 0;
  #callTotal = 0;
  #retryTotal = 0;

  countCall(nowMs: number): void {
    const i = this.#advance(nowMs);
    this.#calls[i] = (this.#calls[i] as number) + 1;
    this.#callTotal++;
  }

  /** Takes one retry from the budget; false: it is spent. */
  tryTake(
    nowMs: number,
    { budget_reserve: reserve = RESERVE, budget_share: share = SHARE }: RetryPolicy = {},
  ): boolean {
    const i = this.#advance(nowMs);
    if (this.#retryTotal >= Math.max(reserve, this.#callTotal * share)) return false;
    this.#retries[i] = (this.#retries[i] as number) + 1;
    this.#retryTotal++;
    return true;
  }

  #advance(nowMs: number): number {
    const second = Math.floor(nowMs / 1000);
    if (second > this.#second) {
      const steps = Math.min(second - this.#second, SECONDS);
      for (let step = 1; step <= steps; step++) {
        const i = (second - steps + step) % SECONDS;
        this.#callTotal -= this.#calls[i] as number;
        this.#retryTotal -= this.#retries[i] as number;
        this.#calls[i] = 0;
        this.#retries[i] = 0;
      }
      this.#second = second;
    }
    return this.#second % SECONDS;
  }
}

const MIN_RETRY_DELAY_MS = 25;
const MAX_RETRY_DELAY_MS = 1000;

/** Wait before retry number `retry` (from 1), in ms: exponential from 25 ms to 1 s, full jitter by `random` (0..1). */
export function retryDelayMs(retry: number, random: number): number {
  return Math.min(MIN_RETRY_DELAY_MS * 2 ** (retry - 1), MAX_RETRY_DELAY_MS) * random;
}

/** How long all attempts and the waits between them may take: what a caller waits that names no time. */
export const longestMs = ({ timeoutMs, retry }: { readonly timeoutMs: number; readonly retry: number }): number =>
  (retry + 1) * timeoutMs + retry * MAX_RETRY_DELAY_MS;

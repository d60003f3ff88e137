// How many retries an extension may spend: a fifth of its calls of the last ten seconds, and always three.
//
// R1. A retry is granted only while those of the last ten seconds are fewer than RESERVE or a fifth of the calls in them,
//     so an outage is not multiplied.
const SECONDS = 10;
const RESERVE = 3;
const SHARE = 0.2;

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
  tryTake(nowMs: number): boolean {
    const i = this.#advance(nowMs);
    if (this.#retryTotal >= Math.max(RESERVE, this.#callTotal * SHARE)) return false;
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

/** Wait before retry number `retry` (from 1), in ms: exponential from 25 ms to 1 s, full jitter by `random` (0..1). */
export function retryDelayMs(retry: number, random: number): number {
  return Math.min(25 * 2 ** (retry - 1), 1000) * random;
}

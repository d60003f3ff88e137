// Calls, failures and refusals per second over the last ten seconds.
//
// CALL-RATES-1. It costs a call nothing: the counts exist anyway, only grow, and are sampled once per slot of ten seconds in which they grew.
// CALL-RATES-2. Of the slot before the present one as much counts as still lies within ten seconds, as if its calls had come evenly; so a rate
//     moves with every moment and is 0 at the latest twenty seconds after the last call.

/** Length of a slot, and the time that a rate is over. */
export const RATE_SLOT_MS = 10_000;

/** Totals since the process began, or rates per second. */
export interface CallCounts {
  readonly calls: number;
  readonly failed: number;
  readonly refused: number;
}

export const NO_CALLS: CallCounts = { calls: 0, failed: 0, refused: 0 };

export class CallRates {
  /** Number of the slot that began with `#atStart`. */
  #slot = -1;
  #atStart = NO_CALLS;
  /** What the slot before it added. */
  #before = NO_CALLS;

  /** `totals` as slot number `slot` begins. False: nothing was added since the last time, so that it need not be sampled again. */
  sample(totals: CallCounts, slot: number): boolean {
    const added = difference(totals, this.#atStart);
    this.#slot = slot;
    this.#atStart = totals;
    this.#before = added.calls === 0 && added.refused === 0 && added.failed === 0 ? NO_CALLS : added;
    return this.#before !== NO_CALLS;
  }

  /** Per second. `slotMs`: how much of slot `slot` is over. */
  read(totals: CallCounts, slot: number, slotMs: number): CallCounts {
    const now = difference(totals, this.#atStart);
    // What was not sampled as the slot began had no calls in the one before.
    const share = slot === this.#slot ? Math.max(1 - slotMs / RATE_SLOT_MS, 0) : 0;
    const per = (before: number, added: number): number => ((before * share + added) * 1000) / RATE_SLOT_MS;
    return {
      calls: per(this.#before.calls, now.calls),
      failed: per(this.#before.failed, now.failed),
      refused: per(this.#before.refused, now.refused),
    };
  }
}

const difference = (a: CallCounts, b: CallCounts): CallCounts => ({
  calls: a.calls - b.calls,
  failed: a.failed - b.failed,
  refused: a.refused - b.refused,
});

// The attempts of one target that are in flight, oldest first.
//
// IN-FLIGHT-1. Beginning and ending an attempt takes constant time and allocates nothing: the attempts are the links of the list.
import type { Endpoint } from './endpoint.js';

/** One message to an extension, or to come: owned by its sender, used for one attempt after another. */
export class Attempt {
  /** The generation it was admitted in; see target.ts. */
  permit = 0;
  /** When it was admitted, monotonic. */
  startedMs = 0;
  /** The endpoint that it was sent to; null if the version has no instance rows. */
  endpoint: Endpoint | null = null;
  /** The instance that it was sent for, one of those that share the endpoint; null likewise. */
  instanceId: string | null = null;
  /** The endpoint's term at that time: one of an earlier term is none of the target's business any more. */
  term = 0;
  /** It tries an endpoint that is out of rotation, and counts for that one alone. */
  isReadmission = false;
  /** How many entries its target's record had when it was sent; meaningful only if there is one. */
  recordedAt = 0;
  /** Number of the scan that found it overdue; -1: none. */
  overdueScan = -1;
  /** That scan counted it as part of a row of failures. */
  isOverdueInRow = false;
  older: Attempt | null = null;
  newer: Attempt | null = null;
}

export class InFlight {
  #oldest: Attempt | null = null;
  #newest: Attempt | null = null;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  get oldest(): Attempt | null {
    return this.#oldest;
  }

  add(attempt: Attempt): void {
    attempt.older = this.#newest;
    attempt.newer = null;
    if (this.#newest === null) this.#oldest = attempt;
    else this.#newest.newer = attempt;
    this.#newest = attempt;
    this.#count++;
  }

  remove(attempt: Attempt): void {
    const { older, newer } = attempt;
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    attempt.older = null;
    attempt.newer = null;
    this.#count--;
  }
}

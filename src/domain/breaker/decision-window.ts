// The breaker's own window: outcomes of the present generation, in a ring of buckets. Nothing else reads it.
//
// DECISION-WINDOW-1. An outcome recorded at t counts at `now` exactly while floor(now / bucket) - floor(t / bucket) < BUCKETS, so the
//     window is as long as windowMs less at most one bucket, and never longer.
// DECISION-WINDOW-2. Time only moves on: a time before the newest one seen counts as the newest. Idle gaps of any length empty it.
// DECISION-WINDOW-3. Memory is fixed and recording takes constant time. It is mutated in place by the one target that owns it.
// DECISION-WINDOW-4. Overdue attempts are held beside the outcomes, never among them: as many as the last scan found, fewer as they settle.
// DECISION-WINDOW-5. A slow success is a failure, and counted beside that: of a window without any, nothing more is kept.

import { BucketRing } from '../bucket-ring.js';

export const BUCKETS = 12;
const SUCCESSES = 0;
const FAILURES = 1;
const SLOW = 0;
/** Of all windows that have had none. */
const NO_FAILURES = new Float64Array(BUCKETS);

export class DecisionWindow {
  #windowMs: number;
  #outcomes = new BucketRing(BUCKETS, 2);
  /** DECISION-WINDOW-5. null: none so far. */
  #slow: BucketRing | null = null;
  /** First failure of each bucket, monotonic ms; meaningful only if the bucket has failures. */
  #firstFailureMs: Float64Array = NO_FAILURES;
  /** Newest time seen (DECISION-WINDOW-2). */
  #newestMs = 0;
  #consecutiveFailures = 0;
  #lastFailureMs: number | null = null;
  #overdue = 0;
  #overdueInRow = 0;
  #row = 0;

  constructor(windowMs: number) {
    this.#windowMs = windowMs;
  }

  get windowMs(): number {
    return this.#windowMs;
  }

  recordSuccess(nowMs: number): void {
    this.#advance(nowMs);
    this.#outcomes.add(SUCCESSES);
    this.#consecutiveFailures = 0;
    this.#overdueInRow = 0;
    this.#row++;
  }

  recordFailure(nowMs: number): void {
    this.#advance(nowMs);
    const { newest } = this.#outcomes;
    if (this.#outcomes.count(FAILURES, newest) === 0) this.#noteFirstFailure(newest, this.#newestMs);
    this.#outcomes.add(FAILURES);
    this.#consecutiveFailures++;
    this.#lastFailureMs = this.#newestMs;
  }

  /** DECISION-WINDOW-5. */
  recordSlow(nowMs: number): void {
    this.recordFailure(nowMs);
    this.#slow ??= new BucketRing(BUCKETS, 1);
    this.#slow.moveTo(this.#outcomes.newest);
    this.#slow.add(SLOW);
  }

  #noteFirstFailure(bucket: number, atMs: number): void {
    if (this.#firstFailureMs === NO_FAILURES) this.#firstFailureMs = new Float64Array(BUCKETS);
    this.#firstFailureMs[bucket % BUCKETS] = atMs;
  }

  /** Failures in the window as of `nowMs`. */
  failures(nowMs: number): number {
    this.#advance(nowMs);
    return this.#outcomes.total(FAILURES);
  }

  /** Those of the failures that are slow successes. */
  slow(nowMs: number): number {
    if (this.#slow === null) return 0;
    this.#advance(nowMs);
    this.#slow.moveTo(this.#outcomes.newest);
    return this.#slow.total(SLOW);
  }

  /** Successes and failures in the window as of `nowMs`. */
  outcomes(nowMs: number): number {
    this.#advance(nowMs);
    return this.#outcomes.total(SUCCESSES) + this.#outcomes.total(FAILURES);
  }

  /** Share of failures in the window, 0..1; null when it holds no outcomes. */
  errorRate(nowMs: number): number | null {
    const outcomes = this.outcomes(nowMs);
    return outcomes === 0 ? null : this.#outcomes.total(FAILURES) / outcomes;
  }

  /** Failures in a row up to now, however long ago; a success makes it 0. */
  get consecutiveFailures(): number {
    return this.#consecutiveFailures;
  }

  /** Names the present row of failures: another one after each success. */
  get row(): number {
    return this.#row;
  }

  /** First failure still in the window, monotonic ms; null without one. */
  firstFailureMs(nowMs: number): number | null {
    this.#advance(nowMs);
    const { newest } = this.#outcomes;
    for (let bucket = Math.max(newest - BUCKETS + 1, 0); bucket <= newest; bucket++)
      if (this.#outcomes.count(FAILURES, bucket) > 0) return this.#firstFailureMs[bucket % BUCKETS] as number;
    return null;
  }

  /** Last failure in the window, monotonic ms; null without one. */
  lastFailureMs(nowMs: number): number | null {
    return this.failures(nowMs) > 0 ? this.#lastFailureMs : null;
  }

  /** Attempts in flight that are overdue (DECISION-WINDOW-4). */
  get overdue(): number {
    return this.#overdue;
  }

  /** Those of them that were sent after the last success: they lengthen a row of failures. */
  get overdueInRow(): number {
    return Math.min(this.#overdueInRow, this.#overdue);
  }

  /** The result of a scan of the attempts in flight. */
  setOverdue(count: number, inRow: number): void {
    this.#overdue = count;
    this.#overdueInRow = inRow;
  }

  /** An attempt that was counted as overdue has ended, and is recorded like any other. `inRow`: it was counted so, too. */
  endOverdue(inRow: boolean): void {
    this.#overdue--;
    if (inRow && this.#overdueInRow > 0) this.#overdueInRow--;
  }

  /**
   * Removes what `part`, a window of the same length, holds: its outcomes, its overdue attempts, and `inRow` failures of
   * the present row. Within a bucket the time of the first failure stays, though that failure may have been removed.
   */
  subtract(part: DecisionWindow, inRow: number, nowMs: number): void {
    this.#advance(nowMs);
    part.#advance(nowMs);
    this.#outcomes.subtract(part.#outcomes);
    if (part.slow(nowMs) > 0 && this.slow(nowMs) > 0) this.#slow?.subtract(part.#slow as BucketRing);
    this.#consecutiveFailures -= inRow;
    this.#overdue -= part.#overdue;
    this.#overdueInRow = Math.max(this.#overdueInRow - part.#overdueInRow, 0);
  }

  clear(): void {
    this.#outcomes.clear();
    this.#slow = null;
    this.#consecutiveFailures = 0;
    this.#lastFailureMs = null;
    this.#row++;
    this.setOverdue(0, 0);
  }

  /** Changes the length and keeps what the new one can hold: each old bucket moves to the one that holds its start. */
  resize(windowMs: number, nowMs: number): void {
    if (windowMs === this.#windowMs) return;
    this.#advance(nowMs);
    // What is read of an old bucket must not be of an even older one.
    this.#slow?.moveTo(this.#outcomes.newest);
    const old = {
      windowMs: this.#windowMs,
      outcomes: this.#outcomes,
      slow: this.#slow,
      firstFailureMs: this.#firstFailureMs,
    };
    this.#windowMs = windowMs;
    this.#outcomes = new BucketRing(BUCKETS, 2);
    this.#slow = old.slow === null ? null : new BucketRing(BUCKETS, 1);
    this.#firstFailureMs = NO_FAILURES;
    this.#outcomes.moveTo(this.#bucketOf(this.#newestMs));
    const { newest } = this.#outcomes;
    this.#slow?.moveTo(newest);
    for (let from = Math.max(old.outcomes.newest - BUCKETS + 1, 0); from <= old.outcomes.newest; from++) {
      // A start that is no whole millisecond may be rounded beyond the newest time.
      const to = Math.min(Math.floor((from * old.windowMs) / windowMs), newest);
      if (newest - to >= BUCKETS) continue;
      const failures = old.outcomes.count(FAILURES, from);
      if (failures > 0 && this.#outcomes.count(FAILURES, to) === 0)
        this.#noteFirstFailure(to, old.firstFailureMs[from % BUCKETS] as number);
      this.#outcomes.addTo(to, SUCCESSES, old.outcomes.count(SUCCESSES, from));
      this.#outcomes.addTo(to, FAILURES, failures);
      if (old.slow !== null) this.#slow?.addTo(to, SLOW, old.slow.count(SLOW, from));
    }
  }

  /** What an inspector sees of it. */
  toJSON(): object {
    return {
      successes: this.#outcomes.total(SUCCESSES),
      failures: this.#outcomes.total(FAILURES),
      consecutive_failures: this.#consecutiveFailures,
      overdue: this.#overdue,
    };
  }

  /** Exact for whole milliseconds: the length of a bucket, windowMs / BUCKETS, is often no number that a double holds. */
  #bucketOf(ms: number): number {
    return Math.floor((ms * BUCKETS) / this.#windowMs);
  }

  /** Drops what is too old. */
  #advance(nowMs: number): void {
    if (nowMs > this.#newestMs) this.#newestMs = nowMs;
    this.#outcomes.moveTo(this.#bucketOf(this.#newestMs));
  }
}

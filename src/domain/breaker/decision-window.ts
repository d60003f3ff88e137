// The breaker's own window: outcomes of the present generation, in a ring of buckets. Nothing else reads it.
//
// DECISION-WINDOW-1. An outcome recorded at t counts at `now` exactly while floor(now / bucket) - floor(t / bucket) < BUCKETS, so the
//     window is as long as windowMs less at most one bucket, and never longer.
// DECISION-WINDOW-2. Time only moves on: a time before the newest one seen counts as the newest. Idle gaps of any length empty it.
// DECISION-WINDOW-3. Memory is fixed and recording takes constant time. It is mutated in place by the one slot that owns it.
// DECISION-WINDOW-4. Overdue attempts are held beside the outcomes, never among them: as many as the last look found, fewer as they settle.

export const BUCKETS = 12;

export class DecisionWindow {
  #windowMs: number;
  #successes = new Uint32Array(BUCKETS);
  #failures = new Uint32Array(BUCKETS);
  /** First failure of each bucket, monotonic ms; meaningful only where #failures is above 0. */
  #firstFailureMs = new Float64Array(BUCKETS);
  /** Newest time seen (DECISION-WINDOW-2). */
  #newestMs = 0;
  /** Number of its bucket since the clock's zero. */
  #newest = 0;
  #successTotal = 0;
  #failureTotal = 0;
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
    const i = this.#advance(nowMs);
    this.#successes[i] = (this.#successes[i] as number) + 1;
    this.#successTotal++;
    this.#consecutiveFailures = 0;
    this.#overdueInRow = 0;
    this.#row++;
  }

  recordFailure(nowMs: number): void {
    const i = this.#advance(nowMs);
    if (this.#failures[i] === 0) this.#firstFailureMs[i] = this.#newestMs;
    this.#failures[i] = (this.#failures[i] as number) + 1;
    this.#failureTotal++;
    this.#consecutiveFailures++;
    this.#lastFailureMs = this.#newestMs;
  }

  /** Failures in the window as of `nowMs`. */
  failures(nowMs: number): number {
    this.#advance(nowMs);
    return this.#failureTotal;
  }

  /** Successes and failures in the window as of `nowMs`. */
  outcomes(nowMs: number): number {
    this.#advance(nowMs);
    return this.#successTotal + this.#failureTotal;
  }

  /** Share of failures in the window, 0..1; null when it holds no outcomes. */
  errorRate(nowMs: number): number | null {
    const outcomes = this.outcomes(nowMs);
    return outcomes === 0 ? null : this.#failureTotal / outcomes;
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
    for (let age = BUCKETS - 1; age >= 0; age--) {
      const i = (this.#newest - age + BUCKETS) % BUCKETS;
      if ((this.#failures[i] ?? 0) > 0) return this.#firstFailureMs[i] as number;
    }
    return null;
  }

  /** Last failure in the window, monotonic ms; null without one. */
  lastFailureMs(nowMs: number): number | null {
    return this.failures(nowMs) > 0 ? this.#lastFailureMs : null;
  }

  /** Attempts that are out and overdue (DECISION-WINDOW-4). */
  get overdue(): number {
    return this.#overdue;
  }

  /** Those of them that were sent after the last success: they lengthen a row of failures. */
  get overdueInRow(): number {
    return Math.min(this.#overdueInRow, this.#overdue);
  }

  /** What a look at the attempts that are out has found. */
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
   * Takes out what `part`, a window of the same length, holds: its outcomes, its overdue attempts, and `inRow` failures of
   * the present row. Within a bucket the time of the first failure stays, though it may have been one that was taken out.
   */
  subtract(part: DecisionWindow, inRow: number, nowMs: number): void {
    this.#advance(nowMs);
    part.#advance(nowMs);
    for (let i = 0; i < BUCKETS; i++) {
      this.#successes[i] = (this.#successes[i] as number) - (part.#successes[i] as number);
      this.#failures[i] = (this.#failures[i] as number) - (part.#failures[i] as number);
    }
    this.#successTotal -= part.#successTotal;
    this.#failureTotal -= part.#failureTotal;
    this.#consecutiveFailures -= inRow;
    this.#overdue -= part.#overdue;
    this.#overdueInRow = Math.max(this.#overdueInRow - part.#overdueInRow, 0);
  }

  clear(): void {
    this.#successes.fill(0);
    this.#failures.fill(0);
    this.#successTotal = 0;
    this.#failureTotal = 0;
    this.#consecutiveFailures = 0;
    this.#lastFailureMs = null;
    this.#row++;
    this.setOverdue(0, 0);
  }

  /** Changes the length and keeps what the new one can hold: each old bucket goes to where its start falls. */
  resize(windowMs: number, nowMs: number): void {
    if (windowMs === this.#windowMs) return;
    this.#advance(nowMs);
    const old = {
      windowMs: this.#windowMs,
      newest: this.#newest,
      successes: this.#successes,
      failures: this.#failures,
    };
    const { firsts, lastFailureMs, consecutive } = {
      firsts: this.#firstFailureMs,
      lastFailureMs: this.#lastFailureMs,
      consecutive: this.#consecutiveFailures,
    };
    this.#windowMs = windowMs;
    this.#successes = new Uint32Array(BUCKETS);
    this.#failures = new Uint32Array(BUCKETS);
    this.#firstFailureMs = new Float64Array(BUCKETS);
    this.#successTotal = 0;
    this.#failureTotal = 0;
    this.#newest = this.#bucketOf(this.#newestMs);
    for (let age = BUCKETS - 1; age >= 0; age--) {
      const number = old.newest - age;
      // A start that is no whole millisecond may be rounded beyond the newest time.
      const to = Math.min(Math.floor((number * old.windowMs) / windowMs), this.#newest);
      if (number < 0 || this.#newest - to >= BUCKETS) continue;
      const from = number % BUCKETS;
      const i = to % BUCKETS;
      const failures = old.failures[from] as number;
      if (failures > 0 && this.#failures[i] === 0) this.#firstFailureMs[i] = firsts[from] as number;
      this.#successes[i] = (this.#successes[i] as number) + (old.successes[from] as number);
      this.#failures[i] = (this.#failures[i] as number) + failures;
      this.#successTotal += old.successes[from] as number;
      this.#failureTotal += failures;
    }
    this.#lastFailureMs = lastFailureMs;
    this.#consecutiveFailures = consecutive;
  }

  /** What an inspector sees of it. */
  toJSON(): object {
    return {
      successes: this.#successTotal,
      failures: this.#failureTotal,
      consecutive_failures: this.#consecutiveFailures,
      overdue: this.#overdue,
    };
  }

  /** Exact for whole milliseconds: the length of a bucket, windowMs / BUCKETS, is often no number that a double holds. */
  #bucketOf(ms: number): number {
    return Math.floor((ms * BUCKETS) / this.#windowMs);
  }

  /** Drops what is too old and returns the index of the bucket for `nowMs`. */
  #advance(nowMs: number): number {
    if (nowMs > this.#newestMs) this.#newestMs = nowMs;
    const number = this.#bucketOf(this.#newestMs);
    if (number > this.#newest) {
      const steps = Math.min(number - this.#newest, BUCKETS);
      for (let step = 1; step <= steps; step++) {
        const i = (number - steps + step) % BUCKETS;
        this.#successTotal -= this.#successes[i] as number;
        this.#failureTotal -= this.#failures[i] as number;
        this.#successes[i] = 0;
        this.#failures[i] = 0;
      }
      this.#newest = number;
    }
    return this.#newest % BUCKETS;
  }
}

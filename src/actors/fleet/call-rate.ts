// Calls per second between two heartbeats, from a count that exists anyway.

export class CallRate {
  /** To a tenth. */
  perSecond = 0;
  #calls: number;
  #atMs: number;

  constructor(calls: number, nowMs: number) {
    this.#calls = calls;
    this.#atMs = nowMs;
  }

  /** `calls`: all so far. */
  measure(calls: number, nowMs: number): void {
    const seconds = (nowMs - this.#atMs) / 1000;
    if (seconds <= 0) return;
    this.perSecond = Math.max(Math.round(((calls - this.#calls) / seconds) * 10) / 10, 0);
    this.#calls = calls;
    this.#atMs = nowMs;
  }
}

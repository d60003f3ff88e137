// Which calls are refused because more arrive than this process can serve.
//
// What waits for this process waits in the server and in the socket, where it cannot be counted. But what the server answers to a probe stands behind
// all that it had for us when it got it: the round trip is as long as a call waits now, and the age of a probe without an answer is a lower bound of it.
//
// ADAPTIVE-ADMISSION-1. Nothing is refused until there is a standing queue (after CoDel, RFC 8289): calls have waited for longer than the target all the
//     time for INTERVAL_MS, and do not wait for less at its end. What a pause or a short burst has left, and is served faster than more arrives, is none.
// ADAPTIVE-ADMISSION-2. Then, of what is served between a probe and its answer as much is admitted as is served within the target, and the rest is refused. There is
//     no share to find: whatever the load, this process always works. The first of a probe's calls waits as long as the target, the last one for up to twice that.
// ADAPTIVE-ADMISSION-3. Only this process' own delay counts: neither the shortest round trip of the connection, which is that of the way alone, nor any at
//     all if the event loop was idle for more than a tenth of the time that the probe was in flight. A probe that was in flight while no call was taken for
//     INTERVAL_MS, because the process was stopped or there were none, measures nothing.
// ADAPTIVE-ADMISSION-4. Memory is fixed; an answer to a call costs a few comparisons.

/** How long a queue must stand before it counts. */
const INTERVAL_MS = 200;
/** For so long after the last late call a queue needs no such time to count again. */
const RELEASE_MS = 1000;
const MAX_IDLE_SHARE = 0.1;
/** The share of calls that are refused is counted over this time. */
const COUNTED_MS = 1000;

export class AdaptiveAdmission {
  /** Infinity: no probe is in flight that measures anything. All times are monotonic; idle times are sums since any moment. */
  #sentMs = Number.POSITIVE_INFINITY;
  #idleAtSentMs = 0;
  /** The shortest round trip; Infinity: none has been made. */
  #wayMs = Number.POSITIVE_INFINITY;
  /** Since when calls have been waiting too long; null: they have not. */
  #lateSinceMs: number | null = null;
  #lastLateMs = Number.NEGATIVE_INFINITY;
  #lastCallMs = Number.NEGATIVE_INFINITY;
  #delayMs = 0;
  #measuredMs = Number.NEGATIVE_INFINITY;
  #refusedTotal = 0;
  #countedSinceMs = Number.NEGATIVE_INFINITY;
  #offered = 0;
  #refused = 0;
  #share = 0;

  constructor(private readonly targetMs: number) {}

  /** Calls that were refused, since the process began. */
  get refused(): number {
    return this.#refusedTotal;
  }

  /** A probe is in flight; there must be none before. */
  sent(nowMs: number, idleMs: number): void {
    this.#sentMs = nowMs;
    this.#idleAtSentMs = idleMs;
  }

  /** It was answered. */
  answered(nowMs: number, idleMs: number): void {
    this.#count(nowMs);
    const roundTripMs = nowMs - this.#sentMs;
    // ADAPTIVE-ADMISSION-3
    if (roundTripMs === Number.NEGATIVE_INFINITY) return;
    this.#wayMs = Math.min(this.#wayMs, roundTripMs);
    const isOurs = this.#wasBusy(roundTripMs, idleMs);
    this.#sentMs = Number.POSITIVE_INFINITY;
    const beforeMs = this.#delayMs;
    this.#delayMs = isOurs ? roundTripMs - this.#wayMs : 0;
    this.#measuredMs = nowMs;
    if (this.#delayMs <= this.targetMs) this.#lateSinceMs = null;
    // ADAPTIVE-ADMISSION-1: it is shorter than before.
    else if (this.#lateSinceMs !== null && this.#delayMs < beforeMs) this.#lateSinceMs = nowMs;
  }

  /** The connection is lost, and the probe with it. The next one may have another way. */
  lost(): void {
    this.#begin();
    this.#wayMs = Number.POSITIVE_INFINITY;
    this.#delayMs = 0;
  }

  /** True: this call is refused. To be asked once for each. `idleMs` is only asked when calls are late. */
  refuses(nowMs: number, idleMs: () => number): boolean {
    this.#offered += 1;
    if (nowMs - this.#lastCallMs >= INTERVAL_MS) this.#begin();
    this.#lastCallMs = nowMs;
    const ageMs = nowMs - this.#sentMs;
    if (ageMs - this.#wayMs <= this.targetMs || !this.#wasBusy(ageMs, idleMs())) return false;
    if (!this.isRefusing(nowMs)) {
      this.#lateSinceMs ??= nowMs;
      if (nowMs - this.#lateSinceMs < INTERVAL_MS) return false;
    }
    this.#lastLateMs = nowMs;
    this.#refused += 1;
    this.#refusedTotal += 1;
    return true;
  }

  /** A call was refused within the last second. */
  isRefusing(nowMs: number): boolean {
    return nowMs - this.#lastLateMs < RELEASE_MS;
  }

  /** How long a call waits, in milliseconds: at least as long as the probe in flight, else as measured within the last second; 0 without a measurement. */
  delayMs(nowMs: number, idleMs: number): number {
    const measuredMs = nowMs - this.#measuredMs < COUNTED_MS ? this.#delayMs : 0;
    const ageMs = nowMs - this.#sentMs;
    return this.#wasBusy(ageMs, idleMs) ? Math.max(measuredMs, ageMs - this.#wayMs) : measuredMs;
  }

  /** Share of the calls of the last whole second that were refused, 0..1; 0 if none is. */
  share(nowMs: number): number {
    return this.isRefusing(nowMs) ? this.#share : 0;
  }

  /** Nothing is known of how long calls wait. */
  #begin(): void {
    this.#sentMs = Number.POSITIVE_INFINITY;
    this.#lateSinceMs = null;
  }

  /** ADAPTIVE-ADMISSION-3. `forMs`: since the probe was sent. */
  #wasBusy(forMs: number, idleMs: number): boolean {
    return idleMs - this.#idleAtSentMs <= forMs * MAX_IDLE_SHARE;
  }

  #count(nowMs: number): void {
    if (nowMs - this.#countedSinceMs < COUNTED_MS) return;
    this.#share = this.#offered === 0 ? 0 : this.#refused / this.#offered;
    this.#countedSinceMs = nowMs;
    this.#offered = 0;
    this.#refused = 0;
  }
}

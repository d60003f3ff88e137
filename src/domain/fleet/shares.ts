// What follows from the number of replicas: the share that each has of what is meant for the whole fleet.
//
// SHARES-1. The shares of all replicas are together at least the whole, and at most the whole and one less than there are replicas.
// SHARES-2. While a replica hears nothing because NATS is away, it keeps the number that it knew, for a minute at most: a fleet that
//     loses NATS does not admit more than before when it returns.

/** Of a whole number; of 1 or more it is 1 or more. */
export const shareOf = (whole: number, replicas: number): number => Math.ceil(whole / replicas);

const KEPT_MS = 60_000;

export class FleetSize {
  #replicas = 1;
  /** Until when silence says nothing of the others; -Infinity: it does. */
  #keptUntilMs = Number.NEGATIVE_INFINITY;
  #wasHearing = false;

  /** How many replicas share, itself included; at least 1. */
  get replicas(): number {
    return this.#replicas;
  }

  /**
   * `counted`: the replicas that share as far as they are heard, itself included. `isHearing`: what others publish arrives here. `graceMs`: how
   * long it takes until all that are there have been heard again.
   */
  update(counted: number, isHearing: boolean, graceMs: number, nowMs: number): number {
    if (this.#wasHearing && !isHearing) this.#keptUntilMs = nowMs + KEPT_MS;
    if (!this.#wasHearing && isHearing) this.#keptUntilMs = Math.min(this.#keptUntilMs, nowMs + graceMs);
    this.#wasHearing = isHearing;
    const isKept = nowMs < this.#keptUntilMs;
    this.#replicas = Math.max(counted, isKept ? this.#replicas : 1);
    return this.#replicas;
  }
}

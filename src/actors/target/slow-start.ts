// How many calls a breaker that has just closed admits: half_open_max_requests in flight (of a fleet: this replica's share), one more per success since, until
// that is as many as there were before it opened, or its time is over.

import { endsBy } from '../../domain/breaker/trip.js';
import { shareOf } from '../../domain/fleet/shares.js';
import type { BreakerSettings } from '../../domain/registry/policy.js';

export class SlowStart {
  #limit = 0;
  #endsMs = 0;
  #goal = Number.POSITIVE_INFINITY;

  /** It opened, with so many calls in flight. If a slow start was unfinished, its limited number of calls is no measure of before. */
  opened(inFlight: number, nowMs: number): void {
    const isUnfinished = this.#limit > 0 && !this.isComplete && nowMs < this.#endsMs;
    this.#goal = isUnfinished ? Math.max(this.#goal, inFlight) : inFlight;
  }

  /** The number of calls before no longer says anything: the next slow start ends by its time alone. */
  forget(): void {
    this.#goal = Number.POSITIVE_INFINITY;
  }

  begin(settings: BreakerSettings, replicas: number, nowMs: number): void {
    this.#limit = shareOf(settings.half_open_max_requests, replicas);
    this.#endsMs = nowMs + settings.recovery_ramp_seconds * 1000;
  }

  /** Other settings are in force: a time that runs ends when it would have, or sooner. */
  follow(settings: BreakerSettings, nowMs: number): void {
    this.#endsMs = endsBy(this.#endsMs, nowMs, settings.recovery_ramp_seconds * 1000);
  }

  succeeded(): void {
    this.#limit++;
  }

  /** The timer that ends it may be late. */
  admits(inFlight: number, nowMs: number): boolean {
    return inFlight < this.#limit || nowMs >= this.#endsMs;
  }

  /** It admits as many as were in flight before it opened. */
  get isComplete(): boolean {
    return this.#limit >= this.#goal;
  }
}

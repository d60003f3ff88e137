// Whether the database accepts writes: a standby after a failover, a full disk or a role without a right can be read and refuses
// them. What the writers could not write stays pending with them; this reports it to the operator.
//
// DATABASE-WRITES-1. A write that fails makes the database degraded, unless its own row is the reason (the row is refused, or held). Failures are
//      kept by kind of write (health, audit, …); one log line when the first kind fails, one when none does any more.
// DATABASE-WRITES-2. A kind has recovered when a write of it succeeds, or a trial after its last failure: what failed may not be pending any more.
// DATABASE-WRITES-3. A lost connection is reported by the feed; here it counts only if writes go on failing while the feed reads.

import type { Clock } from '../actors/ports/clock.js';
import { errorText, isConnectionError, isGivenUp, isRowError, serverError } from '../db/database-errors.js';
import { HeldError, isRowHeld } from '../domain/registry/held-error.js';
import type { Logger } from '../telemetry/log.js';

/** DATABASE-WRITES-2, DATABASE-WRITES-3: longer than any writer takes to try again what is pending. */
const LASTING_MS = 4000;
/** A HeldError counts after this time: a large transaction of another client holds the revision while it commits. */
const HELD_MS = 500;

interface Failure {
  readonly reason: string;
  readonly firstMs: number;
  readonly lastMs: number;
  /** The failure counts once it has lasted for this long, ms; DATABASE-WRITES-3. */
  readonly afterMs: number;
}

export class DatabaseWrites {
  readonly #failures = new Map<string, Failure>();
  #sinceMs: number | null = null;

  constructor(
    private readonly deps: {
      readonly clock: Clock;
      readonly log: Logger;
      /** The feed cannot read either. */
      readonly isAway: () => boolean;
    },
  ) {}

  get isFailing(): boolean {
    return this.#sinceMs !== null;
  }

  /** `work` is a write of that kind. */
  async watch<T>(kind: string, work: Promise<T>): Promise<T> {
    try {
      const result = await work;
      this.#failures.delete(kind);
      this.#judge();
      return result;
    } catch (error) {
      this.#note(kind, error);
      throw error;
    }
  }

  /** DATABASE-WRITES-2. `trial` writes without changing anything. Never rejects. */
  async try(trial: () => Promise<unknown>): Promise<void> {
    const beganMs = this.deps.clock.now();
    try {
      await this.watch('trial', trial());
    } catch {
      return;
    }
    for (const [kind, { lastMs }] of this.#failures) if (beganMs - lastMs >= LASTING_MS) this.#failures.delete(kind);
    this.#judge();
  }

  #note(kind: string, error: unknown): void {
    if (isRowHeld(error) || isRowError(error) || isGivenUp(error)) return;
    const nowMs = this.deps.clock.now();
    const isConnection = isConnectionError(error);
    if (isConnection && this.deps.isAway()) return;
    // Neither a connection nor a server error, such as a write that timed out: it says nothing about the database.
    if (!isConnection && serverError(error) === null && !(error instanceof HeldError)) return;
    const firstMs = this.#failures.get(kind)?.firstMs ?? nowMs;
    const afterMs = isConnection ? LASTING_MS : error instanceof HeldError ? HELD_MS : 0;
    this.#failures.set(kind, { reason: errorText(error), firstMs, lastMs: nowMs, afterMs });
    this.#judge();
  }

  #judge(): void {
    const nowMs = this.deps.clock.now();
    const first = [...this.#failures].find(([, { firstMs, lastMs, afterMs }]) => lastMs - firstMs >= afterMs);
    if (first !== undefined && this.#sinceMs === null) {
      this.#sinceMs = nowMs;
      this.deps.log.warn({ event: 'database_not_writable', write: first[0], error: first[1].reason });
    } else if (first === undefined && this.#sinceMs !== null) {
      const after_ms = Math.round(nowMs - this.#sinceMs);
      this.#sinceMs = null;
      this.deps.log.info({ event: 'database_writable', after_ms });
    }
  }
}

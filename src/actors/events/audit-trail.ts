// Audit facts on their way to the database: at most LIMIT wait; beyond it the oldest are dropped and counted. Each was
// logged in full when it happened (notices.ts, NOTICES-1), so a dropped one is in the log still.
//
// AUDIT-TRAIL-1. Facts are written in the order they happened, each once: each has an id, by which one whose answer was lost is recognised.
//     While the database is away they wait.

import { createLimitedWarn, type LimitedWarn } from '../../telemetry/limited-log.js';
import type { Logger } from '../../telemetry/log.js';
import { SingleFlight } from '../../telemetry/single-flight.js';
import type { Clock } from '../ports/clock.js';
import type { AuditFact, WriteAudit } from '../ports/storage.js';

const LIMIT = 10_000;
const BATCH = 500;

export class AuditTrail {
  #pending: AuditFact[] = [];
  readonly #writing = new SingleFlight(() => this.#writeAll());
  /** Once a second while the database is away: the log has one in ten. */
  readonly #warnDelayed: LimitedWarn;
  dropped = 0;

  constructor(
    private readonly write: WriteAudit,
    log: Logger,
    /** A UUID. */
    private readonly newId: () => string,
    clock: Clock,
  ) {
    this.#warnDelayed = createLimitedWarn(log, 'audit_write_delayed', () => clock.now());
  }

  get pending(): number {
    return this.#pending.length;
  }

  readonly add = (fact: Omit<AuditFact, 'id'>): void => {
    this.#pending.push({ id: this.newId(), ...fact });
    if (this.#pending.length > LIMIT) {
      this.#pending.shift();
      this.dropped++;
    }
    void this.flush();
  };

  /** Writes what is pending; resolves when nothing is, or the database is away. Called again with every tick. */
  flush(): Promise<void> {
    return this.#writing.run();
  }

  async #writeAll(): Promise<void> {
    while (this.#pending.length > 0) {
      const batch = this.#pending.slice(0, BATCH);
      try {
        await this.write(batch);
      } catch (error) {
        this.#warnDelayed({ owed: this.#pending.length, error: String(error) });
        return;
      }
      const written = new Set(batch);
      this.#pending = this.#pending.filter((fact) => !written.has(fact));
    }
  }
}

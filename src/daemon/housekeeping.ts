// What a daemon does in the database now and then: prunes the audit trail, empties windows of rows without a daemon, and
// tries whether it can write. Independent of all else: a failure is logged, and tried again the next time.
import { Subscription } from '#rxjs';
import { every } from '../actors/extension/actor-supervision.js';
import type { Clock } from '../actors/ports/clock.js';
import type { Database } from '../db/client.js';
import { errorText } from '../db/database-errors.js';
import { pruneAudit } from '../db/queries/audit-queries.js';
import { emptyStaleWindows } from '../db/queries/stale-windows.js';
import { tryWrite } from '../db/queries/write-trial.js';
import type { Logger } from '../telemetry/log.js';
import type { DatabaseWrites } from './database-writes.js';

const PRUNE_MS = 6 * 3_600_000;
const TRIAL_MS = 5000;
const STALE_MS = 300_000;

interface HousekeepingDeps {
  readonly db: Database;
  readonly writes: DatabaseWrites;
  readonly writer: string;
  /** 0 = for ever. */
  readonly retentionDays: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Begins with one round of everything; ends with the subscription. */
export type Housekeeping = () => Subscription;

export function createHousekeeping({ db, writes, writer, retentionDays, clock, log }: HousekeepingDeps): Housekeeping {
  const prune = async (): Promise<void> => {
    try {
      const rows = await pruneAudit(db, retentionDays);
      if (rows > 0) log.info({ event: 'audit_pruned', rows, retention_days: retentionDays });
    } catch (error) {
      log.warn({ event: 'audit_prune_failed', error: errorText(error) });
    }
  };
  const emptyStale = async (): Promise<void> => {
    try {
      const rows = await emptyStaleWindows(db);
      if (rows > 0) log.info({ event: 'health_windows_emptied', rows });
    } catch (error) {
      log.warn({ event: 'health_windows_not_emptied', error: errorText(error) });
    }
  };
  const tryToWrite = (): Promise<void> => writes.try(() => tryWrite(db, writer));
  return () => {
    const running = new Subscription();
    for (const [ms, work] of [
      [PRUNE_MS, prune],
      [STALE_MS, emptyStale],
      [TRIAL_MS, tryToWrite],
    ] as const) {
      running.add(every(ms, clock).subscribe(() => void work()));
      void work();
    }
    return running;
  };
}

// How long a write may still take, by the database's clock: so that a statement can detect that it is too late.
import { sql } from '#drizzle-orm';
import type { Database } from '../client.js';

export const TOO_LATE = 'the database took too long; nothing was written';

interface TimeLeft {
  /** By the database's clock. */
  readonly nowSeconds: number;
  /** More than 0. */
  readonly leftMs: number;
}

/** Rejects if nothing is left. `remainingMs`: how long the caller still waits. */
export async function timeLeft(db: Database, remainingMs: () => number): Promise<TimeLeft> {
  if (remainingMs() <= 0) throw new Error(TOO_LATE);
  const [clock] = await db.execute<{ now: number }>(sql`select extract(epoch from clock_timestamp())::float8 as now`);
  const leftMs = remainingMs();
  if (leftMs <= 0) throw new Error(TOO_LATE);
  return { nowSeconds: clock?.now ?? 0, leftMs };
}

// Stored facts of a breaker, made sound: whatever numbers and dates the rows hold, what is computed from them stays in range.
import type { BreakerFactsRow } from './registry-rows.js';

/** A breaker that tripped more often in a row is open for as long. */
const MAX_TRIPS = 1_000_000;
/** Far below the number at which adding one is lost in a double. A greater epoch is treated as none. */
export const MAX_EPOCH = 2 ** 52;
/** Some three hundred years: dates stay dates however often ages are added to them. */
const MAX_AGE_MS = 1e13;

export function soundFacts(row: BreakerFactsRow): BreakerFactsRow {
  return {
    state: row.state,
    opened_ago_ms: row.opened_ago_ms === null ? null : within(row.opened_ago_ms, 0, MAX_AGE_MS),
    open_remaining_ms: row.open_remaining_ms === null ? null : within(row.open_remaining_ms, -MAX_AGE_MS, MAX_AGE_MS),
    written_ago_ms: row.written_ago_ms == null ? null : within(row.written_ago_ms, -MAX_AGE_MS, MAX_AGE_MS),
    trips: within(row.trips, 0, MAX_TRIPS),
    epoch: row.epoch > MAX_EPOCH ? 0 : within(row.epoch, 0, MAX_EPOCH),
    success_count: within(row.success_count, 0, Number.MAX_SAFE_INTEGER),
    failure_count: within(row.failure_count, 0, Number.MAX_SAFE_INTEGER),
    last_success: row.last_success,
    last_failure: row.last_failure,
  };
}

/** What is no number is the least. */
const within = (value: number, least: number, most: number): number =>
  Number.isNaN(Number(value)) ? least : Math.min(Math.max(Number(value), least), most);

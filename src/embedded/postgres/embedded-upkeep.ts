// What a PostgreSQL server does in the background. The embedded database is one session without a process beside it: whatever
// its settings say, it writes no checkpoint and vacuums nothing unless it is asked to.
//
// EMBEDDED-UPKEEP-1. The write-ahead log since the last checkpoint, which a start after a kill reads again, grows to `walBytes` and what is
//     written in one look, no further; files before it are used again.
// EMBEDDED-UPKEEP-2. A table whose dead rows exceed the threshold of autovacuum is vacuumed, so that their space is used again.
// EMBEDDED-UPKEEP-3. One statement a turn, in no transaction of a connection. One that fails is reported once and tried again; it holds up
//     no other one.
import { frame, framesOf, frameType } from './wire-frames.js';

/** Longest that the log grows unseen. */
const LOOK_MS = 15_000;
/** Of 16 MB segments, four: about 1.5 seconds of a start after a kill. */
const WAL_BYTES = 64 * 1024 * 1024;
/** A minute, as `autovacuum_naptime`. */
const LOOKS_PER_VACUUM = 4;

export interface UpkeepTimes {
  readonly lookMs: number;
  readonly walBytes: number;
}

export const UPKEEP_TIMES: UpkeepTimes = { lookMs: LOOK_MS, walBytes: WAL_BYTES };

interface UpkeepOptions {
  /** One message of the simple protocol on the session while it is in no transaction; its whole answer. Rejects if the session is lost. */
  readonly execute: (message: Buffer) => Promise<Buffer>;
  /** The first failure since all was well. */
  readonly onFailure: (statement: string, error: string) => void;
  readonly times: UpkeepTimes;
}

/** Each answers with statements, one a row. */
const checkpointDue = (walBytes: number): string => `
  select 'checkpoint' from pg_control_checkpoint() where pg_current_wal_lsn() - redo_lsn > ${walBytes}`;
/** Toast tables and catalogues have rows of their own there. */
const VACUUM_DUE = `
  select format('vacuum %s', relid::regclass) from pg_stat_all_tables join pg_class on pg_class.oid = relid
  where n_dead_tup > current_setting('autovacuum_vacuum_threshold')::float8
    + current_setting('autovacuum_vacuum_scale_factor')::float8 * greatest(reltuples, 0)`;

export class EmbeddedUpkeep {
  #looks = 0;
  #timer: NodeJS.Timeout | null = null;
  #running: Promise<void> | null = null;
  #isStopped = false;
  #isFailing = false;

  constructor(private readonly options: UpkeepOptions) {}

  start(): void {
    this.#timer = setInterval(() => {
      this.#running ??= this.#look().finally(() => {
        this.#running = null;
      });
    }, this.options.times.lookMs);
  }

  /** Resolves when the statement that runs has ended; no other one follows. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#running;
  }

  /** Never rejects: the owner of the session notices that it is lost. */
  async #look(): Promise<void> {
    this.#looks += 1;
    const queries = [checkpointDue(this.options.times.walBytes)];
    if (this.#looks % LOOKS_PER_VACUUM === 0) queries.push(VACUUM_DUE);
    let failed = false;
    for (const query of queries) {
      const due = await this.#run(query);
      const results = [due];
      for (const statement of due ?? []) results.push(await this.#run(statement));
      failed ||= results.includes(null);
    }
    this.#isFailing = failed;
  }

  /** First columns of its rows; null: it failed. */
  async #run(statement: string): Promise<readonly string[] | null> {
    if (this.#isStopped) return [];
    try {
      const parts = [...framesOf(await this.options.execute(frame('Q', statement)))];
      const refusal = parts.find((part) => frameType(part) === 'E');
      if (refusal !== undefined) throw new Error(messageOf(refusal));
      return parts.filter((part) => frameType(part) === 'D').map((part) => part.toString('utf8', 11));
    } catch (error) {
      // EMBEDDED-UPKEEP-3.
      if (!this.#isFailing) this.options.onFailure(statement.trim(), String((error as Error)?.message ?? error));
      this.#isFailing = true;
      return null;
    }
  }
}

/** Field M of an ErrorResponse. */
function messageOf(refusal: Buffer): string {
  const fields = refusal.toString('utf8', 5).split('\0');
  return fields.find((field) => field.startsWith('M'))?.slice(1) ?? 'refused';
}

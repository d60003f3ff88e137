// Opens and closes the embedded database, which has its own thread and data directory.
//
// EMBEDDED-1. A database that is lost after it was opened is passed to `onFailure`; it never becomes an uncaught exception.
// EMBEDDED-2. So is one whose thread has not moved for `hungMs`: a statement there cannot be cancelled, only ended with the thread.
import { chmodSync, mkdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import { Worker } from 'node:worker_threads';
import { knownMigrations, missingStatements } from '../../db/migrate/migrate.js';
import type { Logger } from '../../telemetry/log.js';
import { TEMPLATE_FILE } from './embedded-template.js';
import { UPKEEP_TIMES, type UpkeepTimes } from './embedded-upkeep.js';
import { DataDirectoryInUseError, refuseUsed, SOCKET_NAME, socketDirectory } from './socket-lock.js';

export { DataDirectoryInUseError, DataDirectoryPathError, socketDirectory } from './socket-lock.js';

const IDLE_HOLDER_MS = 30_000;
const CLOSE_DEADLINE_MS = 10_000;
const HUNG_MS = 120_000;
const HUNG_PINGS = 4;
/**
 * V8 compiles a function of the engine again, with its optimizer, once it has run about this many bytes of it. Its default of
 * 1 800 000 spends a third of the processor time of a daemon's start on functions that a start runs for the last time; with this
 * one, a database under load is as fast after three seconds.
 */
const OPTIMIZE_AFTER = '--wasm-tiering-budget=100000000';
/** In dist/, where `npm pack` has it made; a checkout has none. */
const PACKAGED_TEMPLATE = fileURLToPath(new URL(`../../../${TEMPLATE_FILE}`, import.meta.url));

export interface EmbeddedWorkerData {
  readonly dataDir: string;
  readonly socketDir: string;
  readonly idleHolderMs: number;
  /** Statements for a database that has to be made; null: none is made. */
  readonly schema: string | null;
  /** Paths of templates to make it from, in order. */
  readonly templates: readonly string[];
  readonly upkeep: UpkeepTimes;
}

export type EmbeddedReport =
  | { readonly kind: 'ready'; readonly created: boolean; readonly template: string | null }
  | {
      readonly kind: 'notice';
      readonly event: 'embedded_template_unusable' | 'embedded_template_not_kept';
      readonly path: string;
      readonly reason: string;
    }
  | { readonly kind: 'upkeep_failed'; readonly statement: string; readonly error: string }
  | { readonly kind: 'missing' }
  | { readonly kind: 'alive' }
  | { readonly kind: 'in_use' }
  | { readonly kind: 'damaged'; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: Error };

/** The files of the embedded database are there and the engine cannot open them. */
export class DatabaseDamagedError extends Error {
  override readonly name = 'DatabaseDamagedError';
  constructor(path: string, reason: string) {
    super(
      `the embedded database in ${path} cannot be opened (${reason}): restore a copy of it, or move it away to begin anew`,
    );
  }
}

/** There is no embedded database, and none was to be made. */
export class DatabaseMissingError extends Error {
  override readonly name = 'DatabaseMissingError';
  constructor(dataDir: string) {
    super(`there is no database in ${dataDir}; 'extreg migrate' makes one`);
  }
}

export interface EmbeddedDatabase {
  /** For `{ kind: 'embedded', socketDir }`, and for `psql -h`. */
  readonly socketDir: string;
  /** True if this start made the database, from a template or from nothing; it has the schema of this version then. */
  readonly created: boolean;
  /** Ends the connections, writes everything down and gives the directory back. */
  close(): Promise<void>;
}

interface EmbeddedOptions {
  /** Called once when the database is lost while it is open; the directory is free then. */
  readonly onFailure: (error: Error) => void;
  /** How long a connection may sit in a transaction that others wait for; 30 s by default. */
  readonly idleHolderMs?: number;
  /** Longest time for one statement; 120 s by default. */
  readonly hungMs?: number;
  /** How often the database is looked after, and from how much of its log on; every 15 s and 64 MB by default. */
  readonly upkeep?: UpkeepTimes;
  /** False: a database that is not there is not made. */
  readonly make?: boolean;
  /** Paths of templates that a database may be made from; the package's and the data directory's unless given. */
  readonly templates?: readonly string[];
  /** For how a database was made, and why a template was not used; names its component already. */
  readonly log?: Logger;
}

/**
 * Rejects with DataDirectoryInUseError, DataDirectoryPathError, DatabaseDamagedError, DatabaseMissingError or the engine's
 * own error. Creates the directory if it is missing.
 */
// Long: what the thread of the database reports is one state machine over these variables.
export async function openEmbedded(dataDir: string, options: EmbeddedOptions): Promise<EmbeddedDatabase> {
  const socketDir = socketDirectory(dataDir);
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  // The thread takes the lock; that it is taken can be seen for a tenth of the price.
  await refuseUsed(socketDir);
  const workerData: EmbeddedWorkerData = {
    dataDir,
    socketDir,
    idleHolderMs: options.idleHolderMs ?? IDLE_HOLDER_MS,
    schema: options.make === false ? null : missingStatements(0),
    templates: options.templates ?? [PACKAGED_TEMPLATE, join(dataDir, TEMPLATE_FILE)],
    upkeep: options.upkeep ?? UPKEEP_TIMES,
  };
  setFlagsFromString(OPTIMIZE_AFTER);
  const worker = new Worker(new URL('./embedded-worker.js', import.meta.url), { workerData, execArgv: [] });
  let state: 'opening' | 'open' | 'closing' | 'failed' = 'opening';
  const ended = new Promise<void>((done) => worker.once('exit', () => done()));
  // Counted, not timed: after a suspension of the whole machine one ping is overdue, not four.
  let unanswered = 0;

  const created = await new Promise<boolean>((opened, refused) => {
    const fail = (error: Error) => {
      if (state === 'opening') refused(error);
      if (state === 'open') options.onFailure(error);
      if (state !== 'closing') state = 'failed';
    };
    worker.on('message', (message: EmbeddedReport) => {
      if (message.kind === 'failed') fail(message.error);
      else if (message.kind === 'damaged') fail(new DatabaseDamagedError(resolve(dataDir, 'pgdata'), message.reason));
      else if (message.kind === 'alive') unanswered = 0;
      else if (message.kind === 'in_use') fail(new DataDirectoryInUseError(resolve(dataDir)));
      else if (message.kind === 'missing') fail(new DatabaseMissingError(dataDir));
      else if (message.kind === 'notice') {
        const { event, path, reason } = message;
        options.log?.warn({ event, path, reason });
      } else if (message.kind === 'upkeep_failed') {
        const { statement, error } = message;
        options.log?.warn({ event: 'embedded_upkeep_failed', statement, error });
      } else {
        if (message.created) logMade(message.template, options.log);
        state = 'open';
        opened(message.created);
      }
    });
    worker.on('error', fail);
    worker.on('exit', () =>
      fail(new Error('the thread of the embedded database ended, or was ended because it did not move')),
    );
  }).catch(async (error: unknown) => {
    // Not before the thread has given the directory back.
    await worker.terminate();
    throw error;
  });
  const watch = setInterval(
    () => {
      unanswered += 1;
      if (unanswered > HUNG_PINGS) void worker.terminate();
      else worker.postMessage('ping');
    },
    (options.hungMs ?? HUNG_MS) / HUNG_PINGS,
  );
  watch.unref();
  worker.once('exit', () => clearInterval(watch));
  // A client that may connect is the superuser.
  chmodSync(join(socketDir, SOCKET_NAME), 0o600);

  return {
    socketDir,
    created,
    async close() {
      if (state === 'open') {
        state = 'closing';
        worker.postMessage('close');
        const overdue = setTimeout(() => void worker.terminate(), CLOSE_DEADLINE_MS);
        await ended;
        clearTimeout(overdue);
      } else await ended;
    },
  };
}

function logMade(template: string | null, log: Logger | undefined): void {
  log?.info({ event: 'embedded_database_made', template });
  log?.info({ event: 'database_migrated', from: 0, to: knownMigrations().length });
}

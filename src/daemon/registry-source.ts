// Where a daemon's registry comes from: the database once its schema is ready, or the last good snapshot while it is away.
//
// REGISTRY-SOURCE-1. A database that cannot be reached is waited for, at start and later; only a schema that does not fit ends the daemon.
// REGISTRY-SOURCE-2. If it has not been reached ten seconds after the start, the last good snapshot of the data directory serves.
import { lastValueFrom, Observable, Subject, Subscription, tap } from '#rxjs';
import type { Clock } from '../actors/ports/clock.js';
import type { RegistryFeed } from '../actors/ports/storage.js';
import type { Config } from '../config/config.js';
import type { Database, DatabaseConnection } from '../db/client.js';
import { errorText } from '../db/database-errors.js';
import { withLastKnown } from '../db/feed/last-known-feed.js';
import { registryFeed } from '../db/feed/registry-feed.js';
import { snapshotPath } from '../db/feed/snapshot-file.js';
import { keepSnapshotFile } from '../db/feed/snapshot-keeper.js';
import { checkSchema, migrateDatabase } from '../db/migrate/migrate.js';
import { isSchemaError } from '../db/migrate/version-errors.js';
import type { RegistryPosition, RegistryUpdate } from '../domain/registry/registry-rows.js';
import type { Logger } from '../telemetry/log.js';
import type { Housekeeping } from './housekeeping.js';
import { FIRST_RETRY_MS, MAX_RETRY_MS, pause } from './retry.js';

const SNAPSHOT_FILE_AFTER_MS = 10_000;
const SNAPSHOT_FILE_EVERY_MS = 1000;

interface SourceDeps {
  readonly config: Config;
  /** For the schema: around a pooler. */
  readonly direct: DatabaseConnection;
  readonly connect: () => Database;
  readonly housekeeping: Housekeeping;
  readonly clock: Clock;
  readonly log: Logger;
}

interface RegistrySource {
  readonly feed$: RegistryFeed;
  /** Returns the number of the request. */
  requestSnapshot(): number;
  /** Since the feed last read that there is nothing newer, ms; null: it never did. */
  lagMs(): number | null;
  /** The registry that is in force, for the last good snapshot. */
  remember(update: RegistryUpdate): void;
  isAway(): boolean;
  isFromFile(): boolean;
  /** Resolves with an error after which the daemon cannot continue. */
  readonly failed: Promise<Error>;
  close(): Promise<void>;
}

export function createRegistrySource({
  config,
  direct,
  connect,
  housekeeping,
  clock,
  log,
}: SourceDeps): RegistrySource {
  const dbLog = log.child({ component: 'db' });
  const path = snapshotPath(config.data_dir);
  const requests = new SnapshotRequests();
  let readAtMs: number | null = null;
  const kept = keepingSnapshots(path, dbLog);
  let isAway = true;
  let isFromFile = false;
  /** The position of the snapshot file in use in the registry's history; null: none is in use, or it has none. */
  let startedFrom: RegistryPosition | null = null;
  let fail: (error: Error) => void;
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });
  const stored$ = registryFeed({
    connect,
    snapshotRequests$: requests.all$,
    startedFrom: () => startedFrom,
    onRead: () => (readAtMs = clock.now()),
    onState: (state, error) => {
      isAway = state === 'down';
      if (isAway) dbLog.warn({ event: 'database_away', error: errorText(error) });
      else dbLog.info({ event: 'database_reached' });
    },
  });
  const prepare = (stopped: AbortSignal) => prepareSchema(direct, config.migrate, clock, log, stopped);
  const live$ = preparedFeed(prepare, stored$, housekeeping, (error) => fail(error));
  const feed$ = withLastKnown(live$.pipe(tap(() => (isFromFile = false))), {
    path,
    afterMs: SNAPSHOT_FILE_AFTER_MS,
    wallClock: Date.now,
    onFileRead: (file) => {
      isFromFile = file.kind === 'found';
      if (file.kind === 'found') startedFrom = file.snapshot.position ?? null;
      logFileRead(path, file, dbLog);
    },
  });
  return {
    feed$,
    requestSnapshot: () => requests.next(),
    lagMs: () => (readAtMs === null ? null : clock.now() - readAtMs),
    // What came from the file need not go there again.
    remember: (update) => {
      if (!isFromFile) kept.remember(update);
    },
    isAway: () => isAway,
    isFromFile: () => isFromFile,
    failed,
    close: kept.close,
  };
}

/** Numbered, from 1 on. */
class SnapshotRequests {
  readonly all$ = new Subject<number>();
  #last = 0;

  next(): number {
    this.#last++;
    this.all$.next(this.#last);
    return this.#last;
  }
}

/** The stored feed and the housekeeping begin when the schema is as this version needs it; they end with the subscription. */
function preparedFeed(
  prepare: (stopped: AbortSignal) => Promise<boolean>,
  stored$: RegistryFeed,
  housekeeping: SourceDeps['housekeeping'],
  onFailure: (error: Error) => void,
): RegistryFeed {
  return new Observable((subscriber) => {
    const stopped = new AbortController();
    const subscriptions = new Subscription(() => stopped.abort());
    const begin = (isPrepared: boolean): void => {
      if (!isPrepared) return;
      subscriptions.add(stored$.subscribe(subscriber));
      subscriptions.add(housekeeping());
    };
    void prepare(stopped.signal).then(begin, onFailure);
    return subscriptions;
  });
}

function keepingSnapshots(path: string, log: Logger) {
  const remembered$ = new Subject<RegistryUpdate>();
  const keeping = keepSnapshotFile(remembered$, {
    path,
    wallClock: Date.now,
    everyMs: SNAPSHOT_FILE_EVERY_MS,
    onError: (error) => log.error({ event: 'snapshot_file_failed', path, error: errorText(error) }),
  });
  const kept = lastValueFrom(keeping, { defaultValue: 0 });
  return {
    remember: (update: RegistryUpdate) => remembered$.next(update),
    close: async (): Promise<void> => {
      remembered$.complete();
      await kept;
    },
  };
}

type FileRead = Parameters<Parameters<typeof withLastKnown>[1]['onFileRead']>[0];

function logFileRead(path: string, file: FileRead, log: Logger): void {
  if (file.kind === 'found') {
    const saved_at = new Date(file.savedAtMs).toISOString();
    log.warn({ event: 'registry_from_snapshot_file', path, saved_at, extensions: file.snapshot.entries.length });
  } else {
    const reason = file.kind === 'none' ? 'there is none yet' : file.reason;
    log.warn({ event: 'registry_snapshot_file_unusable', path, reason });
  }
}

/** REGISTRY-SOURCE-1. False: it was stopped before the schema was ready. Rejects if the schema does not fit. */
async function prepareSchema(
  connection: DatabaseConnection,
  migrate: boolean,
  clock: Clock,
  log: Logger,
  stopped: AbortSignal,
): Promise<boolean> {
  for (let retryMs = FIRST_RETRY_MS; !stopped.aborted; retryMs = Math.min(retryMs * 2, MAX_RETRY_MS)) {
    try {
      await (migrate ? migrateDatabase(connection, log) : checkSchema(connection, log));
      return !stopped.aborted;
    } catch (error) {
      if (isSchemaError(error)) throw error;
      log.warn({ event: 'database_away', component: 'db', error: errorText(error), retry_in_ms: retryMs });
      await pause(retryMs, clock, stopped);
    }
  }
  return false;
}

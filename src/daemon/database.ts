// The registry's database as the daemon lives with it: embedded or given, migrated or checked, away or back.
//
// B1. A database that cannot be reached is waited for, at start and later; only a schema that does not fit ends the daemon.
// B2. Where it has not been reached ten seconds after the start, the last good snapshot of the data directory serves.
// B3. An embedded database that is lost is opened again on the same socket; nobody else needs to know.
// B4. A database that is read but takes no writes is degraded, too (database-writes.ts); that is tried every few seconds.
import { randomUUID } from 'node:crypto';
import { lastValueFrom, Observable, Subject, Subscription, tap } from '#rxjs';
import { every } from '../actors/extension/actor-supervision.js';
import type {
  ApplyAutoChange,
  ApplyVerb,
  Clock,
  FlushHealth,
  ReadRollout,
  RegistryFeed,
  SetRollout,
  WasFlushed,
  WriteAudit,
  WriteInstanceStatus,
} from '../actors/ports/ports.js';
import { type Config, databasePlaces } from '../config/config.js';
import { closeDatabase, type Database, type DatabaseConnection, openDatabase } from '../db/client.js';
import { errorText } from '../db/database-errors.js';
import { withLastKnown } from '../db/feed/last-known-feed.js';
import { registryFeed } from '../db/feed/registry-feed.js';
import { keepSnapshotFile, snapshotPath } from '../db/feed/snapshot-file.js';
import { checkSchema, migrateDatabase } from '../db/migrate/migrate.js';
import { isSchemaError } from '../db/migrate/version-errors.js';
import { pruneAudit, writeAudit } from '../db/queries/audit-queries.js';
import { applyAutoChange } from '../db/queries/auto-queries.js';
import { emptyStaleWindows, flushHealth, wasFlushed } from '../db/queries/health-queries.js';
import { writeInstanceStatus } from '../db/queries/instance-queries.js';
import { readRollout, setRollout } from '../db/queries/rollout-queries.js';
import { applyVerb } from '../db/queries/verb-queries.js';
import { tryWrite } from '../db/queries/write-trial.js';
import { HeldError } from '../domain/registry/held-error.js';
import type { RegistryPosition, RegistryUpdate } from '../domain/registry/registry-rows.js';
import { type EmbeddedDatabase, openEmbedded } from '../embedded/postgres/embedded.js';
import type { Logger } from '../telemetry/log.js';
import { DatabaseWrites } from './database-writes.js';

export interface RegistryDatabase {
  readonly db: Database;
  readonly feed$: RegistryFeed;
  requestSnapshot(): void;
  readonly flushHealth: FlushHealth;
  readonly wasFlushed: WasFlushed;
  readonly writeInstanceStatus: WriteInstanceStatus;
  readonly applyAutoChange: ApplyAutoChange;
  readonly applyVerb: ApplyVerb;
  readonly setRollout: SetRollout;
  readonly readRollout: ReadRollout;
  readonly writeAudit: WriteAudit;
  /** The registry that is in force, for the last good snapshot. */
  remember(update: RegistryUpdate): void;
  /** `database` while it is away, `registry_snapshot_file` while that is what serves. */
  degraded(): string[];
  /** Resolves with what the daemon cannot go on with. */
  readonly failed: Promise<Error>;
  close(): Promise<void>;
}

const SNAPSHOT_FILE_AFTER_MS = 10_000;
const SNAPSHOT_FILE_EVERY_MS = 1000;
const FIRST_RETRY_MS = 250;
const MAX_RETRY_MS = 1500;
const PRUNE_MS = 6 * 3_600_000;
const TRIAL_MS = 5000;
const STALE_MS = 300_000;
const POOL_SIZE = 4;

/** Rejects where the embedded database cannot be opened; a given one is waited for. */
export async function startDatabase(config: Config, clock: Clock, log: Logger): Promise<RegistryDatabase> {
  const dbLog = log.child({ component: 'db' });
  const places = databasePlaces(config);
  const embedded = places === null ? await EmbeddedLife.open(config.data_dir, clock, dbLog) : null;
  const own: DatabaseConnection = { kind: 'embedded', socketDir: embedded?.socketDir ?? '' };
  const connection = places?.main ?? own;
  const direct = places?.direct ?? own;
  const open = (to: DatabaseConnection, applicationName: string, max: number): Database =>
    openDatabase(to, { max, prepare: !config.database_pooler, applicationName, log });
  const db = open(connection, 'extreg', POOL_SIZE);

  const requests$ = new Subject<void>();
  const remembered$ = new Subject<RegistryUpdate>();
  const path = snapshotPath(config.data_dir);
  const keeping = keepSnapshotFile(remembered$, {
    path,
    wallClock: Date.now,
    everyMs: SNAPSHOT_FILE_EVERY_MS,
    onError: (error) => dbLog.error({ event: 'snapshot_file_failed', path, error: errorText(error) }),
  });
  const kept = lastValueFrom(keeping, { defaultValue: 0 });
  let isAway = true;
  let isFromFile = false;
  let fail: (error: Error) => void;
  const failed = new Promise<Error>((resolve) => {
    fail = resolve;
  });

  /** Where the file that serves was in the registry's history; null: none serves, or it does not say. */
  let startedFrom: RegistryPosition | null = null;
  const stored$ = registryFeed({
    connect: () => open(direct, 'extreg feed', 2),
    snapshotRequests$: requests$,
    startedFrom: () => startedFrom,
    onState: (state, error) => {
      isAway = state === 'down';
      if (isAway) dbLog.warn({ event: 'database_away', error: errorText(error) });
      else dbLog.info({ event: 'database_reached' });
    },
  });
  const prune = async (): Promise<void> => {
    try {
      const rows = await pruneAudit(db, config.audit_retention_days);
      if (rows > 0) dbLog.info({ event: 'audit_pruned', rows, retention_days: config.audit_retention_days });
    } catch (error) {
      dbLog.warn({ event: 'audit_prune_failed', error: errorText(error) });
    }
  };

  const writes = new DatabaseWrites({ clock, log: dbLog, isAway: () => isAway });
  const writer = randomUUID();
  const emptyStale = async (): Promise<void> => {
    try {
      const rows = await emptyStaleWindows(db);
      if (rows > 0) dbLog.info({ event: 'health_windows_emptied', rows });
    } catch (error) {
      dbLog.warn({ event: 'health_windows_not_emptied', error: errorText(error) });
    }
  };

  const live$: RegistryFeed = new Observable((subscriber) => {
    const stopped = new AbortController();
    const subscriptions = new Subscription(() => stopped.abort());
    void prepareSchema(direct, config.migrate, clock, log, stopped.signal).then(
      (isPrepared) => {
        if (!isPrepared) return;
        subscriptions.add(stored$.subscribe(subscriber));
        subscriptions.add(every(PRUNE_MS, clock).subscribe(() => void prune()));
        void prune();
        subscriptions.add(every(STALE_MS, clock).subscribe(() => void emptyStale()));
        void emptyStale();
        subscriptions.add(every(TRIAL_MS, clock).subscribe(() => void writes.try(() => tryWrite(db, writer))));
        void writes.try(() => tryWrite(db, writer));
      },
      (error: Error) => fail(error),
    );
    return subscriptions;
  });
  const feed$ = withLastKnown(live$.pipe(tap(() => (isFromFile = false))), {
    path,
    afterMs: SNAPSHOT_FILE_AFTER_MS,
    wallClock: Date.now,
    onLooked: (file) => {
      isFromFile = file.kind === 'found';
      if (file.kind === 'found') {
        startedFrom = file.snapshot.position ?? null;
        const saved_at = new Date(file.savedAtMs).toISOString();
        dbLog.warn({ event: 'registry_from_snapshot_file', path, saved_at, extensions: file.snapshot.entries.length });
      } else {
        const reason = file.kind === 'none' ? 'there is none yet' : file.reason;
        dbLog.warn({ event: 'registry_snapshot_file_unusable', path, reason });
      }
    },
  });

  return {
    db,
    feed$,
    requestSnapshot: () => requests$.next(),
    flushHealth: (number, rows) => writes.watch('health', flushHealth(db, { writer, number }, rows)).catch(inShort),
    wasFlushed: (number) => writes.watch('health', wasFlushed(db, { writer, number })).catch(inShort),
    writeInstanceStatus: (rows) => writes.watch('instance_status', writeInstanceStatus(db, rows)).catch(inShort),
    applyAutoChange: (change) => writes.watch('auto_change', applyAutoChange(db, change)).catch(inShort),
    applyVerb: (command, remainingMs) => writes.watch('verb', applyVerb(db, command, remainingMs)).catch(inShort),
    setRollout: (command, remainingMs) => writes.watch('rollout', setRollout(db, command, remainingMs)).catch(inShort),
    readRollout: (extensionId, historyLimit) => readRollout(db, extensionId, historyLimit).catch(inShort),
    writeAudit: (facts) => writes.watch('audit', writeAudit(db, facts, log)).catch(inShort),
    remember: (update) => {
      // What came from the file need not go there again.
      if (!isFromFile) remembered$.next(update);
    },
    degraded: () => [
      ...(isAway || writes.isFailing ? ['database'] : []),
      ...(isFromFile ? ['registry_snapshot_file'] : []),
    ],
    failed,
    close: async () => {
      remembered$.complete();
      await kept;
      await closeDatabase(db);
      await embedded?.close();
    },
  };
}

/** What is tried again every second must not be logged with its query and all the rows of it, which is how it comes. */
function inShort(error: unknown): never {
  if (error instanceof HeldError) throw error;
  throw new Error(errorText(error));
}

/** B1. False: it was told to stop before the schema was ready. Rejects where the schema does not fit. */
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

/** B3. */
class EmbeddedLife {
  #isClosed = false;
  #closing = new AbortController();

  private constructor(
    private readonly dataDir: string,
    private readonly clock: Clock,
    private readonly log: Logger,
    private current: EmbeddedDatabase,
  ) {}

  static async open(dataDir: string, clock: Clock, log: Logger): Promise<EmbeddedLife> {
    let lost: (error: Error) => void = () => undefined;
    const current = await openEmbedded(dataDir, { log, onFailure: (error) => lost(error) });
    const life = new EmbeddedLife(dataDir, clock, log, current);
    lost = (error) => void life.#reopen(error);
    return life;
  }

  get socketDir(): string {
    return this.current.socketDir;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#closing.abort();
    await this.current.close();
  }

  async #reopen(lost: Error): Promise<void> {
    this.log.error({ event: 'embedded_database_lost', error: errorText(lost) });
    for (let retryMs = FIRST_RETRY_MS; !this.#isClosed; retryMs = Math.min(retryMs * 2, MAX_RETRY_MS)) {
      await pause(retryMs, this.clock, this.#closing.signal);
      if (this.#isClosed) return;
      try {
        this.current = await openEmbedded(this.dataDir, {
          // A new one would be an empty registry, which is worse than none.
          make: false,
          log: this.log,
          onFailure: (error) => void this.#reopen(error),
        });
        this.log.info({ event: 'embedded_database_reopened' });
        if (this.#isClosed) await this.current.close();
        return;
      } catch (error) {
        this.log.error({ event: 'embedded_database_lost', error: errorText(error), retry_in_ms: retryMs });
      }
    }
  }
}

/** Resolves after `ms`, or when it is told to stop. */
function pause(ms: number, clock: Clock, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clock.clearTimeout(timer);
      stopped.removeEventListener('abort', end);
      resolve();
    };
    const timer = clock.setTimeout(end, ms);
    stopped.addEventListener('abort', end);
  });
}

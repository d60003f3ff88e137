// The registry's database as the daemon lives with it: its writes, its reads and its state in one object.
//
// DATABASE-1. A database that is read but takes no writes is degraded, too (database-writes.ts); that is tried every few seconds.
import { randomUUID } from 'node:crypto';
import type { TokenStore } from '../actors/ports/access.js';
import type { ReadAuditPage } from '../actors/ports/audit.js';
import type { Clock } from '../actors/ports/clock.js';
import type { SetWeight } from '../actors/ports/instances.js';
import type {
  ApplyAutoChange,
  ApplyVerb,
  FlushHealth,
  ReadFallbackRows,
  ReadMarks,
  ReadRollout,
  ReadRowChange,
  ReadRows,
  RegistryFeed,
  SetRollout,
  WasFlushed,
  WriteAudit,
  WriteInstanceStatus,
  WriteRow,
} from '../actors/ports/storage.js';
import { type Config, databasePlaces } from '../config/config.js';
import { closeDatabase, type Database, type DatabaseConnection, openDatabase } from '../db/client.js';
import { errorText } from '../db/database-errors.js';
import { readAuditPage } from '../db/queries/audit-page-queries.js';
import { readMarks, writeAudit } from '../db/queries/audit-queries.js';
import { applyAutoChange } from '../db/queries/auto-queries.js';
import { healthFlusher } from '../db/queries/health-flusher.js';
import { writeInstanceStatus } from '../db/queries/instance-queries.js';
import { readFallbackRows } from '../db/queries/registry-file-queries.js';
import { readRollout, setRollout } from '../db/queries/rollout-queries.js';
import { readRowChange, readRows, writeRow } from '../db/queries/row-queries.js';
import { tokenStore } from '../db/queries/token-queries.js';
import { applyVerb } from '../db/queries/verb-queries.js';
import { setWeight } from '../db/queries/weight-queries.js';
import { HeldError } from '../domain/registry/held-error.js';
import type { RegistryUpdate } from '../domain/registry/registry-rows.js';
import type { Logger } from '../telemetry/log.js';
import { DatabaseWrites } from './database-writes.js';
import { EmbeddedLife } from './embedded-life.js';
import { createHousekeeping } from './housekeeping.js';
import { createRegistrySource } from './registry-source.js';

export interface RegistryDatabase {
  readonly db: Database;
  readonly feed$: RegistryFeed;
  /** Returns the number of the request. */
  requestSnapshot(): number;
  /** Since the feed last read that there is nothing newer, ms; null: it never did. */
  lagMs(): number | null;
  isAway(): boolean;
  readonly flushHealth: FlushHealth;
  readonly wasFlushed: WasFlushed;
  readonly writeInstanceStatus: WriteInstanceStatus;
  readonly applyAutoChange: ApplyAutoChange;
  readonly applyVerb: ApplyVerb;
  readonly setRollout: SetRollout;
  readonly setWeight: SetWeight;
  readonly readRollout: ReadRollout;
  readonly writeAudit: WriteAudit;
  readonly readMarks: ReadMarks;
  readonly readAuditPage: ReadAuditPage;
  /** For the admin API of rows. */
  readonly rows: {
    readonly read: ReadRows;
    readonly readFallbacks: ReadFallbackRows;
    readonly readChange: ReadRowChange;
    readonly write: WriteRow;
  };
  readonly tokens: TokenStore;
  /** The registry that is in force, for the last good snapshot. */
  remember(update: RegistryUpdate): void;
  /** `database` while it is away, `registry_snapshot_file` while that is what serves. */
  degraded(): string[];
  /** Resolves with an error after which the daemon cannot continue. */
  readonly failed: Promise<Error>;
  close(): Promise<void>;
}

const POOL_SIZE = 4;

/** Rejects if the embedded database cannot be opened; a given one is waited for. */
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
  const writer = randomUUID();
  const writes = new DatabaseWrites({ clock, log: dbLog, isAway: () => source.isAway() });
  const source = createRegistrySource({
    config,
    direct,
    connect: () => open(direct, 'extreg feed', 2),
    housekeeping: createHousekeeping({
      db,
      writes,
      writer,
      retentionDays: config.audit_retention_days,
      clock,
      log: dbLog,
    }),
    clock,
    log,
  });
  const { feed$, requestSnapshot, remember, failed } = source;
  return {
    db,
    feed$,
    requestSnapshot,
    lagMs: source.lagMs,
    isAway: source.isAway,
    remember,
    failed,
    ...writesOf(db, writes, writer, log),
    degraded: () => [
      ...(source.isAway() || writes.isFailing ? ['database'] : []),
      ...(source.isFromFile() ? ['registry_snapshot_file'] : []),
    ],
    close: async () => {
      await source.close();
      await closeDatabase(db);
      await embedded?.close();
    },
  };
}

/** `writer`: names this process in what it writes. */
function writesOf(db: Database, writes: DatabaseWrites, writer: string, log: Logger) {
  const watch = <T>(kind: Parameters<DatabaseWrites['watch']>[0], write: Promise<T>): Promise<T> =>
    writes.watch(kind, write).catch(inShort);
  const flusher = healthFlusher(db, writer, log);
  return {
    flushHealth: ((number, rows) => watch('health', flusher.flushHealth(number, rows))) satisfies FlushHealth,
    wasFlushed: ((number) => watch('health', flusher.wasFlushed(number))) satisfies WasFlushed,
    writeInstanceStatus: ((rows) =>
      watch('instance_status', writeInstanceStatus(db, rows))) satisfies WriteInstanceStatus,
    applyAutoChange: ((change) => watch('auto_change', applyAutoChange(db, change))) satisfies ApplyAutoChange,
    applyVerb: ((command, remainingMs) => watch('verb', applyVerb(db, command, remainingMs))) satisfies ApplyVerb,
    setRollout: ((command, remainingMs) => watch('rollout', setRollout(db, command, remainingMs))) satisfies SetRollout,
    setWeight: ((command, remainingMs) => watch('weight', setWeight(db, command, remainingMs))) satisfies SetWeight,
    readRollout: ((extensionId, historyLimit) =>
      readRollout(db, extensionId, historyLimit).catch(inShort)) satisfies ReadRollout,
    readMarks: ((...query) => readMarks(db, ...query).catch(inShort)) satisfies ReadMarks,
    writeAudit: ((facts) => watch('audit', writeAudit(db, facts, log))) satisfies WriteAudit,
    readAuditPage: ((query) => readAuditPage(db, query).catch(inShort)) satisfies ReadAuditPage,
    rows: {
      read: (extensionId) => readRows(db, extensionId).catch(inShort),
      readFallbacks: () => readFallbackRows(db).catch(inShort),
      readChange: (row, revision) => readRowChange(db, row, revision).catch(inShort),
      write: (change, who) => watch('rows', writeRow(db, change, who)),
    } satisfies RegistryDatabase['rows'],
    tokens: tokensOf(db),
  };
}

/** Readings every second are no trial of writing. */
function tokensOf(db: Database): TokenStore {
  const store = tokenStore(db);
  return {
    read: () => store.read().catch(inShort),
    list: () => store.list().catch(inShort),
    create: (token) => store.create(token).catch(inShort),
    revoke: (id, who) => store.revoke(id, who).catch(inShort),
    noteUses: (uses) => store.noteUses(uses).catch(inShort),
    prune: () => store.prune().catch(inShort),
  };
}

/** What is tried again every second must not be logged with its query and all the rows of it, which is how it comes. */
function inShort(error: unknown): never {
  if (error instanceof HeldError) throw error;
  throw new Error(errorText(error));
}

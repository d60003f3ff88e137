// Emits what the registry holds and what changes in it, for as long as it is subscribed to.
//
// REGISTRY-FEED-1. The first update is a snapshot; it is also one after a gap, after every outage, every ten minutes and on request.
//     Between them only what changed is read.
// REGISTRY-FEED-2. A notification is a hint to read now. Reading every second as well makes losing one cost a second, never a change.
// REGISTRY-FEED-3. It never errors: while the database is away it keeps trying, and says so once.
// REGISTRY-FEED-4. One reading at a time; a request that arrives meanwhile is answered by the next one.
// REGISTRY-FEED-5. A reading that fails or takes too long is given up with its connections: what a lost one leaves behind in the driver, and a
//     network that swallows packets, must not deafen it.
// REGISTRY-FEED-6. If the registry is not what followed the last update (restored, exchanged, its number rewritten), the next update is
//     a snapshot that says so. A registry that is not whole, as while it is being restored, counts as away.
// REGISTRY-FEED-7. A row of registry_revision that stays missing is inserted again: without it nothing can be changed.
// REGISTRY-FEED-8. A subscriber that throws misses that update, and gets a snapshot instead of it.
import { asyncScheduler, Observable, type SchedulerLike, type Subscription } from '#rxjs';
import type { RegistryFeed } from '../../actors/ports/storage.js';
import type { RegistryPosition, RegistryUpdate } from '../../domain/registry/registry-rows.js';
import { closeDatabase, type Database } from '../client.js';
import {
  healRevision,
  isRegistryWhole,
  type RegistryChanges,
  RegistryRowMissingError,
  readChanges,
  readPosition,
  readSnapshot,
} from '../queries/registry-queries.js';
import { historyChange } from './registry-history.js';

const CHANNEL = 'extreg_registry';
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 1500;
/** REGISTRY-FEED-7. Readings in a row that find no row, about a second: an operator may replace it in two statements. */
const LOOKS_BEFORE_HEALING = 4;

interface RegistryFeedOptions {
  /** A client for the feed alone; asked for again when one was given up. Behind a pooler: the direct connection. */
  readonly connect: () => Database;
  /** Called at every change, first as soon as it is known; `error` with 'down'. */
  readonly onState: (state: 'up' | 'down', error?: unknown) => void;
  /** The subscriber's position when the first snapshot is read; null: none, or not known. */
  readonly startedFrom?: () => RegistryPosition | null;
  /** Each emission asks for a whole snapshot, and numbers the request; snapshots name the last one before they were read. */
  readonly snapshotRequests$?: Observable<number>;
  /** Called after each reading, also one that found nothing new. */
  readonly onRead?: () => unknown;
  readonly pollMs?: number;
  readonly snapshotMs?: number;
  /** How long one reading may take. */
  readonly lookMs?: number;
  readonly scheduler?: SchedulerLike;
}

export function registryFeed(options: RegistryFeedOptions): RegistryFeed {
  return new Observable((subscriber) => {
    const reader = new FeedReader(options, (update) => subscriber.next(update));
    reader.start();
    return () => reader.stop();
  });
}

class FeedReader {
  private readonly scheduler: SchedulerLike;
  private readonly pollMs: number;
  private readonly snapshotMs: number;
  private readonly lookMs: number;
  private readonly connect: () => Database;
  private readonly onState: RegistryFeedOptions['onState'];
  private readonly snapshotRequests$: Observable<number> | undefined;
  private readonly onRead: () => unknown;
  private request = 0;
  private readonly emit: (update: RegistryUpdate) => void;
  private client: Database | null = null;
  private readonly startedFrom: () => RegistryPosition | null;
  private state: 'up' | 'down' | null = null;
  /** Of the last update; null before the first snapshot. */
  private position: RegistryPosition | null = null;
  private wanted: 'nothing' | 'changes' | 'snapshot' = 'snapshot';
  private looking = false;
  private stopped = false;
  private failures = 0;
  private retry: Subscription | null = null;
  private poll: Subscription | null = null;
  private refresh: Subscription | null = null;
  private requests: Subscription | null = null;

  constructor(options: RegistryFeedOptions, emit: (update: RegistryUpdate) => void) {
    this.scheduler = options.scheduler ?? asyncScheduler;
    this.pollMs = options.pollMs ?? 1000;
    this.snapshotMs = options.snapshotMs ?? 600_000;
    this.lookMs = options.lookMs ?? 30_000;
    this.connect = options.connect;
    this.onState = options.onState;
    this.snapshotRequests$ = options.snapshotRequests$;
    this.onRead = options.onRead ?? (() => undefined);
    this.startedFrom = options.startedFrom ?? (() => null);
    this.emit = emit;
  }

  start(): void {
    const asked = (request: number): void => {
      this.request = request;
      this.want('snapshot');
    };
    this.requests = this.snapshotRequests$?.subscribe(asked) ?? null;
    this.poll = this.every(this.pollMs, () => this.want('changes'));
    this.refresh = this.every(this.snapshotMs, () => this.want('snapshot'));
    this.look();
  }

  stop(): void {
    this.stopped = true;
    for (const subscription of [this.retry, this.poll, this.refresh, this.requests]) subscription?.unsubscribe();
    this.dropClient();
  }

  private every(ms: number, act: () => void): Subscription {
    return this.scheduler.schedule(function () {
      act();
      this.schedule(undefined, ms);
    }, ms);
  }

  private want(what: 'changes' | 'snapshot'): void {
    if (this.wanted !== 'snapshot') this.wanted = what;
    this.look();
  }

  /** REGISTRY-FEED-4. */
  private look(): void {
    if (this.looking || this.stopped || this.wanted === 'nothing' || this.retry !== null) return;
    const what = this.position === null ? 'snapshot' : this.wanted;
    this.wanted = 'nothing';
    this.looking = true;
    this.within(this.lookMs, this.read(what))
      .then(
        (update) => this.succeeded(update),
        (error: unknown) => this.failed(error),
      )
      // REGISTRY-FEED-8.
      .catch((error: unknown) => this.failed(error))
      .finally(() => {
        this.looking = false;
        this.look();
      });
  }

  private succeeded(update: PositionedUpdate | null): void {
    if (this.stopped) return;
    this.failures = 0;
    this.say('up');
    this.onRead();
    if (update === null) return;
    this.position = update.position;
    this.emit(update);
  }

  /** REGISTRY-FEED-1, REGISTRY-FEED-3. */
  private failed(error: unknown): void {
    if (this.stopped) return;
    this.wanted = 'snapshot';
    this.dropClient();
    const delay = Math.min(RETRY_MIN_MS * 2 ** this.failures, RETRY_MAX_MS);
    this.failures += 1;
    this.retry = this.scheduler.schedule(() => {
      this.retry = null;
      this.look();
    }, delay);
    this.say('down', error);
  }

  private say(state: 'up' | 'down', error?: unknown): void {
    if (this.state === state) return;
    this.state = state;
    this.onState(state, error);
  }

  /** null: nothing changed. */
  private async read(what: 'changes' | 'snapshot'): Promise<PositionedUpdate | null> {
    const db = this.listeningClient();
    const { request } = this;
    const before = this.position ?? this.startedFrom();
    const now = await this.findPosition(db);
    // The usual case costs one small query.
    if (what === 'changes' && before !== null && isSame(now, before)) return null;
    const changes = before === null ? null : await readChanges(db, before);
    const change = before === null || changes === null ? null : historyChange(before, changes);
    if (what === 'changes' && changes?.kind === 'complete' && change === null) return updateOf(changes);
    if (!(await isRegistryWhole(db))) throw new RegistryNotWholeError();
    // Numbers that come again would be taken for the old ones. What only serves readers cannot be healed, and is read as it is.
    if (change !== null) await healRevision(db).catch(() => undefined);
    return { kind: 'snapshot', ...(await readSnapshot(db)), historyChange: change, request };
  }

  /** REGISTRY-FEED-7. */
  private async findPosition(db: Database): Promise<RegistryPosition> {
    try {
      return await readPosition(db);
    } catch (error) {
      if (!(error instanceof RegistryRowMissingError)) throw error;
      if (!(await isRegistryWhole(db))) throw new RegistryNotWholeError();
      if (this.failures < LOOKS_BEFORE_HEALING) throw error;
      await healRevision(db);
      return readPosition(db);
    }
  }

  private listeningClient(): Database {
    if (this.client !== null) return this.client;
    const client = this.connect();
    this.client = client;
    const lookNow = () => {
      if (this.client === client) this.want('changes');
    };
    // A separate connection, which the driver opens again whenever it is lost; each time there may be something to read.
    // If it cannot be made (no LISTEN behind a pooler), the poll serves.
    client.$client.listen(CHANNEL, lookNow, lookNow).catch(() => undefined);
    return client;
  }

  private dropClient(): void {
    const client = this.client;
    this.client = null;
    if (client !== null) void closeDatabase(client).catch(() => undefined);
  }

  /** REGISTRY-FEED-5. */
  private within<T>(ms: number, work: Promise<T>): Promise<T> {
    return new Promise((done, failed) => {
      const overdue = this.scheduler.schedule(() => failed(new LookOverdueError(ms)), ms);
      work.then(done, failed).finally(() => overdue.unsubscribe());
    });
  }
}

type PositionedUpdate = RegistryUpdate & { readonly position: RegistryPosition };

function updateOf({ revision, position, entries, unreadable, removedIds }: RegistryChanges): PositionedUpdate {
  return { kind: 'changes', revision, position, entries, unreadable, removedIds };
}

const isSame = (a: RegistryPosition, b: RegistryPosition): boolean =>
  a.revision === b.revision && a.token === b.token && a.history === b.history && a.source === b.source;

/** REGISTRY-FEED-6. */
class RegistryNotWholeError extends Error {
  override readonly name = 'RegistryNotWholeError';
  constructor() {
    super('the registry is not whole: a table lacks its trigger extreg_record, as while it is being restored');
  }
}

class LookOverdueError extends Error {
  override readonly name = 'LookOverdueError';
  constructor(ms: number) {
    super(`reading the registry took longer than ${ms} ms`);
  }
}

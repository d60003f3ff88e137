// Tells what the registry holds and what changes in it, for as long as somebody listens.
//
// F1. The first update is a snapshot; it is also one after a gap, every ten minutes and on request. Between them only what
//     changed is read.
// F2. A notification is a hint to look now. Looking every second as well makes losing one cost a second, never a change.
// F3. It never errors: while the database is away it keeps trying, and says so once.
// F4. One look at a time; what is asked for meanwhile is answered by the next one.
// F5. A look that fails or takes too long is given up with its connections: what a lost one leaves behind in the driver, and a
//     network that swallows packets, must not deafen it.
import { asyncScheduler, Observable, type SchedulerLike, type Subscription } from '#rxjs';
import type { RegistryFeed } from '../actors/ports.js';
import type { RegistryUpdate } from '../domain/registry-rows.js';
import { closeDatabase, type Database } from './client.js';
import { readChanges, readRevision, readSnapshot } from './registry-queries.js';

const CHANNEL = 'extreg_registry';
const RETRY_MIN_MS = 100;
const RETRY_MAX_MS = 2000;

export interface RegistryFeedOptions {
  /** A client for the feed alone; asked for again when one was given up. Behind a pooler: the direct connection. */
  readonly connect: () => Database;
  /** Told at every change, first as soon as it is known; `error` with 'down'. */
  readonly onState: (state: 'up' | 'down', error?: unknown) => void;
  /** Each emission asks for a whole snapshot. */
  readonly snapshotRequests$?: Observable<unknown>;
  readonly pollMs?: number;
  readonly snapshotMs?: number;
  /** How long one look may take. */
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
  private readonly snapshotRequests$: Observable<unknown> | undefined;
  private readonly emit: (update: RegistryUpdate) => void;
  private client: Database | null = null;
  private state: 'up' | 'down' | null = null;
  /** Last revision told; null before the first snapshot. */
  private told: number | null = null;
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
    this.emit = emit;
  }

  start(): void {
    this.requests = this.snapshotRequests$?.subscribe(() => this.want('snapshot')) ?? null;
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

  /** F4. */
  private look(): void {
    if (this.looking || this.stopped || this.wanted === 'nothing' || this.retry !== null) return;
    const what = this.told === null ? 'snapshot' : this.wanted;
    this.wanted = 'nothing';
    this.looking = true;
    this.within(this.lookMs, this.read(what))
      .then(
        (update) => this.succeeded(update),
        (error: unknown) => this.failed(what, error),
      )
      .finally(() => {
        this.looking = false;
        this.look();
      });
  }

  private succeeded(update: RegistryUpdate | null): void {
    if (this.stopped) return;
    this.failures = 0;
    this.say('up');
    if (update === null) return;
    this.told = update.revision;
    this.emit(update);
  }

  /** F3. */
  private failed(what: 'changes' | 'snapshot', error: unknown): void {
    if (this.stopped) return;
    if (this.wanted !== 'snapshot') this.wanted = what;
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
  private async read(what: 'changes' | 'snapshot'): Promise<RegistryUpdate | null> {
    const db = this.listeningClient();
    if (what === 'changes' && this.told !== null) {
      // The usual case costs one small query.
      if ((await readRevision(db)) === this.told) return null;
      const { complete, ...changes } = await readChanges(db, this.told);
      if (complete) return { kind: 'changes', ...changes };
    }
    const { revision, entries } = await readSnapshot(db);
    return { kind: 'snapshot', revision, entries };
  }

  private listeningClient(): Database {
    if (this.client !== null) return this.client;
    const client = this.connect();
    this.client = client;
    const lookNow = () => {
      if (this.client === client) this.want('changes');
    };
    // A connection of its own, which the driver makes again whenever it is lost; each time there may be something to see.
    // Where it cannot be made (no LISTEN behind a pooler), the poll serves.
    client.$client.listen(CHANNEL, lookNow, lookNow).catch(() => undefined);
    return client;
  }

  private dropClient(): void {
    const client = this.client;
    this.client = null;
    if (client !== null) void closeDatabase(client).catch(() => undefined);
  }

  /** F5. */
  private within<T>(ms: number, work: Promise<T>): Promise<T> {
    return new Promise((done, failed) => {
      const overdue = this.scheduler.schedule(() => failed(new LookOverdueError(ms)), ms);
      work.then(done, failed).finally(() => overdue.unsubscribe());
    });
  }
}

class LookOverdueError extends Error {
  override readonly name = 'LookOverdueError';
  constructor(ms: number) {
    super(`reading the registry took longer than ${ms} ms`);
  }
}

// Keeps the snapshot file in step with the registry that is in force.
//
// SNAPSHOT-KEEPER-1. An update is queued as it comes, and put together with those before in slices, when the file is written next.
// SNAPSHOT-KEEPER-2. It is written `everyMs` after a change at the earliest, and of a large registry so rarely that it takes a tenth of the time: one
//     changed row writes all of them. The last update is written when the updates end.
import { asyncScheduler, Observable, type SchedulerLike, type Subscription } from '#rxjs';
import type { RegistryEntry, RegistryPosition, RegistryUpdate } from '../../domain/registry/registry-rows.js';
import { type AgedEntry, Slices, writeEntries } from './snapshot-file.js';

interface KeepOptions {
  readonly path: string;
  readonly wallClock: () => number;
  /** The file could not be written; the next change tries again. Or an entry of it could not. */
  readonly onError: (error: unknown) => void;
  /** At most one write in this time. */
  readonly everyMs: number;
  readonly scheduler?: SchedulerLike;
}

/** SNAPSHOT-KEEPER-2. Of the time that a write took. */
const REST = 9;
const MAX_REST_MS = 60_000;

/** Emits the revision of each snapshot written. Completes with the updates, the last of them written. */
export function keepSnapshotFile(updates$: Observable<RegistryUpdate>, options: KeepOptions): Observable<number> {
  return new Observable((subscriber) => {
    const keeper = new SnapshotKeeper(options, (revision) => subscriber.next(revision));
    const updates = updates$.subscribe({
      next: (update) => keeper.remember(update),
      error: (error) => subscriber.error(error),
      complete: () => void keeper.end().then(() => subscriber.complete()),
    });
    return () => {
      updates.unsubscribe();
      keeper.stop();
    };
  });
}

interface Read {
  readonly update: RegistryUpdate;
  readonly readAtMs: number;
}

class SnapshotKeeper {
  readonly #options: KeepOptions;
  readonly #onWritten: (revision: number) => void;
  readonly #entries = new Map<string, { readonly entry: RegistryEntry; readonly readAtMs: number }>();
  /** SNAPSHOT-KEEPER-1. */
  #queue: Read[] = [];
  #revision = 0;
  #position: RegistryPosition | null = null;
  #timer: Subscription | null = null;
  #writing: Promise<void> | null = null;
  #restMs = 0;
  #isEnding = false;

  constructor(options: KeepOptions, onWritten: (revision: number) => void) {
    this.#options = options;
    this.#onWritten = onWritten;
  }

  remember(update: RegistryUpdate): void {
    this.#queue.push({ update, readAtMs: this.#options.wallClock() });
    this.#schedule();
  }

  /** Resolves when what was remembered is written. */
  async end(): Promise<void> {
    this.#isEnding = true;
    this.stop();
    await this.#writing;
    if (this.#queue.length > 0) await this.#write();
  }

  stop(): void {
    this.#timer?.unsubscribe();
    this.#timer = null;
  }

  #schedule(): void {
    if (this.#timer !== null || this.#writing !== null || this.#isEnding) return;
    const { everyMs, scheduler = asyncScheduler } = this.#options;
    this.#timer = scheduler.schedule(
      () => {
        this.#timer = null;
        this.#writing = this.#write().finally(() => {
          this.#writing = null;
          if (this.#queue.length > 0) this.#schedule();
        });
      },
      Math.max(everyMs, this.#restMs),
    );
  }

  /** Never rejects. */
  async #write(): Promise<void> {
    const { path, wallClock, onError } = this.#options;
    const startedMs = performance.now();
    const isHurried = (): boolean => this.#isEnding;
    try {
      await this.#takeQueued(new Slices(isHurried));
      const nowMs = wallClock();
      const snapshot = { revision: this.#revision, position: this.#position, entries: this.#aged(nowMs) };
      await writeEntries(path, snapshot, nowMs, onError, isHurried);
    } catch (error) {
      onError(error);
    }
    this.#restMs = Math.min((performance.now() - startedMs) * REST, MAX_REST_MS);
    this.#onWritten(this.#revision);
  }

  /** The entries do not change while they are written: updates are queued meanwhile. */
  *#aged(nowMs: number): Generator<AgedEntry> {
    for (const { entry, readAtMs } of this.#entries.values()) yield { entry, elapsedMs: Math.max(0, nowMs - readAtMs) };
  }

  /** SNAPSHOT-KEEPER-1. */
  async #takeQueued(slices: Slices): Promise<void> {
    const queue = this.#queue;
    this.#queue = [];
    for (const { update, readAtMs } of queue) {
      if (update.kind === 'changes') for (const id of update.removedIds) this.#entries.delete(id);
      else await this.#keepThose(update, slices);
      for (const entry of update.entries) {
        this.#entries.set(entry.extension.id, { entry, readAtMs });
        if (slices.isOver) await slices.next();
      }
      this.#revision = update.revision;
      this.#position = update.position ?? null;
    }
  }

  /** Drops what a snapshot does not name. What was read of unreadable ones before stays. */
  async #keepThose({ entries, unreadable = [] }: RegistryUpdate, slices: Slices): Promise<void> {
    const present = new Set(unreadable.map(({ id }) => id));
    for (const { extension } of entries) {
      present.add(extension.id);
      if (slices.isOver) await slices.next();
    }
    for (const id of this.#entries.keys()) {
      if (!present.has(id)) this.#entries.delete(id);
      if (slices.isOver) await slices.next();
    }
  }
}

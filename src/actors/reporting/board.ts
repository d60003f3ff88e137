// One table in memory with a row per extension: what the overview, lists and live updates read. No reader asks the extensions themselves.
//
// BOARD-1. A transition, an override and a change of a row are in it immediately; `since` is pinned as it happens.
// BOARD-2. What is measured is read again only for what changed, at most BUDGET_MS in EVERY_MS, and only while the board is read or was within
//     WATCHED_MS. Without readers a call costs the comparison of a mark (DIRTY-SET-1), and nothing walks the table.
// BOARD-3. No turn of the event loop grows with the number of extensions.
// BOARD-4. `k` names an extension as long as it is there, and no other one while the daemon runs.
import type { Subscription } from '#rxjs';
import type { DirtyReader, DirtySet } from '../../domain/dirty-set.js';
import { type CallCounts, NO_CALLS } from '../../domain/health/call-rates.js';
import { HEALTH_SLICE_MS } from '../../domain/health/health-window.js';
import type { Steps } from '../../domain/steps.js';
import { guarded } from '../../telemetry/guard.js';
import type { Logger } from '../../telemetry/log.js';
import { after } from '../extension/actor-supervision.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import type { Clock, WallClock } from '../ports/clock.js';
import { BoardRow } from './board-row.js';
import { BoardSummary } from './board-summary.js';
import type { Slots } from './slots.js';

const EVERY_MS = 50;
const BUDGET_MS = 2;
const WATCHED_MS = 30_000;
/** How long a reader waits at most for what is not read again yet. */
const FRESH_MS = 1000;
/** Rates pass with time alone: they are read again this often. */
const RATES_MS = 1000;
/** Rows in between two looks at the clock; a row costs some 20 µs. */
const PER_STEP = 8;

/** Gets what changes; must be quick. One that throws is logged, and disturbs no other. */
export interface BoardReader {
  changed(row: BoardRow): void;
  added(row: BoardRow): void;
  removed(row: BoardRow): void;
}

interface BoardDeps {
  readonly dirty: DirtySet<ExtensionRuntime>;
  readonly slots: Slots;
  /** Whether a row of this extension is refused. */
  readonly isRefused: (extensionId: string) => boolean;
  readonly clock: Clock;
  readonly wall: WallClock;
  readonly log: Logger;
}

interface Waiting {
  /** Number of the round that has to end. */
  readonly round: number;
  readonly resolve: () => void;
}

export class Board {
  readonly #deps: BoardDeps;
  readonly #rows = new Map<ExtensionRuntime, BoardRow>();
  /** By place; a place of a row that is gone is taken by the next one. */
  readonly #places: (BoardRow | null)[] = [];
  readonly #free: number[] = [];
  readonly #byK = new Map<number, BoardRow>();
  readonly #changes: DirtyReader<ExtensionRuntime>;
  readonly #readers = new Set<BoardReader>();
  readonly #summary = new BoardSummary();
  #lastK = 0;
  #seq = 0;
  /** With samples in their health window, which moves on with time; and with rates that do. */
  readonly #measured = new Set<BoardRow>();
  readonly #moving = new Set<BoardRow>();
  #healthSlice = 0;
  #ratesReadMs = Number.NEGATIVE_INFINITY;
  #watchedUntilMs = Number.NEGATIVE_INFINITY;
  #timer: Subscription | null = null;
  #round: Steps<void> | null = null;
  #rounds = 0;
  #waiting: Waiting[] = [];
  #isStopped = false;

  constructor(deps: BoardDeps) {
    this.#deps = deps;
    this.#changes = deps.dirty.read();
  }

  /** Grows with each change of a row. */
  get seq(): number {
    return this.#seq;
  }

  get size(): number {
    return this.#rows.size;
  }

  /** Rows come and go while it is walked: each that stays is met once. */
  get rows(): Iterable<BoardRow> {
    return this.#rows.values();
  }

  /** null: no row has this `k`, or not any more. */
  numbered(k: number): BoardRow | null {
    return this.#byK.get(k) ?? null;
  }

  /** null: no row has this place. */
  at(place: number): BoardRow | null {
    return this.#places[place] ?? null;
  }

  /** Rows whose measurements are not read again yet. */
  get stale(): number {
    return this.#changes.size;
  }

  /** Of all extensions. */
  get summary() {
    return this.#summary.value;
  }

  rowOf(runtime: ExtensionRuntime): BoardRow | null {
    return this.#rows.get(runtime) ?? null;
  }

  /** Per second, as of now. */
  ratesOf(runtime: ExtensionRuntime): CallCounts {
    const { slots } = this.#deps;
    return this.#rows.get(runtime)?.ratesAt(slots.current, slots.passedMs) ?? NO_CALLS;
  }

  /** A runtime came or its row changed. */
  put(runtime: ExtensionRuntime): void {
    if (this.#rows.has(runtime)) return this.renew(runtime);
    const place = this.#free.pop() ?? this.#places.length;
    const row = new BoardRow(++this.#lastK, place, runtime);
    row.readFirst(this.#deps.wall(), this.#deps.isRefused(runtime.id));
    this.#rows.set(runtime, row);
    this.#places[place] = row;
    this.#byK.set(row.k, row);
    this.#summary.add(row);
    this.#seq++;
    this.#changes.queue(runtime);
    this.#notify((reader) => reader.added(row));
  }

  remove(runtime: ExtensionRuntime): void {
    const row = this.#rows.get(runtime);
    if (row === undefined) return;
    this.#rows.delete(runtime);
    this.#byK.delete(row.k);
    this.#places[row.place] = null;
    this.#free.push(row.place);
    this.#measured.delete(row);
    this.#moving.delete(row);
    this.#summary.remove(row);
    this.#seq++;
    this.#notify((reader) => reader.removed(row));
  }

  /** BOARD-1. */
  renew(runtime: ExtensionRuntime): void {
    const row = this.#rows.get(runtime);
    if (row !== undefined) this.#update(row, () => this.#readState(row));
  }

  /** A slot of ten seconds begins. False: nothing happened to it in the slot before. */
  sample(runtime: ExtensionRuntime, slot: number): boolean {
    return this.#rows.get(runtime)?.sampleRates(slot) ?? false;
  }

  /** Gets every change from now on, and keeps the board fresh until it is ended. */
  read(reader: BoardReader): () => void {
    this.#readers.add(reader);
    this.watch();
    return () => this.#readers.delete(reader);
  }

  /** BOARD-2. */
  watch(): void {
    this.#watchedUntilMs = this.#deps.clock.now() + WATCHED_MS;
    if (this.#timer === null && !this.#isStopped) this.#refresh();
  }

  /** Resolves when what changed before is read, after a second at the latest. */
  async fresh(): Promise<void> {
    this.watch();
    if (this.#isStopped) return;
    // One in progress may have passed what changed since it began.
    const round = this.#rounds + (this.#round === null ? 1 : 2);
    if (this.#changes.size === 0 && this.#round === null) return;
    await new Promise<void>((resolve) => {
      const timer = after(FRESH_MS, this.#deps.clock).subscribe(() => resolve());
      this.#waiting.push({
        round,
        resolve: () => {
          timer.unsubscribe();
          resolve();
        },
      });
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.unsubscribe();
    this.#changes.close();
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  #refresh(): void {
    guarded(this.#deps.log, 'reading measurements', () => this.#slice())();
    const isWatched = this.#readers.size > 0 || this.#deps.clock.now() < this.#watchedUntilMs;
    this.#timer = isWatched ? after(EVERY_MS, this.#deps.clock).subscribe(() => this.#refresh()) : null;
  }

  #slice(): void {
    const { clock } = this.#deps;
    const endMs = clock.now() + BUDGET_MS;
    this.#round ??= this.#reading();
    do {
      if (this.#round.next().done !== true) continue;
      this.#round = null;
      this.#rounds++;
      const done = this.#waiting.filter(({ round }) => round <= this.#rounds);
      this.#waiting = this.#waiting.filter(({ round }) => round > this.#rounds);
      for (const { resolve } of done) resolve();
      return;
    } while (clock.now() < endMs);
  }

  /** One round: what changed, then what passes with time alone. */
  *#reading(): Steps<void> {
    const { clock, slots } = this.#deps;
    // Under load what was read may have changed again: it is left for the next round.
    for (let left = this.#changes.size; left > 0; left--) {
      const runtime = this.#changes.take();
      const row = runtime === undefined ? undefined : this.#rows.get(runtime);
      if (row !== undefined) this.#measure(row);
      if (left % PER_STEP === 0) yield;
    }
    const healthSlice = Math.floor(clock.now() / HEALTH_SLICE_MS);
    if (healthSlice !== this.#healthSlice) {
      this.#healthSlice = healthSlice;
      let met = 0;
      for (const row of this.#measured) {
        this.#measure(row);
        if (++met % PER_STEP === 0) yield;
      }
    }
    if (clock.now() - this.#ratesReadMs < RATES_MS) return;
    this.#ratesReadMs = clock.now();
    let met = 0;
    for (const row of this.#moving) {
      this.#update(row, () => row.readRates(slots.current, slots.passedMs));
      if (++met % PER_STEP === 0) yield;
    }
  }

  #readState(row: BoardRow): void {
    row.readState(this.#deps.wall(), this.#deps.isRefused(row.id));
  }

  #measure(row: BoardRow): void {
    const { clock, slots } = this.#deps;
    this.#update(row, () => {
      this.#readState(row);
      row.readWindow(clock.now());
      row.readRates(slots.current, slots.passedMs);
    });
    if (row.successRate === null) this.#measured.delete(row);
    else this.#measured.add(row);
  }

  /** `read` may change what the row shows. */
  #update(row: BoardRow, read: () => void): void {
    const { type, version } = row;
    const before = row.tuple;
    this.#summary.remove(row);
    try {
      row.json = null;
      read();
    } finally {
      this.#summary.add(row);
    }
    if (row.isMoving) this.#moving.add(row);
    else this.#moving.delete(row);
    if (row.type !== type || row.version !== version) {
      this.#seq++;
      this.#notify((reader) => reader.added(row));
    } else if (row.tuple !== before) {
      this.#seq++;
      this.#notify((reader) => reader.changed(row));
    }
  }

  #notify(what: (reader: BoardReader) => void): void {
    for (const reader of this.#readers) guarded(this.#deps.log, 'a reader of the board', what)(reader);
  }
}

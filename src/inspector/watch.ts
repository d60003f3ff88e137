// One actor that has viewers: what it did since the last flush, for all its viewers.
//
// WATCH-1. In the actor's own step an item is kept by reference or counted as dropped; nothing is serialised there.
// WATCH-2. Kept between two flushes: at most MAX_KEPT items, and at most what the budget of all watches allows; beyond that the first snapshot
//     of the newest state and the newest snapshot, which are never dropped.
// WATCH-3. A viewer that joins gets actor and snapshot as they are, with the event that led to that state, and then only what comes after.
// WATCH-4. The first snapshot of a new state is never replaced by a later one in the same state: its event is the cause of the transition.
//     Any other snapshot is replaced by the next one in the same state.
import { isDeepStrictEqual } from 'node:util';
import type { AnyEventObject, AnyMachineSnapshot } from 'xstate';
import type { ActorObserver, WatchableActor } from '../actors/ports/api.js';
import type { WallClock } from '../actors/ports/clock.js';
import { actorFrame, eventFrame, type Stamp, snapshotFrame } from './frames.js';

const MAX_KEPT = 10;

/** What all watches together may keep until the next flush. */
export interface Budget {
  left: number;
}

export interface WatchDeps {
  readonly budget: Budget;
  readonly wall: WallClock;
  /** See Stamp of frames.ts. */
  readonly boot: string;
  readonly epochOf: Stamp['epochOf'];
  /** There is something to flush. */
  readonly onItem: () => void;
  /** Something could not be made into a frame and is left out; reported once for each watch. */
  readonly onUnreadable: (name: string, error: unknown) => void;
}

export interface Dropped {
  events: number;
  snapshots: number;
}

type Item =
  | { kind: 'actor'; config: object; snapshot: AnyMachineSnapshot; atMs: number }
  | { kind: 'event'; event: AnyEventObject; fromItself: boolean; atMs: number }
  | {
      kind: 'snapshot';
      event: AnyEventObject;
      /** Its state is another than that of the snapshot before. */
      isTransition: boolean;
      /** Kept although there was no room. */
      isExtra: boolean;
      snapshot: AnyMachineSnapshot;
      atMs: number;
    };

/** What one flush sends, and what it could not. */
export interface Batch {
  readonly frames: readonly string[];
  readonly events: number;
  readonly snapshots: number;
  readonly dropped: Readonly<Dropped>;
}

export class Watch implements ActorObserver {
  #kept: Item[] = [];
  #dropped: Dropped = { events: 0, snapshots: 0 };
  #actor: { config: object; snapshot: AnyMachineSnapshot } | null = null;
  #lastEvent: AnyEventObject = { type: 'xstate.init' };
  #isUnreadable = false;
  readonly #end: () => void;

  /** `name`: as FRAMES-1 says. */
  constructor(
    readonly actor: WatchableActor,
    readonly name: string,
    private readonly deps: WatchDeps,
  ) {
    this.#end = actor.watch(this);
    // No viewer has joined yet.
    this.#kept = [];
  }

  /** Detaches from the actor. */
  end(): void {
    this.#end();
  }

  /** WATCH-3. */
  introduction(): string[] {
    if (this.#actor === null) return [];
    const { config, snapshot } = this.#actor;
    const stamp = this.#stamp(this.deps.wall());
    return [
      ...this.#readable(() => actorFrame(stamp, config, snapshot)),
      ...this.#readable(() => snapshotFrame(stamp, this.#lastEvent, snapshot)),
    ];
  }

  actorStarted(config: object, snapshot: AnyMachineSnapshot): void {
    this.#actor = { config, snapshot };
    this.#lastEvent = { type: 'xstate.init' };
    this.#keep({ kind: 'actor', config, snapshot, atMs: this.deps.wall() });
  }

  eventReceived(event: AnyEventObject, fromItself: boolean): void {
    if (!this.#hasRoom()) this.#dropped.events++;
    else this.#keep({ kind: 'event', event, fromItself, atMs: this.deps.wall() });
  }

  snapshotTaken(snapshot: AnyMachineSnapshot, event: AnyEventObject): void {
    const isTransition = this.#actor === null || !isSameState(this.#actor.snapshot, snapshot);
    if (this.#actor !== null) this.#actor = { ...this.#actor, snapshot };
    if (isTransition) this.#lastEvent = event;
    else this.#replaceLast();
    const isExtra = !this.#hasRoom();
    if (isExtra && isTransition) this.#dropExtra();
    this.#keep({ kind: 'snapshot', event, isTransition, isExtra, snapshot, atMs: this.deps.wall() });
  }

  /** WATCH-4. The last snapshot, unless it is the first one of its state. */
  #replaceLast(): void {
    const at = this.#kept.findLastIndex((item) => item.kind === 'snapshot');
    const last = this.#kept[at];
    if (last?.kind === 'snapshot' && !last.isTransition) this.#drop(at);
  }

  /** WATCH-2. Of states that it left again. */
  #dropExtra(): void {
    for (let at = this.#kept.length - 1; at >= 0; at--) {
      const item = this.#kept[at];
      if (item?.kind === 'snapshot' && item.isExtra) this.#drop(at);
    }
  }

  #drop(at: number): void {
    this.#kept.splice(at, 1);
    this.#dropped.snapshots++;
    this.deps.budget.left++;
  }

  /** null: nothing happened. */
  flush(): Batch | null {
    const kept = this.#kept;
    const dropped = this.#dropped;
    if (kept.length === 0 && dropped.events + dropped.snapshots === 0) return null;
    this.#kept = [];
    this.#dropped = { events: 0, snapshots: 0 };
    return {
      frames: kept.flatMap((item) => this.#readable(() => this.#frame(item))),
      events: kept.filter((item) => item.kind === 'event').length,
      snapshots: kept.filter((item) => item.kind !== 'event').length,
      dropped,
    };
  }

  /** WATCH-2. */
  #hasRoom(): boolean {
    return this.#kept.length < MAX_KEPT && this.deps.budget.left > 0;
  }

  #keep(item: Item): void {
    this.#kept.push(item);
    this.deps.budget.left--;
    this.deps.onItem();
  }

  #readable(make: () => string): string[] {
    try {
      return [make()];
    } catch (error) {
      if (!this.#isUnreadable) this.deps.onUnreadable(this.name, error);
      this.#isUnreadable = true;
      return [];
    }
  }

  #frame(item: Item): string {
    const stamp = this.#stamp(item.atMs);
    switch (item.kind) {
      case 'actor':
        return actorFrame(stamp, item.config, item.snapshot);
      case 'event':
        return eventFrame(stamp, item.event, item.fromItself);
      case 'snapshot':
        return snapshotFrame(stamp, item.event, item.snapshot);
      default:
        return item satisfies never;
    }
  }

  #stamp(atMs: number): Stamp {
    const { boot, epochOf } = this.deps;
    return { name: this.name, boot, atMs, epochOf };
  }
}

/** The same nodes are active and it is as alive as before. */
const isSameState = (a: AnyMachineSnapshot, b: AnyMachineSnapshot): boolean =>
  a.status === b.status && (a.value === b.value || isDeepStrictEqual(a.value, b.value));

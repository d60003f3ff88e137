// One viewer of the hub: what it watches, what it has missed, and whether it keeps up.
//
// SUBSCRIBER-1. One that reads too slowly is skipped, and gets every actor as it is then once it has caught up (HUB-3).
// SUBSCRIBER-2. What it was not sent is counted, if it asked for control frames (HUB-4).
import type { WatchableActor } from '../actors/ports/api.js';
import { controlFrame } from './frames.js';
import type { Selection } from './selection.js';
import type { Batch, Dropped, Watch } from './watch.js';

/** Where frames go. */
export interface Viewer {
  /** Bytes that wait to be sent. */
  readonly bufferedBytes: number;
  send(frame: string): void;
  close(code: number, reason: string): void;
}

export const MAX_BUFFERED_BYTES = 1_048_576;
export const SLOW_MS = 30_000;

export class Subscriber {
  readonly watches = new Set<Watch>();
  /** Selected, and not introduced yet. */
  awaited: [actor: WatchableActor, name: string][] = [];
  readonly dropped = new Map<string, Dropped>();
  /** Watches it has missed something of. */
  readonly missed = new Set<Watch>();
  /** The control frame that it got last. */
  control = '';
  /** `changes` of the source that its watches follow. */
  followed = -1;
  /** When it was first found behind, without a moment in between in which it was not. */
  #behindSinceMs: number | null = null;

  constructor(
    readonly viewer: Viewer,
    readonly selection: Selection,
  ) {}

  get isBehind(): boolean {
    return this.viewer.bufferedBytes > MAX_BUFFERED_BYTES;
  }

  /** SUBSCRIBER-1. */
  isTooSlow(nowMs: number): boolean {
    this.#behindSinceMs = this.isBehind ? (this.#behindSinceMs ?? nowMs) : null;
    return this.#behindSinceMs !== null && nowMs - this.#behindSinceMs >= SLOW_MS;
  }

  send(frames: readonly string[]): void {
    for (const frame of frames) this.viewer.send(frame);
  }

  /** SUBSCRIBER-1, SUBSCRIBER-2. */
  deliver(watch: Watch, batch: Batch): void {
    this.#count(watch.name, batch.dropped);
    if (this.isBehind) {
      this.missed.add(watch);
      this.#count(watch.name, batch);
    } else if (!this.missed.has(watch)) this.send(batch.frames);
    else this.#count(watch.name, batch);
  }

  /** SUBSCRIBER-1. Introduces up to `limit` actors again that it has missed something of; returns how many. */
  catchUp(limit: number): number {
    let done = 0;
    for (const watch of this.missed) {
      if (done >= limit || this.isBehind) break;
      this.send(watch.introduction());
      this.missed.delete(watch);
      done++;
    }
    return done;
  }

  /** SUBSCRIBER-2. */
  reportDropped(): void {
    if (this.isBehind || !this.selection.control) return;
    for (const [target, { events, snapshots }] of this.dropped)
      this.viewer.send(controlFrame({ control: 'dropped', target, events, snapshots }));
    this.dropped.clear();
  }

  #count(name: string, { events, snapshots }: Readonly<Dropped>): void {
    if (events + snapshots === 0 || !this.selection.control) return;
    const sum = this.dropped.get(name) ?? { events: 0, snapshots: 0 };
    this.dropped.set(name, { events: sum.events + events, snapshots: sum.snapshots + snapshots });
  }
}

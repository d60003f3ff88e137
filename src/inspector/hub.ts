// Which viewer watches what: attaches to the targets that a viewer selects, forwards what they do, and detaches from them.
//
// HUB-1. A target is watched once, however many viewers it has, and not at all once the last one left.
// HUB-2. Frames are sent at most every FLUSH_MS; between two flushes all targets together keep at most FLUSH_BUDGET items and
//     the last snapshot of each.
// HUB-3. A viewer that reads too slowly is skipped, and gets every target as it is then once it has caught up.
// HUB-4. What a viewer was not sent is counted and reported to it, at most once per RESELECT_MS, if it asked for control frames.
// HUB-5. The targets of a selection are computed again every RESELECT_MS: it follows extensions and versions that are added, removed and added again.
// HUB-6. Closing ends every viewer with 1001 immediately and detaches from every target.
import type { InspectionSource, WatchableTarget } from '../actors/ports/api.js';
import type { Clock, WallClock } from '../actors/ports/clock.js';
import type { Logger } from '../telemetry/log.js';
import { controlFrame } from './frames.js';
import { type Selection, selectionOf } from './selection.js';
import { type Batch, type Budget, type Dropped, Watch, type WatchDeps } from './watch.js';

/** Where frames go. */
export interface Viewer {
  /** Bytes that wait to be sent. */
  readonly bufferedBytes: number;
  send(frame: string): void;
  close(code: number, reason: string): void;
}

interface HubDeps {
  readonly source: InspectionSource;
  readonly clock: Clock;
  readonly wall: WallClock;
  readonly log: Logger;
}

export const FLUSH_MS = 50;
export const FLUSH_BUDGET = 100;
export const RESELECT_MS = 1000;
/** Targets of one viewer. */
export const MAX_TARGETS = 200;
export const MAX_VIEWERS = 16;
export const MAX_BUFFERED_BYTES = 1_048_576;

/** Codes of RFC 6455, and of the application's range after the HTTP status that says the same. */
export const CLOSE = { goingAway: 1001, tryAgainLater: 1013, badRequest: 4400, notFound: 4404 } as const;

type Refusal = readonly [code: number, reason: string];
const GOING_AWAY: Refusal = [CLOSE.goingAway, 'the daemon is stopping'];

class Subscriber {
  readonly watches = new Set<Watch>();
  readonly dropped = new Map<string, Dropped>();
  /** Watches it has missed something of. */
  readonly missed = new Set<Watch>();
  /** The control frame that it got last. */
  control = '';

  constructor(
    readonly viewer: Viewer,
    readonly selection: Selection,
  ) {}

  get isBehind(): boolean {
    return this.viewer.bufferedBytes > MAX_BUFFERED_BYTES;
  }

  send(frames: readonly string[]): void {
    for (const frame of frames) this.viewer.send(frame);
  }

  /** HUB-3, HUB-4. */
  deliver(watch: Watch, batch: Batch): void {
    this.#count(watch.sessionId, batch.dropped);
    if (this.isBehind) {
      this.missed.add(watch);
      this.#count(watch.sessionId, batch);
    } else if (!this.missed.has(watch)) this.send(batch.frames);
    else this.#count(watch.sessionId, batch);
  }

  /** HUB-3. */
  catchUp(): void {
    if (this.missed.size === 0 || this.isBehind) return;
    for (const watch of this.missed) this.send(watch.introduction());
    this.missed.clear();
  }

  /** HUB-4. */
  reportDropped(): void {
    if (this.isBehind || !this.selection.control) return;
    for (const [target, { events, snapshots }] of this.dropped)
      this.viewer.send(controlFrame({ control: 'dropped', target, events, snapshots }));
    this.dropped.clear();
  }

  #count(sessionId: string, { events, snapshots }: Readonly<Dropped>): void {
    if (events + snapshots === 0 || !this.selection.control) return;
    const sum = this.dropped.get(sessionId) ?? { events: 0, snapshots: 0 };
    this.dropped.set(sessionId, { events: sum.events + events, snapshots: sum.snapshots + snapshots });
  }
}

export class InspectionHub {
  readonly #deps: HubDeps;
  readonly #subscribers = new Set<Subscriber>();
  readonly #watches = new Map<WatchableTarget, { watch: Watch; subscribers: Set<Subscriber> }>();
  readonly #budget: Budget = { left: FLUSH_BUDGET };
  readonly #watchDeps: WatchDeps;
  #flushing: unknown = null;
  #reselecting: unknown = null;
  #isClosed = false;

  constructor(deps: HubDeps) {
    this.#deps = deps;
    this.#watchDeps = {
      budget: this.#budget,
      wall: deps.wall,
      onItem: () => this.#flushLater(),
      onUnreadable: (target, error) =>
        deps.log.error({ event: 'inspection_frame_failed', target, error: String(error) }),
    };
  }

  /** What can be watched, in order of the extensions' ids, behind the extension `after`; each is found when it is asked for. */
  *targets(after?: string): Generator<{ extension_id: string; version: string; state: string }> {
    const { source } = this.#deps;
    for (const id of source.extensionIds(after))
      for (const { extensionId, version, publishedState } of source.targetsOf(id) ?? [])
        yield { extension_id: extensionId, version, state: publishedState };
  }

  /** A viewer that came with this query. Returns what to call when it is gone. */
  open(query: URLSearchParams, viewer: Viewer): () => void {
    const selection = selectionOf(query);
    const refusal = this.#refusal(selection);
    if (typeof selection === 'string' || refusal !== null) {
      const [code, reason] = refusal ?? [CLOSE.badRequest, String(selection)];
      viewer.close(code, shortened(reason));
      return () => undefined;
    }
    const subscriber = new Subscriber(viewer, selection);
    this.#subscribers.add(subscriber);
    this.#select(subscriber);
    this.#reselectLater();
    this.#deps.log.info({ event: 'inspection_started', targets: subscriber.watches.size });
    return () => {
      if (!this.#subscribers.has(subscriber)) return;
      this.#drop(subscriber);
      this.#deps.log.info({ event: 'inspection_ended' });
    };
  }

  get viewers(): number {
    return this.#subscribers.size;
  }

  /** HUB-6. */
  close(): void {
    this.#isClosed = true;
    for (const subscriber of [...this.#subscribers]) {
      this.#drop(subscriber);
      subscriber.viewer.close(...GOING_AWAY);
    }
  }

  #refusal(selection: Selection | string): Refusal | null {
    if (this.#isClosed) return GOING_AWAY;
    if (this.#subscribers.size >= MAX_VIEWERS) return [CLOSE.tryAgainLater, `there are ${MAX_VIEWERS} viewers already`];
    if (typeof selection === 'string') return null;
    const { extensionIds, version } = selection;
    for (const id of extensionIds === 'all' ? [] : extensionIds) {
      const targets = this.#deps.source.targetsOf(id);
      if (targets === null) return [CLOSE.notFound, `no extension '${id}'`];
      if (version !== null && !targets.some((target) => target.version === version))
        return [CLOSE.notFound, `no version '${version}' that can be called`];
    }
    return null;
  }

  /** HUB-5. Attaches to what is selected and not watched yet, detaches from what was removed, and reports if that changed anything. */
  #select(subscriber: Subscriber): void {
    const { extensionIds, version } = subscriber.selection;
    const { source } = this.#deps;
    const ids = extensionIds === 'all' ? source.extensionIds() : extensionIds;
    const selected: WatchableTarget[] = [];
    let leftOut = 0;
    for (const id of ids)
      for (const target of source.targetsOf(id) ?? [])
        if (version === null || target.version === version) {
          if (selected.length < MAX_TARGETS) selected.push(target);
          else leftOut++;
        }
    const wanted = new Set(selected);
    for (const watch of subscriber.watches) if (!wanted.has(watch.target)) this.#leave(subscriber, watch);
    const targets = selected.map((target) => `${target.extensionId}@${target.version}`);
    const control = controlFrame({ control: 'watching', targets, left_out: leftOut });
    if (control !== subscriber.control && subscriber.selection.control) subscriber.viewer.send(control);
    subscriber.control = control;
    for (const target of selected) this.#join(subscriber, target);
  }

  /** HUB-1. */
  #join(subscriber: Subscriber, target: WatchableTarget): void {
    let watched = this.#watches.get(target);
    if (watched?.subscribers.has(subscriber)) return;
    if (watched === undefined) {
      const watch = new Watch(target, this.#watchDeps);
      watched = { watch, subscribers: new Set() };
      this.#watches.set(target, watched);
    } else this.#flushOne(watched);
    watched.subscribers.add(subscriber);
    subscriber.watches.add(watched.watch);
    subscriber.send(watched.watch.introduction());
  }

  /** HUB-1. */
  #leave(subscriber: Subscriber, watch: Watch): void {
    subscriber.watches.delete(watch);
    subscriber.missed.delete(watch);
    const watched = this.#watches.get(watch.target);
    watched?.subscribers.delete(subscriber);
    if (watched?.subscribers.size !== 0) return;
    watch.end();
    this.#watches.delete(watch.target);
  }

  #drop(subscriber: Subscriber): void {
    this.#subscribers.delete(subscriber);
    for (const watch of subscriber.watches) this.#leave(subscriber, watch);
    if (this.#subscribers.size > 0) return;
    const { clock } = this.#deps;
    clock.clearTimeout(this.#flushing);
    clock.clearTimeout(this.#reselecting);
    this.#flushing = null;
    this.#reselecting = null;
    this.#budget.left = FLUSH_BUDGET;
  }

  #flushLater(): void {
    this.#flushing ??= this.#deps.clock.setTimeout(() => this.#flush(), FLUSH_MS);
  }

  /** HUB-2. */
  #flush(): void {
    this.#deps.clock.clearTimeout(this.#flushing);
    this.#flushing = null;
    this.#budget.left = FLUSH_BUDGET;
    for (const watched of this.#watches.values()) this.#flushOne(watched);
    for (const subscriber of this.#subscribers) subscriber.catchUp();
  }

  #flushOne({ watch, subscribers }: { watch: Watch; subscribers: ReadonlySet<Subscriber> }): void {
    const batch = watch.flush();
    if (batch !== null) for (const subscriber of subscribers) subscriber.deliver(watch, batch);
  }

  #reselectLater(): void {
    this.#reselecting ??= this.#deps.clock.setTimeout(() => this.#reselect(), RESELECT_MS);
  }

  #reselect(): void {
    this.#reselecting = null;
    this.#flush();
    for (const subscriber of this.#subscribers) {
      this.#select(subscriber);
      subscriber.reportDropped();
    }
    this.#reselectLater();
  }
}

/** A close reason has at most 123 bytes. */
function shortened(reason: string): string {
  const bytes = Buffer.from(reason);
  // As a stream, so that a character that was cut is dropped.
  return bytes.length <= 123 ? reason : `${new TextDecoder().decode(bytes.subarray(0, 120), { stream: true })}…`;
}

// Which viewer watches what: attaches to the actors that a viewer selects, forwards what they do, and detaches from them.
//
// HUB-1. An actor is watched once, however many viewers it has, and not at all once the last one left.
// HUB-2. Frames are sent at most every FLUSH_MS; between two flushes all actors together keep at most FLUSH_BUDGET items and
//     two snapshots of each (WATCH-2).
//     Likewise at most INTRODUCTIONS actors are introduced to viewers, since each frame of that kind has a whole definition.
// HUB-3. A viewer that reads too slowly is skipped, and gets every actor as it is then once it has caught up; one that is behind for
//     SLOW_MS is closed.
// HUB-4. What a viewer was not sent is counted and reported to it, at most once per RESELECT_MS, if it asked for control frames.
// HUB-5. A selection follows extensions and versions that are added, removed and added again, within RESELECT_MS. It is computed again only
//     after a change, and from all extensions no further than to MAX_TARGETS.
// HUB-6. Closing sends what is pending, ends every viewer with 1001 immediately and detaches from every actor.
// HUB-7. A viewer that throws is dropped and logged; no other one notices.
import type { InspectionSource, WatchableActor } from '../actors/ports/api.js';
import type { Clock, WallClock } from '../actors/ports/clock.js';
import type { Logger } from '../telemetry/log.js';
import { EpochTimes } from './epoch-times.js';
import { controlFrame } from './frames.js';
import { type Selection, selectionOf } from './selection.js';
import { Subscriber, type Viewer } from './subscriber.js';
import { type Budget, Watch, type WatchDeps } from './watch.js';

interface HubDeps {
  readonly source: InspectionSource;
  readonly clock: Clock;
  readonly wall: WallClock;
  /** Identifies this process of the daemon. */
  readonly boot: string;
  readonly log: Logger;
}

export const FLUSH_MS = 50;
export const FLUSH_BUDGET = 100;
export const INTRODUCTIONS = 20;
export const RESELECT_MS = 1000;
/** Targets of one viewer. */
export const MAX_TARGETS = 200;
export const MAX_VIEWERS = 16;

/** Codes of RFC 6455, and of the application's range after the HTTP status that says the same. */
export const CLOSE = { goingAway: 1001, tryAgainLater: 1013, badRequest: 4400, notFound: 4404, tooSlow: 4408 } as const;

type Refusal = readonly [code: number, reason: string];
const GOING_AWAY: Refusal = [CLOSE.goingAway, 'the daemon is stopping'];
const TOO_SLOW: Refusal = [CLOSE.tooSlow, 'this viewer reads too slowly'];
const SUPERVISOR = 'supervisor';

export class InspectionHub {
  readonly #deps: HubDeps;
  readonly #subscribers = new Set<Subscriber>();
  readonly #watches = new Map<WatchableActor, { watch: Watch; subscribers: Set<Subscriber> }>();
  readonly #budget: Budget = { left: FLUSH_BUDGET };
  #introductions = INTRODUCTIONS;
  readonly #watchDeps: WatchDeps;
  #flushing: unknown = null;
  #reselecting: unknown = null;
  #isClosed = false;

  constructor(deps: HubDeps) {
    this.#deps = deps;
    this.#watchDeps = {
      budget: this.#budget,
      wall: deps.wall,
      boot: deps.boot,
      epochOf: new EpochTimes(deps.clock, deps.wall).at,
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
    this.#deps.log.info({ event: 'inspection_started', query: shortened(query.toString()) });
    this.#reselectLater();
    this.#guarded(subscriber, () => this.#select(subscriber));
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
    if (this.#subscribers.size > 0) this.#flush();
    for (const subscriber of this.#subscribers) this.#end(subscriber, GOING_AWAY);
  }

  #end(subscriber: Subscriber, why: Refusal): void {
    this.#drop(subscriber);
    try {
      subscriber.viewer.close(...why);
    } catch {
      // It is gone already.
    }
  }

  /** HUB-7. */
  #guarded(subscriber: Subscriber, work: () => void): void {
    if (!this.#subscribers.has(subscriber)) return;
    try {
      work();
    } catch (error) {
      this.#deps.log.error({ event: 'inspection_viewer_failed', error: String(error) });
      this.#end(subscriber, [CLOSE.tryAgainLater, 'sending failed']);
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
    const { source } = this.#deps;
    if (subscriber.followed === source.changes) return;
    subscriber.followed = source.changes;
    const { actors, leftOut } = this.#selected(subscriber.selection);
    for (const watch of subscriber.watches) if (!actors.has(watch.actor)) this.#leave(subscriber, watch);
    const control = controlFrame({ control: 'watching', targets: [...actors.values()], left_out: leftOut });
    if (control !== subscriber.control && subscriber.selection.control) subscriber.viewer.send(control);
    subscriber.control = control;
    const watched = new Set([...subscriber.watches].map((watch) => watch.actor));
    subscriber.awaited = [...actors].filter(([actor]) => !watched.has(actor));
    this.#introduce(subscriber);
  }

  /** HUB-2. What it waits for, as far as the limit allows. */
  #introduce(subscriber: Subscriber): void {
    this.#introductions -= subscriber.catchUp(this.#introductions);
    while (this.#introductions > 0 && subscriber.awaited.length > 0 && !subscriber.isBehind) {
      const [actor, name] = subscriber.awaited.shift() as (typeof subscriber.awaited)[number];
      this.#introductions--;
      this.#join(subscriber, actor, name);
    }
    if (this.#introductions < INTRODUCTIONS) this.#flushLater();
  }

  /** HUB-5. The actors with their names. */
  #selected({ extensionIds, version, supervisor }: Selection): {
    actors: Map<WatchableActor, string>;
    leftOut: number;
  } {
    const { source } = this.#deps;
    const actors = new Map<WatchableActor, string>();
    if (supervisor) actors.set(source.supervisor, SUPERVISOR);
    let room = MAX_TARGETS;
    let leftOut = 0;
    for (const id of extensionIds === 'all' ? source.extensionIds() : extensionIds) {
      if (room <= 0 && extensionIds === 'all') return { actors, leftOut: source.targetCount - MAX_TARGETS };
      for (const target of source.targetsOf(id) ?? [])
        if (version === null || target.version === version) {
          if (room-- > 0) actors.set(target, `${target.extensionId}@${target.version}`);
          else leftOut++;
        }
    }
    return { actors, leftOut };
  }

  /** HUB-1. */
  #join(subscriber: Subscriber, actor: WatchableActor, name: string): void {
    let watched = this.#watches.get(actor);
    if (watched === undefined) {
      const watch = new Watch(actor, name, this.#watchDeps);
      watched = { watch, subscribers: new Set() };
      this.#watches.set(actor, watched);
    } else this.#flushOne(watched);
    watched.subscribers.add(subscriber);
    subscriber.watches.add(watched.watch);
    subscriber.send(watched.watch.introduction());
  }

  /** HUB-1. */
  #leave(subscriber: Subscriber, watch: Watch): void {
    subscriber.watches.delete(watch);
    subscriber.missed.delete(watch);
    const watched = this.#watches.get(watch.actor);
    watched?.subscribers.delete(subscriber);
    if (watched?.subscribers.size !== 0) return;
    watch.end();
    this.#watches.delete(watch.actor);
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
    this.#introductions = INTRODUCTIONS;
  }

  #flushLater(): void {
    this.#flushing ??= this.#deps.clock.setTimeout(() => this.#flush(), FLUSH_MS);
  }

  /** HUB-2. */
  #flush(): void {
    this.#deps.clock.clearTimeout(this.#flushing);
    this.#flushing = null;
    this.#budget.left = FLUSH_BUDGET;
    this.#introductions = INTRODUCTIONS;
    for (const watched of this.#watches.values()) this.#flushOne(watched);
    for (const subscriber of this.#subscribers) this.#guarded(subscriber, () => this.#introduce(subscriber));
  }

  #flushOne({ watch, subscribers }: { watch: Watch; subscribers: ReadonlySet<Subscriber> }): void {
    const batch = watch.flush();
    if (batch === null) return;
    for (const subscriber of subscribers) this.#guarded(subscriber, () => subscriber.deliver(watch, batch));
  }

  #reselectLater(): void {
    this.#reselecting ??= this.#deps.clock.setTimeout(() => this.#reselect(), RESELECT_MS);
  }

  #reselect(): void {
    this.#reselecting = null;
    this.#flush();
    const nowMs = this.#deps.clock.now();
    for (const subscriber of this.#subscribers)
      this.#guarded(subscriber, () => {
        if (subscriber.isTooSlow(nowMs)) return this.#end(subscriber, TOO_SLOW);
        this.#select(subscriber);
        subscriber.reportDropped();
      });
    if (this.#subscribers.size > 0) this.#reselectLater();
  }
}

/** A close reason has at most 123 bytes. */
function shortened(reason: string): string {
  const bytes = Buffer.from(reason);
  // As a stream, so that a character that was cut is dropped.
  return bytes.length <= 123 ? reason : `${new TextDecoder().decode(bytes.subarray(0, 120), { stream: true })}…`;
}

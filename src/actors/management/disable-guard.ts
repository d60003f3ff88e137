// Holds automatic management back during a mass failure: counts how many extensions fail, and reports when it begins and ends.
//
// DISABLE-GUARD-1. It holds from the transition that makes it a mass failure. Each transition changes the count by its own extension, and a tick
//     by those that had traffic since the last one, or have none any more: N extensions that open together cost N steps.
// DISABLE-GUARD-2. Between ticks the count does not include which extensions had traffic since, so only a tick reports, and only a tick decides on what
//     was held back by a count that it does not confirm.
// DISABLE-GUARD-3. An episode is reported when it begins and when it ends, which is after RELEASE_MS without a mass failure.

import type { DirtyReader, DirtySet } from '../../domain/dirty-set.js';
import { DueSet } from '../../domain/due-set.js';
import { HEALTH_WINDOW_MS } from '../../domain/health/health-window.js';
import { isMassFailure, type TrafficState, trafficStateOf } from '../../domain/health/mass-failure.js';
import { AUTO_MANAGER } from '../../domain/registry/auto-management.js';
import type { Steps } from '../../domain/steps.js';
import type { Notices } from '../events/notices.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';

/** As long as jitter spreads the half-opening of those that opened together: a tenth of the longest usual open time. */
const RELEASE_MS = 30_000;

export class DisableGuard {
  /** Of those that count. */
  readonly #states = new Map<ExtensionRuntime, 'failing' | 'working'>();
  readonly #touched: DirtyReader<ExtensionRuntime>;
  /** When their traffic is over, if no more comes. */
  readonly #over = new DueSet<ExtensionRuntime>();
  #failing = 0;
  /** When the count last was that of a mass failure, monotonic; null: no episode. */
  #lastMassMs: number | null = null;

  constructor(
    private readonly deps: {
      readonly runtimes: ReadonlyMap<string, ExtensionRuntime>;
      /** Of the extensions that are touched. */
      readonly dirty: DirtySet<ExtensionRuntime>;
      readonly notices: Notices;
    },
  ) {
    this.#touched = deps.dirty.read();
  }

  /** Nothing is disabled while it does. */
  get holds(): boolean {
    return this.isOn || this.#isMassFailure;
  }

  /** An episode was reported and is not over. */
  get isOn(): boolean {
    return this.#lastMassMs !== null;
  }

  /** What this extension is now, after a transition, a change of its row, or traffic. */
  note(runtime: ExtensionRuntime, nowMs: number): void {
    if (this.deps.runtimes.get(runtime.id) !== runtime) return this.forget(runtime);
    const { state, overMs } = stateNow(runtime, nowMs);
    this.#count(runtime, state);
    if (overMs !== null) this.#over.add(runtime, overMs);
  }

  /** It was removed. */
  forget(runtime: ExtensionRuntime): void {
    this.#count(runtime, null);
    this.#over.delete(runtime);
  }

  /** DISABLE-GUARD-1. A step for each extension that is looked at; the last one reports. */
  *ticking(nowMs: number): Steps<void> {
    for (let left = this.#touched.size; left > 0; left--) {
      const runtime = this.#touched.take();
      if (runtime !== undefined) this.note(runtime, nowMs);
      yield;
    }
    for (let due = this.#over.take(nowMs); due !== undefined; due = this.#over.take(nowMs)) {
      this.note(due, nowMs);
      yield;
    }
    this.#report(nowMs);
  }

  #report(nowMs: number): void {
    if (this.#isMassFailure) {
      if (!this.isOn) this.#publish('mass_failure');
      this.#lastMassMs = nowMs;
    } else if (this.#lastMassMs !== null && nowMs - this.#lastMassMs >= RELEASE_MS) {
      this.#lastMassMs = null;
      this.#publish('mass_failure_ended');
    }
  }

  #count(runtime: ExtensionRuntime, after: TrafficState): void {
    const before = this.#states.get(runtime) ?? null;
    if (after === null) this.#states.delete(runtime);
    else this.#states.set(runtime, after);
    this.#failing += Number(after === 'failing') - Number(before === 'failing');
  }

  get #withTraffic(): number {
    return this.#states.size;
  }

  get #isMassFailure(): boolean {
    return isMassFailure(this.#failing, this.#withTraffic);
  }

  #publish(event: 'mass_failure' | 'mass_failure_ended'): void {
    this.deps.notices.publish({
      event,
      extensionId: '_',
      actor: AUTO_MANAGER,
      reason: `${this.#failing} of ${this.#withTraffic} extensions with traffic are open or half-open`,
      health: { extensions_with_traffic: this.#withTraffic, extensions_failing: this.#failing },
      audited: true,
    });
  }
}

interface Now {
  readonly state: TrafficState;
  /** When its traffic is over, monotonic; null: it had none within a window. */
  readonly overMs: number | null;
}

function stateNow(runtime: ExtensionRuntime, nowMs: number): Now {
  const target = runtime.defaultService?.target;
  if (target === undefined) return { state: null, overMs: null };
  const outcomeAgoMs = target.stats.outcomeAgoMs(nowMs);
  const state = trafficStateOf({
    state: target.publishedState,
    isIsolated: target.mode === 'isolated',
    enabled: runtime.extension.enabled,
    outcomeAgoMs,
  });
  const isRecent = outcomeAgoMs !== null && outcomeAgoMs < HEALTH_WINDOW_MS;
  return { state, overMs: isRecent ? nowMs - outcomeAgoMs + HEALTH_WINDOW_MS : null };
}

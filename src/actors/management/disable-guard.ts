// Holds automatic management back during a mass failure: counts how many extensions fail, and reports when it begins and ends.
//
// DISABLE-GUARD-1. It holds from the transition that makes it a mass failure. Each transition changes the count by its own extension; a tick
//     recounts all of them if enough fail for it to matter: N extensions that open together cost N steps.
// DISABLE-GUARD-2. Between ticks the count does not include which extensions had traffic since, so only a tick reports, and only a tick decides on what
//     was held back by a count that it does not confirm.
// DISABLE-GUARD-3. An episode is reported when it begins and when it ends, which is after RELEASE_MS without a mass failure.

import { isMassFailure, MIN_FAILING, type TrafficState, trafficStateOf } from '../../domain/health/mass-failure.js';
import { AUTO_MANAGER } from '../../domain/registry/auto-management.js';
import type { Notices } from '../events/notices.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';

/** As long as jitter spreads the half-opening of those that opened together: a tenth of the longest usual open time. */
const RELEASE_MS = 30_000;

export class DisableGuard {
  readonly #states = new Map<string, TrafficState>();
  #withTraffic = 0;
  #failing = 0;
  /** When the count last was that of a mass failure, monotonic; null: no episode. */
  #lastMassMs: number | null = null;

  constructor(
    private readonly deps: {
      readonly runtimes: ReadonlyMap<string, ExtensionRuntime>;
      readonly notices: Notices;
    },
  ) {}

  /** Nothing is disabled while it does. */
  get holds(): boolean {
    return this.isOn || this.#isMassFailure;
  }

  /** An episode was reported and is not over. */
  get isOn(): boolean {
    return this.#lastMassMs !== null;
  }

  /** What this extension is now, after a transition or a change of its row. */
  note(runtime: ExtensionRuntime, nowMs: number): void {
    const before = this.#states.get(runtime.id) ?? null;
    const after = stateNow(runtime, nowMs);
    this.#states.set(runtime.id, after);
    this.#withTraffic += Number(after !== null) - Number(before !== null);
    this.#failing += Number(after === 'failing') - Number(before === 'failing');
  }

  tick(nowMs: number): void {
    if (this.isOn || this.#failing >= MIN_FAILING) this.#countAll(nowMs);
    if (this.#isMassFailure) {
      if (!this.isOn) this.#publish('mass_failure');
      this.#lastMassMs = nowMs;
    } else if (this.#lastMassMs !== null && nowMs - this.#lastMassMs >= RELEASE_MS) {
      this.#lastMassMs = null;
      this.#publish('mass_failure_ended');
    }
  }

  #countAll(nowMs: number): void {
    this.#states.clear();
    this.#withTraffic = 0;
    this.#failing = 0;
    for (const runtime of this.deps.runtimes.values()) this.note(runtime, nowMs);
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

function stateNow(runtime: ExtensionRuntime, nowMs: number): TrafficState {
  const target = runtime.defaultService?.target;
  if (target === undefined) return null;
  return trafficStateOf({
    state: target.publishedState,
    isIsolated: target.mode === 'isolated',
    enabled: runtime.extension.enabled,
    outcomeAgoMs: target.stats.outcomeAgoMs(nowMs),
  });
}

// Which endpoints of one target get calls: ejects those that fail while others do not, and returns them to rotation.
//
// OUTLIER-DETECTOR-1. What an ejected endpoint did leaves the target's decision window at that moment, and what is still in flight to it is
//     never counted there: ejection precedes the breaker.
// OUTLIER-DETECTOR-2. An ejected endpoint is tried by one call or check at a time once its time is over. That attempt counts for the endpoint
//     alone: a success returns it to rotation, a failure doubles its time.
// OUTLIER-DETECTOR-3. When the breaker opens, ejected endpoints may be tried as soon as calls pass again, since those in rotation were no better.
// OUTLIER-DETECTOR-4. If a call had to use an ejected endpoint because none was left (panic), its success returns it immediately.
// OUTLIER-DETECTOR-5. Evaluating all of them at a tick visits each once.
// OUTLIER-DETECTOR-6. A changed ejection_seconds never lengthens a running time: it ends when it would have, or sooner.
// OUTLIER-DETECTOR-7. Of instances that share a subject, one that an operator reports unhealthy gets no calls and no trials: NATS picks
//     among them, so a call proves nothing about it. It is withheld until an operator reports otherwise, or resets.

import type { DecisionWindow } from '../../domain/breaker/decision-window.js';
import {
  type EjectionReason,
  type EndpointStatsSum,
  ejectionMs,
  mayEject,
  mayHaveReason,
  reasonAmong,
  sumOf,
  without,
} from '../../domain/breaker/ejection.js';
import type { Outcome } from '../../domain/breaker/outcome.js';
import { endsBy } from '../../domain/breaker/trip.js';
import { evidenceOf, type TripEvidence } from '../../domain/breaker/trip-evidence.js';
import { LazyMap, LazySet } from '../../domain/lazy-map.js';
import type { BreakerSettings } from '../../domain/registry/policy.js';
import type { Steps } from '../../domain/steps.js';
import { Endpoint } from './endpoint.js';
import type { Attempt } from './in-flight.js';

type ReturnReason = 'succeeded' | 'reset' | 'reported_healthy' | 'report_withdrawn';
export type RotationChange = (
  | { readonly type: 'ejected'; readonly reason: EjectionReason; readonly evidence: TripEvidence }
  | { readonly type: 'returned'; readonly reason: ReturnReason }
) & {
  /** The one instance of the endpoint that it concerns (OUTLIER-DETECTOR-7); absent: all but those withheld. */
  readonly instanceId?: string;
};

interface OutlierDetectorDeps {
  /** The target's. */
  readonly window: DecisionWindow;
  readonly settings: () => BreakerSettings;
  /** Called after the change is in force; must not throw. */
  readonly onChange: (endpoint: Endpoint, change: RotationChange) => void;
}

const NO_ENDPOINTS: ReadonlySet<Endpoint> = new Set();
const NO_LIST: readonly Endpoint[] = [];

export class OutlierDetector {
  readonly #deps: OutlierDetectorDeps;
  readonly #endpoints = new LazyMap<string, Endpoint>();
  #usable: ReadonlySet<Endpoint> = NO_ENDPOINTS;
  #usableList: readonly Endpoint[] = NO_LIST;
  #ejected: readonly Endpoint[] = NO_LIST;
  /** OUTLIER-DETECTOR-7. */
  readonly #withholding = new LazySet<Endpoint>();

  constructor(deps: OutlierDetectorDeps) {
    this.#deps = deps;
  }

  get endpoints(): Iterable<Endpoint> {
    return this.#endpoints.values();
  }

  /** Those that may take calls as far as the registry is concerned; another array after each change. */
  get usable(): readonly Endpoint[] {
    return this.#usableList;
  }

  /** One that could take calls is out of rotation. */
  get isAnyOut(): boolean {
    return this.#ejected.length > 0;
  }

  /** How many of those are. */
  get outCount(): number {
    return this.#ejected.length;
  }

  /** The endpoint with this subject, for as long as it is kept. */
  at(subject: string): Endpoint {
    let endpoint = this.#endpoints.get(subject);
    if (endpoint === undefined) {
      endpoint = new Endpoint(subject, this.#deps.window.windowMs);
      this.#endpoints.set(subject, endpoint);
    }
    return endpoint;
  }

  /** The subjects there are from now on, and those of them that have an enabled instance with weight. */
  *keeping(subjects: ReadonlySet<string>, usable: ReadonlySet<string>): Steps<void> {
    for (const subject of [...this.#endpoints.keys()]) {
      if (!subjects.has(subject)) this.#forget(subject);
      yield;
    }
    const endpoints: Endpoint[] = [];
    for (const subject of usable) {
      endpoints.push(this.at(subject));
      yield;
    }
    this.#usable = endpoints.length === 0 ? NO_ENDPOINTS : new Set(endpoints);
    this.#usableList = endpoints.length === 0 ? NO_LIST : endpoints;
    this.#findEjected();
  }

  #forget(subject: string): void {
    this.#withholding.delete(this.at(subject));
    this.#endpoints.delete(subject);
  }

  /** OUTLIER-DETECTOR-2: whether an endpoint out of rotation may be tried now. */
  isDue(endpoint: Endpoint, nowMs: number): boolean {
    return !endpoint.isTried && endpoint.ejectedUntilMs <= nowMs;
  }

  /** OUTLIER-DETECTOR-2: the one to try now, the longest due first; null: none. */
  dueForReadmission(nowMs: number): Endpoint | null {
    let due: Endpoint | null = null;
    for (const endpoint of this.#ejected) {
      if (!this.isDue(endpoint, nowMs)) continue;
      if (due === null || endpoint.ejectedUntilMs < due.ejectedUntilMs) due = endpoint;
    }
    return due;
  }

  /** Records an attempt's end. False: it counts for the endpoint alone (OUTLIER-DETECTOR-1, OUTLIER-DETECTOR-2). */
  settle(attempt: Attempt, endpoint: Endpoint, outcome: Outcome, nowMs: number): boolean {
    endpoint.settledMs = nowMs;
    if (attempt.term !== endpoint.term) return false;
    if (outcome !== 'neutral') endpoint.isReported = false;
    if (attempt.isReadmission) {
      endpoint.isTried = false;
      if (outcome === 'success') this.#return(endpoint, 'succeeded', nowMs);
      else if (outcome === 'failure') this.#putOff(endpoint, nowMs);
      return false;
    }
    if (outcome === 'success' && !endpoint.isInRotation) this.#return(endpoint, 'succeeded', nowMs);
    return true;
  }

  /** After a failure of `endpoint` or a scan for overdue attempts. True: it is out of rotation now. */
  ejectIfDue(endpoint: Endpoint, nowMs: number): boolean {
    if (!mayHaveReason(endpoint, nowMs)) return false;
    return this.#ejectAmong(endpoint, sumOf(this.#inRotation(), nowMs), nowMs);
  }

  /** Evaluates all of them, at a tick. OUTLIER-DETECTOR-5. */
  review(nowMs: number): void {
    let all: EndpointStatsSum | null = null;
    for (const endpoint of this.#usableList) {
      if (!endpoint.isInRotation || !mayHaveReason(endpoint, nowMs)) continue;
      all ??= sumOf(this.#inRotation(), nowMs);
      if (this.#ejectAmong(endpoint, all, nowMs)) all = null;
    }
  }

  /** `all`: the sum of those in rotation, this one among them. */
  #ejectAmong(endpoint: Endpoint, all: EndpointStatsSum, nowMs: number): boolean {
    if (!endpoint.isInRotation || !this.#usable.has(endpoint)) return false;
    const reason = reasonAmong(endpoint, without(all, endpoint, nowMs), nowMs);
    if (reason === null || !mayEject(this.#usable.size, this.#ejected.length)) return false;
    this.#eject(endpoint, reason, nowMs);
    return true;
  }

  *#inRotation(): Generator<Endpoint> {
    for (const endpoint of this.#usableList) if (endpoint.isInRotation) yield endpoint;
  }

  /**
   * An operator reports it unhealthy: it has to prove itself. `limited`: only if EJECTION-4 of domain/breaker/ejection.ts allows one
   * more ejection. False: it stays.
   */
  reportUnhealthy(subject: string, limited: boolean, nowMs: number): boolean {
    const endpoint = this.at(subject);
    if (endpoint.isInRotation) {
      const isUsable = this.#usable.has(endpoint);
      if (limited && isUsable && !mayEject(this.#usable.size, this.#ejected.length)) return false;
      this.#eject(endpoint, 'reported_unhealthy', nowMs);
    }
    endpoint.isReported = true;
    return true;
  }

  /** OUTLIER-DETECTOR-7. */
  withhold(subject: string, instanceId: string, nowMs: number): void {
    const endpoint = this.at(subject);
    if (endpoint.withheld.has(instanceId)) return;
    endpoint.withheld.add(instanceId);
    this.#withholding.add(endpoint);
    const evidence = evidenceOf(endpoint.window, nowMs);
    this.#deps.onChange(endpoint, { type: 'ejected', reason: 'reported_unhealthy', evidence, instanceId });
  }

  /** Endpoints some of whose instances are withheld. */
  get withholding(): Iterable<Endpoint> {
    return this.#withholding;
  }

  /** An instance is no longer withheld, without a report of an operator: it was removed, or its endpoint is reported as a whole. */
  release(endpoint: Endpoint, instanceId: string): void {
    endpoint.withheld.delete(instanceId);
    if (endpoint.withheld.size === 0) this.#withholding.delete(endpoint);
  }

  /** An operator withdraws a report, or (`isHealthy`) reports it healthy, whatever was measured. */
  withdrawReport(subject: string, instanceId: string, isHealthy: boolean, nowMs: number): void {
    const endpoint = this.at(subject);
    const reason = isHealthy ? 'reported_healthy' : 'report_withdrawn';
    if (endpoint.withheld.has(instanceId)) {
      this.release(endpoint, instanceId);
      this.#deps.onChange(endpoint, { type: 'returned', reason, instanceId });
    }
    if (endpoint.isInRotation || !(isHealthy || endpoint.isReported)) return;
    endpoint.failuresInRow = 0;
    this.#return(endpoint, reason, nowMs);
  }

  /** OUTLIER-DETECTOR-3. */
  hasten(nowMs: number): void {
    for (const endpoint of this.#endpoints.values()) endpoint.ejectedUntilMs = Math.min(endpoint.ejectedUntilMs, nowMs);
  }

  /** An operator's reset: all endpoints are in rotation, and what was measured of them is dropped. */
  reset(nowMs: number): void {
    for (const endpoint of this.#endpoints.values()) {
      endpoint.health.clear();
      endpoint.recent.clear();
      endpoint.failuresInRow = 0;
      endpoint.restUntilMs = Number.NEGATIVE_INFINITY;
      for (const instanceId of endpoint.withheld) {
        this.release(endpoint, instanceId);
        this.#deps.onChange(endpoint, { type: 'returned', reason: 'reset', instanceId });
      }
      if (!endpoint.isInRotation) this.#return(endpoint, 'reset', nowMs);
      endpoint.ejections = 0;
    }
  }

  /** The target's decision window was emptied: its parts are too. */
  clearWindows(): void {
    for (const endpoint of this.#endpoints.values()) endpoint.window.clear();
  }

  /** Other settings are in force: the window's length, and OUTLIER-DETECTOR-6. */
  followSettings(nowMs: number): void {
    const { window, settings } = this.#deps;
    for (const endpoint of this.#endpoints.values()) {
      endpoint.window.resize(window.windowMs, nowMs);
      const longest = ejectionMs(endpoint.ejections, settings().ejection_seconds);
      endpoint.ejectedUntilMs = endsBy(endpoint.ejectedUntilMs, nowMs, longest);
    }
  }

  #eject(endpoint: Endpoint, reason: EjectionReason, nowMs: number): void {
    const { window } = this.#deps;
    const evidence = evidenceOf(endpoint.window, nowMs);
    window.subtract(endpoint.window, endpoint.targetRow === window.row ? endpoint.failuresInTargetRow : 0, nowMs);
    endpoint.window.clear();
    endpoint.isInRotation = false;
    endpoint.term++;
    endpoint.isTried = false;
    // After a whole window in rotation the last ejection no longer counts.
    if (nowMs - endpoint.returnedMs >= window.windowMs) endpoint.ejections = 0;
    this.#putOff(endpoint, nowMs);
    this.#findEjected();
    this.#deps.onChange(endpoint, { type: 'ejected', reason, evidence });
  }

  /** Takes it out of rotation, for a time that doubles with each ejection in a row. */
  #putOff(endpoint: Endpoint, nowMs: number): void {
    endpoint.ejections++;
    endpoint.ejectedUntilMs = nowMs + ejectionMs(endpoint.ejections, this.#deps.settings().ejection_seconds);
  }

  #return(endpoint: Endpoint, reason: ReturnReason, nowMs: number): void {
    endpoint.isInRotation = true;
    endpoint.isReported = false;
    endpoint.term++;
    endpoint.isTried = false;
    endpoint.returnedMs = nowMs;
    if (reason === 'succeeded') endpoint.succeeded(nowMs);
    this.#findEjected();
    this.#deps.onChange(endpoint, { type: 'returned', reason });
  }

  #findEjected(): void {
    this.#ejected = this.#usableList.filter((endpoint) => !endpoint.isInRotation);
  }
}

// One target: admission and settlement of its attempts, its windows, and the breaker that judges them. Admission reads cached
// fields; a success while closed touches counters only; the breaker's actor gets failures, outcomes of probes, ticks and
// commands.
//
// TARGET-1. A permit is the generation it was given in. What comes with another generation goes to the health window and to
//     nothing else: a late outcome can neither open, close, nor free a permit.
// TARGET-2. Each admitted attempt is settled exactly once, by `settle`, or its permit given back.
// TARGET-3. Recovering, the calls of the present generation that are in flight are limited by its slow start.
// TARGET-4. A success that took longer than slow_call_ms is a failure for breaker and ejection, and a success for everything else. The time
//     until NATS or this process last stood still is not counted.
//
// Long: the hot path of admission and settlement is inlined here; everything else is delegated.

import { DecisionWindow } from '../../domain/breaker/decision-window.js';
import type { Outcome } from '../../domain/breaker/outcome.js';
import type { TripReason } from '../../domain/breaker/trip.js';
import type { TripEvidence } from '../../domain/breaker/trip-evidence.js';
import type { AttemptDurations } from '../../domain/health/attempt-durations.js';
import { type Counters, newCounters } from '../../domain/health/counters.js';
import type { Recovery } from '../../domain/registry/auto-management.js';
import type { BreakerSettings } from '../../domain/registry/policy.js';
import type { BreakerEmitted, BreakerEvent, BreakerFacts } from '../../machines/breaker-types.js';
import type { ActorObserver } from '../ports/api.js';
import type { FleetView } from '../ports/fleet.js';
import type { BreakerStateName } from '../ports/storage.js';
import type { StalledUntil } from '../ports/transport.js';
import {
  type Admission,
  REFUSED_ACTOR_FAILED,
  REFUSED_HALF_OPEN_FULL,
  REFUSED_ISOLATED,
  REFUSED_OPEN,
  REFUSED_RECOVERING,
} from './admission.js';
import { AttemptRecord, COMMANDS } from './attempt-record.js';
import { BreakerHost, type BreakerHostOptions, type BreakerMode } from './breaker-host.js';
import type { Endpoint } from './endpoint.js';
import { type Attempt, InFlight } from './in-flight.js';
import { OutlierDetector, type RotationChange } from './outlier-detector.js';
import { OverdueScan } from './overdue.js';
import { SlowStart } from './slow-start.js';
import { TargetStats } from './target-stats.js';

export interface TargetOptions
  extends Pick<BreakerHostOptions, 'settings' | 'override' | 'facts' | 'mustProve' | 'clock' | 'random'> {
  readonly extensionId: string;
  readonly version: string;
  readonly timeoutMs: number;
  /** Of its version; new ones unless given. */
  readonly counters?: Counters;
  /** Likewise. */
  readonly attempts?: AttemptDurations;
  /** Called after the change is in force; must not throw. */
  readonly onEvent: (target: Target, event: BreakerEmitted) => void;
  /** Without it, nothing ever stands still. */
  readonly stalledUntil?: StalledUntil;
  /** Without it, this replica is the only one. */
  readonly fleet?: Pick<FleetView, 'replicas'>;
  /** Likewise, for an endpoint that left rotation or returned. */
  readonly onRotation: (target: Target, endpoint: Endpoint, change: RotationChange) => void;
  /** It has calls, or something that reports show may have changed; called with each admission and each attempt that ends. Must not throw. */
  readonly onTouched?: () => void;
  /** Its mode is another one now. Must not throw. */
  readonly onMode?: () => void;
}

/** Why a breaker opened last. */
interface Trip {
  readonly reason: TripReason;
  readonly evidence: TripEvidence;
}

/**
 * An attempt always ends: by its timeout, which waits for a round trip to NATS and, if NATS stood still, runs once more, or
 * with the connection, which is given up after six seconds of silence. The lease is for an attempt that does not end even so.
 */
const leaseMsOf = (timeoutMs: number): number => 2 * timeoutMs + 7000;

/** Above any latency without it. */
const slowCallMsOf = ({ slow_call_ms: ms }: BreakerSettings): number => ms ?? Number.POSITIVE_INFINITY;

const ignore = (): void => undefined;

export class Target {
  readonly extensionId: string;
  readonly version: string;
  readonly stats: TargetStats;
  readonly health: TargetStats['health'];
  readonly counters: Counters;
  readonly last: TargetStats['last'];
  readonly rotation: OutlierDetector;
  readonly #options: TargetOptions;
  readonly #onTouched: () => void;
  readonly #window: DecisionWindow;
  readonly #breaker: BreakerHost;
  readonly #inFlight = new InFlight();
  readonly #overdue: OverdueScan;
  readonly #slowStart = new SlowStart();
  #settings: BreakerSettings;
  #timeoutMs: number;
  /** TARGET-4. Infinity: off. */
  #slowCallMs: number;
  /** Attempts of the present generation that are in flight, and of the one before when it ended. */
  #inFlightNow = 0;
  #inFlightBefore = 0;
  #hadTraffic = false;
  /** null: nothing is recorded. */
  #record: AttemptRecord | null = null;
  #recordedEndpoints = 0;
  /** A failure is being judged: an ejection is its doing. */
  #isEjecting = false;
  #lastTrip: Trip | null = null;

  constructor(options: TargetOptions) {
    const { settings, timeoutMs, override, facts, mustProve, clock, random } = options;
    this.#options = options;
    this.#onTouched = options.onTouched ?? ignore;
    this.stats = new TargetStats(options.counters ?? newCounters(), options.attempts);
    this.health = this.stats.health;
    this.counters = this.stats.counters;
    this.last = this.stats.last;
    this.extensionId = options.extensionId;
    this.version = options.version;
    this.#settings = settings;
    this.#timeoutMs = timeoutMs;
    this.#slowCallMs = slowCallMsOf(settings);
    this.#window = new DecisionWindow(settings.window_seconds * 1000);
    this.#overdue = new OverdueScan(this.#inFlight, this.#window, this.health);
    this.rotation = new OutlierDetector({
      window: this.#window,
      settings: () => this.#settings,
      onChange: (endpoint, change) => {
        if (this.#record !== null) this.#recordRotation(this.#record, endpoint, change);
        options.onRotation(this, endpoint, change);
      },
    });
    this.#breaker = new BreakerHost({
      id: `${options.extensionId}@${options.version}`,
      window: this.#window,
      settings,
      leaseMs: leaseMsOf(timeoutMs),
      override,
      facts,
      mustProve,
      clock,
      random: () => this.#record?.drawn(random()) ?? random(),
      onTouched: this.#onTouched,
      onMode: options.onMode ?? ignore,
      onGeneration: () => this.#beginGeneration(),
      onEvent: (event) => this.#emitted(event),
    });
  }

  /** One life of the breaker's actor; see BreakerHost. */
  get life$() {
    return this.#breaker.life$;
  }

  get mode(): BreakerMode {
    return this.#breaker.mode;
  }

  get publishedState(): BreakerStateName {
    return this.#breaker.publishedState;
  }

  /** Until when it is open, monotonic; meaningful only while it is. */
  get openUntilMs(): number {
    return this.#breaker.openUntilMs;
  }

  /** Milliseconds until an open breaker may be tried, at least 0. */
  openRemainingMs(nowMs: number): number {
    return this.#breaker.openRemainingMs(nowMs);
  }

  /** Probes in flight. */
  get probes(): number {
    return this.#breaker.probes;
  }

  recovery(nowMs: number): Recovery {
    return this.#breaker.recovery(nowMs);
  }

  /** Attempts in flight, including those whose caller has its answer already. */
  get inFlight(): number {
    return this.#inFlight.count;
  }

  /** Why it opened last; null: never in this process, or not since a reset. */
  get lastTrip(): Trip | null {
    return this.#lastTrip;
  }

  /** Everything that the breaker's next actor needs to resume from here. */
  facts(): BreakerFacts {
    return this.#breaker.facts();
  }

  watch(observer: ActorObserver): () => void {
    return this.#breaker.watch(observer);
  }

  /** What `tryAdmit` would return, without taking a permit: a refusal, or 0 if there is a permit. */
  refusal(nowMs: number): Admission {
    const breaker = this.#breaker;
    switch (breaker.mode) {
      case 'closed':
      case 'forcedClosed':
        return 0;
      case 'recovering':
        return this.#slowStart.admits(this.#inFlightNow, nowMs) ? 0 : REFUSED_RECOVERING;
      case 'open':
        return nowMs < breaker.openUntilMs ? REFUSED_OPEN : 0;
      case 'halfOpen':
        if (!breaker.isRunning) return REFUSED_OPEN;
        return breaker.probes < this.#settings.half_open_max_requests ? 0 : REFUSED_HALF_OPEN_FULL;
      case 'isolated':
        return REFUSED_ISOLATED;
      case 'failed':
        return REFUSED_ACTOR_FAILED;
      default:
        return breaker.mode satisfies never;
    }
  }

  /** Permit (positive) or refusal; takes a probe's permit if half-open. Its caller begins an attempt or returns it. */
  tryAdmit(nowMs: number): Admission {
    this.#hadTraffic = true;
    this.#onTouched();
    // The clock says that its time is over; the timer that shows it may be late (BREAKER-MACHINE-2).
    if (this.#breaker.mode === 'open' && nowMs >= this.#breaker.openUntilMs)
      this.#breaker.send({ type: 'open.elapsed', nowMs });
    const refusal = this.refusal(nowMs);
    return refusal === 0 ? this.#takePermit(nowMs) : refusal;
  }

  #takePermit(nowMs: number): Admission {
    const breaker = this.#breaker;
    if (breaker.mode === 'open') return REFUSED_OPEN;
    if (breaker.mode === 'halfOpen') {
      this.#record?.note('probe_began', nowMs);
      breaker.send({ type: 'probe.started', nowMs });
    }
    return breaker.generation;
  }

  /** The attempt is sent now, to `endpoint` if the version has instances. TARGET-2: `settle` ends it. */
  begin(attempt: Attempt, permit: Admission, endpoint: Endpoint | null, isReadmission: boolean, nowMs: number): void {
    attempt.permit = permit;
    attempt.startedMs = nowMs;
    attempt.endpoint = endpoint;
    attempt.isReadmission = isReadmission;
    attempt.overdueScan = -1;
    if (this.#record !== null) attempt.recordedAt = this.#record.written;
    if (endpoint !== null) {
      attempt.term = endpoint.term;
      endpoint.inFlight++;
      if (isReadmission) endpoint.isTried = true;
    }
    this.#inFlight.add(attempt);
    if (permit === this.#breaker.generation) this.#inFlightNow++;
  }

  /** Returns a permit that `tryAdmit` gave at `nowMs`, and with which nothing was sent. */
  returnPermit(permit: Admission, nowMs: number): void {
    const { mode, generation } = this.#breaker;
    if (permit !== generation || mode !== 'halfOpen') return;
    this.#record?.note('probe_released', nowMs);
    this.#breaker.send({ type: 'probe.released', startedMs: nowMs, nowMs });
  }

  /** TARGET-2. `latencyMs` is not read if the outcome is neutral. */
  settle(attempt: Attempt, outcome: Outcome, latencyMs: number, nowMs: number): void {
    const { endpoint, permit } = attempt;
    const { mode, generation } = this.#breaker;
    this.#inFlight.remove(attempt);
    if (permit === generation) this.#inFlightNow--;
    this.#overdue.end(attempt, generation);
    if (endpoint !== null) endpoint.inFlight--;
    if (outcome !== 'neutral') {
      const isSuccess = outcome === 'success';
      this.stats.record(isSuccess, latencyMs, nowMs);
      if (permit === generation) this.stats.recordForRouting(isSuccess, nowMs);
      endpoint?.health.record(isSuccess, latencyMs, nowMs);
      endpoint?.recent.record(isSuccess, nowMs);
    }
    this.#onTouched();
    // TARGET-4.
    const isSlow =
      outcome === 'success' && latencyMs > this.#slowCallMs && this.#ownMs(latencyMs, nowMs) > this.#slowCallMs;
    const judged = isSlow ? 'failure' : outcome;
    const counts = endpoint === null || this.rotation.settle(attempt, endpoint, judged, nowMs);
    if (this.#record !== null)
      this.#recordAttempt(this.#record, attempt, counts ? outcome : 'neutral', latencyMs, nowMs);
    // TARGET-1.
    if (permit !== generation) return;
    if (mode === 'halfOpen') this.#settleProbe(attempt, counts ? judged : 'neutral', isSlow, nowMs);
    else if (!counts) return;
    else if (judged === 'success') this.#succeeded(endpoint, nowMs);
    else if (judged === 'failure') this.#failed(attempt, isSlow, nowMs);
  }

  /** No responders there. True: it is a restart (see TargetStats) and no probe, so that it counts for nothing. */
  isWithinAbsenceGrace(endpoint: Endpoint | null, graceMs: number, nowMs: number): boolean {
    const isRestart = this.stats.noteAbsence(endpoint, this.#window.windowMs, graceMs, nowMs);
    return isRestart && this.#breaker.mode !== 'halfOpen';
  }

  /**
   * Scans for overdue attempts and evaluates the rules, if there was traffic since the last tick or anything is in flight. False: nothing
   * is, and it needs no further tick before it is touched again.
   */
  tick(nowMs: number, stalledUntilMs = Number.NEGATIVE_INFINITY): boolean {
    const isBusy = this.#inFlight.count > 0;
    if (this.#hadTraffic || isBusy) this.#evaluate(nowMs, stalledUntilMs);
    return isBusy;
  }

  #evaluate(nowMs: number, stalledUntilMs: number): void {
    this.#hadTraffic = false;
    const { mode, generation } = this.#breaker;
    if (mode !== 'closed' && mode !== 'recovering' && mode !== 'forcedClosed') {
      this.#record?.tick(0, 0, nowMs);
      return;
    }
    const lastSuccessMs = this.last.successMs ?? Number.NEGATIVE_INFINITY;
    this.#overdue.take(this.rotation.endpoints, generation, this.#timeoutMs, lastSuccessMs, stalledUntilMs, nowMs);
    this.rotation.review(nowMs);
    this.#record?.tick(this.#window.overdue, this.#window.overdueInRow, nowMs);
    // Without a failure no rule has anything to judge (TRIP-4), and most targets with traffic have none: an event costs as much as some calls.
    if (this.#window.failures(nowMs) + this.#window.overdue > 0) this.#breaker.send({ type: 'tick', nowMs });
  }

  /** A command of an operator or of the registry. */
  send(event: BreakerEvent): void {
    if (event.type === 'breaker.reset' || event.type === 'breaker.enable') this.#clearRoutingStats();
    if (event.type === 'breaker.reset') {
      this.health.clear();
      this.rotation.reset(event.nowMs);
      this.#lastTrip = null;
      this.#onTouched();
    }
    // The number of calls before it was disabled says nothing about now.
    if (event.type === 'breaker.enable') this.#slowStart.forget();
    const command = COMMANDS.find((name) => name === event.type);
    if (command !== undefined) this.#record?.command(command, event.nowMs);
    this.#breaker.send(event);
  }

  setOverride(override: 'isolated' | 'forced_closed' | null, nowMs: number): void {
    if (override !== this.#breaker.override) this.#record?.command(override ?? 'no_override', nowMs);
    this.#breaker.setOverride(override, nowMs);
  }

  /** `capacity`: of the record for replays (policy.record), 0: none. Another one begins empty. */
  recordUpTo(capacity: number): void {
    if ((this.#record?.capacity ?? 0) === capacity) return;
    this.#record =
      capacity === 0
        ? null
        : new AttemptRecord(capacity, () => ({ ...this.facts(), override: this.#breaker.override }));
  }

  /** null: nothing is recorded. */
  get record(): AttemptRecord | null {
    return this.#record;
  }

  /** How long a probe may take, in ms. */
  get leaseMs(): number {
    return leaseMsOf(this.#timeoutMs);
  }

  #recordAttempt(record: AttemptRecord, attempt: Attempt, outcome: Outcome, latencyMs: number, nowMs: number): void {
    const { endpoint, recordedAt } = attempt;
    const ownMs = this.#ownMs(latencyMs, nowMs);
    record.overdue(this.#window.overdue, this.#window.overdueInRow, nowMs);
    record.attempt(outcome, recordedAt, endpoint === null ? 0 : this.#recordNumber(endpoint), ownMs, nowMs);
  }

  /** What of a latency is the extension's own: TARGET-4. */
  #ownMs(latencyMs: number, nowMs: number): number {
    return Math.min(latencyMs, nowMs - (this.#options.stalledUntil?.() ?? Number.NEGATIVE_INFINITY));
  }

  #recordRotation(record: AttemptRecord, endpoint: Endpoint, change: RotationChange): void {
    // What is withheld alone takes nothing out of a window.
    if (change.type !== 'ejected' || change.instanceId !== undefined) return;
    const nowMs = this.#options.clock.now();
    if (this.#isEjecting) record.ejects();
    else record.ejected(this.#recordNumber(endpoint), nowMs);
    record.overdue(this.#window.overdue, this.#window.overdueInRow, nowMs);
  }

  #recordNumber(endpoint: Endpoint): number {
    if (endpoint.recordNumber === 0) endpoint.recordNumber = ++this.#recordedEndpoints;
    return endpoint.recordNumber;
  }

  /** After a failure of its own. True: it is out of rotation now. */
  #ejectIfDue(endpoint: Endpoint, nowMs: number): boolean {
    this.#isEjecting = true;
    const isEjected = this.rotation.ejectIfDue(endpoint, nowMs);
    this.#isEjecting = false;
    return isEjected;
  }

  hasSettings(settings: BreakerSettings, timeoutMs: number): boolean {
    return this.#settings === settings && this.#timeoutMs === timeoutMs;
  }

  setSettings(settings: BreakerSettings, timeoutMs: number, nowMs: number): void {
    this.#settings = settings;
    this.#timeoutMs = timeoutMs;
    this.#slowCallMs = slowCallMsOf(settings);
    this.#breaker.setSettings(settings, leaseMsOf(timeoutMs), nowMs);
    this.#slowStart.follow(settings, nowMs);
    this.rotation.followSettings(nowMs);
  }

  #settleProbe(attempt: Attempt, outcome: Outcome, isSlow: boolean, nowMs: number): void {
    const { endpoint, startedMs } = attempt;
    let type: 'probe.succeeded' | 'probe.released' = 'probe.released';
    if (outcome === 'success') {
      endpoint?.succeeded(nowMs);
      type = 'probe.succeeded';
    } else if (outcome === 'failure') {
      endpoint?.failed(startedMs, this.#window.row);
      // OUTLIER-DETECTOR-1 of outlier-detector.ts: if its endpoint is at fault, the probe says nothing about the target.
      const isEjected = endpoint !== null && this.#ejectIfDue(endpoint, nowMs);
      if (!isEjected) return this.#breaker.send({ type: 'probe.failed', startedMs, nowMs, slow: isSlow });
    }
    this.#breaker.send({ type, startedMs, nowMs });
  }

  #succeeded(endpoint: Endpoint | null, nowMs: number): void {
    this.#window.recordSuccess(nowMs);
    if (endpoint !== null) {
      endpoint.window.recordSuccess(nowMs);
      endpoint.succeeded(nowMs);
    }
    if (this.#breaker.mode === 'recovering') {
      this.#slowStart.succeeded();
      if (this.#slowStart.isComplete) this.#breaker.send({ type: 'ramp.completed', nowMs });
    }
    this.#breaker.showSuccess(nowMs);
  }

  #failed({ endpoint, startedMs }: Attempt, isSlow: boolean, nowMs: number): void {
    if (isSlow) this.#window.recordSlow(nowMs);
    else this.#window.recordFailure(nowMs);
    if (endpoint !== null) {
      if (isSlow) endpoint.window.recordSlow(nowMs);
      else endpoint.window.recordFailure(nowMs);
      endpoint.failed(startedMs, this.#window.row);
      this.#ejectIfDue(endpoint, nowMs);
    }
    this.#breaker.send({ type: 'attempt.failed', nowMs });
  }

  #beginGeneration(): void {
    this.#inFlightBefore = this.#inFlightNow;
    this.#inFlightNow = 0;
    this.rotation.clearWindows();
    this.#record?.generationBegan();
    if (this.#breaker.mode !== 'recovering') return;
    const nowMs = this.#options.clock.now();
    this.#slowStart.begin(this.#settings, this.#options.fleet?.replicas ?? 1, nowMs);
    if (this.#slowStart.isComplete) this.#breaker.send({ type: 'ramp.completed', nowMs });
  }

  /** What routing and balancing measured of it no longer counts. */
  #clearRoutingStats(): void {
    this.stats.routing.clear();
    for (const endpoint of this.rotation.endpoints) if (endpoint.isInRotation) endpoint.recent.clear();
  }

  #emitted(event: BreakerEmitted): void {
    if (event.type === 'breaker.opened') {
      this.counters.trips++;
      this.#record?.opened(event.reason, event.reopened, event.nowMs);
      this.#lastTrip = { reason: event.reason, evidence: event.evidence };
      // The attempt whose failure opened it, if one did, is no longer among them.
      if (!event.reopened) this.#slowStart.opened(this.#inFlightBefore + 1, event.nowMs);
      this.rotation.hasten(event.nowMs);
    }
    if (event.type === 'breaker.half_opened' || event.type === 'breaker.closed') {
      this.#record?.note(event.type === 'breaker.closed' ? 'closed' : 'half_opened', event.nowMs);
      this.#clearRoutingStats();
    }
    if (event.type === 'breaker.closed' && event.recovered) this.counters.recoveries++;
    this.#options.onEvent(this, event);
  }
}

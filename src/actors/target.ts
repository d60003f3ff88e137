// One target: its actor, its windows, and what the hot path reads of them. Admission reads cached fields; a success while
// closed touches counters only; the machine gets failures, outcomes of probes, ticks, timers and commands.
//
// G1. A permit is the generation it was given in. What comes with another generation goes to the health window and to
//     nothing else: a late outcome can neither open, close, nor free a permit.
// G2. Each admitted attempt is settled exactly once, by `settle`.
// G3. While the actor has failed nothing is admitted; its facts outlive it and grow older, so the next one resumes where
//     it would be by then. Commands that come meanwhile change the facts.
// G4. An actor that is watched also gets its successes as events, at most one per SAMPLE_MS, each with how many it stands
//     for; one that is not watched gets none.
// G5. Recovering, the calls in flight are limited to half_open_max_requests and one more per success since it closed, until
//     that is as many as were in flight before it opened.
// G6. An attempt that is out for twice the p99 of its target (and OVERDUE_MIN_MS) is overdue. Each tick counts those of the
//     present generation; what settles is no longer one. Without MIN_SAMPLES, or where that reaches the timeout, none is.
import { Observable } from 'rxjs';
import { type Actor, createActor, type SnapshotFrom } from 'xstate';
import { DecisionWindow } from '../domain/decision-window.js';
import { HealthWindow } from '../domain/health-window.js';
import type { Outcome } from '../domain/outcome.js';
import type { BreakerSettings } from '../domain/policy.js';
import type { TripReason } from '../domain/trip.js';
import type { TripEvidence } from '../domain/trip-evidence.js';
import {
  type BreakerEmitted,
  type BreakerEvent,
  type BreakerFacts,
  breakerMachine,
} from '../machines/breaker-machine.js';
import { ActorInspection } from './actor-inspection.js';
import type { Endpoint } from './endpoint.js';
import { type Attempt, InFlight } from './in-flight.js';
import type { ActorObserver, BreakerStateName, Clock } from './ports.js';
import { Rotation, type RotationChange } from './rotation.js';

/** Positive: the permit. Else why not, one of the values below. */
export type Admission = number;
export const REFUSED_OPEN = -1;
export const REFUSED_HALF_OPEN_FULL = -2;
export const REFUSED_ISOLATED = -3;
export const REFUSED_ACTOR_FAILED = -4;
export const REFUSED_RECOVERING = -5;

export type TargetMode = 'closed' | 'recovering' | 'open' | 'halfOpen' | 'isolated' | 'forcedClosed' | 'failed';

/** Numbers that never repeat in this process, whatever actor asks. */
let lastGeneration = 0;
const nextGeneration = (): number => ++lastGeneration;

export interface TargetOptions {
  readonly extensionId: string;
  readonly version: string;
  readonly settings: BreakerSettings;
  readonly timeoutMs: number;
  readonly override: 'isolated' | 'forced_closed' | null;
  readonly facts: BreakerFacts | null;
  readonly mustProve: boolean;
  readonly clock: Clock;
  readonly random: () => number;
  /** Called after the change is in force; must not throw. */
  readonly onEvent: (target: Target, event: BreakerEmitted) => void;
  /** Likewise, for an endpoint that went or came back. */
  readonly onRotation: (target: Target, endpoint: Endpoint, change: RotationChange) => void;
}

/** Why a breaker opened last. */
export interface Trip {
  readonly reason: TripReason;
  readonly evidence: TripEvidence;
}

const LEASE_SLACK_MS = 1000;
const SAMPLE_MS = 50;
/** A pause of the extension shorter than this is no hang, however fast it is else. */
const OVERDUE_MIN_MS = 1000;
const OVERDUE_P99S = 2;
const MIN_SAMPLES = 20;
/** Percentiles move slowly, and reading them costs what the histogram is long. */
const P99_KEPT_MS = 5000;
export const NO_FACTS: BreakerFacts = { state: 'closed', openRemainingMs: 0, openedAgoMs: null, trips: 0, epoch: 0 };

export class Target {
  readonly extensionId: string;
  readonly version: string;
  readonly health = new HealthWindow();
  readonly rotation: Rotation;
  readonly counters = { successes: 0, failures: 0, trips: 0, recoveries: 0 };
  readonly last: { successMs: number | null; failureMs: number | null; latencyMs: number | null } = {
    successMs: null,
    failureMs: null,
    latencyMs: null,
  };
  readonly #window: DecisionWindow;
  readonly #options: TargetOptions;
  #settings: BreakerSettings;
  #leaseMs: number;
  #timeoutMs: number;
  #override: 'isolated' | 'forced_closed' | null;
  #actor: Actor<typeof breakerMachine> | null = null;
  #snapshot: SnapshotFrom<typeof breakerMachine> | null = null;
  /** As of `#factsAtMs`; in force while no actor runs. */
  #facts: BreakerFacts;
  #factsAtMs: number;
  /** Until a first actor has started: from then on the facts say it. */
  #mustProve: boolean;
  #told: BreakerEmitted[] = [];
  #mode: TargetMode = 'failed';
  #generation = 0;
  #openUntilMs = 0;
  #absentSinceMs: number | null = null;
  #hadTraffic = false;
  #lastTrip: Trip | null = null;
  readonly #inFlight = new InFlight();
  /** Those of the present generation. */
  #inFlightNow = 0;
  /** Those of the generation before, when it ended. */
  #inFlightBefore = 0;
  /** In flight when it opened last; what a slow start grows up to. */
  #concurrencyBefore = Number.POSITIVE_INFINITY;
  #rampLimit = 0;
  #rampEndsMs = 0;
  #look = 0;
  #overdueAfterMs = Number.POSITIVE_INFINITY;
  #p99ReadMs = Number.NEGATIVE_INFINITY;
  readonly #inspection = new ActorInspection();
  /** Successes that the watched actor has not been told of. */
  #untoldSuccesses = 0;
  #lastSampleMs = Number.NEGATIVE_INFINITY;

  constructor(options: TargetOptions) {
    this.#options = options;
    this.extensionId = options.extensionId;
    this.version = options.version;
    this.#settings = options.settings;
    this.#leaseMs = options.timeoutMs + LEASE_SLACK_MS;
    this.#timeoutMs = options.timeoutMs;
    this.#override = options.override;
    this.#facts = options.facts ?? NO_FACTS;
    this.#factsAtMs = options.clock.now();
    this.#mustProve = options.mustProve;
    this.#window = new DecisionWindow(options.settings.window_seconds * 1000);
    this.rotation = new Rotation({
      window: this.#window,
      settings: () => this.#settings,
      onChange: (endpoint, change) => options.onRotation(this, endpoint, change),
    });
  }

  /** One life of the actor: started on subscription, stopped on unsubscription, an error where it fails. Never completes. */
  readonly life$ = new Observable<never>((subscriber) => {
    const { clock, random } = this.#options;
    const actor = createActor(breakerMachine, {
      id: `${this.extensionId}@${this.version}`,
      clock,
      input: {
        window: this.#window,
        settings: this.#settings,
        leaseMs: this.#leaseMs,
        now: () => clock.now(),
        random,
        nextGeneration,
        override: this.#override,
        facts: this.facts(),
        mustProve: this.#mustProve,
      },
    });
    // Told once the new state is in force: an event is emitted while the transition is still under way.
    actor.on('*', (event) => this.#told.push(event));
    actor.subscribe({
      next: (snapshot) => this.#follow(snapshot),
      error: (error) => {
        this.#keep(this.facts());
        this.#mode = 'failed';
        this.#generation = nextGeneration();
        this.#actor = null;
        // What it told with its last breath is not in force.
        this.#told = [];
        this.#inspection.actorFailed(error);
        subscriber.error(error);
      },
    });
    this.#actor = actor;
    this.#inspection.actorCreated(actor);
    actor.start();
    this.#follow(actor.getSnapshot());
    return () => {
      this.#keep(this.facts());
      this.#actor = null;
      actor.stop();
    };
  });

  get mode(): TargetMode {
    return this.#mode;
  }

  get settings(): BreakerSettings {
    return this.#settings;
  }

  /** Milliseconds until an open breaker may be tried, at least 0. */
  openRemainingMs(nowMs: number): number {
    return Math.max(this.#openUntilMs - nowMs, 0);
  }

  /** Permit (positive) or refusal; takes a probe's permit where half-open. Whoever gets one begins an attempt or gives it back. */
  tryAdmit(nowMs: number): Admission {
    this.#hadTraffic = true;
    switch (this.#mode) {
      case 'closed':
      case 'forcedClosed':
        return this.#generation;
      case 'recovering':
        // The timer that ends it may be late.
        return this.#inFlightNow < this.#rampLimit || nowMs >= this.#rampEndsMs ? this.#generation : REFUSED_RECOVERING;
      case 'open':
        if (nowMs < this.#openUntilMs) return REFUSED_OPEN;
        // The clock says it is over; the timer that shows it may be late (M2).
        this.send({ type: 'open.elapsed', nowMs });
        return this.#admitProbe(nowMs);
      case 'halfOpen':
        return this.#admitProbe(nowMs);
      case 'isolated':
        return REFUSED_ISOLATED;
      case 'failed':
        return REFUSED_ACTOR_FAILED;
      default:
        return this.#mode satisfies never;
    }
  }

  /** The attempt is sent now, to `endpoint` where the version has instances. G2: `settle` ends it. */
  begin(attempt: Attempt, permit: Admission, endpoint: Endpoint | null, isReadmission: boolean, nowMs: number): void {
    attempt.permit = permit;
    attempt.startedMs = nowMs;
    attempt.endpoint = endpoint;
    attempt.isReadmission = isReadmission;
    if (endpoint !== null) {
      attempt.term = endpoint.term;
      if (isReadmission) endpoint.isTried = true;
    }
    attempt.overdueLook = -1;
    this.#inFlight.add(attempt);
    if (permit === this.#generation) this.#inFlightNow++;
  }

  /** A permit that `tryAdmit` gave at `nowMs` and that nothing is sent with. */
  giveBack(permit: Admission, nowMs: number): void {
    if (permit === this.#generation && this.#mode === 'halfOpen')
      this.send({ type: 'probe.released', startedMs: nowMs, nowMs });
  }

  /** G2. `latencyMs` is not read where the outcome is neutral. */
  settle(attempt: Attempt, outcome: Outcome, latencyMs: number, nowMs: number): void {
    const { endpoint, permit } = attempt;
    this.#inFlight.remove(attempt);
    if (permit === this.#generation) this.#inFlightNow--;
    if (attempt.overdueLook === this.#look) this.#endOverdue(attempt);
    if (outcome !== 'neutral') {
      this.#recordHealth(outcome === 'success', latencyMs, nowMs);
      endpoint?.health.record(outcome === 'success', latencyMs, nowMs);
    }
    const counts = endpoint === null || this.rotation.settle(attempt, endpoint, outcome, nowMs);
    if (permit !== this.#generation) return;
    if (this.#mode === 'halfOpen') this.#settleProbe(attempt, counts ? outcome : 'neutral', nowMs);
    else if (!counts) return;
    else if (outcome === 'success') this.#succeeded(endpoint, nowMs);
    else if (outcome === 'failure') this.#failed(attempt, nowMs);
  }

  /** Somebody received an attempt, whatever became of it. */
  notePresence(endpoint: Endpoint | null): void {
    if (endpoint === null) this.#absentSinceMs = null;
    else endpoint.absentSinceMs = null;
  }

  /**
   * Nobody listens there. True: the target has succeeded within its window, somebody was there until less than `graceMs` ago
   * and it is no probe, so that this is a restart and counts for nothing.
   */
  isWithinAbsenceGrace(endpoint: Endpoint | null, graceMs: number, nowMs: number): boolean {
    const sinceMs = (endpoint === null ? this.#absentSinceMs : endpoint.absentSinceMs) ?? nowMs;
    if (endpoint === null) this.#absentSinceMs = sinceMs;
    else endpoint.absentSinceMs = sinceMs;
    const lastSuccess = this.last.successMs;
    return (
      this.#mode !== 'halfOpen' &&
      lastSuccess !== null &&
      nowMs - lastSuccess <= this.#window.windowMs &&
      nowMs - sinceMs < graceMs
    );
  }

  /** Looks for what is overdue and evaluates the rules, where there was traffic since the last tick or anything is out. */
  tick(nowMs: number): void {
    if (!this.#hadTraffic && this.#inFlight.count === 0) return;
    this.#hadTraffic = false;
    if (this.#mode !== 'closed' && this.#mode !== 'recovering' && this.#mode !== 'forcedClosed') return;
    this.#lookForOverdue(nowMs);
    this.rotation.review(nowMs);
    this.send({ type: 'tick', nowMs });
  }

  /** A command of a person or the registry. A failed actor takes it through its facts when it is rebuilt. */
  send(event: BreakerEvent): void {
    if (event.type === 'breaker.reset') {
      this.health.clear();
      this.rotation.reset(event.nowMs);
      this.#lastTrip = null;
    }
    // How many calls there were before it was switched off says nothing about now.
    if (event.type === 'breaker.enable') this.#concurrencyBefore = Number.POSITIVE_INFINITY;
    if (this.#actor !== null) {
      this.#actor.send(event);
    } else if (event.type === 'breaker.reset' || event.type === 'breaker.enable') {
      this.#keep({ ...NO_FACTS, epoch: this.#facts.epoch + 1 });
      this.#mustProve = false;
    } else if (event.type === 'breaker.probe' || event.type === 'subject.changed') {
      this.#keep({ ...this.facts(), openRemainingMs: 0 });
      this.#mustProve ||= event.type === 'breaker.probe';
    } else if (event.type === 'settings.changed') {
      this.#window.resize(event.settings.window_seconds * 1000, event.nowMs);
    }
  }

  setOverride(override: 'isolated' | 'forced_closed' | null, nowMs: number): void {
    if (override === this.#override) return;
    this.#override = override;
    const type =
      override === 'isolated'
        ? 'breaker.isolate'
        : override === 'forced_closed'
          ? 'breaker.force_close'
          : 'breaker.release';
    this.send({ type, nowMs });
  }

  setSettings(settings: BreakerSettings, timeoutMs: number, nowMs: number): void {
    this.#settings = settings;
    this.#leaseMs = timeoutMs + LEASE_SLACK_MS;
    this.#timeoutMs = timeoutMs;
    this.send({ type: 'settings.changed', settings, leaseMs: this.#leaseMs, nowMs });
    this.rotation.followWindow(nowMs);
  }

  /** Tells `observer` what the actor does, and the actors after it. Returns the way to end that. */
  watch(observer: ActorObserver): () => void {
    if (!this.#inspection.isWatched) this.#untoldSuccesses = 0;
    return this.#inspection.watch(observer);
  }

  /** What the world is told: isolated shows as open, forced closed as closed, failed as the state it failed in. */
  get publishedState(): BreakerStateName {
    switch (this.#mode) {
      case 'closed':
      case 'recovering':
      case 'forcedClosed':
        return 'closed';
      case 'open':
      case 'isolated':
        return 'open';
      case 'halfOpen':
        return 'half_open';
      case 'failed':
        return this.#facts.state;
      default:
        return this.#mode satisfies never;
    }
  }

  /** Everything a successor needs to go on from here. */
  facts(): BreakerFacts {
    const context = this.#snapshot?.context;
    const nowMs = this.#options.clock.now();
    if (context === undefined || this.#mode === 'failed') return agedBy(nowMs - this.#factsAtMs, this.#facts);
    return {
      state: this.publishedState,
      openRemainingMs: this.#mode === 'open' ? this.openRemainingMs(nowMs) : 0,
      openedAgoMs: context.openedAtMs === null ? null : nowMs - context.openedAtMs,
      trips: context.trips,
      epoch: context.epoch,
    };
  }

  /** Why it opened last; null where it never did in this process, or since a reset. */
  get lastTrip(): Trip | null {
    return this.#lastTrip;
  }

  /** Attempts that are out, those whose caller has his answer already included. */
  get inFlight(): number {
    return this.#inFlight.count;
  }

  /** Probes that are out. */
  get probes(): number {
    return this.#snapshot?.context.probes.length ?? 0;
  }

  #keep(facts: BreakerFacts): void {
    this.#facts = facts;
    this.#factsAtMs = this.#options.clock.now();
  }

  #admitProbe(nowMs: number): Admission {
    // Without an actor nobody counts the probes that are out.
    if (this.#mode !== 'halfOpen' || this.#actor === null) return REFUSED_OPEN;
    if (this.probes >= this.#settings.half_open_max_requests) return REFUSED_HALF_OPEN_FULL;
    this.send({ type: 'probe.started', nowMs });
    return this.#generation;
  }

  #settleProbe(attempt: Attempt, outcome: Outcome, nowMs: number): void {
    const { endpoint, startedMs } = attempt;
    let type: 'probe.succeeded' | 'probe.failed' | 'probe.released' = 'probe.released';
    if (outcome === 'success') {
      endpoint?.succeeded(nowMs);
      type = 'probe.succeeded';
    } else if (outcome === 'failure') {
      endpoint?.failed(startedMs, this.#window.row);
      // X1 of rotation.ts: a probe that shows its endpoint to be the trouble is no verdict on the target.
      const isOut = endpoint !== null && this.rotation.ejectIfDue(endpoint, nowMs);
      if (!isOut) type = 'probe.failed';
    }
    this.send({ type, startedMs, nowMs });
  }

  #succeeded(endpoint: Endpoint | null, nowMs: number): void {
    this.#window.recordSuccess(nowMs);
    if (endpoint !== null) {
      endpoint.window.recordSuccess(nowMs);
      endpoint.succeeded(nowMs);
    }
    if (this.#mode === 'recovering' && ++this.#rampLimit >= this.#concurrencyBefore)
      this.send({ type: 'ramp.completed', nowMs });
    if (this.#inspection.isWatched) this.#sampleSuccess(nowMs);
  }

  #failed({ endpoint, startedMs }: Attempt, nowMs: number): void {
    this.#window.recordFailure(nowMs);
    if (endpoint !== null) {
      endpoint.window.recordFailure(nowMs);
      endpoint.failed(startedMs, this.#window.row);
      this.rotation.ejectIfDue(endpoint, nowMs);
    }
    this.send({ type: 'attempt.failed', nowMs });
  }

  /** G6. */
  #lookForOverdue(nowMs: number): void {
    const look = ++this.#look;
    for (const endpoint of this.rotation.endpoints) endpoint.window.setOverdue(0, 0);
    this.#window.setOverdue(0, 0);
    const afterMs = this.#overdueAfter(nowMs);
    const lastSuccessMs = this.last.successMs ?? Number.NEGATIVE_INFINITY;
    let count = 0;
    let inRow = 0;
    for (let attempt = this.#inFlight.oldest; attempt !== null; attempt = attempt.newer) {
      const { endpoint, permit, term, startedMs } = attempt;
      if (nowMs - startedMs <= afterMs) break;
      if (permit !== this.#generation || attempt.isReadmission || (endpoint !== null && endpoint.term !== term))
        continue;
      attempt.overdueLook = look;
      const isInRow = startedMs >= lastSuccessMs;
      count++;
      if (isInRow) inRow++;
      endpoint?.countOverdue(startedMs, isInRow);
    }
    this.#window.setOverdue(count, inRow);
  }

  /** How long an attempt may be out before it is overdue, in ms. */
  #overdueAfter(nowMs: number): number {
    if (nowMs - this.#p99ReadMs >= P99_KEPT_MS) {
      this.#p99ReadMs = nowMs;
      const { samples, p99Ms } = this.health.read(nowMs);
      const afterMs = Math.max(OVERDUE_P99S * (p99Ms ?? 0), OVERDUE_MIN_MS);
      this.#overdueAfterMs = samples >= MIN_SAMPLES ? afterMs : Number.POSITIVE_INFINITY;
    }
    return this.#overdueAfterMs < this.#timeoutMs ? this.#overdueAfterMs : Number.POSITIVE_INFINITY;
  }

  #endOverdue({ endpoint, permit, term }: Attempt): void {
    if (permit !== this.#generation || (endpoint !== null && endpoint.term !== term)) return;
    this.#window.endOverdue();
    endpoint?.window.endOverdue();
  }

  /** G4. */
  #sampleSuccess(nowMs: number): void {
    this.#untoldSuccesses++;
    if (nowMs - this.#lastSampleMs < SAMPLE_MS) return;
    const successes = this.#untoldSuccesses;
    this.#untoldSuccesses = 0;
    this.#lastSampleMs = nowMs;
    this.send({ type: 'attempt.succeeded', successes, nowMs });
  }

  #recordHealth(success: boolean, latencyMs: number, nowMs: number): void {
    this.health.record(success, latencyMs, nowMs);
    this.last.latencyMs = latencyMs;
    if (success) {
      this.counters.successes++;
      this.last.successMs = nowMs;
    } else {
      this.counters.failures++;
      this.last.failureMs = nowMs;
    }
  }

  #opened({ reason, evidence, reopened, nowMs }: BreakerEmitted & { type: 'breaker.opened' }): void {
    this.counters.trips++;
    this.#lastTrip = { reason, evidence };
    // The attempt whose failure opened it is no longer among them.
    if (!reopened) this.#concurrencyBefore = this.#inFlightBefore + 1;
    this.rotation.hasten(nowMs);
  }

  #beginGeneration(generation: number): void {
    this.#generation = generation;
    this.#inFlightBefore = this.#inFlightNow;
    this.#inFlightNow = 0;
    this.rotation.clearWindows();
    if (this.#mode !== 'recovering') return;
    // G5.
    const nowMs = this.#options.clock.now();
    this.#rampLimit = this.#settings.half_open_max_requests;
    this.#rampEndsMs = nowMs + this.#settings.recovery_ramp_seconds * 1000;
    if (this.#rampLimit >= this.#concurrencyBefore) this.send({ type: 'ramp.completed', nowMs });
  }

  #follow(snapshot: SnapshotFrom<typeof breakerMachine>): void {
    if (snapshot === this.#snapshot || snapshot.status !== 'active') return;
    this.#snapshot = snapshot;
    const { context } = snapshot;
    this.#mode = modeOf(snapshot.value) ?? this.#mode;
    this.#mustProve = false;
    this.#openUntilMs = context.openUntilMs;
    if (context.generation !== this.#generation) this.#beginGeneration(context.generation);
    const told = this.#told;
    if (told.length === 0) return;
    this.#told = [];
    for (const event of told) {
      if (event.type === 'breaker.opened') this.#opened(event);
      if (event.type === 'breaker.closed' && event.recovered) this.counters.recoveries++;
      this.#options.onEvent(this, event);
    }
  }
}

/** null: it has not come to rest. */
function modeOf(value: SnapshotFrom<typeof breakerMachine>['value']): TargetMode | null {
  if (typeof value === 'string') return value === 'restoring' ? null : value;
  if ('halfOpen' in value) return 'halfOpen';
  return value.closed === 'recovering' ? 'recovering' : 'closed';
}

/** The same facts some time later. */
function agedBy(ms: number, facts: BreakerFacts): BreakerFacts {
  return {
    ...facts,
    openRemainingMs: facts.openRemainingMs - ms,
    openedAgoMs: facts.openedAgoMs === null ? null : facts.openedAgoMs + ms,
  };
}

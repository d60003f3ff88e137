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
import { Observable } from 'rxjs';
import { type Actor, createActor, type SnapshotFrom } from 'xstate';
import { DecisionWindow } from '../domain/decision-window.js';
import { HealthWindow } from '../domain/health-window.js';
import type { Outcome } from '../domain/outcome.js';
import type { BreakerSettings } from '../domain/policy.js';
import {
  type BreakerEmitted,
  type BreakerEvent,
  type BreakerFacts,
  breakerMachine,
} from '../machines/breaker-machine.js';
import { ActorInspection } from './actor-inspection.js';
import type { ActorObserver, BreakerStateName, Clock } from './ports.js';

/** Positive: the permit. Else why not, one of the values below. */
export type Admission = number;
export const REFUSED_OPEN = -1;
export const REFUSED_HALF_OPEN_FULL = -2;
export const REFUSED_ISOLATED = -3;
export const REFUSED_ACTOR_FAILED = -4;

export type TargetMode = 'closed' | 'open' | 'halfOpen' | 'isolated' | 'forcedClosed' | 'failed';

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
}

const LEASE_SLACK_MS = 1000;
const SAMPLE_MS = 50;
export const NO_FACTS: BreakerFacts = { state: 'closed', openRemainingMs: 0, openedAgoMs: null, trips: 0, epoch: 0 };

export class Target {
  readonly extensionId: string;
  readonly version: string;
  readonly health = new HealthWindow();
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
    this.#override = options.override;
    this.#facts = options.facts ?? NO_FACTS;
    this.#factsAtMs = options.clock.now();
    this.#mustProve = options.mustProve;
    this.#window = new DecisionWindow(options.settings.window_seconds * 1000);
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

  /** Permit (positive) or refusal; takes a probe's permit where half-open. */
  tryAdmit(nowMs: number): Admission {
    this.#hadTraffic = true;
    switch (this.#mode) {
      case 'closed':
      case 'forcedClosed':
        return this.#generation;
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

  /** G2. `startedMs` is the time given to `tryAdmit`; `latencyMs` is not read where the outcome is neutral. */
  settle(permit: Admission, outcome: Outcome, latencyMs: number, startedMs: number, nowMs: number): void {
    if (outcome !== 'neutral') this.#recordHealth(outcome === 'success', latencyMs, nowMs);
    if (permit !== this.#generation) return;
    if (this.#mode === 'halfOpen') {
      const type =
        outcome === 'success' ? 'probe.succeeded' : outcome === 'failure' ? 'probe.failed' : 'probe.released';
      this.send({ type, startedMs, nowMs });
    } else if (outcome === 'success') {
      this.#window.recordSuccess(nowMs);
      if (this.#inspection.isWatched) this.#sampleSuccess(nowMs);
    } else if (outcome === 'failure') {
      this.#window.recordFailure(nowMs);
      this.send({ type: 'attempt.failed', nowMs });
    }
  }

  /** Somebody received an attempt, whatever became of it. */
  notePresence(): void {
    this.#absentSinceMs = null;
  }

  /**
   * Nobody listens on its subject. True: it has succeeded within its window, was there until less than `graceMs` ago and
   * is no probe, so that this is a restart and counts for nothing.
   */
  isWithinAbsenceGrace(graceMs: number, nowMs: number): boolean {
    this.#absentSinceMs ??= nowMs;
    const lastSuccess = this.last.successMs;
    return (
      this.#mode !== 'halfOpen' &&
      lastSuccess !== null &&
      nowMs - lastSuccess <= this.#window.windowMs &&
      nowMs - this.#absentSinceMs < graceMs
    );
  }

  /** Evaluates the rules where there was traffic since the last tick. */
  tick(nowMs: number): void {
    if (!this.#hadTraffic) return;
    this.#hadTraffic = false;
    if (this.#mode === 'closed' || this.#mode === 'forcedClosed') this.send({ type: 'tick', nowMs });
  }

  /** A command of a person or the registry. A failed actor takes it through its facts when it is rebuilt. */
  send(event: BreakerEvent): void {
    if (this.#actor !== null) {
      this.#actor.send(event);
    } else if (event.type === 'breaker.reset') {
      this.#keep({ ...NO_FACTS, epoch: this.#facts.epoch + 1 });
      this.#mustProve = false;
    } else if (event.type === 'breaker.probe' || event.type === 'subject.changed') {
      this.#keep({ ...this.facts(), openRemainingMs: 0 });
      this.#mustProve ||= event.type === 'breaker.probe';
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
    this.send({ type: 'settings.changed', settings, leaseMs: this.#leaseMs, nowMs });
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

  get tripReason(): string | null {
    return this.#snapshot?.context.tripReason ?? null;
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

  #follow(snapshot: SnapshotFrom<typeof breakerMachine>): void {
    if (snapshot === this.#snapshot || snapshot.status !== 'active') return;
    this.#snapshot = snapshot;
    const value = snapshot.value;
    const mode = typeof value === 'string' ? value : 'halfOpen';
    if (mode !== 'restoring') this.#mode = mode;
    this.#mustProve = false;
    this.#generation = snapshot.context.generation;
    this.#openUntilMs = snapshot.context.openUntilMs;
    const told = this.#told;
    if (told.length === 0) return;
    this.#told = [];
    for (const event of told) {
      if (event.type === 'breaker.opened') this.counters.trips++;
      if (event.type === 'breaker.closed' && event.recovered) this.counters.recoveries++;
      this.#options.onEvent(this, event);
    }
  }
}

/** The same facts some time later. */
function agedBy(ms: number, facts: BreakerFacts): BreakerFacts {
  return {
    ...facts,
    openRemainingMs: facts.openRemainingMs - ms,
    openedAgoMs: facts.openedAgoMs === null ? null : facts.openedAgoMs + ms,
  };
}

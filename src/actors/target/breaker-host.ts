// The actor of one breaker over its lives: what the hot path reads of it, what it emits, and the facts that its successor begins with.
//
// BREAKER-HOST-1. `mode`, `generation` and `openUntilMs` are those in force: they follow each snapshot before any event of it.
// BREAKER-HOST-2. While the actor has failed nothing is admitted; its facts outlive it and age, so that the next one resumes where it
//     would be by then. Commands that arrive meanwhile change the facts.
// BREAKER-HOST-3. A watched actor also gets its successes as events, at most one per SAMPLE_MS, each with the number of successes since
//     the last; an unwatched one gets none.

import { type Actor, createActor, type SnapshotFrom } from 'xstate';
import { Observable } from '#rxjs';
import type { DecisionWindow } from '../../domain/breaker/decision-window.js';
import { openMs } from '../../domain/breaker/trip.js';
import type { Recovery } from '../../domain/registry/auto-management.js';
import type { BreakerSettings } from '../../domain/registry/policy.js';
import { breakerMachine } from '../../machines/breaker-machine.js';
import { closedFromStart } from '../../machines/breaker-start.js';
import type { BreakerEmitted, BreakerEvent, BreakerFacts, BreakerInput } from '../../machines/breaker-types.js';
import type { ActorObserver } from '../ports/api.js';
import type { Clock } from '../ports/clock.js';
import type { BreakerStateName } from '../ports/storage.js';
import { ActorInspection } from './actor-inspection.js';

export type BreakerMode = 'closed' | 'recovering' | 'open' | 'halfOpen' | 'isolated' | 'forcedClosed' | 'failed';
type Override = 'isolated' | 'forced_closed' | null;

export interface BreakerHostOptions {
  /** Of the actor. */
  readonly id: string;
  /** Emptied by the actor with every generation. */
  readonly window: DecisionWindow;
  readonly settings: BreakerSettings;
  readonly leaseMs: number;
  readonly override: Override;
  readonly facts: BreakerFacts | null;
  readonly mustProve: boolean;
  readonly clock: Clock;
  readonly random: () => number;
  /** Something of it that reports show may have changed; must not throw. */
  readonly onTouched: () => void;
  /** Its mode is another one now; must not throw. */
  readonly onMode: () => void;
  /** A new generation is in force. */
  readonly onGeneration: () => void;
  /** Called after the change is in force; must not throw. */
  readonly onEvent: (event: BreakerEmitted) => void;
}

/** Numbers that never repeat in this process, whatever actor asks. */
let lastGeneration = 0;
const nextGeneration = (): number => ++lastGeneration;

const SAMPLE_MS = 50;
export const NO_FACTS: BreakerFacts = { state: 'closed', openRemainingMs: 0, openedAgoMs: null, trips: 0, epoch: 0 };

export class BreakerHost {
  mode: BreakerMode = 'failed';
  generation = 0;
  /** Monotonic; meaningful only while open. */
  openUntilMs = 0;
  readonly #options: BreakerHostOptions;
  #settings: BreakerSettings;
  #leaseMs: number;
  #override: Override;
  #actor: Actor<typeof breakerMachine> | null = null;
  #snapshot: SnapshotFrom<typeof breakerMachine> | null = null;
  /** As of `#factsAtMs`; in force while no actor runs. */
  #facts: BreakerFacts;
  #factsAtMs: number;
  /** Until a first actor has started: from then on the facts say it. */
  #mustProve: boolean;
  #emitted: BreakerEmitted[] = [];
  readonly #inspection = new ActorInspection();
  /** Successes that have not been sent to the watched actor. */
  #pendingSuccesses = 0;
  #lastSampleMs = Number.NEGATIVE_INFINITY;

  constructor(options: BreakerHostOptions) {
    this.#options = options;
    this.#settings = options.settings;
    this.#leaseMs = options.leaseMs;
    this.#override = options.override;
    this.#facts = options.facts ?? NO_FACTS;
    this.#factsAtMs = options.clock.now();
    this.#mustProve = options.mustProve;
  }

  /** One life of the actor: started on subscription, stopped on unsubscription, an error if it fails. Never completes. */
  readonly life$ = new Observable<never>((subscriber) => {
    const { id, window, clock, random } = this.#options;
    const input: BreakerInput = {
      window,
      settings: this.#settings,
      leaseMs: this.#leaseMs,
      now: () => clock.now(),
      random,
      nextGeneration,
      override: this.#override,
      facts: this.facts(),
      mustProve: this.#mustProve,
    };
    const snapshot = closedFromStart(input);
    const actor = createActor(breakerMachine, { id, clock, input, ...(snapshot === null ? {} : { snapshot }) });
    // Emitted once the new state is in force: the actor emits while the transition is still in progress.
    actor.on('*', (event) => this.#emitted.push(event));
    actor.subscribe({
      next: (snapshot) => this.#follow(snapshot),
      error: (error) => {
        this.#keep(this.facts());
        this.mode = 'failed';
        this.generation = nextGeneration();
        this.#actor = null;
        this.#options.onTouched();
        this.#options.onMode();
        // What it emitted as it failed is not in force.
        this.#emitted = [];
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
      this.mode = 'failed';
      this.#actor = null;
      actor.stop();
    };
  });

  /** The probes in flight are counted elsewhere. */
  get isRunning(): boolean {
    return this.#actor !== null;
  }

  /** Probes in flight. */
  get probes(): number {
    return this.#snapshot?.context.probes.length ?? 0;
  }

  /** How its recoveries lasted; a new actor knows of none. */
  recovery(nowMs: number): Recovery {
    const { recoveries = 0, closedAtMs = nowMs } = this.#snapshot?.context ?? {};
    return { recoveries, closedForMs: nowMs - closedAtMs, windowMs: this.#options.window.windowMs };
  }

  /** Milliseconds until an open breaker may be tried, at least 0. */
  openRemainingMs(nowMs: number): number {
    return Math.max(this.openUntilMs - nowMs, 0);
  }

  /** The state that is published: isolated as open, forced closed as closed, failed as the state it failed in. */
  get publishedState(): BreakerStateName {
    switch (this.mode) {
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
        return this.mode satisfies never;
    }
  }

  /** Everything that the next actor needs to resume from here. */
  facts(): BreakerFacts {
    const context = this.#snapshot?.context;
    const nowMs = this.#options.clock.now();
    if (context === undefined || this.mode === 'failed') return agedBy(nowMs - this.#factsAtMs, this.#facts);
    return {
      state: this.publishedState,
      openRemainingMs: this.mode === 'open' ? this.openRemainingMs(nowMs) : 0,
      openedAgoMs: context.openedAtMs === null ? null : nowMs - context.openedAtMs,
      trips: context.trips,
      epoch: context.epoch,
    };
  }

  /** BREAKER-HOST-2: a failed actor takes a command through its facts when it is rebuilt. */
  send(event: BreakerEvent): void {
    if (this.#actor !== null) {
      this.#actor.send(event);
    } else if (event.type === 'breaker.reset' || event.type === 'breaker.enable') {
      this.#keep({ ...NO_FACTS, epoch: this.#facts.epoch + 1 });
      this.#mustProve = false;
    } else if (event.type === 'breaker.probe' || event.type === 'subject.changed') {
      this.#keep({ ...this.facts(), openRemainingMs: 0 });
      this.#mustProve ||= event.type === 'breaker.probe';
    } else if (event.type === 'settings.changed') {
      this.#options.window.resize(event.settings.window_seconds * 1000, event.nowMs);
      const facts = this.facts();
      this.#keep({
        ...facts,
        openRemainingMs: Math.min(facts.openRemainingMs, openMs(facts.trips, event.settings, 0)),
      });
    }
  }

  get override(): Override {
    return this.#override;
  }

  setOverride(override: Override, nowMs: number): void {
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

  setSettings(settings: BreakerSettings, leaseMs: number, nowMs: number): void {
    this.#settings = settings;
    this.#leaseMs = leaseMs;
    this.send({ type: 'settings.changed', settings, leaseMs, nowMs });
  }

  /** Notifies `observer` of what this actor does, and the actors after it. Returns the function that ends it. */
  watch(observer: ActorObserver): () => void {
    if (!this.#inspection.isWatched) this.#pendingSuccesses = 0;
    return this.#inspection.watch(observer);
  }

  /** BREAKER-HOST-3. A success that the window holds already. */
  showSuccess(nowMs: number): void {
    if (!this.#inspection.isWatched) return;
    this.#pendingSuccesses++;
    if (nowMs - this.#lastSampleMs < SAMPLE_MS) return;
    const successes = this.#pendingSuccesses;
    this.#pendingSuccesses = 0;
    this.#lastSampleMs = nowMs;
    this.send({ type: 'attempt.succeeded', successes, nowMs });
  }

  #keep(facts: BreakerFacts): void {
    this.#facts = facts;
    this.#factsAtMs = this.#options.clock.now();
  }

  /** BREAKER-HOST-1. */
  #follow(snapshot: SnapshotFrom<typeof breakerMachine>): void {
    if (snapshot === this.#snapshot || snapshot.status !== 'active') return;
    this.#snapshot = snapshot;
    this.#options.onTouched();
    const { context } = snapshot;
    const before = this.mode;
    this.mode = modeOf(snapshot.value) ?? this.mode;
    this.#mustProve = false;
    this.openUntilMs = context.openUntilMs;
    if (context.generation !== this.generation) {
      this.generation = context.generation;
      this.#options.onGeneration();
    }
    if (this.mode !== before) this.#options.onMode();
    const emitted = this.#emitted;
    if (emitted.length === 0) return;
    this.#emitted = [];
    for (const event of emitted) this.#options.onEvent(event);
  }
}

/** null: it is in no settled state. */
function modeOf(value: SnapshotFrom<typeof breakerMachine>['value']): BreakerMode | null {
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

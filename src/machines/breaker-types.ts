// What goes into a breaker and comes out of it: input, context, events, and what it emits.
import type { DecisionWindow } from '../domain/breaker/decision-window.js';
import type { TripReason } from '../domain/breaker/trip.js';
import type { TripEvidence } from '../domain/breaker/trip-evidence.js';
import type { BreakerSettings } from '../domain/registry/policy.js';

/** What a breaker was before: from the database, or from the actor that failed. */
export interface BreakerFacts {
  readonly state: 'closed' | 'open' | 'half_open';
  /** Time left until it may half-open; at most 0 when over. Only read if the state is open. */
  readonly openRemainingMs: number;
  readonly openedAgoMs: number | null;
  /** Trips in a row, for the doubling of the open time. */
  readonly trips: number;
  /** Counts this target's transitions over its whole life. */
  readonly epoch: number;
}

export interface BreakerInput {
  readonly window: DecisionWindow;
  readonly settings: BreakerSettings;
  /** How long a probe may take before it counts as failed. */
  readonly leaseMs: number;
  /** The clock of the machine's own timers, monotonic ms. */
  readonly now: () => number;
  /** 0..1. */
  readonly random: () => number;
  /** A number that never repeats in this process. */
  readonly nextGeneration: () => number;
  readonly override: 'isolated' | 'forced_closed' | null;
  readonly facts: BreakerFacts;
  /** It was disabled automatically, whatever its stored facts say: it has to prove itself. */
  readonly mustProve: boolean;
}

export interface BreakerContext extends Omit<BreakerInput, 'override' | 'facts' | 'mustProve'> {
  readonly boot: Pick<BreakerInput, 'override' | 'facts' | 'mustProve'>;
  readonly generation: number;
  readonly epoch: number;
  readonly trips: number;
  readonly tripReason: TripReason | null;
  /** Monotonic; null while it is not known or not open. */
  readonly openedAtMs: number | null;
  readonly openUntilMs: number;
  readonly closedAtMs: number;
  /** Recoveries in a row: each but the last was followed by a trip within a window of it. */
  readonly recoveries: number;
  /** When the slow start ends at the latest; meaningful only while it is recovering. */
  readonly rampUntilMs: number;
  /** When each probe in flight was admitted, oldest first. */
  readonly probes: readonly number[];
  /** When the lease of each of them is over, in the same order. */
  readonly leasesUntilMs: readonly number[];
  readonly probeSuccesses: number;
  /** When each warning was last emitted: at most once per window, and independent of the other. */
  readonly warnedAtMs: { readonly wouldOpen: number; readonly highFailureCount: number };
}

export type BreakerEvent =
  | { type: 'attempt.failed'; nowMs: number }
  /** Sent to a watched actor, for its viewers: it represents `successes` that the window already holds. */
  | { type: 'attempt.succeeded'; successes: number; nowMs: number }
  | { type: 'tick'; nowMs: number }
  | { type: 'open.elapsed'; nowMs: number }
  | { type: 'probe.started'; nowMs: number }
  | { type: 'probe.succeeded' | 'probe.released'; startedMs: number; nowMs: number }
  /** `slow`: it succeeded, but took longer than slow_call_ms. */
  | { type: 'probe.failed'; startedMs: number; nowMs: number; slow?: boolean }
  /** Commands of an operator or of the registry. */
  | { type: 'breaker.isolate' | 'breaker.force_close' | 'breaker.release' | 'breaker.reset'; nowMs: number }
  /** Half-open now, whatever it was. */
  | { type: 'breaker.probe'; nowMs: number }
  /** Closed now, with a slow start, whatever it was. */
  | { type: 'breaker.enable'; nowMs: number }
  /** The slow start admits as many calls as there were before. */
  | { type: 'ramp.completed'; nowMs: number }
  /** A new generation in the same state. */
  | { type: 'breaker.renew'; nowMs: number }
  /** Other code answers now: an open breaker may probe it immediately, any other renews. */
  | { type: 'subject.changed'; nowMs: number }
  | { type: 'settings.changed'; settings: BreakerSettings; leaseMs: number; nowMs: number };

export type BreakerEmitted =
  | { type: 'breaker.opened'; reason: TripReason; evidence: TripEvidence; reopened: boolean; nowMs: number }
  | { type: 'breaker.half_opened'; nowMs: number }
  /** `recovered`: probes closed it; false: an operator did. */
  | { type: 'breaker.closed'; recovered: boolean; nowMs: number }
  | { type: 'breaker.would_open'; reason: TripReason; evidence: TripEvidence; nowMs: number }
  | { type: 'breaker.high_failure_count'; evidence: TripEvidence; nowMs: number };

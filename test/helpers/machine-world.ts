// One breaker's statechart on a simulated clock, for tests of its transitions and times.
import { createActor } from 'xstate';
import { DecisionWindow } from '../../src/domain/breaker/decision-window.js';
import type { BreakerSettings } from '../../src/domain/registry/policy.js';
import { breakerMachine } from '../../src/machines/breaker-machine.js';
import type { StartSnapshot } from '../../src/machines/breaker-start.js';
import type { BreakerEmitted, BreakerEvent, BreakerFacts, BreakerInput } from '../../src/machines/breaker-types.js';
import { breakerSettings } from './breaker-settings.js';
import { SimulatedClock } from './simulated-clock.js';

type EventType = BreakerEvent['type'];
export type PlainEvent = Exclude<
  EventType,
  'settings.changed' | 'attempt.succeeded' | `probe.${'succeeded' | 'failed' | 'released'}`
>;

export const LEASE_MS = 6000;
export const CLOSED: BreakerFacts = { state: 'closed', openRemainingMs: 0, openedAgoMs: null, trips: 0, epoch: 0 };

/** Of a breaker that begins closed and empty. */
export const breakerInput = (settings: BreakerSettings, changes: Partial<BreakerInput> = {}): BreakerInput => ({
  window: new DecisionWindow(settings.window_seconds * 1000),
  settings,
  leaseMs: LEASE_MS,
  now: () => 0,
  random: () => 0,
  nextGeneration: () => 0,
  override: null,
  facts: CLOSED,
  mustProve: false,
  ...changes,
});

/** One breaker on a simulated clock, started at 1 000 000 ms. */
export class MachineWorld {
  readonly clock = new SimulatedClock(1_000_000);
  readonly emitted: BreakerEmitted[] = [];
  readonly errors: unknown[] = [];
  readonly window: DecisionWindow;
  readonly actor;
  settings: BreakerSettings;
  random = 0;
  #generation = 0;

  /** `snapshotOf`: what the actor starts from; null: from its input. */
  constructor(
    settings: Partial<BreakerSettings> = {},
    changes: Partial<BreakerInput> = {},
    snapshotOf: (input: BreakerInput) => StartSnapshot | null = () => null,
  ) {
    this.settings = breakerSettings(settings);
    this.window = new DecisionWindow(this.settings.window_seconds * 1000);
    const input = breakerInput(this.settings, {
      window: this.window,
      now: this.clock.now,
      random: () => this.random,
      nextGeneration: () => ++this.#generation,
      ...changes,
    });
    const snapshot = snapshotOf(input);
    const { clock } = this;
    this.actor = createActor(breakerMachine, { clock, input, ...(snapshot === null ? {} : { snapshot }) });
    this.actor.on('*', (event) => this.emitted.push(event));
    this.actor.subscribe({ error: (error) => this.errors.push(error) });
    this.actor.start();
  }

  get state(): string {
    const { value } = this.actor.getSnapshot();
    if (typeof value === 'string') return value;
    if ('halfOpen' in value) return `halfOpen.${value.halfOpen}`;
    return value.closed === 'steady' ? 'closed' : 'closed.recovering';
  }

  get context() {
    return this.actor.getSnapshot().context;
  }

  get eventTypes(): string[] {
    return this.emitted.map((event) => event.type);
  }

  send(type: PlainEvent, nowMs = this.clock.now()): this {
    this.actor.send({ type, nowMs });
    return this;
  }

  endProbe(how: 'succeeded' | 'failed' | 'released', startedMs = this.context.probes[0] ?? this.clock.now()): this {
    this.actor.send({ type: `probe.${how}`, startedMs, nowMs: this.clock.now() });
    return this;
  }

  change(settings: Partial<BreakerSettings>, leaseMs = LEASE_MS): this {
    this.settings = { ...this.settings, ...settings };
    this.actor.send({ type: 'settings.changed', settings: this.settings, leaseMs, nowMs: this.clock.now() });
    return this;
  }

  /** Failures as a target records them, before the machine gets an event for the last one. */
  fail(times: number): this {
    return this.recordFailures(times).send('attempt.failed');
  }

  recordFailures(times: number): this {
    for (let i = 0; i < times; i++) this.window.recordFailure(this.clock.now());
    return this;
  }

  succeed(times: number): this {
    for (let i = 0; i < times; i++) this.window.recordSuccess(this.clock.now());
    return this;
  }

  trip(): this {
    return this.fail(5);
  }

  halfOpen(): this {
    this.trip();
    this.clock.advance(this.context.openUntilMs - this.clock.now());
    return this;
  }

  recover(): this {
    this.halfOpen();
    for (let i = 0; i < this.settings.half_open_successes; i++) this.send('probe.started').endProbe('succeeded');
    return this;
  }
}

/** A breaker in each state, and how it gets there. */
export const STATES = {
  closed: (w: MachineWorld) => w,
  'closed.recovering': (w: MachineWorld) => w.recover(),
  open: (w: MachineWorld) => w.trip(),
  'halfOpen.waiting': (w: MachineWorld) => w.halfOpen(),
  'halfOpen.probing': (w: MachineWorld) => w.halfOpen().send('probe.started'),
  isolated: (w: MachineWorld) => w.send('breaker.isolate'),
  forcedClosed: (w: MachineWorld) => w.send('breaker.force_close'),
} as const;
export type State = keyof typeof STATES;

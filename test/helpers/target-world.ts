// One target with a live actor on a simulated clock, for tests of admission, settlement and the breaker's host.
import { keepAlive } from '../../src/actors/extension/actor-supervision.js';
import type { Clock } from '../../src/actors/ports/clock.js';
import type { Admission } from '../../src/actors/target/admission.js';
import type { BreakerMode } from '../../src/actors/target/breaker-host.js';
import { Attempt as Sent } from '../../src/actors/target/in-flight.js';
import { Target, type TargetOptions } from '../../src/actors/target/target.js';
import type { Outcome } from '../../src/domain/breaker/outcome.js';
import type { BreakerSettings } from '../../src/domain/registry/policy.js';
import type { BreakerEmitted, BreakerFacts } from '../../src/machines/breaker-types.js';
import { breakerSettings } from './breaker-settings.js';
import { SimulatedClock } from './simulated-clock.js';

export const TIMEOUT_MS = 5000;
export const LEASE_MS = 2 * TIMEOUT_MS + 7000;

/** A target `a@v1` that begins closed, with the settings of the specification. */
export const targetOptions = (clock: Clock, changes: Partial<TargetOptions> = {}): TargetOptions => ({
  extensionId: 'a',
  version: 'v1',
  settings: breakerSettings(),
  timeoutMs: TIMEOUT_MS,
  override: null,
  facts: null,
  mustProve: false,
  clock,
  random: () => 0,
  onEvent: () => {},
  onRotation: () => {},
  ...changes,
});

export type Verb = 'breaker.reset' | 'breaker.probe' | 'breaker.renew' | 'subject.changed';

export interface Attempt {
  readonly permit: Admission;
  readonly sent: Sent;
}

/** A target with a live actor on a simulated clock. */
export class TargetWorld {
  readonly clock: SimulatedClock;
  readonly target: Target;
  readonly events: BreakerEmitted[] = [];
  readonly modesAtEvents: BreakerMode[] = [];
  readonly failures: { readonly error: unknown; readonly givenUp: boolean }[] = [];
  readonly life;
  settings: BreakerSettings;
  random: () => number = () => 0;

  constructor(settings: Partial<BreakerSettings> = {}, options: Partial<TargetOptions> = {}, clock?: SimulatedClock) {
    this.clock = clock ?? new SimulatedClock(1_000_000);
    this.settings = breakerSettings(settings);
    this.target = new Target(
      targetOptions(this.clock, {
        settings: this.settings,
        random: () => this.random(),
        onEvent: (target, event) => {
          this.events.push(event);
          this.modesAtEvents.push(target.mode);
        },
        ...options,
      }),
    );
    this.life = keepAlive(this.target.life$, this.clock, (error, givenUp) =>
      this.failures.push({ error, givenUp }),
    ).subscribe();
  }

  get mode(): BreakerMode {
    return this.target.mode;
  }

  get eventTypes(): string[] {
    return this.events.map((event) => event.type);
  }

  admit(): Attempt {
    const nowMs = this.clock.now();
    const permit = this.target.tryAdmit(nowMs);
    const sent = new Sent();
    if (permit > 0) this.target.begin(sent, permit, null, false, nowMs);
    return { permit, sent };
  }

  settle({ sent }: Attempt, outcome: Outcome): void {
    const nowMs = this.clock.now();
    this.target.settle(sent, outcome, nowMs - sent.startedMs, nowMs);
  }

  call(outcome: Outcome): Admission {
    const attempt = this.admit();
    if (attempt.permit > 0) this.settle(attempt, outcome);
    return attempt.permit;
  }

  calls(times: number, outcome: Outcome): this {
    for (let i = 0; i < times; i++) this.call(outcome);
    return this;
  }

  send(type: Verb): this {
    this.target.send({ type, nowMs: this.clock.now() });
    return this;
  }

  override(override: 'isolated' | 'forced_closed' | null): this {
    this.target.setOverride(override, this.clock.now());
    return this;
  }

  trip(): this {
    return this.calls(5, 'failure');
  }

  /** Open with its time over, and no timer has shown it yet. */
  overdue(): this {
    this.trip();
    this.clock.stall(this.target.openRemainingMs(this.clock.now()));
    return this;
  }

  halfOpen(): this {
    this.trip();
    this.clock.advance(this.target.openRemainingMs(this.clock.now()));
    return this;
  }

  recover(): this {
    return this.halfOpen().calls(2, 'success');
  }

  /** A bug in the actor, in whatever state it is. */
  crash(): this {
    const settings = {
      ...this.settings,
      get window_seconds(): number {
        throw new Error('a bug');
      },
    };
    this.target.setSettings(settings, TIMEOUT_MS, this.clock.now());
    this.target.setSettings(this.settings, TIMEOUT_MS, this.clock.now());
    return this;
  }
}

export const CLOSED: BreakerFacts = { state: 'closed', openRemainingMs: 0, openedAgoMs: null, trips: 0, epoch: 0 };

/** A target in each mode, and how it gets there. */
export const MODES = {
  closed: (w: TargetWorld) => w,
  open: (w: TargetWorld) => w.trip(),
  halfOpen: (w: TargetWorld) => w.halfOpen(),
  'halfOpen with a probe out': (w: TargetWorld) => {
    w.halfOpen().admit();
    return w;
  },
  recovered: (w: TargetWorld) => w.recover(),
  isolated: (w: TargetWorld) => w.override('isolated'),
  forcedClosed: (w: TargetWorld) => w.override('forced_closed'),
  failed: (w: TargetWorld) => w.crash(),
  'rebuilt after a failure': (w: TargetWorld) => {
    w.crash().clock.advance(50);
    return w;
  },
  renewed: (w: TargetWorld) => w.send('breaker.renew'),
  reset: (w: TargetWorld) => w.send('breaker.reset'),
  'with another subject': (w: TargetWorld) => w.send('subject.changed'),
} as const;

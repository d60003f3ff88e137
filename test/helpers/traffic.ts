// A world in which every subject behaves as the test says, and callers come at a steady rate.
import type { ActorSystemSettings } from '../../src/actors/actor-system.js';
import type { AttemptEnd } from '../../src/actors/ports/transport.js';
import { ActorWorld, type Called, settle } from './actor-world.js';

export interface Behaviour {
  /** A number is a reply with that service error code, 0 a plain reply; `hang` ends with the timeout. */
  readonly ends: number | Exclude<AttemptEnd, 'reply' | 'timeout'> | 'hang';
  /** Milliseconds until then; of no meaning for a hang. */
  readonly afterMs?: number;
}

export const WORKS: Behaviour = { ends: 0, afterMs: 5 };
export const FAILS: Behaviour = { ends: 500, afterMs: 5 };
export const HANGS: Behaviour = { ends: 'hang' };
export const ABSENT: Behaviour = { ends: 'no_responders', afterMs: 0 };

export class Traffic extends ActorWorld {
  /** By subject; who is not named works. */
  readonly behaviour = new Map<string, Behaviour>();
  readonly calls: Called[] = [];

  constructor(settings: Partial<ActorSystemSettings> = {}) {
    super(settings);
    this.onSent = (attempt) => {
      const { ends, afterMs = 0 } = this.behaviour.get(attempt.route.subject) ?? WORKS;
      const how = ends === 'hang' ? 'timeout' : ends;
      const ms = ends === 'hang' ? attempt.timeoutMs : afterMs;
      if (ms === 0) attempt.end(how);
      else this.clock.setTimeout(() => attempt.end(how), ms);
    };
  }

  /** Calls of one extension, evenly spread; ticks and timers run meanwhile. Returns these calls. */
  async come(extensionId: string, seconds: number, perSecond: number): Promise<Called[]> {
    const first = this.calls.length;
    for (let i = 0; i < seconds * perSecond; i++) {
      this.calls.push(this.call(extensionId));
      this.clock.advance(1000 / perSecond);
      if (i % perSecond === 0) await settle();
    }
    return this.calls.slice(first);
  }

  /** Attempts to one subject so far. */
  sentTo(subject: string): number {
    return this.sent.filter((attempt) => attempt.route.subject === subject).length;
  }
}

export const okShare = (calls: readonly Called[]): number =>
  calls.filter((call) => call.answers[0] === 'ok').length / calls.length;

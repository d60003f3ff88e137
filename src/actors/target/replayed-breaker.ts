// A breaker under another policy, fed with what was recorded of a target: when it would have opened, beside when the real one did.
//
// REPLAYED-BREAKER-1. Under the policy that was in force it opens exactly when the real one did, for the same reasons.
// REPLAYED-BREAKER-2. An attempt counts if it began in the present generation of the replayed breaker, and an open one would have refused it.
//     What the real one refused is not known, and takes no part.
import type { Subscription } from '#rxjs';
import { DecisionWindow } from '../../domain/breaker/decision-window.js';
import type { TripReason } from '../../domain/breaker/trip.js';
import type { TripEvidence } from '../../domain/breaker/trip-evidence.js';
import type { BreakerSettings } from '../../domain/registry/policy.js';
import type { Steps } from '../../domain/steps.js';
import type { BreakerEmitted } from '../../machines/breaker-types.js';
import { COMMANDS, type Entry, type RecordCopy, TRIP_REASONS } from './attempt-record.js';
import { BreakerHost } from './breaker-host.js';
import { ReplayClock } from './replay-clock.js';

interface ReplayedTrip {
  /** Monotonic ms. */
  readonly atMs: number;
  readonly reason: TripReason;
  /** From half-open. */
  readonly reopened: boolean;
  /** null: of a real trip the record does not have it. */
  readonly evidence: TripEvidence | null;
}

/** Those of the trips that are named; `count`: all of them. */
export interface Trips {
  readonly count: number;
  readonly first: readonly ReplayedTrip[];
}

const MAX_NAMED = 1000;
/** An entry takes some 10 us at most. */
const PER_STEP = 32;

interface Part {
  readonly window: DecisionWindow;
  failuresInRow: number;
  row: number;
}

type Settled = 'success' | 'failure' | 'uncounted';

const ignore = (): void => undefined;

export class ReplayedBreaker {
  readonly #record: RecordCopy;
  readonly #settings: BreakerSettings;
  readonly #clock: ReplayClock;
  readonly #window: DecisionWindow;
  readonly #host: BreakerHost;
  readonly #sinceMs: number;
  readonly #parts = new Map<number, Part>();
  /** Of this generation: when each probe began, by the number of its entry. */
  readonly #probes = new Map<number, number>();
  /** The first entry of the present generation. */
  #generationFrom = 0;
  /** Of the next entry that a transition can belong to. */
  #position = 0;
  /** Where the search for the random number of the next trip goes on. */
  #drawsFrom: number;
  readonly #would = { count: 0, first: [] as ReplayedTrip[] };
  readonly #did = { count: 0, first: [] as ReplayedTrip[] };
  #attempts = 0;

  /** `sinceMs`: trips before it are not reported; what was recorded before it is replayed nevertheless. */
  constructor(record: RecordCopy, settings: BreakerSettings, leaseMs: number, sinceMs: number) {
    this.#record = record;
    this.#settings = settings;
    this.#sinceMs = sinceMs;
    this.#drawsFrom = record.first;
    this.#clock = new ReplayClock(record.entry(record.first).atMs);
    this.#window = new DecisionWindow(settings.window_seconds * 1000);
    this.#host = new BreakerHost({
      id: 'replay',
      window: this.#window,
      settings,
      leaseMs,
      override: record.start?.override ?? null,
      facts: record.start,
      mustProve: false,
      clock: this.#clock,
      random: () => this.#nextDraw(),
      onTouched: ignore,
      onMode: ignore,
      onGeneration: () => this.#generationBegan(),
      onEvent: (event) => this.#emitted(event),
    });
  }

  /** A timer that is due after the last entry does not fire: what happened then is not known. Yields every PER_STEP entries. */
  *replaying(): Steps<{ readonly would: Trips; readonly did: Trips; readonly attempts: number }> {
    const life: Subscription = this.#host.life$.subscribe({ error: ignore });
    try {
      for (let i = this.#record.first; i < this.#record.written; i++) {
        const entry = this.#record.entry(i);
        this.#position = i;
        while (this.#clock.step(entry.atMs)) if (this.#host.mode === 'failed') break;
        const { mode, openUntilMs } = this.#host;
        if (mode === 'open' && entry.atMs >= openUntilMs) this.#host.send({ type: 'open.elapsed', nowMs: entry.atMs });
        this.#position = i + 1;
        this.#take(entry, i);
        if (i % PER_STEP === 0) yield;
      }
    } finally {
      life.unsubscribe();
    }
    return { would: this.#would, did: this.#did, attempts: this.#attempts };
  }

  #take(entry: Entry, number: number): void {
    const { kind, atMs } = entry;
    switch (kind) {
      case 'success':
      case 'failure':
      case 'uncounted':
        this.#attempts++;
        return this.#settled(entry, kind, number);
      case 'tick':
        return this.#ticked(entry);
      case 'overdue':
        return this.#window.setOverdue(entry.word, entry.number);
      case 'probe_began':
        return this.#probeBegan(number, atMs);
      case 'probe_released':
        return this.#probeReleased(number, atMs);
      case 'opened': {
        const [reason, reopened] = [TRIP_REASONS[entry.number >> 1] as TripReason, entry.number % 2 === 1];
        return this.#note(this.#did, { atMs, reason, reopened, evidence: null });
      }
      case 'command':
        return this.#command(COMMANDS[entry.word] as (typeof COMMANDS)[number], atMs);
      case 'ejected':
        return this.#eject(entry.endpoint, atMs);
      case 'half_opened':
      case 'closed':
        return;
      default:
        kind satisfies never;
    }
  }

  #settled(entry: Entry, kind: Settled, number: number): void {
    const { atMs, began, endpoint } = entry;
    // REPLAYED-BREAKER-2.
    if (began < this.#generationFrom) return;
    const isSlow = kind === 'success' && entry.number > (this.#settings.slow_call_ms ?? Number.POSITIVE_INFINITY);
    const outcome: Settled = isSlow ? 'failure' : kind;
    const { mode } = this.#host;
    if (mode === 'halfOpen') return this.#probeSettled(entry, outcome, isSlow);
    if (mode !== 'closed' && mode !== 'recovering' && mode !== 'forcedClosed') return;
    if (outcome === 'uncounted') return;
    const part = endpoint === 0 ? null : this.#part(endpoint);
    if (outcome === 'success') {
      this.#window.recordSuccess(atMs);
      part?.window.recordSuccess(atMs);
      return;
    }
    for (const window of part === null ? [this.#window] : [this.#window, part.window])
      if (isSlow) window.recordSlow(atMs);
      else window.recordFailure(atMs);
    if (part !== null) {
      part.failuresInRow = part.row === this.#window.row ? part.failuresInRow + 1 : 1;
      part.row = this.#window.row;
    }
    if (entry.ejects) this.#ejectedBy(endpoint, number, atMs);
    this.#host.send({ type: 'attempt.failed', nowMs: atMs });
  }

  /** What was overdue at the endpoint is written behind the failure, and counts no more when that is judged. */
  #ejectedBy(endpoint: number, number: number, atMs: number): void {
    this.#eject(endpoint, atMs);
    if (number + 1 === this.#record.written) return;
    const next = this.#record.entry(number + 1);
    if (next.kind === 'overdue') this.#window.setOverdue(next.word, next.number);
  }

  #probeSettled({ atMs, began, ejects }: Entry, outcome: Settled, slow: boolean): void {
    // Where the real breaker was not half-open, the attempt is known only by its end.
    const isKnown = began > this.#record.first && this.#record.entry(began - 1).kind === 'probe_began';
    let startedMs: number | undefined = atMs;
    if (isKnown) startedMs = this.#probes.get(began - 1);
    else if (this.#host.probes < this.#settings.half_open_max_requests)
      this.#host.send({ type: 'probe.started', nowMs: atMs });
    else return;
    if (startedMs === undefined) return;
    this.#probes.delete(began - 1);
    if (outcome === 'failure' && !ejects)
      return this.#host.send({ type: 'probe.failed', startedMs, nowMs: atMs, slow });
    const type = outcome === 'success' ? 'probe.succeeded' : 'probe.released';
    this.#host.send({ type, startedMs, nowMs: atMs });
  }

  #ticked({ word, number, atMs }: Entry): void {
    const { mode } = this.#host;
    if (mode !== 'closed' && mode !== 'recovering' && mode !== 'forcedClosed') return;
    this.#window.setOverdue(word, number);
    if (this.#window.failures(atMs) + this.#window.overdue > 0) this.#host.send({ type: 'tick', nowMs: atMs });
  }

  #probeBegan(number: number, atMs: number): void {
    if (this.#host.mode !== 'halfOpen' || this.#host.probes >= this.#settings.half_open_max_requests) return;
    this.#probes.set(number, atMs);
    this.#host.send({ type: 'probe.started', nowMs: atMs });
  }

  /** With the permit that was given immediately before. */
  #probeReleased(number: number, atMs: number): void {
    const startedMs = this.#probes.get(number - 1);
    if (startedMs === undefined || this.#host.mode !== 'halfOpen') return;
    this.#probes.delete(number - 1);
    this.#host.send({ type: 'probe.released', startedMs, nowMs: atMs });
  }

  #command(command: (typeof COMMANDS)[number], nowMs: number): void {
    if (command === 'no_override') this.#host.setOverride(null, nowMs);
    else if (command === 'isolated' || command === 'forced_closed') this.#host.setOverride(command, nowMs);
    else this.#host.send({ type: command, nowMs });
  }

  #part(endpoint: number): Part {
    const known = this.#parts.get(endpoint);
    if (known !== undefined) return known;
    const part = { window: new DecisionWindow(this.#window.windowMs), failuresInRow: 0, row: -1 };
    this.#parts.set(endpoint, part);
    return part;
  }

  #eject(endpoint: number, atMs: number): void {
    const part = this.#parts.get(endpoint);
    if (part === undefined) return;
    this.#window.subtract(part.window, part.row === this.#window.row ? part.failuresInRow : 0, atMs);
    part.window.clear();
  }

  #generationBegan(): void {
    this.#generationFrom = this.#position;
    this.#probes.clear();
    this.#parts.clear();
  }

  /** Those of the real trips in their order; in the middle of the range where there were fewer. */
  #nextDraw(): number {
    while (this.#drawsFrom < this.#record.written) {
      const { kind, word } = this.#record.entry(this.#drawsFrom++);
      if (kind === 'opened') return word / 2 ** 32;
    }
    return 0.5;
  }

  #emitted(event: BreakerEmitted): void {
    if (event.type !== 'breaker.opened') return;
    const { nowMs: atMs, reason, reopened, evidence } = event;
    this.#note(this.#would, { atMs, reason, reopened, evidence });
  }

  #note(trips: { count: number; first: ReplayedTrip[] }, trip: ReplayedTrip): void {
    if (trip.atMs < this.#sinceMs) return;
    trips.count++;
    if (trips.first.length < MAX_NAMED) trips.first.push(trip);
  }
}

// What happened to one target, as far as its breaker depends on it: settled attempts first, and between them ticks, probes, transitions
// and commands. For the replay under another policy (actors/reporting/replay.ts).
//
// ATTEMPT-RECORD-1. A ring of `capacity` entries of 16 bytes in one buffer, allocated with the first of them; writing one allocates nothing.
// ATTEMPT-RECORD-2. Entries are in the order in which they had effect: what a breaker did by an entry stands behind it. An attempt knows how many
//     were written before it began, so that its generation is known whatever the clock says.
import type { BreakerFacts } from '../../machines/breaker-types.js';

const BYTES = 16;

const KINDS = [
  'success',
  'failure',
  /** Neutral, or it counted for its endpoint alone. */
  'uncounted',
  'tick',
  /** Attempts that are overdue are fewer or more than before. */
  'overdue',
  'probe_began',
  'probe_released',
  'opened',
  'half_opened',
  'closed',
  'command',
  /** An endpoint, at a tick or by a report. */
  'ejected',
] as const;
type EntryKind = (typeof KINDS)[number];
const [SUCCESS, FAILURE, UNCOUNTED] = [0, 1, 2];

/** Of an entry `command`, by number. */
export const COMMANDS = [
  'no_override',
  'isolated',
  'forced_closed',
  'breaker.reset',
  'breaker.probe',
  'breaker.enable',
  'breaker.renew',
  'subject.changed',
] as const;

/** By number, in an entry `opened`. */
export const TRIP_REASONS = [
  'failure_count',
  'consecutive_failures',
  'error_rate',
  'probe_failed',
  'lease_over',
] as const;

/** Bits of the second word: kind, whether the attempt ejected its endpoint, and a number. */
const KIND_BITS = 4;
const EJECTS = 1 << KIND_BITS;
const NUMBER_BITS = 27;
const MAX_NUMBER = 2 ** NUMBER_BITS - 1;
/** Of the first word of an attempt: how many entries ago it began, and its endpoint. */
const ENDPOINT_BITS = 15;
const MAX_ENDPOINT = 2 ** ENDPOINT_BITS - 1;
const MAX_AGO = 2 ** (32 - ENDPOINT_BITS) - 1;

export interface Entry {
  readonly kind: EntryKind;
  /** Monotonic ms. */
  readonly atMs: number;
  /** Of an attempt: the number of entries before it began; what was before the ring is negative. */
  readonly began: number;
  /** Of an attempt or `ejected`: 0 for none. */
  readonly endpoint: number;
  readonly ejects: boolean;
  /** Of an attempt: its latency in ms, rounded up. Of a tick and `overdue`: those of them in a row of failures. */
  readonly number: number;
  /** The first word as it is: overdue attempts, a draw, a command. */
  readonly word: number;
}

/** What the breaker was as a record began. */
interface RecordStart extends BreakerFacts {
  readonly override: 'isolated' | 'forced_closed' | null;
}

/** Entries as they were at one moment. Their numbers count from the first that was ever written. */
export interface RecordCopy {
  readonly first: number;
  readonly written: number;
  /** null: the beginning is not in the ring any more. */
  readonly start: RecordStart | null;
  entry(number: number): Entry;
}

export class AttemptRecord {
  #buffer: ArrayBuffer | null = null;
  #times = new Float64Array(0);
  #words = new Uint32Array(0);
  #start: RecordStart | null = null;
  #overdue = 0;
  #overdueInRow = 0;
  /** Entries ever. */
  written = 0;
  /** Attempts among them. */
  attempts = 0;
  /** Random number of the last trip, 0..1. */
  #draw = 0;

  /** `startNow`: asked for with the first entry. */
  constructor(
    readonly capacity: number,
    private readonly startNow: () => RecordStart,
  ) {}

  attempt(
    outcome: 'success' | 'failure' | 'neutral',
    began: number,
    endpoint: number,
    latencyMs: number,
    nowMs: number,
  ): void {
    const kind = outcome === 'success' ? SUCCESS : outcome === 'failure' ? FAILURE : UNCOUNTED;
    const ago = began > this.written ? MAX_AGO : Math.min(this.written - began, MAX_AGO);
    const latency = kind === UNCOUNTED ? 0 : Math.ceil(latencyMs);
    this.#write(kind as number, ago * 2 ** ENDPOINT_BITS + Math.min(endpoint, MAX_ENDPOINT), latency, nowMs);
    this.attempts++;
    if (kind === SUCCESS) this.#overdueInRow = 0;
  }

  /** The failure that was written last ejected its endpoint. */
  ejects(): void {
    const at = ((this.written - 1) % this.capacity) * 4 + 3;
    this.#words[at] = ((this.#words[at] as number) | EJECTS) >>> 0;
  }

  ejected(endpoint: number, nowMs: number): void {
    this.#write(KINDS.indexOf('ejected'), Math.min(endpoint, MAX_ENDPOINT), 0, nowMs);
  }

  tick(overdue: number, inRow: number, nowMs: number): void {
    this.#overdue = overdue;
    this.#overdueInRow = inRow;
    this.#write(KINDS.indexOf('tick'), overdue, inRow, nowMs);
  }

  /** Writes only what is another number than before. */
  overdue(overdue: number, inRow: number, nowMs: number): void {
    if (overdue === this.#overdue && inRow === this.#overdueInRow) return;
    this.#overdue = overdue;
    this.#overdueInRow = inRow;
    this.#write(KINDS.indexOf('overdue'), overdue, inRow, nowMs);
  }

  /** A new generation has no overdue attempts. */
  generationBegan(): void {
    this.#overdue = 0;
    this.#overdueInRow = 0;
  }

  note(kind: 'probe_began' | 'probe_released' | 'half_opened' | 'closed', nowMs: number): void {
    this.#write(KINDS.indexOf(kind), 0, 0, nowMs);
  }

  opened(reason: (typeof TRIP_REASONS)[number], reopened: boolean, nowMs: number): void {
    this.#write(
      KINDS.indexOf('opened'),
      this.#draw * 2 ** 32,
      TRIP_REASONS.indexOf(reason) * 2 + (reopened ? 1 : 0),
      nowMs,
    );
  }

  command(name: (typeof COMMANDS)[number], nowMs: number): void {
    this.#write(KINDS.indexOf('command'), COMMANDS.indexOf(name), 0, nowMs);
  }

  /** The same random number, as exact as an entry can hold it. 0..1 */
  drawn(random: number): number {
    this.#draw = Math.min(Math.floor(random * 2 ** 32), 2 ** 32 - 1) / 2 ** 32;
    return this.#draw;
  }

  /** In one step: at most 1.6 MB. */
  copy(): RecordCopy {
    const buffer = this.#buffer?.slice(0) ?? new ArrayBuffer(0);
    const { capacity, written } = this;
    const first = Math.max(0, written - capacity);
    const [times, words] = [new Float64Array(buffer), new Uint32Array(buffer)];
    const entry = (number: number) => entryOf(number, (number % capacity) * 2, times, words);
    return { first, written, start: first === 0 ? this.#start : null, entry };
  }

  #write(kind: number, word: number, number: number, nowMs: number): void {
    if (this.#buffer === null) {
      this.#buffer = new ArrayBuffer(this.capacity * BYTES);
      this.#times = new Float64Array(this.#buffer);
      this.#words = new Uint32Array(this.#buffer);
      this.#start = this.startNow();
    }
    const slot = this.written % this.capacity;
    this.#times[slot * 2] = nowMs;
    this.#words[slot * 4 + 2] = word;
    this.#words[slot * 4 + 3] = Math.min(number, MAX_NUMBER) * 2 ** (KIND_BITS + 1) + kind;
    this.written++;
  }
}

function entryOf(number: number, at: number, times: Float64Array, words: Uint32Array): Entry {
  const [word, second] = [words[at * 2 + 2] as number, words[at * 2 + 3] as number];
  const kind = KINDS[second & (EJECTS - 1)] as EntryKind;
  const ago = word >>> ENDPOINT_BITS;
  return {
    kind,
    atMs: times[at] as number,
    began: ago === MAX_AGO ? -1 : number - ago,
    endpoint: word & MAX_ENDPOINT,
    ejects: (second & EJECTS) !== 0,
    number: second >>> (KIND_BITS + 1),
    word,
  };
}

// What one target did over the last hours, in slots: 60 of ten seconds and 240 of a minute.
//
// HISTORY-RECORD-1. Memory is bounded: 18 bytes a slot, 5.4 kB in all. It grows with the time since the first slot: of many targets with a few calls
//     each it is the larger part of what a first call costs.
// HISTORY-RECORD-2. A slot says what its own time had, or nothing: one that was not written is empty, however old the array is.
// HISTORY-RECORD-3. Counts are exact up to 2^32 - 1; a latency is within 0.1 % of what was written, from 1 µs to a week.
import type { CallCounts } from './call-rates.js';

export const FINE_SECONDS = 10;
export const COARSE_SECONDS = 60;
export const FINE_SLOTS = 60;
export const COARSE_SLOTS = 240;
const FINE_PER_COARSE = COARSE_SECONDS / FINE_SECONDS;
/** What a ring begins with: an array of up to 64 bytes lies in V8's own heap, where it costs a fraction of one outside. */
const FIRST_SLOTS = 3;
/** 16-bit words a slot: three counts of two words, three percentiles. */
const WORDS = 9;
const MAX_COUNT = 2 ** 32 - 1;
/** Of two neighbouring codes; 65 535 of them reach from 1 µs to more than a week. */
const STEP = Math.log(1.001);
const MAX_CODE = 65_535;

/** Of the health window, in ms; null without a sample. */
interface Percentiles {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface HistorySlot extends CallCounts, Percentiles {}

const NOTHING = new Uint16Array(0);

/** The last slots of one length. */
class SlotRing {
  readonly #size: number;
  /** Slot by slot, from `#first` on and round again; as many as were needed so far (HISTORY-RECORD-1). */
  #words = NOTHING;
  #first = 0;
  /** Number of the newest slot that was written. */
  #newest = -1;

  constructor(size: number) {
    this.#size = size;
  }

  get newest(): number {
    return this.#newest;
  }

  get byteLength(): number {
    return this.#words.byteLength;
  }

  /** Adds the counts to those of `slot`, and takes its percentiles from now on. */
  add(slot: number, { calls, failed, refused }: CallCounts, { p50, p95, p99 }: Percentiles): void {
    this.#advance(slot);
    const at = this.#at(slot);
    this.#addCount(at, calls);
    this.#addCount(at + 2, failed);
    this.#addCount(at + 4, refused);
    this.#words[at + 6] = codeOf(p50);
    this.#words[at + 7] = codeOf(p95);
    this.#words[at + 8] = codeOf(p99);
  }

  /** null: nothing happened in it, or it is not kept any more. */
  counts(slot: number): CallCounts | null {
    if (slot < this.#first || slot <= this.#newest - this.#size || slot > this.#newest) return null;
    const at = this.#at(slot);
    const [calls, failed, refused] = [this.#count(at), this.#count(at + 2), this.#count(at + 4)];
    return calls === 0 && failed === 0 && refused === 0 ? null : { calls, failed, refused };
  }

  /** As counts(). */
  read(slot: number): HistorySlot | null {
    const counts = this.counts(slot);
    if (counts === null) return null;
    const at = this.#at(slot);
    const latency = (offset: number) => latencyOf(this.#words[at + offset] as number);
    return { ...counts, p50: latency(6), p95: latency(7), p99: latency(8) };
  }

  /** HISTORY-RECORD-2. Empties the places of the slots in between. */
  #advance(slot: number): void {
    if (slot <= this.#newest) return;
    if (this.#newest < 0 || slot - this.#newest >= this.#size) {
      this.#words = new Uint16Array(FIRST_SLOTS * WORDS);
      this.#first = slot;
    } else {
      this.#grow(slot - this.#first + 1);
      const reused = Math.max(this.#newest + 1, this.#first + this.#size);
      for (let one = reused; one <= slot; one++) this.#words.fill(0, this.#at(one), this.#at(one) + WORDS);
    }
    this.#newest = slot;
  }

  #grow(slots: number): void {
    let capacity = this.#words.length / WORDS;
    if (slots <= capacity || capacity === this.#size) return;
    while (capacity < slots) capacity *= 2;
    const words = new Uint16Array(Math.min(capacity, this.#size) * WORDS);
    words.set(this.#words);
    this.#words = words;
  }

  #at(slot: number): number {
    return ((slot - this.#first) % this.#size) * WORDS;
  }

  #count(at: number): number {
    return (this.#words[at] as number) + (this.#words[at + 1] as number) * 65_536;
  }

  #addCount(at: number, added: number): void {
    const count = Math.min(this.#count(at) + added, MAX_COUNT);
    this.#words[at] = count % 65_536;
    this.#words[at + 1] = Math.floor(count / 65_536);
  }
}

export class HistoryRecord {
  readonly #fine = new SlotRing(FINE_SLOTS);
  readonly #coarse = new SlotRing(COARSE_SLOTS);

  /** Number of the newest fine slot that was written; -1: none was. */
  get newest(): number {
    return this.#fine.newest;
  }

  get byteLength(): number {
    return this.#fine.byteLength + this.#coarse.byteLength;
  }

  /** What fine slot number `slot` had; not older than the newest. The coarse slot that it is part of has it as well. */
  write(slot: number, counts: CallCounts, percentiles: Percentiles): void {
    this.#fine.add(slot, counts, percentiles);
    this.#coarse.add(Math.floor(slot / FINE_PER_COARSE), counts, percentiles);
  }

  /** null: nothing happened in it, or it is not kept any more. */
  fine(slot: number): HistorySlot | null {
    return this.#fine.read(slot);
  }

  /** Counts of a fine slot, without its percentiles; null as fine(). */
  fineCounts(slot: number): CallCounts | null {
    return this.#fine.counts(slot);
  }

  coarse(slot: number): HistorySlot | null {
    return this.#coarse.read(slot);
  }
}

/** HISTORY-RECORD-3. 0 stands for null. */
function codeOf(latencyMs: number | null): number {
  if (latencyMs === null) return 0;
  const us = Math.max(latencyMs * 1000, 1);
  return Math.min(1 + Math.round(Math.log(us) / STEP), MAX_CODE);
}

/** In ms, with four digits that count. */
function latencyOf(code: number): number | null {
  if (code === 0) return null;
  return Number((Math.exp((code - 1) * STEP) / 1000).toPrecision(4));
}

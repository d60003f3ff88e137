// What one target did over the last hours, in slots: 60 of ten seconds and 240 of a minute.
//
// HISTORY-RECORD-1. Memory is fixed: 18 bytes a slot, all of them in one array, 5.4 kB in all.
// HISTORY-RECORD-2. A slot says what its own time had, or nothing: one that was not written is empty, however old the array is.
// HISTORY-RECORD-3. Counts are exact up to 2^32 - 1; a latency is within 0.1 % of what was written, from 1 µs to a week.
import type { CallCounts } from './call-rates.js';

export const FINE_SECONDS = 10;
export const COARSE_SECONDS = 60;
export const FINE_SLOTS = 60;
export const COARSE_SLOTS = 240;
const FINE_PER_COARSE = COARSE_SECONDS / FINE_SECONDS;
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

export class HistoryRecord {
  readonly #words = new Uint16Array((FINE_SLOTS + COARSE_SLOTS) * WORDS);
  /** Number of the newest fine slot that was written. */
  #newest = -1;

  get newest(): number {
    return this.#newest;
  }

  get byteLength(): number {
    return this.#words.byteLength;
  }

  /** What fine slot number `slot` had; not older than the newest. The coarse slot that it is part of has it as well. */
  write(slot: number, { calls, failed, refused }: CallCounts, { p50, p95, p99 }: Percentiles): void {
    this.#advance(slot);
    const coarse = Math.floor(slot / FINE_PER_COARSE);
    for (const at of [fineAt(slot), coarseAt(coarse)]) {
      this.#addCount(at, calls);
      this.#addCount(at + 2, failed);
      this.#addCount(at + 4, refused);
      this.#words[at + 6] = codeOf(p50);
      this.#words[at + 7] = codeOf(p95);
      this.#words[at + 8] = codeOf(p99);
    }
  }

  /** null: nothing happened in it, or it is not kept any more. */
  fine(slot: number): HistorySlot | null {
    return this.#hasFine(slot) ? this.#read(fineAt(slot)) : null;
  }

  /** Counts of a fine slot, without its percentiles; null as fine(). */
  fineCounts(slot: number): CallCounts | null {
    return this.#hasFine(slot) ? this.#countsAt(fineAt(slot)) : null;
  }

  coarse(slot: number): HistorySlot | null {
    const newest = Math.floor(this.#newest / FINE_PER_COARSE);
    return slot >= 0 && slot > newest - COARSE_SLOTS && slot <= newest ? this.#read(coarseAt(slot)) : null;
  }

  /** HISTORY-RECORD-2. Empties the places of the slots in between. */
  #advance(slot: number): void {
    if (slot <= this.#newest) return;
    const newest = this.#newest;
    this.#newest = slot;
    for (let one = Math.max(newest + 1, slot - FINE_SLOTS + 1); one <= slot; one++) this.#clear(fineAt(one));
    const coarse = Math.floor(slot / FINE_PER_COARSE);
    const from = Math.max(Math.floor(newest / FINE_PER_COARSE) + 1, coarse - COARSE_SLOTS + 1);
    for (let one = from; one <= coarse; one++) this.#clear(coarseAt(one));
  }

  #hasFine(slot: number): boolean {
    return slot >= 0 && slot > this.#newest - FINE_SLOTS && slot <= this.#newest;
  }

  #clear(at: number): void {
    this.#words.fill(0, at, at + WORDS);
  }

  #read(at: number): HistorySlot | null {
    const counts = this.#countsAt(at);
    if (counts === null) return null;
    const latency = (offset: number) => latencyOf(this.#words[at + offset] as number);
    return { ...counts, p50: latency(6), p95: latency(7), p99: latency(8) };
  }

  #countsAt(at: number): CallCounts | null {
    const [calls, failed, refused] = [this.#count(at), this.#count(at + 2), this.#count(at + 4)];
    return calls === 0 && failed === 0 && refused === 0 ? null : { calls, failed, refused };
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

const fineAt = (slot: number): number => (slot % FINE_SLOTS) * WORDS;
const coarseAt = (slot: number): number => (FINE_SLOTS + (slot % COARSE_SLOTS)) * WORDS;

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

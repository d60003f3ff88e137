// What each target did over the last hours, kept for those that had traffic.
//
// HISTORY-1. A slot is written as the next one begins, for targets with traffic alone, in steps; a target without any costs nothing.
// HISTORY-2. Memory is bounded: a record is given back after IDLE_SLOTS without traffic, and beyond `targetsMax` the longest idle one is. Nothing
//     is kept of a version that is gone.
// HISTORY-3. Percentiles of a slot are those of the health window as it ends. What was before the process is not known.
import { type CallCounts, NO_CALLS, RATE_SLOT_MS } from '../../domain/health/call-rates.js';
import type { HistoryNumbers, HistoryStep, Sparklines } from '../../domain/health/history-answer.js';
import {
  COARSE_SECONDS,
  COARSE_SLOTS,
  FINE_SECONDS,
  FINE_SLOTS,
  HistoryRecord,
  type HistorySlot,
} from '../../domain/health/history-record.js';
import { RecencyList, type Recent } from '../../domain/recency-list.js';
import { isSameRow, type Version } from '../../domain/registry/extension.js';
import { versionOf } from '../../domain/registry/extension-index.js';
import type { Steps } from '../../domain/steps.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import type { Service } from '../extension/service.js';
import type { Clock } from '../ports/clock.js';
import type { Target } from '../target/target.js';

/** Four hours. */
const IDLE_SLOTS = 4 * 360;

interface Entry extends Recent<Entry> {
  version: Version;
  target: Target;
  /** As it was sampled last. */
  totals: CallCounts;
  /** null: it was given back. */
  record: HistoryRecord | null;
}

/** Per slot; null: nothing happened in it. */
interface Line {
  readonly calls: (number | null)[];
  readonly failed: (number | null)[];
}

interface HistoryDeps {
  /** Targets whose record is kept, at most; 0: none. */
  readonly targetsMax: number;
  readonly clock: Clock;
  readonly slots: { readonly current: number };
}

export class History {
  readonly #deps: HistoryDeps;
  readonly #entries = new Map<ExtensionRuntime, Map<string, Entry>>();
  /** Those with a record, the longest idle one first. */
  readonly #kept = new RecencyList<Entry>();
  readonly #beginsSlot: number;

  constructor(deps: HistoryDeps) {
    this.#deps = deps;
    this.#beginsSlot = deps.slots.current;
  }

  /** Targets that have a record. */
  get size(): number {
    return this.#kept.size;
  }

  /** Versions that it has totals of, with a record or without. */
  get versions(): number {
    return [...this.#entries.values()].reduce((sum, { size }) => sum + size, 0);
  }

  /** Epoch s: nothing is known of before. */
  get begins(): number {
    return (this.#beginsSlot * RATE_SLOT_MS) / 1000;
  }

  /** HISTORY-1. Slot number `slot` begins. */
  *sampling(runtime: ExtensionRuntime, slot: number): Steps<void> {
    if (this.#deps.targetsMax === 0) return;
    let entries = this.#entries.get(runtime);
    for (const service of [...runtime.services]) {
      if (entries === undefined) {
        // Of most extensions of a large registry there is nothing to keep.
        if (!hasCounts(service)) continue;
        entries = new Map();
        this.#entries.set(runtime, entries);
      }
      this.#sample(entries, service, slot);
      yield;
    }
    if (entries !== undefined) yield* this.#forgettingVersions(runtime, entries);
  }

  /** HISTORY-2. */
  *givingBack(): Steps<void> {
    const oldest = this.#deps.slots.current - IDLE_SLOTS;
    for (let entry = this.#kept.oldest; entry !== null; entry = this.#kept.oldest) {
      if ((entry.record?.newest ?? 0) >= oldest) return;
      this.#giveBack(entry);
      yield;
    }
  }

  /** The extension is gone. */
  forget(runtime: ExtensionRuntime): void {
    for (const entry of this.#entries.get(runtime)?.values() ?? []) this.#giveBack(entry);
    this.#entries.delete(runtime);
  }

  /** Slots that are over, oldest first. `fromSeconds`: epoch s; none that began before. */
  numbers(runtime: ExtensionRuntime, version: string, step: HistoryStep, fromSeconds = 0): HistoryNumbers {
    const record = this.#entries.get(runtime)?.get(version)?.record ?? null;
    const now = this.#deps.slots.current;
    const isFine = step === FINE_SECONDS;
    const end = isFine ? now : Math.floor((now * FINE_SECONDS) / COARSE_SECONDS);
    const first = Math.max(end - (isFine ? FINE_SLOTS : COARSE_SLOTS), Math.ceil(fromSeconds / step));
    const slots: (HistorySlot | null)[] = [];
    for (let slot = Math.min(first, end); slot < end; slot++)
      slots.push((isFine ? record?.fine(slot) : record?.coarse(slot)) ?? null);
    const column = (name: keyof HistorySlot) => slots.map((slot) => slot?.[name] ?? null);
    return {
      step,
      start: Math.min(first, end) * step,
      calls: column('calls'),
      failed: column('failed'),
      refused: column('refused'),
      p50: column('p50'),
      p95: column('p95'),
      p99: column('p99'),
    };
  }

  /** The last ten minutes of these, all of their versions together; null: no such extension. A step for each version. */
  *sparklines(runtimes: readonly (ExtensionRuntime | null)[]): Steps<Sparklines> {
    const end = this.#deps.slots.current;
    const lines: (Line | null)[] = [];
    for (const runtime of runtimes) {
      const line: Line = { calls: Array(FINE_SLOTS).fill(null), failed: Array(FINE_SLOTS).fill(null) };
      lines.push(runtime === null ? null : line);
      if (runtime === null) continue;
      for (const { record } of [...(this.#entries.get(runtime)?.values() ?? [])]) {
        if (record !== null) addTo(line, record, end - FINE_SLOTS);
        yield;
      }
    }
    return {
      step: FINE_SECONDS,
      end: end * FINE_SECONDS,
      calls: lines.map((line) => line?.calls ?? null),
      failed: lines.map((line) => line?.failed ?? null),
    };
  }

  /** HISTORY-2. Every deploy may bring a version of its own. */
  *#forgettingVersions(runtime: ExtensionRuntime, entries: Map<string, Entry>): Steps<void> {
    const { extension } = runtime;
    for (const [version, entry] of entries) {
      const isThere = versionOf(extension, version) !== undefined || version === extension.version;
      if (!isThere && runtime.service(version) === null) {
        this.#giveBack(entry);
        entries.delete(version);
      }
      yield;
    }
  }

  #sample(entries: Map<string, Entry>, { version, target }: Service, slot: number): void {
    const totals = target.stats.callCounts;
    let entry = entries.get(version.version);
    if (entry !== undefined && !isSameRow(entry.version, version)) {
      this.#giveBack(entry);
      entry = undefined;
    }
    if (entry === undefined) {
      entry = { version, target, totals: NO_CALLS, record: null, older: null, newer: null, isListed: false };
      entries.set(version.version, entry);
    }
    // It was disabled and enabled since: the counts of its new target begin at 0.
    const before = entry.target === target ? entry.totals : NO_CALLS;
    const added = {
      calls: totals.calls - before.calls,
      failed: totals.failed - before.failed,
      refused: totals.refused - before.refused,
    };
    entry.version = version;
    entry.target = target;
    entry.totals = totals;
    if (added.calls === 0 && added.refused === 0) return;
    const { p50Ms, p95Ms, p99Ms } = target.health.read(this.#deps.clock.now());
    this.#recordOf(entry).write(slot - 1, added, { p50: p50Ms, p95: p95Ms, p99: p99Ms });
  }

  /** HISTORY-2. It is the one that had traffic last from now on. */
  #recordOf(entry: Entry): HistoryRecord {
    entry.record ??= new HistoryRecord();
    this.#kept.use(entry);
    const { oldest } = this.#kept;
    if (oldest !== null && this.#kept.size > this.#deps.targetsMax) this.#giveBack(oldest);
    return entry.record;
  }

  #giveBack(entry: Entry): void {
    entry.record = null;
    this.#kept.delete(entry);
  }
}

function hasCounts({ target }: Service): boolean {
  const { calls, refused } = target.stats.callCounts;
  return calls > 0 || refused > 0;
}

function addTo(line: Line, record: HistoryRecord, first: number): void {
  for (let i = 0; i < FINE_SLOTS; i++) {
    const counts = record.fineCounts(first + i);
    if (counts === null) continue;
    line.calls[i] = (line.calls[i] ?? 0) + counts.calls;
    line.failed[i] = (line.failed[i] ?? 0) + counts.failed;
  }
}

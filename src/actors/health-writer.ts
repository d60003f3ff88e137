// Brings what targets measured to the database: every second in one batch, and a breaker's transition at once.
//
// F1. What a flush could not write stays owed by its target; counts are added to the row's, so nothing is lost or doubled
//     while the process lives.
// F2. One flush at a time, so that two cannot pass each other. Memory is bounded by the number of targets.
import type { Logger } from '../telemetry/log.js';
import type { Clock, FlushHealth, HealthFlushRow } from './ports.js';
import type { Service } from './service.js';
import type { Slot } from './slot.js';
import type { Target } from './target.js';
import type { Counters } from './version-counts.js';

interface Flushed {
  epoch: number;
  /** Of an open breaker: other settings may have shortened it. */
  openUntilMs: number;
  /** Whether the row says so; null: this process has not written it yet. */
  autoDisabled: boolean | null;
}

type Counted = Pick<Counters, 'successes' | 'failures'>;

/** That of no target. */
const NO_EPOCH = -1;

export class HealthWriter {
  /** What each target's row holds of it already; a target that is gone takes its entry along. */
  readonly #flushed = new WeakMap<Target, Flushed>();
  /** How much of a version's counts its row holds; they outlive a target (VC1). */
  readonly #counted = new WeakMap<Counters, Counted>();
  readonly #urgent = new Set<Target>();
  #flushing: Promise<void> | null = null;
  /** What comes after `#flushing`; null: nobody asked for it yet. */
  #following: Promise<void> | null = null;
  dropped = 0;

  constructor(
    private readonly deps: {
      readonly slots: ReadonlyMap<string, Slot>;
      readonly clock: Clock;
      readonly flush: FlushHealth;
      readonly log: Logger;
    },
  ) {}

  /** A transition of this target does not wait for the tick. */
  transitioned(target: Target): void {
    this.#urgent.add(target);
    if (this.#flushing === null) void this.flush();
  }

  /** The rows are not those that were written: with the next flush each target's is written again. */
  rewriteAll(): void {
    for (const slot of this.deps.slots.values())
      for (const { target } of slot.services)
        this.#flushed.set(target, { ...this.#flushedOf(slot, target), epoch: NO_EPOCH });
  }

  /** Writes everything that is owed as of now; resolves when it is written, dropped, or the database is away. */
  flush(): Promise<void> {
    if (this.#flushing === null) return this.#begin();
    // One that has not begun yet takes everything along: whoever asks while the database hangs shares it.
    this.#following ??= this.#flushing.then(() => {
      this.#following = null;
      return this.flush();
    });
    return this.#following;
  }

  #begin(): Promise<void> {
    this.#flushing = this.#flushOnce().finally(() => {
      this.#flushing = null;
      if (this.#urgent.size > 0) void this.flush();
    });
    return this.#flushing;
  }

  async #flushOnce(): Promise<void> {
    this.#urgent.clear();
    const nowMs = this.deps.clock.now();
    const flushing: { slot: Slot; target: Target; openUntilMs: number }[] = [];
    const rows: HealthFlushRow[] = [];
    for (const slot of this.deps.slots.values())
      for (const service of slot.services) {
        const before = { ...this.#flushedOf(slot, service.target), ...this.#countedOf(service.target) };
        const row = rowOf(slot, service, before, nowMs);
        if (row === null) continue;
        flushing.push({ slot, target: service.target, openUntilMs: service.target.openUntilMs });
        rows.push(row);
      }
    if (rows.length === 0) return;
    try {
      const { dropped } = await this.deps.flush(rows);
      for (const { extension_id, version, error } of dropped) {
        this.dropped++;
        this.deps.log.error({ event: 'health_row_dropped', extension_id, version, error });
      }
      for (const [i, { slot, target, openUntilMs }] of flushing.entries())
        this.#settle(slot, target, rows[i] as HealthFlushRow, openUntilMs);
    } catch (error) {
      this.deps.log.warn({ event: 'health_flush_delayed', rows: rows.length, error: String(error) });
    }
  }

  #settle(slot: Slot, target: Target, row: HealthFlushRow, openUntilMs: number): void {
    const counted = this.#countedOf(target);
    if (row.published) slot.publishedVersion = row.version;
    this.#counted.set(target.counters, {
      successes: counted.successes + row.success_delta,
      failures: counted.failures + row.failure_delta,
    });
    this.#flushed.set(target, {
      epoch: row.epoch,
      openUntilMs,
      autoDisabled: row.auto_disabled,
    });
  }

  #countedOf({ counters }: Target): Counted {
    return this.#counted.get(counters) ?? { successes: 0, failures: 0 };
  }

  /** A target that was never flushed is as its stored row has it. */
  #flushedOf(slot: Slot, target: Target): Flushed {
    let flushed = this.#flushed.get(target);
    if (flushed === undefined) {
      const epoch = slot.stored.get(target.version)?.epoch ?? 0;
      flushed = { epoch, openUntilMs: target.openUntilMs, autoDisabled: null };
      this.#flushed.set(target, flushed);
    }
    return flushed;
  }
}

/** What the target owes; null: nothing changed since the last flush. */
function rowOf(
  slot: Slot,
  { target, version }: Service,
  before: Flushed & Counted,
  nowMs: number,
): HealthFlushRow | null {
  const successes = target.counters.successes - before.successes;
  const failures = target.counters.failures - before.failures;
  const facts = target.facts();
  const { autoDisabled } = slot.extension;
  const isCopyTrue = before.autoDisabled === null || before.autoDisabled === autoDisabled;
  const published = slot.defaultService?.target === target;
  // Another version is the default now: its facts take the place of this one's in the published row, or the other way round.
  const isInPlace = slot.publishedVersion === null || published === (slot.publishedVersion === version.version);
  const isSameTime = target.mode !== 'open' || target.openUntilMs === before.openUntilMs;
  const isSame = facts.epoch === before.epoch && isSameTime;
  if (successes + failures === 0 && isSame && isCopyTrue && isInPlace) return null;
  const reading = target.health.read(nowMs);
  const ago = (atMs: number | null): number | null => (atMs === null ? null : nowMs - atMs);
  return {
    extension_id: slot.id,
    extension_uid: slot.extension.uid ?? null,
    version_uid: version.uid ?? null,
    version: version.version,
    published,
    success_delta: successes,
    failure_delta: failures,
    last_success_ago_ms: ago(target.last.successMs),
    last_failure_ago_ms: ago(target.last.failureMs),
    last_latency_ms: target.last.latencyMs,
    avg_latency_ms: reading.avgMs,
    p50_latency_ms: reading.p50Ms,
    p95_latency_ms: reading.p95Ms,
    p99_latency_ms: reading.p99Ms,
    latency_samples: reading.samples,
    latency_sum: Math.round(reading.sumMs),
    latency_window_ago_ms: ago(reading.windowStartMs),
    circuit_breaker_state: facts.state,
    opened_ago_ms: facts.openedAgoMs,
    open_remaining_ms: facts.state === 'open' ? facts.openRemainingMs : null,
    trips: facts.trips,
    epoch: facts.epoch,
    half_open_requests_count: target.probes,
    auto_disabled: autoDisabled,
  };
}

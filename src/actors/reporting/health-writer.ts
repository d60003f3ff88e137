// Flushes health counters once per second in one batch; a breaker's transition flushes immediately.
//
// HEALTH-WRITER-1. What a flush could not write stays pending with its target. Counts are added to the row's and each is added once while the
//     process lives: if the answer of a flush was lost, the next one first asks whether it was written.
// HEALTH-WRITER-2. One flush at a time, so that two cannot pass each other. Memory is bounded by the number of targets.
// HEALTH-WRITER-3. A row that another transaction holds is flushed apart from the others until it is written, so that it delays no other.
// HEALTH-WRITER-4. When the health window of a target without calls is over, its row is written once more, with an empty window.
// HEALTH-WRITER-5. What a version counted before it could not be called any more is written as well (SERVICE-SET-5).

import type { Counters } from '../../domain/health/counters.js';
import type { Logger } from '../../telemetry/log.js';
import { HeldRows } from '../events/held-rows.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import type { Service } from '../extension/service.js';
import type { Clock } from '../ports/clock.js';
import type { FlushHealth, FlushResult, HealthFlushRow, WasFlushed } from '../ports/storage.js';
import type { Target } from '../target/target.js';

interface Flushed {
  epoch: number;
  /** Of an open breaker: other settings may have shortened it. */
  openUntilMs: number;
  /** Whether the row says so; null: this process has not written it yet. */
  autoDisabled: boolean | null;
  /** HEALTH-WRITER-4. When the window that the row shows is over, monotonic; null: it shows none. */
  windowOverMs: number | null;
}

/** One row of a flush, kept until it is known whether it was written. */
interface Part {
  readonly runtime: ExtensionRuntime;
  readonly target: Target;
  readonly row: HealthFlushRow;
  readonly openUntilMs: number;
  readonly windowOverMs: number | null;
}

type Counted = Pick<Counters, 'successes' | 'failures'>;

/** That of no target. */
const NO_EPOCH = -1;

export class HealthWriter {
  /** What each target's row holds of it already; a target that is gone takes its entry along. */
  readonly #flushed = new WeakMap<Target, Flushed>();
  /** How much of a version's counts its row holds; they outlive a target (VERSION-COUNTS-1). */
  readonly #counted = new WeakMap<Counters, Counted>();
  readonly #urgent = new Set<Target>();
  readonly #held: HeldRows;
  #number = 0;
  /** HEALTH-WRITER-1. The flush whose answer was lost; null: none. */
  #unanswered: { readonly number: number; readonly parts: readonly Part[] } | null = null;
  #flushing: Promise<void> | null = null;
  /** What comes after `#flushing`; null: none was requested yet. */
  #following: Promise<void> | null = null;
  dropped = 0;

  constructor(
    private readonly deps: {
      readonly runtimes: ReadonlyMap<string, ExtensionRuntime>;
      readonly clock: Clock;
      readonly flush: FlushHealth;
      readonly wasFlushed: WasFlushed;
      readonly log: Logger;
    },
  ) {
    this.#held = new HeldRows(deps.clock, deps.log);
  }

  /** A transition of this target does not wait for the tick. */
  transitioned(target: Target): void {
    this.#urgent.add(target);
    if (this.#flushing === null) void this.flush();
  }

  /** The rows are not those that were written: with the next flush each target's is written again. */
  rewriteAll(): void {
    for (const runtime of this.deps.runtimes.values())
      for (const { target } of runtime.services)
        this.#flushed.set(target, { ...this.#flushedOf(runtime, target), epoch: NO_EPOCH });
  }

  /** Writes everything that is pending as of now; resolves when it is written, dropped, or the database is away. */
  flush(): Promise<void> {
    if (this.#flushing === null) return this.#begin();
    // A flush that has not begun yet includes everything: requests while the database hangs share it.
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
    try {
      await this.#askForAnswer();
      const parts = this.#pending();
      if (this.#held.size > 0) {
        const names = new Set(parts.map((part) => nameOf(part.row)));
        this.#held.keep((name) => names.has(name));
      }
      const held = new Set(parts.filter((part) => this.#held.has(nameOf(part.row))));
      await this.#write(parts.filter((part) => !held.has(part)));
      // HEALTH-WRITER-3.
      await this.#write([...held]);
    } catch (error) {
      this.deps.log.warn({ event: 'health_flush_delayed', rows: this.#pending().length, error: String(error) });
    }
  }

  #pending(): Part[] {
    const nowMs = this.deps.clock.now();
    const parts: Part[] = [];
    const add = (runtime: ExtensionRuntime, service: Service, hasEnded: boolean): void => {
      const { target } = service;
      const before = { ...this.#flushedOf(runtime, target), ...this.#countedOf(target) };
      const row = rowOf(runtime, service, hasEnded, before, nowMs);
      if (row === null) return;
      parts.push({ runtime, target, row, openUntilMs: target.openUntilMs, windowOverMs: target.health.overMs });
    };
    for (const runtime of this.deps.runtimes.values()) {
      for (const service of runtime.services) add(runtime, service, false);
      // HEALTH-WRITER-5.
      for (const service of runtime.endedServices) add(runtime, service, true);
    }
    return parts;
  }

  async #write(parts: readonly Part[]): Promise<void> {
    if (parts.length === 0) return;
    const number = ++this.#number;
    this.#unanswered = { number, parts };
    const result = await this.deps.flush(
      number,
      parts.map(({ row }) => row),
    );
    this.#unanswered = null;
    this.#written(parts, result);
  }

  #written(parts: readonly Part[], { dropped, held }: FlushResult): void {
    for (const { extension_id, version, error } of dropped) {
      this.dropped++;
      this.deps.log.error({ event: 'health_row_dropped', extension_id, version, error });
    }
    const heldErrors = new Map(held.map((one) => [nameOf(one), one.error]));
    for (const part of parts) {
      const error = heldErrors.get(nameOf(part.row));
      if (error === undefined) this.#settle(part);
      else this.#held.note(nameOf(part.row), error);
    }
  }

  /** HEALTH-WRITER-1. */
  async #askForAnswer(): Promise<void> {
    if (this.#unanswered === null) return;
    const { number, parts } = this.#unanswered;
    const result = await this.deps.wasFlushed(number);
    this.#unanswered = null;
    if (result === null) return;
    this.deps.log.info({ event: 'health_flush_confirmed', rows: parts.length });
    this.#written(parts, result);
  }

  #settle({ runtime, target, row, openUntilMs, windowOverMs }: Part): void {
    const counted = this.#countedOf(target);
    this.#held.release(nameOf(row));
    if (row.published) runtime.publishedVersion = row.version;
    this.#counted.set(target.counters, {
      successes: counted.successes + row.success_delta,
      failures: counted.failures + row.failure_delta,
    });
    this.#flushed.set(target, {
      epoch: row.epoch,
      openUntilMs,
      autoDisabled: row.auto_disabled,
      windowOverMs: row.latency_samples === 0 ? null : windowOverMs,
    });
  }

  #countedOf({ counters }: Target): Counted {
    return this.#counted.get(counters) ?? { successes: 0, failures: 0 };
  }

  /** A target that was never flushed is as its stored row has it. */
  #flushedOf(runtime: ExtensionRuntime, target: Target): Flushed {
    let flushed = this.#flushed.get(target);
    if (flushed === undefined) {
      const epoch = runtime.stored.get(target.version)?.epoch ?? 0;
      const { openUntilMs } = target;
      flushed = { epoch, openUntilMs, autoDisabled: null, windowOverMs: null };
      this.#flushed.set(target, flushed);
    }
    return flushed;
  }
}

const nameOf = ({ extension_id, version }: { readonly extension_id: string; readonly version: string }): string =>
  `${extension_id}@${version}`;

/** What of the target is pending; null: nothing changed since the last flush. */
function rowOf(
  runtime: ExtensionRuntime,
  { target, version }: Service,
  hasEnded: boolean,
  before: Flushed & Counted,
  nowMs: number,
): HealthFlushRow | null {
  const successes = target.counters.successes - before.successes;
  const failures = target.counters.failures - before.failures;
  const facts = target.facts();
  const { autoDisabled } = runtime.extension;
  const isCopyTrue = before.autoDisabled === null || before.autoDisabled === autoDisabled;
  const { defaultService, publishedVersion } = runtime;
  const published = hasEnded
    ? defaultService === null && publishedVersion === version.version
    : defaultService?.target === target;
  // Another version is the default now: its facts take the place of this one's in the published row, or the other way round.
  const isInPlace = publishedVersion === null || published === (publishedVersion === version.version);
  const isSameTime = target.mode !== 'open' || target.openUntilMs === before.openUntilMs;
  const isSame = facts.epoch === before.epoch && isSameTime;
  const isOver = before.windowOverMs !== null && nowMs >= before.windowOverMs;
  if (successes + failures === 0 && (hasEnded || (isSame && isCopyTrue && isInPlace && !isOver))) return null;
  const reading = target.health.read(nowMs);
  const ago = (atMs: number | null): number | null => (atMs === null ? null : nowMs - atMs);
  return {
    extension_id: runtime.id,
    extension_uid: runtime.extension.uid ?? null,
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

// Flushes health counters once per second in one batch; a breaker's transition flushes immediately.
//
// HEALTH-WRITER-1. What a flush could not write stays pending with its target. Counts are added to the row's and each is added once while the
//     process lives: if the answer of a flush was lost, the next one first asks whether it was written.
// HEALTH-WRITER-2. One flush at a time, so that two cannot pass each other. Memory is bounded by the number of targets.
// HEALTH-WRITER-3. A row that another transaction holds is flushed apart from the others until it is written, so that it delays no other.
// HEALTH-WRITER-4. When the health window of a target without calls is over, its row is written once more, with an empty window.
// HEALTH-WRITER-5. What a version counted before it could not be called any more is written as well (SERVICE-SET-5).
// HEALTH-WRITER-6. A flush looks at what was touched since the last one, what that one wrote or could not write, and windows that are over; in
//     slices, and at most MAX_ROWS of them in one statement.

import type { DirtyReader, DirtySet } from '../../domain/dirty-set.js';
import { DueSet } from '../../domain/due-set.js';
import type { Counters } from '../../domain/health/counters.js';
import type { Steps } from '../../domain/steps.js';
import { createLimitedWarn, type LimitedWarn } from '../../telemetry/limited-log.js';
import type { Logger } from '../../telemetry/log.js';
import { HeldRows } from '../events/held-rows.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import type { Service } from '../extension/service.js';
import { resultInSlices } from '../extension/slices.js';
import type { Clock } from '../ports/clock.js';
import type { FlushHealth, FlushResult, HealthFlushRow, WasFlushed } from '../ports/storage.js';
import type { Target } from '../target/target.js';
import { type Counted, type Flushed, flushRow } from './flush-row.js';

/** One row of a flush, kept until it is known whether it was written. */
interface Part {
  readonly runtime: ExtensionRuntime;
  readonly target: Target;
  readonly row: HealthFlushRow;
  readonly openUntilMs: number;
  readonly windowOverMs: number | null;
}

/** That of no target. */
const NO_EPOCH = -1;
/** Building and sending a statement is one turn of the event loop. */
const MAX_ROWS = 500;

export class HealthWriter {
  /** What each target's row holds of it already; a target that is gone takes its entry along. */
  readonly #flushed = new WeakMap<Target, Flushed>();
  /** How much of a version's counts its row holds; they outlive a target (VERSION-COUNTS-1). */
  readonly #counted = new WeakMap<Counters, Counted>();
  /** A transition came after the flush that is under way had begun. */
  #isUrgent = false;
  readonly #touched: DirtyReader<ExtensionRuntime>;
  /** HEALTH-WRITER-6. Extensions of which something may be pending. */
  readonly #pending = new Set<ExtensionRuntime>();
  /** HEALTH-WRITER-4. When a window that a row shows is over. */
  readonly #over = new DueSet<ExtensionRuntime>();
  /** Whether each target's row is to be written again. */
  #rewritesAll = false;
  readonly #held: HeldRows;
  #number = 0;
  /** HEALTH-WRITER-1. The flush whose answer was lost; null: none. */
  #unanswered: { readonly number: number; readonly parts: readonly Part[] } | null = null;
  #flushing: Promise<void> | null = null;
  /** What comes after `#flushing`; null: none was requested yet. */
  #following: Promise<void> | null = null;
  dropped = 0;
  /** When a flush last began that wrote all that was pending, monotonic. */
  #completeMs: number;

  /** Once a second while the database is away: the log has one in ten. */
  readonly #warnDelayed: LimitedWarn;

  constructor(
    private readonly deps: {
      readonly runtimes: ReadonlyMap<string, ExtensionRuntime>;
      /** Of the extensions that are touched. */
      readonly dirty: DirtySet<ExtensionRuntime>;
      readonly clock: Clock;
      readonly flush: FlushHealth;
      readonly wasFlushed: WasFlushed;
      readonly log: Logger;
    },
  ) {
    this.#touched = deps.dirty.read();
    this.#completeMs = deps.clock.now();
    this.#held = new HeldRows(deps.clock, deps.log);
    this.#warnDelayed = createLimitedWarn(deps.log, 'health_flush_delayed', () => deps.clock.now());
  }

  /** How old the oldest change can be that no row holds yet, in ms; about a second while the database answers. */
  get lagMs(): number {
    return this.deps.clock.now() - this.#completeMs;
  }

  /** Extensions that the next flush looks at. */
  get pending(): number {
    return this.#pending.size + this.#touched.size;
  }

  /** A transition of a target does not wait for the tick. */
  transitioned(runtime: ExtensionRuntime): void {
    this.#queue(runtime);
    this.#isUrgent = true;
    if (this.#flushing === null) void this.flush();
  }

  /** The rows are not those that were written: with the next flush each target's is written again. */
  rewriteAll(): void {
    this.#rewritesAll = true;
  }

  /** It was removed. */
  forget(runtime: ExtensionRuntime): void {
    this.#pending.delete(runtime);
    this.#over.delete(runtime);
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
      if (this.#isUrgent) void this.flush();
    });
    return this.#flushing;
  }

  async #flushOnce(): Promise<void> {
    this.#isUrgent = false;
    let rows = this.#pending.size;
    const beganMs = this.deps.clock.now();
    try {
      await this.#askForAnswer();
      const parts = await resultInSlices(this.#collecting(), this.deps.clock);
      rows = parts.length;
      if (this.#held.size > 0) {
        const names = new Set(parts.map((part) => nameOf(part.row)));
        this.#held.keep((name) => names.has(name));
      }
      const held = new Set(parts.filter((part) => this.#held.has(nameOf(part.row))));
      await this.#writeAll(parts.filter((part) => !held.has(part)));
      // HEALTH-WRITER-3.
      await this.#writeAll([...held]);
      this.#completeMs = beganMs;
    } catch (error) {
      this.#warnDelayed({ rows, error: String(error) });
    }
  }

  /** HEALTH-WRITER-6. What is pending as of now. */
  *#collecting(): Steps<Part[]> {
    const nowMs = this.deps.clock.now();
    yield* this.#queueing(nowMs);
    const parts: Part[] = [];
    for (const runtime of this.#pending) {
      const before = parts.length;
      for (const service of runtime.services) this.#addPart(parts, runtime, service, false);
      for (const service of runtime.endedServices) this.#addPart(parts, runtime, service, true);
      // What is written now is looked at once more: something may have come to it meanwhile.
      if (parts.length === before) this.#pending.delete(runtime);
      yield;
    }
    return parts;
  }

  *#queueing(nowMs: number): Steps<void> {
    for (let left = this.#touched.size; left > 0; left--) {
      const runtime = this.#touched.take();
      if (runtime !== undefined) this.#queue(runtime);
      yield;
    }
    for (let due = this.#over.take(nowMs); due !== undefined; due = this.#over.take(nowMs)) {
      this.#queue(due);
      yield;
    }
    if (!this.#rewritesAll) return;
    this.#rewritesAll = false;
    for (const runtime of this.deps.runtimes.values()) {
      for (const { target } of runtime.services)
        this.#flushed.set(target, { ...this.#flushedOf(runtime, target), epoch: NO_EPOCH });
      this.#queue(runtime);
      yield;
    }
  }

  #queue(runtime: ExtensionRuntime): void {
    if (this.deps.runtimes.get(runtime.id) === runtime) this.#pending.add(runtime);
  }

  #addPart(parts: Part[], runtime: ExtensionRuntime, service: Service, hasEnded: boolean): void {
    const { target } = service;
    const before = { ...this.#flushedOf(runtime, target), ...this.#countedOf(target) };
    const row = flushRow(runtime, service, hasEnded, before, this.deps.clock.now());
    if (row === null) {
      if (before.windowOverMs !== null) this.#over.add(runtime, before.windowOverMs);
      return;
    }
    parts.push({ runtime, target, row, openUntilMs: target.openUntilMs, windowOverMs: target.health.overMs });
  }

  async #writeAll(parts: readonly Part[]): Promise<void> {
    for (let i = 0; i < parts.length; i += MAX_ROWS) await this.#write(parts.slice(i, i + MAX_ROWS));
  }

  async #write(parts: readonly Part[]): Promise<void> {
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
      // That it was open until then is to be remembered; the rest says itself again.
      if (target.mode === 'open') this.#flushed.set(target, flushed);
    }
    return flushed;
  }
}

const nameOf = ({ extension_id, version }: { readonly extension_id: string; readonly version: string }): string =>
  `${extension_id}@${version}`;

// Writes the status of instances to their rows, every second if any changed. What could not be written is pending
// still; only the latest counts. A row that another transaction holds keeps no other waiting.
//
// INSTANCE-STATUS-WRITER-1. It looks at extensions that were touched, that wait to be written, and whose instances have a health window, which moves
//     on with time; in slices.
import type { DirtyReader, DirtySet } from '../../domain/dirty-set.js';
import { DueSet } from '../../domain/due-set.js';
import { HEALTH_SLICE_MS } from '../../domain/health/health-window.js';
import type { Steps } from '../../domain/steps.js';
import { createLimitedWarn, type LimitedWarn } from '../../telemetry/limited-log.js';
import type { Logger } from '../../telemetry/log.js';
import { SingleFlight } from '../../telemetry/single-flight.js';
import { HeldRows } from '../events/held-rows.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import { resultInSlices } from '../extension/slices.js';
import type { Clock } from '../ports/clock.js';
import type { InstanceStatusRow, WriteInstanceStatus } from '../ports/storage.js';

/** How often an instance is looked at that has no calls any more, but had some in its health window. */
const LOOKED_AT_MS = 10_000;

export class InstanceStatusWriter {
  readonly #writing = new SingleFlight(() => this.#write());
  readonly #held: HeldRows;
  readonly #touched: DirtyReader<ExtensionRuntime>;
  /** INSTANCE-STATUS-WRITER-1. */
  readonly #pending = new Set<ExtensionRuntime>();
  readonly #moving = new DueSet<ExtensionRuntime>();

  /** Once a second while the database is away: the log has one in ten. */
  readonly #warnDelayed: LimitedWarn;

  constructor(
    private readonly deps: {
      readonly runtimes: ReadonlyMap<string, ExtensionRuntime>;
      /** Of the extensions that are touched. */
      readonly dirty: DirtySet<ExtensionRuntime>;
      readonly clock: Clock;
      readonly write: WriteInstanceStatus;
      /** Under it an instance is degraded. */
      readonly minSuccessRate: number;
      readonly log: Logger;
    },
  ) {
    this.#touched = deps.dirty.read();
    this.#held = new HeldRows(deps.clock, deps.log);
    this.#warnDelayed = createLimitedWarn(deps.log, 'instance_status_delayed', () => deps.clock.now());
  }

  /** It was removed. */
  forget(runtime: ExtensionRuntime): void {
    this.#pending.delete(runtime);
    this.#moving.delete(runtime);
  }

  /** Writes what is pending as of now; resolves when it is written, or the database is away. */
  flush(): Promise<void> {
    return this.#writing.runAnew();
  }

  async #write(): Promise<void> {
    const rows = await resultInSlices(this.#takingPending(), this.deps.clock);
    if (rows.length === 0) return;
    const held = await this.deps.write(rows).catch((error: unknown) => {
      this.#warnDelayed({ rows: rows.length, error: String(error) });
      return null;
    });
    if (this.#held.size > 0) {
      const names = new Set(rows.map(nameOf));
      this.#held.keep((name) => names.has(name));
    }
    const heldErrors = new Map((held ?? []).map((one) => [nameOf(one), one.error]));
    for (const row of rows) {
      const name = nameOf(row);
      const error = heldErrors.get(name);
      if (error !== undefined) this.#held.note(name, error);
      else if (held !== null) this.#held.release(name);
      const isWritten = held !== null && error === undefined;
      this.deps.runtimes.get(row.extension_id)?.instanceStatuses.settled(row.instance_id, isWritten);
    }
  }

  /** INSTANCE-STATUS-WRITER-1. */
  *#takingPending(): Steps<InstanceStatusRow[]> {
    const nowMs = this.deps.clock.now();
    yield* this.#queueing(nowMs);
    const rows: InstanceStatusRow[] = [];
    for (const runtime of this.#pending) {
      const before = rows.length;
      yield* this.#taking(runtime, rows, nowMs);
      // What is written now is looked at once more: it may not arrive.
      if (rows.length === before) this.#pending.delete(runtime);
    }
    return rows;
  }

  *#queueing(nowMs: number): Steps<void> {
    for (let left = this.#touched.size; left > 0; left--) {
      const runtime = this.#touched.take();
      if (runtime !== undefined) this.#queue(runtime);
      yield;
    }
    for (let due = this.#moving.take(nowMs); due !== undefined; due = this.#moving.take(nowMs)) {
      this.#queue(due);
      yield;
    }
  }

  #queue(runtime: ExtensionRuntime): void {
    const isThere = this.deps.runtimes.get(runtime.id) === runtime;
    if (isThere && runtime.extension.instances.length > 0) this.#pending.add(runtime);
  }

  *#taking(runtime: ExtensionRuntime, rows: InstanceStatusRow[], nowMs: number): Steps<void> {
    const { minSuccessRate } = this.deps;
    let isMoving = false;
    for (const instance of runtime.extension.instances) {
      const endpoints = runtime.servicesOf(instance).map(({ target }) => target.rotation.at(instance.subject));
      const row = runtime.instanceStatuses.takePending(runtime.id, instance.id, endpoints, minSuccessRate, nowMs);
      if (row !== null) rows.push(row);
      isMoving ||= endpoints.some(({ health }) => health.overMs !== null);
      yield;
    }
    if (!isMoving) return;
    const nextSliceMs = (Math.floor(nowMs / HEALTH_SLICE_MS) + 1) * HEALTH_SLICE_MS;
    this.#moving.add(runtime, Math.min(nextSliceMs, nowMs + LOOKED_AT_MS));
  }
}

const nameOf = ({
  extension_id,
  instance_id,
}: {
  readonly extension_id: string;
  readonly instance_id: string;
}): string => `${extension_id}/${instance_id}`;

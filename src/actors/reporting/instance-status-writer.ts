// Writes the status of instances to their rows, every second if any changed. What could not be written is pending
// still; only the latest counts. A row that another transaction holds keeps no other waiting.

import type { Logger } from '../../telemetry/log.js';
import { SingleFlight } from '../../telemetry/single-flight.js';
import { HeldRows } from '../events/held-rows.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import type { Clock } from '../ports/clock.js';
import type { InstanceStatusRow, WriteInstanceStatus } from '../ports/storage.js';

export class InstanceStatusWriter {
  readonly #writing = new SingleFlight(() => this.#write());
  readonly #held: HeldRows;

  constructor(
    private readonly deps: {
      readonly runtimes: ReadonlyMap<string, ExtensionRuntime>;
      readonly clock: Clock;
      readonly write: WriteInstanceStatus;
      /** Under it an instance is degraded. */
      readonly minSuccessRate: number;
      readonly log: Logger;
    },
  ) {
    this.#held = new HeldRows(deps.clock, deps.log);
  }

  /** Writes what is pending as of now; resolves when it is written, or the database is away. */
  flush(): Promise<void> {
    return this.#writing.runAnew();
  }

  async #write(): Promise<void> {
    const rows = this.#takePending();
    if (rows.length === 0) return;
    const held = await this.deps.write(rows).catch((error: unknown) => {
      this.deps.log.warn({ event: 'instance_status_delayed', rows: rows.length, error: String(error) });
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

  #takePending(): InstanceStatusRow[] {
    const { runtimes, clock, minSuccessRate } = this.deps;
    const nowMs = clock.now();
    const rows: InstanceStatusRow[] = [];
    for (const runtime of runtimes.values())
      for (const instance of runtime.extension.instances) {
        const endpoints = runtime.servicesOf(instance).map(({ target }) => target.rotation.at(instance.subject));
        const row = runtime.instanceStatuses.takePending(runtime.id, instance.id, endpoints, minSuccessRate, nowMs);
        if (row !== null) rows.push(row);
      }
    return rows;
  }
}

const nameOf = ({
  extension_id,
  instance_id,
}: {
  readonly extension_id: string;
  readonly instance_id: string;
}): string => `${extension_id}/${instance_id}`;

// Brings what instances came to be to their rows, every second where anything changed. What could not be written is owed
// still; only the latest counts.
import type { Logger } from '../telemetry/log.js';
import type { Clock, InstanceStatusRow, WriteInstanceStatus } from './ports.js';
import type { Slot } from './slot.js';

export class InstanceStatusWriter {
  #writing: Promise<void> | null = null;

  constructor(
    private readonly deps: {
      readonly slots: ReadonlyMap<string, Slot>;
      readonly clock: Clock;
      readonly write: WriteInstanceStatus;
      /** Under it an instance is degraded. */
      readonly minSuccessRate: number;
      readonly log: Logger;
    },
  ) {}

  /** Writes what is owed; resolves when it is written, or the database is away. */
  flush(): Promise<void> {
    this.#writing ??= this.#write().finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  async #write(): Promise<void> {
    const rows = this.#owed();
    if (rows.length === 0) return;
    const written = await this.deps.write(rows).then(
      () => true,
      (error: unknown) => {
        this.deps.log.warn({ event: 'instance_status_delayed', rows: rows.length, error: String(error) });
        return false;
      },
    );
    for (const { extension_id, instance_id } of rows)
      this.deps.slots.get(extension_id)?.instanceStatuses.settled(instance_id, written);
  }

  #owed(): InstanceStatusRow[] {
    const { slots, clock, minSuccessRate } = this.deps;
    const nowMs = clock.now();
    const rows: InstanceStatusRow[] = [];
    for (const slot of slots.values())
      for (const instance of slot.extension.instances) {
        const endpoints = slot.servicesOf(instance).map(({ target }) => target.rotation.at(instance.subject));
        const row = slot.instanceStatuses.owed(slot.id, instance.id, endpoints, minSuccessRate, nowMs);
        if (row !== null) rows.push(row);
      }
    return rows;
  }
}

// The health flushes of one process, which name it in `extension_health_writers`.
//
// HEALTH-FLUSHER-1. If that row says that a flush was written which was not, because it was changed by other hands, the process goes on under
//     another name: what was measured is written, once.
import { randomUUID } from 'node:crypto';
import type { FlushHealth, WasFlushed } from '../../actors/ports/storage.js';
import type { Logger } from '../../telemetry/log.js';
import type { Database } from '../client.js';
import { FlushTakenError, flushHealth, wasFlushed } from './health-queries.js';

interface HealthFlusher {
  readonly flushHealth: FlushHealth;
  readonly wasFlushed: WasFlushed;
}

/** `writer`: a UUID. */
export function healthFlusher(db: Database, writer: string, log: Logger): HealthFlusher {
  let name = writer;
  return {
    flushHealth: async (number, rows) => {
      try {
        return await flushHealth(db, { writer: name, number }, rows);
      } catch (error) {
        if (!(error instanceof FlushTakenError)) throw error;
        log.warn({ event: 'health_writer_changed', writer: name, flush: number, error: error.message });
        name = randomUUID();
        return await flushHealth(db, { writer: name, number }, rows);
      }
    },
    wasFlushed: (number) => wasFlushed(db, { writer: name, number }),
  };
}

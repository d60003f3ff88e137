// The embedded database of a daemon over all its lives.
//
// EMBEDDED-LIFE-1. An embedded database that is lost is opened again on the same socket; its clients reconnect.
import type { Clock } from '../actors/ports/clock.js';
import { errorText } from '../db/database-errors.js';
import { type EmbeddedDatabase, openEmbedded } from '../embedded/postgres/embedded.js';
import type { Logger } from '../telemetry/log.js';
import { FIRST_RETRY_MS, MAX_RETRY_MS, pause } from './retry.js';

/** EMBEDDED-LIFE-1. */
export class EmbeddedLife {
  #isClosed = false;
  #closing = new AbortController();

  private constructor(
    private readonly dataDir: string,
    private readonly clock: Clock,
    private readonly log: Logger,
    private current: EmbeddedDatabase,
  ) {}

  static async open(dataDir: string, clock: Clock, log: Logger): Promise<EmbeddedLife> {
    let lost: (error: Error) => void = () => undefined;
    const current = await openEmbedded(dataDir, { log, onFailure: (error) => lost(error) });
    const life = new EmbeddedLife(dataDir, clock, log, current);
    lost = (error) => void life.#reopen(error);
    return life;
  }

  get socketDir(): string {
    return this.current.socketDir;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#closing.abort();
    await this.current.close();
  }

  async #reopen(lost: Error): Promise<void> {
    this.log.error({ event: 'embedded_database_lost', error: errorText(lost) });
    for (let retryMs = FIRST_RETRY_MS; !this.#isClosed; retryMs = Math.min(retryMs * 2, MAX_RETRY_MS)) {
      await pause(retryMs, this.clock, this.#closing.signal);
      if (this.#isClosed) return;
      try {
        this.current = await openEmbedded(this.dataDir, {
          // A new one would be an empty registry, which is worse than none.
          make: false,
          log: this.log,
          onFailure: (error) => void this.#reopen(error),
        });
        this.log.info({ event: 'embedded_database_reopened' });
        if (this.#isClosed) await this.current.close();
        return;
      } catch (error) {
        this.log.error({ event: 'embedded_database_lost', error: errorText(error), retry_in_ms: retryMs });
      }
    }
  }
}

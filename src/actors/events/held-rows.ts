// Rows that cannot be written because another transaction holds them: logged when that has lasted a second, every half minute
// from then on, and when they were written. (Another daemon that writes the same row holds it for less.)
import type { Logger } from '../../telemetry/log.js';
import type { Clock } from '../ports/clock.js';

/** Less than the second between two attempts, so that the second failure is logged. */
const LASTING_MS = 500;
const AGAIN_MS = 30_000;

interface Held {
  readonly sinceMs: number;
  loggedMs: number;
}

export class HeldRows {
  readonly #held = new Map<string, Held>();

  constructor(
    private readonly clock: Clock,
    private readonly log: Logger,
  ) {}

  has(name: string): boolean {
    return this.#held.has(name);
  }

  /** An attempt to write the row `name` failed because it is held. `error` names the row and the holder. */
  note(name: string, error: string): void {
    const nowMs = this.clock.now();
    const held = this.#held.get(name) ?? { sinceMs: nowMs, loggedMs: Number.NEGATIVE_INFINITY };
    this.#held.set(name, held);
    if (nowMs - held.sinceMs < LASTING_MS || nowMs - held.loggedMs < AGAIN_MS) return;
    held.loggedMs = nowMs;
    this.log.warn({ event: 'row_held', row: name, held_for_ms: Math.round(nowMs - held.sinceMs), error });
  }

  /** The row was written, or need not be written any more. */
  release(name: string): void {
    const held = this.#held.get(name);
    if (held === undefined) return;
    this.#held.delete(name);
    if (held.loggedMs === Number.NEGATIVE_INFINITY) return;
    const held_for_ms = Math.round(this.clock.now() - held.sinceMs);
    this.log.info({ event: 'row_released', row: name, held_for_ms });
  }

  get size(): number {
    return this.#held.size;
  }

  /** Forgets the rows for which `isPending` is false: nothing is to be written to them any more. */
  keep(isPending: (name: string) => boolean): void {
    for (const name of this.#held.keys()) if (!isPending(name)) this.#held.delete(name);
  }
}

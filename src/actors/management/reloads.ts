// Readings of the whole registry that an operator asked for.
//
// RELOADS-1. A reload is answered by a snapshot that was read after it was asked for.
// RELOADS-2. `force` applies to that snapshot alone: a reload that was given up forces nothing later.
import { within } from '../../telemetry/deadline.js';
import type { Clock } from '../ports/clock.js';

/** What a snapshot changed. */
export interface AppliedSnapshot {
  readonly revision: number;
  readonly started: number;
  readonly updated: number;
  readonly removed: number;
  readonly held: number;
}

interface Waiting {
  /** Of the request that it made. */
  readonly request: number;
  readonly force: boolean;
  readonly resolve: (applied: AppliedSnapshot) => void;
}

/** Reading and applying hundreds of thousands of rows; less than an HTTP client is given. */
const ANSWER_MS = 25_000;

export class Reloads {
  readonly #waiting = new Set<Waiting>();

  constructor(
    /** Numbers of requests grow. */
    private readonly requestSnapshot: () => number,
    private readonly clock: Clock,
  ) {}

  /** null: no snapshot came in time. */
  async ask(force: boolean): Promise<AppliedSnapshot | null> {
    let waiting: Waiting | null = null;
    const applied = new Promise<AppliedSnapshot>((resolve) => {
      waiting = { request: this.requestSnapshot(), force, resolve };
      this.#waiting.add(waiting);
    });
    try {
      return await within(ANSWER_MS, applied, null, this.clock);
    } finally {
      // RELOADS-2.
      if (waiting !== null) this.#waiting.delete(waiting);
    }
  }

  /** `request`: the last one before the snapshot was read. */
  isForced(request: number): boolean {
    return [...this.#waiting].some((one) => one.force && one.request <= request);
  }

  /** RELOADS-1. */
  applied(request: number, snapshot: AppliedSnapshot): void {
    for (const one of [...this.#waiting])
      if (one.request <= request) {
        this.#waiting.delete(one);
        one.resolve(snapshot);
      }
  }
}

// The board of a daemon as one client sees it: read once, and kept up to date by one stream.
import { BOARD_STATES, type BoardEntry, type BoardTuple, LOOK_FLAGS } from '../../domain/board-codes.js';
import type { DaemonClient } from './daemon-client.js';
import { liveEvents } from './live-events.js';

/** What a terminal shows has no room for p50 and p99. */
export type BoardRow = Omit<BoardEntry, 'p50' | 'p99'>;

const MAX_EVENTS = 100;

export class LiveBoard {
  readonly rows = new Map<number, BoardRow>();
  /** The newest first, as published. */
  events: object[] = [];
  summary: Readonly<Record<string, unknown>> = {};
  daemon: Readonly<Record<string, unknown>> = {};
  /** Why nothing is heard; null: it is live. */
  problem: string | null = 'connecting';
  /** Wall time of what is shown, ms. */
  heardAtMs = 0;

  /** What needs a look: first what refuses and fails most, then what does so longest. */
  get wrong(): BoardRow[] {
    const found = [...this.rows.values()].filter(
      ({ state, flags }) => BOARD_STATES[state] !== 'closed' || (flags & LOOK_FLAGS) !== 0,
    );
    return found.sort(
      (a, b) =>
        b.refused + b.failed - (a.refused + a.failed) ||
        (a.since ?? Number.POSITIVE_INFINITY) - (b.since ?? Number.POSITIVE_INFINITY) ||
        (a.id < b.id ? -1 : 1),
    );
  }

  /** Follows until `signal` aborts; `onChange` after each change. Throws a CommandError. */
  async follow(daemon: DaemonClient, signal: AbortSignal, onChange: () => void): Promise<void> {
    const begin = (either: AbortSignal): Promise<void> => this.#begin(daemon, either);
    for await (const { event, data } of liveEvents(daemon, '/admin/events', { signal, begin })) {
      if (event === 'lost') this.problem = data;
      else {
        this.heardAtMs = Date.now();
        if (event === 'hello') this.problem = null;
        else this.#take(event, JSON.parse(data));
      }
      onChange();
    }
  }

  /** Changes that the stream brings meanwhile wait for it, and are at least as new. */
  async #begin(daemon: DaemonClient, signal: AbortSignal): Promise<void> {
    const { text } = await daemon.request('/admin/overview', { signal });
    const { columns } = JSON.parse(text) as { readonly columns: Readonly<Record<string, readonly unknown[]>> };
    const names = Object.keys(columns);
    this.rows.clear();
    for (let i = 0; i < (columns.k?.length ?? 0); i++) {
      const row = Object.fromEntries(names.map((name) => [name, columns[name]?.[i]])) as unknown as BoardRow;
      this.rows.set(row.k, row);
    }
  }

  #take(event: string, data: unknown): void {
    if (event === 'rows') for (const tuple of data as readonly BoardTuple[]) this.#change(tuple);
    else if (event === 'rows_added') for (const row of data as readonly BoardRow[]) this.rows.set(row.k, row);
    else if (event === 'rows_removed') for (const k of data as readonly number[]) this.rows.delete(k);
    else if (event === 'summary') this.summary = data as Record<string, unknown>;
    else if (event === 'daemon') this.daemon = data as Record<string, unknown>;
    else if (event === 'event') this.events = [data as object, ...this.events].slice(0, MAX_EVENTS);
  }

  #change([k, state, flags, success_rate, , p95, , calls, failed, refused, since]: BoardTuple): void {
    const row = this.rows.get(k);
    if (row !== undefined) this.rows.set(k, { ...row, state, flags, success_rate, p95, calls, failed, refused, since });
  }
}

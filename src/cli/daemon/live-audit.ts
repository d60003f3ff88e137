// The audit trail as it grows: each row once, oldest first, however many were written since it was read last.
//
// LIVE-AUDIT-1. A reading goes on page by page, until it has all of its time; a page of the daemon may be shorter than asked for.
// LIVE-AUDIT-2. Facts are written after they happened, and not in that order: each reading goes OVERLAP_MS back from the newest row,
//     and leaves out what was read before, by its id. No more ids are kept than that time has.
// LIVE-AUDIT-3. What a limited first reading leaves out is not read later either.

/** Newest first. */
interface Page<Row> {
  readonly items: readonly Row[];
  readonly next: string | null;
}

interface TrailRow {
  readonly id: string;
  /** ISO 8601. */
  readonly changed_at: string;
}

export interface PageQuery {
  readonly since: string | undefined;
  readonly after: string | undefined;
  readonly limit: string;
}

const PAGE = 200;
const OVERLAP_MS = 60_000;

export class LiveAudit<Row extends TrailRow> {
  /** When it happened, by id. LIVE-AUDIT-2. */
  readonly #known = new Map<string, string>();
  #newest: string | undefined;
  /** LIVE-AUDIT-3. Rows of this time and before are left out. */
  #floor = '';

  /** `since`: ISO 8601, of the first reading; undefined: from the beginning. */
  constructor(
    private readonly page: (query: PageQuery) => Promise<Page<Row>>,
    private readonly since: string | undefined,
  ) {}

  /** How many ids are kept. */
  get size(): number {
    return this.#known.size;
  }

  /** What is new, oldest first; of it the newest `limit`. Rejects as `page` does, and nothing counts as read then. */
  async read(limit = Number.POSITIVE_INFINITY): Promise<readonly Row[]> {
    const found: Row[] = [];
    const since = this.#newest === undefined ? this.since : this.#overlapOf(this.#newest);
    let after: string | undefined;
    for (let left = limit; left > 0; left = limit - found.length) {
      const { items, next } = await this.page({ since, after, limit: String(Math.min(PAGE, left)) });
      found.push(...items.filter(({ id, changed_at }) => !this.#known.has(id) && changed_at > this.#floor));
      if (next === null) break;
      after = next;
      const oldest = found.at(-1);
      if (found.length >= limit && oldest !== undefined) this.#floor = oldest.changed_at;
    }
    for (const { id, changed_at } of found) this.#known.set(id, changed_at);
    const [first] = found;
    if (first !== undefined && first.changed_at > (this.#newest ?? '')) this.#newest = first.changed_at;
    this.#forget();
    return found.toReversed();
  }

  #overlapOf(newest: string): string {
    const back = new Date(Date.parse(newest) - OVERLAP_MS).toISOString();
    // Times have up to six digits of a second: as a time, not as a text.
    return this.since !== undefined && Date.parse(this.since) > Date.parse(back) ? this.since : back;
  }

  #forget(): void {
    if (this.#newest === undefined) return;
    const back = Date.parse(this.#newest) - OVERLAP_MS;
    for (const [id, at] of this.#known) if (Date.parse(at) < back) this.#known.delete(id);
  }
}

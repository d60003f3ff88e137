// The order of a list by some of its columns, the id last, and the text that says where a page ended.

import { BOARD_STATES } from '../../domain/board-codes.js';
import type { BoardRow } from './board-row.js';

type Value = number | string | null;

/** What a list can be sorted by. null stands last, in either direction. */
const COLUMNS: Readonly<Record<string, (row: BoardRow) => Value>> = {
  id: (row) => row.id,
  type: (row) => row.type,
  version: (row) => row.version,
  state: (row) => BOARD_STATES[row.state] ?? null,
  since: (row) => row.since,
  success_rate: (row) => row.successRate,
  p50_latency_ms: (row) => row.p50,
  p95_latency_ms: (row) => row.p95,
  p99_latency_ms: (row) => row.p99,
  calls_per_second: (row) => row.calls,
  failed_per_second: (row) => row.failed,
  refused_per_second: (row) => row.refused,
  impact: (row) => row.impact,
};

/** Impact, then how long, then the id: the order of what is wrong. */
export const BY_IMPACT: readonly string[] = ['-impact', 'since'];

export interface ListKey {
  readonly values: readonly Value[];
  readonly id: string;
}

export class ListOrder {
  readonly #columns: readonly {
    readonly name: string;
    readonly sign: 1 | -1;
    readonly read: (row: BoardRow) => Value;
  }[];
  /** Of the id, which ends each order; it may be among the columns. */
  readonly #idSign: 1 | -1;

  /** `problem` of these names must be null. */
  constructor(private readonly names: readonly string[]) {
    const before = names.findIndex((name) => columnOf(name) === 'id');
    const used = before === -1 ? names : names.slice(0, before);
    this.#idSign = before !== -1 && names[before]?.startsWith('-') === true ? -1 : 1;
    this.#columns = used.map((name) => ({
      name,
      sign: name.startsWith('-') ? -1 : 1,
      read: COLUMNS[columnOf(name)] as (row: BoardRow) => Value,
    }));
  }

  /** null: it can be sorted by these. */
  static problem(names: readonly string[]): string | null {
    const wrong = names.find((name) => !Object.hasOwn(COLUMNS, columnOf(name)));
    if (wrong === undefined) return null;
    return `sort must be names of ${Object.keys(COLUMNS).join(', ')}, each with - before it for descending order, got ${JSON.stringify(wrong.slice(0, 40))}`;
  }

  keyOf(row: BoardRow): ListKey {
    return { values: this.#columns.map(({ read }) => read(row)), id: row.id };
  }

  /** Of an extension that has no row. */
  get keyWithout(): readonly null[] {
    return this.#columns.map(() => null);
  }

  compare(a: ListKey, b: ListKey): number {
    for (let i = 0; i < this.#columns.length; i++) {
      const order = compareValues(a.values[i] ?? null, b.values[i] ?? null, this.#columns[i]?.sign ?? 1);
      if (order !== 0) return order;
    }
    return compareValues(a.id, b.id, this.#idSign);
  }

  textOf({ values, id }: ListKey): string {
    return Buffer.from(JSON.stringify([this.names, values, id])).toString('base64url');
  }

  /** null: no text of a page of this order. */
  keyIn(text: string): ListKey | null {
    try {
      const [names, values, id] = JSON.parse(Buffer.from(text, 'base64url').toString()) as [unknown, unknown, unknown];
      if (JSON.stringify(names) !== JSON.stringify(this.names) || typeof id !== 'string') return null;
      const isOfIt = Array.isArray(values) && values.length === this.#columns.length && values.every(isValue);
      return isOfIt ? { values, id } : null;
    } catch {
      return null;
    }
  }
}

const columnOf = (name: string): string => (name.startsWith('-') ? name.slice(1) : name);

const isValue = (value: unknown): value is Value =>
  value === null || typeof value === 'number' || typeof value === 'string';

function compareValues(a: Value, b: Value, sign: 1 | -1): number {
  if (a === b) return 0;
  if (a === null || b === null) return a === null ? 1 : -1;
  return a < b ? -sign : sign;
}

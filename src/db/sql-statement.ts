// One statement of a person, run as it was written: `extreg sql`.
import type { Database } from './client.js';

export interface StatementResult {
  /** What the server calls it: SELECT, INSERT, UPDATE, … */
  readonly command: string;
  /** Rows returned or touched; null for a statement that counts none. */
  readonly count: number | null;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/**
 * Runs it in a transaction of its own, so that what it changes is audited under `actor`. Rejects with the server's error;
 * several statements at once, COPY, and what cannot run in a transaction are refused.
 */
export async function runStatement(db: Database, text: string, actor: string): Promise<StatementResult> {
  if (/^\s*copy\b/i.test(text)) throw new Error('COPY is not supported here: use psql');
  return db.$client.begin(async (tx) => {
    await tx`select set_config('extreg.actor', ${actor}, true)`;
    // As a prepared statement, of which there can be only one in a text.
    const result = await tx.unsafe(text, [], { prepare: false, simple: false } as { prepare: boolean });
    return { command: result.command ?? '', count: result.count ?? null, rows: [...result] };
  });
}

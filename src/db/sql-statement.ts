// What a person writes, run as it was written: `extreg sql`.
import type { Database } from './client.js';

export interface StatementResult {
  /** What the server calls it: SELECT, INSERT, UPDATE, … */
  readonly command: string;
  /** Rows returned or touched; null for a statement that counts none. */
  readonly count: number | null;
  readonly rows: readonly Readonly<Record<string, unknown>>[];
}

/**
 * The result of the last statement in `text`. All of it is one transaction, audited under `actor`. Rejects with the server's
 * error; COPY, and what cannot run in a transaction, are refused.
 */
export async function runStatement(db: Database, text: string, actor: string): Promise<StatementResult> {
  if (/^\s*copy\b/i.test(text)) throw new Error('COPY is not supported here: use psql');
  // One message of the simple protocol is one transaction.
  const given: unknown = await db.$client.unsafe(`set local extreg.actor = '${actor.replaceAll("'", "''")}';\n${text}`);
  const last = lastResult(given);
  return { command: last.command ?? '', count: last.count ?? null, rows: [...last] };
}

type DriverResult = readonly Record<string, unknown>[] & { readonly command?: string; readonly count?: number | null };

/** The driver gives one result, or a plain array of them where several had rows to describe. */
function lastResult(given: unknown): DriverResult {
  const results = given as DriverResult | readonly DriverResult[];
  return 'command' in results ? results : ((results.at(-1) ?? []) as DriverResult);
}

// The last good snapshot of the registry, kept in the data directory for a start without the database.
//
// S1. The file is a whole snapshot or is not there: it is written beside its place, synced, and moved there.
// S2. A file that cannot be used is told with its reason; it never stops a start.
import { constants } from 'node:fs';
import { open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { auditTime, concatMap, type Observable, type SchedulerLike, scan } from '#rxjs';
import type { BreakerFactsRow, PutBack, RegistryEntry, RegistryUpdate } from '../domain/registry-rows.js';
import type { RegistrySnapshot } from './registry-queries.js';

const FORMAT = 1;

export type SnapshotFile =
  | { readonly kind: 'found'; readonly savedAtMs: number; readonly snapshot: RegistrySnapshot }
  | { readonly kind: 'none' }
  | { readonly kind: 'unusable'; readonly reason: string };

export const snapshotPath = (dataDir: string): string => join(dataDir, 'registry-snapshot.json');

/** `nowMs`: wall clock; the ages in the file count from it. */
export async function writeSnapshotFile(path: string, snapshot: RegistrySnapshot, nowMs: number): Promise<void> {
  const beside = `${path}.new`;
  const file = await open(beside, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o600);
  try {
    await file.writeFile(JSON.stringify({ format: FORMAT, saved_at_ms: nowMs, ...snapshot }));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
  const directory = await open(dirname(path), constants.O_RDONLY);
  await directory.sync().finally(() => directory.close());
}

/** Ages are moved on by the time since it was written. */
export async function readSnapshotFile(path: string, nowMs: number): Promise<SnapshotFile> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { kind: 'none' };
    return { kind: 'unusable', reason: (error as Error).message };
  }
  try {
    const { format, saved_at_ms, revision, entries } = JSON.parse(text);
    if (format !== FORMAT) return { kind: 'unusable', reason: `format ${format}, expected ${FORMAT}` };
    if (typeof saved_at_ms !== 'number' || typeof revision !== 'number' || !Array.isArray(entries))
      return { kind: 'unusable', reason: 'saved_at_ms, revision or entries is missing' };
    const elapsedMs = Math.max(0, nowMs - saved_at_ms);
    const aged = (entries as RegistryEntry[]).map((entry) => ageEntry(entry, elapsedMs));
    return { kind: 'found', savedAtMs: saved_at_ms, snapshot: { revision, entries: aged } };
  } catch (error) {
    return { kind: 'unusable', reason: (error as Error).message };
  }
}

function ageEntry(entry: RegistryEntry, elapsedMs: number): RegistryEntry {
  const versionFacts: Record<string, BreakerFactsRow> = Object.create(null);
  for (const [version, facts] of Object.entries(entry.versionFacts)) versionFacts[version] = age(facts, elapsedMs);
  // A file that an older daemon wrote has no put_back.
  const aged = <Row extends { readonly put_back: PutBack | null }>(row: Row): Row =>
    row.put_back ? { ...row, put_back: { ...row.put_back, ago_ms: row.put_back.ago_ms + elapsedMs } } : row;
  return {
    ...entry,
    extension: aged(entry.extension),
    versions: entry.versions.map(aged),
    facts: entry.facts && age(entry.facts, elapsedMs),
    versionFacts,
  };
}

function age<Facts extends BreakerFactsRow>(facts: Facts, elapsedMs: number): Facts {
  return {
    ...facts,
    opened_ago_ms: facts.opened_ago_ms === null ? null : facts.opened_ago_ms + elapsedMs,
    open_remaining_ms: facts.open_remaining_ms === null ? null : facts.open_remaining_ms - elapsedMs,
  };
}

export interface KeepOptions {
  readonly path: string;
  readonly wallClock: () => number;
  /** The file could not be written; the next change tries again. */
  readonly onError: (error: unknown) => void;
  /** At most one write in this time. */
  readonly everyMs: number;
  readonly scheduler?: SchedulerLike;
}

/** Emits the revision of each snapshot written. Completes with the updates, the last of them written. */
export function keepSnapshotFile(updates$: Observable<RegistryUpdate>, options: KeepOptions): Observable<number> {
  return updates$.pipe(
    scan(
      (kept, update) => {
        const readAtMs = options.wallClock();
        if (update.kind === 'snapshot') kept.entries.clear();
        else for (const id of update.removedIds) kept.entries.delete(id);
        for (const entry of update.entries) kept.entries.set(entry.extension.id, { entry, readAtMs });
        return { revision: update.revision, entries: kept.entries };
      },
      { revision: 0, entries: new Map<string, { entry: RegistryEntry; readAtMs: number }>() },
    ),
    auditTime(options.everyMs, options.scheduler),
    concatMap(async ({ revision, entries }) => {
      const nowMs = options.wallClock();
      const aged = [...entries.values()].map(({ entry, readAtMs }) => ageEntry(entry, Math.max(0, nowMs - readAtMs)));
      try {
        await writeSnapshotFile(options.path, { revision, entries: aged }, nowMs);
      } catch (error) {
        options.onError(error);
      }
      return revision;
    }),
  );
}

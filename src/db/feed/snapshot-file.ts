// The last good snapshot of the registry, kept in the data directory for a start without the database.
//
// SNAPSHOT-FILE-1. The file is a whole snapshot or is not there: it is written beside its place, synced, and moved there.
// SNAPSHOT-FILE-2. A file that cannot be used is reported with its reason; it never stops a start.
// SNAPSHOT-FILE-3. It holds the position in the registry's history, so that the registry is compared with it when it can be reached.
// SNAPSHOT-FILE-4. However large the registry is, writing it never holds the event loop for longer than a slice of it; an entry that
//     cannot be written is omitted, the others are written.
import { constants } from 'node:fs';
import { type FileHandle, open, readFile, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { auditTime, concatMap, type Observable, type SchedulerLike, scan } from '#rxjs';
import type { RegistryEntry, RegistryPosition, RegistryUpdate } from '../../domain/registry/registry-rows.js';
import type { RegistrySnapshot } from '../queries/registry-queries.js';
import { ageEntry, entryPieces } from '../queries/snapshot-entry.js';

const FORMAT = 1;

export type SnapshotFile =
  | { readonly kind: 'found'; readonly savedAtMs: number; readonly snapshot: RegistrySnapshot }
  | { readonly kind: 'none' }
  | { readonly kind: 'unusable'; readonly reason: string };

export const snapshotPath = (dataDir: string): string => join(dataDir, 'registry-snapshot.json');

/** An entry and how much older than it says it is by now. */
interface AgedEntry {
  readonly entry: RegistryEntry;
  readonly elapsedMs: number;
}

/** What is written at a time (SNAPSHOT-FILE-4). */
const PIECE_LENGTH = 65_536;

/** `nowMs`: wall clock; the ages in the file count from it. `onLeftOut` gets what could not be written (SNAPSHOT-FILE-4). */
export async function writeSnapshotFile(
  path: string,
  snapshot: RegistrySnapshot,
  nowMs: number,
  onLeftOut: (error: unknown) => void = () => undefined,
): Promise<void> {
  const entries = snapshot.entries.map((entry) => ({ entry, elapsedMs: 0 }));
  await writeEntries(path, { ...snapshot, entries }, nowMs, onLeftOut);
}

async function writeEntries(
  path: string,
  snapshot: Omit<RegistrySnapshot, 'entries'> & { readonly entries: Iterable<AgedEntry> },
  nowMs: number,
  onLeftOut: (error: unknown) => void,
): Promise<void> {
  const beside = `${path}.new`;
  const file = await open(beside, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o600);
  try {
    const { revision, position = null } = snapshot;
    const head = JSON.stringify({ format: FORMAT, saved_at_ms: nowMs, revision, position });
    const text = new PieceWriter(file);
    await text.add(`${head.slice(0, -1)},"entries":[`);
    let separator = '';
    for (const { entry, elapsedMs } of snapshot.entries) {
      const pieces: string[] = [separator];
      try {
        for (const piece of entryPieces(entry, elapsedMs)) {
          pieces.push(piece);
          await text.pause(piece.length);
        }
      } catch (error) {
        onLeftOut(error);
        continue;
      }
      for (const piece of pieces) await text.add(piece);
      separator = ',';
    }
    await text.add(']}');
    await text.end();
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
  const directory = await open(dirname(path), constants.O_RDONLY);
  await directory.sync().finally(() => directory.close());
}

/** SNAPSHOT-FILE-4. */
class PieceWriter {
  #text = '';
  #made = 0;

  constructor(private readonly file: FileHandle) {}

  async add(piece: string): Promise<void> {
    this.#text += piece;
    if (this.#text.length >= PIECE_LENGTH) await this.end();
  }

  /** Yields to the event loop if much was made since the last time. */
  async pause(length: number): Promise<void> {
    this.#made += length;
    if (this.#made < PIECE_LENGTH) return;
    this.#made = 0;
    await new Promise((resolve) => setImmediate(resolve));
  }

  async end(): Promise<void> {
    const text = this.#text;
    this.#text = '';
    await this.file.appendFile(text);
  }
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
    const { format, saved_at_ms, revision, position, entries } = JSON.parse(text);
    if (format !== FORMAT) return { kind: 'unusable', reason: `format ${format}, expected ${FORMAT}` };
    if (typeof saved_at_ms !== 'number' || typeof revision !== 'number' || !Array.isArray(entries))
      return { kind: 'unusable', reason: 'saved_at_ms, revision or entries is missing' };
    const elapsedMs = Math.max(0, nowMs - saved_at_ms);
    const aged = (entries as RegistryEntry[]).map((entry) => ageEntry(entry, elapsedMs));
    const snapshot = { revision, position: positionIn(position), entries: aged };
    return { kind: 'found', savedAtMs: saved_at_ms, snapshot };
  } catch (error) {
    return { kind: 'unusable', reason: (error as Error).message };
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** SNAPSHOT-FILE-3. A file that an older daemon wrote has none. */
function positionIn(value: unknown): RegistryPosition | null {
  const { revision, token, history, source } = (value ?? {}) as Record<string, unknown>;
  if (!Number.isSafeInteger(revision) || !UUID.test(String(token)) || !UUID.test(String(history))) return null;
  return { revision, token, history, source: typeof source === 'string' ? source : null } as RegistryPosition;
}

interface KeepOptions {
  readonly path: string;
  readonly wallClock: () => number;
  /** The file could not be written; the next change tries again. */
  readonly onError: (error: unknown) => void;
  /** At most one write in this time. */
  readonly everyMs: number;
  readonly scheduler?: SchedulerLike;
}

interface Kept {
  readonly revision: number;
  readonly position: RegistryPosition | null;
  readonly entries: Map<string, { readonly entry: RegistryEntry; readonly readAtMs: number }>;
}

/** Emits the revision of each snapshot written. Completes with the updates, the last of them written. */
export function keepSnapshotFile(updates$: Observable<RegistryUpdate>, options: KeepOptions): Observable<number> {
  const nothing: Kept = { revision: 0, position: null, entries: new Map() };
  return updates$.pipe(
    scan((kept, update) => withUpdate(kept, update, options.wallClock()), nothing),
    auditTime(options.everyMs, options.scheduler),
    concatMap(async ({ revision, position, entries }) => {
      const nowMs = options.wallClock();
      const aged = [...entries.values()].map(({ entry, readAtMs }) => ({
        entry,
        elapsedMs: Math.max(0, nowMs - readAtMs),
      }));
      try {
        await writeEntries(options.path, { revision, position, entries: aged }, nowMs, options.onError);
      } catch (error) {
        options.onError(error);
      }
      return revision;
    }),
  );
}

function withUpdate({ entries }: Kept, update: RegistryUpdate, readAtMs: number): Kept {
  if (update.kind === 'changes') for (const id of update.removedIds) entries.delete(id);
  else {
    const present = new Set([...update.entries.map(({ extension }) => extension.id), ...unreadableIds(update)]);
    for (const id of entries.keys()) if (!present.has(id)) entries.delete(id);
  }
  for (const entry of update.entries) entries.set(entry.extension.id, { entry, readAtMs });
  return { revision: update.revision, position: update.position ?? null, entries };
}

/** What was read of them before stays. */
const unreadableIds = ({ unreadable = [] }: RegistryUpdate): string[] => unreadable.map(({ id }) => id);

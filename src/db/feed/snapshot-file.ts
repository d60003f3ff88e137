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
import { setImmediate, setTimeout } from 'node:timers/promises';
import type { RegistryEntry, RegistryPosition } from '../../domain/registry/registry-rows.js';
import type { RegistrySnapshot } from '../queries/registry-queries.js';
import { ageEntry, entryPieces } from '../queries/snapshot-entry.js';

const FORMAT = 1;

export type SnapshotFile =
  | { readonly kind: 'found'; readonly savedAtMs: number; readonly snapshot: RegistrySnapshot }
  | { readonly kind: 'none' }
  | { readonly kind: 'unusable'; readonly reason: string };

export const snapshotPath = (dataDir: string): string => join(dataDir, 'registry-snapshot.json');

/** An entry and how much older than it says it is by now. */
export interface AgedEntry {
  readonly entry: RegistryEntry;
  readonly elapsedMs: number;
}

/** What is written at a time, in characters. */
const PIECE_LENGTH = 65_536;
/** SNAPSHOT-FILE-4. Calls go before the file: a slice of 2 ms in six. */
const SLICE_MS = 2;
const PAUSE_MS = 4;

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

/** As writeSnapshotFile. `isHurried`: nothing else is to be done meanwhile. */
export async function writeEntries(
  path: string,
  snapshot: Omit<RegistrySnapshot, 'entries'> & { readonly entries: Iterable<AgedEntry> },
  nowMs: number,
  onLeftOut: (error: unknown) => void,
  isHurried: () => boolean = () => true,
): Promise<void> {
  const beside = `${path}.new`;
  const file = await open(beside, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, 0o600);
  try {
    const { revision, position = null } = snapshot;
    const head = JSON.stringify({ format: FORMAT, saved_at_ms: nowMs, revision, position });
    const text = new PieceWriter(file);
    const slices = new Slices(isHurried);
    text.add(`${head.slice(0, -1)},"entries":[`);
    let separator = '';
    for (const { entry, elapsedMs } of snapshot.entries) {
      const pieces: string[] = [separator];
      try {
        for (const piece of entryPieces(entry, elapsedMs)) {
          pieces.push(piece);
          if (slices.isOver) await slices.next();
        }
      } catch (error) {
        onLeftOut(error);
        continue;
      }
      for (const piece of pieces) {
        text.add(piece);
        if (text.isLong) await text.end();
      }
      separator = ',';
    }
    text.add(']}');
    await text.end();
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(beside, path);
  const directory = await open(dirname(path), constants.O_RDONLY);
  await directory.sync().finally(() => directory.close());
}

class PieceWriter {
  #text = '';

  constructor(private readonly file: FileHandle) {}

  get isLong(): boolean {
    return this.#text.length >= PIECE_LENGTH;
  }

  add(piece: string): void {
    this.#text += piece;
  }

  async end(): Promise<void> {
    const text = this.#text;
    this.#text = '';
    await this.file.appendFile(text);
  }
}

/** SNAPSHOT-FILE-4. */
export class Slices {
  #endMs = performance.now() + SLICE_MS;

  constructor(private readonly isHurried: () => boolean) {}

  get isOver(): boolean {
    return performance.now() >= this.#endMs;
  }

  /** Resolves when the next one begins. */
  async next(): Promise<void> {
    await (this.isHurried() ? setImmediate() : setTimeout(PAUSE_MS));
    this.#endMs = performance.now() + SLICE_MS;
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

// The file of `extreg backup`: a line of what it is, a line for each row, and a line by which a whole file is known.
//
// BACKUP-FILE-1. A file is there as a whole or not at all: it is written beside its place, and moved there when it is on the disk.
//     Only its owner may read it, whatever was left behind beside its place: it holds the hashes of tokens.
// BACKUP-FILE-2. A file that is cut off, changed, of another kind or of a newer version is refused before anything is read of it.
import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { BACKUP_TABLES, type BackupRows, type BackupTable } from '../../db/queries/backup-queries.js';
import { CommandError, EXIT } from '../process/command-error.js';

const FORMAT = 'extreg-backup';
const FILE_VERSION = 1;

export interface Backup extends BackupRows {
  /** Migrations that its database had. */
  readonly schema: number;
  /** ISO 8601. */
  readonly madeAt: string;
}

export const rowCount = ({ rows }: BackupRows): number =>
  BACKUP_TABLES.reduce((sum, table) => sum + rows[table].length, 0);

const notTaken = (path: string, why: string): CommandError =>
  new CommandError(EXIT.file, `${path} cannot be restored, and nothing was changed: ${why}`);

const checksum = (text: string): string => createHash('sha256').update(text).digest('hex');

/** As `writeSync`: says how many bytes it took. */
type Write = (file: number, bytes: Uint8Array, at: number) => number;

interface WriteOptions {
  /** A file that is there already is replaced. */
  readonly force: boolean;
  readonly write?: Write;
}

/** BACKUP-FILE-1. Throws a CommandError. */
export function writeBackup(path: string, backup: Backup, options: WriteOptions): void {
  const { force, write = writeSync } = options;
  if (!force && existsSync(path))
    throw new CommandError(EXIT.file, `${path} exists already`, {
      next: 'name another file, or overwrite it with --force',
    });
  const { schema, madeAt, columns } = backup;
  const head = JSON.stringify({ format: FORMAT, version: FILE_VERSION, schema, made_at: madeAt, columns });
  const lines = BACKUP_TABLES.flatMap((table) => backup.rows[table].map((row) => `${table} ${row}`));
  const content = `${[head, ...lines].join('\n')}\n`;
  const unfinished = `${path}.unfinished`;
  try {
    // What is left of a backup that was killed, or a link that was put there, would be written through with its own mode.
    rmSync(unfinished, { force: true });
    const file = openSync(unfinished, 'wx', 0o600);
    try {
      writeWhole(file, content, write);
      writeWhole(file, `${JSON.stringify({ rows: lines.length, sha256: checksum(content) })}\n`, write);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(unfinished, path);
    syncDirectory(dirname(path));
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw new CommandError(EXIT.file, `${path} cannot be written: ${(error as Error).message}`);
  }
}

/** Until then a power failure may undo the move. */
function syncDirectory(path: string): void {
  const directory = openSync(path, 'r');
  try {
    fsyncSync(directory);
  } finally {
    closeSync(directory);
  }
}

function writeWhole(file: number, text: string, write: Write): void {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += write(file, bytes, at);
}

/** BACKUP-FILE-2. `known`: migrations that this version knows. Throws a CommandError. */
export function readBackup(path: string, known: number): Backup {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw notTaken(path, (error as Error).message);
  }
  const head = headOf(path, text);
  if (head.version > FILE_VERSION) throw notTaken(path, 'it is of a newer version: use that version');
  const end = text.lastIndexOf('\n', text.length - 2) + 1;
  const content = text.slice(0, end);
  const { rows, sha256 } = (parsed(text.slice(end)) ?? {}) as { rows?: unknown; sha256?: unknown };
  const lines = content.split('\n').slice(1, -1);
  if (rows !== lines.length || sha256 !== checksum(content)) throw notTaken(path, 'it is cut off, or was changed');
  const { schema, made_at: madeAt } = head;
  if (schema > known)
    throw notTaken(path, `it is of a newer version (schema ${schema}, this one knows ${known}): use that version`);
  return { schema, madeAt, columns: columnsOf(path, head.columns), rows: rowsOf(path, lines) };
}

interface Head {
  readonly format: string;
  readonly version: number;
  readonly schema: number;
  readonly made_at: string;
  /** By table; a later version may have others. */
  readonly columns: Readonly<Record<string, unknown>>;
}

function headOf(path: string, text: string): Head {
  const head = parsed(text.slice(0, Math.max(text.indexOf('\n'), 0))) as Partial<Head> | null;
  const numbers = [head?.version, head?.schema];
  if (head?.format !== FORMAT || !numbers.every(Number.isInteger) || typeof (head.columns ?? null) !== 'object')
    throw notTaken(path, 'it is not a file of extreg backup');
  return { ...(head as Head), columns: head.columns ?? {} };
}

/** None of a table that the version which made it did not have. */
function columnsOf(path: string, columns: Head['columns']): Backup['columns'] {
  const known = BACKUP_TABLES.map((table): [BackupTable, readonly string[]] => {
    const names = columns[table] ?? [];
    if (!Array.isArray(names) || !names.every((name) => typeof name === 'string'))
      throw notTaken(path, `columns of ${table}: expected a list of names`);
    return [table, names];
  });
  return Object.fromEntries(known) as Backup['columns'];
}

function rowsOf(path: string, lines: readonly string[]): Backup['rows'] {
  const rows = new Map<string, string[]>(BACKUP_TABLES.map((table) => [table, []]));
  for (const line of lines) {
    const blank = line.indexOf(' ');
    const table = line.slice(0, blank);
    const known = rows.get(table);
    if (known === undefined)
      throw notTaken(
        path,
        `it has rows of ${table.slice(0, 80)}, which this version does not know: use the version that made it`,
      );
    known.push(line.slice(blank + 1));
  }
  return Object.fromEntries(rows) as unknown as Backup['rows'];
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

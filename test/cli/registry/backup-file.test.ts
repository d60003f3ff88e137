import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { type Backup, readBackup, writeBackup } from '../../../src/cli/registry/backup-file.js';
import { BACKUP_TABLES, type BackupTable } from '../../../src/db/queries/backup-queries.js';

const ofEach = <T>(value: T) =>
  Object.fromEntries(BACKUP_TABLES.map((table) => [table, value])) as Record<BackupTable, T>;
const BACKUP: Backup = {
  schema: 1,
  madeAt: '2026-12-01T00:00:00.000Z',
  columns: ofEach(['id']),
  rows: ofEach(['["a"]']),
};

function directoryOf(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'extreg-backup-file-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test('BACKUP-FILE-1: only its owner may read a backup, also where a killed one left a file that everybody may read', (t) => {
  const path = join(directoryOf(t), 'all.backup');
  writeFileSync(`${path}.unfinished`, 'half of it');
  chmodSync(`${path}.unfinished`, 0o644);
  writeBackup(path, BACKUP, { force: false });
  t.is(statSync(path).mode & 0o777, 0o600);
  t.is(readBackup(path, 1).madeAt, BACKUP.madeAt);
});

test('BACKUP-FILE-1: a link beside its place is replaced, and what it names is not written', (t) => {
  const directory = directoryOf(t);
  const path = join(directory, 'all.backup');
  const named = join(directory, 'named');
  writeFileSync(named, 'as it was');
  symlinkSync(named, `${path}.unfinished`);
  writeBackup(path, BACKUP, { force: false });
  t.is(readFileSync(named, 'utf8'), 'as it was');
  t.false(statSync(path).isSymbolicLink());
  t.deepEqual(readdirSync(directory).sort(), ['all.backup', 'named']);
});

test('BACKUP-FILE-1: where there is no directory the error names the file, and nothing is left', (t) => {
  const directory = directoryOf(t);
  const path = join(directory, 'none', 'all.backup');
  t.throws(() => writeBackup(path, BACKUP, { force: false }), { message: /none\/all\.backup cannot be written/ });
  t.deepEqual(readdirSync(directory), []);
});

test('BACKUP-FILE-1: a disk that fills up half-way leaves the file of before, and nothing beside it', (t) => {
  const directory = directoryOf(t);
  const path = join(directory, 'all.backup');
  writeFileSync(path, 'of before');
  let room = 100;
  const write = (file: number, bytes: Uint8Array, at: number) => {
    if (room === 0) throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
    const written = writeSync(file, bytes, at, Math.min(room, bytes.length - at));
    room -= written;
    return written;
  };
  t.throws(() => writeBackup(path, BACKUP, { force: true, write }), {
    message: /all\.backup cannot be written: ENOSPC/,
  });
  t.is(readFileSync(path, 'utf8'), 'of before');
  t.deepEqual(readdirSync(directory), ['all.backup']);
});

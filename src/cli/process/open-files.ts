// How many files this process may have open at a time. Node raises its own limit as far as it may, so this is what it has.
import { readFileSync } from 'node:fs';
import { CommandError, EXIT } from './command-error.js';

/** Enough for the embedded database and a few clients of the admin API. */
const OPEN_FILES_NEEDED = 256;

/** null: unknown, or unlimited. */
function openFileLimit(): number | null {
  try {
    const [, soft] = /^Max open files +(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? [];
    return soft === undefined ? null : Number(soft);
  } catch {
    return null;
  }
}

/** null: the limit suffices. */
export function openFilesProblem(limit = openFileLimit()): string | null {
  if (limit === null || limit >= OPEN_FILES_NEEDED) return null;
  return `this process may have ${limit} files open at a time and needs ${OPEN_FILES_NEEDED}: raise the limit (ulimit -n, or LimitNOFILE= of a systemd unit)`;
}

/** Throws a CommandError if a daemon, or a command that opens the embedded database, would fail halfway. */
export function requireOpenFiles(): void {
  const problem = openFilesProblem();
  if (problem !== null) throw new CommandError(EXIT.configuration, problem);
}

/** null: the error is another one. */
export function tooManyOpenFiles(error: unknown): string | null {
  const code = error instanceof Error ? (error as NodeJS.ErrnoException).code : null;
  if (code === 'EMFILE') return openFilesProblem() ?? `too many open files: ${(error as Error).message}`;
  return code === 'ENFILE' ? `this machine has too many open files: ${(error as Error).message}` : null;
}

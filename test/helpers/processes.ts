// Processes as Linux shows them, without `ps`, which a minimal machine does not have.
import type { ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';

export interface Process {
  readonly pid: number;
  readonly command: string;
}

/** How a child ended: its code, or the signal that ended it; null while it runs. */
export const endOf = (child: ChildProcess): number | NodeJS.Signals | null => child.exitCode ?? child.signalCode;

export const canSeeProcesses = existsSync('/proc/self/environ');

/** Processes with `mark` in their environment, which they inherit from whoever started them. */
export const processesWith = (mark: string): Process[] => processes('environ', mark);

/** Processes with `text` in their command line. */
export const processesNaming = (text: string): Process[] => processes('cmdline', text);

function processes(where: 'environ' | 'cmdline', text: string): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // Both are empty for one that has ended and only waits to be reaped.
        if (!readFileSync(`/proc/${name}/${where}`, 'utf8').replaceAll('\0', ' ').includes(text)) return [];
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        return [{ pid: Number(name), command }];
      } catch {
        return [];
      }
    });
}

// Processes as Linux shows them: who carries a mark in its environment, which it inherits from whoever started it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';

export interface Process {
  readonly pid: number;
  readonly command: string;
}

export const canSeeProcesses = existsSync('/proc/self/environ');

/** Processes with `mark` in their environment; those that have ended and only wait to be reaped are left out. */
export function processesWith(mark: string): Process[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // Empty for one that has ended.
        if (!readFileSync(`/proc/${name}/environ`, 'utf8').includes(mark)) return [];
        const command = readFileSync(`/proc/${name}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
        return [{ pid: Number(name), command }];
      } catch {
        return [];
      }
    });
}

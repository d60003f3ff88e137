// Programs of this machine that tests run.
import { execFileSync } from 'node:child_process';
import { delimiter, join } from 'node:path';

/** Path of the first one of this name in PATH that answers `--version`; '' if there is none. */
export function programInPath(name: string): string {
  for (const directory of (process.env.PATH ?? '').split(delimiter))
    try {
      execFileSync(join(directory, name), ['--version'], { stdio: 'ignore' });
      return join(directory, name);
    } catch {
      // The next one.
    }
  return '';
}

/** The Python that the set-up found; a run without the set-up looks for itself. '' if there is none. */
export const python3 = (): string => process.env.EXTREG_TEST_PYTHON ?? programInPath('python3');

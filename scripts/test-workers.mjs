// What test workers and the runner know of each other: one file per worker in a directory of the run, named by pid.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';

const DIRECTORY = 'EXTREG_TEST_WORKERS';
const RUN = 'EXTREG_TEST_RUN';
const ENDED = '.ended';

/** For the environment of AVA. */
export const workerEnvironment = (directory, run) => ({ [DIRECTORY]: directory, [RUN]: run });

/** `test/domain/breaker/trip.test.ts`, from the path that it was compiled to. */
export const sourceOf = (compiled, root = process.cwd()) =>
  relative(root, compiled)
    .replace(/^dist\//, '')
    .replace(/\.js$/, '.ts');

/** In a worker: it runs this file. The run's name; null where no runner asks, as with AVA alone. */
export function reportStart(file, env = process.env) {
  const { [DIRECTORY]: directory, [RUN]: run } = env;
  if (!directory || !run) return null;
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, String(process.pid)), file);
  return run;
}

/** In a worker that ends: how long it has lived. */
export function reportEnd() {
  try {
    writeFileSync(join(process.env[DIRECTORY], `${process.pid}${ENDED}`), String(Math.round(performance.now())));
  } catch {
    // The runner may have removed the directory: nobody needs the figure then.
  }
}

/** The runner's view. */
export class Workers {
  #directory;
  #files = new Map();

  constructor(directory) {
    this.#directory = directory;
    mkdirSync(directory, { recursive: true });
  }

  /** Reads who is new. */
  refresh() {
    for (const name of readdirSync(this.#directory))
      if (!name.endsWith(ENDED) && !this.#files.has(name)) {
        const file = readFileSync(join(this.#directory, name), 'utf8');
        // Empty: being written at this moment.
        if (file !== '') this.#files.set(name, file);
      }
  }

  /** The test file that this process runs; null if it is no worker. */
  fileOf = (pid) => this.#files.get(String(pid)) ?? null;

  /** Files that have begun and not ended. */
  running() {
    const names = new Set(readdirSync(this.#directory));
    return [...this.#files].filter(([pid]) => !names.has(`${pid}${ENDED}`)).map(([, file]) => file);
  }

  /** Seconds from start to end, by test file. */
  wallSeconds() {
    const seconds = new Map();
    for (const [pid, file] of this.#files)
      try {
        seconds.set(file, Number(readFileSync(join(this.#directory, `${pid}${ENDED}`), 'utf8')) / 1000);
      } catch {
        // Killed.
      }
    return seconds;
  }
}

// How much processor time the same work takes here and now, beside the machine that the budget of the tests was set on.
//
// The reference is a start of Node that imports libraries as their packages ship them: what the suite spends its time on, too, finding and
// compiling many small files. It is started again and again while the tests run, since a second lane on the same core, or other
// guests of the same host, make every second of processor time longer.
import { spawn } from 'node:child_process';

const LIBRARIES = ['commander', 'pino', 'typebox', 'typebox/compile', 'typebox/value'];
const PROGRAM = `await Promise.all(${JSON.stringify(LIBRARIES)}.map((name) => import(name)));
const { user, system } = process.cpuUsage(); process.stdout.write(String((user + system) / 1e6));`;
/** Seconds of processor time that the reference took on the machine of the budget. */
export const REFERENCE_SECONDS = 0.32;
const EVERY_MS = 30_000;

export class MachineSpeed {
  #root;
  #timer = null;
  #seconds = [];

  /** @param {string} root of the checkout */
  constructor(root) {
    this.#root = root;
  }

  begin() {
    this.#measure();
    this.#timer = setInterval(() => this.#measure(), EVERY_MS);
  }

  end() {
    clearInterval(this.#timer);
  }

  #measure() {
    const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
      cwd: this.#root,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let printed = '';
    child.on('error', () => undefined);
    child.stdout.setEncoding('utf8').on('data', (text) => {
      printed += text;
    });
    child.on('close', () => this.note(Number(printed)));
  }

  /** Seconds of one start of the reference; what is no time is left out. */
  note(seconds) {
    if (seconds > 0) this.#seconds.push(seconds);
  }

  /** Median of the reference's starts, in seconds; null where there is none. */
  get reference() {
    const sorted = [...this.#seconds].sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? null;
  }

  /** By how much a second of processor time is longer here; 1 where the machine is as fast or faster, and where nothing was measured. */
  get factor() {
    return Math.max(1, (this.reference ?? 0) / REFERENCE_SECONDS);
  }
}

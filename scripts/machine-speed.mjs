// How much processor time the same work takes here and now, beside the machine that the budget of the tests was set on.
//
// The reference is a start of Node that imports libraries as their packages ship them: what the suite spends its time on, too, finding and
// compiling many small files. It is started again and again while the tests run, since a second lane on the same core, or other
// guests of the same host, make every second of processor time longer. Within one run that changes, too: what a file took is compared with
// the starts while it ran.
import { spawn } from 'node:child_process';

const LIBRARIES = ['commander', 'pino', 'typebox', 'typebox/compile', 'typebox/value'];
const PROGRAM = `await Promise.all(${JSON.stringify(LIBRARIES)}.map((name) => import(name)));
const { user, system } = process.cpuUsage(); process.stdout.write(String((user + system) / 1e6));`;
/** Seconds of processor time that the reference took on the machine of the budget. */
export const REFERENCE_SECONDS = 0.32;
const EVERY_MS = 15_000;
/** Of a file that ran for less, those of the whole run say more. */
const FEWEST = 3;

export class MachineSpeed {
  #root;
  #timer = null;
  #running;
  /** @type {{ seconds: number, files: readonly string[] }[]} */
  #starts = [];

  /**
   * @param {string} root of the checkout
   * @param {() => readonly string[]} running test files that run now
   */
  constructor(root, running = () => []) {
    this.#root = root;
    this.#running = running;
  }

  begin() {
    this.#measure();
    this.#timer = setInterval(() => this.#measure(), EVERY_MS);
  }

  end() {
    clearInterval(this.#timer);
  }

  #measure() {
    const files = this.#running();
    const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
      cwd: this.#root,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let printed = '';
    child.on('error', () => undefined);
    child.stdout.setEncoding('utf8').on('data', (text) => {
      printed += text;
    });
    child.on('close', () => this.note(Number(printed), files));
  }

  /** Seconds of one start of the reference, beside these files; what is no time is left out. */
  note(seconds, files = []) {
    if (seconds > 0) this.#starts.push({ seconds, files });
  }

  /** Median of the reference's starts, in seconds; null where there is none. */
  get reference() {
    return medianOf(this.#starts);
  }

  /** By how much a second of processor time is longer here; 1 where the machine is as fast or faster, and where nothing was measured. */
  get factor() {
    return factorOf(this.reference);
  }

  /** Likewise, while this file ran. */
  factorOf = (file) => {
    const beside = this.#starts.filter(({ files }) => files.includes(file));
    return beside.length < FEWEST ? this.factor : factorOf(medianOf(beside));
  };
}

const factorOf = (reference) => Math.max(1, (reference ?? 0) / REFERENCE_SECONDS);

function medianOf(starts) {
  const sorted = starts.map(({ seconds }) => seconds).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}

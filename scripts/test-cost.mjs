// What one run of AVA costs: samples /proc while it runs.
import { loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { MachineSpeed } from './machine-speed.mjs';
import { busySeconds, ProcessorTime } from './processor-time.mjs';
import { Workers, workerEnvironment } from './test-workers.mjs';

const SAMPLE_MS = 400;
const ENDING_LOOKS = 5;

export class TestCost {
  #run = `${process.pid}-${Date.now()}`;
  #directory;
  #workers;
  #time;
  #timer = null;
  #begun = 0;
  #ended = 0;
  #busyBefore = null;
  #busyAfter = null;
  #loadBefore = 0;
  #speed;

  /**
   * @param {string} directory where workers say which file they run
   * @param {string} root of the checkout
   */
  constructor(directory, root) {
    this.#directory = directory;
    this.#workers = new Workers(directory);
    this.#speed = new MachineSpeed(root, () => this.#workers.running());
  }

  /** For AVA. */
  get environment() {
    return workerEnvironment(this.#directory, this.#run);
  }

  begin() {
    this.#time = new ProcessorTime({ root: process.pid, run: this.#run, fileOf: this.#workers.fileOf });
    this.#begun = performance.now();
    this.#busyBefore = busySeconds();
    [this.#loadBefore] = loadavg();
    if (!this.#time.works) return;
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS);
    this.#speed.begin();
  }

  /** What AVA's workers started may still be ending when AVA has ended. */
  async end() {
    clearInterval(this.#timer);
    this.#speed.end();
    this.#ended = performance.now();
    this.#busyAfter = busySeconds();
    if (!this.#time.works) return;
    for (let looks = 0; looks < ENDING_LOOKS; looks++) {
      this.#sample();
      if (this.#time.alive().length === 0) return;
      await sleep(SAMPLE_MS / 2);
    }
  }

  #sample() {
    try {
      this.#workers.refresh();
      this.#time.sample();
    } catch {
      // A figure is missing; the tests go on.
    }
  }

  /** Test files that run now. */
  running() {
    return this.#workers.running();
  }

  /** Null where nothing can be measured. */
  result() {
    if (!this.#time.works) return null;
    return {
      seconds: this.#time.seconds(),
      processes: this.#time.processes(),
      leftRunning: this.#time.alive(),
      wallByFile: this.#workers.wallSeconds(),
      wallSeconds: (this.#ended - this.#begun) / 1000,
      busySeconds: this.#busyBefore === null ? null : this.#busyAfter - this.#busyBefore,
      loadBefore: this.#loadBefore,
      reference: this.#speed.reference,
      factor: this.#speed.factor,
      factorOf: this.#speed.factorOf,
    };
  }
}

// Processor time of a run of tests, charged to the test files: every process of the run, also a detached one, read from
// /proc. Needs neither root nor perf; where there is no /proc (macOS) nothing is measured.
//
// CPU-1. A process belongs to the run if an ancestor that was seen does, or if its environment has the run's mark. The mark
//     names the file, so a process whose parents are gone is charged as well.
// CPU-2. Nothing counts twice. The kernel adds the time of a process to its parent when the parent waits for it; what
//     a parent did not get that way (the process was orphaned, or reaped by another) is taken from the last sample.
// CPU-3. What is charged to the files and to the runner adds up to the total.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Of the environment: `<run> <test file>`. */
export const MARK = 'EXTREG_TEST_MARK';
/** The kernel's USER_HZ; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;
/** What belongs to no test file. */
export const RUNNER = '';

/**
 * @typedef {object} Tracked one process that belongs to the run
 * @property {string} key `pid:start time`: a pid may return, both together do not
 * @property {string | null} parent key of its parent, if that belongs to the run
 * @property {string} file the test file that it is charged to; '' for the runner
 * @property {string} program the name that /proc gives it
 * @property {number} own ticks of its own
 * @property {number} waited ticks of children that it has waited for
 * @property {number} waitedBefore the same at the last sample
 * @property {number} charged ticks within `waited` that are settled
 */

export class ProcessorTime {
  #proc;
  #run;
  #fileOf;
  /** @type {Map<string, Tracked>} */
  #tracked = new Map();
  /** Keys of processes that do not belong to the run: their environment is read once. */
  #others = new Set();
  /** Ticks of processes that are gone, by file. */
  #settled = new Map();
  /** Number of processes by file and program. */
  #started = new Map();
  #root;
  #before = 0;

  /**
   * @param {object} options
   * @param {number} options.root pid of the process whose descendants are the run; its own time counts from now on
   * @param {string} options.run what the mark of this run begins with
   * @param {(pid: number) => string | null} options.fileOf the test file of a worker; null if the process is none
   * @param {string} [options.proc]
   */
  constructor({ root, run, fileOf, proc = '/proc' }) {
    this.#proc = proc;
    this.#root = root;
    this.#run = run;
    this.#fileOf = fileOf;
    const stat = this.#read(root);
    if (stat === null) return;
    this.#tracked.set(stat.key, { ...stat, parent: null, file: RUNNER, waitedBefore: stat.waited, charged: 0 });
    this.#before = stat.own + stat.waited;
  }

  /** False where /proc cannot be read: then all figures are 0. */
  get works() {
    return this.#tracked.size > 0;
  }

  /** Looks at every process once. */
  sample() {
    const seen = this.#readAll();
    for (const stat of seen.values()) this.#update(stat, seen);
    this.#settle(new Set([...seen.values()].map(({ key }) => key)));
  }

  /** Seconds by test file; the runner's own under ''. */
  seconds() {
    const ticks = new Map(this.#settled);
    for (const { own, waited, charged, file } of this.#tracked.values()) add(ticks, file, own + waited - charged);
    add(ticks, RUNNER, -this.#before);
    return new Map([...ticks].map(([file, count]) => [file, count / TICKS_PER_SECOND]));
  }

  /** How many processes were seen, by test file and program. One that lives less than a sample may be missed. */
  processes() {
    return this.#started;
  }

  /** What the last sample saw alive of the run, besides the root itself: pid, test file, program. */
  alive() {
    return [...this.#tracked.values()].filter(({ pid }) => pid !== this.#root);
  }

  /** By pid. */
  #readAll() {
    const seen = new Map();
    for (const name of readdirSync(this.#proc)) {
      const pid = Number(name);
      const stat = Number.isInteger(pid) ? this.#read(pid) : null;
      if (stat !== null) seen.set(pid, stat);
    }
    return seen;
  }

  #read(pid) {
    try {
      return parseStat(readFileSync(join(this.#proc, String(pid), 'stat'), 'latin1'));
    } catch {
      return null;
    }
  }

  #update(stat, seen) {
    const known = this.#tracked.get(stat.key);
    if (known === undefined) {
      this.#adopt(stat, seen);
      return;
    }
    known.file = this.#fileOf(stat.pid) ?? known.file;
    known.program = stat.program;
    known.own = stat.own;
    known.waited = stat.waited;
    known.parent = this.#adopt(seen.get(stat.ppid), seen)?.key ?? null;
  }

  /** CPU-1. The process as it is tracked; null if it does not belong to the run. */
  #adopt(stat, seen) {
    if (stat === undefined || this.#others.has(stat.key)) return null;
    const known = this.#tracked.get(stat.key);
    if (known !== undefined) return known;
    // Its parent first: pids are not always in the order of birth.
    const parent = this.#adopt(seen.get(stat.ppid), seen);
    const marked = this.#markOf(stat.pid);
    if (parent === null && marked === null) {
      this.#others.add(stat.key);
      return null;
    }
    const file = this.#fileOf(stat.pid) ?? marked ?? parent.file;
    const tracked = { ...stat, parent: parent?.key ?? null, file, waitedBefore: 0, charged: 0 };
    this.#tracked.set(stat.key, tracked);
    this.#started.set(file, add(this.#started.get(file) ?? new Map(), stat.program, 1));
    return tracked;
  }

  /** The file that the mark names; null without this run's mark. */
  #markOf(pid) {
    const begin = `${MARK}=${this.#run} `;
    try {
      const environment = readFileSync(join(this.#proc, String(pid), 'environ'), 'utf8').split('\0');
      return environment.find((line) => line.startsWith(begin))?.slice(begin.length) ?? null;
    } catch {
      return null;
    }
  }

  /** CPU-2: what is gone since the last sample. */
  #settle(keys) {
    const gone = [...this.#tracked.values()].filter(({ key }) => !keys.has(key));
    /** By an ancestor that is alive: what of each file it should have waited for. */
    const waitedFor = new Map();
    for (const { file, parent, own, waited, charged } of gone) {
      add(this.#settled, file, own + waited - charged);
      const ancestor = this.#aliveFrom(parent, keys);
      if (ancestor !== null) waitedFor.set(ancestor, add(waitedFor.get(ancestor) ?? new Map(), file, own + waited));
    }
    for (const { key } of gone) this.#tracked.delete(key);
    for (const [ancestor, files] of waitedFor) {
      // It may have been read before its child was gone.
      ancestor.waited = this.#read(ancestor.pid)?.waited ?? ancestor.waited;
      this.#charge(ancestor, files);
    }
    for (const tracked of this.#tracked.values()) tracked.waitedBefore = tracked.waited;
    for (const key of this.#others) if (!keys.has(key)) this.#others.delete(key);
  }

  #aliveFrom(key, keys) {
    let tracked = this.#tracked.get(key);
    while (tracked !== undefined && !keys.has(tracked.key)) tracked = this.#tracked.get(tracked.parent);
    return tracked ?? null;
  }

  /** What the ancestor waited for is settled already; what it got beyond was used after the last sample. */
  #charge(ancestor, files) {
    const got = ancestor.waited - ancestor.waitedBefore;
    const seen = [...files.values()].reduce((sum, ticks) => sum + ticks, 0);
    ancestor.charged += Math.min(got, seen);
    if (got <= seen || files.size > 1) return;
    const [file] = files.keys();
    add(this.#settled, file, got - seen);
    ancestor.charged += got - seen;
  }
}

/** Busy seconds of all processors since the start of the machine; null where it cannot be told. */
export function busySeconds(proc = '/proc') {
  try {
    const [line = ''] = readFileSync(join(proc, 'stat'), 'latin1').split('\n', 1);
    const [user, nice, system, , , irq, softirq] = line.trim().split(/\s+/).slice(1).map(Number);
    return (user + nice + system + irq + softirq) / TICKS_PER_SECOND;
  } catch {
    return null;
  }
}

/** One line of /proc/<pid>/stat. The name may hold blanks and brackets: the last bracket ends it. */
export function parseStat(line) {
  const end = line.lastIndexOf(')');
  const begin = line.indexOf('(');
  const fields = line.slice(end + 2).split(' ');
  const pid = Number(line.slice(0, begin));
  // Numbered from 3 in proc(5): state, ppid, … utime 14, stime 15, cutime 16, cstime 17 … starttime 22.
  const field = (number) => Number(fields[number - 3]);
  return {
    key: `${pid}:${fields[22 - 3]}`,
    pid,
    ppid: field(4),
    program: line.slice(begin + 1, end),
    own: field(14) + field(15),
    waited: field(16) + field(17),
  };
}

function add(counts, key, count) {
  counts.set(key, (counts.get(key) ?? 0) + count);
  return counts;
}

// What AVA reports with --tap, read line by line: counts, and the failed tests with what AVA says about them.
//
// T1. `not ok` with `# TODO` is no failure; with `# SKIP` nothing ran.
// T2. A report without its plan (`1..N`) was cut off: AVA itself ended, so the run cannot have passed.

// T3. A failed test of which AVA says nothing in the usual form has the lines that follow it.

const RESULT = /^(ok|not ok) \d+ - (.*?)( # (SKIP|TODO).*)?$/;
const AFTER_LINES = 20;

export class TapReport {
  passed = 0;
  failed = 0;
  skipped = 0;
  complete = false;
  /** @type {{ title: string, details: string[] }[]} */
  failures = [];
  /** @type {string[]} */
  skippedTitles = [];
  /** Of all that was reported, in AVA's order, by run. */
  titles = [];
  #details = null;
  #after = 0;

  /** Another run of AVA. */
  begin() {
    this.complete = false;
    this.titles.push([]);
  }

  /** @param {string} line without its line feed */
  read(line) {
    if (this.#details) {
      if (/^ {2}\.\.\.$/.test(line)) this.#details = null;
      else if (/^ {2}/.test(line)) {
        if (!/^ {2}---$/.test(line)) this.#details.push(line);
        return;
        // What a test logs stands between its line and the details.
      } else if (line.startsWith('#') && this.#details.length === 0) return;
      else {
        // T3.
        if (this.#details.length === 0 && !RESULT.test(line)) this.#after = AFTER_LINES;
        else this.#after = 0;
        this.#details = null;
      }
    }
    if (this.#after > 0 && !RESULT.test(line)) {
      this.#after -= 1;
      this.failures.at(-1)?.details.push(line);
    } else this.#after = 0;
    const result = RESULT.exec(line);
    if (result) this.#count(result[1] === 'ok', result[2], result[4]);
    else if (/^1\.\.\d+/.test(line)) this.complete = true;
  }

  /** What was to run and could not. */
  skip(title) {
    this.skipped += 1;
    this.skippedTitles.push(title);
  }

  #count(ok, title, directive) {
    this.titles.at(-1)?.push(title);
    if (directive) {
      this.skip(title);
    } else if (ok) this.passed += 1;
    else {
      this.failed += 1;
      this.#details = [];
      this.failures.push({ title, details: this.#details });
    }
  }

  /** The line that closes a run and stands alone. */
  get line() {
    return `${this.passed} passed, ${this.failed} failed${this.skipped > 0 ? `, ${this.skipped} skipped` : ''}`;
  }
}

/**
 * How many of the titles belong to which test file. AVA puts folders and name before a title (`domain › trip › opens …`): without the
 * folder in which all files of its run are, and nothing where it runs one file only.
 * @param {readonly (readonly string[])[]} runs titles by run of AVA
 * @param {readonly string[]} files of all runs: `test/domain/breaker/trip.test.ts`
 * @returns {Map<string, number>}
 */
export function testsByFile(runs, files) {
  const counts = new Map();
  const folders = [...new Set(files.flatMap(foldersOf))].map((folder) => filesIn(folder, files));
  for (const titles of runs) {
    // The folder of the run is the one in which its titles find their files.
    const found = folders
      .map((byPrefix) => titles.map((title) => fileOf(title, byPrefix)))
      .reduce((best, next) => (next.filter(Boolean).length > best.filter(Boolean).length ? next : best));
    for (const file of found) counts.set(file ?? files[0], (counts.get(file ?? files[0]) ?? 0) + 1);
  }
  return counts;
}

/** `test/`, `test/domain/` …: outermost first. */
const foldersOf = (file) =>
  file.split('/').flatMap((_, i, parts) => (i === 0 ? [] : `${parts.slice(0, i).join('/')}/`));

/** By what AVA puts before the titles of each, where the run's files are in this folder. */
const filesIn = (folder, files) =>
  new Map(
    files
      .filter((file) => file.startsWith(folder))
      .map((file) => [
        file
          .slice(folder.length)
          .replace(/\.test\.ts$/, '')
          .replaceAll('/', ' › '),
        file,
      ]),
  );

function fileOf(title, byPrefix) {
  const words = title.split(' › ');
  for (let i = 1; i < words.length; i++) {
    const file = byPrefix.get(words.slice(0, i).join(' › '));
    if (file !== undefined) return file;
  }
}

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
  /** Of all that was reported, in AVA's order. */
  titles = [];
  #details = null;
  #after = 0;

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
    this.titles.push(title);
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
 * How many of the titles belong to which test file. AVA puts folders and name before a title (`domain › trip › opens …`), but not where
 * it runs one file only.
 * @param {readonly string[]} titles
 * @param {readonly string[]} files `test/domain/breaker/trip.test.ts`
 * @returns {Map<string, number>}
 */
export function testsByFile(titles, files) {
  const byPrefix = new Map(files.map((file) => [prefixOf(file), file]));
  const counts = new Map();
  for (const title of titles) {
    const words = title.split(' › ');
    const file = words.map((_, i) => byPrefix.get(words.slice(0, i + 1).join(' › '))).find(Boolean) ?? files[0];
    counts.set(file, (counts.get(file) ?? 0) + 1);
  }
  return counts;
}

const prefixOf = (file) =>
  file
    .replace(/^test\//, '')
    .replace(/\.test\.ts$/, '')
    .replaceAll('/', ' › ');

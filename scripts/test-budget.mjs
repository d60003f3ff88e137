// What a run of tests may cost in processor time, and the table of what it did cost.
//
// Wall time says little: on a busy machine it triples, processor time rises by 10 to 30 %.
import { REFERENCE_SECONDS } from './machine-speed.mjs';
import { RUNNER } from './processor-time.mjs';
import { columns } from './terminal.mjs';

/**
 * Seconds of processor time, of a machine on which the reference of machine-speed.mjs takes REFERENCE_SECONDS. docs/CONTRIBUTING.md says who may
 * raise them, and by how much.
 */
export const BUDGET = { total: 650, file: 40 };
const SHOWN = 10;
/** How far the sum may be from what the processors were busy, on a machine that does nothing else. */
const TOLERANCE = 0.15;
const QUIET_LOAD = 0.5;

export const totalOf = (seconds) => [...seconds.values()].reduce((sum, one) => sum + one, 0);

/** The dearest first. */
export const dearestFiles = (seconds) => [...seconds].filter(([file]) => file !== RUNNER).sort(([, a], [, b]) => b - a);

/**
 * Lines for the end of a run.
 * @param {object} run
 * @param {Map<string, number>} run.seconds processor time by test file
 * @param {number} run.wallSeconds
 * @param {number | null} run.busySeconds of all processors in that time
 * @param {number} run.loadBefore load average of the minute before
 * @param {number | null} run.reference seconds of the reference's start in this run
 * @param {number} run.factor by how much a second of processor time is longer here
 */
export function costLines({ seconds, wallSeconds, busySeconds, loadBefore, reference, factor }) {
  const total = totalOf(seconds);
  return [
    `The dearest of ${seconds.size - 1} files, in seconds of processor time:`,
    ...dearestFiles(seconds)
      .slice(0, SHOWN)
      .map(([file, cost]) => `${columns([cost.toFixed(1)], [8])}  ${file}`),
    `${total.toFixed(1)} s of processor time in ${wallSeconds.toFixed(0)} s; load average before: ${loadBefore.toFixed(2)}.`,
    ...(busySeconds === null
      ? []
      : [`In that time the machine's processors were busy for ${busySeconds.toFixed(1)} s.`]),
    ...(reference === null
      ? []
      : [
          `The reference took ${reference.toFixed(2)} s here, ${REFERENCE_SECONDS} s where the budget was set: that makes it ${(total / factor).toFixed(1)} s there.`,
        ]),
    ...deviation(total, busySeconds, loadBefore),
  ];
}

function deviation(total, busySeconds, loadBefore) {
  if (busySeconds === null || loadBefore >= QUIET_LOAD) return [];
  const apart = Math.abs(busySeconds - total) / busySeconds;
  if (apart <= TOLERANCE) return [];
  return [
    `These are ${(apart * 100).toFixed(0)} % apart, on a machine that was quiet before: something else was running, or processes of the tests were not counted.`,
  ];
}

/**
 * What of it is over the budget; empty where nothing is. `factor`: by how much a second of processor time is longer here; `factorOf`: while a file ran.
 */
export function overBudget(seconds, factor = 1, budget = BUDGET, factorOf = () => factor) {
  const total = totalOf(seconds) / factor;
  return [
    ...dearestFiles(seconds)
      .filter(([file, cost]) => cost / factorOf(file) > budget.file)
      .map(
        ([file, cost]) =>
          `${file} took ${(cost / factorOf(file)).toFixed(1)} s of processor time; a file may take ${budget.file} s.`,
      ),
    ...(total > budget.total
      ? [`All tests took ${total.toFixed(1)} s of processor time; together they may take ${budget.total} s.`]
      : []),
  ];
}

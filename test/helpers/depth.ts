// How much of a long test a run does: a quarter in `npm test`, all of it in `npm run test:deep`.

const DAY_MS = 86_400_000;
const PARTS = 4;

/** Whether this is `npm run test:deep`. */
export const isDeep = process.env.EXTREG_TEST_DEEP === '1';
/** Whether messages pass by the NATS client, as by default, or through it: `npm run test:deep` runs the tests of the wire both ways. */
export const isDirect = process.env.EXTREG_TEST_NATS_DIRECT_IO !== 'false';
/** Why a test is skipped elsewhere. */
export const ONLY_DEEP = 'only in npm run test:deep';

/** Of a number of runs of a property test, how many to do; at least 1. */
export const runs = (all: number): number => (isDeep ? all : Math.ceil(all / PARTS));

/**
 * Seeds from 1 to `all`; by default a quarter of them, another one each day, so that four days of runs have done them all. A failure
 * says its seed, and `EXTREG_TEST_SEED=<seed>` runs that one alone.
 */
export function seeds(all: number, day = Math.floor(Date.now() / DAY_MS)): readonly number[] {
  const one = Number(process.env.EXTREG_TEST_SEED ?? 0);
  if (one > 0) return [one];
  const count = runs(all);
  const first = isDeep ? 0 : (day % PARTS) * count;
  return Array.from({ length: count }, (_, i) => ((first + i) % all) + 1);
}

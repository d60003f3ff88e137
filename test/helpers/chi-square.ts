// Pearson's test of how well counts fit what was to be expected.

/** The sum over (found - expected)² / expected. Cells that expect nothing must hold nothing. */
export function chiSquare(found: readonly number[], expected: readonly number[]): number {
  return expected.reduce((sum, wanted, i) => {
    const got = found[i] ?? 0;
    if (wanted === 0) return got === 0 ? sum : Number.POSITIVE_INFINITY;
    return sum + (got - wanted) ** 2 / wanted;
  }, 0);
}

/** Of what fits, one in a thousand is above this; degrees of freedom 1 to 10 from the table. */
const CRITICAL = [10.828, 13.816, 16.266, 18.467, 20.515, 22.458, 24.322, 26.124, 27.877, 29.588];
/** Where the normal distribution leaves one in a thousand above. */
const NORMAL = 3.0902;

/** At p = 0.001; beyond the table after Wilson and Hilferty, which is good to a thousandth there. */
export function criticalAt(degreesOfFreedom: number): number {
  const part = 2 / (9 * degreesOfFreedom);
  return CRITICAL[degreesOfFreedom - 1] ?? degreesOfFreedom * (1 - part + NORMAL * Math.sqrt(part)) ** 3;
}

/** A table of two by two: how far the one thing tells of the other; one degree of freedom. */
export function dependence(table: readonly [number, number, number, number]): number {
  const [a, b, c, d] = table;
  const total = a + b + c + d;
  const expected = [(a + b) * (a + c), (a + b) * (b + d), (c + d) * (a + c), (c + d) * (b + d)];
  return chiSquare(
    table,
    expected.map((product) => product / total),
  );
}

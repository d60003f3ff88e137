// How large one extension may be, and how large and deep the JSON columns of a row. Larger ones would affect every extension: a value
// that is compared or written recursively ends the process if it is nested deeply enough.

/** Of one extension. */
export const MAX_VERSIONS = 20_000;
export const MAX_INSTANCES = 20_000;

/** Of one column, as compact JSON. */
export const MAX_JSON_BYTES = 262_144;
export const MAX_JSON_DEPTH = 64;

/** What is wrong with the parsed JSON of a column; null: nothing. */
export function jsonLimitProblem(column: string, value: unknown): string | null {
  switch (measure(value)) {
    case 'too_large':
      return tooLarge(column);
    case 'too_deep':
      return `${column} must be nested at most ${MAX_JSON_DEPTH} levels deep`;
    default:
      return null;
  }
}

export const tooLarge = (column: string): string => `${column} must be at most ${MAX_JSON_BYTES} bytes of JSON`;

/** Without recursion, and done as soon as a limit is passed. */
export function measure(value: unknown, maxDepth = MAX_JSON_DEPTH): 'fine' | 'too_large' | 'too_deep' {
  let bytes = 0;
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    const inner: unknown[] = [];
    for (const one of level) {
      bytes += sizeOf(one, inner);
      if (bytes > MAX_JSON_BYTES) return 'too_large';
    }
    if (depth === maxDepth && inner.length > 0) return 'too_deep';
    level = inner;
  }
  return 'fine';
}

/** Without what it contains, which goes to `inner`. Characters that need an escape count as one. */
function sizeOf(value: unknown, inner: unknown[]): number {
  if (typeof value === 'string') return Buffer.byteLength(value) + 2;
  if (typeof value !== 'object' || value === null) return String(value).length;
  if (Array.isArray(value)) {
    for (const one of value) inner.push(one);
    return Math.max(value.length + 1, 2);
  }
  let bytes = 1;
  for (const name of Object.keys(value)) {
    bytes += Buffer.byteLength(name) + 4;
    inner.push((value as Record<string, unknown>)[name]);
  }
  return Math.max(bytes, 2);
}

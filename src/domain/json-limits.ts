// How large and how deep the JSON columns of a registry row may be. What is beyond costs every reader: a value that is
// compared or written by recursion ends the process where it is nested deep enough.

/** Of one column, as compact JSON. */
export const MAX_JSON_BYTES = 262_144;
export const MAX_JSON_DEPTH = 64;

/** What is wrong with a parsed JSON value; null: nothing. Without recursion, and done as soon as a limit is passed. */
export function jsonLimitProblem(column: string, value: unknown): string | null {
  let bytes = 0;
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    const inner: unknown[] = [];
    for (const one of level) {
      bytes += sizeOf(one, inner);
      if (bytes > MAX_JSON_BYTES) return tooLarge(column);
    }
    if (depth === MAX_JSON_DEPTH && inner.length > 0) return tooDeep(column);
    level = inner;
  }
  return null;
}

export const tooLarge = (column: string): string => `${column} must be at most ${MAX_JSON_BYTES} bytes of JSON`;

const tooDeep = (column: string): string => `${column} must be nested at most ${MAX_JSON_DEPTH} levels deep`;

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

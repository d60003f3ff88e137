// What changed between two contexts, by path; and a context of before with that applied.
//
// DIFFERENCES-1. Applying the differences of two contexts to the first gives the second.
import type { Json } from './definition.js';
import type { Context } from './frames.js';

export interface Change {
  /** `window.failures`. */
  readonly path: string;
  readonly keys: readonly string[];
  /** undefined: it was not there. */
  readonly from: Json | undefined;
  /** undefined: it is not there any more. */
  readonly to: Json | undefined;
}

type Members = Readonly<Record<string, Json>>;

const isMembers = (value: Json | undefined): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Lists are compared as wholes: one that grew is one change. */
export function differences(before: Context, now: Context): Change[] {
  const changes: Change[] = [];
  const walk = (a: Members, b: Members, keys: readonly string[]): void => {
    for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
      const [from, to] = [a[key], b[key]];
      const path = [...keys, key];
      if (isMembers(from) && isMembers(to)) walk(from, to, path);
      else if (JSON.stringify(from) !== JSON.stringify(to))
        changes.push({ path: path.join('.'), keys: path, from, to });
    }
  };
  walk(before, now, []);
  return changes;
}

/** DIFFERENCES-1. */
export function withChanges(before: Context, changes: readonly Change[]): Context {
  return changes.reduce<Context>((context, { keys, to }) => withValue(context, keys, to), before);
}

function withValue(members: Members, [key = '', ...deeper]: readonly string[], to: Json | undefined): Members {
  const { [key]: old, ...others } = members;
  if (deeper.length === 0) return to === undefined ? others : { ...members, [key]: to };
  return { ...members, [key]: withValue(isMembers(old) ? old : {}, deeper, to) };
}

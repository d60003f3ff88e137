// The context that `explain` is asked about: the same bounds on every wire.
import { quoted } from '../quoted.js';

const MAX_KEYS = 32;
/** Of a key, and of a value. */
const MAX_LENGTH = 1000;

type AskedContext =
  | { readonly context: Readonly<Record<string, string>> }
  /** A sentence: what was expected and what was got. */
  | { readonly problem: string };

/** As in a call, a blank value is none. */
export function askedContext(given: Iterable<readonly [key: string, value: string]>): AskedContext {
  const values = new Map<string, string>();
  for (const [key, value] of given) {
    if (key === '') return { problem: 'a context key must not be empty' };
    if (values.has(key)) return { problem: `context key ${quoted(key)} must be given once, got it twice` };
    if (key.length > MAX_LENGTH)
      return { problem: `a context key must have at most ${MAX_LENGTH} characters, got ${key.length}` };
    if (value.length > MAX_LENGTH)
      return {
        problem: `context key ${quoted(key)} must have a value of at most ${MAX_LENGTH} characters, got ${value.length}`,
      };
    values.set(key, value);
    if (values.size > MAX_KEYS) return { problem: `the context must have at most ${MAX_KEYS} keys, got more` };
  }
  return { context: Object.fromEntries([...values].filter(([, value]) => value.trim() !== '')) };
}

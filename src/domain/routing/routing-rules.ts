// Which calls a version's rules match, decided by the context of the call.
//
// ROUTING-RULES-1. All keys of the rules must match; a list means any of it; a key that the context does not have matches nothing.
// ROUTING-RULES-2. Strings, numbers and booleans compare as text: 1 and 1.0 are "1", 1e21 is 1 and 21 zeros, true is "true".
// ROUTING-RULES-3. Rules are read once per change of the registry. Empty rules are no rules: they match no call by themselves.
import { numberText } from '../exact-json.js';
import type { InvocationError } from '../registry/errors.js';

/** A value, never empty; undefined: the call has none; an error: it cannot be determined, and the call is refused with it. */
export type ContextAnswer<Problem = InvocationError> = string | undefined | Problem;

/**
 * Values by key: `tenant_id`, `policy_id`, `environment`, `routing_key` and whatever else rules ask for. `Problem`: never, if each can be
 * determined.
 */
export interface Context<Problem = InvocationError> {
  get(key: string): ContextAnswer<Problem>;
}

export const NO_CONTEXT: Context<never> = new Map<string, string>();

export interface Condition {
  readonly key: string;
  /** As text; never empty. */
  readonly anyOf: ReadonlySet<string>;
}

/** `routing_rules` of a valid row, in the order of its keys. */
export function compileRules(rules: Readonly<Record<string, unknown>>): Condition[] {
  return Object.entries(rules).map(([key, wanted]) => ({
    key,
    anyOf: new Set((Array.isArray(wanted) ? wanted : [wanted]).map(ruleText)),
  }));
}

const ruleText = (wanted: unknown): string =>
  typeof wanted === 'number' ? numberText(String(wanted)) : String(wanted);

/** The first condition that the context does not meet, or the error if that cannot be determined; null: it meets them all. */
export function unmetCondition<Problem extends InvocationError = never>(
  conditions: readonly Condition[],
  context: Context<Problem>,
): Condition | Problem | null {
  for (const condition of conditions) {
    const value = context.get(condition.key);
    if (typeof value === 'object') return value;
    if (value === undefined || !condition.anyOf.has(value)) return condition;
  }
  return null;
}

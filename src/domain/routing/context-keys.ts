// Keys of a call's context that nothing of an extension uses, and what the caller may have meant.
//
// CONTEXT-KEYS-1. A key that a rule uses, of a disabled version too, is as it was meant: it gets no warning, whatever else it resembles.
// CONTEXT-KEYS-2. A key resembles another one if they differ in case, `-` and `_` alone, then if by one typing error (a character more, less or
//     another, or two exchanged), then if one begins with the other. Numbers are no typing errors: `tag1` is not `tag2`.
// CONTEXT-KEYS-3. The keys of the rules are read once per form of an extension, and a key is compared with 1000 of them at most.
import { quoted } from '../quoted.js';
import type { Version } from '../registry/extension.js';

/** Characters of a key that is shown: as `explain` takes. */
const MAX_SHOWN = 1000;
const MAX_COMPARED = 1000;
/** Longer ones are compared with no other. */
const MAX_LENGTH = 100;
/** Shorter ones resemble too many. */
const MIN_LENGTH = 3;
/** As a header of a call has before the key (docs/wire.md). */
const HEADER = /^extreg(ctx)?/;
const DIGITS = /^\d*$/;

interface Compared {
  readonly key: string;
  readonly plain: string;
}

interface RuleKeys {
  readonly all: ReadonlySet<string>;
  /** Of enabled versions. */
  readonly enabled: ReadonlySet<string>;
  readonly compared: readonly Compared[];
}

const known = new WeakMap<readonly Version[], RuleKeys>();

export function ruleKeysOf({ versions }: { readonly versions: readonly Version[] }): RuleKeys {
  let keys = known.get(versions);
  if (keys === undefined) {
    const all = new Set<string>();
    const enabled = new Set<string>();
    for (const version of versions)
      for (const key in version.routingRules) {
        all.add(key);
        if (version.enabled) enabled.add(key);
      }
    keys = { all, enabled, compared: comparable(enabled) };
    known.set(versions, keys);
  }
  return keys;
}

/**
 * A sentence for each of `keys` that resembles one that is used. `others`: what is used beside rules, such as the key of a rollout. What the
 * context has is never suggested.
 */
export function keyWarnings(
  keys: readonly string[],
  rules: RuleKeys,
  others: readonly string[],
  context: Readonly<Record<string, string>>,
): string[] {
  const candidates = [...rules.compared, ...comparable(others)].filter(({ key }) => !Object.hasOwn(context, key));
  return keys.flatMap((key) => {
    if (rules.all.has(key) || others.includes(key)) return [];
    const meant = resembled(key, candidates);
    return meant === null ? [] : [`no rule uses ${quoted(key, MAX_SHOWN)}; did you mean ${quoted(meant, MAX_SHOWN)}?`];
  });
}

function comparable(keys: Iterable<string>): Compared[] {
  const compared: Compared[] = [];
  for (const key of keys) {
    if (compared.length === MAX_COMPARED) break;
    if (key.length <= MAX_LENGTH) compared.push({ key, plain: plainOf(key) });
  }
  return compared;
}

const plainOf = (key: string): string => key.toLowerCase().replace(/[-_\s.]/g, '');

/** CONTEXT-KEYS-2. Of several that resemble it equally, the shortest, then the first by name. */
function resembled(key: string, candidates: readonly Compared[]): string | null {
  if (key.length > MAX_LENGTH) return null;
  const plain = plainOf(key);
  const forms = [...new Set([plain, plain.replace(HEADER, '')])];
  let best: string | null = null;
  let bestRank = Number.POSITIVE_INFINITY;
  for (const candidate of candidates) {
    const rank = Math.min(...forms.map((form) => rankOf(form, candidate.plain)));
    if (rank > bestRank || rank === Number.POSITIVE_INFINITY) continue;
    if (rank === bestRank && best !== null && !isBefore(candidate.key, best)) continue;
    best = candidate.key;
    bestRank = rank;
  }
  return best;
}

const isBefore = (a: string, b: string): boolean => a.length < b.length || (a.length === b.length && a < b);

/** The lower, the more alike; infinite: not alike. */
function rankOf(a: string, b: string): number {
  if (a === b) return a === '' ? Number.POSITIVE_INFINITY : 0;
  if (Math.min(a.length, b.length) < MIN_LENGTH) return Number.POSITIVE_INFINITY;
  if (isOneTypo(a, b)) return 1;
  const [short, long] = a.length < b.length ? [a, b] : [b, a];
  return long.startsWith(short) && !DIGITS.test(long.slice(short.length)) ? 2 : Number.POSITIVE_INFINITY;
}

/** CONTEXT-KEYS-2. */
export function isOneTypo(a: string, b: string): boolean {
  if (a.length > b.length) return isOneTypo(b, a);
  if (b.length - a.length > 1 || a === b) return false;
  let i = 0;
  while (i < a.length && a[i] === b[i]) i += 1;
  const isOther = !(DIGITS.test(a[i] ?? '') && DIGITS.test(b[i] ?? ''));
  if (a.length < b.length) return a.slice(i) === b.slice(i + 1) && isOther;
  if (a.slice(i + 1) === b.slice(i + 1)) return isOther;
  return a[i] === b[i + 1] && a[i + 1] === b[i] && a.slice(i + 2) === b.slice(i + 2);
}

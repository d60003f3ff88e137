// Which versions of an extension there are to choose from, and which is the default.
//
// C1. The default is the highest enabled version with empty rules and no percentage; where there is none, the extension's
//     own row, which stands for the version named `extensions.version`.
// C2. The own row is ignored where a version row has that name, also a disabled one. Then there may be no default at all.
import type { Extension, Version } from './extension.js';

const PARTS = /\d+|-[^\d-]*|[^\d-]+/g;

/** v10 > v9, v2-beta < v2, then by text: numbers compare as numbers, and a name that ends where the other has a '-' is higher. */
export function compareVersions(a: string, b: string): number {
  const left = a.match(PARTS) ?? [];
  const right = b.match(PARTS) ?? [];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const order = compareParts(left[i], right[i]);
    if (order !== 0) return order;
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A part that begins with '-' is before the end of a name and any other part after it, so that the order has no circle. */
function compareParts(l: string | undefined, r: string | undefined): number {
  const order = rankOf(l) - rankOf(r);
  if (order !== 0 || l === undefined || r === undefined) return order;
  if (/^\d/.test(l) && /^\d/.test(r)) return compareNumbers(l, r);
  return l < r ? -1 : l > r ? 1 : 0;
}

const rankOf = (part: string | undefined): number => (part === undefined ? 1 : part.startsWith('-') ? 0 : 2);

/** Digits of any length, without losing any to rounding. */
function compareNumbers(a: string, b: string): number {
  const l = a.replace(/^0+(?=\d)/, '');
  const r = b.replace(/^0+(?=\d)/, '');
  return l.length - r.length || (l < r ? -1 : l > r ? 1 : 0);
}

/** The extension's own row as a version; null where a version row has its name (C2). */
function ownRow(extension: Extension): Version | null {
  if (extension.versions.some((v) => v.version === extension.version)) return null;
  return {
    version: extension.version,
    subject: extension.subject,
    timeoutMs: extension.timeoutMs,
    retry: extension.retry,
    config: {},
    routingRules: {},
    rolloutPercent: null,
    rolloutKey: null,
    enabled: true,
    breakerOverride: null,
    breakerResets: 0,
    putBackId: null,
    revision: extension.revision,
  };
}

/** C1, C2. null: every version that could be the default is disabled. */
export function defaultVersion(extension: Extension): Version | null {
  const candidates = extension.versions.filter(
    (v) => v.enabled && v.rolloutPercent === null && Object.keys(v.routingRules).length === 0,
  );
  const highest = candidates.reduce<Version | null>(
    (best, v) => (best === null || compareVersions(v.version, best.version) > 0 ? v : best),
    null,
  );
  return highest ?? ownRow(extension);
}

/** Every version that can be called: the default first, then the other enabled ones. */
export function callableVersions(extension: Extension): Version[] {
  const first = defaultVersion(extension);
  const others = extension.versions.filter((v) => v.enabled && v.version !== first?.version);
  return first === null ? others : [first, ...others];
}

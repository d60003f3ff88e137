// Which versions of an extension there are to choose from, and which is the default.
//
// VERSION-CHOICE-1. The default is the highest enabled version with empty rules and no percentage; if there is none, the extension's
//     own row, which stands for the version named `extensions.version`.
// VERSION-CHOICE-2. The own row is ignored if a version row has that name, also a disabled one. Then there may be no default at all.
// VERSION-CHOICE-3. However many versions there are, choosing the default costs a comparison for each, once for each form of the extension.
import type { Extension, Version } from './extension.js';
import { versionOf } from './extension-index.js';

const PARTS = /\d+|-[^\d-]*|[^\d-]+/g;

/** v10 > v9, v2-beta < v2, then by text: numbers compare as numbers, and a name that ends at the other's '-' is higher. */
export function compareVersions(a: string, b: string): number {
  return compareNames({ name: a, parts: partsOf(a) }, { name: b, parts: partsOf(b) });
}

/** Those of versions with these names, taken apart once for each. */
export function compareNamed(a: Named, b: Named): number {
  return compareNames(nameOf(a), nameOf(b));
}

interface Named {
  readonly version: string;
}

interface Name {
  readonly name: string;
  readonly parts: readonly string[];
}

const names = new WeakMap<Named, Name>();

function nameOf(version: Named): Name {
  let name = names.get(version);
  if (name === undefined) {
    name = { name: version.version, parts: partsOf(version.version) };
    names.set(version, name);
  }
  return name;
}

const partsOf = (name: string): readonly string[] => name.match(PARTS) ?? [];

function compareNames(a: Name, b: Name): number {
  for (let i = 0; i < Math.max(a.parts.length, b.parts.length); i++) {
    const order = compareParts(a.parts[i], b.parts[i]);
    if (order !== 0) return order;
  }
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
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

/** The extension's own row as a version; null if a version row has its name (VERSION-CHOICE-2). */
function ownRow(extension: Extension): Version | null {
  if (versionOf(extension, extension.version) !== undefined) return null;
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

const defaults = new WeakMap<Extension, Version | null>();

/** VERSION-CHOICE-1, VERSION-CHOICE-2. null: every version that could be the default is disabled. */
export function defaultVersion(extension: Extension): Version | null {
  let found = defaults.get(extension);
  if (found === undefined) {
    found = highestPlain(extension) ?? ownRow(extension);
    defaults.set(extension, found);
  }
  return found;
}

function highestPlain({ versions }: Extension): Version | null {
  let best: Version | null = null;
  for (const version of versions)
    if (isPlain(version) && (best === null || compareNamed(version, best) > 0)) best = version;
  return best;
}

const isPlain = ({ enabled, rolloutPercent, routingRules }: Version): boolean =>
  enabled && rolloutPercent === null && Object.keys(routingRules).length === 0;

/** Every version that can be called: the default first, then the other enabled ones. */
export function callableVersions(extension: Extension): Version[] {
  const first = defaultVersion(extension);
  const others = extension.versions.filter((v) => v.enabled && v.version !== first?.version);
  return first === null ? others : [first, ...others];
}

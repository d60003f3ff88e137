// The verbs that an operator can apply to an extension or one version of it, and how they change the registry's rows.
//
// VERBS-1. Of the two overrides over a target, its extension's and its version's, the stricter is in force: isolated, then
//     forced closed.
// VERBS-2. A version's name means its row; if the extension has no version rows, its own row, which is the whole extension.
// VERBS-3. An operator's decision is visible in the rows, however many decisions are read at a time.
import { AUTO_MANAGER } from './auto-management.js';
import type { BreakerOverride, Extension, Version } from './extension.js';
import { versionOf } from './extension-index.js';

export const VERBS = ['enable', 'disable', 'isolate', 'force-closed', 'release', 'reset'] as const;
export type Verb = (typeof VERBS)[number];

/** The verbs that concern breakers alone, with the override they leave behind. They need no database to take effect. */
export const OVERRIDE_AFTER = {
  isolate: 'isolated',
  'force-closed': 'forced_closed',
  release: null,
  reset: null,
} as const satisfies Partial<Record<Verb, BreakerOverride | null>>;
export type BreakerVerb = keyof typeof OVERRIDE_AFTER;

export const isBreakerVerb = (verb: Verb): verb is BreakerVerb => Object.hasOwn(OVERRIDE_AFTER, verb);

/** Verbs that can harm callers: without a reason they are refused. */
const WITH_REASON: readonly Verb[] = ['disable', 'isolate', 'force-closed'];
export const needsReason = (verb: Verb): boolean => WITH_REASON.includes(verb);

/** Name of its audit row; that of a version's row begins with `version_`. */
export const actionOf = (verb: Verb): string => verb.replace('-', '_');

/** VERBS-1. */
export function overrideOf(extension: Extension, version: string): BreakerOverride | null {
  const own = versionOf(extension, version)?.breakerOverride ?? null;
  const both = [extension.breakerOverride, own];
  return both.includes('isolated') ? 'isolated' : both.includes('forced_closed') ? 'forced_closed' : null;
}

/** VERBS-2. `version` null: the whole extension. */
export function scopeOf(extension: Extension, version: string | null): { readonly version: string | null } | 'none' {
  if (version === null || versionOf(extension, version) !== undefined) return { version };
  return version === extension.version && extension.versions.length === 0 ? { version: null } : 'none';
}

/** A verb that an operator decided on; `id` is that of its audit row. */
export interface Decision<V extends Verb = Verb> {
  readonly id: string;
  readonly verb: V;
  readonly actor: string;
}

/** What the audit trail will record as the actor of the row's last switch, after a verb that switches. */
export function trailAfter({ id, verb, actor }: Decision): Partial<Pick<Extension, 'switchedBy' | 'putBackId'>> {
  if (verb === 'disable') return { switchedBy: actor, putBackId: null };
  return verb === 'enable' || verb === 'reset' ? { switchedBy: actor, putBackId: id } : {};
}

/** The extension as the verb's statement will leave its rows; `version` null: its own row. */
export function afterVerb(extension: Extension, version: string | null, decision: Decision<BreakerVerb>): Extension {
  const isReset = decision.verb === 'reset';
  const changed = <Row extends Extension | Version>(row: Row): Row => ({
    ...row,
    breakerOverride: OVERRIDE_AFTER[decision.verb],
    ...(isReset ? { breakerResets: row.breakerResets + 1, putBackId: decision.id } : {}),
  });
  if (version !== null)
    return { ...extension, versions: extension.versions.map((v) => (v.version === version ? changed(v) : v)) };
  const switchedOn = isReset && extension.autoDisabled ? { enabled: true, autoDisabled: false } : {};
  return { ...changed(extension), ...trailAfter(decision), ...switchedOn };
}

/**
 * VERBS-3. What the decisions between two readings of an extension mean for the breaker of one of its versions, overrides apart.
 * `renew`: a new generation in the state it has. null: no operator decided anything; the auto-manager may have.
 */
export function effectOf(
  before: Extension,
  after: Extension,
  version: string,
): 'reset' | 'enable' | 'probe' | 'renew' | null {
  const was = versionOf(before, version);
  const is = versionOf(after, version);
  const isVersionReset = was !== undefined && is !== undefined && is.breakerResets > was.breakerResets;
  if (after.breakerResets > before.breakerResets || isVersionReset) return 'reset';
  const isSwitched = before.enabled !== after.enabled || before.autoDisabled !== after.autoDisabled;
  const isOff = !after.enabled && !after.autoDisabled;
  if (isSwitched && (isOff || after.switchedBy !== AUTO_MANAGER)) {
    if (!after.enabled) return 'renew';
    return before.autoDisabled ? 'probe' : 'enable';
  }
  // Enabled although it was on, or disabled and enabled.
  const isEnabled = after.putBackId !== null && after.putBackId !== before.putBackId;
  const isVersionEnabled = was !== undefined && (is?.putBackId ?? null) !== null && is?.putBackId !== was.putBackId;
  return isEnabled || isVersionEnabled ? 'enable' : null;
}

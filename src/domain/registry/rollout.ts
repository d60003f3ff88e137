// The rollout of an extension: which share of its calls each version takes, and which percentages cannot be in force together.
//
// A version is in the rollout when it is enabled, has no rules and has a percentage; null is no percentage.
//
// REGISTRY-ROLLOUT-1. The percentages in force of one extension add up to at most 100, computed in hundredths, and have one rollout key.
//     Rows that would have it otherwise are refused: what each version had in force stays, and one that took no calls
//     before takes none. A daemon that has nothing in force yet takes the rows that were changed first.
import type { Extension, Version } from './extension.js';
import { defaultVersion } from './version-choice.js';

const WHOLE = 10_000;
const MAX_KEY_LENGTH = 255;

const hundredths = (percent: number): number => Math.round(percent * 100);
/** What of a version decides about its share. */
type Sharing = Pick<Version, 'version' | 'enabled' | 'routingRules' | 'rolloutPercent' | 'rolloutKey'>;

export const hasNoRules = ({ routingRules }: Sharing): boolean => Object.keys(routingRules).length === 0;
const isOpen = (version: Sharing): boolean => version.enabled && hasNoRules(version);
export const isInRollout = <V extends Sharing>(version: V): version is V & { readonly rolloutPercent: number } =>
  isOpen(version) && version.rolloutPercent !== null;

/** What is wrong with a percentage that an operator sets; null: nothing. */
export function percentProblem(percent: number): string | null {
  if (percent >= 0 && percent <= 100 && Number(percent.toFixed(2)) === percent) return null;
  return `must be a number from 0 to 100 with at most two digits after the point, got ${percent}`;
}

/** What is wrong with `rollout_key` of a row; null: nothing. */
export function rolloutKeyProblem(key: string | null): string | null {
  if (key === null || (key.trim() !== '' && [...key].length <= MAX_KEY_LENGTH)) return null;
  return `rollout_key must be 1 to ${MAX_KEY_LENGTH} characters and not blank, got ${JSON.stringify(key.slice(0, 80))}`;
}

/** Slots of rollout-slots.ts by version: one for each hundredth of a per cent. */
export const slotsWanted = (versions: readonly Version[]): ReadonlyMap<string, number> =>
  versions.length === 0
    ? NOTHING_WANTED
    : new Map(versions.filter(isInRollout).map(({ version, rolloutPercent }) => [version, hundredths(rolloutPercent)]));

const NOTHING_WANTED: ReadonlyMap<string, number> = new Map();

interface RolloutInForce {
  readonly versions: readonly Version[];
  /** Why some of them do not have what their rows say; empty: all have it. */
  readonly problems: readonly string[];
  /** Names of those. */
  readonly refused: readonly string[];
}

/** REGISTRY-ROLLOUT-1. `versions`: as their rows say, with the operators' switches; `previous`: those in force until now. */
export function rolloutInForce(versions: readonly Version[], previous: readonly Version[]): RolloutInForce {
  const problems = rolloutProblems(versions);
  if (problems.length === 0) return { versions, problems, refused: [] };
  const refused: string[] = [];
  const until = new Map(
    (previous.length > 0 ? previous : earliestThatFit(versions)).map((version) => [version.version, version]),
  );
  const kept = versions.map((version) => {
    if (!isInRollout(version)) return version;
    const before = until.get(version.version);
    const { rolloutPercent, rolloutKey } =
      before !== undefined && isOpen(before) ? before : { rolloutPercent: 0, rolloutKey: null };
    if (rolloutPercent === version.rolloutPercent && rolloutKey === version.rolloutKey) return version;
    refused.push(version.version);
    return { ...version, rolloutPercent, rolloutKey };
  });
  return { versions: kept, problems, refused };
}

/** If nothing is in force yet: those whose rows were changed first, so that only later changes are refused. */
function earliestThatFit(versions: readonly Version[]): Version[] {
  const fit: Version[] = [];
  const byAge = versions
    .filter(isInRollout)
    .sort((a, b) => a.revision - b.revision || (a.version < b.version ? -1 : 1));
  let left = WHOLE;
  let key: string | null = null;
  for (const version of byAge) {
    const share = hundredths(version.rolloutPercent);
    if (share > left || (key !== null && version.rolloutKey !== null && version.rolloutKey !== key)) continue;
    fit.push(version);
    left -= share;
    key ??= version.rolloutKey;
  }
  return fit;
}

/** Why what these versions of one extension say cannot be in force together; empty: it can. */
export function rolloutProblems(versions: readonly Sharing[]): string[] {
  const inRollout = versions.filter(isInRollout);
  const problems: string[] = [];
  const sum = inRollout.reduce((total, { rolloutPercent }) => total + hundredths(rolloutPercent), 0);
  if (sum > WHOLE) {
    const each = named(inRollout.map(({ version, rolloutPercent }) => `${version} ${rolloutPercent}`));
    problems.push(`rollout_percent of all versions must add up to at most 100, got ${sum / 100}: ${each}`);
  }
  const keyed = inRollout.filter(({ rolloutKey }) => rolloutKey !== null);
  if (new Set(keyed.map(({ rolloutKey }) => rolloutKey)).size > 1) {
    const each = named(keyed.map(({ version, rolloutKey }) => `${version} ${JSON.stringify(rolloutKey)}`));
    problems.push(`rollout_key must be one for all versions in the rollout, got ${each}`);
  }
  return problems;
}

/** Of the versions that a problem is about. */
const MAX_NAMED = 20;

const named = (each: readonly string[]): string =>
  each.length <= MAX_NAMED
    ? each.join(', ')
    : `${each.slice(0, MAX_NAMED).join(', ')} and ${each.length - MAX_NAMED} more`;

/**
 * Percent of the calls that no rules take, by version: for each enabled version without rules, and for the default, which may
 * stand for the extension's own row and has what the others leave. They add up to 100: without a default, the versions in the
 * rollout share everything in the proportion of their percentages. All 0: none is routed.
 */
export function sharesOf(extension: Extension): ReadonlyMap<string, number> {
  const taken = extension.versions.filter(isInRollout).reduce((sum, v) => sum + hundredths(v.rolloutPercent), 0);
  const first = defaultVersion(extension);
  const scale = first === null && taken > 0 ? WHOLE / taken : 1;
  const shares = new Map(extension.versions.filter(isOpen).map((v) => [v.version, (v.rolloutPercent ?? 0) * scale]));
  return first === null ? shares : shares.set(first.version, Math.max(WHOLE - taken, 0) / 100);
}

// Which version of an extension a call is routed to: rules, rollout and default, compiled once per change of the registry.
//
// ROUTING-TABLE-1. Rules come first: of the versions whose rules the context meets, the one with the most conditions, then the highest.
// ROUTING-TABLE-2. Then the rollout: each version with a percentage has that share of the keys, the default the rest. A changed percentage
//      moves keys between its version and the default alone (rollout-slots.ts); a key gives the same version on every
//      replica, and keys of two extensions are independent. Without a default, the versions share also the rest, in the
//      proportion of their percentages.
// ROUTING-TABLE-3. Then the default. A version whose rules exclude the call is never chosen, nor one that is disabled.
// ROUTING-TABLE-4. Compiling can be suspended between its steps, however many versions there are.
import type { InvocationError } from '../registry/errors.js';
import type { Extension, Version } from '../registry/extension.js';
import { hasNoRules, isInRollout, sharesOf, slotsWanted } from '../registry/rollout.js';
import { allottingSlots, type SlotRange, slotOf } from '../registry/rollout-slots.js';
import { compareNamed, defaultVersion } from '../registry/version-choice.js';
import { done, type Steps, sorting } from '../steps.js';
import { hashOf, scoreOf } from './rendezvous.js';
import { type Condition, type Context, compileRules, unmetCondition } from './routing-rules.js';

/** What chose a version. */
type ChosenBy = 'rules' | 'rollout' | 'default';

/** Why a call is routed to a version: it was chosen, or it is used in place of the one that was. */
export type Why = ChosenBy | 'stand_in' | 'fallback';
export const WHYS: readonly Why[] = ['rules', 'rollout', 'default', 'stand_in', 'fallback'];

export interface Choice {
  readonly version: string;
  readonly by: ChosenBy;
}

interface RuledVersion {
  readonly choice: Choice;
  readonly conditions: readonly Condition[];
}

interface RolloutShare {
  readonly choice: Choice;
  /** 0..100; of a default version, what the others leave. */
  readonly percent: number;
  readonly hash: number;
}

interface OwnedSlots {
  readonly range: SlotRange;
  readonly choice: Choice;
}

/** Context keys that a rollout is by: the first that has a value. */
const DEFAULT_ROLLOUT_KEYS: readonly string[] = ['tenant_id', 'routing_key'];

/** What decides a call's place in a rollout. */
interface RolloutKey {
  readonly name: string;
  readonly value: string;
}

/** What a table is made of. */
interface Compiled {
  readonly ruled: readonly RuledVersion[];
  readonly shares: readonly RolloutShare[];
  readonly slots: readonly OwnedSlots[];
  readonly rolloutKeys: readonly string[];
  readonly default: Choice | null;
  readonly standIns: readonly string[];
  readonly noneReason: 'disabled' | 'no_version';
}

export class RoutingTable {
  /** ROUTING-TABLE-1: in the order in which they are asked. */
  readonly ruled: readonly RuledVersion[];
  /** ROUTING-TABLE-2; empty if no version has a percentage. */
  readonly shares: readonly RolloutShare[];
  readonly rolloutKeys: readonly string[];
  readonly default: Choice | null;
  /** Versions without rules or percentage that are not the default, the highest first. */
  readonly standIns: readonly string[];
  /** False: `choose` reads nothing of the context and says the default. */
  readonly readsContext: boolean;
  /** Why no version takes a call that `choose` finds none for. */
  readonly noneReason: 'disabled' | 'no_version';
  readonly #extensionId: string;
  /** ROUTING-TABLE-2: in order. */
  readonly #slots: readonly OwnedSlots[];

  constructor(extension: Extension, compiled: Compiled = done(compiling(extension))) {
    this.#extensionId = extension.id;
    this.ruled = compiled.ruled;
    this.shares = compiled.shares;
    this.#slots = compiled.slots;
    this.rolloutKeys = compiled.rolloutKeys;
    this.default = compiled.default;
    this.standIns = compiled.standIns;
    this.readsContext = this.ruled.length > 0 || this.shares.length > 0;
    this.noneReason = compiled.noneReason;
  }

  /** True: the version has rules, and they do not match such a call. */
  excludes(version: string, context: Context): boolean {
    const ruled = this.ruled.find(({ choice }) => choice.version === version);
    return ruled !== undefined && unmetCondition(ruled.conditions, context) !== null;
  }

  /**
   * null: no version takes this call; an error: the context cannot give what decides it. `random` (0..1) decides a rollout if the
   * context has no key for it.
   */
  choose<Problem extends InvocationError = never>(
    context: Context<Problem>,
    random: () => number,
  ): Choice | Problem | null {
    for (const { choice, conditions } of this.ruled) {
      const unmet = unmetCondition(conditions, context);
      if (unmet === null) return choice;
      if ('code' in unmet) return unmet;
    }
    if (this.shares.length === 0) return this.default;
    const key = this.rolloutKey(context);
    if (key !== null && 'code' in key) return key;
    return key === null ? this.#drawn(random()) : this.#sharedOut(key.value);
  }

  /** The value that decides this call's place in the rollout; null: chance does. */
  rolloutKey<Problem extends InvocationError = never>(context: Context<Problem>): RolloutKey | Problem | null {
    for (const name of this.rolloutKeys) {
      const value = context.get(name);
      if (typeof value === 'object') return value;
      if (value !== undefined) return { name, value };
    }
    return null;
  }

  /** ROUTING-TABLE-2. */
  #sharedOut(key: string): Choice | null {
    // With the extension's id in it, a tenant that is first in one rollout is not first in all of them.
    const keyHash = hashOf(`${this.#extensionId}\n${key}`);
    return this.#ownerOf(slotOf(keyHash)) ?? this.default ?? this.#shareOfRest(keyHash);
  }

  /** null: the slot is free. */
  #ownerOf(slot: number): Choice | null {
    let first = 0;
    let last = this.#slots.length - 1;
    while (first <= last) {
      const middle = (first + last) >> 1;
      const { range, choice } = this.#slots[middle] as OwnedSlots;
      if (slot < range[0]) last = middle - 1;
      else if (slot >= range[1]) first = middle + 1;
      else return choice;
    }
    return null;
  }

  /** Of the keys that no version has, if there is no default. */
  #shareOfRest(keyHash: number): Choice | null {
    let best: Choice | null = null;
    let bestScore = 0;
    for (const { choice, percent, hash } of this.shares) {
      const score = scoreOf(keyHash, hash, percent);
      if (score <= bestScore) continue;
      best = choice;
      bestScore = score;
    }
    return best;
  }

  #drawn(random: number): Choice | null {
    let left = random * this.shares.reduce((sum, { percent }) => sum + percent, 0);
    let last: Choice | null = null;
    for (const { choice, percent } of this.shares) {
      if (percent === 0) continue;
      last = choice;
      left -= percent;
      if (left < 0) break;
    }
    return last;
  }
}

/** Shared by most extensions, which have one version. */
const NONE: readonly never[] = [];
const orNone = <T>(list: readonly T[]): readonly T[] => (list.length === 0 ? NONE : list);

/** Of a table that no version is chosen from. */
export const NOTHING_COMPILED: Compiled = {
  ruled: NONE,
  shares: NONE,
  slots: NONE,
  rolloutKeys: DEFAULT_ROLLOUT_KEYS,
  default: null,
  standIns: NONE,
  noneReason: 'no_version',
};

/** ROUTING-TABLE-4. For the constructor. */
export function* compiling(extension: Extension): Steps<Compiled> {
  // Most extensions have one version, their own row.
  if (extension.versions.length === 0) {
    const own = defaultVersion(extension)?.version ?? null;
    return { ...NOTHING_COMPILED, default: own === null ? null : { version: own, by: 'default' } };
  }
  const ruled: { readonly version: Version; readonly made: RuledVersion }[] = [];
  const inRollout: (Version & { readonly rolloutPercent: number })[] = [];
  const plain: Version[] = [];
  let noneReason: Compiled['noneReason'] = 'no_version';
  const byDefault = defaultVersion(extension)?.version ?? null;
  for (const version of extension.versions) {
    const isPlain = hasNoRules(version);
    if (!version.enabled) {
      if (isPlain) noneReason = 'disabled';
    } else if (!isPlain) ruled.push({ version, made: ruledVersion(version) });
    else if (isInRollout(version)) inRollout.push(version);
    else if (version.version !== byDefault) plain.push(version);
    yield;
  }
  const ruledInOrder = yield* sorting(
    ruled,
    (a, b) => b.made.conditions.length - a.made.conditions.length || compareNamed(b.version, a.version),
  );
  const rolledOut = yield* sorting(inRollout, compareNamed);
  const standIns = yield* sorting(plain, (a, b) => compareNamed(b, a));
  const byItself: Choice | null = byDefault === null ? null : { version: byDefault, by: 'default' };
  const rolloutKey = rolledOut.find((version) => version.rolloutKey !== null)?.rolloutKey ?? null;
  const shares = sharesIn(extension, [
    ...rolledOut.map(({ version }) => ({ version, by: 'rollout' as const })),
    ...(rolledOut.length > 0 && byItself !== null ? [byItself] : []),
  ]);
  yield;
  return {
    ruled: orNone(ruledInOrder.map(({ made }) => made)),
    shares: orNone(shares),
    slots: shares.length === 0 ? NONE : yield* slotsIn(extension, shares),
    rolloutKeys: rolloutKey === null ? DEFAULT_ROLLOUT_KEYS : [rolloutKey],
    default: byItself,
    standIns: orNone(standIns.map(({ version }) => version)),
    noneReason,
  };
}

const ruledVersions = new WeakMap<Version, RuledVersion>();

/** Rules are read once for each form of a version. */
function ruledVersion(version: Version): RuledVersion {
  let made = ruledVersions.get(version);
  if (made === undefined) {
    const choice = { version: version.version, by: 'rules' as const };
    made = { choice, conditions: compileRules(version.routingRules) };
    ruledVersions.set(version, made);
  }
  return made;
}

function sharesIn(extension: Extension, choices: readonly Choice[]): RolloutShare[] {
  const percents = sharesOf(extension);
  return choices.map((choice) => ({
    choice,
    percent: percents.get(choice.version) ?? 0,
    hash: hashOf(`version ${choice.version}`),
  }));
}

/** What is in force here may be ahead of what was allotted: a version that was enabled by this daemon, for one. */
function* slotsIn({ rolloutSlots, versions }: Extension, shares: readonly RolloutShare[]): Steps<OwnedSlots[]> {
  const slots = yield* allottingSlots(rolloutSlots, slotsWanted(versions));
  const owned = shares.flatMap(({ choice }) => (slots.get(choice.version) ?? []).map((range) => ({ range, choice })));
  return yield* sorting(owned, (a, b) => a.range[0] - b.range[0]);
}

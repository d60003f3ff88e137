// Which keys each version of a rollout has: 10 000 slots, one for each hundredth of a per cent, allotted to versions.
//
// ROLLOUT-SLOTS-1. A key is in one slot, by its hash; a version has as many slots as its percentage has hundredths. No slot has two.
// ROLLOUT-SLOTS-2. A changed percentage takes slots from the default, or returns them to it, and leaves those of the other versions alone.
//      That needs a memory: see docs/decisions/0022-slots-of-a-rollout.md. It is kept by the database (drizzle, M16), where
//      extreg_slots() does what allotSlots() does here.
// ROLLOUT-SLOTS-3. A version grows into the lowest free slots and releases its highest, so that a change and its reversal leave it as it was.

import { done, type Steps, sorting } from '../steps.js';

export const SLOTS = 10_000;

/** Slots `from` (inclusive) to `to` (exclusive). */
export type SlotRange = readonly [from: number, to: number];
/** By version; ranges in order, none empty, none touching the next. */
export type RolloutSlots = ReadonlyMap<string, readonly SlotRange[]>;

export const NO_SLOTS: RolloutSlots = new Map();

/** ROLLOUT-SLOTS-1. Of the hash of a key, 0..2^32 - 1. */
export const slotOf = (keyHash: number): number => Math.floor((keyHash / 2 ** 32) * SLOTS);

/** ROLLOUT-SLOTS-2, ROLLOUT-SLOTS-3. `held`: what was allotted before; `wanted`: slots by version, together at most SLOTS. */
export const allotSlots = (held: RolloutSlots, wanted: ReadonlyMap<string, number>): RolloutSlots =>
  done(allottingSlots(held, wanted));

/** As allotSlots, in steps: an extension may have thousands of versions. */
export function* allottingSlots(held: RolloutSlots, wanted: ReadonlyMap<string, number>): Steps<RolloutSlots> {
  if (wanted.size === 0) return NO_SLOTS;
  const versions = yield* sorting([...wanted], ([a], [b]) => compareCodePoints(a, b));
  const owned = yield* keeping(held, wanted, versions);
  let free = 0;
  let at = 0;
  const taken = yield* sorting([...owned.values()].flat(), ([a], [b]) => a - b);
  for (const [version, count] of versions) {
    const own = owned.get(version) ?? [];
    let missing = count - sizeOf(own);
    // What is granted lies before what of `taken` comes next, for it is in order.
    while (missing > 0 && free < SLOTS) {
      const next = taken[at];
      const end = Math.min(next?.[0] ?? SLOTS, free + missing);
      if (end > free) own.push([free, end]);
      missing -= end - free;
      free = end;
      if (next !== undefined && free === next[0]) {
        free = next[1];
        at++;
      }
    }
    owned.set(version, own);
    yield;
  }
  const all = [...owned].filter(([, ranges]) => ranges.length > 0);
  if (all.length === 0) return NO_SLOTS;
  return new Map(all.map(([version, ranges]) => [version, joined(ranges)]));
}

/** Of what was allotted, what each version keeps: its lowest slots, as far as no other has them. */
function* keeping(
  held: RolloutSlots,
  wanted: ReadonlyMap<string, number>,
  versions: readonly (readonly [version: string, count: number])[],
): Steps<Map<string, SlotRange[]>> {
  const ranges = versions.flatMap(([version]) => (held.get(version) ?? []).map((range) => ({ version, range })));
  const kept = new Map<string, SlotRange[]>();
  const left = new Map(wanted);
  let end = 0;
  for (const { version, range } of yield* sorting(ranges, (a, b) => a.range[0] - b.range[0])) {
    const from = Math.max(range[0], end);
    const to = Math.min(range[1], from + (left.get(version) ?? 0));
    if (to > from) {
      kept.set(version, [...(kept.get(version) ?? []), [from, to]]);
      left.set(version, (left.get(version) ?? 0) - (to - from));
      end = to;
    }
    yield;
  }
  return kept;
}

/** What the database keeps: ranges by version, `{"v2": [[0, 500]]}`. What is no range of slots counts as not there. */
export function parseSlots(value: unknown): RolloutSlots {
  if (typeof value !== 'object' || value === null) return NO_SLOTS;
  const isRange = (range: unknown): range is SlotRange =>
    Array.isArray(range) &&
    range.length === 2 &&
    range.every((end) => Number.isInteger(end) && end >= 0 && end <= SLOTS) &&
    range[0] < range[1];
  return new Map(
    Object.entries(value).map(([version, ranges]) => [
      version,
      // There are no more that do not touch; whatever else a row holds costs no time.
      Array.isArray(ranges) ? joined(ranges.slice(0, SLOTS / 2).filter(isRange)) : [],
    ]),
  );
}

const sizeOf = (ranges: readonly SlotRange[]): number => ranges.reduce((sum, [from, to]) => sum + to - from, 0);

/** The same slots as ranges in order that neither meet nor touch. */
function joined(ranges: readonly SlotRange[]): SlotRange[] {
  const all: [number, number][] = [];
  for (const [from, to] of [...ranges].sort(([a], [b]) => a - b)) {
    const last = all.at(-1);
    if (last !== undefined && from <= last[1]) last[1] = Math.max(last[1], to);
    else all.push([from, to]);
  }
  return all;
}

/** As PostgreSQL's collation "C" orders UTF-8. */
function compareCodePoints(a: string, b: string): number {
  let i = 0;
  while (i < a.length && a[i] === b[i]) i++;
  // Within a surrogate pair the code units decide, as the code points would; the end of a text comes before every character.
  return (a.codePointAt(i) ?? -1) - (b.codePointAt(i) ?? -1);
}

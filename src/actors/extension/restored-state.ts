// What a new target begins with: its stored facts, as far as they still apply.
//
// RESTORED-STATE-1. The published row applies to the version that it names, and to no other; one that names none applies to the default.
// RESTORED-STATE-2. A target that an operator restored after the breaker had opened, or after a daemon last wrote its row, begins as it was restored,
//     also if no daemon ran then.
// RESTORED-STATE-3. It is never open for longer than the present settings allow.

import { openMs } from '../../domain/breaker/trip.js';
import type { Version } from '../../domain/registry/extension.js';
import type { BreakerSettings } from '../../domain/registry/policy.js';
import type { BreakerFactsRow, PutBack, RegistryEntry } from '../../domain/registry/registry-rows.js';
import { soundFacts } from '../../domain/registry/sound-facts.js';
import type { BreakerFacts } from '../../machines/breaker-types.js';
import { NO_FACTS } from '../target/breaker-host.js';

/** What an entry of the registry says of breakers, without its rows. */
export interface StoredFacts extends Pick<RegistryEntry, 'facts' | 'versionFacts'> {
  /** Of the extension, and of its versions by name. */
  readonly putBack: PutBack | null;
  readonly versionPutBacks: ReadonlyMap<string, PutBack>;
}

const NOTHING: StoredFacts = { facts: null, versionFacts: {}, putBack: null, versionPutBacks: new Map() };

export function storedFactsOf({ extension, versions, facts, versionFacts }: RegistryEntry): StoredFacts {
  // A snapshot that an older daemon wrote has none.
  const putBack = extension.put_back ?? null;
  const versionPutBacks = new Map<string, PutBack>();
  for (const { version, put_back } of versions) if (put_back != null) versionPutBacks.set(version, put_back);
  const isAnything =
    facts !== null || putBack !== null || versionPutBacks.size > 0 || Object.keys(versionFacts).length > 0;
  return isAnything ? { facts, versionFacts, putBack, versionPutBacks } : NOTHING;
}

/** RESTORED-STATE-1. `isPublished`: it is the default of a daemon that begins. null: nothing is stored of it. */
export function storedRow(
  { facts, versionFacts }: StoredFacts,
  version: Pick<Version, 'version'>,
  isPublished: boolean,
): BreakerFactsRow | null {
  const named = facts?.version ?? (isPublished ? version.version : null);
  const row = (named === version.version ? facts : null) ?? versionFacts[version.version] ?? null;
  return row && soundFacts(row);
}

/** Those of the extension count for each of its versions. */
export const putBacks = ({ putBack, versionPutBacks }: StoredFacts, { version }: Version): PutBack[] =>
  [putBack, versionPutBacks.get(version) ?? null].filter((one) => one !== null);

export function factsOf(row: BreakerFactsRow, settings: BreakerSettings, puts: readonly PutBack[]): BreakerFacts {
  const stored = row.state === 'open' || row.state === 'half_open' ? row.state : 'closed';
  const openedAgoMs = row.opened_ago_ms;
  // RESTORED-STATE-2. The latest decides.
  const isSince = ({ ago_ms }: PutBack, agoMs: number | null | undefined): boolean => agoMs != null && ago_ms <= agoMs;
  const [put] = puts
    .filter((one) => isSince(one, openedAgoMs) || isSince(one, row.written_ago_ms))
    .sort((a, b) => a.ago_ms - b.ago_ms);
  // What has not opened lately may have opened often before, which makes the next time longer.
  if (put?.to === 'closed' && (stored !== 'closed' || row.trips > 0)) return putBackToClosed(row);
  const longest = openMs(row.trips, settings, 1);
  const remaining = row.open_remaining_ms ?? openMs(1, settings, 0) - (openedAgoMs ?? 0);
  return {
    state: put !== undefined && stored === 'open' ? put.to : stored,
    openRemainingMs: Math.min(remaining, longest),
    openedAgoMs,
    trips: row.trips,
    epoch: row.epoch,
  };
}

/** Closed by an operator, over what is stored. */
export const putBackToClosed = (row: BreakerFactsRow | null): BreakerFacts => ({
  ...NO_FACTS,
  epoch: (row?.epoch ?? 0) + 1,
});

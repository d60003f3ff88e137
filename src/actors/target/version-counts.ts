// Counters of each version of one extension since this process runs it.
//
// VERSION-COUNTS-1. Counters belong to the version's row: they outlive its targets, a change of the default version and a disable.
// VERSION-COUNTS-2. The sums of an extension never decrease: the counts of deleted versions stay in them.
import { AttemptDurations } from '../../domain/health/attempt-durations.js';
import { addCounters, type Counters, newCounters } from '../../domain/health/counters.js';
import { LazyMap } from '../../domain/lazy-map.js';
import { isSameRow, type Version } from '../../domain/registry/extension.js';
import type { BreakerFactsRow } from '../../domain/registry/registry-rows.js';

interface VersionCount {
  readonly version: Version;
  readonly counters: Counters;
  readonly attempts: AttemptDurations;
  /** Successes and failures before this process, as its health row had them. */
  readonly before: { readonly successes: number; readonly failures: number };
}

export class VersionCounts {
  readonly #versions = new LazyMap<string, VersionCount>();
  /** VERSION-COUNTS-2. */
  readonly #deleted = newCounters();

  /** `stored`: its health row, used when the version is counted for the first time. */
  of(version: Version, stored: BreakerFactsRow | null): VersionCount {
    const known = this.#versions.get(version.version);
    if (known !== undefined && isSameRow(known.version, version)) return known;
    this.#forget(version.version);
    const before = { successes: stored?.success_count ?? 0, failures: stored?.failure_count ?? 0 };
    const count = { version, counters: newCounters(), attempts: new AttemptDurations(), before };
    this.#versions.set(version.version, count);
    return count;
  }

  get(version: string): VersionCount | null {
    return this.#versions.get(version) ?? null;
  }

  get all(): Iterable<VersionCount> {
    return this.#versions.values();
  }

  get size(): number {
    return this.#versions.size;
  }

  /** Drops the versions for which `exists` is false: they were deleted (VERSION-COUNTS-2). */
  keep(exists: (version: string) => boolean): void {
    for (const version of this.#versions.keys()) if (!exists(version)) this.#forget(version);
  }

  sum(): Counters {
    const sum = { ...this.#deleted };
    for (const { counters } of this.#versions.values()) addCounters(sum, counters);
    return sum;
  }

  #forget(version: string): void {
    const count = this.#versions.get(version);
    if (count === undefined) return;
    addCounters(this.#deleted, count.counters);
    this.#versions.delete(version);
  }
}

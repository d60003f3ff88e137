// What is counted of one extension since this process runs it: answers, routed calls, fallbacks, active checks, and its versions'
// successes and failures. Only this file changes the counts; the metrics page and the health view read them.

import type { Outcome } from '../../domain/breaker/outcome.js';
import type { CallCounts } from '../../domain/health/call-rates.js';
import { DurationBuckets } from '../../domain/health/duration-buckets.js';
import { type Entries, LazyMap } from '../../domain/lazy-map.js';
import type { ErrorCode } from '../../domain/registry/errors.js';
import type { Extension } from '../../domain/registry/extension.js';
import { versionOf } from '../../domain/registry/extension-index.js';
import type { Why } from '../../domain/routing/routing-table.js';
import { VersionCounts } from '../target/version-counts.js';

/** Nothing was sent for these: the extension, or the daemon, had no place for the call. */
const REFUSED = ['extension_unavailable', 'overloaded'] as const satisfies readonly ErrorCode[];
/** The call did not get what it was made for, and may have been executed. */
const FAILED = [
  'extension_error',
  'extension_timeout',
  'deadline_exceeded',
  'not_connected',
  'internal_error',
] as const satisfies readonly ErrorCode[];

export class ExtensionStats {
  readonly versions = new VersionCounts();
  readonly #results = new LazyMap<string, DurationBuckets>();
  /** Calls that got no permit, or no instance. */
  refusals = 0;
  /** Times an instance left rotation. */
  ejections = 0;
  /** Retries that its budget granted, and those that it did not. */
  readonly retries = { granted: 0, denied: 0 };
  readonly #calls = new LazyMap<string, Record<Why, number>>();
  readonly #fallbacks = new LazyMap<string, number>();
  readonly #checks = new LazyMap<Outcome, number>();

  /** Invocations answered and how long they took, by `ok` or error code. */
  get results(): Entries<string, DurationBuckets> {
    return this.#results;
  }

  /** Calls that an extension received, by the version they were routed to and why. */
  get calls(): Entries<string, Readonly<Record<Why, number>>> {
    return this.#calls;
  }

  /** Calls that an extension of `policy.fallback` served, by its id. */
  get fallbacks(): Entries<string, number> {
    return this.#fallbacks;
  }

  /** Active checks that have ended. */
  get checks(): Entries<Outcome, number> {
    return this.#checks;
  }

  /** Answers so far: all of them, those that failed, those that were refused. */
  get callCounts(): CallCounts {
    let calls = 0;
    for (const { count } of this.#results.values()) calls += count;
    return { calls, failed: this.#sumOf(FAILED), refused: this.#sumOf(REFUSED) };
  }

  #sumOf(codes: readonly ErrorCode[]): number {
    let sum = 0;
    for (const code of codes) sum += this.#results.get(code)?.count ?? 0;
    return sum;
  }

  countAnswer(result: string, durationMs: number): void {
    let durations = this.#results.get(result);
    if (durations === undefined) {
      durations = new DurationBuckets();
      this.#results.set(result, durations);
    }
    durations.record(durationMs);
  }

  countCall(version: string, why: Why): void {
    let counts = this.#calls.get(version);
    if (counts === undefined) {
      counts = { rules: 0, rollout: 0, default: 0, stand_in: 0, fallback: 0 };
      this.#calls.set(version, counts);
    }
    counts[why]++;
  }

  countRetry(isGranted: boolean): void {
    if (isGranted) this.retries.granted++;
    else this.retries.denied++;
  }

  countFallback(to: string): void {
    increment(this.#fallbacks, to);
  }

  countCheck(outcome: Outcome): void {
    increment(this.#checks, outcome);
  }

  /** Drops what was counted of versions that were deleted. `published`: the default version's name, which may have no row. */
  keepVersionsOf(extension: Extension, published: string | undefined): void {
    const exists = (name: string): boolean =>
      name === published || name === extension.version || versionOf(extension, name) !== undefined;
    for (const name of this.#calls.keys()) if (!exists(name)) this.#calls.delete(name);
    this.versions.keep(exists);
  }
}

function increment<K>(counts: LazyMap<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

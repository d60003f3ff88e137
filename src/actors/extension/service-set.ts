// The versions of one extension that can be called: a service for each, made and renewed in steps as its rows change.
//
// SERVICE-SET-1. A target lives as long as its version is callable. A change of subject, policy or instances keeps the same target
//     object, its windows and its actor.
// SERVICE-SET-2. A version that becomes the default answers for itself: what the one before it did is not held against it.
// SERVICE-SET-3. A version that was deleted and inserted again begins with another target.
// SERVICE-SET-4. In between two steps every call finds a table and the services that it chooses from: new ones come before the table
//     that knows them, old ones go after it.
// SERVICE-SET-5. A version that cannot be called any more keeps its last service in `ended`, as long as it is registered: what was counted
//     there, also by attempts that end later, still has to be written.

import { isDeepStrictEqual } from 'node:util';
import type { Subscription } from '#rxjs';
import { LazyMap } from '../../domain/lazy-map.js';
import { type Extension, isSameRow, type Version } from '../../domain/registry/extension.js';
import { versionOf } from '../../domain/registry/extension-index.js';
import { type BreakerSettings, resolveBreakerSettings } from '../../domain/registry/policy.js';
import type { RegisteredExtension } from '../../domain/registry/registry-diff.js';
import type { BreakerFactsRow } from '../../domain/registry/registry-rows.js';
import { overrideOf } from '../../domain/registry/verbs.js';
import { callableVersions, defaultVersion } from '../../domain/registry/version-choice.js';
import { compiling, NOTHING_COMPILED, RoutingTable } from '../../domain/routing/routing-table.js';
import type { Steps } from '../../domain/steps.js';
import { Target } from '../target/target.js';
import { keepAlive } from './actor-supervision.js';
import type { ExtensionRuntime, RuntimeDeps } from './extension-runtime.js';
import { factsOf, putBacks, putBackToClosed, type StoredFacts, storedRow } from './restored-state.js';
import { makingService, type Service } from './service.js';

/** A form of the extension that is to be in force. */
interface SetChange {
  /** The form until now. */
  readonly before: Extension;
  readonly extension: Extension;
  readonly registered: RegisteredExtension;
  readonly facts: StoredFacts;
  /** False: a later change has taken over. */
  readonly isCurrent: () => boolean;
}

export class ServiceSet {
  /** What was stored of each version when this process took it over, or of a disabled one as last read; nothing without a row. */
  readonly stored = new LazyMap<string, BreakerFactsRow>();
  readonly #runtime: ExtensionRuntime;
  readonly #deps: RuntimeDeps;
  readonly #services = new LazyMap<string, Service>();
  readonly #ended = new LazyMap<string, Service>();
  readonly #lives = new LazyMap<string, Subscription>();
  #settings: BreakerSettings;
  #default: Service | null = null;
  #table: RoutingTable;

  constructor(runtime: ExtensionRuntime, deps: RuntimeDeps, extension: Extension) {
    this.#runtime = runtime;
    this.#deps = deps;
    this.#settings = deps.breakerDefaults;
    this.#table = new RoutingTable(extension, NOTHING_COMPILED);
  }

  /** The default version's service; null: every version that could be it is disabled. */
  get default(): Service | null {
    return this.#default;
  }

  get table(): RoutingTable {
    return this.#table;
  }

  get all(): Iterable<Service> {
    return this.#services.values();
  }

  /** All of them; `version` (null: none) and the default first, since operators read these. */
  startingWith(version: string | null): Iterable<Service> {
    const named = version === null ? undefined : this.get(version);
    const first = [named, this.default].filter((service) => service !== undefined && service !== null);
    return new Set([...first, ...this.all]);
  }

  /** SERVICE-SET-5. */
  get ended(): Iterable<Service> {
    return this.#ended.values();
  }

  get(version: string): Service | undefined {
    return this.#services.get(version);
  }

  /** False: a later change has taken over, and what is left is its business. */
  *building(change: SetChange): Steps<boolean> {
    const steps = this.#building(change);
    while (!steps.next().done) {
      yield;
      if (!change.isCurrent()) return false;
    }
    return true;
  }

  *#building(change: SetChange): Steps<void> {
    const { extension } = change;
    this.#renewSettings(extension, change.registered);
    const compiled = yield* compiling(extension);
    const published = defaultVersion(extension);
    const names = new Set<string>();
    for (const version of callableVersions(extension)) {
      names.add(version.version);
      yield* this.#putting(version, version.version === published?.version, change);
      yield;
    }
    this.#table = new RoutingTable(extension, compiled);
    this.#default = published === null ? null : (this.#services.get(published.version) ?? null);
    for (const name of [...this.#services.keys()]) {
      if (names.has(name)) continue;
      this.#end(name);
      yield;
    }
    for (const version of extension.versions) {
      if (!names.has(version.version)) this.#keepStored(version, storedRow(change.facts, version, false));
      yield;
    }
    for (const [name, { version }] of this.#ended) {
      if (this.#services.has(name) || !isRegistered(extension, version)) this.#ended.delete(name);
      yield;
    }
  }

  /** Stops every actor. */
  *stopping(): Steps<void> {
    for (const life of this.#lives.values()) {
      life.unsubscribe();
      yield;
    }
    this.#lives.clear();
  }

  #renewSettings(extension: Extension, { thresholds }: RegisteredExtension): void {
    const settings = resolveBreakerSettings(extension.policy, thresholds, this.#deps.breakerDefaults);
    if (!isDeepStrictEqual(settings, this.#settings)) this.#settings = settings;
  }

  *#putting(version: Version, isDefault: boolean, change: SetChange): Steps<void> {
    const name = version.version;
    const known = this.#services.get(name);
    // SERVICE-SET-3.
    if (known !== undefined && !isSameRow(known.version, version)) this.#end(name);
    const previous = this.#services.get(name);
    if (previous !== undefined) {
      this.#renew(previous, version, change.extension);
      const { target } = previous;
      this.#services.set(name, yield* makingService(change.extension, version, target, this.#deps, previous));
      return;
    }
    const target = this.#newTarget(version, isDefault, change);
    target.recordUpTo(change.extension.policy.record ?? 0);
    this.#services.set(name, yield* makingService(change.extension, version, target, this.#deps));
    const onFailed = (error: unknown, givenUp: boolean) =>
      this.#deps.onActorFailed(this.#runtime, target, error, givenUp);
    this.#lives.set(name, keepAlive(target.life$, this.#deps.clock, onFailed).subscribe());
  }

  #end(name: string): void {
    this.#lives.get(name)?.unsubscribe();
    this.#lives.delete(name);
    const service = this.#services.get(name);
    if (service !== undefined) this.#ended.set(name, service);
    this.#services.delete(name);
  }

  #newTarget(version: Version, isDefault: boolean, { before, extension, facts: storedFacts }: SetChange): Target {
    // SERVICE-SET-2: what is published describes the version that is the default until now.
    const row = storedRow(storedFacts, version, isDefault && this.#default === null);
    this.#keepStored(version, row);
    // Until now it was disabled: an operator enabled it.
    const isEnabledNow = extension !== before && !isEnabled(before, version);
    const facts = row === null ? null : factsOf(row, this.#settings, putBacks(storedFacts, version));
    const { counters, attempts } = this.#runtime.stats.versions.of(version, row);
    return new Target({
      counters,
      attempts,
      extensionId: extension.id,
      version: version.version,
      settings: this.#settings,
      timeoutMs: version.timeoutMs,
      override: overrideOf(extension, version.version),
      facts: isEnabledNow ? putBackToClosed(row) : facts,
      mustProve: isDefault && extension.autoDisabled,
      clock: this.#deps.clock,
      random: this.#deps.random,
      stalledUntil: this.#deps.stalledUntil,
      fleet: this.#deps.fleet,
      onTouched: () => this.#deps.onTouched(this.#runtime),
      onMode: () => this.#deps.onState(this.#runtime),
      onEvent: (target, event) => this.#deps.onBreakerEvent(this.#runtime, target, event),
      onRotation: (target, endpoint, change) => {
        if (change.type === 'ejected') this.#runtime.stats.ejections++;
        this.#deps.onTouched(this.#runtime);
        this.#deps.onRotation(this.#runtime, target, endpoint, change);
      },
    });
  }

  #keepStored({ version }: Version, row: BreakerFactsRow | null): void {
    if (row === null) this.stored.delete(version);
    else this.stored.set(version, row);
  }

  #renew({ version: before, target }: Service, version: Version, { policy }: Extension): void {
    const nowMs = this.#deps.clock.now();
    const settings = this.#settings;
    const { timeoutMs } = version;
    if (timeoutMs < before.timeoutMs) this.#deps.limitAttempts(this.#runtime.id, version.version, false, timeoutMs);
    target.recordUpTo(policy.record ?? 0);
    if (!target.hasSettings(settings, timeoutMs)) target.setSettings(settings, timeoutMs, nowMs);
    if (before.subject !== version.subject) target.send({ type: 'subject.changed', nowMs });
  }
}

/** False: its row says that it is disabled. Another row of that name says nothing. */
function isEnabled(extension: Extension, version: Version): boolean {
  const row = versionOf(extension, version.version);
  return row === undefined || !isSameRow(row, version) || row.enabled;
}

/** With a row of its own, or as that of the extension. */
function isRegistered(extension: Extension, version: Version): boolean {
  const row = versionOf(extension, version.version);
  return row === undefined ? version.version === extension.version : isSameRow(row, version);
}

// The slot of one extension: its targets, the instances of each, and its gates. What the router holds while it routes.
//
// S1. A target lives as long as its version is callable. A change of subject, policy or instances keeps the same target
//     object, its windows and its actor.
// S2. Precedence of the gates: disabled by a person > isolated > forced closed > breaker.
// S3. Each decision of a person starts a new generation. What he switched on that was off automatically is probed at once,
//     anything else that he put back begins closed and empty; what the auto-manager switched on is taken as the
//     consequence it is.
// S4. A version that becomes the default answers for itself: what the one before it did is not held against it.
import type { Subscription } from '#rxjs';
import { AUTO_MANAGER } from '../domain/auto-management.js';
import { DurationBuckets } from '../domain/duration-buckets.js';
import type { UnavailableReason } from '../domain/errors.js';
import type { Extension, Instance, Version } from '../domain/extension.js';
import type { Outcome } from '../domain/outcome.js';
import { type BreakerSettings, resolveBreakerSettings } from '../domain/policy.js';
import type { RegisteredExtension } from '../domain/registry-diff.js';
import type { BreakerFactsRow, RegistryEntry } from '../domain/registry-rows.js';
import { RetryBudget } from '../domain/retry-budget.js';
import { RoutingTable, type Why } from '../domain/routing-table.js';
import { type BreakerVerb, type Decision, effectOf, overrideOf, trailAfter } from '../domain/verbs.js';
import { callableVersions, defaultVersion } from '../domain/version-choice.js';
import type { BreakerEmitted } from '../machines/breaker-types.js';
import { keepAlive } from './actor-supervision.js';
import type { Endpoint } from './endpoint.js';
import { InstanceStatuses } from './instance-status.js';
import type { Clock, PrepareRoute, WrittenRow } from './ports.js';
import type { RotationChange } from './rotation.js';
import { RowInForce } from './row-in-force.js';
import { makeService, type Service } from './service.js';
import { factsOf, putBacks, putBackToClosed, storedRow } from './stored-facts.js';
import { Target } from './target.js';

export interface SlotDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly prepareRoute: PrepareRoute;
  readonly breakerDefaults: BreakerSettings;
  readonly autoEnableOnCircuitClose: boolean;
  readonly onBreakerEvent: (slot: Slot, target: Target, event: BreakerEmitted) => void;
  readonly onRotation: (slot: Slot, target: Target, endpoint: Endpoint, change: RotationChange) => void;
  readonly onActorFailed: (slot: Slot, target: Target, error: unknown, givenUp: boolean) => void;
}

export class Slot {
  readonly id: string;
  readonly retryBudget = new RetryBudget();
  /** Invocations answered, by `ok` or error code. */
  readonly results = new Map<string, number>();
  readonly durations = new DurationBuckets();
  /** Calls that somebody received, by the version that took them and what made it take them. */
  readonly calls = new Map<string, Record<Why, number>>();
  /** Calls that an extension of `policy.fallback` took, by its id. */
  readonly fallbacks = new Map<string, number>();
  /** Active checks that have ended. */
  readonly checks = new Map<Outcome, number>();
  /** Calls that hold a place: unanswered ones, and answered ones whose attempt is still out. */
  inFlight = 0;
  /** What was stored of each version when this process took it over; null without a row. */
  readonly stored = new Map<string, BreakerFactsRow | null>();
  readonly instanceStatuses = new InstanceStatuses();
  /** Version whose breaker the extension's published row holds; null: there is no such row, as far as is known. */
  publishedVersion: string | null;
  readonly #deps: SlotDeps;
  readonly #services = new Map<string, Service>();
  readonly #lives = new Map<string, Subscription>();
  readonly #rows: RowInForce;
  #registered: RegisteredExtension;
  #entry: RegistryEntry;
  /** As the targets and the gate have it. */
  #extension: Extension;
  #default: Service | null = null;
  #table: RoutingTable;
  #gate: UnavailableReason | null = null;

  constructor(extension: Extension, registered: RegisteredExtension, entry: RegistryEntry, deps: SlotDeps) {
    this.id = extension.id;
    this.#rows = new RowInForce(extension);
    this.#registered = registered;
    this.#entry = entry;
    this.#extension = extension;
    this.publishedVersion = entry.facts && (entry.facts.version ?? defaultVersion(extension)?.version ?? null);
    this.#deps = deps;
    this.#table = new RoutingTable(extension);
    this.#build(extension, registered, entry);
    this.#takeReports(extension, false);
  }

  get extension(): Extension {
    return this.#extension;
  }

  /** The default version's service; null: every version that could be it is disabled. */
  get defaultService(): Service | null {
    return this.#default;
  }

  /** Which version a call asks for. */
  get table(): RoutingTable {
    return this.#table;
  }

  get services(): Iterable<Service> {
    return this.#services.values();
  }

  /** null: no such version, or it is disabled. */
  service(version: string): Service | null {
    return this.#services.get(version) ?? null;
  }

  /** Those that an instance answers for. */
  servicesOf({ id }: Instance): Service[] {
    return [...this.#services.values()].filter(({ instances }) => instances.some((instance) => instance.id === id));
  }

  /** The instances of a target's version that have this subject. */
  instancesAt(target: Target, subject: string): readonly Instance[] {
    const service = [...this.#services.values()].find((one) => one.target === target);
    return service?.instances.filter((instance) => instance.subject === subject) ?? [];
  }

  /** Why no live call may pass, whatever the breakers say; null: none. */
  get gate(): UnavailableReason | null {
    return this.#gate;
  }

  /** A change from the registry. */
  apply(read: Extension, registered: RegisteredExtension, entry: RegistryEntry): void {
    this.#registered = registered;
    this.#entry = entry;
    this.#rows.tell(read);
    this.#change();
    this.#takeReports(read, true);
  }

  /** The auto-manager's own write, known here before the feed tells it. */
  noteAutoChange(enabled: boolean, revision: number): void {
    const switches = { enabled, autoDisabled: !enabled, switchedBy: AUTO_MANAGER, revision };
    if (this.#rows.write(null, switches)) this.#change();
  }

  /** A verb was written to a version's row, or to the extension's own (null); known here before the feed tells it. */
  noteVerb(version: string | null, row: WrittenRow, decision: Decision): void {
    this.#forget(version);
    const isNews = this.#rows.write(version, { ...row, ...trailAfter(decision) });
    this.#change(isNews ? { version } : null);
  }

  /** A verb that is in force at once, and owed to the database. */
  owe(version: string | null, decision: Decision<BreakerVerb>): void {
    this.#forget(version);
    this.#rows.owe(version, decision);
    this.#change({ version });
  }

  /** A verb was written late: that which is owed (`isOwed`), which is in force already, or one that was decided before it. */
  noteLateVerb(version: string | null, row: WrittenRow, decision: Decision, isOwed: boolean): void {
    if (isOwed) this.#rows.settle(version);
    this.#rows.write(version, { ...row, ...trailAfter(decision) });
    this.#change();
  }

  /** What is owed will not be written. */
  forgive(version: string | null): void {
    this.#rows.settle(version);
    this.#change();
  }

  tick(nowMs: number, stalledUntilMs: number): void {
    for (const { target } of this.#services.values()) target.tick(nowMs, stalledUntilMs);
  }

  count(result: string, durationMs: number): void {
    this.results.set(result, (this.results.get(result) ?? 0) + 1);
    this.durations.record(durationMs);
  }

  countCall(version: string, why: Why): void {
    let counts = this.calls.get(version);
    if (counts === undefined) {
      counts = { rules: 0, rollout: 0, default: 0, stand_in: 0, fallback: 0 };
      this.calls.set(version, counts);
    }
    counts[why]++;
  }

  countFallback(to: string): void {
    this.fallbacks.set(to, (this.fallbacks.get(to) ?? 0) + 1);
  }

  countCheck(outcome: Outcome): void {
    this.checks.set(outcome, (this.checks.get(outcome) ?? 0) + 1);
  }

  /** Stops every actor. */
  stop(): void {
    for (const life of this.#lives.values()) life.unsubscribe();
    this.#lives.clear();
  }

  /** What was owed gives way to a new decision, which is compared with what was before both. */
  #forget(version: string | null): void {
    this.#rows.settle(version);
    this.#extension = this.#rows.extension;
  }

  /** Takes over what is in force now. `decided`: a verb for this version (null: for all) is the reason. */
  #change(decided: { readonly version: string | null } | null = null): void {
    const { extension } = this.#rows;
    const before = this.#extension;
    this.#build(extension, this.#registered, this.#entry);
    this.#extension = extension;
    const nowMs = this.#deps.clock.now();
    for (const service of this.#services.values()) {
      const isMeant = decided !== null && (decided.version ?? service.version.version) === service.version.version;
      this.#obey(service, before, extension, isMeant, nowMs);
    }
  }

  /** S3; an override stays what it is (S2). */
  #obey({ version, target }: Service, before: Extension, after: Extension, isMeant: boolean, nowMs: number): void {
    const override = overrideOf(after, version.version);
    const effect = effectOf(before, after, version.version) ?? (isMeant ? 'renew' : null);
    // First, so that what was isolated is not half-open in between.
    const isReset = effect === 'reset' && override === null;
    if (isReset) target.send({ type: 'breaker.reset', nowMs });
    target.setOverride(override, nowMs);
    if (effect === null || isReset) return;
    // It was the default that was switched off automatically: the others need no probing where they are closed.
    const isSound = this.#default?.target !== target && target.publishedState === 'closed';
    const isKept = override !== null || (effect === 'probe' && isSound);
    target.send({ type: isKept ? 'breaker.renew' : `breaker.${effect}`, nowMs });
  }

  #gateOf(extension: Extension): UnavailableReason | null {
    if (!extension.enabled && !extension.autoDisabled) return 'disabled';
    if (extension.autoDisabled && !this.#deps.autoEnableOnCircuitClose) return 'auto_disabled';
    return null;
  }

  #build(extension: Extension, registered: RegisteredExtension, entry: RegistryEntry): void {
    const settings = resolveBreakerSettings(extension.policy, registered.thresholds, this.#deps.breakerDefaults);
    const published = defaultVersion(extension);
    const versions = callableVersions(extension);
    for (const name of [...this.#services.keys()])
      if (!versions.some((v) => v.version === name)) {
        this.#lives.get(name)?.unsubscribe();
        this.#lives.delete(name);
        this.#services.delete(name);
      }
    for (const name of this.calls.keys())
      if (name !== published?.version && !extension.versions.some((v) => v.version === name)) this.calls.delete(name);
    for (const version of versions) {
      const isDefault = version.version === published?.version;
      const previous = this.#services.get(version.version);
      const target = previous?.target ?? this.#newTarget(extension, version, isDefault, settings, entry);
      if (previous !== undefined) this.#renew(previous, version, settings);
      this.#services.set(version.version, makeService(extension, version, target, this.#deps, previous));
      if (previous !== undefined) continue;
      const onFailed = (error: unknown, givenUp: boolean) => this.#deps.onActorFailed(this, target, error, givenUp);
      this.#lives.set(version.version, keepAlive(target.life$, this.#deps.clock, onFailed).subscribe());
    }
    this.#default = published === null ? null : (this.#services.get(published.version) ?? null);
    this.#gate = this.#gateOf(extension);
    this.#table = new RoutingTable(extension);
  }

  /** Instances that somebody else says are unhealthy. */
  #takeReports(extension: Extension, limited: boolean): void {
    const nowMs = this.#deps.clock.now();
    for (const reported of this.instanceStatuses.read(extension.instances))
      for (const { target } of this.servicesOf(reported))
        target.rotation.reportUnhealthy(reported.subject, limited, nowMs);
  }

  #newTarget(
    extension: Extension,
    version: Version,
    isDefault: boolean,
    settings: BreakerSettings,
    entry: RegistryEntry,
  ): Target {
    // S4: what is published tells of the version that is the default until now.
    const row = storedRow(entry, version, isDefault && this.#default === null);
    this.stored.set(version.version, row);
    // Until now it was disabled: a person enabled it.
    const isEnabledNow = extension !== this.#extension && !isEnabled(this.#extension, version.version);
    const facts = row === null ? null : factsOf(row, settings, putBacks(entry, version));
    return new Target({
      extensionId: extension.id,
      version: version.version,
      settings,
      timeoutMs: version.timeoutMs,
      override: overrideOf(extension, version.version),
      facts: isEnabledNow ? putBackToClosed(row) : facts,
      mustProve: isDefault && extension.autoDisabled,
      clock: this.#deps.clock,
      random: this.#deps.random,
      onEvent: (target, event) => this.#deps.onBreakerEvent(this, target, event),
      onRotation: (target, endpoint, change) => this.#deps.onRotation(this, target, endpoint, change),
    });
  }

  #renew(previous: Service, version: Version, settings: BreakerSettings): void {
    const nowMs = this.#deps.clock.now();
    previous.target.setSettings(settings, version.timeoutMs, nowMs);
    if (previous.version.subject !== version.subject) previous.target.send({ type: 'subject.changed', nowMs });
  }
}

/** False: its row says that it is disabled. */
const isEnabled = (extension: Extension, version: string): boolean =>
  extension.versions.find((v) => v.version === version)?.enabled ?? true;

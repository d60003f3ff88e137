// The slot of one extension: its targets, the instances of each, and its gates. What the router holds while it routes.
//
// S1. A target lives as long as its version is callable. A change of subject, policy or instances keeps the same target
//     object, its windows and its actor.
// S2. Precedence of the gates: disabled by a person > isolated > forced closed > breaker.
// S3. What a person switched on while its breaker was not closed is probed at once; what the auto-manager switched on
//     is taken as the consequence it is.
// S4. A version that becomes the default answers for itself: what the one before it did is not held against it.
import { isDeepStrictEqual } from 'node:util';
import type { Subscription } from 'rxjs';
import { AUTO_MANAGER } from '../domain/auto-management.js';
import { InstancePool } from '../domain/balance.js';
import { DurationBuckets } from '../domain/duration-buckets.js';
import type { UnavailableReason } from '../domain/errors.js';
import type { Extension, Instance, Version } from '../domain/extension.js';
import type { Outcome } from '../domain/outcome.js';
import { type BreakerSettings, resolveBreakerSettings } from '../domain/policy.js';
import type { RegisteredExtension } from '../domain/registry-diff.js';
import type { BreakerFactsRow, RegistryEntry } from '../domain/registry-rows.js';
import { instancesOf } from '../domain/registry-validation.js';
import { RetryBudget } from '../domain/retry-budget.js';
import { openMs } from '../domain/trip.js';
import { callableVersions, defaultVersion } from '../domain/version-choice.js';
import type { BreakerEmitted, BreakerFacts } from '../machines/breaker-machine.js';
import { keepAlive } from './actor-supervision.js';
import { NO_FACTS } from './breaker-life.js';
import type { Endpoint } from './endpoint.js';
import { InstanceStatuses } from './instance-status.js';
import type { Clock, PrepareRoute, Route } from './ports.js';
import type { RotationChange } from './rotation.js';
import { Target } from './target.js';

/** A version that can be called: what it is, what guards it, and where it answers. */
export interface Service {
  readonly version: Version;
  readonly target: Target;
  /** Where the version has no instance rows: its own subject. */
  readonly ownRoute: Route;
  /** null: no instance rows, the subject's queue group is the pool. */
  readonly pool: InstancePool<Endpoint, Route> | null;
  readonly instances: readonly Instance[];
  /** What routes and pool were made of; while it is the same they stay, and with them the turns of the pool. */
  readonly madeOf: {
    readonly subject: string;
    readonly config: Extension['config'] | null;
    readonly instances: readonly Omit<Instance, 'healthStatus'>[];
  };
}

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

/** `Extreg-Config` is delivered up to this size. */
const MAX_CONFIG_BYTES = 8192;

export class Slot {
  readonly id: string;
  readonly retryBudget = new RetryBudget();
  /** Invocations answered, by `ok` or error code. */
  readonly results = new Map<string, number>();
  readonly durations = new DurationBuckets();
  /** Active checks that have ended. */
  readonly checks = new Map<Outcome, number>();
  /** Calls that hold a place: unanswered ones, and answered ones whose attempt is still out. */
  inFlight = 0;
  /** What was stored of each version when this process took it over; null without a row. */
  readonly stored = new Map<string, BreakerFactsRow | null>();
  readonly instanceStatuses = new InstanceStatuses();
  readonly #deps: SlotDeps;
  readonly #services = new Map<string, Service>();
  readonly #lives = new Map<string, Subscription>();
  #extension: Extension;
  /** Of the row as the feed told it last; that of `#extension` is ahead of it after a write of the auto-manager. */
  #toldRevision: number;
  #default: Service | null = null;
  #gate: UnavailableReason | null = null;

  constructor(extension: Extension, registered: RegisteredExtension, entry: RegistryEntry, deps: SlotDeps) {
    this.id = extension.id;
    this.#extension = extension;
    this.#toldRevision = extension.revision;
    this.#deps = deps;
    this.#build(extension, registered, entry);
  }

  get extension(): Extension {
    return this.#extension;
  }

  /** The default version's service; null: every version that could be it is disabled. */
  get defaultService(): Service | null {
    return this.#default;
  }

  get services(): Iterable<Service> {
    return this.#services.values();
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
    const before = this.#extension;
    // The row as it was told before, so something that belongs to it changed: what we wrote meanwhile is newer.
    const extension = read.revision === this.#toldRevision ? { ...read, ...switchesOf(before) } : read;
    this.#toldRevision = read.revision;
    this.#extension = extension;
    this.#build(extension, registered, entry);
    const nowMs = this.#deps.clock.now();
    for (const { target } of this.#services.values()) target.setOverride(extension.breakerOverride, nowMs);
    this.#obeySwitch(before, extension, nowMs);
  }

  /** The auto-manager's own write, known here before the feed tells it. */
  noteAutoChange(enabled: boolean, revision: number): void {
    if (revision <= this.#extension.revision) return;
    this.#extension = { ...this.#extension, enabled, autoDisabled: !enabled, switchedBy: AUTO_MANAGER, revision };
    this.#gate = this.#gateOf(this.#extension);
  }

  tick(nowMs: number, stalledUntilMs: number): void {
    for (const { target } of this.#services.values()) target.tick(nowMs, stalledUntilMs);
  }

  count(result: string, durationMs: number): void {
    this.results.set(result, (this.results.get(result) ?? 0) + 1);
    this.durations.record(durationMs);
  }

  countCheck(outcome: Outcome): void {
    this.checks.set(outcome, (this.checks.get(outcome) ?? 0) + 1);
  }

  /** Stops every actor. */
  stop(): void {
    for (const life of this.#lives.values()) life.unsubscribe();
    this.#lives.clear();
  }

  /** S3. Each decision of a person starts a new generation; an override stays what it is (S2). */
  #obeySwitch(before: Extension, after: Extension, nowMs: number): void {
    if (before.enabled === after.enabled && before.autoDisabled === after.autoDisabled) return;
    const isOff = !after.enabled && !after.autoDisabled;
    if (!isOff && after.switchedBy === AUTO_MANAGER) return;
    const isKept = isOff || !after.enabled || after.breakerOverride !== null;
    const type = isKept ? 'breaker.renew' : before.autoDisabled ? 'breaker.probe' : 'breaker.enable';
    for (const { target } of this.#services.values()) target.send({ type, nowMs });
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
    for (const version of versions) {
      const isDefault = version.version === published?.version;
      const previous = this.#services.get(version.version);
      const target = previous?.target ?? this.#newTarget(extension, version, isDefault, settings, entry);
      if (previous !== undefined) this.#renew(previous, version, settings);
      this.#services.set(version.version, this.#service(extension, version, target, previous));
      if (previous !== undefined) continue;
      const onFailed = (error: unknown, givenUp: boolean) => this.#deps.onActorFailed(this, target, error, givenUp);
      this.#lives.set(version.version, keepAlive(target.life$, this.#deps.clock, onFailed).subscribe());
    }
    this.#default = published === null ? null : (this.#services.get(published.version) ?? null);
    this.#gate = this.#gateOf(extension);
    this.#takeReports(extension);
  }

  /** Instances that somebody else says are unhealthy. */
  #takeReports(extension: Extension): void {
    const nowMs = this.#deps.clock.now();
    for (const reported of this.instanceStatuses.read(extension.instances))
      for (const { target } of this.servicesOf(reported)) target.rotation.reportUnhealthy(reported.subject, nowMs);
  }

  #newTarget(
    extension: Extension,
    version: Version,
    isDefault: boolean,
    settings: BreakerSettings,
    entry: RegistryEntry,
  ): Target {
    // The published row tells of the version that is the default until now, and of none that takes its place.
    const before = isDefault ? this.#default : null;
    const own = entry.versionFacts[version.version] ?? null;
    const row = isDefault && before === null ? entry.facts : own;
    this.stored.set(version.version, row);
    const facts = row === null ? null : factsOf(row, settings);
    return new Target({
      extensionId: extension.id,
      version: version.version,
      settings,
      timeoutMs: version.timeoutMs,
      override: extension.breakerOverride,
      facts: before === null ? facts : succeeding(facts, before.target.facts().epoch, entry.facts?.epoch ?? 0),
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

  #service(extension: Extension, version: Version, target: Target, previous?: Service): Service {
    const instances = instancesOf(extension, version);
    const usable = instances.filter((i) => i.enabled && i.weight > 0);
    target.rotation.keep(new Set(instances.map((i) => i.subject)), new Set(usable.map((i) => i.subject)));
    const madeOf = {
      subject: version.subject,
      config: this.#configFor(extension, version),
      instances: instances.map(({ healthStatus: _, ...instance }) => instance),
    };
    if (previous !== undefined && isDeepStrictEqual(previous.madeOf, madeOf))
      return { ...previous, version, instances };
    const route = (instanceId: string | null, subject: string): Route =>
      this.#deps.prepareRoute({
        extensionId: extension.id,
        version: version.version,
        instanceId,
        subject,
        config: madeOf.config,
      });
    const seat = (instance: Instance) => target.rotation.at(instance.subject);
    const pool = new InstancePool(instances, seat, (instance) => route(instance.id, instance.subject));
    const ownRoute = route(null, version.subject);
    return { version, target, instances, madeOf, ownRoute, pool: instances.length === 0 ? null : pool };
  }

  /** Version config over extension config; null: nothing to deliver, not wanted, or too large for a header. */
  #configFor(extension: Extension, version: Version): Extension['config'] | null {
    const config = { ...extension.config, ...version.config };
    if (extension.policy.deliver_config === false || Object.keys(config).length === 0) return null;
    return Buffer.byteLength(JSON.stringify(config)) > MAX_CONFIG_BYTES ? null : config;
  }
}

const switchesOf = ({ enabled, autoDisabled, switchedBy, revision }: Extension) => ({
  enabled,
  autoDisabled,
  switchedBy,
  revision,
});

/** Facts of a target that takes over the published row, where only a later epoch counts. */
function succeeding(own: BreakerFacts | null, ...epochs: readonly number[]): BreakerFacts {
  const facts = own ?? NO_FACTS;
  return { ...facts, epoch: Math.max(facts.epoch, ...epochs) + 1 };
}

/** Stored facts, against the settings of today: never open longer than they allow. */
function factsOf(row: BreakerFactsRow, settings: BreakerSettings): BreakerFacts {
  const state = row.state === 'open' || row.state === 'half_open' ? row.state : 'closed';
  const longest = openMs(row.trips, settings, 1);
  const remaining = row.open_remaining_ms ?? openMs(1, settings, 0) - (row.opened_ago_ms ?? 0);
  return {
    state,
    openRemainingMs: Math.min(remaining, longest),
    openedAgoMs: row.opened_ago_ms,
    trips: row.trips,
    epoch: row.epoch,
  };
}

// The runtime of one extension: its targets, the instances of each, and its gates. What the router holds while it routes.
//
// EXTENSION-RUNTIME-1. Precedence of the gates: disabled by an operator > isolated > forced closed > breaker.
// EXTENSION-RUNTIME-2. A change takes effect in steps (slices.ts), the gate and the default version first. A later change takes over from one
//     that is not done.
// EXTENSION-RUNTIME-3. Of what its policy limits for the whole fleet this replica has its share, computed again when the policy or the
//     number of replicas is another one, not for each call.
//
// Long: the gates and the order of changes of one extension are one state machine.

import { shareOf } from '../../domain/fleet/shares.js';
import type { Entries } from '../../domain/lazy-map.js';
import { AUTO_MANAGER } from '../../domain/registry/auto-management.js';
import type { UnavailableReason } from '../../domain/registry/errors.js';
import type { Extension, Instance } from '../../domain/registry/extension.js';
import { versionsServedBy } from '../../domain/registry/extension-index.js';
import {
  type BreakerSettings,
  breakerSettingsInForce,
  DEFAULT_RETRY_BUDGET,
  type ExtensionPolicy,
  type RetryPolicy,
  resolveBreakerSettings,
} from '../../domain/registry/policy.js';
import type { RegisteredExtension } from '../../domain/registry/registry-diff.js';
import type { BreakerFactsRow, RegistryEntry } from '../../domain/registry/registry-rows.js';
import { type BreakerVerb, type Decision, trailAfter } from '../../domain/registry/verbs.js';
import { defaultVersion } from '../../domain/registry/version-choice.js';
import { RetryBudget } from '../../domain/routing/retry-budget.js';
import type { RoutingTable } from '../../domain/routing/routing-table.js';
import { done, type Steps } from '../../domain/steps.js';
import type { BreakerEmitted } from '../../machines/breaker-types.js';
import type { Clock } from '../ports/clock.js';
import type { FleetView } from '../ports/fleet.js';
import type { WrittenRow } from '../ports/storage.js';
import type { LimitAttempts, PrepareRoute, StalledUntil } from '../ports/transport.js';
import type { Endpoint } from '../target/endpoint.js';
import type { RotationChange } from '../target/outlier-detector.js';
import type { Target } from '../target/target.js';
import { DecisionEffects } from './decision-effects.js';
import { RowInForce } from './effective-row.js';
import { ExtensionStats } from './extension-stats.js';
import { takingReports } from './instance-reports.js';
import { InstanceStatuses } from './instance-status.js';
import { type StoredFacts, storedFactsOf } from './restored-state.js';
import type { Service } from './service.js';
import { ServiceSet } from './service-set.js';
import { inSlices } from './slices.js';

export interface RuntimeDeps {
  readonly clock: Clock;
  readonly random: () => number;
  readonly prepareRoute: PrepareRoute;
  readonly limitAttempts: LimitAttempts;
  readonly stalledUntil: StalledUntil;
  readonly fleet: FleetView;
  readonly breakerDefaults: BreakerSettings;
  readonly autoEnableOnCircuitClose: boolean;
  readonly onBreakerEvent: (runtime: ExtensionRuntime, target: Target, event: BreakerEmitted) => void;
  readonly onRotation: (runtime: ExtensionRuntime, target: Target, endpoint: Endpoint, change: RotationChange) => void;
  /** `problem`: why what an operator reports of an instance is not in force. */
  readonly onReportRefused: (runtime: ExtensionRuntime, instance: Instance, problem: string) => void;
  readonly onActorFailed: (runtime: ExtensionRuntime, target: Target, error: unknown, givenUp: boolean) => void;
  /** Something that reports show of it may have changed; must not throw. */
  readonly onTouched: (runtime: ExtensionRuntime) => void;
  /** Its gate, its row or the mode of a breaker of it may be another one now; must not throw. */
  readonly onState: (runtime: ExtensionRuntime) => void;
  /** A change of the runtime's own has failed, so that some of its targets may not have obeyed; must not throw. */
  readonly onChangeFailed: (runtime: ExtensionRuntime, error: unknown) => void;
}

export class ExtensionRuntime {
  readonly id: string;
  /** For a dirty set (domain/dirty-set.ts), which alone writes it. */
  dirtyFor = 0;
  readonly retryBudget = new RetryBudget();
  readonly stats = new ExtensionStats();
  /** Calls that hold a place: unanswered ones, and answered ones whose attempt is still in flight. */
  inFlight = 0;
  readonly instanceStatuses = new InstanceStatuses();
  /** Version whose breaker the extension's published row holds; null: there is no such row, as far as known. */
  publishedVersion: string | null;
  readonly #deps: RuntimeDeps;
  readonly #set: ServiceSet;
  readonly #rows: RowInForce;
  #registered: RegisteredExtension;
  #storedFacts: StoredFacts;
  /** As the targets and the gate have it. */
  #extension: Extension;
  #gate: UnavailableReason | null = null;
  /** EXTENSION-RUNTIME-3. Of `max_in_flight`; null until it is asked for. */
  #places: { readonly whole: number; readonly replicas: number; readonly share: number } | null = null;
  /** EXTENSION-RUNTIME-2. Number of the last change that was begun. */
  #change = 0;
  #isChanging = false;
  /** Called when no change is in progress any more. */
  #waiting: (() => void)[] = [];
  readonly #decisions: DecisionEffects;

  private constructor(extension: Extension, registered: RegisteredExtension, entry: RegistryEntry, deps: RuntimeDeps) {
    this.id = extension.id;
    this.#rows = new RowInForce(extension);
    this.#registered = registered;
    this.#storedFacts = storedFactsOf(entry);
    this.#extension = extension;
    this.#decisions = new DecisionEffects(extension);
    this.publishedVersion = entry.facts && (entry.facts.version ?? defaultVersion(extension)?.version ?? null);
    this.#deps = deps;
    this.#set = new ServiceSet(this, deps, extension);
  }

  /** A runtime with everything that belongs to it, ready for calls. */
  static *starting(
    extension: Extension,
    registered: RegisteredExtension,
    entry: RegistryEntry,
    deps: RuntimeDeps,
  ): Steps<ExtensionRuntime> {
    const runtime = new ExtensionRuntime(extension, registered, entry, deps);
    try {
      runtime.#gate = runtime.#gateOf(extension);
      const facts = runtime.#storedFacts;
      yield* runtime.#set.building({ before: extension, extension, registered, facts, isCurrent: () => true });
      yield* runtime.#takingReports(extension, false, false);
    } catch (error) {
      runtime.stop();
      throw error;
    }
    return runtime;
  }

  get extension(): Extension {
    return this.#extension;
  }

  /** What was stored of each version when this process took it over, if anything was. */
  get stored(): Entries<string, BreakerFactsRow> {
    return this.#set.stored;
  }

  /** The default version's service; null: every version that could be it is disabled. */
  get defaultService(): Service | null {
    return this.#set.default;
  }

  /** Chooses the version of a call. */
  get table(): RoutingTable {
    return this.#set.table;
  }

  get services(): Iterable<Service> {
    return this.#set.all;
  }

  /** The last ones of versions that cannot be called any more (SERVICE-SET-5). */
  get endedServices(): Iterable<Service> {
    return this.#set.ended;
  }

  /** null: no such version, or it is disabled. */
  service(version: string): Service | null {
    return this.#set.get(version) ?? null;
  }

  /** Those that an instance answers for. */
  servicesOf(instance: Instance): Service[] {
    return versionsServedBy(this.#extension, instance).flatMap((version) => this.#set.get(version) ?? []);
  }

  /** The instances of a target's version that have this subject. */
  instancesAt(target: Target, subject: string): readonly Instance[] {
    const service = this.#set.get(target.version);
    if (service?.target !== target) return [];
    return service.instances.filter((instance) => instance.subject === subject);
  }

  /** Each setting of its breakers, with what decides it. */
  get breakerSettings(): ReturnType<typeof breakerSettingsInForce> {
    return breakerSettingsInForce(this.#extension.policy, this.#registered.thresholds, this.#deps.breakerDefaults);
  }

  /** Of its breakers, if its policy were this one. */
  settingsUnder(policy: ExtensionPolicy): BreakerSettings {
    return resolveBreakerSettings(policy, this.#registered.thresholds, this.#deps.breakerDefaults);
  }

  /** Why no live call may pass, whatever the breakers say; null: none. */
  get gate(): UnavailableReason | null {
    return this.#gate;
  }

  /** EXTENSION-RUNTIME-3. Calls of it that may be in flight here at a time; Infinity: its policy limits none. */
  get inFlightLimit(): number {
    const { max_in_flight: whole } = this.#extension.policy;
    if (whole === undefined) return Number.POSITIVE_INFINITY;
    const { replicas } = this.#deps.fleet;
    if (this.#places?.whole !== whole || this.#places.replicas !== replicas)
      this.#places = { whole, replicas, share: shareOf(whole, replicas) };
    return this.#places.share;
  }

  /** Of how many replicas that is the share. */
  get replicas(): number {
    return this.#deps.fleet.replicas;
  }

  /** EXTENSION-RUNTIME-3. Its reserve is this replica's share; for a retry, not for a call. */
  get retryPolicy(): RetryPolicy | undefined {
    const { retry } = this.#extension.policy;
    const { replicas } = this.#deps.fleet;
    if (replicas === 1) return retry;
    const reserve = retry?.budget_reserve ?? DEFAULT_RETRY_BUDGET.reserve;
    return { ...retry, budget_reserve: shareOf(reserve, replicas) };
  }

  /** A call was refused before any version was asked: it counts as a refusal of the default version. */
  countRefusal(): void {
    const stats = this.#set.default?.target.stats;
    if (stats !== undefined) stats.refused++;
    this.stats.refusals++;
  }

  /** Calls `then` when every change so far is in force, which is immediately unless one takes several turns of the event loop. */
  whenSettled(then: () => void): void {
    if (this.#isChanging) this.#waiting.push(then);
    else then();
  }

  /** A change from the registry. `isNewHistory`: its revisions say nothing about those before. */
  *applying(
    read: Extension,
    registered: RegisteredExtension,
    entry: RegistryEntry,
    isNewHistory: boolean,
  ): Steps<void> {
    this.#registered = registered;
    this.#storedFacts = storedFactsOf(entry);
    if (isNewHistory) this.#rows.forgetWritten();
    this.#rows.deliver(read);
    yield* this.#changing(null, isNewHistory);
    yield* this.#takingReports(read, true, isNewHistory);
  }

  /** The auto-manager's own write, known here before the feed delivers it. */
  noteAutoChange(enabled: boolean, revision: number): void {
    const switches = { enabled, autoDisabled: !enabled, switchedBy: AUTO_MANAGER, revision };
    if (this.#rows.write(null, switches)) this.#takeOver();
  }

  /** A verb was written to a version's row, or to the extension's own (null); known here before the feed delivers it. */
  noteVerb(version: string | null, row: WrittenRow, decision: Decision): void {
    this.#forget(version);
    const isNews = this.#rows.write(version, { ...row, ...trailAfter(decision) });
    this.#takeOver(isNews ? { version } : null);
  }

  /** A verb that is in force immediately, and pending in the database. */
  addPending(version: string | null, decision: Decision<BreakerVerb>): void {
    this.#forget(version);
    this.#rows.addPending(version, decision);
    this.#takeOver({ version });
  }

  /** A verb was written late: the pending one (`isPending`), which is in force already, or one that was decided before it. */
  noteLateVerb(version: string | null, row: WrittenRow, decision: Decision, isPending: boolean): void {
    if (isPending) this.#rows.settle(version);
    this.#rows.write(version, { ...row, ...trailAfter(decision) });
    this.#takeOver();
  }

  /** What is pending will not be written. */
  dropPending(version: string | null): void {
    this.#rows.settle(version);
    this.#takeOver();
  }

  /** False: it needs no further tick before it is touched again (Target.tick). */
  tick(nowMs: number, stalledUntilMs: number): boolean {
    let isBusy = false;
    for (const { target } of this.#set.all) isBusy = target.tick(nowMs, stalledUntilMs) || isBusy;
    return isBusy;
  }

  /** Stops every actor. */
  stop(): void {
    done(this.stopping());
  }

  *stopping(): Steps<void> {
    this.#change++;
    this.#settle();
    yield* this.#set.stopping();
  }

  /** What was pending is superseded by a new decision, which is compared with what was before both. */
  #forget(version: string | null): void {
    this.#rows.settle(version);
    this.#extension = this.#rows.extension;
    this.#decisions.settle(this.#extension);
  }

  /** Takes over what is in force now. `decided`: a verb for this version (null: for all) is the reason. */
  #takeOver(decided: { readonly version: string | null } | null = null): void {
    inSlices(this.#changing(decided), this.#deps.clock).subscribe({
      error: (error: unknown) => this.#deps.onChangeFailed(this, error),
    });
  }

  /** EXTENSION-RUNTIME-2. */
  *#changing(decided: { readonly version: string | null } | null, isNewHistory = false): Steps<void> {
    const change = ++this.#change;
    const isCurrent = (): boolean => change === this.#change;
    this.#isChanging = true;
    try {
      yield* this.#changingTo(decided, isNewHistory, isCurrent);
    } finally {
      if (isCurrent()) this.#settle();
    }
  }

  *#changingTo(
    decided: { readonly version: string | null } | null,
    isNewHistory: boolean,
    isCurrent: () => boolean,
  ): Steps<void> {
    const { extension } = this.#rows;
    this.#gate = this.#gateOf(extension);
    const rows = { registered: this.#registered, facts: this.#storedFacts };
    if (!(yield* this.#set.building({ before: this.#extension, extension, ...rows, isCurrent }))) return;
    this.#extension = extension;
    // That its rows differ from those of another history is no operator's decision.
    if (isNewHistory) this.#decisions.settle(extension);
    this.stats.keepVersionsOf(extension, this.#set.default?.version.version);
    for (const service of this.#set.startingWith(decided?.version ?? null)) {
      const isMeant = decided !== null && (decided.version ?? service.version.version) === service.version.version;
      const isDefault = service.target === this.#set.default?.target;
      this.#decisions.apply(service, extension, isMeant, isDefault, this.#deps.clock.now());
      yield;
      if (!isCurrent()) return;
    }
    this.#decisions.settle(extension);
  }

  #settle(): void {
    this.#isChanging = false;
    this.#deps.onTouched(this);
    this.#deps.onState(this);
    for (const then of this.#waiting.splice(0)) then();
  }

  #gateOf(extension: Extension): UnavailableReason | null {
    if (!extension.enabled && !extension.autoDisabled) return 'disabled';
    if (extension.autoDisabled && !this.#deps.autoEnableOnCircuitClose) return 'auto_disabled';
    return null;
  }

  /** What operators report of instances. `limited`: a report may be refused (INSTANCE-REPORTS-1). */
  *#takingReports(extension: Extension, limited: boolean, isNewHistory: boolean): Steps<void> {
    const reports = yield* this.instanceStatuses.reading(extension.instances, isNewHistory);
    const onRefused = (instance: Instance, problem: string) => this.#deps.onReportRefused(this, instance, problem);
    yield* takingReports(reports, this, limited, onRefused, this.#deps.clock.now());
  }
}

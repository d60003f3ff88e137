// Keeps the runtimes in step with the registry: each update of the feed becomes a plan, and the plan is applied in slices, one
// update after the other.
//
// SUPERVISOR-1. Removals first, so that an id never runs twice.
// SUPERVISOR-2. An extension whose rows cannot be read, compared or applied affects no other: it is reported, what runs of it goes
//     on if possible, and the registry is read again, with growing delays.
// SUPERVISOR-3. Mass removal is held until a second reading agrees (registry-diff.ts, REGISTRY-DIFF-2) or `reload(force)` (reloads.ts).
// SUPERVISOR-4. A row that is refused is reported once per revision.
// SUPERVISOR-5. However much an update brings, nothing holds the event loop for longer than a slice.
// SUPERVISOR-6. If the registry's history is another one, that is reported, and every runtime is compared with its rows anew.
import { catchError, concatMap, EMPTY, type Observable, Subject, type Subscription, takeUntil } from '#rxjs';
import type { Refusal } from '../../domain/registry/refused-row.js';
import { diffingRegistry, type RegisteredExtension, type RegistryPlan } from '../../domain/registry/registry-diff.js';
import type { RegistryEntry, RegistryUpdate } from '../../domain/registry/registry-rows.js';
import type { SubjectRules } from '../../domain/registry/subject-rules.js';
import type { Steps } from '../../domain/steps.js';
import { stackOf } from '../../telemetry/error-text.js';
import type { Logger } from '../../telemetry/log.js';
import { type Notices, SYSTEM_REGISTRY } from '../events/notices.js';
import { after } from '../extension/actor-supervision.js';
import { ExtensionRuntime, type RuntimeDeps } from '../extension/extension-runtime.js';
import { inSlices } from '../extension/slices.js';
import type { Clock, WallClock } from '../ports/clock.js';
import type { RegistryFeed } from '../ports/storage.js';
import { FallbackTable } from './fallback-table.js';
import { RefusedRows } from './refused-rows.js';
import { type AppliedSnapshot, Reloads } from './reloads.js';
import { SupervisorActor } from './supervisor-actor.js';

interface SupervisorDeps {
  readonly feed$: RegistryFeed;
  readonly rules: SubjectRules;
  readonly clock: Clock;
  readonly wall: WallClock;
  readonly runtimeDeps: Omit<RuntimeDeps, 'onChangeFailed'>;
  readonly notices: Notices;
  readonly log: Logger;
  /** Asks the feed for the whole registry again; returns the number of the request, which grows. */
  readonly requestSnapshot: () => number;
  /** A runtime came or its row changed. */
  readonly onRuntimeChanged: (runtime: ExtensionRuntime) => void;
  /** Its actors are stopped; it gets no call any more. */
  readonly onRuntimeStopped: (runtime: ExtensionRuntime) => void;
  /** Other rows of this extension may be refused now. */
  readonly onRefusedChanged: (extensionId: string) => void;
  /** SUPERVISOR-6; `revision` is that of the history that is in force now. */
  readonly onHistoryChanged: (revision: number) => void;
  /** The registry as it is in force now, after each update. */
  readonly onApplied: (update: RegistryUpdate) => void;
}

/** Of the registry that a start begins with: no call waits for its end, and the pause between two slices is a millisecond or more. */
const FIRST_SLICE_MS = 8;
const MASS_REMOVAL_CONFIRM_MS = 10_000;
const RETRY_MIN_MS = 1000;
const RETRY_MAX_MS = 60_000;
const NOTHING: ReadonlySet<string> = new Set();

export class Supervisor {
  readonly runtimes = new Map<string, ExtensionRuntime>();
  /** What it is at, for viewers. */
  readonly actor: SupervisorActor;
  readonly #registered = new Map<string, RegisteredExtension>();
  readonly #stopped$ = new Subject<void>();
  readonly #deps: SupervisorDeps;
  readonly #runtimeDeps: RuntimeDeps;
  readonly #refused: RefusedRows;
  readonly #fallbacks: FallbackTable;
  #revision: number | null = null;
  #confirmation: Subscription | null = null;
  /** What a second reading may remove: what the first one held. */
  #removable = NOTHING;
  readonly #reloads: Reloads;
  /** SUPERVISOR-2. Ids whose runtimes do not correspond to their rows. */
  #unsettled = new Set<string>();
  #retry: Subscription | null = null;
  #retries = 0;
  historyChanges = 0;

  constructor(deps: SupervisorDeps) {
    this.#deps = deps;
    this.actor = new SupervisorActor(deps.clock, deps.log);
    this.#reloads = new Reloads(deps.requestSnapshot, deps.clock);
    this.#refused = new RefusedRows(deps.notices, deps.wall, deps.onRefusedChanged);
    this.#fallbacks = new FallbackTable(this.#refused);
    this.#runtimeDeps = { ...deps.runtimeDeps, onChangeFailed: (runtime, error) => this.#failed(runtime.id, error) };
  }

  /** Revision of the registry in force; null before the first snapshot. */
  get revision(): number | null {
    return this.#revision;
  }

  /** The fallbacks of this extension; see domain/registry/fallbacks.ts. */
  readonly fallbacksOf = (id: string): readonly string[] => this.#fallbacks.of(id);

  /** Rows that are refused now, of one extension or of all; one that is refused as a whole has no runtime. */
  readonly refusedRows = (extensionId?: string): Iterable<Refusal> => this.#refused.list(extensionId);

  readonly isInvalid = (id: string): boolean => this.#registered.has(id) && !this.runtimes.has(id);

  start(): void {
    this.#deps.feed$
      .pipe(
        concatMap((update) => this.#guarded(update)),
        takeUntil(this.#stopped$),
      )
      .subscribe();
  }

  /** Reads the whole registry again; `force` applies a mass removal immediately. null: no snapshot came in time. */
  reload(force: boolean): Promise<AppliedSnapshot | null> {
    return this.#reloads.ask(force);
  }

  /** Stops every actor. */
  *stopping(): Steps<void> {
    this.#confirmation?.unsubscribe();
    this.#retry?.unsubscribe();
    this.#stopped$.next();
    this.#stopped$.complete();
    for (const runtime of this.runtimes.values()) {
      this.runtimes.delete(runtime.id);
      yield* runtime.stopping();
      this.#deps.onRuntimeStopped(runtime);
      yield;
    }
    this.actor.report({ type: 'daemon.stopped' });
  }

  /** SUPERVISOR-2, of what concerns no single extension: the update is lost, and read again. */
  #guarded(update: RegistryUpdate): Observable<never> {
    const sliceMs = this.#revision === null ? FIRST_SLICE_MS : undefined;
    return inSlices(this.#applying(update), this.#deps.clock, sliceMs).pipe(
      catchError((error: unknown) => {
        this.#deps.log.error({ event: 'registry_update_failed', revision: update.revision, error: stackOf(error) });
        this.#retryLater();
        return EMPTY;
      }),
    );
  }

  *#applying(update: RegistryUpdate): Steps<void> {
    const isSnapshot = update.kind === 'snapshot';
    const historyChange = isSnapshot ? (update.historyChange ?? null) : null;
    const request = isSnapshot ? (update.request ?? Number.POSITIVE_INFINITY) : null;
    const isForced = request !== null && this.#reloads.isForced(request);
    const removable = isForced ? 'all' : isSnapshot ? this.#removable : NOTHING;
    if (isSnapshot) this.#removable = NOTHING;
    const unsettled = this.#unsettled;
    // What fails while this update is taken over is for the next one.
    this.#unsettled = isSnapshot ? new Set() : new Set(unsettled);
    const isNewHistory = historyChange !== null;
    const renewed = isNewHistory ? new Set(this.#registered.keys()) : unsettled;
    const plan = yield* diffingRegistry(this.#registered, update, this.#deps.rules, removable, renewed);
    if (historyChange !== null) this.#reportHistory(historyChange, update.revision);
    for (const id of plan.remove) yield* this.#removing(id);
    for (const { id, registered, entry } of plan.start) {
      this.#registered.set(id, registered);
      if (entry !== null) yield* this.#settling(id, registered, entry, isNewHistory);
    }
    for (const { id, registered, entry } of plan.update) {
      this.#registered.set(id, registered);
      yield* this.#settling(id, registered, entry, isNewHistory);
    }
    for (const entry of update.entries) {
      this.#refused.renew(entry.extension.id);
      yield;
    }
    for (const { id } of update.unreadable ?? []) {
      this.#refused.renew(id);
      yield;
    }
    for (const problem of plan.refused) {
      this.#refused.report(problem);
      yield;
    }
    yield* this.#fallbacks.renewing(this.#registered, plan);
    this.#hold(plan);
    for (const id of plan.failed) this.#unsettled.add(id);
    this.#revision = update.revision;
    if (historyChange !== null) this.#deps.onHistoryChanged(update.revision);
    this.#logApplied(update, plan);
    this.actor.report({ type: 'registry.applied', revision: update.revision, children: this.runtimes.size });
    this.#deps.onApplied(update);
    if (request !== null) this.#reloads.applied(request, appliedOf(update.revision, plan));
    if (this.#unsettled.size > 0) this.#retryLater();
    else if (isSnapshot) this.#retries = 0;
  }

  *#removing(id: string): Steps<void> {
    this.#registered.delete(id);
    this.#refused.forget(id);
    this.#unsettled.delete(id);
    const runtime = this.runtimes.get(id);
    if (runtime === undefined) return;
    this.runtimes.delete(id);
    yield* runtime.stopping();
    this.#deps.onRuntimeStopped(runtime);
  }

  /** SUPERVISOR-2. Makes the runtime correspond to its rows. */
  *#settling(id: string, registered: RegisteredExtension, entry: RegistryEntry, isNewHistory: boolean): Steps<void> {
    const { extension } = registered;
    if (extension === null) return;
    try {
      const known = this.runtimes.get(id);
      if (known === undefined) {
        const runtime = yield* ExtensionRuntime.starting(extension, registered, entry, this.#runtimeDeps);
        this.runtimes.set(id, runtime);
        this.#deps.onRuntimeChanged(runtime);
      } else {
        yield* known.applying(extension, registered, entry, isNewHistory);
        this.#deps.onRuntimeChanged(known);
      }
      this.#unsettled.delete(id);
      this.#refused.solved(id, 'applied');
    } catch (error) {
      this.#failed(id, error);
    }
    yield;
  }

  /** SUPERVISOR-2. The runtime continues as it was, as far as possible; its rows are applied again later. */
  #failed(id: string, error: unknown): void {
    this.#deps.log.error({ event: 'slot_failed', extension_id: id, error: stackOf(error) });
    const revision = this.#registered.get(id)?.extension?.revision ?? 0;
    this.#refused.report({ extensionId: id, revision, problems: [`its rows cannot be applied: ${error}`] }, 'applied');
    this.#unsettled.add(id);
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#retry !== null) return;
    const delayMs = Math.min(RETRY_MIN_MS * 2 ** this.#retries, RETRY_MAX_MS);
    this.#retries++;
    this.#retry = after(delayMs, this.#deps.clock).subscribe(() => {
      this.#retry = null;
      this.#deps.requestSnapshot();
    });
  }

  /** SUPERVISOR-6. */
  #reportHistory(reason: string, revision: number): void {
    this.historyChanges++;
    this.#refused.forgetAll();
    this.#deps.notices.publish({
      event: 'registry_history_changed',
      extensionId: '_',
      actor: SYSTEM_REGISTRY,
      reason,
      revision,
      audited: true,
    });
  }

  #logApplied(update: RegistryUpdate, plan: RegistryPlan): void {
    if (update.kind === 'changes' && plan.remove.length + plan.start.length + plan.update.length === 0) return;
    this.#deps.log.info({
      event: 'registry_applied',
      kind: update.kind,
      ...appliedOf(update.revision, plan),
      running: this.runtimes.size,
    });
  }

  /** SUPERVISOR-3. */
  #hold(plan: RegistryPlan): void {
    if (plan.held.length === 0) return;
    this.#deps.notices.publish({
      event: 'mass_removal_held',
      extensionId: '_',
      actor: SYSTEM_REGISTRY,
      reason: `${plan.held.length} of ${this.#registered.size} extensions are gone from the registry; a second reading decides`,
      audited: true,
    });
    this.#confirmation?.unsubscribe();
    this.#confirmation = after(MASS_REMOVAL_CONFIRM_MS, this.#deps.clock).subscribe(() => {
      this.#removable = new Set(plan.held);
      this.#deps.requestSnapshot();
    });
  }
}

const appliedOf = (revision: number, plan: RegistryPlan): AppliedSnapshot => ({
  revision,
  started: plan.start.length,
  updated: plan.update.length,
  removed: plan.remove.length,
  held: plan.held.length,
});

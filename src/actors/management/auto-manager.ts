// Disables and enables extensions in the registry as their breakers open and close.
//
// AUTO-MANAGER-1. While the disable guard holds (disable-guard.ts) nothing is disabled, not even what was pending. Enabling is not held.
// AUTO-MANAGER-2. Per extension only the latest wanted change is pending; while the database is away it waits.
// AUTO-MANAGER-3. A change is applied only to the revision of the row it was decided on. If that has moved on, another decision came
//     first: the change is dropped, and what is wanted is decided anew when the feed delivers the new row.
// AUTO-MANAGER-4. The event is published after the commit, and the row's audit row is made by the commit itself.
// AUTO-MANAGER-5. What another daemon disabled is enabled here only if this daemon's breaker has recovered too: a breaker that was closed
//     throughout is no evidence, and the two daemons would undo each other's changes endlessly. A write whose answer was
//     lost may be this daemon's own.
// AUTO-MANAGER-6. What has to wait (AUTO-MANAGEMENT-4, AUTO-MANAGER-1) is not pending: a tick decides it again, on the state at that time. A restart forgets the damping: what
//     was disabled has to prove itself to the new process anyway.
// AUTO-MANAGER-7. A row that another transaction holds delays no other: it is tried after the others, once per pass.
// AUTO-MANAGER-8. If the answer to a write was lost, its result is looked up before anything else is written to the row, even if the change
//     is not wanted any more: what was applied is published, once.
import { AUTO_MANAGER, type AutoManagementSettings, wantedAutoChange } from '../../domain/registry/auto-management.js';
import type { JsonObject } from '../../domain/registry/extension.js';
import { HeldError, isRowHeld } from '../../domain/registry/held-error.js';
import { overrideOf } from '../../domain/registry/verbs.js';
import { createLimitedWarn, type LimitedWarn } from '../../telemetry/limited-log.js';
import type { Logger } from '../../telemetry/log.js';
import { HeldRows } from '../events/held-rows.js';
import type { Notices } from '../events/notices.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import type { Clock } from '../ports/clock.js';
import type { ApplyAutoChange, AutoChange } from '../ports/storage.js';
import type { DisableGuard } from './disable-guard.js';

export class AutoManager {
  readonly #pending = new Map<string, AutoChange>();
  /** AUTO-MANAGER-6. By the extension's id. */
  readonly #waiting = new Map<string, 'damped' | 'guarded'>();
  /** AUTO-MANAGER-5. Runtimes whose breaker was not closed here since their row was last enabled. */
  readonly #witnessed = new WeakSet<ExtensionRuntime>();
  /** Revision that the last write for a runtime was decided on. While its row has it, the result of the write is unknown. */
  #tried = new WeakMap<ExtensionRuntime, number>();
  /** AUTO-MANAGER-8. Writes whose answer was lost, by the extension's id. */
  readonly #unanswered = new Map<string, AutoChange>();
  readonly #held: HeldRows;
  #writing: Promise<void> | null = null;
  autoDisabledTotal = 0;

  /** Once a second while the database is away: the log has one in ten. */
  readonly #warnDelayed: LimitedWarn;

  constructor(
    private readonly deps: {
      readonly runtimes: ReadonlyMap<string, ExtensionRuntime>;
      readonly settings: AutoManagementSettings;
      readonly clock: Clock;
      readonly disableGuard: DisableGuard;
      readonly apply: ApplyAutoChange;
      readonly notices: Notices;
      readonly healthOf: (runtime: ExtensionRuntime) => JsonObject;
      /** An operator's verb for the extension is pending: it moves the row's revision, so it is written first. */
      readonly isHeld: (extensionId: string) => boolean;
      /** A UUID. */
      readonly newId: () => string;
      readonly log: Logger;
    },
  ) {
    this.#held = new HeldRows(deps.clock, deps.log);
    this.#warnDelayed = createLimitedWarn(deps.log, 'auto_change_delayed', () => deps.clock.now());
  }

  get pending(): number {
    return this.#pending.size;
  }

  /** Called after each transition of the default target and each change of the row; asking twice changes nothing. */
  consider(runtime: ExtensionRuntime): void {
    const nowMs = this.deps.clock.now();
    this.deps.disableGuard.note(runtime, nowMs);
    const target = runtime.defaultService?.target;
    if (target === undefined || target.mode === 'failed') return;
    const state = target.publishedState;
    if (state !== 'closed') this.#witnessed.add(runtime);
    else if (!runtime.extension.autoDisabled && this.#tried.get(runtime) !== runtime.extension.revision)
      this.#witnessed.delete(runtime);
    const row = { ...runtime.extension, breakerOverride: overrideOf(runtime.extension, target.version) };
    const change = wantedAutoChange(row, state, target.recovery(nowMs), this.deps.settings);
    if (change === 'damped') this.#waiting.set(runtime.id, change);
    else this.#waiting.delete(runtime.id);
    if (change === null || change === 'damped' || (change === 'auto_enable' && !this.#mayEnable(runtime))) {
      this.#pending.delete(runtime.id);
      return;
    }
    const { revision, uid = null } = runtime.extension;
    const reason =
      change === 'auto_disable' ? `circuit opened: ${target.lastTrip?.reason ?? 'restored'}` : 'circuit closed';
    this.#pending.set(runtime.id, { id: this.deps.newId(), extension_id: runtime.id, uid, change, revision, reason });
    void this.flush();
  }

  tick(): void {
    const { holds } = this.deps.disableGuard;
    for (const [id, why] of this.#waiting) {
      if (why === 'guarded' && holds) continue;
      const runtime = this.deps.runtimes.get(id);
      if (runtime === undefined) this.#waiting.delete(id);
      else this.consider(runtime);
    }
    void this.flush();
  }

  /** The extension was removed: one of the same id that comes later is another. */
  forget(id: string): void {
    this.#pending.delete(id);
    this.#waiting.delete(id);
    this.#unanswered.delete(id);
  }

  /** The registry's history is another one: what its rows say of automatic changes, no daemon that runs has decided. */
  startNewHistory(): void {
    this.#tried = new WeakMap();
    for (const runtime of this.deps.runtimes.values()) {
      if (!runtime.extension.autoDisabled) continue;
      this.#witnessed.add(runtime);
      this.consider(runtime);
    }
  }

  /** Applies what is pending; resolves when nothing is, or the database is away. */
  flush(): Promise<void> {
    this.#writing ??= this.#applyAll();
    return this.#writing;
  }

  async #applyAll(): Promise<void> {
    // Not within the update that causes it: a snapshot is evaluated as a whole (AUTO-MANAGER-1).
    await null;
    try {
      this.#held.keep((id) => this.#pending.has(id) || this.#unanswered.has(id));
      const tried = new Set<string>();
      let isStopped = false;
      for (let id = this.#next(tried); id !== undefined && !isStopped; id = this.#next(tried)) {
        isStopped = !(await this.#applyOne(id));
        if (this.#held.has(id)) tried.add(id);
      }
    } finally {
      // In the same step as the last check of what is wanted: a change that is wanted from now on begins another pass.
      this.#writing = null;
    }
  }

  /** False: nothing can be written now. */
  async #applyOne(id: string): Promise<boolean> {
    try {
      await this.#askForAnswer(id);
      const change = this.#pending.get(id);
      if (change !== undefined && this.#isDue(change)) await this.#apply(change);
      this.#held.release(id);
      return true;
    } catch (error) {
      if (isRowHeld(error)) this.#held.note(id, (error as Error).message);
      else this.#delay(id, error);
      return isRowHeld(error);
    }
  }

  /** AUTO-MANAGER-8. */
  async #askForAnswer(id: string): Promise<void> {
    const unanswered = this.#unanswered.get(id);
    if (unanswered === undefined) return;
    const result = await this.deps.apply({ ...unanswered, isOnlyAsked: true });
    this.#unanswered.delete(id);
    if (!result.applied) return;
    if (this.#pending.get(id)?.revision === unanswered.revision) this.#pending.delete(id);
    this.#applied(unanswered, result.revision);
  }

  async #apply(change: AutoChange): Promise<void> {
    const { extension_id: id } = change;
    const runtime = this.deps.runtimes.get(id);
    if (runtime !== undefined) this.#tried.set(runtime, change.revision);
    const result = await this.deps.apply(change).catch((error: unknown) => {
      if (!(error instanceof HeldError)) this.#unanswered.set(id, change);
      throw error;
    });
    // Only what was applied is settled: a newer wish may have come meanwhile.
    if (this.#pending.get(id) === change) this.#pending.delete(id);
    if (result.applied) this.#applied(change, result.revision);
    else this.deps.log.info({ event: 'auto_change_stale', ...change });
  }

  /** To the end of the queue: a change that cannot be written must not delay the others. A newer one replaces it. */
  #delay(id: string, error: unknown): void {
    const wish = this.#pending.get(id);
    if (wish !== undefined) {
      this.#pending.delete(id);
      this.#pending.set(id, wish);
    }
    const unanswered = this.#unanswered.get(id);
    if (unanswered !== undefined) {
      this.#unanswered.delete(id);
      this.#unanswered.set(id, unanswered);
    }
    this.#warnDelayed({ owed: this.#pending.size, error: String(error) });
  }

  /** AUTO-MANAGER-5. */
  #mayEnable(runtime: ExtensionRuntime): boolean {
    return runtime.extension.switchedBy !== AUTO_MANAGER || this.#witnessed.has(runtime);
  }

  /** Extension whose turn it is; AUTO-MANAGER-7. */
  #next(tried: ReadonlySet<string>): string | undefined {
    let last: string | undefined;
    for (const [id, change] of this.#pending) {
      if (tried.has(id) || !this.#isDue(change)) continue;
      if (!this.#held.has(id)) return id;
      last ??= id;
    }
    for (const id of this.#unanswered.keys()) {
      if (tried.has(id)) continue;
      if (!this.#held.has(id)) return id;
      last ??= id;
    }
    return last;
  }

  #isDue(change: AutoChange): boolean {
    if (this.deps.isHeld(change.extension_id)) return false;
    if (change.change === 'auto_enable' || !this.deps.disableGuard.holds) return true;
    // AUTO-MANAGER-1.
    this.#pending.delete(change.extension_id);
    this.#waiting.set(change.extension_id, 'guarded');
    return false;
  }

  #applied(change: AutoChange, revision: number): void {
    const disabled = change.change === 'auto_disable';
    if (disabled) this.autoDisabledTotal++;
    const runtime = this.deps.runtimes.get(change.extension_id);
    const publish = (): void => this.#publishApplied(change, revision, runtime);
    if (runtime === undefined) return publish();
    runtime.noteAutoChange(!disabled, revision);
    runtime.whenSettled(publish);
  }

  #publishApplied(change: AutoChange, revision: number, runtime: ExtensionRuntime | undefined): void {
    this.deps.notices.publish({
      event: change.change === 'auto_disable' ? 'auto_disabled' : 'auto_enabled',
      extensionId: change.extension_id,
      actor: AUTO_MANAGER,
      reason: change.reason,
      revision,
      ...(runtime === undefined ? {} : { health: this.deps.healthOf(runtime) }),
      audited: false,
    });
    // The breaker may have moved on while the write was in flight.
    if (runtime !== undefined) this.consider(runtime);
  }
}

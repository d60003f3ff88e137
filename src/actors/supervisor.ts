// Keeps the slots in step with the registry: what the feed says becomes a plan, and each extension's slot lives as one
// Observable that starts, changes and stops it.
//
// P1. Removals first, so that an id never runs twice.
// P2. A slot that fails to start or change is refused alone (`row_invalid`) and told; the others do not notice.
// P3. Mass removal is held until a second reading agrees (registry-diff.ts, D2) or `reload(force)`.
// P4. A row that is refused is told once per revision.
import { filter, groupBy, mergeMap, Observable, Subject, type Subscription, takeUntil } from '#rxjs';
import { type Fallbacks, fallbacksInForce } from '../domain/fallbacks.js';
import { diffRegistry, type RegisteredExtension, type RegistryPlan } from '../domain/registry-diff.js';
import type { RegistryEntry, RegistryUpdate } from '../domain/registry-rows.js';
import type { RowProblem } from '../domain/registry-validation.js';
import type { SubjectRules } from '../domain/subject-rules.js';
import type { Logger } from '../telemetry/log.js';
import { after } from './actor-supervision.js';
import { type Notices, SYSTEM_REGISTRY } from './notices.js';
import type { Clock, RegistryFeed } from './ports.js';
import { Slot, type SlotDeps } from './slot.js';

type Operation =
  | { kind: 'start' | 'update'; id: string; registered: RegisteredExtension; entry: RegistryEntry }
  | { kind: 'remove'; id: string };

export interface SupervisorDeps {
  readonly feed$: RegistryFeed;
  readonly rules: SubjectRules;
  readonly clock: Clock;
  readonly slotDeps: SlotDeps;
  readonly notices: Notices;
  readonly log: Logger;
  /** Asks the feed for the whole registry again. */
  readonly requestSnapshot: () => void;
  /** A slot came or its row changed. */
  readonly onSlotChanged: (slot: Slot) => void;
  /** Its actors are stopped; it gets no call any more. */
  readonly onSlotStopped: (slot: Slot) => void;
  /** The registry as it is in force now, after each update. */
  readonly onApplied: (update: RegistryUpdate) => void;
}

const MASS_REMOVAL_CONFIRM_MS = 10_000;
const NOTHING: ReadonlySet<string> = new Set();
const NONE: readonly string[] = [];

export class Supervisor {
  readonly slots = new Map<string, Slot>();
  readonly #registered = new Map<string, RegisteredExtension>();
  readonly #operations$ = new Subject<Operation>();
  readonly #stopped$ = new Subject<void>();
  readonly #told = new Map<string, string>();
  readonly #deps: SupervisorDeps;
  #fallbacks: Fallbacks = new Map();
  #revision: number | null = null;
  #confirmation: Subscription | null = null;
  /** What a second reading may remove: what the first one held, or everything where a person forces it. */
  #removable: ReadonlySet<string> | 'all' = NOTHING;

  constructor(deps: SupervisorDeps) {
    this.#deps = deps;
  }

  /** Revision of the registry in force; null before the first snapshot. */
  get revision(): number | null {
    return this.#revision;
  }

  /** Extensions that may stand in for this one; see domain/fallbacks.ts. */
  readonly fallbacksOf = (id: string): readonly string[] => this.#fallbacks.get(id) ?? NONE;

  readonly isInvalid = (id: string): boolean => this.#registered.has(id) && !this.slots.has(id);

  start(): void {
    this.#operations$
      .pipe(
        groupBy((operation) => operation.id, {
          duration: (group$) => group$.pipe(filter((operation) => operation.kind === 'remove')),
        }),
        mergeMap((group$) => this.#life(group$)),
        takeUntil(this.#stopped$),
      )
      .subscribe();
    this.#deps.feed$.pipe(takeUntil(this.#stopped$)).subscribe((update) => this.#apply(update));
  }

  /** Reads the whole registry again; `force` lets a mass removal happen at once. */
  reload(force: boolean): void {
    if (force) this.#removable = 'all';
    this.#deps.requestSnapshot();
  }

  /** `stalledUntilMs`: see AfterRoundTrip. */
  tick(nowMs: number, stalledUntilMs = Number.NEGATIVE_INFINITY): void {
    for (const slot of this.slots.values()) slot.tick(nowMs, stalledUntilMs);
  }

  /** Stops every actor. */
  stop(): void {
    this.#confirmation?.unsubscribe();
    this.#stopped$.next();
    this.#stopped$.complete();
  }

  #apply(update: RegistryUpdate): void {
    const isSnapshot = update.kind === 'snapshot';
    const plan = diffRegistry(this.#registered, update, this.#deps.rules, isSnapshot ? this.#removable : NOTHING);
    if (isSnapshot) this.#removable = NOTHING;
    for (const id of plan.remove) {
      this.#registered.delete(id);
      this.#operations$.next({ kind: 'remove', id });
    }
    for (const { id, registered, entry } of plan.start) {
      this.#registered.set(id, registered);
      this.#operations$.next({ kind: 'start', id, registered, entry });
    }
    for (const { id, registered, entry } of plan.update) {
      this.#registered.set(id, registered);
      this.#operations$.next({ kind: 'update', id, registered, entry });
    }
    for (const problem of plan.refused) this.#tellRefused(problem);
    this.#findFallbacks();
    this.#hold(plan);
    this.#revision = update.revision;
    if (plan.remove.length + plan.start.length + plan.update.length > 0 || isSnapshot)
      this.#deps.log.info({
        event: 'registry_applied',
        kind: update.kind,
        revision: update.revision,
        started: plan.start.length,
        updated: plan.update.length,
        removed: plan.remove.length,
        running: this.slots.size,
      });
    this.#deps.onApplied(update);
  }

  /** One extension from its first row to its removal. */
  #life(operation$: Observable<Operation>): Observable<never> {
    return new Observable((subscriber) => {
      let id = '';
      operation$.subscribe({
        next: (operation) => {
          id = operation.id;
          if (operation.kind === 'remove') return;
          try {
            this.#startOrChange(operation);
          } catch (error) {
            this.#stopSlot(id);
            this.#deps.log.error({ event: 'slot_failed', extension_id: id, error: String(error) });
          }
        },
        complete: () => subscriber.complete(),
      });
      return () => this.#stopSlot(id);
    });
  }

  #startOrChange({ id, registered, entry }: Exclude<Operation, { kind: 'remove' }>): void {
    const { extension } = registered;
    let slot = this.slots.get(id);
    if (extension === null) return;
    if (slot === undefined) {
      slot = new Slot(extension, registered, entry, this.#deps.slotDeps);
      this.slots.set(id, slot);
    } else {
      slot.apply(extension, registered, entry);
    }
    this.#deps.onSlotChanged(slot);
  }

  #stopSlot(id: string): void {
    const slot = this.slots.get(id);
    if (slot === undefined) return;
    slot.stop();
    this.slots.delete(id);
    this.#deps.onSlotStopped(slot);
  }

  /** They depend on all rows together. */
  #findFallbacks(): void {
    const rows = [...this.#registered.values()].flatMap(({ extension }) =>
      extension === null
        ? []
        : [
            {
              id: extension.id,
              type: extension.type,
              fallback: extension.policy.fallback ?? NONE,
            },
          ],
    );
    const { inForce, problems } = fallbacksInForce(rows, this.#fallbacks);
    this.#fallbacks = inForce;
    for (const [extensionId, told] of problems)
      this.#tellRefused(
        {
          extensionId,
          revision: this.#registered.get(extensionId)?.extension?.revision ?? 0,
          problems: told,
        },
        'fallback',
      );
  }

  /** P4. `part`: of the row, where several may be refused for themselves. */
  #tellRefused(problem: RowProblem, part = ''): void {
    const key = `${part}/${problem.extensionId}/${problem.version ?? ''}/${problem.instanceId ?? ''}`;
    const what = `${problem.revision}: ${problem.problems.join('; ')}`;
    if (this.#told.get(key) === what) return;
    this.#told.set(key, what);
    this.#deps.notices.tell({
      event: 'registry_row_rejected',
      extensionId: problem.extensionId,
      ...(problem.version === undefined ? {} : { version: problem.version }),
      ...(problem.instanceId === undefined ? {} : { instance_id: problem.instanceId }),
      actor: SYSTEM_REGISTRY,
      reason: problem.problems.join('; '),
      revision: problem.revision,
      audited: true,
    });
  }

  /** P3. */
  #hold(plan: RegistryPlan): void {
    if (plan.held.length === 0) return;
    this.#deps.notices.tell({
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

// Carries out operators' verbs on an extension or one version of it.
//
// OPERATOR-1. A verb is in force here as soon as its row is written; its later delivery by the feed changes nothing.
// OPERATOR-2. While the database is away, what concerns breakers alone is in force immediately and pending: of each row the latest verb. It
//     is written when the database is back, and before automatic changes of that extension.
// OPERATOR-3. A pending verb is superseded if another operator has decided something about the extension since: that is reported, and what
//     the registry says is in force.
// OPERATOR-4. Of one extension one write is in flight at a time, in the order of the decisions. One that is not answered in time is
//     given up: it was done in that time, which its id shows, or it is never done.
// OPERATOR-5. A row that another transaction holds does not delay what is pending for other rows.
//
// Long: a verb is sent, queued and superseded by one set of rules over the same two tables.

import { isRowHeld } from '../../domain/registry/held-error.js';
import { type BreakerVerb, isBreakerVerb, overrideOf, scopeOf } from '../../domain/registry/verbs.js';
import { within } from '../../telemetry/deadline.js';
import { createLimitedWarn, type LimitedWarn } from '../../telemetry/limited-log.js';
import type { Logger } from '../../telemetry/log.js';
import { SingleFlight } from '../../telemetry/single-flight.js';
import { HeldRows } from '../events/held-rows.js';
import { type Notices, SYSTEM_REGISTRY } from '../events/notices.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import type { ExecuteVerb, VerbAnswer, VerbOrder } from '../ports/api.js';
import type { Clock } from '../ports/clock.js';
import type { ApplyVerb, VerbCommand, VerbResult } from '../ports/storage.js';

/** How long a write may take, and its caller waits. */
const ANSWER_MS = 5000;
const LATE = Symbol('late');
/** How long writing a pending verb may take: the others wait for it. */
const PENDING_MS = 2000;
/** Ids of an extension's own verbs that are remembered: more than can be on their way at a time. */
const REMEMBERED = 32;

interface PendingVerb {
  readonly command: VerbCommand;
  readonly verb: BreakerVerb;
  /** Of the registry, when it was decided; of a history that replaced that one, the first that was seen. */
  revision: number;
}

export class Operator {
  /** By row, in the order of the decisions. */
  readonly #pending = new Map<string, PendingVerb>();
  /** OPERATOR-4. By extension: resolves when the last write that was asked for is done or given up. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** By extension: ids of verbs that were sent, so that they are not mistaken for another operator's. */
  readonly #sent = new Map<string, string[]>();
  readonly #held: HeldRows;
  readonly #flushing = new SingleFlight(() => this.#flushAll());
  #isStopping = false;

  /** Once a second while the database is away: the log has one in ten. */
  readonly #warnDelayed: LimitedWarn;

  constructor(
    private readonly deps: {
      readonly runtimes: ReadonlyMap<string, ExtensionRuntime>;
      readonly apply: ApplyVerb;
      /** Of the registry in force; null before the first snapshot. */
      readonly revision: () => number | null;
      /** A UUID. */
      readonly newId: () => string;
      readonly clock: Clock;
      readonly notices: Notices;
      readonly onChanged: (runtime: ExtensionRuntime) => void;
      readonly log: Logger;
    },
  ) {
    this.#held = new HeldRows(deps.clock, deps.log);
    this.#warnDelayed = createLimitedWarn(deps.log, 'verb_delayed', () => deps.clock.now());
  }

  get pending(): number {
    return this.#pending.size;
  }

  readonly hasPending = (extensionId: string): boolean => this.#pendingOf(extensionId).length > 0;

  readonly execute: ExecuteVerb = (order) => {
    const command = commandOf(order, this.deps.newId());
    return this.#inTurn(command.extension_id, async (deadlineMs) => {
      const result = await this.#until(deadlineMs, this.#write(command, deadlineMs)).catch((error: Error) => error);
      return await (result instanceof Error ? this.#owe(command, result.message) : this.#answer(command, result));
    });
  };

  /** Writes what is pending; resolves when nothing is, or the database is away. Called again with every tick. */
  flush(): Promise<void> {
    return this.#flushing.run();
  }

  /** What is pending was decided on a registry that no longer exists: it counts as decided on this one, and is the latest decision. */
  startNewHistory(revision: number): void {
    for (const pending of this.#pending.values()) pending.revision = revision;
  }

  /** Writes what is pending; accepts nothing more that could only be queued, and reports what is lost. */
  async stop(): Promise<void> {
    this.#isStopping = true;
    // A run in flight does not know what became pending after it began.
    await this.#flushing.runAnew();
    for (const { command } of this.#pending.values())
      this.deps.log.warn({ event: 'verb_lost', ...logged(command), error: 'the daemon stops without the database' });
  }

  async #flushAll(): Promise<void> {
    for (const id of this.#sent.keys()) if (!this.deps.runtimes.has(id) && !this.hasPending(id)) this.#sent.delete(id);
    this.#held.keep((row) => this.#pending.has(row));
    // OPERATOR-5. What is held comes last.
    const rows = [...this.#pending].sort(([a], [b]) => Number(this.#held.has(a)) - Number(this.#held.has(b)));
    for (const [row, pending] of rows) {
      const id = pending.command.extension_id;
      const error = await this.#inTurn(id, (deadlineMs) =>
        this.#until(deadlineMs, this.#writePending(row, pending, deadlineMs)).catch((reason: Error) => reason),
      );
      if (error === undefined) {
        this.#held.release(row);
        continue;
      }
      // What is pending for other extensions can still be written.
      if (isRowHeld(error)) {
        this.#held.note(row, error.message);
        continue;
      }
      // To the end: a verb that cannot be written must not delay those of other extensions.
      if (this.#pending.get(row) === pending) {
        this.#pending.delete(row);
        this.#pending.set(row, pending);
      }
      this.#warnDelayed({ owed: this.#pending.size, error: String(error) });
      return;
    }
  }

  /** Rejects while the database is away. */
  async #write(command: VerbCommand, deadlineMs: number): Promise<VerbResult> {
    const id = command.extension_id;
    const runtime = this.deps.runtimes.get(id);
    const scope = runtime === undefined ? 'none' : scopeOf(runtime.extension, command.version);
    // Of the same row the later verb replaces the earlier one, but only if both concern the breaker.
    for (const [row, pending] of this.#pendingOf(id))
      if (scope === 'none' || pending.command.version !== scope.version || !isBreakerVerb(command.verb))
        await this.#writePending(row, pending, deadlineMs);
    const result = await this.#send(command, deadlineMs);
    if (result.kind === 'applied') this.#written(command, result, this.deps.clock.now() >= deadlineMs);
    return result;
  }

  #send(command: VerbCommand, deadlineMs: number): Promise<VerbResult> {
    const { id, extension_id } = command;
    const sent = (this.#sent.get(extension_id) ?? []).filter((one) => one !== id);
    this.#sent.set(extension_id, [...sent, id].slice(-REMEMBERED));
    return this.deps.apply(command, () => deadlineMs - this.deps.clock.now());
  }

  #written(command: VerbCommand, { version, row }: VerbResult & { kind: 'applied' }, isLate: boolean): void {
    const { id, extension_id } = command;
    const name = rowName(extension_id, version);
    const isPending = this.#pending.get(name)?.command.id === id;
    this.deps.log.info({ event: 'verb_written', ...logged(command), revision: row.revision });
    if (!isLate || isPending) this.#pending.delete(name);
    const runtime = this.deps.runtimes.get(extension_id);
    if (runtime === undefined) return;
    if (isLate) runtime.noteLateVerb(version, row, command, isPending);
    else runtime.noteVerb(version, row, command);
    this.deps.onChanged(runtime);
  }

  async #writePending(row: string, pending: PendingVerb, deadlineMs: number): Promise<void> {
    const { command, revision } = pending;
    if (this.#pending.get(row) !== pending) return;
    const after = this.#sent.get(command.extension_id) ?? [];
    const result = await this.#send(
      { ...command, decidedEarlier: { revision, after } },
      Math.min(deadlineMs, this.deps.clock.now() + PENDING_MS),
    );
    if (result.kind === 'applied') this.#written(command, result, true);
    else if (this.#pending.get(row) === pending) this.#supersede(row, pending, result);
  }

  /** OPERATOR-3. */
  #supersede(row: string, { command }: PendingVerb, result: VerbResult): void {
    const { extension_id, version, verb, actor, reason } = command;
    this.#pending.delete(row);
    const why = result.kind === 'void' ? `${result.by ?? 'an operator'} decided ${result.action} since` : result.kind;
    this.deps.notices.publish({
      event: 'verb_void',
      extensionId: extension_id,
      ...(version === null ? {} : { version }),
      actor: SYSTEM_REGISTRY,
      reason: `${verb} by ${actor}${reason === null ? '' : ` (${reason})`} was not written: ${why}`,
      audited: true,
    });
    const runtime = this.deps.runtimes.get(extension_id);
    if (runtime === undefined) return;
    runtime.dropPending(version);
    this.deps.onChanged(runtime);
  }

  /** OPERATOR-2. */
  async #owe(command: VerbCommand, error: string): Promise<VerbAnswer> {
    const { id, extension_id, verb, actor } = command;
    const runtime = this.deps.runtimes.get(extension_id);
    const revision = this.deps.revision();
    this.deps.log.warn({ event: 'verb_without_database', ...logged(command), error });
    if (this.#isStopping || !isBreakerVerb(verb) || runtime === undefined || revision === null)
      return { kind: 'database_unavailable', message: `${verb} needs the database: ${error}` };
    const scope = scopeOf(runtime.extension, command.version);
    if (scope === 'none') return versionNotFound(command, command.version === runtime.extension.version);
    const row = rowName(extension_id, scope.version);
    this.#pending.delete(row);
    this.#pending.set(row, { command: { ...command, version: scope.version }, verb, revision });
    runtime.addPending(scope.version, { id, verb, actor });
    this.deps.onChanged(runtime);
    await settled(runtime);
    return { kind: 'in_force', revision: null, owed: true, ...(inForce(runtime, scope.version) as InForce) };
  }

  async #answer(command: VerbCommand, result: VerbResult): Promise<VerbAnswer> {
    switch (result.kind) {
      case 'applied': {
        const { version, row } = result;
        const { enabled, autoDisabled, breakerOverride: override, revision } = row;
        const runtime = this.deps.runtimes.get(command.extension_id);
        if (runtime !== undefined) await settled(runtime);
        // What nothing runs of, because its row is not valid, is as it was written.
        const here = (runtime && inForce(runtime, version)) ?? { enabled, autoDisabled, override, breakerState: null };
        return { kind: 'in_force', revision, owed: false, ...here };
      }
      case 'version_not_found':
        return versionNotFound(command, result.isOwnRow);
      case 'extension_not_found':
        return { kind: 'extension_not_found', message: `no extension '${command.extension_id}'` };
      case 'void':
        throw new Error(`a verb that is decided now is not void: ${command.verb} of ${command.extension_id}`);
      default:
        return result satisfies never;
    }
  }

  #pendingOf(extensionId: string): [string, PendingVerb][] {
    return [...this.#pending].filter(([, { command }]) => command.extension_id === extensionId);
  }

  /** OPERATOR-4. `work` ends with its deadline. */
  #inTurn<T>(extensionId: string, work: (deadlineMs: number) => Promise<T>): Promise<T> {
    const deadlineMs = this.deps.clock.now() + ANSWER_MS;
    const turn = (this.#turns.get(extensionId) ?? Promise.resolve()).then(() => work(deadlineMs));
    const ended = turn
      .catch(() => undefined)
      .then(() => {
        if (this.#turns.get(extensionId) === ended) this.#turns.delete(extensionId);
      });
    this.#turns.set(extensionId, ended);
    return turn;
  }

  /** Rejects if the work does, or if it is not done in time. */
  async #until<T>(deadlineMs: number, work: Promise<T>): Promise<T> {
    const { clock } = this.deps;
    const result = await within(deadlineMs - clock.now(), work, LATE, clock);
    if (result === LATE) throw new Error(`no answer within ${ANSWER_MS / 1000} s; it may have been written`);
    return result as T;
  }
}

const commandOf = ({ extensionId, version, verb, actor, reason }: VerbOrder, id: string): VerbCommand => ({
  id,
  extension_id: extensionId,
  version,
  verb,
  actor,
  reason,
  decidedEarlier: null,
});

/** No id of an extension has an '@'. */
const rowName = (extensionId: string, version: string | null): string =>
  version === null ? extensionId : `${extensionId}@${version}`;

const logged = ({ extension_id, version, verb, actor, reason }: VerbCommand) => ({
  extension_id,
  ...(version === null ? {} : { version }),
  verb,
  actor,
  reason,
});

const settled = (runtime: ExtensionRuntime): Promise<void> => new Promise((resolve) => runtime.whenSettled(resolve));

type InForce = Pick<VerbAnswer & { kind: 'in_force' }, 'enabled' | 'autoDisabled' | 'override' | 'breakerState'>;

/** null: no such version. */
function inForce({ extension, services, defaultService }: ExtensionRuntime, version: string | null): InForce | null {
  const row = version === null ? extension : extension.versions.find((v) => v.version === version);
  if (row === undefined) return null;
  const service = version === null ? defaultService : [...services].find((s) => s.version.version === version);
  return {
    enabled: row.enabled,
    autoDisabled: extension.autoDisabled,
    override: version === null ? row.breakerOverride : overrideOf(extension, version),
    breakerState: service?.target.publishedState ?? null,
  };
}

function versionNotFound({ extension_id, version }: VerbCommand, isOwnRow: boolean): VerbAnswer {
  const message = isOwnRow
    ? `version '${version}' is the own row of ${extension_id}, beside which there are others: give it a version row, or name no version`
    : `no version '${version}' of ${extension_id}`;
  return { kind: 'version_not_found', message };
}

// The board and what belongs to it, put together: rows, slots of ten seconds, histories, events and live updates.

import type { DirtySet } from '../../domain/dirty-set.js';
import type { HistoryAnswer, HistoryMark, HistoryStep, Sparklines } from '../../domain/health/history-answer.js';
import type { Failure } from '../../domain/health/recent-failures.js';
import type { RegistryEvent } from '../../domain/registry/events.js';
import type { ListQuery } from '../../domain/registry/list-query.js';
import type { RowProblem } from '../../domain/registry/registry-validation.js';
import { defaultVersion } from '../../domain/registry/version-choice.js';
import type { Steps } from '../../domain/steps.js';
import { within } from '../../telemetry/deadline.js';
import type { Logger } from '../../telemetry/log.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import { inSlices, resultInSlices } from '../extension/slices.js';
import type { BoardSource, ListAnswer, OfVersion, Overview } from '../ports/board.js';
import type { Clock, WallClock } from '../ports/clock.js';
import type { ReadMarks } from '../ports/storage.js';
import { Board } from './board.js';
import { overviewParts, readingColumns } from './board-overview.js';
import { listing } from './extension-list.js';
import { History } from './history.js';
import { LiveUpdates } from './live-updates.js';
import { Slots } from './slots.js';

/** A slice of an answer, beside which calls are routed; and the pause after it. */
const SLICE_MS = 0.25;
const PAUSE_MS = 1;
/** How long a reader of a history waits for the audit trail. */
const MARKS_MS = 1500;
const MAX_MARKS = 500;
const MARKS_IN_MEMORY = 64;

interface BoardDeskDeps {
  readonly runtimes: ReadonlyMap<string, ExtensionRuntime>;
  readonly dirty: DirtySet<ExtensionRuntime>;
  readonly refusedRows: (extensionId?: string) => Iterable<RowProblem>;
  readonly revision: () => number | null;
  readonly load: () => { readonly in_flight: number; readonly mass_failure: boolean };
  readonly readMarks: ReadMarks;
  /** Names this process. */
  readonly boot: string;
  readonly historyTargetsMax: number;
  readonly clock: Clock;
  readonly wall: WallClock;
  readonly log: Logger;
}

export class BoardDesk implements BoardSource {
  readonly board: Board;
  readonly live: LiveUpdates;
  readonly boot: string;
  readonly #deps: BoardDeskDeps;
  readonly #slots: Slots;
  readonly #history: History;

  constructor(deps: BoardDeskDeps) {
    const { clock, refusedRows } = deps;
    this.#deps = deps;
    this.boot = deps.boot;
    this.#slots = new Slots({
      ...deps,
      sampling: (runtime, slot) => this.#sampling(runtime, slot),
      after: () => this.#history.givingBack(),
    });
    this.#history = new History({ targetsMax: deps.historyTargetsMax, clock, slots: this.#slots });
    const isRefused = (id: string): boolean => [...refusedRows(id)].length > 0;
    this.board = new Board({ ...deps, slots: this.#slots, isRefused });
    this.live = new LiveUpdates({ ...deps, board: this.board });
  }

  start(): void {
    this.#slots.start();
  }

  stop(): void {
    this.live.stop();
    this.board.stop();
    this.#slots.stop();
  }

  published(event: RegistryEvent): void {
    this.live.add(event);
  }

  removed(runtime: ExtensionRuntime): void {
    this.board.remove(runtime);
    this.#history.forget(runtime);
  }

  /** Targets whose history is kept. */
  get histories(): number {
    return this.#history.size;
  }

  /** Versions that the history has totals of. */
  get historyVersions(): number {
    return this.#history.versions;
  }

  summary() {
    return this.board.summary;
  }

  /** Epoch s. */
  get historyBegins(): number {
    return this.#history.begins;
  }

  async overview(isKnown: (tag: string) => boolean): Promise<Overview> {
    const { wall, revision } = this.#deps;
    await this.board.fresh();
    const { seq, size, stale } = this.board;
    const registryRevision = revision();
    // A reload may bring a revision that changes no row, and what was not read yet is read without a change.
    const tag = `${this.boot}-${seq}-${registryRevision ?? 0}-${stale}`;
    if (isKnown(tag)) return { tag, parts: null };
    const head = {
      boot: this.boot,
      seq,
      revision: registryRevision,
      now: new Date(wall()).toISOString(),
      total: size,
      stale,
    };
    return { tag, parts: overviewParts(head, await this.#read(readingColumns(this.board.rows))) };
  }

  async sparklines(ks: readonly number[]): Promise<Sparklines> {
    this.board.watch();
    const runtimes = ks.map((k) => this.board.numbered(k)?.runtime ?? null);
    return this.#read(this.#history.sparklines(runtimes));
  }

  async list(query: ListQuery): Promise<ListAnswer> {
    const { refusedRows, runtimes, revision } = this.#deps;
    await this.board.fresh();
    const result: { answer: ListAnswer | null } = { answer: null };
    const hasRow = (id: string): boolean => runtimes.has(id);
    const sources = { rows: this.board.rows, refusedRows, hasRow, revision: revision() };
    await this.#inSlices(listing(query, sources, result));
    if (result.answer === null) throw new Error('a list of extensions was not made to its end');
    return result.answer;
  }

  async history(
    extensionId: string,
    version: string | null,
    step: HistoryStep,
    fromSeconds?: number,
  ): Promise<OfVersion<HistoryAnswer>> {
    const found = this.#find(extensionId, version);
    if (typeof found === 'string') return found;
    const numbers = this.#history.numbers(found.runtime, found.version, step, fromSeconds);
    const marks = await this.#marks(extensionId, numbers.start * 1000);
    const isOfIt = (mark: HistoryMark): boolean => mark.version === null || mark.version === found.version;
    return { ...numbers, marks: marks.filter(isOfIt), begins: this.#history.begins };
  }

  failures(extensionId: string, version: string | null): OfVersion<readonly Failure[]> {
    const found = this.#find(extensionId, version);
    if (typeof found === 'string') return found;
    return found.runtime.service(found.version)?.target.stats.failures?.all ?? [];
  }

  #find(
    extensionId: string,
    version: string | null,
  ): { runtime: ExtensionRuntime; version: string } | 'extension_not_found' | 'version_not_found' {
    const runtime = this.#deps.runtimes.get(extensionId);
    if (runtime === undefined) return 'extension_not_found';
    const { extension } = runtime;
    if (version === null)
      return {
        runtime,
        version: runtime.defaultService?.version.version ?? defaultVersion(extension)?.version ?? extension.version,
      };
    const isKnown = runtime.service(version) !== null || extension.versions.some((one) => one.version === version);
    return isKnown ? { runtime, version } : 'version_not_found';
  }

  /** From the audit trail; while that cannot be read, the last events that are in memory. */
  async #marks(extensionId: string, sinceMs: number): Promise<readonly HistoryMark[]> {
    const { readMarks, clock, log } = this.#deps;
    try {
      const marks = await within(MARKS_MS, readMarks(extensionId, sinceMs, MAX_MARKS), null, clock);
      if (marks !== null) return marks;
      log.warn({ event: 'marks_unavailable', extension_id: extensionId, error: `no answer within ${MARKS_MS} ms` });
    } catch (error) {
      log.warn({ event: 'marks_unavailable', extension_id: extensionId, error: String(error) });
    }
    return this.live.lastEventsOf(extensionId, MARKS_IN_MEMORY).map(markOf);
  }

  *#sampling(runtime: ExtensionRuntime, slot: number): Steps<boolean> {
    yield* this.#history.sampling(runtime, slot);
    return this.board.sample(runtime, slot);
  }

  #read<Result>(steps: Steps<Result>): Promise<Result> {
    return resultInSlices(steps, this.#deps.clock, SLICE_MS, PAUSE_MS);
  }

  #inSlices(steps: Steps<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      inSlices(steps, this.#deps.clock, SLICE_MS, PAUSE_MS).subscribe({ error: reject, complete: resolve });
    });
  }
}

const markOf = ({ at, event, version, instance_id, reason, actor, evidence }: RegistryEvent): HistoryMark => ({
  at,
  kind: event,
  version: version ?? null,
  ...(instance_id === undefined ? {} : { instance_id }),
  ...(reason === undefined ? {} : { reason }),
  actor,
  ...(evidence === undefined ? {} : { evidence }),
});

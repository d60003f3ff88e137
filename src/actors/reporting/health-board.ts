// The health of every extension as text, made again only for those in which something has changed. What lists of health read.
//
// HEALTH-BOARD-1. A list is made in slices: however many extensions there are, nothing holds the event loop for longer than one slice.
// HEALTH-BOARD-2. It shows each extension as it was at some moment between the question and the answer, in order of ids.
// HEALTH-BOARD-3. Without readers it costs nothing: it forgets its texts KEPT_MS after the last list, and begins again with the next one.
// HEALTH-BOARD-4. What changes with time alone (a health window that moves on, an open breaker) is made again for the extensions that have any
//     of it.
import type { Subscription } from '#rxjs';
import type { DirtyReader, DirtySet } from '../../domain/dirty-set.js';
import { isHealthy, MAX_REFUSED_ROWS, type Summarized, SummaryInProgress } from '../../domain/health/health-report.js';
import type { ExtensionRowHealth, RefusedRow } from '../../domain/health/health-schema.js';
import { HEALTH_SLICE_MS } from '../../domain/health/health-window.js';
import type { Steps } from '../../domain/steps.js';
import { SingleFlight } from '../../telemetry/single-flight.js';
import { after } from '../extension/actor-supervision.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import { inSlices } from '../extension/slices.js';
import type { HealthList, HealthSelection } from '../ports/api.js';
import type { Clock } from '../ports/clock.js';
import { SortedIds } from './sorted-ids.js';

/** A slice of a list, beside which calls are routed: a list of 10 000 takes some of them, and one call in a hundred waits for one. */
const SLICE_MS = 0.25;
const KEPT_MS = 30_000;
/** Ids per step. */
const PER_STEP = 64;

/** One extension as it was when it changed last. */
interface Shown extends Summarized {
  readonly json: string;
}

interface HealthBoardDeps {
  readonly runtimes: ReadonlyMap<string, ExtensionRuntime>;
  readonly dirty: DirtySet<ExtensionRuntime>;
  readonly healthOf: (runtime: ExtensionRuntime) => ExtensionRowHealth;
  /** The first `limit` refused rows, and how many there are. */
  readonly refusedRows: (limit: number) => { readonly rows: readonly RefusedRow[]; readonly total: number };
  readonly clock: Clock;
}

export class HealthBoard {
  /** Of the extensions that run. */
  readonly ids = new SortedIds();
  #shown = new Map<string, Shown>();
  /** HEALTH-BOARD-3. null: no list was read lately. */
  #changes: DirtyReader<ExtensionRuntime> | null = null;
  #forgetting: Subscription | null = null;
  /** HEALTH-BOARD-4. With samples in their health window, and with a breaker whose state passes with time. */
  readonly #measured = new Set<ExtensionRuntime>();
  readonly #passing = new Set<ExtensionRuntime>();
  /** Number of the health window's slice in which `#measured` was read. */
  #slice = 0;
  readonly #refreshing = new SingleFlight(() => this.#inSlices(this.#refresh()));

  constructor(private readonly deps: HealthBoardDeps) {}

  added(runtime: ExtensionRuntime): void {
    this.ids.add(runtime.id);
    this.#changes?.queue(runtime);
  }

  removed(runtime: ExtensionRuntime): void {
    this.ids.remove(runtime.id);
    this.#shown.delete(runtime.id);
    this.#measured.delete(runtime);
    this.#passing.delete(runtime);
  }

  /** HEALTH-BOARD-1, HEALTH-BOARD-2. */
  async list(selection: HealthSelection): Promise<HealthList> {
    this.#keep();
    await this.#refreshing.runAnew();
    const result: { list: HealthList | null } = { list: null };
    await this.#inSlices(this.#listing(selection, result));
    if (result.list === null) throw new Error('a list of health was not made to its end');
    return result.list;
  }

  stop(): void {
    this.#forgetting?.unsubscribe();
    this.#forget();
  }

  #keep(): void {
    this.#changes ??= this.deps.dirty.read();
    this.#forgetting?.unsubscribe();
    this.#forgetting = after(KEPT_MS, this.deps.clock).subscribe(() => this.#forget());
  }

  #forget(): void {
    this.#changes?.close();
    this.#changes = null;
    this.#shown = new Map();
    this.#measured.clear();
    this.#passing.clear();
  }

  #inSlices(steps: Steps<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      inSlices(steps, this.deps.clock, SLICE_MS).subscribe({ error: reject, complete: resolve });
    });
  }

  /** Makes what changed before it was called; what changes meanwhile as well, or it is left to the next one. */
  *#refresh(): Steps<void> {
    const changes = this.#changes;
    if (changes === null) return;
    const slice = Math.floor(this.deps.clock.now() / HEALTH_SLICE_MS);
    if (slice !== this.#slice) for (const runtime of this.#measured) changes.queue(runtime);
    this.#slice = slice;
    for (const runtime of this.#passing) changes.queue(runtime);
    // Under load what was made may be dirty again immediately: it is left for the next time.
    for (let left = changes.size; left > 0; left--) {
      const runtime = changes.take();
      if (runtime === undefined) return;
      try {
        this.#show(runtime);
      } catch (error) {
        changes.queue(runtime);
        throw error;
      }
      yield;
    }
  }

  #show(runtime: ExtensionRuntime): Shown | null {
    if (this.deps.runtimes.get(runtime.id) !== runtime) return null;
    const row = this.deps.healthOf(runtime);
    const { circuit_breaker_state, success_rate, avg_latency_ms, p95_latency_ms, latency_samples, recovering } =
      row.health;
    const health = { circuit_breaker_state, success_rate, avg_latency_ms, p95_latency_ms };
    const shown = { json: JSON.stringify(row), enabled: row.enabled, health };
    this.#shown.set(runtime.id, shown);
    if (latency_samples > 0) this.#measured.add(runtime);
    else this.#measured.delete(runtime);
    if (recovering || circuit_breaker_state !== 'closed') this.#passing.add(runtime);
    else this.#passing.delete(runtime);
    return shown;
  }

  *#listing(selection: HealthSelection, result: { list: HealthList | null }): Steps<void> {
    const { limit = Number.POSITIVE_INFINITY, offset = 0, unhealthy = false } = selection;
    const summary = new SummaryInProgress();
    const extensions: string[] = [];
    let selected = 0;
    let met = 0;
    for (const id of this.ids.each()) {
      // What was never made takes as long as a step may.
      if (met++ % PER_STEP === 0 || !this.#shown.has(id)) yield;
      const runtime = this.deps.runtimes.get(id);
      // One that was removed is in `#ids` until its actors are stopped.
      const shown = runtime === undefined ? null : (this.#shown.get(id) ?? this.#show(runtime));
      if (shown === null) continue;
      summary.add(shown);
      if (unhealthy && isHealthy(shown.enabled, shown.health.circuit_breaker_state)) continue;
      if (selected >= offset && extensions.length < limit) extensions.push(shown.json);
      selected++;
    }
    const { rows, total } = this.deps.refusedRows(MAX_REFUSED_ROWS);
    result.list = { extensions, summary: summary.summary, refused_rows: rows, refused_rows_total: total };
  }
}

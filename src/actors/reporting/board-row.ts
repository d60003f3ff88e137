// What the board shows of one extension, as numbers.
import { BOARD_FLAGS, BOARD_STATES, type BoardEntry, type BoardState } from '../../domain/board-codes.js';
import { type CallCounts, CallRates, RATE_SLOT_MS } from '../../domain/health/call-rates.js';
import { isHealthy } from '../../domain/health/health-report.js';
import { defaultVersion } from '../../domain/registry/version-choice.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import type { BreakerMode } from '../target/breaker-host.js';

const numberOf = (state: BoardState): number => BOARD_STATES.indexOf(state);
const STATE_OF: Readonly<Record<Exclude<BreakerMode, 'failed'>, number>> = {
  closed: numberOf('closed'),
  recovering: numberOf('closed'),
  open: numberOf('open'),
  halfOpen: numberOf('half_open'),
  isolated: numberOf('isolated'),
  forcedClosed: numberOf('forced_closed'),
};
const DISABLED = numberOf('disabled');

export class BoardRow {
  type = '';
  version = '';
  state = 0;
  flags = 0;
  /** Epoch s, by the wall clock as `state` changed; null: it has not changed, as far as is known. */
  since: number | null = null;
  /** 0..1, four digits; null without outcomes in the health window. */
  successRate: number | null = null;
  /** Of the health window, in hundredths of a ms; null without a sample. */
  avgMs: number | null = null;
  p50: number | null = null;
  p95: number | null = null;
  p99: number | null = null;
  /** Per second over ten seconds, in tenths. */
  calls = 0;
  failed = 0;
  refused = 0;
  /** As the summary counts it: its extension may have changed since. null: it does not. Only the summary writes it. */
  countedAs: 'healthy' | 'unhealthy' | 'disabled' | null = null;
  /** Its tuple as JSON, until it changes again. */
  json: string | null = null;
  #rates: CallRates | null = null;
  #wasCalled = false;

  constructor(
    readonly k: number,
    /** Its place, which another row may get when it is gone. */
    readonly place: number,
    readonly runtime: ExtensionRuntime,
  ) {}

  get id(): string {
    return this.runtime.id;
  }

  get enabled(): boolean {
    return this.runtime.extension.enabled;
  }

  get isHealthy(): boolean {
    return isHealthy(this.enabled, this.runtime.defaultService?.target.publishedState ?? 'closed');
  }

  /** Refused and failed calls per second: what an extension that is not well does to its callers. */
  get impact(): number {
    return this.refused + this.failed;
  }

  get isMoving(): boolean {
    return this.calls > 0 || this.refused > 0;
  }

  /** Reads what costs nothing to read. `wallMs`: now, for `since`. `isRefused`: one of its rows is not in force. */
  readState(wallMs: number, isRefused: boolean): void {
    const { runtime } = this;
    const { extension } = runtime;
    this.type = extension.type;
    this.version = defaultVersion(extension)?.version ?? extension.version;
    const state = stateOf(runtime);
    if (state !== this.state) this.since = Math.floor(wallMs / 1000);
    this.state = state;
    const target = runtime.defaultService?.target;
    this.flags =
      (extension.autoDisabled ? BOARD_FLAGS.auto_disabled : 0) |
      (target?.mode === 'recovering' ? BOARD_FLAGS.recovering : 0) |
      (extension.rolloutSlots.size > 0 ? BOARD_FLAGS.canary : 0) |
      (target?.rotation.isAnyOut === true ? BOARD_FLAGS.ejected_instance : 0) |
      (isRefused ? BOARD_FLAGS.row_refused : 0) |
      (this.#hasCalls() ? 0 : BOARD_FLAGS.no_call_ever);
  }

  /** As it is when its extension comes: since when its breaker is open is known from before. */
  readFirst(wallMs: number, isRefused: boolean): void {
    this.readState(wallMs, isRefused);
    const facts = this.runtime.defaultService?.target.facts();
    const isOpen = this.state === STATE_OF.open && facts !== undefined && facts.openedAgoMs !== null;
    this.since = isOpen ? Math.floor((wallMs - (facts.openedAgoMs ?? 0)) / 1000) : null;
  }

  /** Reads its health window, which costs some 20 µs. */
  readWindow(nowMs: number): void {
    const reading = this.runtime.defaultService?.target.health.read(nowMs);
    this.successRate = rounded(reading?.successRate ?? null, 10_000);
    this.avgMs = rounded(reading?.avgMs ?? null, 100);
    this.p50 = rounded(reading?.p50Ms ?? null, 100);
    this.p95 = rounded(reading?.p95Ms ?? null, 100);
    this.p99 = rounded(reading?.p99Ms ?? null, 100);
  }

  readRates(slot: number, slotMs: number): void {
    const rates = this.ratesAt(slot, slotMs);
    this.calls = rounded(rates.calls, 10) ?? 0;
    this.failed = rounded(rates.failed, 10) ?? 0;
    this.refused = rounded(rates.refused, 10) ?? 0;
  }

  /** Per second; `slotMs`: how much of slot `slot` is over. */
  ratesAt(slot: number, slotMs: number): CallCounts {
    const totals = this.runtime.stats.callCounts;
    if (this.#rates !== null) return this.#rates.read(totals, slot, slotMs);
    const per = (count: number): number => (count * 1000) / RATE_SLOT_MS;
    return { calls: per(totals.calls), failed: per(totals.failed), refused: per(totals.refused) };
  }

  /** As slot number `slot` begins. False: nothing was added in the slot before. */
  sampleRates(slot: number): boolean {
    const { callCounts } = this.runtime.stats;
    if (this.#rates === null && callCounts.calls === 0) return false;
    this.#rates ??= new CallRates();
    return this.#rates.sample(callCounts, slot);
  }

  /** A BoardTuple as JSON. */
  get tuple(): string {
    this.json ??= `[${this.k},${this.state},${this.flags},${this.successRate},${this.p50},${this.p95},${this.p99},${this.calls},${this.failed},${this.refused},${this.since}]`;
    return this.json;
  }

  get whole(): BoardEntry {
    const { k, id, type, version, state, flags, since, successRate: success_rate } = this;
    const { p50, p95, p99, calls, failed, refused } = this;
    return { k, id, type, version, state, flags, success_rate, p50, p95, p99, calls, failed, refused, since };
  }

  #hasCalls(): boolean {
    if (this.#wasCalled) return true;
    const { stats, stored } = this.runtime;
    const wasCalled =
      stats.results.size > 0 || [...stored.values()].some((row) => row.success_count + row.failure_count > 0);
    this.#wasCalled = wasCalled;
    return wasCalled;
  }
}

/** EXTENSION-RUNTIME-1 of extension-runtime.ts. */
function stateOf({ gate, defaultService }: ExtensionRuntime): number {
  if (gate !== null || defaultService === null) return DISABLED;
  const { mode, publishedState } = defaultService.target;
  return mode === 'failed' ? numberOf(publishedState) : STATE_OF[mode];
}

const rounded = (value: number | null, per: number): number | null =>
  value === null ? null : Math.round(value * per) / per;

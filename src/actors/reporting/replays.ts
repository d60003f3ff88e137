// When the breaker of an extension would have opened under another policy: from what was recorded of its default version.
//
// REPLAYS-1. One replay runs at a time, in slices, so that nothing waits for it; a few wait for their turn, more are refused.
import { REPLAY_LIMITS, type ReplayAnswer } from '../../domain/breaker/replay-answer.js';
import { timeIn } from '../../domain/iso-time.js';
import { type BreakerSettings, type ExtensionPolicy, parsePolicy } from '../../domain/registry/policy.js';
import { slowCallProblems } from '../../domain/registry/row-validation.js';
import { isoAt, publicEvidence } from '../events/notices.js';
import { resultInSlices } from '../extension/slices.js';
import type { Clock, WallClock } from '../ports/clock.js';
import type { ReplayResult } from '../ports/management.js';
import type { RecordCopy } from '../target/attempt-record.js';
import { ReplayedBreaker, type Trips } from '../target/replayed-breaker.js';
import type { Target } from '../target/target.js';

/** So long runs a replay, then everything else has its turn. */
const SLICE_MS = 2;
/** Together with the one that runs. */
const MAX_WAITING = 8;
/** A record holds monotonic times, so the present one is the latest. Clocks of clients differ by a little. */
const AHEAD_MS = 1000;

interface ReplaysDeps {
  readonly runtimes: ReadonlyMap<
    string,
    {
      readonly defaultService: { readonly target: Target; readonly version: { readonly timeoutMs: number } } | null;
      settingsUnder(policy: ExtensionPolicy): BreakerSettings;
    }
  >;
  readonly clock: Clock;
  readonly wall: WallClock;
}

export class Replays {
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(private readonly deps: ReplaysDeps) {}

  /** `since`: ISO 8601. */
  async run(extensionId: string, given: object, since: string | null): Promise<ReplayResult> {
    const { clock, wall, runtimes } = this.deps;
    const runtime = runtimes.get(extensionId);
    if (runtime === undefined) return { kind: 'extension_not_found', message: `no extension '${extensionId}'` };
    const service = runtime.defaultService;
    if (service === null) return invalid(`${extensionId} has no version that could be called: nothing was recorded`);
    const parsed = parsePolicy(given);
    if ('problems' in parsed) return invalid(parsed.problems.join('; '));
    const [late] = slowCallProblems(parsed.policy, service.version.timeoutMs);
    if (late !== undefined) return invalid(late);
    const sinceAt = since === null ? Number.NEGATIVE_INFINITY : timeIn(since);
    if (sinceAt === null) return invalid(`since must be a time such as 2026-01-27T12:00:00Z, got '${since}'`);
    if (sinceAt > wall() + AHEAD_MS) return invalid(`since must not be in the future, got '${since}'`);
    const { target } = service;
    const { record } = target;
    if (record === null || record.attempts === 0) return invalid(nothingRecorded(extensionId, record !== null));
    // REPLAYS-1.
    if (this.#waiting >= MAX_WAITING)
      return { kind: 'too_many_requests', message: `${MAX_WAITING} replays run or wait already: try again later` };
    const settings = runtime.settingsUnder(parsed.policy);
    const copy = record.copy();
    const { capacity } = record;
    const sinceMs = clock.now() - (wall() - sinceAt);
    this.#waiting++;
    const replay = this.#last.then(async () => {
      const breaker = new ReplayedBreaker(copy, settings, target.leaseMs, sinceMs);
      return resultInSlices(breaker.replaying(), clock, SLICE_MS);
    });
    this.#last = replay.catch(() => undefined).finally(() => this.#waiting--);
    const { would, did, attempts } = await replay;
    return {
      kind: 'replayed',
      answer: {
        extension_id: extensionId,
        version: target.version,
        recorded: { attempts, capacity, ...this.#range(copy) },
        would_open: this.#shown(would),
        opened: this.#shown(did),
        limits: [...REPLAY_LIMITS],
      },
    };
  }

  #range(copy: RecordCopy): Pick<ReplayAnswer['recorded'], 'entries' | 'from' | 'to' | 'whole'> {
    const { first, written } = copy;
    const at = (number: number) => this.#at(copy.entry(number).atMs);
    return { entries: written - first, from: at(first), to: at(written - 1), whole: first === 0 };
  }

  #shown({ count, first }: Trips): ReplayAnswer['opened'] {
    const { clock, wall } = this.deps;
    const trips = first.map(({ atMs, reason, reopened, evidence }) => ({
      at: this.#at(atMs),
      reason,
      reopened,
      evidence: evidence === null ? null : publicEvidence(evidence, clock, wall),
    }));
    return { count, trips };
  }

  #at(monotonicMs: number): string {
    return isoAt(monotonicMs, this.deps.clock, this.deps.wall) as string;
  }
}

const invalid = (message: string): ReplayResult => ({ kind: 'invalid_request', message });

const nothingRecorded = (id: string, isOn: boolean): string =>
  isOn
    ? `nothing is recorded of ${id} yet: policy.record is on, and it had no calls since then or since the daemon started`
    : `nothing is recorded of ${id}: set policy.record first, such as extreg set ${id} policy.record=10000, and wait for calls`;

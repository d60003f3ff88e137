// The health of all extensions together, once a minute: logged, kept for the metrics page, and each of them judged.
//
// AGGREGATE-1. However many extensions there are, the event loop is never held for longer than one chunk.
// AGGREGATE-2. `high_failure_rate` is reported when an extension's success rate falls under the minimum, and again only after it was
//     back. Too few outcomes to judge change nothing.
import { exhaustMap, type Observable, repeat, type Subscription, takeWhile } from '#rxjs';
import { summarize } from '../../domain/health/health-report.js';
import type { ExtensionRowHealth, HealthSummary } from '../../domain/health/health-schema.js';
import { HEALTH_WINDOW_MS } from '../../domain/health/health-window.js';
import { judgeSuccessRate } from '../../domain/health/success-rate.js';
import { logUnexpected } from '../../telemetry/guard.js';
import type { Logger } from '../../telemetry/log.js';
import { type Notices, publicEvidence, SYSTEM_REGISTRY } from '../events/notices.js';
import { after, every } from '../extension/actor-supervision.js';
import type { ExtensionRuntime } from '../extension/extension-runtime.js';
import type { Clock, WallClock } from '../ports/clock.js';
import type { Target } from '../target/target.js';
import type { HealthView } from './health-view.js';

const AGGREGATE_MS = 60_000;
const EXTENSIONS_PER_CHUNK = 500;

export class Aggregate {
  /** AGGREGATE-2. Targets whose low rate was reported. */
  readonly #low = new WeakSet<Target>();
  #last: HealthSummary | null = null;
  #passes: Subscription | null = null;

  constructor(
    private readonly deps: {
      readonly runtimes: ReadonlyMap<string, ExtensionRuntime>;
      readonly view: HealthView;
      /** 0..1 */
      readonly minSuccessRate: number;
      readonly clock: Clock;
      readonly wall: WallClock;
      readonly notices: Notices;
      readonly log: Logger;
    },
  ) {}

  /** As of the last minute; null before the first one is over. */
  get last(): HealthSummary | null {
    return this.#last;
  }

  start(): void {
    this.#passes = every(AGGREGATE_MS, this.deps.clock)
      .pipe(exhaustMap(() => this.#pass()))
      .subscribe();
  }

  stop(): void {
    this.#passes?.unsubscribe();
  }

  /** AGGREGATE-1. Each chunk in a turn of its own. */
  #pass(): Observable<unknown> {
    const chunks = this.#chunks();
    return after(0, this.deps.clock).pipe(
      repeat(),
      takeWhile(() => chunks.next().done !== true),
    );
  }

  *#chunks(): Generator<void> {
    const all: ExtensionRowHealth[] = [];
    let looked = 0;
    for (const runtime of this.deps.runtimes.values()) {
      try {
        const health = this.deps.view.extension(runtime);
        all.push(health);
        this.#judge(runtime, health);
      } catch (error) {
        logUnexpected(this.deps.log, `the health of ${runtime.id}`, error);
      }
      if (++looked % EXTENSIONS_PER_CHUNK === 0) yield;
    }
    this.#last = summarize(all);
    this.deps.log.info({ event: 'health_aggregate', ...this.#last });
  }

  /** AGGREGATE-2. */
  #judge(runtime: ExtensionRuntime, { version, health }: ExtensionRowHealth): void {
    const target = runtime.defaultService?.target;
    if (target === undefined) return;
    const { clock, wall, minSuccessRate } = this.deps;
    const counts = target.health.counts(clock.now());
    const verdict = judgeSuccessRate(counts, minSuccessRate);
    if (verdict === 'fine') this.#low.delete(target);
    if (verdict !== 'low' || this.#low.has(target)) return;
    this.#low.add(target);
    const { successes, failures } = counts;
    const outcomes = successes + failures;
    const evidence = {
      failures,
      outcomes,
      overdue: 0,
      errorRate: failures / outcomes,
      windowMs: HEALTH_WINDOW_MS,
      firstFailureMs: null,
      lastFailureMs: target.last.failureMs,
    };
    this.deps.notices.publish({
      event: 'high_failure_rate',
      extensionId: runtime.id,
      version,
      actor: SYSTEM_REGISTRY,
      reason: 'success_rate_under_minimum',
      evidence: publicEvidence(evidence, clock, wall),
      health: { ...health },
      audited: false,
    });
  }
}
